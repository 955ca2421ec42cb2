"""What strangers wrote: strict JSON, then fields that are exact or refused with their path."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

import orjson

from domain.errors import InvalidInput, NotFound
from domain.tariffs import parse_instant

T = TypeVar("T")
Word = TypeVar("Word", bound=StrEnum)

ID_LENGTH = 36
CDR_ID_LENGTH = 39
MOST_KWH = 1_000_000
MOST_HOURS = 1_000_000
MOST_VOLUME = 1_000_000
MOST_MONEY = 1_000_000_000
"""Beyond these a number is a mistake: they keep every sum inside 64 bits."""

MISSING = "A required field is missing."
BAD_VALUE = "The value does not fit this field."
BAD_NUMBER = "The number is not one that money can be counted with."

_LONGEST_WHOLE = 30
_FINEST = -30
_PRINTABLE = re.compile(r"[ -~]+")


class NotJson(ValueError):
    """The body is not JSON as RFC 8259 and RFC 8785 (no name twice) have it."""


def read_json(raw: bytes) -> object:
    """The body with every number as int or Decimal. Raises NotJson."""
    try:
        # The fast reader knows what is JSON and how deep it may be; the other one keeps numbers exact.
        orjson.loads(raw)
        return json.loads(raw.decode(), parse_float=Decimal, parse_int=_whole, object_pairs_hook=_each_once)
    except (ValueError, ArithmeticError, RecursionError):
        raise NotJson("The body is not JSON.") from None


def _whole(digits: str) -> int:
    if len(digits) > _LONGEST_WHOLE:
        raise ValueError("immodest")
    return int(digits)


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def named(names: Mapping[str, str], name: str, what: str, most: int = ID_LENGTH) -> str:
    """What an address names to be read. Raises NotFound for what can name nothing."""
    value = names[name]
    if len(value) > most or not _PRINTABLE.fullmatch(value):
        raise NotFound(what)
    return value


class Fields:
    """The fields of one JSON object at `path`. Null is absent, absent is None; what is unfit raises InvalidInput."""

    def __init__(self, raw: Mapping[str, object], path: tuple[str, ...] = ()) -> None:
        self.raw = raw
        self.path = path

    def needed(self, name: str, value: T | None) -> T:
        """A value that must be there."""
        if value is None:
            raise InvalidInput(MISSING, (*self.path, name))
        return value

    def need(self, names: Sequence[str]) -> None:
        """Refuse the object unless all these fields are there."""
        for name in names:
            self.needed(name, self.raw.get(name))

    def text(self, name: str, most: int = ID_LENGTH, least: int = 1) -> str | None:
        """A CiString: printable ASCII, its case kept."""
        value = self.raw.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not least <= len(value) <= most or not _PRINTABLE.fullmatch(value):
            raise self.unfit(name)
        return value

    def word(self, name: str, words: type[Word]) -> Word | None:
        """One of a closed set of words."""
        value = self.raw.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or value not in words.__members__.values():
            raise self.unfit(name)
        return words(value)

    def number(self, name: str, most: int, least: int = 0) -> Decimal | None:
        """An exact number from `least` to `most`; texts, floats and endless fractions are none."""
        value = self.raw.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise InvalidInput(BAD_NUMBER, (*self.path, name))
        exact = Decimal(value)
        exponent = exact.as_tuple().exponent
        if not isinstance(exponent, int) or exponent < _FINEST or not least <= exact <= most:
            raise InvalidInput(BAD_NUMBER, (*self.path, name))
        return exact

    def instant(self, name: str) -> datetime | None:
        """An instant in UTC."""
        value = self.raw.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.unfit(name)
        return parse_instant(value, (*self.path, name))

    def flag(self, name: str) -> bool | None:
        """True or false."""
        value = self.raw.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.unfit(name)
        return value

    def within(self, name: str) -> Fields | None:
        """The fields of an object below this one."""
        value = self.raw.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.unfit(name)
        return Fields(value, (*self.path, name))

    def matches(self, name: str, expected: str) -> None:
        """Refuse the object if it names itself otherwise than its address or its sender; case does not matter."""
        value = self.raw.get(name)
        if value is not None and (not isinstance(value, str) or value.casefold() != expected.casefold()):
            raise InvalidInput("This is not what the address and the sender say.", (*self.path, name))

    def each(self, name: str, most: int) -> list[Fields] | None:
        """The fields of every object of a list."""
        value = self.raw.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) > most:
            raise self.unfit(name)
        for one in value:
            if not isinstance(one, Mapping):
                raise self.unfit(name)
        return [Fields(one, (*self.path, name, str(i))) for i, one in enumerate(value)]

    def words(self, name: str, most: int) -> str | None:
        """Any text, kept as it came."""
        value = self.raw.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > most):
            raise self.unfit(name)
        return value

    def unfit(self, name: str) -> InvalidInput:
        """The refusal of a field."""
        return InvalidInput(BAD_VALUE, (*self.path, name))
