"""The identity of a tariff's content: canonical JSON and its SHA-256."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256

from domain.tariffs.reading import MOST_DIGITS, Flaw, Path, refusal

_DEEPEST = 32


def canonical_json(raw: Mapping[str, object]) -> str:
    """One text per content: keys sorted, no spaces, numbers exact and as short as can be (`2.50` and `2.5` are one).

    Raises `InvalidInput` for floats, for NaN and for what is nested absurdly deep.
    """
    return json_of(raw)


def json_of(value: object) -> str:
    """The same for any value of JSON."""
    return _written(value, (), _DEEPEST)


def edition_of(raw: Mapping[str, object]) -> str:
    """`sha256:` and the hex digest of the canonical JSON: new content under an old id is a new edition."""
    return f"sha256:{sha256(canonical_json(raw).encode()).hexdigest()}"


def _written(value: object, path: Path, depth: int) -> str:
    if depth == 0:
        raise refusal(Flaw.BAD_VALUE, path)
    if isinstance(value, Mapping):
        members = sorted((str(name), member) for name, member in value.items())
        inside = (f"{_text(name)}:{_written(member, (*path, name), depth - 1)}" for name, member in members)
        return f"{{{','.join(inside)}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(_written(item, (*path, str(i)), depth - 1) for i, item in enumerate(value))}]"
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal) and value.is_finite():
        return _number(value)
    raise refusal(Flaw.BAD_NUMBER if isinstance(value, float) else Flaw.BAD_VALUE, path)


def _text(value: str) -> str:
    return json.dumps(value)


def _number(value: Decimal) -> str:
    if abs(value.adjusted()) > MOST_DIGITS:
        return str(value)  # a number that is never counted with; written out it might be endless
    plain = format(value, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain == "-0" else plain
