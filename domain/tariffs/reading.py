"""Reading JSON values that strangers wrote: exact numbers, texts and instants, each refusal with its path."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeGuard

from domain.errors import InvalidInput
from domain.tariffs.findings import Code, Finding
from domain.tariffs.scale import WHOLE, Number, Units, quantity

Path = tuple[str | int, ...]

MOST_DIGITS = 30
"""Significant digits and powers of ten beyond which a number is refused: it protects memory as well as sense."""

_USUAL = 20
"""Characters of the usual instant; a number of fewer digits, and not tiny, is certainly within those bounds."""
_USUAL_POWERS = range(-8, _USUAL)
_USUAL_INTEGER = 10**_USUAL

_PLACES = 30
_WHOLE_OF_DECIMALS = WHOLE // 10**_PLACES
"""Units in a decimal's last place: what is a multiple of it can be written as a decimal without more ado."""

_NUMERIC = re.compile(r"[+-]?\d{1,99}(\.\d{0,99})?([eE][+-]?\d{1,4})?", re.ASCII)
_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,12}))?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII
)
_YEARS = range(1971, 2999)


class Flaw(StrEnum):
    """Why an input was refused: the value is the reason of `InvalidInput`, the name a stable code."""

    MISSING_FIELD = "A required field is missing."
    BAD_VALUE = "The value does not fit this field."
    BAD_NUMBER = "The number is not one that money can be counted with."
    NO_TARIFF = "There is no tariff to price this with."
    BAD_JSON = "This is not JSON."
    NOT_AN_OBJECT = "This is JSON, but not an object."
    UNKNOWN_TIME_ZONE = "There is no such time zone."
    TOO_LARGE = "This is too large to be read."


def refusal(flaw: Flaw, path: Path) -> InvalidInput:
    """The refusal of what lies at `path`."""
    return InvalidInput(flaw.value, tuple(map(str, path)))


