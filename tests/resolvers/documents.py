"""Documents written from the schema: one that selects a given field, by the shortest way from a root."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)

FIT = {
    "ID": '"V2FsbGV0OngK"',
    "String": '"ten letters"',
    "Int": "1",
    "Date": '"2026-01-01"',
    "CurrencyCode": '"EUR"',
    "MinorUnits": '"1"',
    "IdempotencyKey": '"0123456789abcdef"',
    "URL": '"https://app.example/"',
}


@dataclass(frozen=True)
class Step:
    """One more selection: a field, or a narrowing to a type; `coordinates` are what it touches."""

    text: str
    type: GraphQLNamedType
    coordinates: tuple[str, ...]
    before: Step | None = None

    @property
    def way(self) -> list[Step]:
        return [*(self.before.way if self.before else ()), self]

    @property
    def touched(self) -> set[str]:
        return {coordinate for step in self.way for coordinate in step.coordinates}

    @property
    def depth(self) -> int:
        return len([step for step in self.way if not step.text.startswith("...")])


def document(last: Step) -> str:
    """The document that goes this way, and selects no more."""
    words = [step.text for step in last.way]
    leaf = "" if is_leaf_type(last.type) else " { __typename }"
    return " { ".join(words) + leaf + " }" * (len(words) - 1)


def ways(schema: GraphQLSchema) -> Iterator[Step]:
    """A way to every field of every object type that can be reached."""
    waiting: deque[Step] = deque()
    for root, word in (
        (schema.query_type, "query"),
        (schema.mutation_type, "mutation"),
        (schema.subscription_type, "subscription"),
    ):
        assert root is not None
        waiting.append(Step(word, root, ()))
    seen: set[str] = set()
    while waiting:
        here = waiting.popleft()
        if is_abstract_type(here.type):
            members = schema.get_possible_types(here.type)
            waiting.extend(Step(f"... on {each.name}", each, (each.name,), here) for each in members)
        elif isinstance(here.type, GraphQLObjectType) and here.type.name not in seen:
            seen.add(here.type.name)
            for name, field in here.type.fields.items():
                step = _selected(here, name, field)
                yield step
                waiting.append(step)


def _selected(here: Step, name: str, field: GraphQLField) -> Step:
    returned = get_named_type(field.type)
    named = () if is_abstract_type(returned) else (returned.name,)
    return Step(name + _arguments(field.args), returned, (f"{here.type.name}.{name}", *named), here)


def _arguments(arguments: dict[str, GraphQLArgument]) -> str:
    given = [f"{name}: {_value(arg.type)}" for name, arg in arguments.items() if is_required_argument(arg)]
    return f"({', '.join(given)})" if given else ""


def _value(kind: GraphQLInputType) -> str:
    if isinstance(kind, GraphQLNonNull):
        return _value(kind.of_type)
    if isinstance(kind, GraphQLList):
        return f"[{_value(kind.of_type)}]"
    if isinstance(kind, GraphQLEnumType):
        return str(next(iter(kind.values)))
    if isinstance(kind, GraphQLInputObjectType):
        needed = [name for name, field in kind.fields.items() if is_required_input_field(field)]
        needed = needed or [next(iter(kind.fields))]
        return "{" + ", ".join(f"{name}: {_value(kind.fields[name].type)}" for name in needed) + "}"
    return FIT[kind.name]
