"""Sessions followed reading by reading: each is folded in once, and the price goes on from where it was.

What is followed is only ever a memory of the log: lost, it is read again; late facts and corrections have it read
again, too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

from domain.energy import Energy
from domain.ids import ChargingSessionId, OperatorId
from domain.money import rounded
from domain.sessions.live import (
    Deriving,
    Point,
    accounts_for,
    by_energy,
    charging_seconds,
    contradiction,
    declared_kwh,
    declared_periods,
    hours,
    is_parked,
    is_paused,
    point_of,
    points_of,
    power,
)
from domain.sessions.models import ChargingSession, MeterReading
from domain.tariffs import (
    ChargingPeriod,
    Cut,
    DimensionType,
    Evidence,
    Pricing,
    RunningPrice,
    Tariff,
    cutter,
)


class Standing(NamedTuple):
    """What a session comes to at an instant; power is that of the last stretch, in W."""

    ended_at: datetime
    is_declared: bool
    is_parked: bool
    power_w: int | None
    charging_seconds: int
    idle_seconds: int
    paused_seconds: int
    is_paused: bool
    """By what was told last, for a while already."""
    pricing: Pricing


class Following:
    """One session, folded as far as its log was taken."""

    def __init__(self, started_at: datetime, zone: ZoneInfo, tariffs: Sequence[Tariff]) -> None:
        self.started_at = started_at
        self.readings = 0
        self.status = ""
        """What the last reading said; a push that says the same again repeats it."""
        self._tariffs = tariffs
        self._zone = zone
        self._read: set[tuple[datetime, int]] = set()
        self._latest: Point | None = None
        self._told_until = started_at
        self._known: dict[datetime, ChargingPeriod] = {}
        self._declared = _Track(tariffs, started_at, zone)
        self._derived = _Track(tariffs, started_at, zone)
        self._deriving = Deriving(started_at, self._cuts)

    def again(self, rows: Sequence[MeterReading], ended_at: datetime | None) -> Self:
        """The whole log, in whatever order it was told. Raises InvalidInput for periods that contradict each other."""
        points = points_of(rows)
        for period in declared_periods(points):
            self._declare(period)
        for point in sorted(points, key=by_energy):
            self._derive(point, ended_at)
        for row in rows:
            self._count(row)
        return self

    def take(self, row: MeterReading, ended_at: datetime | None) -> bool:
        """The next row of the log; False if it cannot be added to what there is, so that the log must be read again.

        Raises InvalidInput for a period that contradicts another.
        """
        point = point_of(row)
        is_late = self._latest is not None and by_energy(point) < by_energy(self._latest)
        if is_late or (ended_at is not None and self._told_until > ended_at):
            return False
        told = self._news(point)
        if told is None:
            return False
        for period in told:
            self._declare(period)
        self._derive(point, ended_at)
        self._count(row)
        return True

    def offer(self, tariffs: Sequence[Tariff]) -> None:
        """The tariffs from now on."""
        self._tariffs = tariffs
        self._declared.price.offer(tariffs)
        self._derived.price.offer(tariffs)

    def knows(self, periods: Sequence[ChargingPeriod]) -> bool:
        """Whether these were told before."""
        return all(self._known.get(period.start_at) == period for period in periods)

    def has_read(self, row: MeterReading) -> bool:
        """Whether this meter value was told before."""
        return (row.at, row.energy_wh) in self._read

    def stands(self, ended_at: datetime | None) -> Standing:
        """What the session comes to if it ended then, or with the last that was told. Raises as `price` does."""
        declared, energy = self._declared, Energy(0) if self._latest is None else self._latest.energy
        accounts = accounts_for(declared.kwh, declared.count, energy)
        track = declared if accounts else self._derived
        end = ended_at or self._told_until
        last, paused = track.last, track.paused_by(end)
        return Standing(
            ended_at=end,
            is_declared=accounts,
            is_parked=last is not None and is_parked(last),
            power_w=None if last is None else power(last),
            charging_seconds=charging_seconds(track.charging, track.idle, end - self.started_at - paused),
            idle_seconds=rounded(track.idle * 3600),
            paused_seconds=paused // timedelta(seconds=1),
            is_paused=last is not None and last.start_at < end and is_paused(last),
            pricing=track.price.so_far(end),
        )

    def _news(self, point: Point) -> list[ChargingPeriod] | None:
        """The periods of a reading that were not told before; None if they do not simply follow."""
        if point.periods is None:
            return []
        told: dict[datetime, ChargingPeriod] = {}
        for period in point.periods:
            if told.setdefault(period.start_at, period) != period:
                raise contradiction()
        if point.replaces and not self._known.keys() <= told.keys():
            return None
        for start, period in told.items():
            if self._known.get(start, period) != period:
                if point.replaces:
                    return None
                raise contradiction()
        news = [told[start] for start in sorted(told) if start not in self._known]
        latest = self._declared.last
        return news if not news or latest is None or news[0].start_at > latest.start_at else None

    def _declare(self, period: ChargingPeriod) -> None:
        self._known[period.start_at] = period
        self._declared.add(period._replace(evidence=Evidence.METERED))

    def _derive(self, point: Point, ended_at: datetime | None) -> None:
        for period in self._deriving.next(point, ended_at):
            self._derived.add(period._replace(tariff_id=self._tariffs[0].id))
        self._latest = point

    def _count(self, row: MeterReading) -> None:
        self.readings, self.status = row.number, row.status
        self._told_until = max(self._told_until, row.at)
        self._read.add((row.at, row.energy_wh))

    def _cuts(self, since: Cut, until: Cut) -> list[Cut]:
        return cutter(self._tariffs, self.started_at, self._zone)(since, until)


class _Track:
    """Periods in order, priced as they come, and what they add up to: kWh, and hours charging and idle."""

    def __init__(self, tariffs: Sequence[Tariff], started_at: datetime, zone: ZoneInfo) -> None:
        self.price = RunningPrice(tariffs, started_at, zone)
        self.count = 0
        self.kwh = self.charging = self.idle = Fraction(0)
        self.last: ChargingPeriod | None = None
        self._paused = timedelta(0)

    def paused_by(self, end: datetime) -> timedelta:
        """How long the charge point has held the supply back."""
        if self.last is None or not is_paused(self.last):
            return self._paused
        return self._paused + max(end - self.last.start_at, timedelta(0))

    def add(self, period: ChargingPeriod) -> None:
        self._paused = self.paused_by(period.start_at)
        self.price.add(period)
        self.count += 1
        self.kwh += declared_kwh(period)
        self.charging += hours((period,), DimensionType.TIME)
        self.idle += hours((period,), DimensionType.PARKING_TIME)
        self.last = period


class Followed:
    """The sessions followed lately; whoever takes one out has it alone, and puts it back once the store agrees."""

    def __init__(self, most: int = 1024) -> None:
        self._most = most
        self._sessions: OrderedDict[tuple[OperatorId, ChargingSessionId], Following] = OrderedDict()

    def take_out(self, session: ChargingSession) -> Following | None:
        """What is remembered of a session, if anything."""
        return self._sessions.pop((session.operator_id, session.id), None)

    def put_back(self, session: ChargingSession, following: Following) -> None:
        """Remember it; a session that is over is not asked about again."""
        if session.is_final:
            return
        self._sessions[session.operator_id, session.id] = following
        if len(self._sessions) > self._most:
            self._sessions.popitem(last=False)
