"""Statements known beforehand, built once for each model: as SQLAlchemy's, and as text for PostgreSQL's driver.

Building a statement costs more than running it; those of a model and its columns are few.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Executable, RowMapping, Select, bindparam, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlmodel import SQLModel

from domain.columns import State, table_of

Record = TypeVar("Record", bound=SQLModel)


def record(model: type[Record], row: Mapping[str, Any] | RowMapping) -> Record:
    """A plain value: what came from the table was checked on its way in, and nothing watches it any more.

    Building it through the model's constructor costs ten times as much, all of it for tracking that is not wanted.
    """
    found: Record = model.__new__(model)
    found.__dict__.update(row)
    found.__pydantic_fields_set__.update(row.keys())
    return found


def new(model: type[Record], **columns: Any) -> Record:
    """A record to be inserted, without the constructor's toll: for paths where each posting counts.

    Every column without a default must be given; the table checks what the constructor would have.
    """
    return record(model, {**_defaults(model), **columns})


def told(model: type[Record], row: Mapping[str, Any] | None) -> Record | None:
    """The record of a row that came from the driver itself, where states are still text."""
    if row is None:
        return None
    found = record(model, row)
    for name, word in _states(model):
        if found.__dict__[name] is not None:
            found.__dict__[name] = word(found.__dict__[name])
    return found


def by_model(records: Iterable[SQLModel]) -> Iterator[tuple[type[SQLModel], list[dict[str, Any]]]]:
    """The records of each model, in the order in which the models come first."""
    groups: dict[type[SQLModel], list[dict[str, Any]]] = {}
    for each in records:
        groups.setdefault(type(each), []).append(each.model_dump())
    yield from groups.items()


@functools.lru_cache(maxsize=1024)
def finding(model: type[SQLModel], names: tuple[str, ...]) -> Select[Any]:
    """One row by the values of columns; on SQLite the write transaction is the lock."""
    table = table_of(model)
    return select(table).where(*(table.c[name] == bindparam(name) for name in names)).limit(1)


@functools.lru_cache(maxsize=1024)
def inserting(model: type[SQLModel]) -> Executable:
    """Rows of one model."""
    return insert(table_of(model))


@functools.lru_cache(maxsize=1024)
def inserting_once(model: type[SQLModel]) -> Executable:
    """A row, unless it is there."""
    table = table_of(model)
    statement: Executable = sqlite.insert(table).on_conflict_do_nothing().returning(table.c.operator_id)
    return statement


@functools.lru_cache(maxsize=1024)
def changing(model: type[SQLModel], names: tuple[str, ...]) -> Executable:
    """One row, found by the values of columns."""
    table = table_of(model)
    return update(table).where(*(table.c[name] == bindparam(f"where_{name}") for name in names)).returning(*table.c)


@functools.lru_cache(maxsize=1024)
def adding(model: type[SQLModel], names: tuple[str, ...], where: tuple[str, ...]) -> Executable:
    """Amounts to numbers of one row, found by the values of columns."""
    table = table_of(model)
    statement = update(table).where(*(table.c[name] == bindparam(f"where_{name}") for name in where))
    return statement.values({name: table.c[name] + bindparam(f"add_{name}") for name in names}).returning(*table.c)


@functools.lru_cache(maxsize=1024)
def finding_text(model: type[SQLModel], names: tuple[str, ...], *, lock: bool) -> str:
    """One row by the values of columns, in their order."""
    where = " AND ".join(f"{name} = ${number}" for number, name in enumerate(names, 1))
    text = f"SELECT {', '.join(_columns(model))} FROM {_name(model)} WHERE {where} LIMIT 1"  # noqa: S608  our own names
    return f"{text} FOR NO KEY UPDATE" if lock else text


@functools.lru_cache(maxsize=1024)
def changing_text(model: type[SQLModel], set_: tuple[str, ...], where: tuple[str, ...]) -> str:
    """One row: first the new values, then those that find it."""
    settings = ", ".join(f"{name} = ${number}" for number, name in enumerate(set_, 1))
    conditions = " AND ".join(f"{name} = ${number}" for number, name in enumerate(where, 1 + len(set_)))
    columns = ", ".join(_columns(model))
    return f"UPDATE {_name(model)} SET {settings} WHERE {conditions} RETURNING {columns}"  # noqa: S608  our own names


@functools.lru_cache(maxsize=1024)
def adding_text(model: type[SQLModel], names: tuple[str, ...], where: tuple[str, ...]) -> str:
    """Amounts to numbers of one row: first the amounts, then what finds it."""
    settings = ", ".join(f"{name} = {name} + ${number}" for number, name in enumerate(names, 1))
    conditions = " AND ".join(f"{name} = ${number}" for number, name in enumerate(where, 1 + len(names)))
    columns = ", ".join(_columns(model))
    return f"UPDATE {_name(model)} SET {settings} WHERE {conditions} RETURNING {columns}"  # noqa: S608  our own names


def inserting_once_text(row: SQLModel) -> tuple[str, list[Any]]:
    """A row, unless it is there; and its values."""
    model = type(row)
    return f"{_insert_text(model, 1, 1)} ON CONFLICT DO NOTHING RETURNING operator_id", list(_values(row))


def inserting_text(rows: Sequence[SQLModel]) -> tuple[str, list[Any]]:
    """Rows of any models in one statement; and their values. Keys between them are checked when it ends."""
    groups: dict[type[SQLModel], list[SQLModel]] = {}
    for row in rows:
        groups.setdefault(type(row), []).append(row)
    shape = tuple((model, len(its)) for model, its in groups.items())
    return _together(shape), [value for its in groups.values() for row in its for value in _values(row)]


@functools.lru_cache(maxsize=1024)
def _together(shape: tuple[tuple[type[SQLModel], int], ...]) -> str:
    texts, first = [], 1
    for model, count in shape:
        texts.append(_insert_text(model, count, first))
        first += count * len(_columns(model))
    if len(texts) == 1:
        return texts[0]
    parts = ", ".join(f"part_{number} AS ({text})" for number, text in enumerate(texts[:-1], 1))
    return f"WITH {parts} {texts[-1]}"


@functools.lru_cache(maxsize=1024)
def _insert_text(model: type[SQLModel], count: int, first: int) -> str:
    columns = _columns(model)
    rows = []
    for _ in range(count):
        rows.append("(" + ", ".join(f"${number}" for number in range(first, first + len(columns))) + ")")
        first += len(columns)
    return f"INSERT INTO {_name(model)} ({', '.join(columns)}) VALUES {', '.join(rows)}"  # noqa: S608  our own names


def _values(row: SQLModel) -> Iterator[Any]:
    held = row.__dict__
    return (held[name] for name in _columns(type(row)))


@functools.lru_cache(maxsize=1024)
def _columns(model: type[SQLModel]) -> tuple[str, ...]:
    return tuple(column.name for column in table_of(model).columns)


@functools.lru_cache(maxsize=1024)
def _defaults(model: type[SQLModel]) -> dict[str, Any]:
    return {name: field.default for name, field in model.model_fields.items() if not field.is_required()}


@functools.lru_cache(maxsize=1024)
def _name(model: type[SQLModel]) -> str:
    return str(table_of(model).name)


@functools.lru_cache(maxsize=1024)
def _states(model: type[SQLModel]) -> tuple[tuple[str, Callable[[str], Any]], ...]:
    columns = table_of(model).columns
    return tuple((column.name, column.type.words) for column in columns if isinstance(column.type, State))
