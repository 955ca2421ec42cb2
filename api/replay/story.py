"""What an operator tells about one session, message by message, in OCPI 2.2.1. Pure: equal rows give equal messages.

Only the energy of the whole session was recorded: the one meter value in between lies halfway. Numbers have the four
decimals of OCPI, cut so that the parts of a session add up to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from api.replay.onboarding import (
    COUNTRY,
    PARTY,
    VAT_PERCENT,
    connector_id,
    evse_id,
    evse_uid,
    standard,
    tariff,
    tariff_id,
)
from api.replay.recorded import CURRENCY, Recorded
from domain.money import Money, rounded

_SHORTEST_READ = 120
"""Seconds of a session that is worth a meter value between its start and its end."""
_PLACES = 4
_TAX = 1 + Fraction(VAT_PERCENT) / 100
_TOKEN_TYPES = {"RFID": "RFID", "App": "APP_USER"}


@dataclass(frozen=True, slots=True)
class Message:
    """One request below the operator's base path, due at `at`. `is_first` and `bills` say what its answer is about."""

    at: datetime
    method: str
    path: str
    body: dict[str, object]
    is_first: bool = False
    bills: bool = False


def told(row: Recorded) -> list[Message]:
    """Everything about a session, in the order in which it is told."""
    path = f"sessions/{COUNTRY}/{PARTY}/{row.id}"
    messages = [Message(row.started_at, "PUT", path, _begun(row), is_first=True)]
    messages += [Message(row.started_at + timedelta(seconds=at), "PATCH", path, body) for at, body in _values(row)]
    if row.bill is not None:
        messages.append(Message(messages[-1].at, "POST", "cdrs", _cdr(row), bills=True))
    return messages


def _begun(row: Recorded) -> dict[str, object]:
    return {
        "country_code": COUNTRY,
        "party_id": PARTY,
        "id": row.id,
        "start_date_time": instant(row.started_at),
        "kwh": Decimal(0),
        "cdr_token": _token(row),
        "auth_method": "WHITELIST",
        "location_id": row.place.station,
        "evse_uid": evse_uid(row.place),
        "connector_id": connector_id(row.place.plug),
        "currency": CURRENCY,
        "charging_periods": [],
        "status": "ACTIVE",
        "last_updated": instant(row.started_at),
    }


def _values(row: Recorded) -> Iterator[tuple[int, dict[str, object]]]:
    """Meter values by seconds since the start; the last one ends the session."""
    *between, last = _stretches(row)
    for stretch in between:
        now = row.started_at + timedelta(seconds=stretch.until)
        body: dict[str, object] = {
            "kwh": _kwh(stretch.total_wh),
            "charging_periods": [_period(row, stretch)],
            "status": "ACTIVE",
            "last_updated": instant(now),
        }
        yield stretch.until, body
    # Later than the beginning even where the clock saw no second pass.
    told_after = max(row.seconds, 1)
    body = {
        "kwh": row.energy.kwh,
        "charging_periods": [_period(row, last)],
        "status": "INVALID" if row.bill is None else "COMPLETED",
        "end_date_time": instant(row.ended_at),
        "last_updated": instant(row.started_at + timedelta(seconds=told_after)),
    }
    yield told_after, body


class _Stretch(NamedTuple):
    """From one meter value to the next, in seconds since the start."""

    since: int
    until: int
    wh: int
    total_wh: int


def _stretches(row: Recorded) -> list[_Stretch]:
    shares = range(2 if row.seconds < _SHORTEST_READ else 3)
    values = [(row.seconds * share // shares[-1], row.energy.wh * share // shares[-1]) for share in shares]
    return [_Stretch(since, until, wh - before, wh) for (since, before), (until, wh) in pairwise(values)]


def _cdr(row: Recorded) -> dict[str, object]:
    assert row.bill is not None
    parts = {
        "total_energy_cost": row.bill.energy,
        "total_time_cost": row.bill.time,
        "total_parking_cost": row.bill.parking,
    }
    return {
        "country_code": COUNTRY,
        "party_id": PARTY,
        "id": row.id,
        "start_date_time": instant(row.started_at),
        "end_date_time": instant(row.ended_at),
        "session_id": row.id,
        "cdr_token": _token(row),
        "auth_method": "WHITELIST",
        "cdr_location": _location(row),
        "currency": CURRENCY,
        "tariffs": [tariff(row.rate)],
        "charging_periods": [_period(row, stretch) for stretch in _stretches(row)],
        "total_cost": _price(row.bill.total),
        **{name: _price(part) for name, part in parts.items() if part is not None},
        "total_energy": row.energy.kwh,
        "total_time": _hours(row.seconds),
        "last_updated": instant(row.ended_at),
    }


def _token(row: Recorded) -> dict[str, object]:
    uid = "ANONYMOUS" if row.user is None else f"USER-{row.user}"
    kind = _TOKEN_TYPES.get(row.started_by, "OTHER")
    return {"country_code": COUNTRY, "party_id": PARTY, "uid": uid, "type": kind, "contract_id": uid}


def _location(row: Recorded) -> dict[str, object]:
    return {
        "id": row.place.station,
        "name": row.place.name,
        "address": row.place.town,
        "city": row.place.town,
        "country": "CHE",
        "evse_uid": evse_uid(row.place),
        "evse_id": evse_id(row.place),
        "connector_id": connector_id(row.place.plug),
        "connector_standard": standard(row.place.plug),
        "connector_format": "SOCKET",
        "connector_power_type": "AC_3_PHASE",
    }


def _period(row: Recorded, stretch: _Stretch) -> dict[str, object]:
    energy = {"type": "ENERGY", "volume": _kwh(stretch.wh)}
    time = {"type": "TIME", "volume": _hours(stretch.until) - _hours(stretch.since)}
    return {
        "start_date_time": instant(row.started_at + timedelta(seconds=stretch.since)),
        "dimensions": [energy, time],
        "tariff_id": tariff_id(row.rate),
    }


def _kwh(wh: int) -> Decimal:
    return Decimal(wh).scaleb(-3)


def _hours(seconds: int) -> Decimal:
    return Decimal(rounded(Fraction(seconds * 10**_PLACES, 3600))).scaleb(-_PLACES)


def _price(amount: Money) -> dict[str, Decimal]:
    """With tax as charged; the net is far enough from half a cent to be rounded from four decimals."""
    net = rounded(Fraction(amount.major) * 10**_PLACES / _TAX)
    return {"excl_vat": Decimal(net).scaleb(-_PLACES), "incl_vat": amount.major}


def instant(at: datetime) -> str:
    """RFC 3339 in UTC with `Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
