"""Objects by their IDs: one's own are found, everybody else's, missing and malformed ones are all the same."""

from __future__ import annotations

import base64
from typing import Any
from uuid import uuid4

from domain.sessions import TheirStatus
from resolvers import schema
from resolvers.principal import Role
from tests.resolvers.gateway import Gateway, gid
from tests.world import OPERATOR

NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
PUBLIC = {"Location", "EVSE", "Connector", "Tariff"}
STAFF_TOO = {"ChargingSession", "CDR", "Quote", "Dispute", "DisputeEvent"}
CONTRACT = schema.build()

EVERYTHING = """{
  me {
    id
    wallet { id holds { id } entries { edges { node { id } } } pendingTopUps { id } }
    sessions { edges { node {
      id quote { id } cdr { id } tariff { id } connector { id evse { id location { id } } }
      disputes { id events { edges { node { id } } } } } } }
  }
}"""


def ids_in(value: object) -> set[str]:
    """Every `id` of an answer."""
    if isinstance(value, dict):
        own = {value["id"]} if isinstance(value.get("id"), str) else set()
        return own.union(*map(ids_in, value.values()))
    return set().union(*map(ids_in, value)) if isinstance(value, list) else set()


def kind_of(text: str) -> str:
    return base64.b64decode(text).decode().partition(":")[0]


async def populated(gateway: Gateway) -> dict[str, str]:
    """One object of every type that has an identity."""
    billed = await gateway.billed("S-1")
    await gateway.dispute(gid("ChargingSession", billed.id))
    quote = "mutation ($i: QuoteChargingInput!) { quoteCharging(input: $i) { ... on Quote { id } } }"
    connector = gid("Connector", gateway.world.connectors[1])
    quoted = (await gateway.ask(quote, i={"connectorId": connector})).data["quoteCharging"]["id"]
    start = (
        "mutation ($i: StartChargingInput!) { startCharging(input: $i) { __typename ... on ChargingSession { id } } }"
    )
    given = {"idempotencyKey": "k" * 16, "quoteId": quoted}
    assert (await gateway.ask(start, i=given)).data["startCharging"]["__typename"] == "ChargingSession"
    top_up = "mutation ($i: TopUpWalletInput!) { topUpWallet(input: $i) { __typename ... on TopUp { id } } }"
    given = {
        "idempotencyKey": "k" * 16,
        "walletId": gid("Wallet", gateway.world.wallet.id),
        "amount": {"minorUnits": "2500", "currency": "EUR"},
        "returnUrl": "https://app.example/paid",
    }
    assert (await gateway.ask(top_up, i=given)).data["topUpWallet"]["__typename"] == "TopUp"
    found = ids_in((await gateway.ask(EVERYTHING)).data) | {gid("Operator", OPERATOR)}
    return {kind_of(each): each for each in sorted(found)}


async def node(gateway: Gateway, text: str, role: Role = Role.DRIVER, subject: str | None = None) -> Any:  # noqa: ANN401
    return (await gateway.ask(NODE, role, subject, id=text)).data["node"]


async def test_every_type_with_an_identity_is_found_by_it(gateway: Gateway) -> None:
    objects = await populated(gateway)
    interface: Any = CONTRACT._schema.type_map["Node"]
    assert objects.keys() == {each.name for each in CONTRACT._schema.get_possible_types(interface)}
    for kind, text in objects.items():
        role = Role.OPERATOR if kind == "Operator" else Role.DRIVER
        assert await node(gateway, text, role) == {"__typename": kind, "id": text}, kind


async def test_what_is_not_ones_own_does_not_exist(gateway: Gateway) -> None:
    objects = await populated(gateway)
    await gateway.stranger()
    for kind, text in objects.items():
        stranger = await node(gateway, text, Role.DRIVER, "driver-2")
        assert (stranger is not None) is (kind in PUBLIC), kind
        for role in (Role.GUEST, Role.PARTNER):
            assert (await node(gateway, text, role) is not None) is (kind in PUBLIC), kind
        for role in (Role.SUPPORT, Role.FINANCE):
            assert (await node(gateway, text, role) is not None) is (kind in PUBLIC | STAFF_TOO), kind


