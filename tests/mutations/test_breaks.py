"""The checks are checked: under each deliberate break the one that is meant for it turns red."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.exc import SQLAlchemyError

from domain.database import Database
from domain.errors import DomainError
from tests.mutations import ledger_breaks, wish_breaks
from tests.mutations.breaks import BREAKS, Break

RED = (AssertionError, DomainError, SQLAlchemyError, TimeoutError, pytest.fail.Exception)
CASES = [pytest.param(engine, one, id=f"{one.name}-{engine}") for one in BREAKS for engine in one.engines]


@pytest.fixture
def url(request: pytest.FixtureRequest, engine: str) -> str:
    found: str = request.getfixturevalue(f"{engine}_url")
    return found


def test_every_break_has_its_check() -> None:
    names = {name for module in (ledger_breaks, wish_breaks) for name in dir(module)}
    assert {one.name for one in BREAKS} <= names
    assert BREAKS


@pytest.mark.parametrize(("engine", "one"), CASES)
async def test_a_break_turns_its_check_red(url: str, one: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(url)
    try:
        await one.made_in(database)
        with monkeypatch.context() as patched:
            one.patch(patched, database)
            with pytest.raises(RED):
                await one.check(database)
    finally:
        # Whoever came at once with the one that failed may still be on the way.
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.gather(*others, return_exceptions=True)
        await database.close()
