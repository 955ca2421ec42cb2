"""The common scale: quantities and prices as whole numbers, so that sums are exact and cheap.

Every decimal of up to 30 places and every microsecond of an hour is a whole number of units. What is not (a third of
a kWh that somebody interpolated) stays a fraction of a unit: slower, and just as exact.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

Number = int | Decimal | Fraction
"""An exact number; a float is never one."""

Units = int | Fraction
"""A quantity counted in units: whole ones, unless it was given as a fraction that no decimal can write."""

WHOLE = 3_600_000_000 * 10**30
"""Units in one kWh, one hour, or one of what is charged once."""
A_SECOND = WHOLE // 3600
A_WATT_HOUR = WHOLE // 1000
PRICE = 10**30
"""Units in one major unit of money per kWh, hour or time charged."""


def units_of(value: Number, whole: int = WHOLE) -> Units:
    """A number of wholes in units."""
    numerator, denominator = value.as_integer_ratio()
    if whole % denominator:
        return Fraction(numerator * whole, denominator)
    return numerator * (whole // denominator)


def quantity(units: Units) -> Fraction:
    """Units as the number of wholes they are."""
    return Fraction(units) / WHOLE if isinstance(units, Fraction) else Fraction(units, WHOLE)


def snapped(hours: Units) -> tuple[int, Units]:
    """The nearest second to a span of time, halves up, and how far the span goes beyond it (0 if it falls short)."""
    seconds, rest = divmod(hours, A_SECOND)
    return (seconds, rest) if 2 * rest < A_SECOND else (seconds + 1, 0)
