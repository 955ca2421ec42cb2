"""From the log of a session to what is priced: pure, so any order of looking gives the same cent.

Periods that the charge point declares are billed as declared as long as they account for the energy it counted;
otherwise periods are derived from its readings, from one reading to the next, and cut wherever a price may change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import orjson

from domain.energy import Energy
from domain.errors import InvalidInput
from domain.money import rounded
from domain.sessions.models import MeterReading
from domain.tariffs import (
    ChargingPeriod,
    ChargingRecord,
    Cut,
    DimensionType,
    Evidence,
    exact_text,
    parse_instant,
)

_SECOND = timedelta(seconds=1)
MOST_W = 2**31 - 1
_TICK = timedelta(microseconds=1)
_TICKS_AN_HOUR = timedelta(hours=1) // _TICK
_ENERGY = {DimensionType.ENERGY: 1}
_BILLED_TIMES = (DimensionType.TIME, DimensionType.PARKING_TIME, DimensionType.RESERVATION_TIME)
_IN_AND_OUT = {DimensionType.ENERGY_IMPORT: 1, DimensionType.ENERGY_EXPORT: -1}

Cutter = Callable[[Cut, Cut], list[Cut]]
"""Where between two readings the price may change."""


class Point(NamedTuple):
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
    paused_seconds: int


def uncut(since: Cut, until: Cut) -> list[Cut]:  # noqa: ARG001  it never looks
    """No price changes anywhere."""
    return []


def fold(started_at: datetime, ended_at: datetime | None, points: Sequence[Point], cutter: Cutter = uncut) -> Folded:
    """The record of a session that began at `started_at`, from everything told about it, in the order it was told."""
    declared = declared_periods(points)
    energy = max((point.energy for point in points), default=Energy(0))
    accounts = accounts_for(sum((declared_kwh(period) for period in declared), Fraction(0)), len(declared), energy)
    periods = declared if accounts else tuple(_derived(started_at, ended_at, points, cutter))
    end = ended_at or max([started_at, *(point.at for point in points)])
    paused = sum((length for period, length in _lengths(periods, end) if is_paused(period)), timedelta(0))
    charging, idle = hours(periods, DimensionType.TIME), hours(periods, DimensionType.PARKING_TIME)
    return Folded(
        record=ChargingRecord(started_at=started_at, ended_at=end, periods=periods),
        is_declared=accounts,
        is_parked=bool(periods) and is_parked(periods[-1]),
        power_w=power(periods[-1]) if periods else None,
        charging_seconds=charging_seconds(charging, idle, end - started_at - paused),
        idle_seconds=rounded(idle * 3600),
        paused_seconds=paused // _SECOND,
    )


def accounts_for(kwh: Fraction, periods: int, energy: Energy) -> bool:
    """Whether declared periods account for the energy that was counted, to a Wh each."""
    return periods > 0 and abs(kwh * 1000 - energy.wh) <= max(1, periods)


def charging_seconds(charging: Fraction, idle: Fraction, lasted: timedelta) -> int:
    """Whole seconds of charging; if nobody said how long energy flowed, it did as long as the session lasted.

    `lasted` leaves out what was paused.
    """
    seconds = rounded(charging * 3600)
    return seconds if seconds or rounded(idle * 3600) else lasted // _SECOND


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
                raise contradiction()
    return tuple(known[start] for start in sorted(known))


def contradiction() -> InvalidInput:
    """Two periods that cannot both be true."""
    return InvalidInput("Another charging period starts at the same instant.", ("charging_periods",))


def declared_kwh(period: ChargingPeriod) -> Fraction:
    """As it will be priced: ENERGY where it is listed, else what came in without what went out."""
    has_energy = any(kind is DimensionType.ENERGY for kind, _ in period.dimensions)
    signs = _ENERGY if has_energy else _IN_AND_OUT
    return sum((signs.get(kind, 0) * Fraction(volume) for kind, volume in period.dimensions), Fraction(0))


def hours(periods: Iterable[ChargingPeriod], kind: DimensionType) -> Fraction:
    """What periods list of a time, added up."""
    volumes = (Fraction(volume) for period in periods for told, volume in period.dimensions if told is kind)
    return sum(volumes, Fraction(0))


def is_parked(period: ChargingPeriod) -> bool:
    """Whether the vehicle stood there without charging."""
    return any(kind is DimensionType.PARKING_TIME and volume for kind, volume in period.dimensions)


def is_paused(period: ChargingPeriod) -> bool:
    """Whether the charge point held the supply back: it lists energy, none of which flowed, and no time to bill."""
    volumes = dict(period.dimensions)
    told = volumes.get(DimensionType.ENERGY)
    return told is not None and not told and not any(volumes.get(kind) for kind in _BILLED_TIMES)


def power(period: ChargingPeriod) -> int | None:
    """The mean power of a period in W; one of no time at all has none that could be believed."""
    if is_parked(period):
        return None
    volumes = dict(period.dimensions)
    energy, time = volumes.get(DimensionType.ENERGY), volumes.get(DimensionType.TIME)
    return min(int(Fraction(energy) / Fraction(time) * 1000), MOST_W) if energy and time else None


def _lengths(periods: Sequence[ChargingPeriod], end: datetime) -> Iterator[tuple[ChargingPeriod, timedelta]]:
    ends = [*(period.start_at for period in periods[1:]), end]
    for period, its_end in zip(periods, ends, strict=False):
        yield period, max(its_end - period.start_at, timedelta(0))


class Deriving:
    """Periods from readings, one after the other: meters do not run backwards, so energy orders the readings."""

    def __init__(self, started_at: datetime, cutter: Cutter) -> None:
        self._since = started_at
        self._energy = Energy(0)
        self._is_parked = False
        self._cutter = cutter

    def next(self, point: Point, ended_at: datetime | None) -> Iterator[ChargingPeriod]:
        """The periods up to a reading; none was taken before the start or after the end of the session.

        A stretch in which no energy flowed is parking.
        """
        at = max(self._since, point.at if ended_at is None else min(point.at, ended_at))
        if at == self._since and point.energy == self._energy:
            return
        flows = point.energy != self._energy
        since, until = (
            Cut(at_, Fraction(wh.wh, 1000)) for at_, wh in ((self._since, self._energy), (at, point.energy))
        )
        cuts = self._cutter(since, until)
        evidence = Evidence.INTERPOLATED if cuts and flows else Evidence.METERED
        states = () if flows or self._is_parked else ((since.at, "PARKED"),)
        for end in (*cuts, until):
            time = Fraction((end.at - since.at) // _TICK, _TICKS_AN_HOUR)
            kind = DimensionType.TIME if flows else DimensionType.PARKING_TIME
            energy = ((DimensionType.ENERGY, _plain(end.energy_kwh - since.energy_kwh)),) if flows else ()
            yield ChargingPeriod(since.at, (*energy, (kind, time)), evidence=evidence, states=states)
            since, states = end, ()
        self._since, self._energy, self._is_parked = at, point.energy, not flows


def _derived(
    started_at: datetime, ended_at: datetime | None, points: Sequence[Point], cutter: Cutter
) -> Iterator[ChargingPeriod]:
    deriving = Deriving(started_at, cutter)
    for point in sorted(points, key=by_energy):
        yield from deriving.next(point, ended_at)


def by_energy(point: Point) -> tuple[Energy, datetime]:
    """The order of readings."""
    return point.energy, point.at


def _plain(kwh: Fraction) -> Decimal | Fraction:
    """As a decimal of whole Wh where it is one."""
    wh = kwh * 1000
    return Energy(wh.numerator).kwh if wh.denominator == 1 else kwh


def points_of(readings: Iterable[MeterReading]) -> list[Point]:
    """The log as points."""
    return [point_of(row) for row in readings]


def point_of(row: MeterReading) -> Point:
    """One row of the log."""
    return Point(row.at, Energy(row.energy_wh), row.replaces, _periods(row.periods))


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
