"""Global IDs, and how an object is fetched again by one: missing, hidden and malformed are the same."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import strawberry
from strawberry.relay import GlobalID, GlobalIDValueError

from domain.errors import NotFound
from resolvers.context import Info


@strawberry.interface(description="Anything that can be fetched again through `node`.")
class Node:
    """Every object with an identity."""

    id: strawberry.ID = strawberry.field(description="Global ID: unique, opaque, stable.")


Fetch = Callable[[Info, UUID], Awaitable[Node | None]]
FetchPart = Callable[[Info, UUID, int], Awaitable[Node | None]]
F = TypeVar("F", bound=Fetch)
P = TypeVar("P", bound=FetchPart)
_fetches: dict[str, Fetch] = {}
_part_fetches: dict[str, FetchPart] = {}
_NUMBER = re.compile(r"[1-9]\d{0,8}", re.ASCII)


def fetched_as(name: str) -> Callable[[F], F]:
    """Register how objects of this GraphQL type are fetched for the asker; None if there is none for them."""

    def register(fetch: F) -> F:
        assert name not in _fetches, f"{name} is fetched by one function"
        _fetches[name] = fetch
        return fetch

    return register


def part_fetched_as(name: str) -> Callable[[P], P]:
    """The same for the numbered parts of a whole: fetched by the key of the whole and their number."""

    def register(fetch: P) -> P:
        assert name not in _part_fetches, f"{name} is fetched by one function"
        _part_fetches[name] = fetch
        return fetch

    return register


def global_id(kind: str, key: UUID, number: int | None = None) -> strawberry.ID:
    """The global ID of an object; of a part by the key of the whole and its number."""
    part = "" if number is None else f".{number}"
    return strawberry.ID(str(GlobalID(type_name=kind, node_id=f"{key}{part}")))


def key_of(text: str, kind: str, *path: str) -> UUID:
    """The key behind a global ID of this kind. Raises NotFound for anything else."""
    found = _parsed(text)
    if found is None or found[0] != kind or found[2] is not None:
        raise NotFound(kind, path)
    return found[1]


async def node_of(info: Info, text: str) -> Node | None:
    """Any object by its global ID, None when missing, hidden or malformed."""
    found = _parsed(text)
    if found is None:
        return None
    kind, key, number = found
    if number is None:
        return await fetch_node(info, kind, key)
    fetch = _part_fetches.get(kind)
    return None if fetch is None else await fetch(info, key, number)


async def fetch_node(info: Info, kind: str, key: UUID) -> Node | None:
    """Any object by its type and key, None when missing or hidden."""
    fetch = _fetches.get(kind)
    return None if fetch is None else await fetch(info, key)


def _parsed(text: str) -> tuple[str, UUID, int | None] | None:
    """Type, key and number; None unless it is exactly what `global_id` makes."""
    try:
        found = GlobalID.from_id(text)
        name, dot, rest = found.node_id.partition(".")
        key = UUID(name)
    except (GlobalIDValueError, ValueError):
        return None
    if dot and not _NUMBER.fullmatch(rest):
        return None
    number = int(rest) if dot else None
    return (found.type_name, key, number) if global_id(found.type_name, key, number) == text else None
