"""The product as it runs: real processes on free ports, and people who speak GraphQL with them over real sockets.

    async with Stack(database_url, tmp_path) as stack:
        ada = stack.driver("ada")
        await ada.top_up(5000)

Every process of a stack ends with its block. When the block failed, their logs are printed; when it went well, none of
them has logged an error, and all have ended as they were told to.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Self, TypeVar
from unittest import mock

import httpx2
import orjson
import websockets

from api.app import opened
from api.auth import issue_development_token
from api.demo_world import CPO, seed, tokens
from api.settings import Settings
from domain.clock import Clock
from resolvers.principal import Role

ROOT = Path(__file__).parent.parent
PATIENCE_SECONDS = 60
PROTOCOL = websockets.Subprotocol("graphql-transport-ws")

T = TypeVar("T")
Json = dict[str, Any]

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


async def until(look: Callable[[], Awaitable[T]], seconds: int = PATIENCE_SECONDS) -> T:
    """Look again and again until something true is found; that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := await look():
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {look}")


def free_ports(count: int) -> list[int]:
    """Ports where nobody listens, below those that the kernel hands out: they stay free while a server is down."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(12_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found += [port] * (port not in found)
    return found


def surroundings(**variables: str) -> dict[str, str]:
    """The environment of a process that hears of no settings but these."""
    ours = ("TALLYWATT_", "ADYEN_", "CPSIM_", "STANDIN_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | variables


def tallywatt(*words: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "api.cli", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


class Process:
    """One process, on ports of its own; may be killed and started again."""

    def __init__(self, command: tuple[str, ...], environment: Mapping[str, str], log: Path, ready: str) -> None:
        self._command, self._environment, self._ready = command, environment, ready
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            command = [sys.executable, "-m", *self._command]
            self._process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=out, stderr=out)

    async def answers(self) -> bool:
        """Whether it is ready; an end before that is a failure."""
        assert self._process is not None
        assert self._process.poll() is None, f"ended with {self._process.returncode}: {self.log.read_text()[-2000:]}"
        with suppress(httpx2.HTTPError):
            async with httpx2.AsyncClient(timeout=5, trust_env=False) as client:
                return (await client.get(self._ready)).is_success
        return False

    def kill(self) -> None:
        """SIGKILL; it has no time to say anything."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def tell_to_stop(self) -> None:
        """SIGTERM, once."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """How it ended after it was told to; SIGKILL if that takes long."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL


