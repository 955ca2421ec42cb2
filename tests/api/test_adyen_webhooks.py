from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from structlog.testing import capture_logs

from api.adyen_webhooks import LARGEST_BODY, WebhookAccount, routes
from domain.clock import SystemClock
from domain.columns import table_of
from domain.database import Database
from domain.errors import TryAgain
from domain.ids import Ids, OperatorId
from domain.money import Money
from domain.payments import FactState, Inbox, PspDelivery, PspFact
from tests.api.adyen_items import KEY, OTHER, PREVIOUS, Json, item, resigned, signed

USER, PASSWORD = "hook", "pass:word"
PATH = "/webhooks/adyen"


def delivery(*items: Json, live: object = "false") -> Json:
    return {"live": live, "notificationItems": [{"NotificationRequestItem": one} for one in items]}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class Office:
    """The door over a store, and what lies behind it."""

    def __init__(self, database: Database) -> None:
        self.database, self.operator, self.woken = database, OperatorId(uuid4()), 0
        clock = SystemClock()
        self.inbox = Inbox(database, clock, Ids(clock))
        account = WebhookAccount(USER, PASSWORD, (KEY, PREVIOUS))
        app = Starlette(routes=routes(self.inbox, self.operator, account, self.wake))
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://door.example")

    def wake(self) -> None:
        self.woken += 1

    async def post(self, body: object, auth: tuple[str, str] | None = (USER, PASSWORD)) -> httpx2.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.http.post(PATH, content=raw, headers=basic(*auth) if auth else {})

    async def stored(self) -> tuple[list[PspDelivery], list[PspFact]]:
        deliveries, facts = table_of(PspDelivery), table_of(PspFact)
        async with self.database.read() as reader:
            return await reader.list(PspDelivery, select(deliveries)), await reader.list(PspFact, select(facts))

    async def refused(self, status: int, body: object, auth: tuple[str, str] | None = (USER, PASSWORD)) -> bool:
        answer = await self.post(body, auth)
        assert (answer.status_code, await self.stored(), self.woken) == (status, ([], []), 0)
        return True


@pytest.fixture
async def office(database: Database) -> AsyncIterator[Office]:
    opened = Office(database)
    async with opened.http:
        yield opened


async def test_a_signed_delivery_is_stored_raw_and_item_by_item(office: Office) -> None:
    found = signed(item(pspReference="A" * 16))
    raw = json.dumps(delivery(found), indent=1).encode()
    answer = await office.post(raw)
    assert (answer.status_code, answer.text, office.woken) == (202, "[accepted]", 1)
    (kept,), (fact,) = await office.stored()
    assert (kept.raw, kept.operator_id) == (raw, office.operator)
    assert (fact.event_code, fact.success, fact.psp_reference, fact.merchant_reference) == (
        "AUTHORISATION",
        True,
        "A" * 16,
        "topup-1",
    )
    assert (fact.value_sent, fact.amount_minor, fact.currency, fact.state) == ("2000", 2000, "EUR", FactState.NEW)
    unsigned = json.loads(fact.unsigned)
    assert (unsigned["live"], unsigned["reason"]) == ("false", "052095:1111:03/2030")
    assert "amount" not in unsigned
    assert "hmacSignature" not in fact.unsigned


async def test_the_previous_key_counts_while_it_is_configured(office: Office) -> None:
    assert (await office.post(delivery(signed(item(), PREVIOUS), signed(item(), KEY)))).status_code == 202
    assert len((await office.stored())[1]) == 2


async def test_a_repeated_delivery_is_stored_again_and_its_facts_are_not(office: Office) -> None:
    found = signed(item())
    await asyncio.gather(*(office.post(delivery(found)) for _ in range(4)))
    await office.post(delivery(signed(found | {"eventDate": "2026-06-02T12:00:00+02:00"})))
    deliveries, facts = await office.stored()
    assert (len(deliveries), len(facts)) == (5, 2)


async def test_one_forged_item_refuses_the_whole_delivery(office: Office) -> None:
    good = [signed(item()) for _ in range(3)]
    forged = good[1] | {"amount": {"currency": "EUR", "value": 200000}}
    assert await office.refused(401, delivery(good[0], forged, good[2]))
    assert await office.refused(401, delivery(*good, signed(item(), OTHER)))


@pytest.mark.parametrize("mark", [None, 7, "", "é", "\ud800", [], {}, ..., "AAAA"])
async def test_an_item_that_nobody_signed_is_refused(office: Office, mark: object) -> None:
    extra: Json = {} if mark is ... else {"hmacSignature": mark}
    assert await office.refused(401, delivery(item(additionalData=extra)))


@pytest.mark.parametrize("extra", [..., None, [], "hmacSignature"])
async def test_an_item_without_additional_data_is_refused(office: Office, extra: object) -> None:
    assert await office.refused(401, delivery(item(additionalData=extra)))


@pytest.mark.parametrize(
    "auth", [None, (USER, "wrong"), ("wrong", PASSWORD), (USER, ""), ("", ""), (USER, PASSWORD + "x"), ("é", "é")]
)
async def test_without_our_password_nobody_is_heard(office: Office, auth: tuple[str, str] | None) -> None:
    assert await office.refused(401, delivery(signed(item())), auth)


@pytest.mark.parametrize("header", ["", "Basic", "Bearer aG9vazpwYXNzOndvcmQ=", "Basic é", "Basic aG9vazpwYXNzOndvcmQ"])
async def test_only_basic_auth_is_understood(office: Office, header: str) -> None:
    raw = json.dumps(delivery(signed(item()))).encode()
    answer = await office.http.post(PATH, content=raw, headers={b"Authorization": header.encode("latin-1")})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Basic")
    assert await office.stored() == ([], [])


