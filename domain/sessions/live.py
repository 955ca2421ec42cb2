"""From the log of a session to the record that is priced: pure, so any order of looking gives the same cent.

Periods that the charge point declares are billed as declared as long as they account for the energy it counted;
otherwise periods are derived from its readings, from one reading to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import orjson

from domain.energy import Energy
from domain.errors import InvalidInput
from domain.money import rounded
from domain.sessions.models import MeterReading
from domain.tariffs import ChargingPeriod, ChargingRecord, DimensionType, exact_text, parse_instant

_SECOND = timedelta(seconds=1)
MOST_W = 2**31 - 1
_TICK = timedelta(microseconds=1)
_TICKS_AN_HOUR = timedelta(hours=1) // _TICK
_ENERGY = {DimensionType.ENERGY: 1}
_IN_AND_OUT = {DimensionType.ENERGY_IMPORT: 1, DimensionType.ENERGY_EXPORT: -1}


@dataclass(frozen=True, slots=True)
class Point:
    """What one accepted push says about the meter: energy since the start at an instant, and its periods if any."""

    at: datetime
    energy: Energy
    replaces: bool = False
    periods: tuple[ChargingPeriod, ...] | None = None


@dataclass(frozen=True, slots=True)
class Folded:
    """The record to be priced, and what the session looks like now; power is that of the last stretch, in W."""

    record: ChargingRecord
    is_declared: bool
    is_parked: bool
    power_w: int | None
    charging_seconds: int
    idle_seconds: int


def fold(started_at: datetime, ended_at: datetime | None, points: Sequence[Point]) -> Folded:
    """The record of a session that began at `started_at`, from everything told about it, in the order it was told."""
    declared = declared_periods(points)
    energy = points[-1].energy if points else Energy(0)
    accounts = bool(declared) and abs(_declared_wh(declared) - energy.wh) <= max(1, len(declared))
    periods = declared if accounts else _derived(started_at, ended_at, points)
    end = ended_at or max([started_at, *(point.at for point in points)])
    charging, idle = _seconds(periods, DimensionType.TIME), _seconds(periods, DimensionType.PARKING_TIME)
    if not charging and not idle:
        # Nobody said how long energy flowed, so it did as long as the session lasted.
        charging = (end - started_at) // _SECOND
    return Folded(
        record=ChargingRecord(started_at=started_at, ended_at=end, periods=periods),
        is_declared=accounts,
        is_parked=bool(periods) and _is_parked(periods[-1]),
        power_w=_power(periods),
        charging_seconds=charging,
        idle_seconds=idle,
    )


def declared_periods(points: Iterable[Point]) -> tuple[ChargingPeriod, ...]:
    """All declared periods by start. The same period told again counts once.

    Raises InvalidInput when a period starts where another one with other volumes does.
    """
    known: dict[datetime, ChargingPeriod] = {}
    for point in points:
        if point.replaces and point.periods is not None:
            known = {}
        for period in point.periods or ():
            before = known.setdefault(period.start_at, period)
            if before != period:
                raise InvalidInput("Another charging period starts at the same instant.", ("charging_periods",))
    return tuple(known[start] for start in sorted(known))


def _declared_wh(periods: Sequence[ChargingPeriod]) -> Fraction:
    return sum((_period_kwh(period) for period in periods), Fraction(0)) * 1000


def _period_kwh(period: ChargingPeriod) -> Fraction:
    """As it will be priced: ENERGY where it is listed, else what came in without what went out."""
    has_energy = any(kind is DimensionType.ENERGY for kind, _ in period.dimensions)
    signs = _ENERGY if has_energy else _IN_AND_OUT
    return sum((signs.get(kind, 0) * Fraction(volume) for kind, volume in period.dimensions), Fraction(0))


def _seconds(periods: Sequence[ChargingPeriod], kind: DimensionType) -> int:
    hours = (Fraction(volume) for period in periods for told, volume in period.dimensions if told is kind)
    return rounded(sum(hours, Fraction(0)) * 3600)


def _derived(started_at: datetime, ended_at: datetime | None, points: Sequence[Point]) -> tuple[ChargingPeriod, ...]:
    """One period from each reading to the next; a stretch in which no energy flowed is parking.

    Meters do not run backwards, so energy orders the readings; none was taken before the start or after the end.
    """
    found, since, energy = [], started_at, Energy(0)
    for point in sorted(points, key=lambda point: (point.energy, point.at)):
        at = max(since, point.at if ended_at is None else min(point.at, ended_at))
        if at == since and point.energy == energy:
            continue
        flowed = point.energy - energy
        hours = Fraction((at - since) // _TICK, _TICKS_AN_HOUR)
        kind = DimensionType.TIME if flowed.wh else DimensionType.PARKING_TIME
        dimensions = ((DimensionType.ENERGY, flowed.kwh), (kind, hours)) if flowed.wh else ((kind, hours),)
        found.append(ChargingPeriod(since, dimensions))
        since, energy = at, point.energy
    return tuple(found)


def _is_parked(period: ChargingPeriod) -> bool:
    return any(kind is DimensionType.PARKING_TIME and volume for kind, volume in period.dimensions)


def _power(periods: Sequence[ChargingPeriod]) -> int | None:
    if not periods or _is_parked(periods[-1]):
        return None
    volumes = dict(periods[-1].dimensions)
    energy, hours = volumes.get(DimensionType.ENERGY), volumes.get(DimensionType.TIME)
    # A stretch of no time at all has no power that could be believed.
    return min(int(Fraction(energy) / Fraction(hours) * 1000), MOST_W) if energy and hours else None


def points_of(readings: Iterable[MeterReading]) -> list[Point]:
    """The log as points."""
    return [Point(row.at, Energy(row.energy_wh), row.replaces, _periods(row.periods)) for row in readings]


def periods_json(periods: Iterable[ChargingPeriod] | None) -> str | None:
    """Declared periods as they lie in the log: exact numbers as text."""
    if periods is None:
        return None
    content = [
        {
            "start_at": period.start_at.isoformat(),
            "dimensions": [[kind.value, exact_text(volume)] for kind, volume in period.dimensions],
            "tariff_id": period.tariff_id,
        }
        for period in periods
    ]
    return orjson.dumps(content).decode()


def _periods(text: str | None) -> tuple[ChargingPeriod, ...] | None:
    if text is None:
        return None
    return tuple(
        ChargingPeriod(
            parse_instant(item["start_at"]),
            tuple((DimensionType(kind), _number(volume)) for kind, volume in item["dimensions"]),
            item["tariff_id"],
        )
        for item in _listed(text)
    )


def _listed(text: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = orjson.loads(text)
    return items


def _number(text: str) -> Decimal | Fraction:
    return Fraction(text) if "/" in text else Decimal(text)
