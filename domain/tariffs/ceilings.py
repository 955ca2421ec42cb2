"""The most that charging can cost from an instant on: what a driver can rely on whatever the car and the grid do. Pure.

Only the calendar is known beforehand. An element whose other restrictions may or may not hold may apply, and so may
those behind it; one that the calendar lets apply without further conditions hides all that follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.tariffs.amounts import rate_of, taxed
from domain.tariffs.quote import shown_price
from domain.tariffs.restrictions import Moment, Restrictions
from domain.tariffs.spans import clock_edges
from domain.tariffs.tariff import ComponentType, PriceComponent, Tariff

AHEAD = timedelta(days=7)
MOST = 12
"""So many changes are shown; a week of two prices a day has one more."""

_CALENDAR = frozenset({"start_time", "end_time", "start_date", "end_date", "day_of_week"})


class ShownPrice(NamedTuple):
    """A unit price as it is shown, in major units, and the rate of the tax in it."""

    net: Decimal
    gross: Decimal
    vat_percent: Decimal | None


@dataclass(frozen=True, slots=True)
class Ceiling:
    """From `start_at` to the next one: the highest price of a kWh and of an hour."""

    start_at: datetime
    per_kwh: ShownPrice
    per_hour: ShownPrice


def ceilings(tariff: Tariff, at: datetime, zone: ZoneInfo) -> list[Ceiling]:
    """The ceiling now, and each one that differs from the one before, at most `MOST` of the next `AHEAD`."""
    found = [_ceiling(tariff, at, zone)]
    for edge in clock_edges(tariff.edges.clock, zone, at, at + AHEAD):
        later = _ceiling(tariff, edge, zone)
        if (later.per_kwh, later.per_hour) != (found[-1].per_kwh, found[-1].per_hour):
            found.append(later)
        if len(found) == MOST:
            break
    return found


def _ceiling(tariff: Tariff, at: datetime, zone: ZoneInfo) -> Ceiling:
    moment = Moment(at, zone, 0, 0)
    charging, parked = (_highest(tariff, kind, moment) for kind in (ComponentType.TIME, ComponentType.PARKING_TIME))
    # A car that is plugged in charges or does not: one of the two runs, never both.
    hour = max(charging, parked, key=lambda price: price.gross)
    return Ceiling(at, _highest(tariff, ComponentType.ENERGY, moment), hour)


def _highest(tariff: Tariff, kind: ComponentType, moment: Moment) -> ShownPrice:
    prices = (_shown(tariff, component) for component in _possible(tariff, kind, moment))
    return max(prices, key=lambda price: price.gross, default=_FREE)


_FREE = ShownPrice(Decimal(0), Decimal(0), None)


def _shown(tariff: Tariff, component: PriceComponent) -> ShownPrice:
    exact = taxed(Fraction(1), component, tariff.tax_included)
    return ShownPrice(shown_price(exact.net), shown_price(exact.gross), rate_of(component, tariff.tax_included))


def _possible(tariff: Tariff, kind: ComponentType, moment: Moment) -> Iterator[PriceComponent]:
    for its, component in _prices(tariff, kind):
        if its.unknown or not all(test.holds(moment) for test in its.tests if test.field in _CALENDAR):
            continue
        yield component
        if all(test.field in _CALENDAR for test in its.tests):
            return


def _prices(tariff: Tariff, kind: ComponentType) -> Iterator[tuple[Restrictions, PriceComponent]]:
    """The prices of a dimension of charging, in the order in which they are tried."""
    for element in tariff.elements:
        component = next((one for one in element.price_components if one.type is kind), None)
        if component is not None and element.restrictions.reservation is None:
            yield element.restrictions, component
