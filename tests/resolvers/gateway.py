"""The whole gateway over a small world, in process: callers of every role, sessions that charge, sockets."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import orjson
import pytest
from starlette.applications import Starlette

from api.app import House, create_app
from api.auth import issue_development_token
from api.serving import _server
from api.settings import Settings
from domain.database import Database
from domain.energy import Energy
from domain.ids import DriverId
from domain.sessions import ChargingSession, SessionPush, TheirStatus, TokenName
from resolvers import schema
from resolvers.nodes import global_id
from resolvers.principal import Role
from tests.world import KEYS, OPERATOR, SEED, World, at, build, fund

SUBJECTS = {Role.DRIVER: "driver-1"}
SESSION = "id revision status energyKwh cost { accrued { gross { minorUnits } } ifStoppedNow { gross { minorUnits } } }"


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    response: httpx2.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def body(self) -> dict[str, Any]:
        read: dict[str, Any] = orjson.loads(self.response.content)
        return read

    @property
    def data(self) -> dict[str, Any]:
        assert "errors" not in self.body, self.body
        read: dict[str, Any] = self.body["data"]
        return read

    @property
    def errors(self) -> list[dict[str, Any]]:
        read: list[dict[str, Any]] = self.body["errors"]
        return read

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.errors]


@dataclass
class Gateway:
    """One process of the product, and those who talk to it."""

    world: World
    settings: Settings
    app: Starlette
    http: httpx2.AsyncClient

    def token(self, role: Role, subject: str | None = None, lifetime: timedelta = timedelta(hours=1)) -> str:
        name = subject or SUBJECTS.get(role, f"{role.lower()}-1")
        return issue_development_token(self.settings, role, name, lifetime)

    async def ask(
        self, query: str, role: Role = Role.DRIVER, subject: str | None = None, **variables: object
    ) -> Answer:
        """One operation of a caller; a guest shows nothing."""
        headers = {} if role is Role.GUEST else {"authorization": f"Bearer {self.token(role, subject)}"}
        return await self.post({"query": query, "variables": variables}, headers)

    async def post(self, body: object, headers: Mapping[str, str] | None = None) -> Answer:
        """Any body, as JSON unless it is bytes already."""
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        return Answer(
            await self.http.post(
                "/graphql", content=content, headers={"content-type": "application/json", **(headers or {})}
            )
        )

    async def push(
        self, name: str, status: TheirStatus, seconds: int, kwh: str = "0", evse: str = "EVSE-1", **more: object
    ) -> ChargingSession:
        """What the charge points' operator says of a session of the driver's, `seconds` after eight."""
        token = self.world.token
        facts: dict[str, Any] = {
            "ocpi_id": name,
            "replaces": True,
            "last_updated": moment(seconds),
            "status": status,
            "started_at": at("08:00"),
            "ended_at": moment(seconds) if status is TheirStatus.COMPLETED else None,
            "energy": Energy.from_kwh(Decimal(kwh)),
            "token": TokenName(self.world.operator.emsp_role, token.uid, token.contract_id, is_app=True),
            "location": "LOC-1",
            "evse_uid": evse,
            "connector": "1",
        }
        push = SessionPush(**facts | more)
        found, _ = await self.world.services.recording.record(self.world.party, push, SEED)
        return found

    async def billed(self, name: str, kwh: str = "10") -> ChargingSession:
        """A session of half an hour that has its CDR."""
        await self.push(name, TheirStatus.ACTIVE, 0)
        return await self.push(name, TheirStatus.COMPLETED, 1800, kwh)

    async def dispute(self, session: str) -> str:
        """The driver disputes the bill of a session; both are global ids."""
        given = {
            "idempotencyKey": session.replace("=", "_")[-32:].rjust(16, "x"),
            "subject": {"sessionId": session},
            "reason": "OTHER",
            "statement": "It was too expensive.",
        }
        submit = "mutation ($i: SubmitDisputeInput!) { submitDispute(input: $i) { __typename ... on Dispute { id } } }"
        opened: str = (await self.ask(submit, i=given)).data["submitDispute"]["id"]
        return opened

    async def stranger(self, subject: str = "driver-2") -> DriverId:
        """Somebody else with money."""
        driver = await self.world.services.wallets.enrol(OPERATOR, subject, "Somebody", "EUR")
        await fund(self.world.services, self.world.operator, driver.id, "50.00")
        return driver.id

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """A real server on a free port, as the product configures it; its host and port."""
        server = _server(self.app)
        server.config.host, server.config.port = "127.0.0.1", 0
        running = asyncio.create_task(server.serve())
        async with asyncio.timeout(10):
            while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
                await asyncio.sleep(0.01)
        host, port = server.servers[0].sockets[0].getsockname()
        try:
            yield f"{host}:{port}"
        finally:
            server.should_exit = True
            await running


built_once = functools.cache(schema.build)
"""The schema knows neither store nor settings, and takes longest to make."""


def moment(seconds: int) -> datetime:
    return at("08:00") + timedelta(seconds=seconds)


def gid(kind: str, key: UUID) -> str:
    return str(global_id(kind, key))


@asynccontextmanager
async def opened(database: Database, folder: Path) -> AsyncIterator[Gateway]:
    """The gateway over an empty store."""
    world = await build(database)
    known = Settings(var=folder, max_body_bytes=20_000, return_urls=("https://app.example/",))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(schema, "build", built_once)
        app = create_app(House(known, world.services, KEYS, world.services.clock, {}))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1:8000") as http:
        yield Gateway(world, known, app, http)
    await world.services.feed.close()


@pytest.fixture
async def gateway(database: Database, tmp_path: Path) -> AsyncIterator[Gateway]:
    """On SQLite, then on PostgreSQL."""
    async with opened(database, tmp_path) as opened_gateway:
        yield opened_gateway


@pytest.fixture
async def small(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    """On SQLite, for what never comes to the store."""
    database = Database(sqlite_url)
    async with opened(database, tmp_path) as opened_gateway:
        yield opened_gateway
    await database.close()
