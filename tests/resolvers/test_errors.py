from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from graphql import GraphQLEnumType, GraphQLInterfaceType, GraphQLUnionType

from domain import errors as refusals
from domain.disputes import DisputeService
from domain.errors import DomainError
from domain.money import Money
from domain.payments import PaymentService
from domain.sessions import ChargingService, QuoteService
from resolvers import schema
from resolvers.errors import FACTS, HANDLERS, code_of
from resolvers.masking import MASK
from resolvers.principal import Role
from tests.resolvers.gateway import Gateway, gid

CONTRACT = schema.build()
VERBS: dict[str, Callable[..., Any]] = {
    "topUpWallet": PaymentService.top_up,
    "quoteCharging": QuoteService.quote,
    "startCharging": ChargingService.start,
    "stopCharging": ChargingService.stop,
    "submitDispute": DisputeService.submit,
    "upholdDispute": DisputeService.uphold,
    "rejectDispute": DisputeService.reject,
}
NOT_FOR_CALLERS = {refusals.TryAgain, refusals.UnknownTariff}
EURO = Money(1, "EUR")
SAMPLES: list[DomainError] = [
    refusals.InvalidInput("so it is", ("input", "x")),
    refusals.NotFound("object", ("input", "id")),
    refusals.StateConflict("moved", "charging_session", uuid4()),
    refusals.IdempotencyConflict(),
    refusals.AmountNotAllowed(EURO, None),
    refusals.CurrencyMismatch("EUR"),
    refusals.InsufficientFunds(EURO, EURO),
    refusals.WalletFrozen(),
    refusals.WalletClosed(),
    refusals.WalletInDebt(EURO),
    refusals.PaymentDeclined(uuid4(), "refused"),
    refusals.PaymentServiceUnavailable(timedelta(seconds=5)),
    refusals.DeadlinePassed(datetime(2026, 1, 1, tzinfo=UTC), "quote"),
    refusals.EvseUnavailable("CHARGING"),
    refusals.StationUnreachable(timedelta(seconds=5)),
    refusals.DisputeWindowClosed(datetime(2026, 1, 1, tzinfo=UTC)),
    refusals.NothingLeftToCredit(),
    refusals.SelfDecision(),
    refusals.CardDataRefused(("input", "statement")),
]


def members(mutation: str) -> set[str]:
    """Names in the result union of a mutation."""
    union = CONTRACT._schema.type_map[mutation[0].upper() + mutation[1:] + "Result"]
    assert isinstance(union, GraphQLUnionType)
    return {member.name for member in union.types}


def raised(verb: Callable[..., Any]) -> set[str]:
    """What a verb says that it raises."""
    _, _, said = (inspect.getdoc(verb) or "").partition("Raises ")
    return {kind.__name__ for kind in DomainError.__subclasses__() if re.search(rf"\b{kind.__name__}\b", said)}


def test_every_refusal_has_its_type_and_its_handler() -> None:
    kinds = set(DomainError.__subclasses__()) - NOT_FOR_CALLERS
    assert set(FACTS) == kinds == {type(sample) for sample in SAMPLES}
    assert {handler.exception_type for handler in HANDLERS} == kinds
    interface = CONTRACT._schema.type_map["UserError"]
    assert isinstance(interface, GraphQLInterfaceType)
    implementing = {each.name for each in CONTRACT._schema.get_possible_types(interface)}
    assert implementing == {kind.__name__ for kind in kinds}
    codes = CONTRACT._schema.type_map["UserErrorCode"]
    assert isinstance(codes, GraphQLEnumType)
    assert set(codes.values) == {code_of(kind) for kind in kinds}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_a_refusal_is_shown_with_its_facts(sample: DomainError) -> None:
    handler = next(each for each in HANDLERS if each.exception_type is type(sample))
    shown = handler.handle(sample, field=None, info=None)
    assert type(shown).__name__ == type(sample).__name__
    assert (shown.code.value, shown.message) == (code_of(type(sample)), str(sample))
    assert shown.path == list(getattr(sample, "path", ()))


def test_every_mutation_has_a_verb_that_says_what_it_raises() -> None:
    mutation = CONTRACT._schema.mutation_type
    assert mutation is not None
    assert mutation.fields.keys() == VERBS.keys()


@pytest.mark.parametrize("mutation", VERBS)
def test_a_union_holds_what_its_service_raises(mutation: str) -> None:
    said = raised(VERBS[mutation])
    assert said, "the docstring lists them"
    assert "NotFound" in members(mutation), "every mutation names an object"
    assert said - {"TryAgain"} <= members(mutation)


@pytest.mark.parametrize("mutation", VERBS)
def test_a_union_holds_one_object_and_refusals(mutation: str) -> None:
    assert len(members(mutation) - {kind.__name__ for kind in FACTS}) == 1


# --- what is no member -----------------------------------------------------------------------------------------------


def failing(error: Exception) -> Callable[..., Any]:
    async def fail(*_: object, **__: object) -> None:
        raise error

    return fail


CANARY = "canary in postgresql://tallywatt:secret@db"


async def test_a_bug_is_masked(small: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(small.world.services.partners), "locations", failing(ValueError(CANARY)))
    answer = await small.post(
        {"query": "{ locations { pageInfo { hasNextPage } } }"}, {"x-request-id": "the-name-of-this-request"}
    )
    assert answer.status == 200
    assert answer.body["data"] is None
    (error,) = answer.errors
    assert error["message"] == MASK
    assert error["extensions"] == {"code": "INTERNAL", "correlationId": "the-name-of-this-request"}
    assert CANARY not in answer.response.text


