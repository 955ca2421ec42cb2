"""How values lie in tables: instants in UTC, states as text, ids as UUID; the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, String, Table, Text, TypeDecorator, Uuid, inspect
from sqlmodel import Field, SQLModel


class Instant(TypeDecorator[datetime]):
    """An aware instant in UTC; naive ones are refused. SQLite keeps the digits, PostgreSQL the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the table."""
        if value is None:
            return None
        assert value.tzinfo is not None, "instants are aware"
        instant = value.astimezone(UTC)
        return instant.replace(tzinfo=None) if dialect.name == "sqlite" else instant

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the table."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class State(TypeDecorator[StrEnum]):
    """A closed set of words, kept as text: no enum type in the database, so a new word needs no migration."""

    impl = String(32)
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """To the table."""
        del dialect
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """From the table."""
        del dialect
        return None if value is None else self.words(value)


def key(**more: Any) -> Any:
    """A UUID of the primary key; `operator_id` always comes first."""
    return Field(sa_type=Uuid, primary_key=True, **more)


def link(**more: Any) -> Any:
    """A UUID of another row."""
    return Field(sa_type=Uuid, **more)


def minor(**more: Any) -> Any:
    """Minor units of money."""
    return Field(sa_type=BigInteger, **more)


def whole(**more: Any) -> Any:
    """A whole number that may outgrow 32 bits."""
    return Field(sa_type=BigInteger, **more)


def instant(**more: Any) -> Any:
    """An instant."""
    return Field(sa_type=Instant, **more)


def state(words: type[StrEnum], **more: Any) -> Any:
    """One word of a closed set."""
    return Field(sa_type=State(words), **more)


def text(**more: Any) -> Any:
    """Text of any length."""
    return Field(sa_type=Text, **more)


def table_of(model: type[SQLModel]) -> Table:
    """The table behind a model, for statements."""
    table = inspect(model).local_table
    assert isinstance(table, Table)
    return table
