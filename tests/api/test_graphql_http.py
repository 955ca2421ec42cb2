"""`POST /graphql`: what becomes an operation, and the status and body of everything that does not."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from api.auth import issue_development_token
from api.front import GRAPHQL_JSON, JSON
from domain.ids import OperatorId
from resolvers.principal import Role
from tests.resolvers.gateway import Gateway

NAME = "{ me { displayName } }"
PLACES = "{ locations { pageInfo { hasNextPage } } }"


def bearer(gateway: Gateway) -> dict[str, str]:
    return {"authorization": f"Bearer {gateway.token(Role.DRIVER)}"}


async def test_a_driver_reads_what_is_theirs(gateway: Gateway) -> None:
    answer = await gateway.ask("{ me { displayName wallet { balance { total { amount currency } } } } }")
    assert answer.status == 200
    assert answer.data["me"]["wallet"]["balance"]["total"] == {"amount": "100.00", "currency": "EUR"}
    headers = answer.response.headers
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert (headers["cache-control"], headers["vary"]) == ("no-store", "Accept")


async def test_a_driver_who_comes_first_time_has_an_empty_wallet(gateway: Gateway) -> None:
    query = "{ me { id wallet { balance { total { minorUnits } } } } }"
    one, two = await asyncio.gather(*(gateway.ask(query, Role.DRIVER, "newcomer") for _ in range(2)))
    assert one.data == two.data
    assert one.data["me"]["wallet"]["balance"]["total"]["minorUnits"] == "0"


async def test_a_top_up_told_twice_is_one(gateway: Gateway) -> None:
    wallet = (await gateway.ask("{ me { wallet { id } } }")).data["me"]["wallet"]["id"]
    given = {
        "idempotencyKey": "k" * 20,
        "walletId": wallet,
        "amount": {"minorUnits": "2500", "currency": "EUR"},
        "returnUrl": "https://app.example/paid",
    }
    top_up = """mutation ($i: TopUpWalletInput!) { topUpWallet(input: $i) { __typename
      ... on TopUp { id status nextAction { url expiresAt } } ... on UserError { code path } } }"""
    one, two = [(await gateway.ask(top_up, i=given)).data["topUpWallet"] for _ in range(2)]
    assert one == two
    assert one["status"] == "ACTION_REQUIRED"
    assert one["nextAction"]["url"].startswith("https://pay.example/")
    elsewhere = (await gateway.ask(top_up, i=given | {"returnUrl": "https://evil.example/"})).data["topUpWallet"]
    assert elsewhere == {"__typename": "InvalidInput", "code": "INVALID_INPUT", "path": ["input", "returnUrl"]}
    other = given | {"amount": {"minorUnits": "2600", "currency": "EUR"}}
    assert (await gateway.ask(top_up, i=other)).data["topUpWallet"]["__typename"] == "IdempotencyConflict"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
async def test_operations_are_posted(small: Gateway, method: str) -> None:
    response = await small.http.request(method, "/graphql", params={"query": NAME}, headers=bearer(small))
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    if method != "HEAD":
        assert orjson.loads(response.content)["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json"}, 200),
        ({"content-type": "Application/JSON; charset=UTF-8"}, 200),
        ({"content-type": 'application/json; charset="utf-8"'}, 200),
        ({"content-type": "application/json; charset=utf-16"}, 415),
        ({"content-type": "application/json; charset=latin-1"}, 415),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/graphql"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({"content-type": ""}, 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
        ({"content-type": "application/json", "accept": "text/html"}, 406),
        ({"content-type": "application/json", "accept": "application/json;q=0"}, 406),
        ({"content-type": "application/json", "accept": "text/html, */*;q=0.1"}, 200),
        ({"content-type": "application/json", "accept": "text/event-stream"}, 406),
    ],
)
async def test_bodies_are_json_in_utf8(small: Gateway, headers: dict[str, str], status: int) -> None:
    answer = await small.post({"query": PLACES}, headers)
    assert answer.status == status
    assert ("errors" in answer.body) is (status != 200)
    assert ("data" in answer.body) is (status == 200)


MALFORMED = [
    *(b"", b"null", b"1", b'"x"', b"true", b"[]", b"{", b"{}", b"[{}]", b"\xff\xfe", b"NaN", b'{"query": NaN}'),
    *(b'{"query": "\\ud800"}', b'\xef\xbb\xbf{"query": "{ me { id } }"}', b'{"query": "{ me { id } }"} x'),
    *(b'{"query": null}', b'{"query": ""}', b'{"query": 1}', b'{"query": []}', b'{"query": {"a": 1}}'),
    *(b'{"query": "{ me { id } }", "variables": []}', b'{"query": "{ me { id } }", "variables": "x"}'),
    *(b'{"query": "{ me { id } }", "operationName": 1}', b'{"query": "{ me { id } }", "extensions": []}'),
    *(b'{"query": "{ me { id } }", "query": "{ me { id } }"}', b'{"variables": {"a": 1, "a": 2}, "query": "{ a }"}'),
    *(b'[{"query": "{ me { id } }"}, {"query": "{ me { id } }"}]', b'{"query": "{ a }", "variables": {"n": 1e400}}'),
    *(b"[" * 9_000, b'{"a":' * 3_000, b'{"query": "{ a }", "variables": ' + b'{"a":' * 990 + b"1" + b"}" * 991),
    *(b'{"query": "{ me { id } }", "operationName": "Other"}',),
    *(b'{"query": "query A { me { id } }", "operationName": "B"}',),
    *(b'{"query": "query A { me { id } } query B { me { id } }"}', b'{"query": "# nothing"}', b'{"query": "   "}'),
    *(b'{"query": "subscription { chargingSession(id: 1) { kind } }"}',),
    *(b'{"query": "fragment f on Query { __typename }"}',),
]  # fmt: skip


@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: body[:48].decode("latin-1"))
async def test_what_is_no_operation_is_refused(small: Gateway, body: bytes) -> None:
    answer = await small.post(body, bearer(small) | {"accept": GRAPHQL_JSON})
    assert answer.status == 400
    assert "data" not in answer.body
    assert set(answer.codes) <= {"BAD_REQUEST", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"}
    assert answer.response.headers["content-type"] == f"{GRAPHQL_JSON}; charset=utf-8"


async def test_whole_numbers_without_end_are_no_bug(small: Gateway) -> None:
    numbers = b'{"query": "query ($n: Int) { locations(first: $n) { __typename } }", "variables": {"n": %s}}'
    for digits in (b"9" * 30, b"9" * 5000, b"-1", b"1.5", b"1e3"):
        answer = await small.post(numbers % digits)
        assert answer.status < 500
        assert "INTERNAL" not in answer.codes


async def test_deep_variables_are_no_bug(small: Gateway) -> None:
    nested = b'{"i":' * 300 + b"1" + b"}" * 300
    query = b'{"query": "mutation ($i: StopChargingInput!) { stopCharging(input: $i) { __typename } }", "variables": '
    answer = await small.post(query + nested + b"}", bearer(small))
    assert set(answer.codes) == {"BAD_USER_INPUT"}


async def test_a_body_has_a_size(small: Gateway) -> None:
    padded = {"query": PLACES, "extensions": {"x": "x" * 18_000}}
    assert (await small.post(padded)).status == 200
    answer = await small.post({"query": PLACES, "extensions": {"x": "x" * 20_000}})
    assert (answer.status, answer.codes) == (413, ["LIMIT_EXCEEDED"])

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000

    response = await small.http.post("/graphql", content=endless(), headers={"content-type": "application/json"})
    assert response.status_code == 413


def unsigned(gateway: Gateway) -> str:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "at+jwt", "kid": "development"}).encode())
    return f"{head.rstrip(b'=').decode()}.{gateway.token(Role.SUPPORT).split('.')[1]}."


async def test_a_bad_credential_is_refused(small: Gateway) -> None:
    good = small.token(Role.DRIVER)
    elsewhere = small.settings.model_copy(update={"operator_id": OperatorId(UUID(int=7))})
    bad = [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer a.b.c",
        f"Bearer {good}x",
        f"Bearer {good} {good}",
        f"Basic {good}",
        good,
        f"Bearer {unsigned(small)}",
        f"Bearer {unsigned(small)}AAAA",
        f"Bearer {good.rpartition('.')[0]}.{'A' * 86}",
        f"Bearer {issue_development_token(elsewhere, Role.DRIVER, 'driver-1', timedelta(minutes=5))}",
    ]
    for authorization in bad:
        answer = await small.post({"query": PLACES}, {"authorization": authorization})
        assert (answer.status, answer.codes) == (401, ["UNAUTHENTICATED"]), authorization
        assert answer.response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert answer.response.headers["cache-control"] == "no-store"
        assert "data" not in answer.body
    assert (await small.post({"query": PLACES}, {"authorization": f"bearer {good}"})).status == 200


async def test_an_expired_credential_is_refused(small: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = bearer(small)
    later = small.world.services.clock.now() + timedelta(hours=2)
    assert (await small.post({"query": NAME}, headers)).status == 200
    monkeypatch.setattr(type(small.world.services.clock), "now", lambda _: later)
    assert (await small.post({"query": NAME}, headers)).status == 401


async def test_no_credential_is_a_guest_who_may_not(small: Gateway) -> None:
    answer = await small.post({"query": NAME})
    assert (answer.status, answer.codes) == (401, ["UNAUTHENTICATED"])
    assert answer.response.headers["www-authenticate"] == "Bearer"
    answer = await small.ask(NAME, Role.OPERATOR)
    assert (answer.status, answer.codes) == (403, ["FORBIDDEN"])
    assert answer.errors[0]["extensions"]["coordinates"] == ["Query.me", "Driver"]


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL_JSON, GRAPHQL_JSON),
        (f"{GRAPHQL_JSON}, {JSON};q=0.9", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};q=0.8, {JSON};q=0.9", JSON),
        (f"text/html, {GRAPHQL_JSON};charset=utf-8;q=0.5", GRAPHQL_JSON),
        (f"{JSON};q=x, {GRAPHQL_JSON};q=0.1", GRAPHQL_JSON),
    ],
)
async def test_the_media_type_decides_what_a_refused_document_is(
    small: Gateway, accept: str | None, media: str
) -> None:
    headers = {} if accept is None else {"accept": accept}
    for query in ("{ me ", "{ nothing }", "query ($n: Int!) { locations(first: $n) { __typename } }"):
        answer = await small.post({"query": query}, headers)
        assert answer.status == (400 if media == GRAPHQL_JSON else 200)
        assert answer.response.headers["content-type"] == f"{media}; charset=utf-8"
        assert "data" not in answer.body
    for query in (PLACES, "{ locations(first: 0) { __typename } }"):
        answer = await small.post({"query": query}, headers)
        assert answer.status == 200
        assert "data" in answer.body


async def test_one_of_several_operations_runs_by_name(small: Gateway) -> None:
    two = {"query": "query A { a: __typename } query B { b: __typename }", "operationName": "B"}
    assert (await small.post(two)).data == {"b": "Query"}


async def test_a_wrong_variable_of_a_mutation_is_the_callers_affair(small: Gateway) -> None:
    answer = await small.ask("mutation ($i: StopChargingInput!) { stopCharging(input: $i) { __typename } }", i="x")
    assert (answer.status, answer.codes) == (200, ["BAD_USER_INPUT"])
    assert "data" not in answer.body


@pytest.mark.parametrize("query", [PLACES, "{ me ", NAME])
async def test_a_request_keeps_its_name(small: Gateway, query: str) -> None:
    answer = await small.post({"query": query}, {"x-request-id": "my-request-0001"})
    assert answer.response.headers["x-request-id"] == "my-request-0001"
    assert (await small.post({"query": query})).response.headers["x-request-id"]


async def test_texts_that_cannot_be_stored_are_refused(gateway: Gateway) -> None:
    for variables in ({"e": "a\0b"}, {"e": "x", "unused": ["a\0b"]}):
        answer = await gateway.ask("query ($e: String!) { evse(evseId: $e) { id } }", Role.GUEST, None, **variables)
        assert answer.codes == ["BAD_USER_INPUT"]
    answer = await gateway.ask('{ evse(evseId: "\N{CAT FACE} \' \\" \\\\") { id } }', Role.GUEST)
    assert answer.data == {"evse": None}


async def test_who_hangs_up_while_sending_is_no_bug(small: Gateway) -> None:
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    frames: list[Any] = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    sent = []

    async def receive() -> dict[str, object]:
        frame: dict[str, object] = frames.pop(0)
        return frame

    async def send(message: object) -> None:
        sent.append(message)

    await small.app(scope, receive, send)
    assert sent == []
