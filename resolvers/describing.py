"""Enums of the domain as the contract shows them: a line for the enum, a line for each of its values."""

from __future__ import annotations

from enum import Enum

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition


def describe(kind: type[Enum], description: str, called: str | None = None, **values: str) -> None:
    """Make a type of the schema of an enum, under its own name or `called`; `values` has a line for each value."""
    strawberry.enum(kind, name=called, description=description)
    assert has_enum_definition(kind)
    definition: StrawberryEnumDefinition = kind.__strawberry_definition__
    assert values.keys() == {value.name for value in definition.values}, f"a line for each value of {kind.__name__}"
    for value in definition.values:
        value.description = values[value.name]
