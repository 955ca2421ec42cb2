"""The one rounding: exact amounts become whole units of the currency, and everything adds up.

`net` and `gross` of the whole record are rounded once. Partial costs, tax bases and taxes are apportioned to those
totals by largest remainders; displayed lines are rounded one by one, and what is then missing is a ROUNDING line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from domain.tariffs.amounts import Limit, Part, Rate, Sums, Taxed
from domain.tariffs.policy import RoundingPolicy


class Coins(NamedTuple):
    """An amount in whole units of the smallest coin, without and with tax."""

    net: int
    gross: int

    def less(self, other: Coins) -> Coins:
        """The difference, side by side."""
        return Coins(self.net - other.net, self.gross - other.gross)


@dataclass(frozen=True, slots=True)
class Exact:
    """A session's amounts before any rounding, in major units.

    `raw` is the sum of the lines; `bounded` that sum within `min_price`, then within `max_price` too.
    """

    sums: Sums
    rates: dict[Rate, Taxed]
    raw: Taxed
    bounded: dict[Limit, Taxed]
    accrued: Taxed

    @property
    def total(self) -> Taxed:
        """What is to be paid."""
        return self.bounded[Limit.MAX]


@dataclass(frozen=True, slots=True)
class Figures:
    """The same amounts in coins: `parts + limits = total`."""

    total: Coins
    accrued: Coins
    raw: Coins
    limits: dict[Limit, Coins]


def figures(exact: Exact, digits: int, policy: RoundingPolicy) -> Figures:
    """Round to `digits` decimals of the major unit."""
    total = in_coins(exact.total, digits, policy)
    raw, least = (
        total if amount == exact.total else in_coins(amount, digits, policy)
        for amount in (exact.raw, exact.bounded[Limit.MIN])
    )
    accrued = in_coins(exact.accrued, digits, policy)
    return Figures(
        total=total,
        accrued=Coins(min(accrued.net, total.net), min(accrued.gross, total.gross)),
        raw=raw,
        limits={Limit.MIN: least.less(raw), Limit.MAX: total.less(least)},
    )


def in_coins(amount: Taxed, digits: int, policy: RoundingPolicy) -> Coins:
    """One amount, rounded."""
    net = policy.units(amount.net, digits)
    return Coins(net, net if amount.gross == amount.net else policy.units(amount.gross, digits))


def parts_in_coins(parts: Mapping[Part, Taxed], raw: Coins, digits: int) -> dict[Part, Coins]:
    """Partial costs that add up to the sum of the lines."""
    nets = apportioned(raw.net, [part.net for part in parts.values()], digits)
    grosses = apportioned(raw.gross, [part.gross for part in parts.values()], digits)
    return {part: Coins(net, gross) for part, net, gross in zip(parts, nets, grosses, strict=True)}


def taxes_in_coins(rates: Mapping[Rate, Taxed], total: Coins, digits: int) -> dict[Rate, Coins]:
    """By rate, ascending: bases that add up to the total before tax, taxes that add up to the tax in it."""
    ordered = sorted(rates, key=lambda rate: (rate is None, rate or 0))
    bases = apportioned(total.net, [rates[rate].net for rate in ordered], digits)
    taxes = apportioned(total.gross - total.net, [rates[rate].gross - rates[rate].net for rate in ordered], digits)
    return {rate: Coins(base, tax) for rate, base, tax in zip(ordered, bases, taxes, strict=True)}


def apportioned(total: int, exact: Sequence[Fraction], digits: int) -> list[int]:
    """Whole coins near `exact` that add up to `total`: largest remainders (ties: the larger amount, the earlier)."""
    if len(exact) < 2:  # noqa: PLR2004  alone, it takes all
        return [total] * len(exact)
    scale = 10**digits
    # Toward zero, as integers: most amounts need nothing more.
    shares = [_cut(amount.numerator * scale, amount.denominator) for amount in exact]
    missing = total - sum(shares)
    if missing:
        unit = 1 if missing > 0 else -1
        rest = [(share - amount * scale) * unit for share, amount in zip(shares, exact, strict=True)]
        order = sorted(range(len(exact)), key=lambda i: (rest[i], -abs(exact[i]), i))
        for turn in range(abs(missing)):
            shares[order[turn % len(order)]] += unit
    return shares


def _cut(numerator: int, denominator: int) -> int:
    return numerator // denominator if numerator >= 0 else -(-numerator // denominator)
