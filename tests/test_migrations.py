"""The tables that the migrations make are the tables that the models mean, on both engines; what was written stays."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, Table, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

import migrations
from domain.database import Database
from domain.services import assemble
from tests.domain.sessions.stage import Stage, built

WRITTEN_ONCE = {
    "cdr",
    "dispute_event",
    "document",
    "hold_event",
    "ledger_entry",
    "ledger_posting",
    "ledger_transfer",
    "meter_reading",
    "psp_delivery",
    "quote",
    "tariff_edition",
    "wallet_entry",
}
TABLES = {table.name: table for table in SQLModel.metadata.sorted_tables}


def of_ours(name: str | None) -> bool:
    return name != "alembic_version"


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, SQLModel.metadata))


async def looked_at(url: str, look: object) -> object:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(look)  # type: ignore[arg-type]
    finally:
        await engine.dispose()
