"""Reading JSON values that strangers wrote: exact numbers, texts and instants, each refusal with its path."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from domain.errors import InvalidInput
from domain.tariffs.findings import Code, Finding

Number = int | Decimal | Fraction
"""An exact number; a float is never one."""

Path = tuple[str, ...]

MOST_DIGITS = 30
"""Significant digits and powers of ten beyond which a number is refused: it protects memory as well as sense."""

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


def refusal(flaw: Flaw, path: Path) -> InvalidInput:
    """The refusal of what lies at `path`."""
    return InvalidInput(flaw.value, path)


class Reader:
    """Reads one document and keeps what it noticed on the way."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def number(self, value: object, path: Path) -> Decimal:
        """An exact number given as int, Decimal or numeric text; float, NaN and immodest sizes are refused."""
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
        return None if value is None else self.number(value, (*path, name))

    def expected_text(self, raw: Mapping[str, object], name: str, path: Path) -> str:
        """A text that pricing can do without: absent is noticed and read as empty."""
        value = raw.get(name)
        if value is None:
            self.findings.append(Finding(Code.FIELD_MISSING, f"{name} is missing.", path=(*path, name)))
            return ""
        return _as_text(value, (*path, name))


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
    if not isinstance(value, Mapping):
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
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise refusal(Flaw.BAD_VALUE, path)
    day, clock, fraction, offset = match.groups()
    try:
        naive = datetime.fromisoformat(f"{day}T{clock}{(offset or '+00:00').upper().replace('Z', '+00:00')}")
    except ValueError:
        raise refusal(Flaw.BAD_VALUE, path) from None
    if naive.year not in _YEARS:
        raise refusal(Flaw.BAD_VALUE, path)
    return naive.astimezone(UTC).replace(microsecond=int(f"{fraction or ''}000000"[:6]))


def exact_text(value: Number) -> str:
    """The shortest exact writing: a plain decimal, or a fraction in lowest terms such as "17/60"."""
    exact = Fraction(value)
    numerator, rest = exact.numerator, exact.denominator
    twos = (rest & -rest).bit_length() - 1
    rest >>= twos
    fives = 0
    while rest % 5 == 0:
        rest //= 5
        fives += 1
    if rest != 1:
        return str(exact)
    places = max(twos, fives)
    digits = str(abs(numerator) * 10**places // exact.denominator).rjust(places + 1, "0")
    whole, decimals = (digits[:-places], digits[-places:]) if places else (digits, "")
    return f"{'-' if numerator < 0 else ''}{whole}{'.' if decimals else ''}{decimals}"


def _as_text(value: object, path: Path) -> str:
    if not isinstance(value, str):
        raise refusal(Flaw.BAD_VALUE, path)
    return value
