"""When an element of a tariff applies: the restrictions of OCPI, tested at one moment of a session.

All given restrictions must hold. Clock, date and weekday are those of the charging location; minimum limits include
their boundary, maximum limits do not; a restriction nobody knows never holds, so that a misspelt limit cannot make
an element wider (OCPI 2.2.1 and 2.3.0, Tariffs, `TariffRestrictions`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.tariffs.reading import exact_text, quantity_text
from domain.tariffs.scale import Units, units_of

WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
DAY = 86_400
SECOND = 1_000_000
"""Elapsed time is counted in microseconds."""


class Reservation(StrEnum):
    """What a reservation element prices: one that was used or cancelled, or one that expired."""

    RESERVATION = "RESERVATION"
    RESERVATION_EXPIRES = "RESERVATION_EXPIRES"


class Load(NamedTuple):
    """Current (A, over all phases) and power (kW) of a period; None where nobody measured."""

    min_current: Fraction | None = None
    max_current: Fraction | None = None
    min_power: Fraction | None = None
    max_power: Fraction | None = None


UNMEASURED = Load()


class Moment:
    """One instant of a session as restrictions see it; local time is worked out only for who asks."""

    __slots__ = ("_local", "at", "elapsed", "energy", "load", "zone")

    def __init__(self, at: datetime, zone: ZoneInfo, elapsed: Units, energy: Units, load: Load = UNMEASURED) -> None:
        self.at = at
        self.zone = zone
        self.elapsed = elapsed
        """Microseconds since the session began."""
        self.energy = energy
        """Net, before this instant, in units of `scale`."""
        self.load = load
        self._local: datetime | None = None

    @property
    def local(self) -> datetime:
        """Local time of the charging location."""
        if self._local is None:
            self._local = self.at.astimezone(self.zone)
        return self._local

    @property
    def second(self) -> int:
        """Seconds of the local wall clock since 00:00."""
        local = self.local
        return local.hour * 3600 + local.minute * 60 + local.second


class Condition(NamedTuple):
    """One restriction made ready: the field, its limit in the words of the tariff, and how to test a moment."""

    field: str
    limit: str
    holds: Callable[[Moment], bool]


@dataclass(frozen=True, slots=True)
class Restrictions:
    """`TariffRestrictions`: kWh, seconds, amperes over all phases, kW; `unknown` names fields OCPI does not have."""

    start_time: time | None = None
    end_time: time | None = None
    start_date: date | None = None
    end_date: date | None = None
    min_kwh: Decimal | None = None
    max_kwh: Decimal | None = None
    min_current: Decimal | None = None
    max_current: Decimal | None = None
    min_power: Decimal | None = None
    max_power: Decimal | None = None
    min_duration: Decimal | None = None
    max_duration: Decimal | None = None
    day_of_week: frozenset[str] = frozenset()
    reservation: Reservation | None = None
    unknown: tuple[str, ...] = ()
    tests: tuple[Condition, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tests = (*_never(self), *_of_the_calendar(self), *_of_the_session(self), *_of_the_load(self))
        object.__setattr__(self, "tests", tests)

    def first_failing(self, moment: Moment) -> Condition | None:
        """The first restriction that does not hold at this moment; None if all do."""
        for test in self.tests:
            if not test.holds(moment):
                return test
        return None


LOAD_FIELDS = frozenset(Load._fields)


def actual(name: str, moment: Moment) -> str:
    """What a restriction was compared with, in the words its limit is written in; empty if nobody measured it."""
    if name in LOAD_FIELDS:
        value: Fraction | None = getattr(moment.load, name)
        return "" if value is None else exact_text(value)
    write = _ACTUAL.get(name)
    return "" if write is None else write(moment)


def _local_clock(moment: Moment) -> str:
    return f"{moment.local:%H:%M:%S}" if moment.local.second else f"{moment.local:%H:%M}"


def _elapsed_seconds(moment: Moment) -> str:
    return exact_text(Fraction(moment.elapsed) / SECOND)


_ACTUAL: dict[str, Callable[[Moment], str]] = {
    "start_time": _local_clock,
    "end_time": _local_clock,
    "start_date": lambda moment: moment.local.date().isoformat(),
    "end_date": lambda moment: moment.local.date().isoformat(),
    "day_of_week": lambda moment: WEEKDAYS[moment.local.weekday()],
    "min_kwh": lambda moment: quantity_text(moment.energy),
    "max_kwh": lambda moment: quantity_text(moment.energy),
    "min_duration": _elapsed_seconds,
    "max_duration": _elapsed_seconds,
}


def _never(its: Restrictions) -> list[Condition]:
    return [Condition(name, "", lambda _: False) for name in its.unknown]


def _of_the_calendar(its: Restrictions) -> list[Condition]:
    tests = _of_the_clock(its.start_time, its.end_time)
    first, end, days = its.start_date, its.end_date, its.day_of_week
    if first is not None:
        tests.append(Condition("start_date", first.isoformat(), lambda moment: moment.local.date() >= first))
    if end is not None:
        tests.append(Condition("end_date", end.isoformat(), lambda moment: moment.local.date() < end))
    if days:
        numbers = frozenset(WEEKDAYS.index(day) for day in days)
        named = ",".join(day for day in WEEKDAYS if day in days)
        tests.append(Condition("day_of_week", named, lambda moment: moment.local.weekday() in numbers))
    return tests


def _of_the_clock(start_time: time | None, end_time: time | None) -> list[Condition]:
    start = seconds_of(start_time) if start_time is not None else 0
    end = (seconds_of(end_time) if end_time is not None else 0) or DAY
    if start == end:
        # Equal edges cover the whole day: the other reading would be free energy.
        return []
    starts: Callable[[Moment], bool]
    ends: Callable[[Moment], bool]
    if start < end:
        starts, ends = (lambda moment: moment.second >= start), (lambda moment: moment.second < end)
    else:
        starts = ends = lambda moment: moment.second >= start or moment.second < end
    tests = []
    if start_time is not None and start:
        tests.append(Condition("start_time", f"{start_time:%H:%M}", starts))
    if end_time is not None and end != DAY:
        tests.append(Condition("end_time", f"{end_time:%H:%M}", ends))
    return tests


def _of_the_session(its: Restrictions) -> list[Condition]:
    tests = []
    if its.min_kwh is not None:
        least_kwh = units_of(its.min_kwh)
        tests.append(Condition("min_kwh", exact_text(its.min_kwh), lambda moment: moment.energy >= least_kwh))
    if its.max_kwh is not None:
        most_kwh = units_of(its.max_kwh)
        tests.append(Condition("max_kwh", exact_text(its.max_kwh), lambda moment: moment.energy < most_kwh))
    if its.min_duration is not None:
        least = units_of(its.min_duration, SECOND)
        tests.append(Condition("min_duration", exact_text(its.min_duration), lambda moment: moment.elapsed >= least))
    if its.max_duration is not None:
        most = units_of(its.max_duration, SECOND)
        tests.append(Condition("max_duration", exact_text(its.max_duration), lambda moment: moment.elapsed < most))
    return tests


def _of_the_load(its: Restrictions) -> list[Condition]:
    # Last of all: whoever fails earlier does not need to know the load.
    limits = (
        ("min_current", its.min_current),
        ("max_current", its.max_current),
        ("min_power", its.min_power),
        ("max_power", its.max_power),
    )
    return [Condition(name, exact_text(limit), _load(name, limit)) for name, limit in limits if limit is not None]


def _load(name: str, limit: Decimal) -> Callable[[Moment], bool]:
    bound = Fraction(limit)
    place = Load._fields.index(name)
    least = name.startswith("min")

    def holds(moment: Moment) -> bool:
        value = moment.load[place]
        if value is None:
            return False
        return value >= bound if least else value < bound

    return holds


def seconds_of(clock: time) -> int:
    """Seconds since 00:00."""
    return clock.hour * 3600 + clock.minute * 60


UNRESTRICTED = Restrictions()
