from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

import api.adyen
from api.adyen import ADYEN_DIGITS, AdyenAccount, AdyenGateway, from_adyen, to_adyen
from domain.money import DIGITS, Money
from domain.payments import Answered, NotSent, Refused, Unknown
from tests.api.adyen_account import API_KEY, MERCHANT, account, answer, gateway, wanted


@dataclass
class Line:
    """The other end of a connection: what it heard, and what it says."""

    says: bytes
    heard: list[bytes] = field(default_factory=list)
    url: str = ""
    seconds: float = 0
    talks: set[asyncio.Task[None]] = field(default_factory=set)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk
        self.talks.add(talk)
        with suppress(OSError, EOFError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            self.heard.append(head + await reader.readexactly(length))
            await asyncio.sleep(self.seconds)
            writer.write(self.says)
            await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def line(says: bytes, seconds: float = 0) -> AsyncIterator[Line]:
    other = Line(says, seconds=seconds)
    server = await asyncio.start_server(other.talk, "127.0.0.1", 0)
    other.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield other
    server.close()
    if other.talks:
        await asyncio.wait(other.talks)


def http_answer(status: int, body: object, *headers: str) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(raw)}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + raw


async def test_who_cannot_be_reached_was_sent_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "http://nowhere.invalid"):
        assert isinstance(await answer(account(url)), NotSent)


async def test_who_does_not_speak_tls_was_sent_nothing() -> None:
    async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 X\r\n\r\n")
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert isinstance(await answer(account(f"https://127.0.0.1:{port}")), NotSent)


@pytest.mark.parametrize(
    "says",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"\x00\x01\x02\r\n\r\n",
        http_answer(200, b"not JSON"),
        http_answer(201, []),
        http_answer(201, {"id": "CS1"}),
        http_answer(201, {"id": 7, "url": "https://pay.example"}),
        http_answer(201, {"id": "CS1", "url": "javascript:alert(1)"}),
        http_answer(201, {"id": "x" * 81, "url": "https://pay.example"}),
        http_answer(201, b"[" * 100_000),
        http_answer(204, b""),
        http_answer(500, []),
        http_answer(422, "text"),
        http_answer(502, b"<html>bad gateway</html>"),
        http_answer(404, {}),
        http_answer(302, {}, "Location: http://127.0.0.1:9/elsewhere"),
        http_answer(422, {"errorCode": {"a": 1}}),
    ],
)
async def test_an_answer_that_cannot_be_read_is_unknown(says: bytes) -> None:
    async with line(says) as other:
        outcome = await answer(account(other.url))
    assert isinstance(outcome, Unknown | Refused)
    assert isinstance(outcome, Unknown) or b'"a": 1' in says
    assert len(other.heard) == 1


async def test_an_answer_that_does_not_come_in_time_is_unknown() -> None:
    async with line(http_answer(201, {"id": "CS1", "url": "https://pay.example"}), seconds=1.5) as other:
        assert isinstance(await answer(replace(account(other.url), timeout_seconds=1)), Unknown)


async def test_no_more_calls_are_made_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.adyen, "AT_ONCE", 2)
    async with line(http_answer(201, {"id": "CS1", "url": "https://pay.example"}), seconds=0.3) as other:
        with gateway(account(other.url)) as asked:
            first = await asyncio.gather(*(asked.open_checkout(wanted(), uuid4()) for _ in range(3)))
            after = await asked.open_checkout(wanted(), uuid4())
    assert [type(outcome) for outcome in first] == [Answered, Answered, NotSent]
    assert isinstance(after, Answered)


@pytest.mark.parametrize("theme", [None, "THEME1"])
async def test_what_is_sent_is_what_the_contract_names(theme: str | None) -> None:
    request = replace(wanted(), expires_at=datetime(2026, 6, 1, 14, tzinfo=timezone(timedelta(hours=2))))
    key = uuid4()
    async with line(http_answer(201, {"id": "CS1", "url": "https://pay.example"})) as other:
        await answer(replace(account(other.url), theme_id=theme), request, key)
        await answer(replace(account(other.url), theme_id=theme), request, key)
    head, body = other.heard[0].split(b"\r\n\r\n")
    assert other.heard[1].endswith(body)
    headers = {name.lower(): value for name, _, value in (row.partition(": ") for row in head.decode().split("\r\n"))}
    assert (headers["idempotency-key"], headers["x-api-key"]) == (str(key), API_KEY)
    assert head.startswith(b"POST /v72/sessions ")
    expected = {
        "amount": {"currency": "EUR", "value": 2000},
        "captureDelayHours": 0,
        "channel": "Web",
        "countryCode": "DE",
        "expiresAt": "2026-06-01T12:00:00+00:00",
        "merchantAccount": MERCHANT,
        "mode": "hosted",
        "reference": request.reference,
        "returnUrl": request.return_url,
        "shopperReference": request.shopper_reference,
    }
    assert json.loads(body) == expected | ({"themeId": theme} if theme else {})


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ({}, "https://checkout-test.adyen.com/v72/sessions"),
        (
            {"environment": "live", "live_prefix": "1797a841fbb37ca7-Tallywatt"},
            "https://1797a841fbb37ca7-Tallywatt-checkout-live.adyenpayments.com/checkout/v72/sessions",
        ),
    ],
)
async def test_adyen_itself_is_where_the_sdk_says(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], url: str
) -> None:
    asked = AdyenGateway(AdyenAccount(API_KEY, MERCHANT, **more))
    called: list[str] = []

    def request(method: str, address: str, **_: object) -> tuple[str, object, int, dict[str, str]]:
        called.append(f"{method} {address}")
        return '{"id": "CS1", "url": "https://pay.example"}', None, 201, {}

    monkeypatch.setattr(asked._payments.client.http_client, "request", request)
    assert isinstance(await asked.open_checkout(wanted(), uuid4()), Answered)
    assert called == [f"POST {url}"]
    asked.close()


def test_the_live_key_is_for_adyen_alone() -> None:
    for more in ({"base_url": "http://127.0.0.1:1", "live_prefix": "p"}, {"live_prefix": None}):
        with pytest.raises(AssertionError):
            AdyenAccount(API_KEY, MERCHANT, "live", **more)


@pytest.mark.parametrize(
    ("minor", "currency", "value"),
    [(1230, "EUR", 1230), (500, "ISK", 50000), (7, "CLP", 700), (1200, "IDR", 12), (300, "CVE", 3), (5, "JPY", 5)],
)
def test_adyen_counts_a_few_currencies_in_its_own_way(minor: int, currency: str, value: int) -> None:
    assert to_adyen(Money(minor, currency)) == value
    assert from_adyen(value, currency) == Money(minor, currency)


@given(st.integers(0, 10**10), st.sampled_from(sorted(DIGITS)))
def test_an_amount_is_translated_exactly_or_not_at_all(minor: int, currency: str) -> None:
    value = to_adyen(Money(minor, currency))
    assert (value is None) == (ADYEN_DIGITS.get(currency) == 0 and minor % 100 != 0)
    assert value is None or from_adyen(value, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("value", "currency"), [(100050, "ISK"), (-1, "EUR"), (10**12 + 1, "EUR"), (1, "XXX"), (10**12, "IDR")]
)
def test_a_value_that_is_no_money_of_ours_is_none(value: int, currency: str) -> None:
    assert from_adyen(value, currency) is None


async def test_an_amount_that_adyen_cannot_count_is_not_sent() -> None:
    async with line(b"") as other:
        assert isinstance(await answer(account(other.url), wanted(1234, "IDR")), Refused)
    assert other.heard == []