async def test_a_bug_in_a_mutation_is_masked(small: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChargingService, "stop", failing(KeyError(CANARY)))
    session = gid("ChargingSession", uuid4())
    answer = await small.ask(f'mutation {{ stopCharging(input: {{sessionId: "{session}"}}) {{ __typename }} }}')
    assert answer.codes == ["INTERNAL"]
    assert CANARY not in answer.response.text


async def test_a_value_that_the_contract_does_not_know_is_a_bug(
    small: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await small.billed("S-1")
    monkeypatch.setattr("resolvers.sessions.ChargingSession.of", lambda row: row)
    answer = await small.ask(f'{{ node(id: "{gid("ChargingSession", session.id)}") {{ id }} }}')
    assert answer.codes == ["INTERNAL"]
    assert answer.errors[0]["message"] == MASK


@pytest.mark.parametrize("query", ["{ locations { pageInfo { hasNextPage } } }", "{ me { wallets { id } } }"])
async def test_a_store_that_is_away_is_told_from_a_bug(
    small: Gateway, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    away = failing(refusals.TryAgain("away"))
    monkeypatch.setattr(type(small.world.services.partners), "locations", away)
    monkeypatch.setattr(type(small.world.services.wallets), "wallets_of", away)
    answer = await small.ask(query)
    assert answer.codes == ["UNAVAILABLE"]
    if answer.body["data"] is None:
        assert (answer.status, answer.response.headers["retry-after"]) == (503, "1")
    else:
        assert answer.status == 200


async def test_a_store_that_is_away_before_anything_runs_is_no_bug(
    small: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(small.world.services.wallets), "enrol", failing(refusals.TryAgain("away")))
    answer = await small.ask("{ me { id } }", subject="somebody-new")
    assert (answer.status, answer.codes) == (503, ["UNAVAILABLE"])
    assert "data" not in answer.body


CODED = [
    ("{ me ", "GRAPHQL_PARSE_FAILED", {}),
    ("{ me { idd } }", "GRAPHQL_VALIDATION_FAILED", {}),
    ("{ locations(firs: 1) { pageInfo { hasNextPage } } }", "GRAPHQL_VALIDATION_FAILED", {}),
    ("{ locations(first: $n) { pageInfo { hasNextPage } } }", "GRAPHQL_VALIDATION_FAILED", {}),
    ("query ($n: String) { locations(first: $n) { pageInfo { hasNextPage } } }", "GRAPHQL_VALIDATION_FAILED", {}),
    ('{ node(id: "x") { ... on Walle { id } } }', "GRAPHQL_VALIDATION_FAILED", {}),
    ("{ me { wallet(currency: EUR) { id } } }", "BAD_USER_INPUT", {}),
    ('{ me { wallet(currency: "EURO") { id } } }', "BAD_USER_INPUT", {}),
    ("query ($n: Int!) { locations(first: $n) { pageInfo { hasNextPage } } }", "BAD_USER_INPUT", {}),
    ("query ($n: Int!) { locations(first: $n) { pageInfo { hasNextPage } } }", "BAD_USER_INPUT", {"n": "x"}),
    ("query ($n: Int!) { locations(first: $n) { pageInfo { hasNextPage } } }", "BAD_USER_INPUT", {"n": 2**31}),
    ("query ($n: Int) { locations(first: $n) { pageInfo { hasNextPage } } }", "BAD_USER_INPUT", {"n": None}),
    ("{ locations(first: 0) { pageInfo { hasNextPage } } }", "BAD_USER_INPUT", {}),
    ('{ evse(evseId: "a\\u0000b") { id } }', "BAD_USER_INPUT", {}),
    ("query ($e: String!) { evse(evseId: $e) { id } }", "BAD_USER_INPUT", {"e": "a\0b"}),
    ("query A { me { id } } query B { me { id } }", "BAD_REQUEST", {}),
]


@pytest.mark.parametrize(("query", "code", "variables"), CODED)
async def test_every_error_has_a_code(small: Gateway, query: str, code: str, variables: dict[str, object]) -> None:
    answer = await small.ask(query, Role.DRIVER, None, **variables)
    assert set(answer.codes) == {code}
    assert answer.body.get("data") is None


SUGGESTIVE = [
    ("{ me { displayNam } }", Role.DRIVER, {}),
    ("{ locations(firs: 1) { pageInfo { hasNextPage } } }", Role.DRIVER, {}),
    ('{ node(id: "x") { ... on Walet { id } } }', Role.DRIVER, {}),
    ("{ supportDesk { disputes(statuses: [TRIAG]) { pageInfo { hasNextPage } } } }", Role.SUPPORT, {}),
    (
        "query ($s: [DisputeStatus!]) { supportDesk { disputes(statuses: $s) { pageInfo { hasNextPage } } } }",
        Role.SUPPORT,
        {"s": ["TRIAG"]},
    ),
    (
        "mutation ($i: StopChargingInput!) { stopCharging(input: $i) { __typename } }",
        Role.DRIVER,
        {"i": {"sessionI": "x", "sessionId": "x"}},
    ),
]


@pytest.mark.parametrize(("query", "role", "variables"), SUGGESTIVE)
async def test_nothing_is_suggested(small: Gateway, query: str, role: Role, variables: dict[str, object]) -> None:
    answer = await small.ask(query, role, None, **variables)
    assert answer.errors
    assert "Did you mean" not in answer.response.text


async def test_a_few_errors_tell_enough(small: Gateway) -> None:
    unknown = "{ me { " + " ".join(f"x{n}" for n in range(50)) + " } }"
    for _ in range(2):
        assert len((await small.ask(unknown)).errors) == 5
    nodes = "{ " + " ".join(f"l{n}: locations(first: 0) {{ pageInfo {{ hasNextPage }} }}" for n in range(9)) + " }"
    assert len((await small.ask(nodes)).errors) <= 5
