"""What a driver must be told before the start: every price, in the order the law asks for, and an expected cost.

The order is that of Regulation (EU) 2023/1804, Article 5: per kWh, per minute, per session, anything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

from domain.money import rounded
from domain.tariffs.amounts import rate_of, taxed
from domain.tariffs.pricing import price
from domain.tariffs.record import ChargingPeriod, ChargingRecord, DimensionType
from domain.tariffs.restrictions import WEEKDAYS, Restrictions
from domain.tariffs.result import Pricing
from domain.tariffs.tariff import ComponentType, PriceComponent, Tariff

_FINEST = 6
"""Decimals of a shown unit price that would not end otherwise."""


class QuoteUnit(StrEnum):
    """What a quoted price is per, in the order of showing."""

    KWH = "KWH"
    MINUTE = "MINUTE"
    SESSION = "SESSION"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class QuotedComponent:
    """One price: major units per `per`, without and with tax; `condition` in words, None means always."""

    per: QuoteUnit
    net: Decimal
    gross: Decimal
    vat_percent: Decimal | None
    condition: str | None


_UNITS = {
    ComponentType.ENERGY: (QuoteUnit.KWH, Fraction(1)),
    ComponentType.TIME: (QuoteUnit.MINUTE, Fraction(1, 60)),
    ComponentType.PARKING_TIME: (QuoteUnit.OTHER, Fraction(1, 60)),
    ComponentType.FLAT: (QuoteUnit.SESSION, Fraction(1)),
}
_ORDER = list(QuoteUnit)


def quoted_components(tariff: Tariff) -> list[QuotedComponent]:
    """Every price of a tariff in the order of showing."""
    found = [
        quoted(tariff, component, element.restrictions)
        for element in tariff.elements
        for component in element.price_components
        if not element.restrictions.unknown  # such an element never applies
    ]
    return sorted(found, key=lambda component: _ORDER.index(component.per))


def expected(tariff: Tariff, energy_kwh: Decimal, span: timedelta, at: datetime, zone: ZoneInfo) -> Pricing:
    """The cost of charging this much energy for this long from `at`, as if it flowed all the time."""
    hours = Fraction(span // timedelta(seconds=1), 3600)
    dimensions = ((DimensionType.ENERGY, energy_kwh), (DimensionType.TIME, hours))
    record = ChargingRecord(at, at + span, (ChargingPeriod(at, dimensions),))
    return price([tariff], record, zone)


def quoted(tariff: Tariff, component: PriceComponent, restrictions: Restrictions) -> QuotedComponent:
    """One price as it is shown."""
    per, share = _UNITS[component.type]
    if restrictions.reservation is not None:
        per = QuoteUnit.OTHER
    amount = taxed(share, component, tariff.tax_included)
    words = list(_conditions(component, restrictions))
    return QuotedComponent(
        per=per,
        net=shown_price(amount.net),
        gross=shown_price(amount.gross),
        vat_percent=rate_of(component, tariff.tax_included),
        condition="; ".join(words) or None,
    )


def shown_price(amount: Fraction) -> Decimal:
    """A unit price as it is shown: exact where its decimals end, else rounded to six of them."""
    return Decimal(rounded(amount * 10**_FINEST)).scaleb(-_FINEST).normalize() + 0


def _conditions(component: PriceComponent, its: Restrictions) -> Iterator[str]:
    if component.type is ComponentType.PARKING_TIME:
        yield "per minute plugged in without charging"
    if its.reservation is not None:
        yield "for a reservation" if its.reservation.value == "RESERVATION" else "for a reservation that expires"
    if its.day_of_week:
        yield "on " + ", ".join(day.capitalize() for day in WEEKDAYS if day in its.day_of_week)
    dates = [None if day is None else day.isoformat() for day in (its.start_date, its.end_date)]
    times = [None if clock is None else f"{clock:%H:%M}" for clock in (its.start_time, its.end_time)]
    for low, high, unit in (
        (dates[0], dates[1], ""),
        (times[0], times[1], ""),
        (_plain(its.min_kwh), _plain(its.max_kwh), "kWh"),
        (_plain(its.min_power), _plain(its.max_power), "kW"),
        (_plain(its.min_current), _plain(its.max_current), "A"),
        (_plain(its.min_duration), _plain(its.max_duration), "s after the start"),
    ):
        if low is not None or high is not None:
            yield _between(low, high, f" {unit}" if unit else "")
    if component.step_size > 1 and component.type is not ComponentType.FLAT:
        yield f"billed in steps of {component.step_size} {'Wh' if component.type is ComponentType.ENERGY else 's'}"


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _between(low: str | None, high: str | None, unit: str) -> str:
    if low is None:
        return f"before {high}{unit}" if not unit else f"below {high}{unit}"
    return f"from {low}{unit}" if high is None else f"from {low} to {high}{unit}"