GOOD = json.dumps(delivery(signed(item())))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        GOOD.encode("utf-16"),
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.encode() + b"x",
        GOOD.replace('"success": "true"', '"success": "true", "success": "true"').encode(),
        GOOD.replace("2000", "NaN").encode(),
        GOOD.replace("2000", "9" * 5000).encode(),
        GOOD.replace("2000", "2000.0").encode(),
        GOOD.replace("2000", "2e3").encode(),
        b"[" * 100_000,
        b'{"live":' * 50_000,
        delivery(),
        delivery(signed(item()), live=False),
        delivery(signed(item()), live="yes"),
        {"live": "false", "notificationItems": {}},
        {"live": "false", "notificationItems": [signed(item())]},
        {"live": "false", "notificationItems": [{"NotificationRequestItem": []}]},
        {"live": "false", "notificationItems": [{"NotificationRequestItem": item()}, 7]},
        delivery(*[signed(item())] * 1001),
    ],
)
async def test_what_is_no_delivery_is_refused(office: Office, body: object) -> None:
    assert await office.refused(400, body)


@pytest.mark.parametrize(
    "fields",
    [
        {"success": True},
        {"success": "TRUE"},
        {"success": ""},
        {"success": None},
        {"pspReference": None},
        {"pspReference": 7},
        {"eventCode": ...},
        {"merchantAccountCode": ["x"]},
        {"originalReference": 0},
        {"merchantReference": {}},
        {"amount": []},
        {"amount": {"currency": "EUR", "value": True}},
        {"amount": {"currency": "EUR", "value": "12 "}},
        {"amount": {"currency": "EUR", "value": "١٢"}},
        {"amount": {"currency": "EUR", "value": 10**30}},
        {"amount": {"currency": "eur", "value": 1}},
        {"amount": {"currency": 7, "value": 1}},
        {"pspReference": "P:O"},
        {"originalReference": "O:M"},
        {"merchantAccountCode": "M:R"},
        {"eventCode": "A:B"},
    ],
)
async def test_an_item_that_is_malformed_or_ambiguous_is_refused(office: Office, fields: Json) -> None:
    found = item(**fields)
    assert await office.refused(400, delivery(found | {"additionalData": {"hmacSignature": "AAAA"}}))


@pytest.mark.parametrize(
    ("fields", "amount"),
    [
        ({}, Money(2000, "EUR")),
        ({"amount": {"currency": "EUR", "value": "2000"}}, Money(2000, "EUR")),
        ({"amount": {"currency": "EUR", "value": 0}}, Money(0, "EUR")),
        ({"amount": {"currency": "ISK", "value": 50000}}, Money(500, "ISK")),
        ({"amount": {"currency": "ISK", "value": 100050}}, None),
        ({"amount": {"currency": "EUR", "value": -1}}, None),
        ({"amount": {"currency": "EUR", "value": 2**63}}, None),
        ({"amount": {"currency": "XYZ", "value": 1}}, None),
        ({"amount": None}, None),
        ({"amount": ...}, None),
        ({"merchantAccountCode": "SomebodyElse"}, Money(2000, "EUR")),
        ({"merchantReference": "\\:/ slashes: are fun"}, Money(2000, "EUR")),
        ({"merchantReference": None, "eventCode": "REPORT_AVAILABLE"}, Money(2000, "EUR")),
        ({"merchantReference": "nul \0 and \ud800"}, Money(2000, "EUR")),
        ({"reason": "nul \0 and \ud800", "additionalData": {"x": "\ud800"}}, Money(2000, "EUR")),
        ({"pspReference": "P" * 300, "unheardOf": {"deep": [1, 2.5, None]}}, Money(2000, "EUR")),
    ],
)
async def test_whatever_is_signed_is_accepted_and_judged_later(
    office: Office, fields: Json, amount: Money | None
) -> None:
    found = resigned(item(**fields))
    assert (await office.post(delivery(found))).status_code == 202
    _, (fact,) = await office.stored()
    assert fact.amount_minor == (None if amount is None else amount.minor)


async def test_a_body_that_is_too_long_is_read_no_further(office: Office) -> None:
    padded = delivery(signed(item(reason="x" * LARGEST_BODY)))
    assert await office.refused(413, padded)


async def test_when_the_store_is_busy_adyen_is_told_to_come_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = delivery(signed(item()))
    for error in (TryAgain("locked"), TimeoutError(), ConnectionRefusedError()):
        with monkeypatch.context() as patch:
            patch.setattr(office.database, "transaction", failing(error))
            assert await office.refused(503, body)
    assert (await office.post(body)).status_code == 202


def failing(error: Exception) -> Callable[[], object]:
    def transaction() -> object:
        raise error

    return transaction


async def test_no_secret_and_no_content_is_logged(office: Office) -> None:
    with capture_logs() as logs:
        await office.post(delivery(signed(item())))
        await office.post(delivery(signed(item(), OTHER)))
        await office.post(delivery(signed(item())), (USER, "almost " + PASSWORD))
    assert [entry["event"] for entry in logs] == ["adyen_delivery_kept", *["adyen_delivery_refused"] * 2]
    shown = f"{logs} {WebhookAccount(USER, PASSWORD, (KEY,))!r}"
    for secret in (PASSWORD, KEY, OTHER, "topup-1", "1111", "hmacSignature"):
        assert secret not in shown


async def test_nothing_else_answers(office: Office) -> None:
    assert (await office.http.get(PATH)).status_code == 405
    assert (await office.http.post(f"{PATH}/other")).status_code == 404