class Reader:
    """Reads one document and keeps what it noticed on the way."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def number(self, value: object, path: Path, name: str) -> Decimal:
        """An exact number given as int, Decimal or numeric text; float, NaN and immodest sizes are refused."""
        path = (*path, name)
        if isinstance(value, str):
            if not _NUMERIC.fullmatch(value):
                raise refusal(Flaw.BAD_NUMBER, path)
            self.findings.append(Finding(Code.NUMBER_AS_STRING, "A number is written as text.", path=path))
            return modest(Decimal(value), path)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise refusal(Flaw.BAD_NUMBER, path)
        return modest(value, path)

    def optional_number(self, raw: Mapping[str, object], name: str, path: Path) -> Decimal | None:
        """The number under `name`, None if it is absent or null."""
        value = raw.get(name)
        return None if value is None else self.number(value, path, name)

    def expected_text(self, raw: Mapping[str, object], name: str, path: Path) -> str:
        """A text that pricing can do without: absent is noticed and read as empty."""
        value = raw.get(name)
        if value is None:
            self.findings.append(Finding(Code.FIELD_MISSING, f"{name} is missing.", path=(*path, name)))
            return ""
        return _as_text(value, (*path, name))


def is_usual(value: object) -> TypeGuard[int | Decimal]:
    """Whether this is a number of few digits that is not tiny, and so certainly within bounds."""
    if type(value) is Decimal:
        return value.is_finite() and len(str(value)) < _USUAL and value.adjusted() in _USUAL_POWERS
    return type(value) is int and -_USUAL_INTEGER < value < _USUAL_INTEGER


def modest(value: int | Decimal, path: Path) -> Decimal:
    """The number as Decimal, refused beyond `MOST_DIGITS` significant digits or that power of ten."""
    if isinstance(value, int):
        if abs(value) >= 10**MOST_DIGITS:
            raise refusal(Flaw.BAD_NUMBER, path)
        return Decimal(value)
    if not value.is_finite() or abs(value.adjusted()) > MOST_DIGITS:
        raise refusal(Flaw.BAD_NUMBER, path)
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    if len(digits) > MOST_DIGITS or abs(exponent) > MOST_DIGITS:
        raise refusal(Flaw.BAD_NUMBER, path)
    return value


def required(raw: Mapping[str, object], name: str, path: Path) -> object:
    """The value under `name`; null is absent, and absent is refused."""
    value = raw.get(name)
    if value is None:
        raise refusal(Flaw.MISSING_FIELD, (*path, name))
    return value


def mapping(value: object, path: Path) -> Mapping[str, object]:
    """A JSON object."""
    if type(value) is not dict and not isinstance(value, Mapping):  # the first is what it is, and quick to tell
        raise refusal(Flaw.BAD_VALUE, path)
    return value


def some(raw: Mapping[str, object], name: str, path: Path) -> Sequence[object]:
    """A list of at least one value."""
    values = sequence(required(raw, name, path), (*path, name))
    if not values:
        raise refusal(Flaw.MISSING_FIELD, (*path, name))
    return values


def sequence(value: object, path: Path) -> Sequence[object]:
    """A JSON array."""
    if not isinstance(value, list | tuple):
        raise refusal(Flaw.BAD_VALUE, path)
    return value


def member(names: Sequence[str], value: object, path: Path) -> str:
    """One of these names."""
    if value not in names:
        raise refusal(Flaw.BAD_VALUE, path)
    return str(value)


def text(raw: Mapping[str, object], name: str, path: Path) -> str:
    """A required text."""
    return _as_text(required(raw, name, path), (*path, name))


def optional_text(raw: Mapping[str, object], name: str, path: Path) -> str | None:
    """A text or None."""
    value = raw.get(name)
    return None if value is None else _as_text(value, (*path, name))


def optional_instant(raw: Mapping[str, object], name: str, path: Path) -> datetime | None:
    """An instant or None."""
    value = optional_text(raw, name, path)
    return None if value is None else parse_instant(value, (*path, name))


def parse_instant(text: str, path: Path = ()) -> datetime:
    """An instant of OCPI: RFC 3339, a missing `Z` still means UTC, an offset is read leniently; result in UTC.

    Fractions of a second are kept to the microsecond. Raises `InvalidInput` for anything else.
    """
    if len(text) == _USUAL and text[4] == text[7] == "-" and text[10] == "T" and text[13] == text[16] == ":":
        whole, fraction = text, None
    else:
        match = _INSTANT.fullmatch(text)
        if match is None:
            raise refusal(Flaw.BAD_VALUE, path)
        day, clock, fraction, offset = match.groups()
        whole = f"{day}T{clock}{(offset or '+00:00').upper().replace('Z', '+00:00')}"
    try:
        at = datetime.fromisoformat(whole)
    except ValueError:
        raise refusal(Flaw.BAD_VALUE, path) from None
    if at.year not in _YEARS or at.tzinfo is None:
        raise refusal(Flaw.BAD_VALUE, path)
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at if fraction is None else at.replace(microsecond=int(f"{fraction}00000"[:6]))


def exact_text(value: Number) -> str:
    """The shortest exact writing: a plain decimal, or a fraction in lowest terms such as "17/60"."""
    if type(value) is Decimal:
        return _shortest(format(value, "f"))
    numerator, denominator = value.as_integer_ratio()
    rest = denominator
    twos = (rest & -rest).bit_length() - 1
    rest >>= twos
    fives = 0
    while rest % 5 == 0:
        rest //= 5
        fives += 1
    return f"{numerator}/{denominator}" if rest != 1 else _decimal(numerator, denominator, max(twos, fives))


def quantity_text(units: Units) -> str:
    """The same for a quantity in units."""
    if isinstance(units, int) and not units % _WHOLE_OF_DECIMALS:
        return _decimal(units, WHOLE, _PLACES)
    return exact_text(quantity(units))


def _decimal(numerator: int, denominator: int, places: int) -> str:
    if not places:
        return str(numerator // denominator)
    digits = str(abs(numerator) * 10**places // denominator).rjust(places + 1, "0")
    return _shortest(f"{'-' if numerator < 0 else ''}{digits[:-places]}.{digits[-places:]}")


def _shortest(plain: str) -> str:
    text = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return "0" if text == "-0" else text


def _as_text(value: object, path: Path) -> str:
    if not isinstance(value, str):
        raise refusal(Flaw.BAD_VALUE, path)
    return value
