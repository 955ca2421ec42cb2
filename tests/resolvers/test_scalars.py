from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionResult

from resolvers.scalars import SCALARS, Currency, CursorText, Day, Exact, Key, Minor, Timestamp, Url, Zone

KINDS: dict[str, Any] = {
    "Decimal": Exact,
    "MinorUnits": Minor,
    "DateTime": Timestamp,
    "Date": Day,
    "TimeZone": Zone,
    "CurrencyCode": Currency,
    "IdempotencyKey": Key,
    "Cursor": CursorText,
    "URL": Url,
}
SECONDS_OFF_UTC = timezone(timedelta(hours=5, minutes=30))
TAKEN: list[Any] = []


def _echo(kind: object) -> object:
    def take(value: object) -> str:
        TAKEN.append(value)
        return "taken"

    take.__annotations__ = {"value": kind, "return": str}
    return strawberry.field(resolver=take)


def _probe() -> strawberry.Schema:
    body = {f"take{name}": _echo(kind) for name, kind in KINDS.items()}
    query = strawberry.type(type("Query", (), {"__annotations__": {}, **body}))
    return strawberry.Schema(query=query, config=StrawberryConfig(scalar_map=SCALARS))


PROBE = _probe()


def taken(name: str, value: object) -> list[ExecutionResult]:
    """Given as a literal, and as a variable."""
    TAKEN.clear()
    field = f"take{name}"
    literal = PROBE.execute_sync(f"{{ {field}(value: {json.dumps(value, ensure_ascii=False)}) }}")
    variable = PROBE.execute_sync(f"query ($v: {name}!) {{ {field}(value: $v) }}", {"v": value})
    return [literal, variable]


ACCEPTED: list[tuple[str, str, object]] = [
    ("Decimal", "0", Decimal(0)),
    ("Decimal", "12.30", Decimal("12.30")),
    ("Decimal", "-1.50", Decimal("-1.5")),
    ("Decimal", "-0", Decimal(0)),
    ("Decimal", "0.000000001", Decimal("1E-9")),
    ("Decimal", "999999999999999.999999999", Decimal("999999999999999.999999999")),
    ("MinorUnits", "0", 0),
    ("MinorUnits", "1230", 1230),
    ("MinorUnits", "9007199254740991", 2**53 - 1),
    ("DateTime", "2026-11-22T17:08:00Z", datetime(2026, 11, 22, 17, 8, tzinfo=UTC)),
    ("DateTime", "2026-11-22T17:08:00+01:00", datetime(2026, 11, 22, 16, 8, tzinfo=UTC)),
    ("DateTime", "2026-11-22T17:08:00.5Z", datetime(2026, 11, 22, 17, 8, 0, 500_000, tzinfo=UTC)),
    ("DateTime", "2026-11-22T17:08:00.123456789Z", datetime(2026, 11, 22, 17, 8, 0, 123_456, tzinfo=UTC)),
    ("DateTime", "2024-02-29T23:59:59-23:59", datetime(2024, 3, 1, 23, 58, 59, tzinfo=UTC)),
    ("Date", "2024-02-29", date(2024, 2, 29)),
    ("TimeZone", "Europe/Amsterdam", "Europe/Amsterdam"),
    ("TimeZone", "UTC", "UTC"),
    ("CurrencyCode", "EUR", "EUR"),
    ("CurrencyCode", "JPY", "JPY"),
    ("IdempotencyKey", "a" * 16, "a" * 16),
    ("IdempotencyKey", "Az09_-" * 10 + "abcd", "Az09_-" * 10 + "abcd"),
    ("Cursor", "Az09_-", "Az09_-"),
    ("URL", "https://example.com", "https://example.com"),
    ("URL", "https://example.com:8443/paid?x=1#done", "https://example.com:8443/paid?x=1#done"),
    ("URL", "http://127.0.0.1:8000/paid", "http://127.0.0.1:8000/paid"),
    ("URL", "tallywatt://paid/once", "tallywatt://paid/once"),
    ("URL", "com.example.app+pay://", "com.example.app+pay://"),
    ("URL", "https://example.com/a@b", "https://example.com/a@b"),
    ("URL", "https://e.com/" + "a" * 2034, "https://e.com/" + "a" * 2034),
]

