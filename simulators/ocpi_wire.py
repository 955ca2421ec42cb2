"""OCPI 2.2.1 on the wire, as little as a charge point operator needs: tokens, times, numbers, the reply envelope."""

from __future__ import annotations

import base64
import hmac
import sys
from datetime import UTC, datetime
from decimal import Decimal

import orjson


def authorization(token: str) -> str:
    """The header that carries a token: `Token <base64 of its UTF-8>` (OCPI 2.2.1, Transport and format)."""
    return f"Token {base64.b64encode(token.encode()).decode()}"


def opens(header: str, token: str) -> bool:
    """Whether an `Authorization` header carries this token, encoded or bare."""
    scheme, _, said = header.partition(" ")
    bare = f"Token {token}"
    given = f"Token {said.strip()}".encode()
    known = [hmac.compare_digest(given, right.encode()) for right in (authorization(token), bare)]
    return scheme.lower() == "token" and any(known)


def instant(at: datetime) -> str:
    """RFC 3339 in UTC with `Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def now() -> datetime:
    """The present second."""
    return datetime.now(UTC).replace(microsecond=0)


def encoded(value: object) -> bytes:
    """JSON; a `Decimal` is written digit for digit and never passes through a float."""
    return orjson.dumps(value, default=_digits)


def envelope(status_code: int, data: object = None, message: str | None = None) -> bytes:
    """The reply around everything: `{data?, status_code, status_message?, timestamp}`."""
    facts = {"data": data, "status_code": status_code, "status_message": message, "timestamp": instant(now())}
    return encoded({name: fact for name, fact in facts.items() if fact is not None})


def log(event: str, **facts: object) -> None:
    """One JSON line on stderr."""
    sys.stderr.write(encoded({"at": instant(now()), "event": event, **facts}).decode() + "\n")
    sys.stderr.flush()


def _digits(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(f"{value:f}")
    raise TypeError(f"{type(value).__name__} has no place on the wire")
