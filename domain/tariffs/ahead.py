"""What lies ahead of a session whose power stays as it is: when its price changes, when a budget is used up. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.money import Money
from domain.tariffs.cutting import Cut, cuts
from domain.tariffs.quote import QuotedComponent, quoted
from domain.tariffs.record import ChargingPeriod, DimensionType
from domain.tariffs.restrictions import Moment
from domain.tariffs.running import RunningPrice
from domain.tariffs.scale import units_of
from domain.tariffs.spans import microseconds
from domain.tariffs.tariff import Candidate, ComponentType, Lookup, Tariff

_TICK = timedelta(microseconds=1)
_TICKS_AN_HOUR = timedelta(hours=1) // _TICK


class Course(NamedTuple):
    """A session that began at `began_at`, stands at `since` and goes on at `power_kw`; at 0 it is parked."""

    tariff: Tariff
    began_at: datetime
    zone: ZoneInfo
    since: Cut
    power_kw: Fraction

    def at(self, instant: datetime) -> Cut:
        """Where it will be."""
        hours = Fraction((instant - self.since.at) // _TICK, _TICKS_AN_HOUR)
        return Cut(instant, self.since.energy_kwh + self.power_kw * hours)

    def edges(self, until: datetime) -> Sequence[Cut]:
        """Where the price may change before `until`."""
        return cuts([self.tariff], self.began_at, self.zone, self.since, self.at(until))

    def period(self, since: Cut, until: Cut) -> ChargingPeriod:
        """What is priced between two of these."""
        hours = Fraction((until.at - since.at) // _TICK, _TICKS_AN_HOUR)
        if not self.power_kw:
            return ChargingPeriod(since.at, ((DimensionType.PARKING_TIME, hours),))
        energy = until.energy_kwh - since.energy_kwh
        return ChargingPeriod(since.at, ((DimensionType.ENERGY, energy), (DimensionType.TIME, hours)))


def prices_now(course: Course) -> list[QuotedComponent]:
    """What runs at this moment: the prices of energy and charging time, or that of being parked."""
    return [
        quoted(course.tariff, won.component, won.restrictions)
        for won in _winning(course, course.since)
        if won is not None
    ]


def next_price_change(course: Course, until: datetime) -> datetime | None:
    """The first instant before `until` at which something that runs has another price; None if there is none."""
    now = _prices(course, course.since)
    return next((edge.at for edge in course.edges(until) if _prices(course, edge) != now), None)


def within_budget_until(course: Course, price: RunningPrice, budget: Money, until: datetime) -> datetime | None:
    """The last instant, to the microsecond, at which the bill, tax included, is still within a budget.

    None if it still is at `until`; where it is not any more, the instant the session stands at. `price` is what was
    added up so far. Between edges a bill only rises, linear or in steps, as long as prices are not negative and no
    limit on one side bounds lines of several tax rates.
    """
    since, spent = course.since, price.twin()
    if spent.so_far(since.at).gross > budget:
        return since.at
    for end in (*course.edges(until), course.at(until)):
        if _bill(course, spent, since, end) > budget:
            return _last_within(course, spent, since, end, budget)
        spent.add(course.period(since, end))
        since = end
    return None


def _last_within(course: Course, spent: RunningPrice, since: Cut, end: Cut, budget: Money) -> datetime:
    within, above = 0, microseconds(end.at - since.at)
    while above - within > 1:
        middle = (within + above) // 2
        is_above = _bill(course, spent, since, course.at(since.at + middle * _TICK)) > budget
        within, above = (within, middle) if is_above else (middle, above)
    return since.at + within * _TICK


def _bill(course: Course, spent: RunningPrice, since: Cut, end: Cut) -> Money:
    price = spent.twin()
    price.add(course.period(since, end))
    return price.so_far(end.at).gross


def _prices(course: Course, cut: Cut) -> list[object]:
    return [None if won is None else (won.component.price, won.component.vat) for won in _winning(course, cut)]


def _winning(course: Course, cut: Cut) -> Iterator[Candidate | None]:
    elapsed = microseconds(cut.at - course.began_at)
    moment = Moment(cut.at, course.zone, elapsed, units_of(cut.energy_kwh))
    kinds = (ComponentType.ENERGY, ComponentType.TIME) if course.power_kw else (ComponentType.PARKING_TIME,)
    for kind in kinds:
        candidates = course.tariff.candidates(Lookup((None,), kind))
        yield next((one for one in candidates if one.restrictions.first_failing(moment) is None), None)
