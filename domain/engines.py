"""Connections to the store: how SQLite and PostgreSQL are opened, and what they say when they are busy or away."""

from __future__ import annotations

from socket import gaierror
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from domain.errors import TryAgain

_AGAIN = {"40001": "serialization", "40P01": "deadlock", "55P03": "lock", "57014": "timeout"}
_SILENT = (ConnectionError, TimeoutError, gaierror, asyncpg.InterfaceError, InterfaceError)
"""Nothing foreign is called inside a block, so only the store can have been silent."""
_LIMITS = {
    "statement_timeout": "5000",
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "10000",
    "timezone": "UTC",
    "application_name": "tallywatt",
    # Statements are few and run often: their plans are made once, and none of them is worth compiling.
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}


def sqlite_engine(url: str, *, connections: int, read_only: bool) -> AsyncEngine:
    """A pool of connections that all write (begin IMMEDIATE) or that can only read."""
    engine = create_async_engine(
        url, pool_size=connections, max_overflow=0, pool_timeout=5, connect_args={"isolation_level": None, "timeout": 5}
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            cursor.execute(f"PRAGMA {pragma}")
        if read_only:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        # A deferred BEGIN that reads and then writes fails at once when another writer was faster.
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def postgresql_engine(url: str, *, connections: int) -> AsyncEngine:
    """A bounded pool in autocommit: the driver begins and ends transactions, so that both ways to ask share them."""
    return create_async_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=1,
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": 2, "server_settings": _LIMITS},
    )


class Translated:
    """Turns the store's ways of saying 'busy' into TryAgain, and other answers of the driver into SQLAlchemy's errors.

    Everything else stays what it is: a bug.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        reason = _busy(error)
        if reason is not None:
            raise TryAgain(reason) from error
        if isinstance(error, asyncpg.PostgresError):
            said = IntegrityError if str(error.sqlstate).startswith("23") else DBAPIError
            raise said(None, None, error) from error


def _busy(error: BaseException | None) -> str | None:
    if isinstance(error, PoolTimeout):
        return "pool"
    if isinstance(error, OperationalError) and "locked" in str(error.orig):
        return "locked"
    if isinstance(error, _SILENT) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return "away"
    return _state(error.orig if isinstance(error, DBAPIError) else error)


def _state(error: BaseException | None) -> str | None:
    """By SQLSTATE: 08 is a broken line, 57P a server that shuts down."""
    state = str(getattr(error, "sqlstate", None))
    return "away" if state.startswith(("08", "57P")) else _AGAIN.get(state)
