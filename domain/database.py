"""The store: SQLite embedded or PostgreSQL, behind one handle. The only place that begins and commits.

`read()` gives a Reader (each statement sees what is committed), `snapshot()` one consistent view of everything,
`transaction()` a Transaction: committed when the block ends well, undone when anything is raised.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from socket import gaierror
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Executable, RowMapping, Select, bindparam, event, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction, create_async_engine
from sqlalchemy.orm import configure_mappers
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import SQLModel

from domain.columns import table_of
from domain.errors import TryAgain

Record = TypeVar("Record", bound=SQLModel)
P = ParamSpec("P")
T = TypeVar("T")

TRIES = 5
_AGAIN = {"40001": "serialization", "40P01": "deadlock", "55P03": "lock", "57014": "timeout", "57P01": "away"}


class Reader:
    """Reads rows; a record is a plain detached value, never tracked, never lazily loaded."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rows(self, statement: Select[Any]) -> Sequence[RowMapping]:
        """All rows of a statement that bounds itself."""
        found: Sequence[RowMapping] = (await self._connection.execute(statement)).mappings().all()
        return found

    async def row(self, statement: Executable) -> RowMapping | None:
        """The first row, if any."""
        return (await self._connection.execute(statement)).mappings().first()

    async def scalar(self, statement: Select[Any]) -> Any:
        """The first column of the first row, or None."""
        return (await self._connection.execute(statement)).scalar()

    async def find(self, model: type[Record], *, lock: bool = False, **columns: object) -> Record | None:
        """The record with these column values; `lock` keeps others from changing it until the end."""
        statement = _finding(model, tuple(columns), lock=lock)
        found = (await self._connection.execute(statement, columns)).mappings().first()
        return None if found is None else _record(model, found)

    async def list(self, model: type[Record], statement: Select[Any]) -> list[Record]:
        """Records of a statement that selects all columns of the model's table."""
        return [_record(model, row) for row in await self.rows(statement)]

    async def stream(self, statement: Select[Any]) -> AsyncIterator[RowMapping]:
        """Rows one after the other, for lists of any length."""
        async with self._connection.stream(statement) as result:
            async for row in result.mappings():
                yield row


class Transaction(Reader):
    """Reads and writes; nothing of it counts until the block that opened it has ended."""

    async def insert(self, *records: SQLModel) -> None:
        """Insert records of one model in one statement."""
        if records:
            await self._connection.execute(insert(table_of(type(records[0]))), [r.model_dump() for r in records])

    async def insert_once(self, record: SQLModel) -> bool:
        """Insert unless a unique key is taken; a concurrent twin waits for the first. True if inserted."""
        statement = _inserting(type(record), self._connection.dialect.name)
        return (await self._connection.execute(statement, record.model_dump())).first() is not None

    async def change(self, model: type[Record], where: Mapping[str, object], **values: Any) -> Record | None:
        """Update the one row that has these column values; the record as it is now, or None if there was none."""
        statement = _changing(model, tuple(where))
        given = values | {f"where_{name}": value for name, value in where.items()}
        changed = (await self._connection.execute(statement, given)).mappings().first()
        return None if changed is None else _record(model, changed)

    async def execute(self, statement: Executable, values: Sequence[Mapping[str, Any]] | None = None) -> None:
        """Any other statement."""
        await self._connection.execute(statement, values)

    def savepoint(self) -> AsyncTransaction:
        """A block that can be undone without undoing the whole: `async with tx.savepoint(): …`."""
        return self._connection.begin_nested()