REFUSED: dict[str, list[object]] = {
    "Decimal": [
        *(0, 12, 1.5, True, None, "+1", "00.1", "1.", ".5", "1e3", "1_000", " 1", "1 ", "1,5", "NaN", "Infinity", ""),
        *("0.0000000001", "1000000000000000", "-", "--1", "1\n", "0x10", "\u0661", "\uff11"),
    ],
    "MinorUnits": [
        *(1230, 12.0, True, "-5", "+5", "007", "1e3", "12.0", "9007199254740992", "", " 1", "١٢", "1\n", "1_0"),
        *("99999999999999999",),
    ],
    "DateTime": [
        *("2026-11-22T17:08:00", "2026-11-22T17:08:00-00:00", "2026-11-22T17:08:00+24:00", "2026-11-22 17:08:00Z"),
        *("2026-11-22t17:08:00Z", "2026-11-22T17:08:00z", "2026-11-22T24:00:00Z", "2026-11-22T17:08:60Z"),
        *("2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "2026-11-22", "2026", ""),
        *("2026-11-22T17:08Z", "2026-11-22T17:08:00.Z", "2026-11-22T17:08:00.1234567890Z", "9999-12-31T23:59:59-01:00"),
        *(1700000000, True, "\uff12026-11-22T17:08:00Z", "2026-11-22T17:08:00Z\n"),
    ],
    "Date": ["2026-02-30", "2026-13-01", "2026-1-1", "20260101", "0000-01-01", "2026-01-01T00:00:00Z", 2026, "", True],
    "TimeZone": ["Mars/Phobos", "../etc/passwd", "/etc/localtime", "+01:00", "europe/amsterdam", "", 1],
    "CurrencyCode": ["eur", "XXX", "EURO", "€", "", 978, True],
    "IdempotencyKey": ["a" * 15, "a" * 65, "a" * 15 + "+", "a" * 15 + " ", "ä" * 16, "a" * 16 + "\n", 10**16, ""],
    "Cursor": ["", "a" * 2049, "a=", "a b", "ä", 1, "a\n"],
    "URL": [
        *("ftp//example.com", "example.com", "/paid", "https:example.com", "https://", "http:///paid", "", 1, True),
        *("https://user@example.com/", "https://user:password@example.com", "tallywatt://user@paid", "HTTPS://e.com"),
        *("javascript://example.com/%0Aalert(1)", "javascript:alert(1)", "data:text/html,x", "data://text", "file:///x"),
        *("https://example.com/a b", "https://example.com/\n", " https://example.com", "https://exämple.com", "1a://x"),
        *("https://e.com/" + "a" * 2035, "https://example.com\\@evil.example\\", "https://\\user@example.com\t"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "value"), ACCEPTED)
def test_what_is_well_written_is_taken_literal_and_variable_alike(name: str, text: str, value: object) -> None:
    assert [result.errors for result in taken(name, text)] == [None, None]
    assert [value, value] == TAKEN


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values])
def test_what_is_not_is_refused_literal_and_variable_alike(name: str, value: object) -> None:
    for result in taken(name, value):
        assert result.errors
        assert result.data is None
    assert TAKEN == []


def test_a_refusal_names_the_scalar_and_is_the_callers_affair() -> None:
    for result in taken("Decimal", "1e3"):
        (error,) = result.errors or []
        assert "Decimal: it is not a decimal number such as 12.30." in error.message
        cause = error.original_error or error
        assert getattr(cause, "extensions", None) == {"code": "BAD_USER_INPUT"}


@pytest.mark.parametrize(
    ("kind", "value", "sent"),
    [
        (Exact, Decimal("1E-9"), "0.000000001"),
        (Exact, Decimal("1E+3"), "1000"),
        (Exact, Decimal("-1.50"), "-1.50"),
        (Minor, -1230, "-1230"),
        (Timestamp, datetime(2026, 11, 22, 17, 8, tzinfo=UTC), "2026-11-22T17:08:00.000Z"),
        (Timestamp, datetime(2026, 11, 22, 17, 8, 0, 123_999, tzinfo=UTC), "2026-11-22T17:08:00.123Z"),
        (Timestamp, datetime(2026, 11, 22, 17, 8, tzinfo=SECONDS_OFF_UTC), "2026-11-22T11:38:00.000Z"),
        (Timestamp, datetime(33, 4, 3, tzinfo=UTC), "0033-04-03T00:00:00.000Z"),
        (Day, date(33, 4, 3), "0033-04-03"),
        (Zone, "Europe/Amsterdam", "Europe/Amsterdam"),
    ],
)
def test_what_is_sent_has_one_form(kind: object, value: object, sent: str) -> None:
    serialize = SCALARS[kind].serialize
    assert serialize is not None
    assert serialize(value) == sent
