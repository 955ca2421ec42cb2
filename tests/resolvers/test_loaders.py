"""What a page costs in statements: no more for twenty sessions than for two."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from resolvers.principal import Role
from tests.resolvers.gateway import Gateway, gid

SESSIONS = """query ($n: Int!) { me { sessions(first: $n) { edges { node {
  id status cost { lines { amount { gross { amount } } } }
  connector { standard tariff { name } evse { status location { name } } }
  tariff { name summary } quote { id } cdr { total { gross { amount } } credits { id } creditedBy { id } }
  disputes { status subject { ... on ChargingSession { id } } resolution { explanation } }
} } } } }"""
ENTRIES = """query ($n: Int!) { me { wallet { entries(first: $n) { edges { node { id source {
  ... on TopUp { id } ... on ChargingSession { id cdr { id } } ... on Dispute { id } } } } } } } }"""
PLACES = "{ locations { edges { node { evses { connectors { evse { location { name } } tariff { summary } } } } } } }"
EXPLAINED = SESSIONS.replace("lines {", "lines { details { element }")
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on ChargingSession { cdr { id } } } }"


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that are sent meanwhile, but for what opens and tunes connections."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:  # noqa: ANN401
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def statements(gateway: Gateway, query: str, **variables: object) -> tuple[int, dict[str, Any]]:
    await gateway.ask("{ me { id } }")  # who asks is remembered
    with counted() as sent:
        answer = await gateway.ask(query, Role.DRIVER, None, **variables)
    return len(sent), answer.data


async def test_a_page_of_sessions_costs_what_one_costs(gateway: Gateway) -> None:
    for number in range(12):
        session = await gateway.billed(f"S-{number}")
        await gateway.dispute(gid("ChargingSession", session.id))
    one, _ = await statements(gateway, SESSIONS, n=1)
    all_of_them, data = await statements(gateway, SESSIONS, n=20)
    edges = data["me"]["sessions"]["edges"]
    assert len(edges) == 12
    assert all(edge["node"]["cdr"] and len(edge["node"]["disputes"]) == 1 for edge in edges)
    assert all(edge["node"]["connector"]["tariff"]["name"] == "CITY" for edge in edges)
    assert all_of_them == one <= 10
    explained, _ = await statements(gateway, EXPLAINED, n=20)
    assert explained == one + 1  # and nothing of it where nobody asks

    one, _ = await statements(gateway, ENTRIES, n=1)
    all_of_them, data = await statements(gateway, ENTRIES, n=20)
    assert [bool(edge["node"]["source"]) for edge in data["me"]["wallet"]["entries"]["edges"]] == [True] * 12 + [False]
    assert all_of_them <= one + 1 <= 6

    ids = [edge["node"]["id"] for edge in edges]
    several, data = await statements(gateway, NODES, ids=ids)
    assert [each["id"] for each in data["nodes"]] == ids
    assert several == 2


async def test_places_are_read_level_by_level(gateway: Gateway) -> None:
    few, data = await statements(gateway, PLACES)
    assert len(data["locations"]["edges"]) == 2
    assert few <= 7
