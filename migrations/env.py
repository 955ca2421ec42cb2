"""Runs revisions over the product's own drivers, so that nothing else needs to be installed."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool


async def run() -> None:
    engine = create_async_engine(context.config.attributes["url"], poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(_run)
    await engine.dispose()


def _run(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # Two processes that start together: the second waits here and finds nothing left to do.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7241163)")
    context.configure(connection=connection, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


asyncio.run(run())
