"""People who speak GraphQL with a gateway over real sockets, and what they ask."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx2
import orjson
import websockets

from tests.processes import Json, until

PROTOCOL = websockets.Subprotocol("graphql-transport-ws")
MONEY = "{ minorUnits currency }"
TAXED = "{ net { minorUnits } tax { minorUnits } gross { minorUnits } }"
REFUSED = "... on UserError { code message path }"
SESSION = (
    "id revision status stopReason energyKwh endedAt "
    f"cost {{ accrued {TAXED} ifStoppedNow {TAXED} lines {{ kind amount {TAXED} }} }} cdr {{ id total {TAXED} }}"
)
WALLET = f"""{{ me {{ wallet {{ id revision
  balance {{ available {MONEY} promo {MONEY} held {MONEY} total {MONEY} owed {MONEY} }}
  holds {{ id status amount {MONEY} session {{ id }} }}
  entries(first: 20) {{ edges {{ node {{ id sequence kind amount {MONEY} balanceAfter {MONEY}
    source {{ __typename ... on Node {{ id }} }} }} }} }} }} }} }}"""
CONNECTORS = "{ locations(first: 1) { edges { node { id evses { id connectors { id } } } } } }"
TOP_UP = f"""mutation ($input: TopUpWalletInput!) {{ topUpWallet(input: $input) {{ __typename
  ... on TopUp {{ id status amount {MONEY} nextAction {{ url }} }} {REFUSED} }} }}"""
QUOTE = f"""mutation ($input: QuoteChargingInput!) {{ quoteCharging(input: $input) {{ __typename
  ... on Quote {{ id holdAmount {MONEY} }} {REFUSED} }} }}"""
START = f"""mutation ($input: StartChargingInput!) {{ startCharging(input: $input) {{ __typename
  ... on ChargingSession {{ {SESSION} }} {REFUSED} }} }}"""
STOP = f"""mutation ($input: StopChargingInput!) {{ stopCharging(input: $input) {{ __typename
  ... on ChargingSession {{ {SESSION} }} {REFUSED} }} }}"""
NODE = f"query ($id: ID!) {{ node(id: $id) {{ ... on ChargingSession {{ {SESSION} }} }} }}"
LIVE = f"""subscription ($id: ID!, $after: Cursor) {{ chargingSession(id: $id, after: $after) {{
  cursor kind session {{ {SESSION} }} }} }}"""


class Caller:
    """Somebody with a credential, or without one, in front of one gateway."""

    def __init__(self, client: httpx2.AsyncClient, url: str, bearer: str | None) -> None:
        self.url, self.bearer, self._client = url, bearer, client

    async def post(self, query: str, **variables: object) -> httpx2.Response:
        """The raw answer."""
        headers = {} if self.bearer is None else {"authorization": f"Bearer {self.bearer}"}
        body = {"query": query, "variables": variables}
        return await self._client.post(f"{self.url}/graphql", json=body, headers=headers)

    async def ask(self, query: str, **variables: object) -> Json:
        """The data of an operation that has no errors."""
        answer = await self.post(query, **variables)
        body = answer.json()
        assert "errors" not in body, body
        assert answer.status_code == 200
        data: Json = body["data"]
        return data

    async def do(self, mutation: str, **given: object) -> Json:
        """What a mutation of one field returned, refusals included."""
        (result,) = (await self.ask(mutation, input=given)).values()
        found: Json = result
        return found

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[websockets.ClientConnection]:
        """A socket that has been acknowledged."""
        async with websockets.connect(self.url.replace("http", "ws", 1) + "/graphql", subprotocols=[PROTOCOL]) as line:
            credential = {} if self.bearer is None else {"authorization": f"Bearer {self.bearer}"}
            await line.send(orjson.dumps({"type": "connection_init", "payload": credential}).decode())
            assert orjson.loads(await line.recv())["type"] == "connection_ack"
            yield line

    @asynccontextmanager
    async def subscribed(self, query: str, **variables: object) -> AsyncIterator[Feed]:
        """Everything a subscription says, until the block ends."""
        async with self.socket() as line:
            message = {"type": "subscribe", "id": "1", "payload": {"query": query, "variables": variables}}
            await line.send(orjson.dumps(message).decode())
            feed = Feed()
            reading = asyncio.create_task(feed.read(line))
            try:
                yield feed
            finally:
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading


class Feed:
    """What came over a subscription: its updates, and after its end (or that of its socket) how it ended."""

    def __init__(self) -> None:
        self.updates: list[Json] = []
        self.errors: list[Json] = []
        self.ended = ""

    @property
    def sessions(self) -> list[Json]:
        return [update["session"] for update in self.updates]

    async def read(self, line: websockets.ClientConnection) -> None:
        try:
            async for frame in line:
                message = orjson.loads(frame)
                if message["type"] == "next":
                    self.errors += message["payload"].get("errors", ())
                    self.updates += (message["payload"]["data"] or {}).values()
                elif message["type"] in {"error", "complete"}:
                    self.errors += message.get("payload", ())
                    self.ended = message["type"]
                    return
        except websockets.ConnectionClosedError:
            pass
        finally:
            self.ended = self.ended or "lost"

    async def more_than(self, count: int) -> None:
        """Wait until so many updates have come, and one more."""

        async def come() -> bool:
            assert not self.ended, (self.ended, self.errors, len(self.updates))
            return len(self.updates) > count

        await until(come)

    async def closed(self) -> str:
        """Wait until it is over; how it ended: complete, error or lost."""

        async def over() -> str:
            return self.ended

        return await until(over)

    async def end(self) -> Json:
        """Wait until it is over, as it should be; the last update."""
        assert (await self.closed(), self.errors) == ("complete", [])
        return self.updates[-1]


class Driver(Caller):
    """A driver with an app; payments lead `back` there."""

    def __init__(self, client: httpx2.AsyncClient, url: str, bearer: str, *, back: str) -> None:
        super().__init__(client, url, bearer)
        self.back = back

    async def wallet(self) -> Json:
        """The wallet, whose balances add up whenever one looks."""
        wallet: Json = (await self.ask(WALLET))["me"]["wallet"]
        held = [minor(hold["amount"]) for hold in wallet["holds"]]
        balance = {name: minor(amount) for name, amount in wallet["balance"].items()}
        assert balance["available"] + balance["promo"] + balance["held"] == balance["total"]
        assert balance["held"] == sum(held)
        return wallet

    async def balance(self, name: str = "available") -> int:
        return minor((await self.wallet())["balance"][name])

    async def entries(self) -> list[Json]:
        """The statement, oldest first; every line continues the one before."""
        lines = [edge["node"] for edge in (await self.wallet())["entries"]["edges"]][::-1]
        so_far = 0
        for number, line in enumerate(lines, 1):
            so_far += minor(line["amount"])
            assert (line["sequence"], minor(line["balanceAfter"])) == (number, so_far)
        return lines

    async def wish(self, amount_minor: int) -> Json:
        """A top-up that waits to be paid on its page."""
        wallet = await self.wallet()
        amount = {"minorUnits": str(amount_minor), "currency": "EUR"}
        key = uuid.uuid4().hex
        wish = await self.do(TOP_UP, idempotencyKey=key, walletId=wallet["id"], amount=amount, returnUrl=self.back)
        assert (wish["__typename"], wish["status"]) == ("TopUp", "ACTION_REQUIRED"), wish
        return wish

    async def pay(self, wish: Json) -> None:
        """Approve on the page of the stand-in, as a browser would."""
        page = wish["nextAction"]["url"]
        assert "Approve" in (await self._client.get(page)).text
        answer = await self._client.post(page, data={"outcome": "approve", "attempt": "1"})
        assert answer.status_code == 303

    async def top_up(self, amount_minor: int) -> Json:
        """Pay in, and wait until it is there to be spent."""
        before = await self.balance()
        wish = await self.wish(amount_minor)
        await self.pay(wish)

        async def arrived() -> bool:
            return await self.balance() != before

        await until(arrived)
        assert await self.balance() == before + amount_minor
        return wish

    async def quote(self, evse: int = 0) -> Json:
        """A quote for the one connector of an EVSE of the demo's site."""
        site = (await self.ask(CONNECTORS))["locations"]["edges"][0]["node"]
        quote = await self.do(QUOTE, connectorId=site["evses"][evse]["connectors"][0]["id"])
        assert quote["__typename"] == "Quote", quote
        return quote

    async def start(self, quote: Json) -> Json:
        session = await self.do(START, idempotencyKey=uuid.uuid4().hex, quoteId=quote["id"])
        assert session["__typename"] == "ChargingSession", session
        return session

    async def stop(self, session: Json) -> Json:
        stopped = await self.do(STOP, sessionId=session["id"])
        assert stopped["__typename"] == "ChargingSession", stopped
        return stopped

    async def session(self, session: Json) -> Json:
        """The session as it is now."""
        now: Json = (await self.ask(NODE, id=session["id"]))["node"]
        return now


def minor(money: Json) -> int:
    """Minor units of a Money."""
    return int(money["minorUnits"])


def gross(taxed: Json) -> int:
    """Minor units of a TaxedMoney with its tax, which is what its parts add up to."""
    assert minor(taxed["net"]) + minor(taxed["tax"]) == minor(taxed["gross"])
    return minor(taxed["gross"])