def malformed(kind: str, key: str) -> list[str]:
    def coded(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    return [
        "",
        "x",
        kind,
        key,
        f"{kind}:{key}",
        coded(f"{kind}:{key}") + "=",
        coded(f"{kind}:{key}")[:-4],
        coded(f"{kind}:{key.upper()}") if key.upper() != key else coded("x"),
        coded(f"{kind}:{{{key}}}"),
        coded(f"{kind}:{key}.0"),
        coded(f"{kind}:{key}.01"),
        coded(f"{kind}:{key}.99999999999999999999"),
        coded(f"{kind}:{key}."),
        coded(f"{kind}:not-a-key"),
        coded(f"{kind}"),
        coded(f"{kind}:"),
        coded(f":{key}"),
        coded(f"Nothing:{key}"),
        coded(f"{kind}:{key}:{key}"),
        "\N{CAT FACE}",
    ]


async def test_missing_and_malformed_are_the_same_as_foreign(gateway: Gateway) -> None:
    objects = await populated(gateway)
    for kind, text in objects.items():
        role = Role.OPERATOR if kind == "Operator" else Role.DRIVER
        key = base64.b64decode(text).decode().partition(":")[2]
        odd = [gid(kind, uuid4()), *malformed(kind, key.partition(".")[0])]
        answers = [await gateway.ask(NODE, role, id=each) for each in odd[:4]]
        assert {answer.response.content for answer in answers} == {b'{"data":{"node":null}}'}, kind
        together = (await gateway.ask(NODES, role, ids=[*odd, text])).data["nodes"]
        assert together == [None] * len(odd) + [{"__typename": kind, "id": text}]


async def test_parts_that_are_not_there_are_missing(gateway: Gateway) -> None:
    objects = await populated(gateway)
    for kind in ("LedgerEntry", "DisputeEvent"):
        whole = base64.b64decode(objects[kind]).decode().rpartition(".")[0]
        for number in (999, 999_999_999):
            assert await node(gateway, base64.b64encode(f"{whole}.{number}".encode()).decode()) is None


async def test_several_come_in_the_order_asked_for(gateway: Gateway) -> None:
    objects = await populated(gateway)
    wanted = [text for kind, text in sorted(objects.items(), reverse=True) if kind != "Operator"]
    wanted = [wanted[0], gid("Wallet", uuid4()), *wanted, wanted[1]]
    found = (await gateway.ask(NODES, ids=wanted)).data["nodes"]
    assert [each and each["id"] for each in found] == [wanted[0], None, *wanted[2:]]


async def test_at_most_a_hundred_are_fetched_at_once(small: Gateway) -> None:
    assert (await small.ask(NODES, ids=["x"] * 100)).data["nodes"] == [None] * 100
    assert (await small.ask(NODES, ids=["x"] * 101)).codes == ["BAD_USER_INPUT"]


async def test_objects_of_another_operator_are_missing(small: Gateway) -> None:
    assert await node(small, gid("Operator", uuid4()), Role.OPERATOR) is None
    session = await small.push("S-1", TheirStatus.ACTIVE, 60)
    assert await node(small, gid("Dispute", session.id)) is None


KEYED: dict[str, object] = {"idempotencyKey": "another-key-of-this"}
DECISION: dict[str, object] = {"expectedRevision": 3, "explanation": "So it is."}
EURO = {"minorUnits": "1000", "currency": "EUR"}
WRITES: list[tuple[str, str, Role, str, dict[str, object]]] = [
    ("stopCharging", "ChargingSession", Role.DRIVER, "sessionId", {}),
    ("startCharging", "Quote", Role.DRIVER, "quoteId", KEYED),
    ("topUpWallet", "Wallet", Role.DRIVER, "walletId", KEYED | {"amount": EURO, "returnUrl": "https://app.example/"}),
    ("submitDispute", "ChargingSession", Role.DRIVER, "", KEYED | {"reason": "OTHER", "statement": "Too expensive."}),
    ("quoteCharging", "Connector", Role.DRIVER, "connectorId", {}),
    ("upholdDispute", "Dispute", Role.SUPPORT, "disputeId", KEYED | DECISION | {"refund": EURO}),
    ("rejectDispute", "Dispute", Role.SUPPORT, "disputeId", DECISION),
]


async def test_mutations_answer_the_same_for_foreign_missing_and_malformed(gateway: Gateway) -> None:
    objects = await populated(gateway)
    await gateway.stranger()
    for name, kind, role, field, more in WRITES:
        other = objects["Wallet" if kind != "Wallet" else "Quote"]
        asked = [gid(kind, uuid4()), other, objects["LedgerEntry"], "x"]
        if kind in {"ChargingSession", "Quote", "Wallet"}:
            asked.append(objects[kind])
        kind_of_input = f"{name[0].upper()}{name[1:]}Input!"
        query = f"mutation ($i: {kind_of_input}) {{ {name}(input: $i) {{ ... on NotFound {{ code message path }} }} }}"
        answers = []
        for each in asked:
            given = more | ({field: each} if field else {"subject": {"sessionId": each}})
            answers.append((await gateway.ask(query, role, "driver-2", i=given)).data[name])
        path = ["input", *([field] if field else ["subject", "sessionId"])]
        expected = {"code": "NOT_FOUND", "message": "There is no such object.", "path": path}
        assert answers == [expected] * len(asked), name
