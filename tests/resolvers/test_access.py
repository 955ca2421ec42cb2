from __future__ import annotations

import re
import time
from typing import Any, cast

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLObjectType,
    IntrospectionQuery,
    ObjectTypeDefinitionNode,
    build_client_schema,
    get_introspection_query,
    parse,
    print_ast,
    validate,
)

from resolvers import schema
from resolvers.access import EVERYBODY, TABLE, IncompleteTable
from resolvers.checks import DEEPEST, MOST_FIELDS, Asked
from resolvers.principal import Role
from tests.resolvers.documents import Step, document, ways
from tests.resolvers.gateway import Gateway, gid

ASKED = Asked(None, {})
CONTRACT = schema.build()
WAYS = list(ways(CONTRACT._schema))


def may(role: Role, way: Step) -> bool:
    return all(role in TABLE.get(coordinate, EVERYBODY) for coordinate in way.touched)


def coordinate(way: Step) -> str:
    return way.coordinates[0]


def test_every_field_of_every_object_type_has_a_way_to_it() -> None:
    fields = {
        f"{name}.{field}"
        for name, kind in CONTRACT._schema.type_map.items()
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__")
        for field in kind.fields
    }
    assert {coordinate(way) for way in WAYS} == fields
    assert not [way for way in WAYS if validate(CONTRACT._schema, parse(document(way)))]


@pytest.mark.parametrize("role", Role)
def test_a_document_is_refused_exactly_when_the_table_says(role: Role) -> None:
    for way in WAYS:
        text = document(way)
        refusal = CONTRACT.checks.refusal(text, parse(text), role, ASKED)
        if way.depth > DEEPEST + 1:
            assert refusal is not None
        elif may(role, way):
            assert refusal is None, (text, refusal)
        else:
            assert refusal is not None, text
            extensions: dict[str, Any] = refusal.extensions or {}
            assert extensions["code"] == ("UNAUTHENTICATED" if role is Role.GUEST else "FORBIDDEN")
            assert set(extensions["coordinates"]) <= way.touched & TABLE.keys()


async def test_the_gateway_refuses_whole_requests_of_other_roles(small: Gateway) -> None:
    roots = [way for way in WAYS if coordinate(way).split(".")[0] in {"Query", "Mutation"}]
    narrowed = [way for way in WAYS if coordinate(way) in TABLE and way not in roots and way.way[0].text == "query"]
    for way in [*roots, *narrowed]:
        for role in Role:
            answer = await small.ask(document(way), role)
            if may(role, way):
                assert answer.status == 200
                assert not {"FORBIDDEN", "UNAUTHENTICATED"} & {
                    error["extensions"]["code"] for error in answer.body.get("errors", [])
                }
            else:
                assert answer.status == (401 if role is Role.GUEST else 403), (document(way), role)
                assert "data" not in answer.body


SMUGGLED = [
    "{ me { id } }",
    "{ me { __typename } }",
    "{ a: me { id } }",
    "query ($no: Boolean = false) { me @include(if: $no) { id } }",
    "{ ... { me { id } } }",
    "{ ... on Query { ... on Query { me { id } } } }",
    "{ ...f } fragment f on Query { ...g } fragment g on Query { x: me { id } }",
    '{ node(id: "x") { ... on Wallet { id } } }',
    '{ node(id: "x") { ... on Wallet { __typename } } }',
    '{ node(id: "x") { ... on Node { ... on Wallet { id } } } }',
    '{ node(id: "x") { ...w } } fragment w on Wallet { balance { available { amount } } }',
    '{ nodes(ids: ["x"]) { id ... on ChargingSession { id } ... on Location { id } } }',
    "{ locations { edges { node { id } } } me { id } }",
    "query A { locations { pageInfo { hasNextPage } } } query B { me { id } }",
]


@pytest.mark.parametrize("text", SMUGGLED)
async def test_nothing_guarded_is_smuggled_in(small: Gateway, text: str) -> None:
    answer = await small.post({"query": text, "operationName": "A" if "query A" in text else None})
    assert (answer.status, answer.codes) == (401, ["UNAUTHENTICATED"])
    assert answer.response.headers["www-authenticate"] == "Bearer"


async def test_a_guarded_field_of_an_open_type_is_refused(small: Gateway) -> None:
    session = await small.billed("S-1")
    text = f'{{ node(id: "{gid("ChargingSession", session.id)}") {{ ... on ChargingSession {{ id ocpiId }} }} }}'
    answer = await small.ask(text)
    assert (answer.status, answer.codes) == (403, ["FORBIDDEN"])
    assert answer.errors[0]["extensions"]["coordinates"] == ["ChargingSession.ocpiId"]
    assert (await small.ask(text, Role.SUPPORT)).data["node"]["ocpiId"] == "S-1"


async def test_the_same_document_is_judged_for_each_caller(small: Gateway) -> None:
    text = "{ me { displayName } }"
    for _ in range(2):
        assert (await small.ask(text)).status == 200
        assert (await small.ask(text, Role.GUEST)).status == 401
        assert (await small.ask(text, Role.OPERATOR)).status == 403


