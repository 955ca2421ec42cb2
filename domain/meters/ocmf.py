"""Records of the Open Charge Metering Format (SAFE e.V., OCMF 1.3): `OCMF|{payload}|{signature}`, kept as signed.

Strangers write them: every number is exact and modest, no name stands twice, and whatever is unfit is refused.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from domain.errors import InvalidInput

LONGEST = 20_000
"""Characters; OCPI allows 5,000 of base64."""

_HEADER = "OCMF|"
_HANDED_ON = ("TM", "TX", "RI", "RU", "RT", "EF", "ST")
"""Fields that a reading takes over from the one before it."""

_MOST_DIGITS = 30
_DEFAULT_METHOD, _DEFAULT_ENCODING = "ECDSA-secp256r1-SHA256", "hex"
_PAGE = re.compile(r"([TF])(0|[1-9]\d{0,17})", re.ASCII)


@dataclass(frozen=True, slots=True)
class MeterValue:
    """One reading. `reason` is TX, `clock` the letter behind the time, `status` ST, `flags` EF, `losses` CL."""

    at: datetime
    clock: str
    reason: str | None
    value: Decimal | None
    register: str | None
    unit: str | None
    status: str | None
    flags: str
    losses: Decimal | None

    @property
    def kwh(self) -> Decimal | None:
        """The value in kWh; None in other units."""
        if self.value is None:
            return None
        return {"kWh": self.value, "Wh": self.value.scaleb(-3)}.get(self.unit or "")


@dataclass(frozen=True, slots=True)
class Ocmf:
    """One record. `signed` is the payload exactly as it was received, which is what the signature is about."""

    signed: str
    method: str
    encoding: str
    signature: str
    key: str | None
    """A public key written behind the signature, where the format has no place for one."""
    gateway: str | None
    meter: str | None
    page: str | None
    identification: str | None
    level: str | None
    """How well the driver is known (IL)."""
    has_losses: bool
    knows_losses: bool
    readings: tuple[MeterValue, ...]

    @property
    def place(self) -> tuple[str, int] | None:
        """Kind and number of the page, T for transactions, F for fiscal readings; None if it is neither."""
        found = _PAGE.fullmatch(self.page or "")
        return None if found is None else (found[1], int(found[2]))


def read_ocmf(text: str) -> Ocmf:
    """The record in a text: plain, or in hexadecimal or base64 digits. Raises InvalidInput."""
    if len(text) > LONGEST:
        raise InvalidInput("A record of a meter is not as long as this.")
    plain = _plain(text.strip())
    signed, end = _object(plain, len(_HEADER))
    if plain[end : end + 1] != "|":
        raise InvalidInput("There is no signature behind the readings.")
    signature, last = _object(plain, end + 1)
    key = plain[last + 1 :].strip() if plain[last : last + 1] == "|" else ""
    if last != len(plain) and not key:
        raise InvalidInput("Something follows the signature.")
    losses = _within(signed, "LC")
    return Ocmf(
        signed=plain[len(_HEADER) : end],
        method=_text(signature, "SA") or _DEFAULT_METHOD,
        encoding=_text(signature, "SE") or _DEFAULT_ENCODING,
        signature=_text(signature, "SD") or "",
        key=key or None,
        gateway=_text(signed, "GS"),
        meter=_text(signed, "MS"),
        page=_text(signed, "PG"),
        identification=_text(signed, "ID"),
        level=_text(signed, "IL"),
        has_losses=losses is not None,
        knows_losses=losses is not None and _number(losses, "LR") is not None and losses.get("LU") in ("mOhm", "uOhm"),
        readings=tuple(_readings(signed)),
    )


def _plain(text: str) -> str:
    if text.startswith(_HEADER):
        return text
    for decode in (bytes.fromhex, _base64):
        try:
            plain = decode(text).decode()
        except ValueError:
            continue
        if plain.startswith(_HEADER):
            return plain.strip()
    raise InvalidInput("This is not a record of the Open Charge Metering Format.")


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def _object(text: str, start: int) -> tuple[dict[str, Any], int]:
    """The JSON object that begins here, after spaces, and where it ends."""
    try:
        found, end = _DECODER.raw_decode(text, start + len(text[start:]) - len(text[start:].lstrip()))
    except (ValueError, ArithmeticError, RecursionError):
        raise InvalidInput("The record is not written in JSON.") from None
    if not isinstance(found, dict):
        raise InvalidInput("The record is not written in JSON objects.")
    return found, end


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice: readers could disagree about what was signed")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_once)


def _readings(signed: Mapping[str, object]) -> Iterator[MeterValue]:
    listed = signed.get("RD")
    if not isinstance(listed, list) or not listed:
        raise InvalidInput("There are no readings.", ("RD",))
    before: dict[str, object] = {}
    for raw in listed:
        if not isinstance(raw, dict):
            raise InvalidInput("A reading is not an object.", ("RD",))
        before = {name: before[name] for name in _HANDED_ON if name in before} | raw
        yield _reading(before)


def _reading(raw: Mapping[str, object]) -> MeterValue:
    at, clock = _time(_text(raw, "TM") or "")
    return MeterValue(
        at=at,
        clock=clock,
        reason=(_text(raw, "TX") or "").strip() or None,
        value=_number(raw, "RV"),
        register=_text(raw, "RI"),
        unit=_text(raw, "RU"),
        status=_text(raw, "ST"),
        flags=_text(raw, "EF") or "",
        losses=_number(raw, "CL"),
    )


def _time(text: str) -> tuple[datetime, str]:
    """`2026-05-04T08:00:00,000+0200 S`; without a letter behind it the clock is not known to be right."""
    written, _, clock = text.strip().partition(" ")
    try:
        at = datetime.fromisoformat(written.replace(",", "."))
    except ValueError:
        raise InvalidInput("A reading has no time.", ("RD", "TM")) from None
    if at.tzinfo is None:
        raise InvalidInput("The time of a reading has no offset.", ("RD", "TM"))
    return at, clock.strip() or "U"


def _within(raw: Mapping[str, object], name: str) -> Mapping[str, object] | None:
    value = raw.get(name)
    if value is not None and not isinstance(value, dict):
        raise InvalidInput("This is not an object.", (name,))
    return value


def _text(raw: Mapping[str, object], name: str) -> str | None:
    value = raw.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidInput("This is not a text.", (name,))
    return value


def _number(raw: Mapping[str, object], name: str) -> Decimal | None:
    """An exact number; some meters write it as text, padded with spaces."""
    value = raw.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise InvalidInput("This is not a number.", (name,))
    try:
        exact = Decimal(value.strip()) if isinstance(value, str) else Decimal(value)
    except ArithmeticError:
        raise InvalidInput("This is not a number.", (name,)) from None
    if not exact.is_finite() or len(exact.as_tuple().digits) > _MOST_DIGITS or abs(exact.adjusted()) > _MOST_DIGITS:
        raise InvalidInput("This number is not one that a meter shows.", (name,))
    return exact
