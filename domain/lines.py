"""Lines to PostgreSQL that stay open: taken for one block, given back, and replaced when they are dead.

SQLAlchemy's pool takes a connection apart and puts it together for every block, which costs more than the statements of
most of them. Here a connection stays whole; what it was used for is undone when it comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

WAIT_SECONDS = 1.0


class Line:
    """A connection as SQLAlchemy sees it, and the driver's own."""

    def __init__(self, connection: AsyncConnection, driver: Any) -> None:
        self.connection = connection
        self.driver = driver


class Lines:
    """At most `most` lines, opened when they are needed. Whoever waits longer than a second is told so."""

    def __init__(self, engine: AsyncEngine, most: int) -> None:
        self._engine = engine
        self._free: list[Line] = []
        self._places = asyncio.Semaphore(most)

    @asynccontextmanager
    async def line(self) -> AsyncIterator[Line]:
        """One line for one block. Raises SQLAlchemy's TimeoutError when all are taken."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise PoolTimeout("all lines are taken") from None
        try:
            line = await self._open()
            try:
                yield line
            finally:
                await self._back(line)
        finally:
            self._places.release()

    async def close(self) -> None:
        """Close those that are free."""
        while self._free:
            await self._free.pop().connection.close()

    async def _open(self) -> Line:
        while self._free:
            line = self._free.pop()
            if not line.driver.is_closed():
                return line
            await _throw_away(line)
        connection = await self._engine.connect()
        return Line(connection, (await connection.get_raw_connection()).driver_connection)

    async def _back(self, line: Line) -> None:
        """A line that is still in a transaction could not be brought out of it."""
        if line.driver.is_closed() or line.driver.is_in_transaction():
            await _throw_away(line)
            return
        if line.connection.in_transaction():
            await line.connection.rollback()  # in autocommit this ends nothing but SQLAlchemy's own notion
        self._free.append(line)


async def _throw_away(line: Line) -> None:
    await line.connection.invalidate()
    await line.connection.close()
