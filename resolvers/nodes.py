"""Global IDs, and how an object is fetched again by one: missing, hidden and malformed are the same."""

from __future__ import annotations

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
F = TypeVar("F", bound=Fetch)
_fetches: dict[str, Fetch] = {}


def fetched_as(name: str) -> Callable[[F], F]:
    """Register how objects of this GraphQL type are fetched for the asker; None if there is none for them."""

    def register(fetch: F) -> F:
        assert name not in _fetches, f"{name} is fetched by one function"
        _fetches[name] = fetch
        return fetch

    return register


def global_id(kind: str, key: UUID) -> strawberry.ID:
    """The global ID of an object."""
    return strawberry.ID(str(GlobalID(type_name=kind, node_id=str(key))))


def key_of(text: str, kind: str, *path: str) -> UUID:
    """The key behind a global ID of this kind. Raises NotFound for anything else."""
    found = _parsed(text)
    if found is None or found[0] != kind:
        raise NotFound(kind, path)
    return found[1]


async def node_of(info: Info, text: str) -> Node | None:
    """Any object by its global ID, None when missing, hidden or malformed."""
    found = _parsed(text)
    return None if found is None else await fetch_node(info, *found)


async def fetch_node(info: Info, kind: str, key: UUID) -> Node | None:
    """Any object by its type and key, None when missing or hidden."""
    fetch = _fetches.get(kind)
    return None if fetch is None else await fetch(info, key)


def _parsed(text: str) -> tuple[str, UUID] | None:
    try:
        found = GlobalID.from_id(text)
        return found.type_name, UUID(found.node_id)
    except (GlobalIDValueError, ValueError):
        return None