class Database:
    """One store. SQLite: one writer connection and several that can only read; PostgreSQL: one bounded pool."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        configure_mappers()  # attributes of records are read through them
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            self._writer = _sqlite_engine(url, connections=1, read_only=False)
            self._reader = _sqlite_engine(url, connections=4, read_only=True)
        else:
            self._writer = _postgresql_engine(url, pool_size)
            self._reader = self._writer
        self._autocommit = (
            self._reader if self.is_sqlite else self._reader.execution_options(isolation_level="AUTOCOMMIT")
        )

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reader]:
        """A reader; every statement sees what is committed when it starts."""
        with _translated():
            async with self._autocommit.connect() as connection:
                yield Reader(connection)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Reader]:
        """A reader whose statements all see the same instant; for audits, not for requests."""
        with _translated():
            async with self._reader.connect() as connection:
                if not self.is_sqlite:
                    await connection.execution_options(isolation_level="REPEATABLE READ")
                async with connection.begin():
                    yield Reader(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """All of the block, or nothing of it. Raises TryAgain when the store was busy: the whole verb runs again."""
        with _translated():
            async with self._writer.begin() as connection:
                yield Transaction(connection)

    async def close(self) -> None:
        """Give back every connection."""
        await self._writer.dispose()
        await self._reader.dispose()


def retried(verb: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Run a whole keyed verb again when the store was busy: at most five times, 10 to 200 ms apart."""

    @functools.wraps(verb)
    async def again(*args: P.args, **kwargs: P.kwargs) -> T:
        for left in reversed(range(TRIES)):
            try:
                return await verb(*args, **kwargs)
            except TryAgain:
                if not left:
                    raise
            await asyncio.sleep((10 + secrets.randbelow(190)) / 1000)
        raise AssertionError("unreachable")

    return again


class _translated:  # noqa: N801  a verb-like block: `with _translated():`
    """Turns the store's ways of saying 'busy' into TryAgain; everything else stays what it is: a bug."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        reason = _busy(error)
        if reason is not None:
            raise TryAgain(reason) from error


def _busy(error: BaseException | None) -> str | None:
    if isinstance(error, PoolTimeout):
        return "pool"
    if isinstance(error, ConnectionError | TimeoutError | gaierror):
        # Nothing foreign is called inside a block, so only the store can have been silent.
        return "away"
    if not isinstance(error, DBAPIError):
        return None
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return "away"
    if isinstance(error, OperationalError) and "locked" in str(error.orig):
        return "locked"
    return _AGAIN.get(str(getattr(error.orig, "sqlstate", None)))


def _record(model: type[Record], row: RowMapping) -> Record:
    """A plain value: what came from the table was checked on its way in, and nothing watches it any more.

    Building it through the model's constructor costs ten times as much, all of it for tracking that is not wanted.
    """
    record: Record = model.__new__(model)
    record.__dict__.update(row)
    record.__pydantic_fields_set__.update(row.keys())
    return record


@functools.lru_cache(maxsize=1024)
def _finding(model: type[SQLModel], names: tuple[str, ...], *, lock: bool) -> Select[Any]:
    # Building a statement costs more than running it; those of a model and its columns are few.
    table = table_of(model)
    statement = select(table).where(*(table.c[name] == bindparam(name) for name in names)).limit(1)
    return statement.with_for_update() if lock else statement


@functools.lru_cache(maxsize=1024)
def _inserting(model: type[SQLModel], dialect: str) -> Executable:
    table = table_of(model)
    builder = postgresql if dialect == "postgresql" else sqlite
    statement: Executable = builder.insert(table).on_conflict_do_nothing().returning(table.c.operator_id)
    return statement


@functools.lru_cache(maxsize=1024)
def _changing(model: type[SQLModel], names: tuple[str, ...]) -> Executable:
    table = table_of(model)
    return update(table).where(*(table.c[name] == bindparam(f"where_{name}") for name in names)).returning(*table.c)


def _sqlite_engine(url: str, *, connections: int, read_only: bool) -> AsyncEngine:
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


def _postgresql_engine(url: str, pool_size: int) -> AsyncEngine:
    limits = {
        "statement_timeout": "5000",
        "lock_timeout": "2000",
        "idle_in_transaction_session_timeout": "10000",
        "timezone": "UTC",
        "application_name": "tallywatt",
    }
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=1,
        pool_pre_ping=True,
        connect_args={"timeout": 2, "server_settings": limits},
    )
