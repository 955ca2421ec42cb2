"""The door over a small world, on one engine and then on the other, and the two partners before it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.applications import Starlette

from api.ocpi import routes
from domain.clock import ManualClock
from domain.database import Database
from tests.api.ocpi.partner import PUBLIC_URL, Partner
from tests.world import BILLER_TOKEN, CPO_TOKEN, KEYS, OPERATOR, World, at, build


@pytest.fixture
async def world(database: Database) -> World:
    return await build(database, clock=ManualClock(at("12:00")))


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the door, without a token."""
    app = Starlette(routes=routes(world.services, OPERATOR, KEYS, PUBLIC_URL))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=PUBLIC_URL) as client:
        yield client


@pytest.fixture
def cpo(http: httpx2.AsyncClient, world: World) -> Partner:
    """The one whose sessions are billed by our pricing."""
    return Partner(http, "ABC", CPO_TOKEN, "LOC-1", world)


@pytest.fixture
def biller(http: httpx2.AsyncClient, world: World) -> Partner:
    """The one that sends CDRs."""
    return Partner(http, "BIL", BILLER_TOKEN, "LOC-9", world)
