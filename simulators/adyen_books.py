"""The books of the Adyen stand-in: what it remembers, in one SQLite file, or in memory only.

A record is a dataclass with an `id`, kept as JSON. `due` is the instant (seconds since 1970) at which it wants to be
looked at again, or None. Money is in minor units, counted as Adyen counts them.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson

_TABLE = """
    PRAGMA locking_mode = EXCLUSIVE;  -- one process, one book
    PRAGMA synchronous = OFF;         -- survives the end of the process, not the end of the machine
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS record (kind TEXT, id TEXT, due REAL, body BLOB, UNIQUE (kind, id));
    CREATE INDEX IF NOT EXISTS record_due ON record (kind, due) WHERE due IS NOT NULL;
"""
_KEEP = """
    INSERT INTO record (kind, id, due, body) VALUES (?, ?, ?, ?)
    ON CONFLICT (kind, id) DO UPDATE SET due = excluded.due, body = excluded.body
"""


@dataclass
class Record:
    """Whatever the books can keep."""

    id: str
    due: float | None


@dataclass
class Session(Record):
    """A Checkout session. `results` holds what each handed-out `sessionResult` says, for good."""

    psp_reference: str
    reference: str
    amount_minor: int
    currency: str
    return_url: str
    shopper_reference: str
    manual: bool
    stores: bool
    session_data: str
    expires_at: float
    status: str = "active"
    attempts: int = 0
    results: dict[str, str] = field(default_factory=dict)


@dataclass
class Payment(Record):
    """A try to pay. `status` is authorised, captured, refused, cancelled or expired."""

    reference: str
    amount_minor: int
    currency: str
    status: str
    result_code: str
    refusal_code: str
    refusal_reason: str
    method: str
    shopper_reference: str
    session_id: str
    captured_minor: int = 0
    refunded_minor: int = 0


@dataclass
class Modification(Record):
    """A capture, refund, cancel or amount update that was asked for, and whether the books allowed it."""

    kind: str
    payment_id: str
    reference: str
    amount_minor: int
    currency: str
    success: bool
    reason: str


@dataclass
class StoredMethod(Record):
    """A card that a shopper left with us."""

    shopper_reference: str
    brand: str


@dataclass
class Answer(Record):
    """What was answered under one idempotency key (its `id`)."""

    status: int
    body: dict[str, Any]


@dataclass
class Delivery(Record):
    """A webhook on its way. `state` is waiting, delivered or lost; `due` is the next try while it waits."""

    body: dict[str, Any]
    state: str = "waiting"
    tries: int = 0


@dataclass
class Released(Delivery):
    """One that a flush has let go: it goes before all others, and no hold holds it."""


@dataclass
class Offset(Record):
    """How far the stand-in's clock runs ahead."""

    seconds: float


Kind = TypeVar("Kind", bound=Record)


class Books:
    """Records by kind and id, in the order in which they were first written."""

    def __init__(self, path: Path | None = None) -> None:
        self._store = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=1, check_same_thread=False)
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
        self._store.execute(_KEEP, (type(record).__name__, record.id, record.due, body))

    def get(self, kind: type[Kind], key: str) -> Kind | None:
        """One record, if it is there."""
        return next(self._read(kind, "AND id = ?", key), None)

    def all(self, kind: type[Kind]) -> list[Kind]:
        """Every record of a kind, oldest first."""
        return list(self._read(kind, "ORDER BY rowid"))

    def due(self, kind: type[Kind], now: float) -> list[Kind]:
        """Up to a hundred records whose time has come, oldest first."""
        return list(self._read(kind, "AND due <= ? ORDER BY rowid LIMIT 100", now))

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
