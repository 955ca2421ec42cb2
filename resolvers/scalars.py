"""Scalars that cannot lose a digit, and Money made of them. No exact number is ever a JSON number."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NewType
from zoneinfo import available_timezones

import strawberry
from graphql import GraphQLError, StringValueNode, ValueNode
from strawberry.types.scalar import ScalarDefinition

from domain.money import DIGITS
from domain.money import Money as Amount

Exact = NewType("Exact", Decimal)
Minor = NewType("Minor", int)
Currency = NewType("Currency", str)
Timestamp = NewType("Timestamp", datetime)
Day = NewType("Day", date)
Zone = NewType("Zone", str)
CursorText = NewType("CursorText", str)
Key = NewType("Key", str)
Url = NewType("Url", str)

_DECIMAL = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,9})?", re.ASCII)
_MINOR = re.compile(r"0|[1-9]\d{0,15}", re.ASCII)
_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})T((?:[01]\d|2[0-3]):\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_CURSOR = re.compile(r"[A-Za-z0-9_-]{1,2048}", re.ASCII)
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([!-\[\]-~]*)", re.ASCII)
_RUNS_CODE = frozenset({"javascript", "data", "vbscript", "blob", "file", "about", "view-source"})
_LARGEST_MINOR = 2**53 - 1
_LONGEST_URL = 2048
_ZONES = available_timezones()


class Unfit(ValueError):
    """A value that a scalar does not take, and why."""


def _text(value: object) -> str:
    if type(value) is not str:
        raise Unfit("it must be written as a string.")
    return value


def _matching(pattern: re.Pattern[str], value: object, what: str) -> str:
    text = _text(value)
    if not pattern.fullmatch(text):
        raise Unfit(f"it is not {what}.")
    return text


def _decimal(value: object) -> Decimal:
    number = Decimal(_matching(_DECIMAL, value, "a decimal number such as 12.30"))
    return number or Decimal(0)


def _minor(value: object) -> int:
    number = int(_matching(_MINOR, value, "a whole number of smallest units such as 1230"))
    if number > _LARGEST_MINOR:
        raise Unfit("it is too large.")
    return number


def _instant(value: object) -> datetime:
    match = _INSTANT.fullmatch(_text(value))
    if match is None or match[4] == "-00:00":
        raise Unfit("it is not an instant such as 2026-11-22T17:08:00Z.")
    day, clock, fraction, offset = match.groups()
    try:
        instant = datetime.fromisoformat(f"{day}T{clock}{offset.replace('Z', '+00:00')}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unfit("there is no such instant.") from None
    return instant.replace(microsecond=int(f"{fraction or ''}000000"[:6]))


def _day(value: object) -> date:
    text = _matching(_DAY, value, "a day such as 2026-11-22")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Unfit("there is no such day.") from None


def _zone(value: object) -> str:
    text = _text(value)
    if text not in _ZONES:
        raise Unfit("it is not an IANA time zone.")
    return text


def _currency(value: object) -> str:
    text = _text(value)
    if text not in DIGITS:
        raise Unfit("it is not a currency that is counted in here.")
    return text


def _url(value: object) -> str:
    text = _text(value)
    match = _URL.fullmatch(text)
    if match is None or match[1] in _RUNS_CODE:
        raise Unfit("it is not an absolute URL such as https://example.com/ or tallywatt://paid.")
    if len(text) > _LONGEST_URL:
        raise Unfit(f"it has more than {_LONGEST_URL} characters.")
    host = re.split(r"[/?#]", match[2], maxsplit=1)[0]
    if "@" in host or (match[1] in {"http", "https"} and not host):
        raise Unfit("it must name a host, and no user.")
    return text


def _sent(instant: datetime) -> str:
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _scalar(
    name: str,
    description: str,
    parse: Callable[[object], Any],
    serialize: Callable[[Any], str] = str,
    url: str | None = None,
) -> ScalarDefinition:
    def variable(value: object) -> Any:
        try:
            return parse(value)
        except Unfit as unfit:
            raise _refused(name, unfit) from None

    def literal(node: ValueNode, variables: dict[str, Any] | None = None) -> Any:
        del variables
        try:
            return parse(node.value if isinstance(node, StringValueNode) else None)
        except Unfit as unfit:
            raise _refused(name, unfit, node) from None

    return strawberry.scalar(
        name=name,
        description=description,
        specified_by_url=url,
        serialize=serialize,
        parse_value=variable,
        parse_literal=literal,
    )


def _refused(name: str, unfit: Unfit, node: ValueNode | None = None) -> GraphQLError:
    return GraphQLError(f"{name}: {unfit}", node, extensions={"code": "BAD_USER_INPUT"})


_RFC3339 = "https://www.rfc-editor.org/rfc/rfc3339"

SCALARS: dict[object, ScalarDefinition] = {
    Exact: _scalar(
        "Decimal",
        "An exact decimal number as a JSON string, without exponent; JSON numbers are refused.",
        _decimal,
        lambda value: format(value, "f"),
    ),
    Minor: _scalar(
        "MinorUnits",
        "A whole number of the smallest unit of a currency as a JSON string of digits; JSON numbers are refused.",
        _minor,
    ),
    Currency: _scalar(
        "CurrencyCode",
        "An ISO 4217 alphabetic code such as `EUR`.",
        _currency,
        url="https://www.iso.org/iso-4217-currency-codes.html",
    ),
    Timestamp: _scalar(
        "DateTime",
        "An instant, RFC 3339 with offset; always sent in UTC with milliseconds and `Z`.",
        _instant,
        _sent,
        _RFC3339,
    ),
    Day: _scalar(
        "Date",
        "A calendar day, `YYYY-MM-DD`, in the time zone named beside it.",
        _day,
        date.isoformat,
        _RFC3339,
    ),
    Zone: _scalar(
        "TimeZone", "An IANA time zone such as `Europe/Amsterdam`.", _zone, url="https://www.iana.org/time-zones"
    ),
    CursorText: _scalar(
        "Cursor",
        "An opaque position in a list or a live feed; never build or parse one.",
        lambda value: _matching(_CURSOR, value, "a cursor"),
    ),
    Key: _scalar(
        "IdempotencyKey",
        "A random key made by the caller, 16 to 64 URL-safe characters; it never expires.",
        lambda value: _matching(_KEY, value, "a key of 16 to 64 URL-safe characters"),
    ),
    Url: _scalar(
        "URL",
        "An absolute URL without a user: `https://…`, `http://…` or the scheme of an app such as `tallywatt://…`; "
        "at most 2048 characters.",
        _url,
        url="https://url.spec.whatwg.org/",
    ),
}


@strawberry.type(description="An exact amount; both forms are the same value.")
class Money:
    """Output only; `of` is its one constructor."""

    amount: Exact = strawberry.field(description="Major units with the decimals of the currency, such as `12.30`.")
    minor_units: Minor = strawberry.field(description="Smallest units, such as `1230`.")
    currency: Currency = strawberry.field(description="Currency of the amount.")

    @classmethod
    def of(cls, amount: Amount) -> Money:
        """From the domain."""
        return cls(amount=Exact(amount.major), minor_units=Minor(amount.minor), currency=Currency(amount.currency))


@strawberry.type(description="An amount split by tax; `net` + `tax` = `gross`, exactly.")
class TaxedMoney:
    """Output only."""

    net: Money = strawberry.field(description="Without tax.")
    tax: Money = strawberry.field(description="Tax only.")
    gross: Money = strawberry.field(description="With tax.")

    @classmethod
    def of(cls, net_minor: int, tax_minor: int, currency: str) -> TaxedMoney:
        """From minor units."""
        return cls(
            net=Money.of(Amount(net_minor, currency)),
            tax=Money.of(Amount(tax_minor, currency)),
            gross=Money.of(Amount(net_minor + tax_minor, currency)),
        )


@strawberry.type(description="The price of one unit in major units; may be finer than the smallest coin.")
class UnitPrice:
    """Output only."""

    net: Exact = strawberry.field(description="Without tax.")
    gross: Exact = strawberry.field(description="With tax.")
    vat_percent: Exact | None = strawberry.field(
        description="Tax rate in percent; null when none is known, and `net` equals `gross`."
    )

    @classmethod
    def of(cls, net: Decimal, gross: Decimal, vat_percent: Decimal | None) -> UnitPrice:
        """From the domain."""
        return cls(net=Exact(net), gross=Exact(gross), vat_percent=None if vat_percent is None else Exact(vat_percent))


@strawberry.input(description="An exact amount given by a caller.")
class MoneyInput:
    """Minor units only, so that nobody can send a float."""

    minor_units: Minor = strawberry.field(description="Smallest units.")
    currency: Currency = strawberry.field(description="Currency of the amount.")

    def to_money(self) -> Amount:
        """To the domain."""
        return Amount(self.minor_units, self.currency)
