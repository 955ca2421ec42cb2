"""`make run`: the whole of it on this machine, and one session that charges while you watch."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlsplit

import httpx2
import orjson
import websockets
from rich.console import Console
from sqlalchemy.engine import make_url

import migrations
from api import stand_in, tabs
from api.app import opened, upgrade
from api.demo_world import CPO, seed, tokens
from api.serving import bound
from api.settings import BadSettings, Settings
from resolvers.principal import Role

SPEED = "60"
READY_WITHIN_SECONDS = 60  # it takes three; a busy machine is not a broken one
TOP_UP_MINOR = "5000"

TOP_UP = """mutation ($input: TopUpWalletInput!) { topUpWallet(input: $input) {
  __typename ... on TopUp { id status nextAction { url } } ... on UserError { message } } }"""
QUOTE = """mutation ($input: QuoteChargingInput!) { quoteCharging(input: $input) {
  __typename ... on Quote { id } ... on UserError { message } } }"""
START = """mutation ($input: StartChargingInput!) { startCharging(input: $input) {
  __typename ... on ChargingSession { id } ... on UserError { message } } }"""
STOP = """mutation ($input: StopChargingInput!) { stopCharging(input: $input) { __typename } }"""
WALLET = "{ me { wallet { id balance { available { amount minorUnits } } } } }"
ACTIVE = "{ me { activeSessions { id } } }"
CONNECTORS = "{ locations(first: 1) { edges { node { evses { connectors { id } } } } } }"


class DemoFailed(Exception):
    """Why there is nothing to see."""


class Demo:
    """The processes, and the driver who charges in them. The stand-in listens where `adyen_base_url` says."""

    def __init__(self, settings: Settings, charge_points_port: int, console: Console) -> None:
        assert settings.adyen_base_url is not None, "see prepare"
        self._settings = settings
        self._console = console
        self._url = settings.public_url
        self._stand_in = settings.adyen_base_url
        self._charge_points = f"http://127.0.0.1:{charge_points_port}"
        self._logs = settings.var / "logs"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._driver = tabs.token(settings, Role.DRIVER, tabs.DRIVER)
        self._session: str | None = None

    async def run(self) -> None:
        """Until Ctrl-C; then everything ends."""
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, told.set)
        story = asyncio.create_task(self._story())
        stop = asyncio.create_task(told.wait())
        try:
            await asyncio.wait((story, stop), return_when=asyncio.FIRST_COMPLETED)
            if story.done():
                story.result()
        finally:
            story.cancel()
            stop.cancel()
            await asyncio.gather(story, stop, return_exceptions=True)
            await self._end()

    async def _story(self) -> None:
        self._free_ports()
        async with opened(self._settings) as house:
            await seed(house.services, house.keys, self._settings, f"{self._charge_points}/ocpi/2.2.1/commands")
        self._start()
        try:
            await self._show()
        except (httpx2.HTTPError, websockets.WebSocketException, OSError) as error:
            raise DemoFailed(f"A process went away ({type(error).__name__}); {self._logs} says why.") from None

    async def _show(self) -> None:
        async with httpx2.AsyncClient(base_url=self._url, timeout=10, trust_env=False) as client:
            await self._ready(client)
            await self._fill_wallet(client)
            self._session = session = await self._charge(client)
        self._introduce()
        await self._watch(session)
        await self._rest()

    def _free_ports(self) -> None:
        bound(self._settings.bind_host, self._settings.bind_port).close()
        for url in (self._stand_in, self._charge_points):
            bound(*_place(url)).close()

    def _start(self) -> None:
        settings, known = self._settings, tokens(self._settings)
        self._logs.mkdir(parents=True, exist_ok=True)
        points = {
            "CPSIM_BIND": "{}:{}".format(*_place(self._charge_points)),
            "CPSIM_GATEWAY": self._url,
            "CPSIM_TOKEN": known.to_gateway,
            "CPSIM_COMMANDS_TOKEN": known.to_charge_points,
            "CPSIM_COUNTRY_CODE": CPO[0],
            "CPSIM_PARTY_ID": CPO[1],
            "CPSIM_SPEED": SPEED,
            "CPSIM_INTERVAL": "1",
            "CPSIM_POWER_W": "50000",
        }
        gateway = {"TALLYWATT_HEALTH_BIND": "127.0.0.1:0"}
        self._spawn("gateway", ("-m", "api.cli", "serve"), gateway)
        if settings.redis_url is not None:
            self._spawn("worker", ("-m", "api.cli", "worker"), gateway)
        self._spawn("adyen-stand-in", stand_in.COMMAND[1:], stand_in.environment(settings))
        self._spawn("charge-points", ("-m", "simulators.charge_points"), points)

    def _spawn(self, name: str, command: Sequence[str], more: Mapping[str, str]) -> None:
        with (self._logs / f"{name}.log").open("wb") as log:
            # In a group of its own, so that Ctrl-C reaches it through us, in order.
            self._processes[name] = subprocess.Popen(  # noqa: S603  our own modules
                [sys.executable, *command], env=os.environ | dict(more), stdout=log, stderr=log, process_group=0
            )

    def _alive(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                log = self._logs / f"{name}.log"
                raise DemoFailed(f"{name} ended with {process.returncode}; {log} says why.")

    async def _ready(self, client: httpx2.AsyncClient) -> None:
        for _ in range(READY_WITHIN_SECONDS * 10):
            self._alive()
            with suppress(httpx2.HTTPError):
                for url in (self._stand_in, self._charge_points):
                    (await client.get(f"{url}/healthz")).raise_for_status()
                await self._ask(client, WALLET)
                return
            await asyncio.sleep(0.1)
        raise DemoFailed(f"The processes did not come up; {self._logs} says why.")

    async def _ask(self, client: httpx2.AsyncClient, query: str, **given: object) -> dict[str, Any]:
        body = {"query": query, "variables": {"input": given} if given else {}}
        headers = {"authorization": f"Bearer {self._driver}"}
        response = await client.post("/graphql", json=body, headers=headers)
        if not response.is_success:
            raise DemoFailed(f"The gateway answers {response.status_code}: {response.text[:200]}")
        answer: dict[str, Any] = response.json()
        if "errors" in answer:
            raise DemoFailed(str(answer["errors"]))
        data: dict[str, Any] = answer["data"]
        return data

    async def _fill_wallet(self, client: httpx2.AsyncClient) -> None:
        wallet = (await self._ask(client, WALLET))["me"]["wallet"]
        if int(wallet["balance"]["available"]["minorUnits"]) >= int(TOP_UP_MINOR):
            return
        amount = {"minorUnits": TOP_UP_MINOR, "currency": "EUR"}
        wish = {"walletId": wallet["id"], "amount": amount, "returnUrl": f"{self._url}/"}
        top_up = (await self._ask(client, TOP_UP, idempotencyKey=uuid.uuid4().hex, **wish))["topUpWallet"]
        if top_up["__typename"] != "TopUp" or top_up["nextAction"] is None:
            raise DemoFailed(f"The top-up was not taken: {top_up}")
        await client.post(top_up["nextAction"]["url"], data={"outcome": "approve"})
        for _ in range(100):
            balance = (await self._ask(client, WALLET))["me"]["wallet"]["balance"]["available"]
            if int(balance["minorUnits"]) >= int(TOP_UP_MINOR):
                self._console.print(f"Topped up; the wallet holds [bold]{balance['amount']} EUR[/].")
                return
            await asyncio.sleep(0.1)
        raise DemoFailed("The top-up was paid and did not arrive.")

    async def _charge(self, client: httpx2.AsyncClient) -> str:
        places = (await self._ask(client, CONNECTORS))["locations"]["edges"][0]["node"]["evses"]
        said = ""
        for evse in places:
            quote = (await self._ask(client, QUOTE, connectorId=evse["connectors"][0]["id"]))["quoteCharging"]
            if quote["__typename"] != "Quote":
                said = quote["message"]
                continue
            key = uuid.uuid4().hex
            started = await self._ask(client, START, idempotencyKey=key, quoteId=quote["id"])
            if started["startCharging"]["__typename"] == "ChargingSession":
                return str(started["startCharging"]["id"])
            said = started["startCharging"]["message"]
        raise DemoFailed(f"No charge point took the car: {said}")

    def _introduce(self) -> None:
        show = self._console.print
        show(f"\n[bold]Tallywatt is running at {self._url}[/] (GraphiQL opens there, signed in)\n")
        for role, subject in ((Role.SUPPORT, tabs.AGENT), (Role.OPERATOR, tabs.ANALYST), (Role.DRIVER, tabs.DRIVER)):
            show(f"{role.lower()}'s token, for an hour:", style="dim")
            show(tabs.token(self._settings, role, subject), soft_wrap=True, highlight=False)
        query = "{ me { wallet { balance { available { amount currency } held { amount } } } } }"
        body = orjson.dumps({"query": query}).decode()
        show("\nAsk as the driver:", style="dim")
        show(
            f"curl -s {self._url}/graphql -H 'content-type: application/json' "
            f"-H 'authorization: Bearer {self._driver}' -d '{body}'\n",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )

    async def _watch(self, session: str) -> None:
        """The live line, from the same subscription that an app uses."""
        query = tabs.LIVE.partition("\n")[2]
        url = self._url.replace("http", "ws", 1) + "/graphql"
        headers = {"type": "connection_init", "payload": {"authorization": f"Bearer {self._driver}"}}
        async with websockets.connect(url, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]) as line:
            await line.send(orjson.dumps(headers).decode())
            await line.recv()
            payload = {"query": query, "variables": {"id": session}}
            await line.send(orjson.dumps({"type": "subscribe", "id": "1", "payload": payload}).decode())
            with self._console.status("The car arrives …") as status:
                async for frame in line:
                    message = orjson.loads(frame)
                    if message["type"] != "next":
                        break
                    words = _line(message["payload"]["data"]["chargingSession"]["session"])
                    status.update(words)
                    if not self._console.is_terminal:
                        self._console.print(words)

    async def _rest(self) -> None:
        self._console.print("The session is billed. Start another one in GraphiQL, or end with Ctrl-C.")
        while True:
            self._alive()
            await asyncio.sleep(1)

    async def _end(self) -> None:
        """Stop what charges, so that no session is left open, then every process."""
        if self._session is not None:
            with suppress(httpx2.HTTPError, DemoFailed, OSError):
                async with httpx2.AsyncClient(base_url=self._url, timeout=3, trust_env=False) as client:
                    await self._ask(client, STOP, sessionId=self._session)
                    for _ in range(50):
                        if not (await self._ask(client, ACTIVE))["me"]["activeSessions"]:
                            break
                        await asyncio.sleep(0.1)
        with ExitStack() as ends:
            for process in self._processes.values():
                ends.callback(_end, process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _line(session: dict[str, Any]) -> str:
    cost = session["cost"]["ifStoppedNow"]["gross"]
    power = f"{session['powerKw']} kW" if session["powerKw"] else session["status"].lower()
    return f"[bold]{cost['amount']} {cost['currency']}[/] · {session['energyKwh']} kWh · {power}"


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80


def prepare(settings: Settings) -> None:
    """Bring the store to the revision that this code needs. Not inside a running loop.

    Raises BadSettings, DemoFailed, StoreAway.
    """
    if settings.is_production:
        raise BadSettings(["TALLYWATT_ENVIRONMENT is production: the demo takes no real money"])
    if settings.adyen_base_url is None:
        raise BadSettings(["ADYEN_API_KEY is set: the demo pays at its stand-in, so unset it or set ADYEN_BASE_URL"])
    try:
        upgrade(settings)
    except migrations.UnknownRevision as error:
        url = make_url(settings.database_url.get_secret_value())
        where = url.database if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
        raise DemoFailed(
            f"The store at {where} was made by another version: {error}. Move it away and run again."
        ) from None
