"""The books of the Adyen stand-in, in one SQLite file, or in memory only; and its clock."""

from __future__ import annotations

import dataclasses
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import orjson

from simulators.adyen_records import Offset, Record

_TABLE = """
    PRAGMA locking_mode = EXCLUSIVE;  -- one process, one book
    PRAGMA synchronous = OFF;         -- survives the end of the process, not the end of the machine
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS record (kind TEXT, id TEXT, owner TEXT, due REAL, body BLOB, UNIQUE (kind, id));
    CREATE INDEX IF NOT EXISTS record_due ON record (kind, due) WHERE due IS NOT NULL;
    CREATE INDEX IF NOT EXISTS record_owner ON record (kind, owner);
"""
_VERSION = 2
"""Books of another version begin again; nobody's money is in them."""
_KEEP = """
    INSERT INTO record (kind, id, owner, due, body) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (kind, id) DO UPDATE SET due = excluded.due, body = excluded.body
"""

Kind = TypeVar("Kind", bound=Record)


class Books:
    """Records by kind and id, in the order in which they were first written."""

    def __init__(self, path: Path | None = None) -> None:
        self._store = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=1, check_same_thread=False)
        if self._store.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            self._store.executescript(f"DROP TABLE IF EXISTS record; PRAGMA user_version = {_VERSION}")
        self._store.executescript(_TABLE)

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what is written inside, or nothing. Nobody may wait inside."""
        self._store.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._store.execute("ROLLBACK")
            raise
        self._store.execute("COMMIT")

    def put(self, record: Record) -> None:
        """Write a record, new or changed."""
        body = orjson.dumps(dataclasses.asdict(record))
        self._store.execute(_KEEP, (type(record).__name__, record.id, record.belongs_to(), record.due, body))

    def get(self, kind: type[Kind], key: str) -> Kind | None:
        """One record, if it is there."""
        return next(self._read(kind, "AND id = ?", key), None)

    def all(self, kind: type[Kind]) -> list[Kind]:
        """Every record of a kind, oldest first."""
        return list(self._read(kind, "ORDER BY rowid"))

    def due(self, kind: type[Kind], now: float) -> list[Kind]:
        """Up to a hundred records whose time has come, oldest first."""
        return list(self._read(kind, "AND due <= ? ORDER BY rowid LIMIT 100", now))

    def of(self, kind: type[Kind], owner: str) -> list[Kind]:
        """Every record that belongs to this, oldest first."""
        return list(self._read(kind, "AND owner = ? ORDER BY rowid", owner))

    def waiting_for(self, kind: type[Kind], owner: str) -> bool:
        """Whether a record that belongs to this waits for its time."""
        return any(self._read(kind, "AND owner = ? AND due IS NOT NULL LIMIT 1", owner))

    def pending(self, kind: type[Kind], at_most: int = -1) -> list[Kind]:
        """Records that wait for their time, oldest first."""
        return list(self._read(kind, "AND due IS NOT NULL ORDER BY rowid LIMIT ?", at_most))

    def newest_due(self, kind: type[Kind], now: float) -> list[Kind]:
        """The latest record whose time has come, if there is one."""
        return list(self._read(kind, "AND due <= ? ORDER BY rowid DESC LIMIT 1", now))

    def remove(self, record: Record) -> None:
        """Forget one record."""
        self._store.execute("DELETE FROM record WHERE kind = ? AND id = ?", (type(record).__name__, record.id))

    def clear(self) -> None:
        """Forget everything."""
        self._store.execute("DELETE FROM record")

    def _read(self, kind: type[Kind], rest: str, *values: object) -> Iterator[Kind]:
        query = f"SELECT body FROM record WHERE kind = ? {rest}"  # noqa: S608  `rest` is written above
        for (body,) in self._store.execute(query, (kind.__name__, *values)).fetchall():
            yield kind(**orjson.loads(body))


class Clock:
    """The stand-in's time in seconds since 1970; it can be put forward, and the books remember by how much."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self.restore()

    def __call__(self) -> float:
        """The present instant."""
        return time.time() + self._ahead

    def restore(self) -> None:
        """Go as the books say."""
        kept = self._books.get(Offset, "clock")
        self._ahead = kept.seconds if kept else 0.0

    def advance(self, seconds: float) -> None:
        """Put it forward."""
        self._ahead += seconds
        self._books.put(Offset("clock", None, self._ahead))
