"""From lines to exact sums: tax by rate, the limits of the session, and what each tax rate applies to.

Everything here is exact; rounding comes afterwards and once (`figures.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple, TypeVar

from domain.tariffs.lines import Charge, LineKind
from domain.tariffs.scale import PRICE, WHOLE, Units
from domain.tariffs.tariff import PriceComponent, PriceLimit, Tariff, TaxIncluded

_ZERO = Fraction(0)
_MONEY = WHOLE * PRICE
"""Units of quantity times units of price in one major unit of money."""

_Key = TypeVar("_Key", bound=Hashable)

Rate = Decimal | None
"""A tax rate in percent; None where no tax is known."""


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

    __hash__ = str.__hash__


_PART_OF = {
    LineKind.RESERVATION_FLAT: Part.RESERVATION,
    LineKind.RESERVATION_TIME: Part.RESERVATION,
    LineKind.FLAT: Part.FIXED,
    LineKind.ENERGY: Part.ENERGY,
    LineKind.TIME: Part.TIME,
    LineKind.PARKING_TIME: Part.PARKING,
}


class Sums(NamedTuple):
    """The amounts of a session by part and tax rate, and what of all has accrued."""

    amounts: dict[tuple[Part, Rate], Taxed]
    accrued: Taxed

    @property
    def raw(self) -> Taxed:
        """The sum of the lines."""
        return total(self.amounts.values())

    @property
    def parts(self) -> dict[Part, Taxed]:
        """By part, in the order of `Part`."""
        parts = _grouped((part, amount) for (part, _), amount in self.amounts.items())
        return {part: parts[part] for part in Part if part in parts}

    @property
    def rates(self) -> dict[Rate, Taxed]:
        """By tax rate."""
        return _grouped((rate, amount) for (_, rate), amount in self.amounts.items())

    def of(self, part: Part) -> dict[Rate, Taxed]:
        """One part by tax rate."""
        return {rate: amount for (its, rate), amount in self.amounts.items() if its is part}


def summed(charges: Sequence[Charge]) -> Sums:
    """Quantity times price, summed as whole numbers; tax is worked out once for all lines of a rate."""
    billed: dict[tuple[Part, Rate, TaxIncluded], Units] = {}
    accrued: dict[tuple[Rate, TaxIncluded], Units] = {}
    for charge in charges:
        piece = charge.piece
        component, included = piece.candidate.component, piece.tariff.tax_included
        rate, price = rate_of(component, included), component.units
        group, all_parts = (_PART_OF[piece.kind], rate, included), (rate, included)
        billed[group] = billed.get(group, 0) + charge.billed * price
        accrued[all_parts] = accrued.get(all_parts, 0) + piece.accrued * price
    amounts = (((part, rate), _taxed(money, rate, included)) for (part, rate, included), money in billed.items())
    return Sums(_grouped(amounts), total(_taxed(money, rate, included) for (rate, included), money in accrued.items()))


def _grouped(amounts: Iterable[tuple[_Key, Taxed]]) -> dict[_Key, Taxed]:
    sums: dict[_Key, Taxed] = {}
    for key, amount in amounts:
        sums[key] = sums[key].plus(amount) if key in sums else amount
    return sums


def group_of(charge: Charge) -> tuple[Part, Rate]:
    """Where the amount of a line belongs."""
    piece = charge.piece
    return _PART_OF[piece.kind], rate_of(piece.candidate.component, piece.tariff.tax_included)


def amount_of(charge: Charge) -> Taxed:
    """The exact amount of one line."""
    component, included = charge.piece.candidate.component, charge.piece.tariff.tax_included
    return _taxed(charge.billed * component.units, rate_of(component, included), included)


def taxed(quantity: Fraction, component: PriceComponent, included: TaxIncluded) -> Taxed:
    """Quantity times price, without and with the tax that the tariff states for it."""
    return _taxed(quantity * WHOLE * component.units, rate_of(component, included), included)


def total(amounts: Iterable[Taxed]) -> Taxed:
    """The sum, side by side."""
    found = NOTHING
    for amount in amounts:
        found = amount if found is NOTHING else found.plus(amount)
    return found


def rate_of(component: PriceComponent, included: TaxIncluded) -> Rate:
    """The tax rate that counts."""
    return None if included is TaxIncluded.NOT_APPLICABLE else component.vat


def highest_rate(tariff: Tariff) -> Rate:
    """The highest rate that the tariff states anywhere."""
    components = (component for element in tariff.elements for component in element.price_components)
    rates = (rate_of(component, tariff.tax_included) for component in components)
    return max((rate for rate in rates if rate is not None), default=None)


def limited(amount: Taxed, limit: PriceLimit | None, bound: Limit, tariff: Tariff) -> Taxed:
    """The total within one bound. Both sides act on their own; a bound given on one side only moves both alike."""
    if limit is None:
        return amount
    pick = max if bound is Limit.MIN else min
    net, gross = _picked(pick, amount.net, limit.before_taxes), _picked(pick, amount.gross, limit.after_taxes)
    factor = 1 + Fraction(highest_rate(tariff) or 0) / 100
    if limit.after_taxes is None and net != amount.net:
        gross = amount.gross * net / amount.net if amount.net else net * factor
    if limit.before_taxes is None and gross != amount.gross:
        net = amount.net * gross / amount.gross if amount.gross else gross / factor
    return Taxed(net, gross)


def earned_within(amount: Taxed, limit: PriceLimit | None, tariffs: Iterable[Tariff]) -> Taxed:
    """What has been earned within `max_price`, so that nothing that is earned later lowers it on either side.

    Given on one side only, the limit takes the mean tax rate of the lines with it, and later lines move that: down to
    the lowest rate that these tariffs know, or up to the highest. So that is what the other side is sure of, and no
    bill that is still to come says less.
    """
    if limit is None:
        return amount
    before, after = limit.before_taxes, limit.after_taxes
    net, gross = _picked(min, amount.net, before), _picked(min, amount.gross, after)
    if before is not None and after is not None:
        return Taxed(net, gross)
    rates = [Fraction(rate) for tariff in tariffs for rate in tariff.tax_rates] or [_ZERO]
    if before is not None:
        gross = min(gross, Fraction(before) * (1 + min(rates) / 100))
    elif after is not None:
        net = min(net, Fraction(after) / (1 + max(rates) / 100))
    return Taxed(net, gross)


def scaled(groups: dict[Rate, Taxed], raw: Taxed, to: Taxed, tariff: Tariff) -> dict[Rate, Taxed]:
    """Bases and taxes stretched to a total that a limit has moved; if there are none, the highest rate bears it."""
    if raw == to:
        return groups
    rates = [rate for rate in groups if rate is not None]
    bearer = max(rates) if rates else highest_rate(tariff)
    groups = {bearer: NOTHING} | groups
    bases = _stretched({rate: group.net for rate, group in groups.items()}, to.net, bearer)
    tax = {rate: group.gross - group.net for rate, group in groups.items()}
    taxes = _stretched(tax, to.gross - to.net, bearer)
    return {rate: Taxed(bases[rate], bases[rate] + taxes[rate]) for rate in groups}


def _taxed(money: Units, rate: Rate, included: TaxIncluded) -> Taxed:
    amount = Fraction(money, _MONEY)
    if not rate:
        return Taxed(amount, amount)
    over, under = rate.as_integer_ratio()
    factor = Fraction(over + 100 * under, 100 * under)
    return Taxed(amount / factor, amount) if included is TaxIncluded.YES else Taxed(amount, amount * factor)


def _stretched(amounts: dict[Rate, Fraction], to: Fraction, bearer: Rate) -> dict[Rate, Fraction]:
    raw = sum(amounts.values(), _ZERO)
    if raw == 0:
        return {rate: to if rate == bearer else _ZERO for rate in amounts}
    return {rate: amount * to / raw for rate, amount in amounts.items()}


def _picked(pick: Callable[[Fraction, Fraction], Fraction], amount: Fraction, bound: Decimal | None) -> Fraction:
    return amount if bound is None else pick(amount, Fraction(bound))
