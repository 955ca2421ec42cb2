"""The gateway over a small world: on both engines, or on the one that starts at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.database import Database
from resolvers import schema
from tests.resolvers.gateway import Gateway, opened


@pytest.fixture(scope="session")
def contract() -> schema.GatewaySchema:
    """The schema of the product."""
    return schema.build()


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
