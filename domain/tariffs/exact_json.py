"""JSON without loss: numbers are read as they are written and written as they are, never through a float."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation

import orjson

from domain.tariffs.reading import Flaw, exact_text, refusal

_MAY_BE_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
"""An escape that is half of a character; alone it is no text that could be written again."""


def read_json(data: bytes) -> object:
    """A JSON document of UTF-8. Raises `InvalidInput`: no JSON, or NaN, Infinity or a number beyond all sense in it."""
    try:
        text = data.decode()
        if _MAY_BE_HALF.search(data):
            orjson.loads(data)  # refuses halves of characters
        return json.loads(text, parse_float=Decimal, parse_constant=_refused)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise refusal(Flaw.BAD_JSON, ()) from None
    except (InvalidOperation, ValueError):  # a power of ten, or digits, beyond what can be held
        raise refusal(Flaw.BAD_NUMBER, ()) from None


def json_text(statement: object) -> bytes:
    """A statement as JSON; Decimals become numbers, digit by digit."""
    return orjson.dumps(statement, default=_number)


def _number(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(exact_text(value))
    raise TypeError(type(value).__name__)


def _refused(name: str) -> object:
    raise refusal(Flaw.BAD_NUMBER, (name,))
