"""The product as it runs: real processes on free ports, and people who speak GraphQL with them over real sockets.

    async with Stack(database_url, tmp_path) as stack:
        ada = stack.driver("ada")
        await ada.top_up(5000)

Every process of a stack ends with its block. When the block failed, their logs are printed; when it went well, none of
them has logged an error, and all have ended as they were told to.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Self
from unittest import mock

import httpx2

from api.app import opened
from api.auth import issue_development_token
from api.demo_world import CPO, seed, tokens
from api.settings import Settings
from api.stand_in import environment
from domain.clock import Clock
from resolvers.principal import Role
from tests.people import Caller, Driver
from tests.processes import Json, Process, free_ports, surroundings, tallywatt, until


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
        self._add("stand-in", ("simulators.adyen",), self._of_stand_in(), f"{self.stand_in_url}/healthz")
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

    async def clear_faults(self) -> None:
        """From now on the stand-in does what it should."""
        (await self._client.delete(f"{self.stand_in_url}/admin/faults")).raise_for_status()

    async def advance_provider(self, seconds: int) -> None:
        """Put the stand-in's clock forward."""
        url = f"{self.stand_in_url}/admin/clock/advance"
        (await self._client.post(url, json={"seconds": seconds})).raise_for_status()

    async def flush_webhooks(self) -> int:
        answer = await self._client.post(f"{self.stand_in_url}/admin/deliveries/flush")
        return int(answer.json()["released"])

    async def deliveries(self) -> dict[str, int]:
        """How many webhooks are in which state."""
        counts: dict[str, int] = (await self.books(only="shoppers"))["deliveries"]
        return counts

    async def books(self, **only: str) -> Json:
        """What the stand-in's books say; `only="shoppers"` for the totals."""
        books: Json = (await self._client.get(f"{self.stand_in_url}/admin/books", params=only)).json()
        return books

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

    def _of_stand_in(self) -> dict[str, str]:
        return surroundings(**environment(self.settings), STANDIN_RETRY_SECONDS="0.1")

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
