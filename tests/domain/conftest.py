"""The domain over a small business, on one engine and then on the other."""

from __future__ import annotations

import pytest

from domain.database import Database
from tests.domain.crimes import lived_in
from tests.domain.sessions.stage import Stage, built

__all__ = ["lived_in", "stage"]


@pytest.fixture
async def stage(database: Database) -> Stage:
    return await built(database)