@pytest.mark.parametrize("name", ["Wallet", "Query.me", "NotFound"])
def test_a_member_without_a_row_stops_the_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(TABLE, name)
    with pytest.raises(IncompleteTable, match=name):
        schema.build()


def test_a_row_without_a_member_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLE, "Wallet.secret", EVERYBODY)
    with pytest.raises(IncompleteTable, match=r"Wallet\.secret"):
        schema.build()


def test_the_contract_says_what_is_enforced() -> None:
    said: dict[str, set[str]] = {}
    for node in parse(CONTRACT.as_str()).definitions:
        if isinstance(node, ObjectTypeDefinitionNode):
            owner = node.name.value
            members = [
                (owner, node.directives),
                *((f"{owner}.{f.name.value}", f.directives) for f in node.fields or ()),
            ]
            for name, directives in members:
                for directive in directives or ():
                    said[name] = set(re.findall(r"\b[A-Z]+\b", print_ast(directive)))
    assert said == {name: {role.name for role in roles} for name, roles in TABLE.items() if roles != EVERYBODY}


def test_everything_in_the_contract_is_described() -> None:
    missing = [f"@{each.name}" for each in CONTRACT._schema.directives if not each.description]
    for name, kind in CONTRACT._schema.type_map.items():
        if name.startswith("__") or name in {"ID", "Int", "String", "Boolean", "Float"}:
            continue
        members: dict[str, Any] = {name: kind}
        if isinstance(kind, GraphQLEnumType):
            members |= {f"{name}.{value}": each for value, each in kind.values.items()}
        for field_name, field in getattr(kind, "fields", {}).items():
            members[f"{name}.{field_name}"] = field
            for argument, each in getattr(field, "args", {}).items():
                members[f"{name}.{field_name}({argument}:)"] = each
        missing += [member for member, each in members.items() if not (each.description or "").strip()]
    assert missing == []


def limit(answer: dict[str, Any]) -> tuple[str, int]:
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
    return error["extensions"]["rule"], error["extensions"]["limit"]


async def test_documents_are_limited(small: Gateway) -> None:
    wide = "{ " + " ".join(f'e{n}: evse(evseId: "x") {{ id }}' for n in range(90)) + " }"
    assert (await small.ask(wide)).status == 200
    spread = "{ " + "...f " * 100 + "} fragment f on Query { " + " ".join(f"a{n}: __typename" for n in range(11)) + " }"
    assert limit((await small.ask(spread)).body) == ("fields", MOST_FIELDS)
    assert limit((await small.ask("{ " + "__typename " * 1000 + "}")).body) == ("tokens", 1000)
    assert limit((await small.ask("{ a" * 400 + "}" * 400)).body)[0] == "depth"
    assert limit((await small.ask("{ evse(evseId: " + "[" * 400 + "]" * 400 + ") { id } }")).body)[0] == "depth"
    assert limit((await small.ask("{ me { id } } #" + "x" * 15_000)).body) == ("characters", 15_000)
    stop = 'stopCharging(input: {sessionId: "x"}) { __typename }'
    assert limit((await small.ask(f"mutation {{ a: {stop} b: {stop} }}")).body) == ("mutations", 1)
    two = {"query": f"mutation A {{ {stop} }} mutation B {{ {stop} }}", "operationName": "B"}
    bearer = {"authorization": f"Bearer {small.token(Role.DRIVER)}"}
    assert (await small.post(two, bearer)).data["stopCharging"]["__typename"] == "NotFound"


async def test_depth_is_limited(small: Gateway) -> None:
    inner = "connectors { evse { " * 6 + "id" + " } }" * 6
    assert limit((await small.ask('{ evse(evseId: "x") { ' + inner + " } }")).body) == ("depth", DEEPEST)
    inner = "connectors { evse { " * 5 + "id" + " } }" * 5
    assert (await small.ask('{ evse(evseId: "x") { ' + inner + " } }")).status == 200


async def test_exponential_fragments_are_answered_at_once(small: Gateway) -> None:
    doubled = " ".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(40))
    text = "{ ...f0 } " + doubled + " fragment f40 on Query { __typename }"
    pair = 'a: evse(evseId: "x") { id }'
    wide = "{ ...g0 } " + " ".join(
        f"fragment g{n} on Query {{ {pair} b{n}{pair} ...g{n + 1} ...g{n + 1} }}" for n in range(20)
    )
    before = time.perf_counter()
    assert limit((await small.ask(text)).body)[0] == "fields"
    assert limit((await small.ask(wide + " fragment g20 on Query { __typename }")).body)[0] == "fields"
    assert time.perf_counter() - before < 2


async def test_introspection_is_answered_and_not_without_end(small: Gateway) -> None:
    read = (await small.ask(get_introspection_query(), Role.GUEST)).data
    assert build_client_schema(cast("IntrospectionQuery", read)).query_type is not None
    circle = "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }"
    assert set((await small.ask(circle, Role.GUEST)).codes) == {"GRAPHQL_VALIDATION_FAILED"}
    closed = schema.build(introspection=False)
    result = await closed.execute("{ __schema { queryType { name } } }")
    assert {(error.extensions or {})["code"] for error in result.errors or []} == {"GRAPHQL_VALIDATION_FAILED"}
