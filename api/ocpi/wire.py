"""OCPI 2.2.1 on the wire: status codes, the reply envelope, how tokens, instants and numbers are written."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction

import orjson

from domain.money import rounded

VERSION = "2.2.1"
MOST_DECIMALS = 4


class Code(IntEnum):
    """`status_code` of the envelope (OCPI 2.2.1, Status codes)."""

    DONE = 1000
    CLIENT_ERROR = 2000
    INVALID = 2001
    UNKNOWN_LOCATION = 2003
    UNKNOWN_TOKEN = 2004
    SERVER_ERROR = 3000


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to a partner; `data` None is left out of the envelope."""

    data: object = None
    message: str | None = None
    http: int = 200
    code: Code = Code.DONE
    headers: Mapping[str, str] = field(default_factory=dict)


def envelope(answer: Answer, at: datetime) -> bytes:
    """`{data?, status_code, status_message?, timestamp}`."""
    facts = {
        "data": answer.data,
        "status_code": int(answer.code),
        "status_message": answer.message,
        "timestamp": instant(at),
    }
    return encoded({name: fact for name, fact in facts.items() if fact is not None})


def encoded(value: object) -> bytes:
    """JSON; a Decimal is written digit for digit and never passes through a float."""
    return orjson.dumps(value, default=_digits)


def instant(at: datetime) -> str:
    """RFC 3339 in UTC with `Z`; fractions only if there are any."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def number(exact: int | Decimal | Fraction) -> Decimal:
    """The nearest number of at most four decimals."""
    return Decimal(rounded(Fraction(exact) * 10**MOST_DECIMALS)).scaleb(-MOST_DECIMALS).normalize()


def authorization(token: str) -> str:
    """The header that carries a token: `Token <base64 of its UTF-8>`."""
    return f"Token {base64.b64encode(token.encode()).decode('ascii')}"


def _digits(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(f"{value:f}")
    raise TypeError(f"{type(value).__name__} has no place on the wire")
