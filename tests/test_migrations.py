"""The tables that the migrations make are the tables that the models mean, on both engines; what was written stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlmodel import SQLModel

import migrations
from domain.database import Database
from domain.disputes import DisputeReason
from tests.domain.rows import WRITTEN_ONCE, everything
from tests.domain.sessions.biller import billed, take_back
from tests.domain.sessions.stage import Stage, built, euro

PARTIAL = {
    "cdr_original": "original",
    "charging_session_pending": "pending",
    "hold_due": "open",
    "hold_open_session": "open",
    "hold_open_wallet": "open",
    "promo_grant_due": "active",
}


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection]:
    """A connection of its own, outside the store's."""
    engine = create_async_engine(database_url)
    async with engine.connect() as opened:
        yield opened
    await engine.dispose()


def differences(connection: Connection) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), SQLModel.metadata))


def checks(connection: Connection) -> set[tuple[str, str]]:
    found = inspect(connection)
    tables = found.get_table_names()
    return {(table, str(check["name"])) for table in tables for check in found.get_check_constraints(table)}


def conditions(connection: Connection) -> dict[str, str]:
    found = inspect(connection)
    indexes = [index for table in found.get_table_names() for index in found.get_indexes(table)]
    where = f"{connection.dialect.name}_where"
    options = {str(index["name"]): index.get("dialect_options", {}) for index in indexes}
    return {name: str(given[where]) for name, given in options.items() if where in given}


# --- shape --------------------------------------------------------------------------------------------------------


async def test_the_migrations_make_what_the_models_mean(connection: AsyncConnection) -> None:
    assert await connection.run_sync(differences) == []


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE dispute DROP COLUMN explanation",
        "ALTER TABLE dispute ADD COLUMN more TEXT",
        "DROP INDEX cdr_revenue",
        "CREATE INDEX more ON cdr (driver_id)",
        "CREATE TABLE more (id INTEGER)",
    ],
)
async def test_a_table_that_differs_would_be_noticed(connection: AsyncConnection, change: str) -> None:
    await connection.execute(text(change))
    assert len(await connection.run_sync(differences)) == 1


async def test_checks_and_conditions_are_those_of_the_models(connection: AsyncConnection) -> None:
    meant = {
        (table.name, str(check.name))
        for table in SQLModel.metadata.sorted_tables
        for check in table.constraints
        if isinstance(check, CheckConstraint)
    }
    assert len(meant) > 10
    assert await connection.run_sync(checks) == meant
    found = await connection.run_sync(conditions)
    assert found.keys() == PARTIAL.keys()
    assert all(word in found[name] for name, word in PARTIAL.items())


def test_revisions_are_one_line_and_its_end_is_what_the_code_needs() -> None:
    revisions = list(ScriptDirectory(str(migrations.HERE)).walk_revisions())
    assert [revision.revision for revision in revisions] == sorted((r.revision for r in revisions), reverse=True)
    assert migrations.newest() == revisions[0].revision


# --- again --------------------------------------------------------------------------------------------------------


async def test_an_upgrade_told_again_changes_nothing(database: Database, connection: AsyncConnection) -> None:
    await lived_in(database)
    before = await everything(database)
    await asyncio.to_thread(migrations.upgrade, database.url)
    (revision,) = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars()
    assert revision == migrations.newest()
    assert await everything(database) == before
    assert await connection.run_sync(differences) == []


# --- written once -------------------------------------------------------------------------------------------------


async def lived_in(database: Database) -> Stage:
    """A store with a row in every table that is written once."""
    stage = await built(database)
    await stage.start(quote=await stage.quote(connector=1))
    await billed(stage, "S9")
    await take_back(stage, "C-S9")
    session, disputes = await stage.charged(), stage.services.disputes
    dispute = await disputes.submit(
        stage.operator, stage.driver.id, session.id, DisputeReason.OTHER, "Something is wrong.", None, "d1"
    )
    await disputes.uphold(stage.operator, dispute.id, dispute.revision, euro(100), "Sorry.", "agent", "u1")
    await stage.services.inbox.keep(stage.operator, b"{}", [])
    await stage.services.sealer.seal_all(stage.operator)
    return stage


class Undone(Exception):
    """Nothing of what was tried is to stay."""


async def tried(database: Database, statement: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(text(statement))
        raise Undone


async def refusing(database: Database, verb: str) -> set[str]:
    """The tables that refuse a statement because their rows are written once."""
    found = set()
    for table in SQLModel.metadata.sorted_tables:
        with pytest.raises((Undone, DBAPIError)) as ended:
            await tried(database, verb.format(table.name))
        if f"rows of {table.name} are written once" in str(ended.value):
            found.add(table.name)
    return found


async def test_what_is_written_once_can_neither_be_changed_nor_deleted(database: Database) -> None:
    await lived_in(database)
    before = await everything(database)
    assert [name for name in WRITTEN_ONCE if not before[name]] == []
    assert await refusing(database, "UPDATE {} SET operator_id = operator_id") == WRITTEN_ONCE
    assert await refusing(database, "DELETE FROM {}") == WRITTEN_ONCE
    if not database.is_sqlite:
        assert await refusing(database, "TRUNCATE {} CASCADE") >= WRITTEN_ONCE
    assert await everything(database) == before