class Stack:
    """The demo's world in processes: gateways, a worker if there is a Redis, the payment stand-in, charge points.

    What the world outside sends goes to the last gateway; people may speak to any. `speed` is how many simulated
    seconds the charge points make of one, `interval` how many real ones lie between two pushes of a session.
    """

    def __init__(
        self,
        database_url: str,
        home: Path,
        *,
        redis_url: str | None = None,
        gateways: int = 1,
        speed: int = 200,
        interval: str = "0.1",
        battery_kwh: int = 58,
    ) -> None:
        stand_in, points, worker, *ports = free_ports(3 + 2 * gateways)
        bases, health = ports[:gateways], ports[gateways:]
        self.gateways = [f"http://127.0.0.1:{port}" for port in bases]
        self.public_url = self.gateways[-1]
        self.stand_in_url, self.points_url = f"http://127.0.0.1:{stand_in}", f"http://127.0.0.1:{points}"
        self._home = home
        self._pace = {"CPSIM_SPEED": str(speed), "CPSIM_INTERVAL": interval, "CPSIM_BATTERY_KWH": str(battery_kwh)}
        more = {} if redis_url is None else {"TALLYWATT_REDIS_URL": redis_url}
        self.environment = surroundings(
            TALLYWATT_VAR=str(home / "var"),
            TALLYWATT_DATABASE_URL=database_url,
            TALLYWATT_PUBLIC_URL=self.public_url,
            ADYEN_BASE_URL=self.stand_in_url,
            **more,
        )
        with mock.patch.dict(os.environ, self.environment, clear=True):
            self.settings = Settings.from_environment()
        self.processes: dict[str, Process] = {}
        for number, (port, internal) in enumerate(zip(bases, health, strict=True)):
            self._add_ours(f"gateway-{number}", "serve", port, internal)
        if redis_url is not None:
            self._add_ours("worker", "worker", 0, worker)
        self._add("stand-in", ("simulators.adyen",), self._of_stand_in(stand_in), f"{self.stand_in_url}/healthz")
        self._add("points", ("simulators.charge_points",), self._of_points(points), f"{self.points_url}/healthz")
        self._client = httpx2.AsyncClient(timeout=30, trust_env=False)

    async def __aenter__(self) -> Self:
        try:
            async with opened(self.settings) as house:
                await seed(house.services, house.keys, self.settings, f"{self.points_url}/ocpi/2.2.1/commands")
            await self.start(*self.processes)
        except BaseException:
            await self._end(failed=True)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self._end(failed=kind is not None)

    async def start(self, *names: str) -> None:
        """Start these processes, and wait until all of them are ready."""
        for name in names:
            self.processes[name].start()
        for name in names:
            await until(self.processes[name].answers)

    def kill(self, name: str) -> None:
        self.processes[name].kill()

    def bearer(
        self, role: Role, subject: str, *, clock: Clock | None = None, lifetime: timedelta = timedelta(hours=1)
    ) -> str:
        """A development token."""
        return issue_development_token(self.settings, role, subject, lifetime, clock=clock)

    def caller(self, role: Role, subject: str) -> Caller:
        return self.with_bearer(self.bearer(role, subject))

    def with_bearer(self, bearer: str | None) -> Caller:
        """Whoever this token speaks for; a guest without one."""
        return Caller(self._client, self.gateways[0], bearer)

    def driver(self, subject: str, gateway: int = 0) -> Driver:
        bearer = self.bearer(Role.DRIVER, subject)
        return Driver(self._client, self.gateways[gateway], bearer, back=f"{self.public_url}/")

    def tallywatt(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with the settings of this stack."""
        return tallywatt(*words, environment=self.environment)

    async def fault(self, **faults: object) -> None:
        """Order faults of the stand-in."""
        (await self._client.post(f"{self.stand_in_url}/admin/faults", json=faults)).raise_for_status()

    async def flush_webhooks(self) -> int:
        answer = await self._client.post(f"{self.stand_in_url}/admin/deliveries/flush")
        return int(answer.json()["released"])

    async def deliveries(self) -> dict[str, int]:
        """How many webhooks are in which state."""
        counts: dict[str, int] = (await self._client.get(f"{self.stand_in_url}/admin/books")).json()["deliveries"]
        return counts

    async def told_by_points(self) -> list[Json]:
        """Every session as its charge point counted it."""
        sessions: list[Json] = (await self._client.get(f"{self.points_url}/admin/sessions")).json()["sessions"]
        return sessions

    def _add_ours(self, name: str, command: str, port: int, internal: int) -> None:
        own = {"TALLYWATT_BIND_PORT": str(port), "TALLYWATT_HEALTH_BIND": f"127.0.0.1:{internal}"}
        environment = self.environment | own
        self._add(name, ("api.cli", command), environment, f"http://127.0.0.1:{internal}/readyz")

    def _add(self, name: str, command: tuple[str, ...], environment: Mapping[str, str], ready: str) -> None:
        self.processes[name] = Process(command, environment, self._home / f"{name}.log", ready)

    def _of_stand_in(self, port: int) -> dict[str, str]:
        settings = self.settings
        return surroundings(
            STANDIN_BIND=f"127.0.0.1:{port}",
            STANDIN_WEBHOOK_URL=f"{self.public_url}/webhooks/adyen",
            STANDIN_WEBHOOK_USER=settings.adyen_webhook_user,
            STANDIN_WEBHOOK_PASSWORD=settings.adyen_webhook_password.get_secret_value(),
            STANDIN_HMAC_KEY=settings.adyen_hmac_key.get_secret_value(),
            STANDIN_API_KEY=settings.adyen_api_key.get_secret_value(),
            STANDIN_MERCHANT_ACCOUNT=settings.adyen_merchant_account,
            STANDIN_RETRY_SECONDS="0.1",
        )

    def _of_points(self, port: int) -> dict[str, str]:
        known = tokens(self.settings)
        return surroundings(
            CPSIM_BIND=f"127.0.0.1:{port}",
            CPSIM_GATEWAY=self.public_url,
            CPSIM_TOKEN=known.to_gateway,
            CPSIM_COMMANDS_TOKEN=known.to_charge_points,
            CPSIM_COUNTRY_CODE=CPO[0],
            CPSIM_PARTY_ID=CPO[1],
            CPSIM_POWER_W="50000",
            **self._pace,
        )

    async def _end(self, *, failed: bool) -> None:
        await self._client.aclose()
        for process in self.processes.values():
            process.tell_to_stop()
        ended = {name: process.ended() for name, process in self.processes.items()}
        logs = {name: process.log.read_text() for name, process in self.processes.items() if process.log.exists()}
        if failed:
            for name, text in logs.items():
                sys.stderr.write(f"--- {name}, ended with {ended[name]}\n{text[-6000:]}\n")
            return
        assert set(ended.values()) == {0}, ended
        bad = {name: text for name, text in logs.items() if '"level":"error"' in text or "Traceback" in text}
        assert not bad, bad


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
        self._back = back

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
        wish = await self.do(TOP_UP, idempotencyKey=key, walletId=wallet["id"], amount=amount, returnUrl=self._back)
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
