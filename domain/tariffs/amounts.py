"""From lines to exact sums: tax by line, the limits of the session, and what each tax rate applies to.

Everything here is exact; rounding comes afterwards and once (`figures.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from domain.tariffs.lines import LineKind, Piece
from domain.tariffs.tariff import PriceComponent, PriceLimit, Tariff, TaxIncluded

_ZERO = Fraction(0)


class Taxed(NamedTuple):
    """An exact amount in major units, without and with tax."""

    net: Fraction
    gross: Fraction

    def plus(self, other: Taxed) -> Taxed:
        """The sum, side by side."""
        return Taxed(self.net + other.net, self.gross + other.gross)


NOTHING = Taxed(_ZERO, _ZERO)


class Limit(StrEnum):
    """Which bound of the session moved its total."""

    MIN = "MIN"
    MAX = "MAX"


class Part(StrEnum):
    """The partial costs of a CDR: `total_energy_cost` and so on."""

    ENERGY = "energy"
    TIME = "time"
    PARKING = "parking"
    RESERVATION = "reservation"
    FIXED = "fixed"


PART_OF = {
    LineKind.RESERVATION_FLAT: Part.RESERVATION,
    LineKind.RESERVATION_TIME: Part.RESERVATION,
    LineKind.FLAT: Part.FIXED,
    LineKind.ENERGY: Part.ENERGY,
    LineKind.TIME: Part.TIME,
    LineKind.PARKING_TIME: Part.PARKING,
}


def taxed(quantity: Fraction, component: PriceComponent, included: TaxIncluded) -> Taxed:
    """Quantity times price, with the tax that the tariff states for it."""
    amount = quantity * Fraction(*component.price.as_integer_ratio())
    rate = rate_of(component, included)
    if not rate:
        return Taxed(amount, amount)
    factor = 1 + Fraction(*rate.as_integer_ratio()) / 100
    return Taxed(amount / factor, amount) if included is TaxIncluded.YES else Taxed(amount, amount * factor)


def rate_of(component: PriceComponent, included: TaxIncluded) -> Decimal | None:
    """The tax rate in percent that counts; None where no tax is known."""
    return None if included is TaxIncluded.NOT_APPLICABLE else component.vat


def highest_rate(tariff: Tariff) -> Decimal | None:
    """The highest rate that the tariff states anywhere."""
    components = (component for element in tariff.elements for component in element.price_components)
    rates = (rate_of(component, tariff.tax_included) for component in components)
    return max((rate for rate in rates if rate is not None), default=None)


def limited(total: Taxed, limit: PriceLimit | None, bound: Limit, tariff: Tariff) -> Taxed:
    """The total within one bound. Both sides act on their own; a bound given on one side only moves both alike."""
    if limit is None:
        return total
    pick = max if bound is Limit.MIN else min
    net, gross = _picked(pick, total.net, limit.before_taxes), _picked(pick, total.gross, limit.after_taxes)
    factor = 1 + Fraction(highest_rate(tariff) or 0) / 100
    if limit.after_taxes is None and net != total.net:
        gross = total.gross * net / total.net if total.net else net * factor
    if limit.before_taxes is None and gross != total.gross:
        net = total.net * gross / total.gross if total.gross else gross / factor
    moved = (net, gross) != total
    return Taxed(net, max(net, gross) if moved else gross)


def by_rate(pieces: Sequence[Piece], lines: Sequence[Taxed]) -> dict[Decimal | None, Taxed]:
    """The lines grouped by tax rate; None gathers what carries none."""
    groups: dict[Decimal | None, Taxed] = {}
    for piece, line in zip(pieces, lines, strict=True):
        rate = rate_of(piece.candidate.component, piece.tariff.tax_included)
        groups[rate] = groups.get(rate, NOTHING).plus(line)
    return groups


def scaled(groups: dict[Decimal | None, Taxed], total: Taxed, tariff: Tariff) -> dict[Decimal | None, Taxed]:
    """Bases and taxes stretched to a total that a limit has moved; if there are none, the highest rate bears it."""
    raw = NOTHING
    for group in groups.values():
        raw = raw.plus(group)
    if raw == total:
        return groups
    rates = [rate for rate in groups if rate is not None]
    bearer = max(rates) if rates else highest_rate(tariff)
    groups = {bearer: NOTHING} | groups
    bases = _stretched({rate: group.net for rate, group in groups.items()}, total.net, bearer)
    tax = {rate: group.gross - group.net for rate, group in groups.items()}
    taxes = _stretched(tax, total.gross - total.net, bearer)
    return {rate: Taxed(bases[rate], bases[rate] + taxes[rate]) for rate in groups}


def _stretched(
    amounts: dict[Decimal | None, Fraction], total: Fraction, bearer: Decimal | None
) -> dict[Decimal | None, Fraction]:
    raw = sum(amounts.values(), _ZERO)
    if raw == 0:
        return {rate: total if rate == bearer else _ZERO for rate in amounts}
    return {rate: amount * total / raw for rate, amount in amounts.items()}


def _picked(pick: Callable[[Fraction, Fraction], Fraction], amount: Fraction, bound: Decimal | None) -> Fraction:
    return amount if bound is None else pick(amount, Fraction(bound))
