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
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Executable, RowMapping, Select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncTransaction
from sqlalchemy.orm import configure_mappers
from sqlmodel import SQLModel

from domain import sql
from domain.engines import Translated, postgresql_engine, sqlite_engine
from domain.errors import TryAgain
from domain.lines import Lines

Record = TypeVar("Record", bound=SQLModel)
P = ParamSpec("P")
T = TypeVar("T")

TRIES = 5


class Reader:
    """Reads rows; a record is a plain detached value, never tracked, never lazily loaded.

    On PostgreSQL the statements that are known beforehand go straight to the driver (`driver`), which costs a fifth.
    """

    def __init__(self, connection: AsyncConnection, driver: Any = None) -> None:
        self._connection = connection
        self.driver = driver

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
        if self.driver is not None:
            text = sql.finding_text(model, tuple(columns), lock=lock)
            return sql.told(model, await self.driver.fetchrow(text, *columns.values()))
        statement = sql.finding(model, tuple(columns))
        found = (await self._connection.execute(statement, columns)).mappings().first()
        return None if found is None else sql.record(model, found)

    async def list(self, model: type[Record], statement: Select[Any]) -> list[Record]:
        """Records of a statement that selects all columns of the model's table."""
        return [sql.record(model, row) for row in await self.rows(statement)]

    async def stream(self, statement: Select[Any]) -> AsyncIterator[RowMapping]:
        """Rows one after the other, for lists of any length."""
        async with self._connection.stream(statement) as result:
            async for row in result.mappings():
                yield row


class Transaction(Reader):
    """Reads and writes; nothing of it counts until the block that opened it has ended."""

    def __init__(self, connection: AsyncConnection, driver: Any = None) -> None:
        super().__init__(connection, driver)
        self._then: list[Callable[[], None]] = []

    def after_commit(self, then: Callable[[], None]) -> None:
        """Do this once all of it counts, and never if it does not."""
        self._then.append(then)

    def committed(self) -> None:
        """All of it counts; for the store alone."""
        for then in self._then:
            then()

    async def insert(self, *records: SQLModel) -> None:
        """Insert records; those of several models go in one statement where the store can do that."""
        if self.driver is not None and records:
            text, values = sql.inserting_text(records)
            await self.driver.execute(text, *values)
            return
        for model, its in sql.by_model(records):
            await self._connection.execute(sql.inserting(model), its)

    async def insert_once(self, record: SQLModel) -> bool:
        """Insert unless a unique key is taken; a concurrent twin waits for the first. True if inserted."""
        if self.driver is not None:
            text, values = sql.inserting_once_text(record)
            return await self.driver.fetchval(text, *values) is not None
        statement = sql.inserting_once(type(record))
        return (await self._connection.execute(statement, record.model_dump())).first() is not None

    async def change(self, model: type[Record], where: Mapping[str, object], **values: Any) -> Record | None:
        """Update the one row that has these column values; the record as it is now, or None if there was none."""
        if self.driver is not None:
            text = sql.changing_text(model, tuple(values), tuple(where))
            return sql.told(model, await self.driver.fetchrow(text, *values.values(), *where.values()))
        statement = sql.changing(model, tuple(where))
        given = values | {f"where_{name}": value for name, value in where.items()}
        changed = (await self._connection.execute(statement, given)).mappings().first()
        return None if changed is None else sql.record(model, changed)

    async def add(self, model: type[Record], where: Mapping[str, object], **amounts: int) -> Record:
        """Add to numbers of the one row that has these column values; the record as it is now."""
        if self.driver is not None:
            text = sql.adding_text(model, tuple(amounts), tuple(where))
            added = sql.told(model, await self.driver.fetchrow(text, *amounts.values(), *where.values()))
        else:
            statement = sql.adding(model, tuple(amounts), tuple(where))
            given = {f"add_{name}": amount for name, amount in amounts.items()}
            given_where = {f"where_{name}": value for name, value in where.items()}
            row = (await self._connection.execute(statement, given | given_where)).mappings().first()
            added = None if row is None else sql.record(model, row)
        assert added is not None, "the row that is added to is there"
        return added

    async def execute(self, statement: Executable, values: Sequence[Mapping[str, Any]] | None = None) -> None:
        """Any other statement."""
        await self._connection.execute(statement, values)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[AsyncTransaction]:
        """A block that can be undone without undoing the whole, with what was to be done after the commit."""
        before, is_kept = len(self._then), False
        try:
            async with self._connection.begin_nested() as nested:
                yield nested
                is_kept = nested.is_active
        finally:
            if not is_kept:
                del self._then[before:]


class Database:
    """One store. SQLite: one writer connection and several that can only read; PostgreSQL: one bounded pool."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        configure_mappers()  # attributes of records are read through them
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            self._writer = sqlite_engine(url, connections=1, read_only=False)
            self._reader = sqlite_engine(url, connections=4, read_only=True)
        else:
            self._writer = self._reader = postgresql_engine(url, connections=pool_size)
        self._lines = Lines(self._writer, pool_size)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reader]:
        """A reader; every statement sees what is committed when it starts."""
        with Translated():
            if self.is_sqlite:
                async with self._reader.connect() as connection:
                    yield Reader(connection)
                return
            async with self._lines.line() as line:
                yield Reader(line.connection, line.driver)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Reader]:
        """A reader whose statements all see the same instant; for audits, not for requests."""
        with Translated():
            if self.is_sqlite:
                async with self._reader.connect() as connection, connection.begin():
                    yield Reader(connection)
                return
            async with (
                self._lines.line() as line,
                line.driver.transaction(isolation="repeatable_read", readonly=True),
            ):
                # One look at everything takes as long as it takes.
                await line.driver.execute("SET LOCAL statement_timeout = 0")
                await line.driver.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                yield Reader(line.connection, line.driver)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """All of the block, or nothing of it. Raises TryAgain when the store was busy: the whole verb runs again."""
        with Translated():
            if self.is_sqlite:
                async with self._writer.begin() as connection:
                    tx = Transaction(connection)
                    yield tx
            else:
                async with self._lines.line() as line, line.driver.transaction():
                    tx = Transaction(line.connection, line.driver)
                    yield tx
        tx.committed()

    async def close(self) -> None:
        """Give back every connection."""
        await self._lines.close()
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
