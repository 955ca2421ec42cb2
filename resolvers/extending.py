"""Fields that a capability adds to a type of a capability below it, so that imports keep going down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import strawberry
from strawberry.types.base import get_object_definition

R = TypeVar("R", bound=Callable[..., Any])


def extends(owner: type, description: str, name: str | None = None) -> Callable[[R], R]:
    """Add the decorated resolver as a field of `owner`, under its own name or `name`.

    Its first parameter is `root: strawberry.Parent[owner]`.
    """

    def add(resolver: R) -> R:
        definition = get_object_definition(owner, strict=True)
        field = strawberry.field(resolver=resolver, description=description)
        field.python_name = name or resolver.__name__
        field.origin = owner
        definition.fields.append(field)
        return resolver

    return add
