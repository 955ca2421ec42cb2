"""The one rounding: exact amounts become whole units of the currency, and everything adds up.

`net` and `gross` of the whole record are rounded once. Partial costs, tax bases and taxes are apportioned to those
totals by largest remainders; displayed lines are rounded one by one, and what is then missing is a ROUNDING line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from domain.tariffs.amounts import Limit, Part, Taxed
from domain.tariffs.policy import RoundingPolicy


class Units(NamedTuple):
    """An amount in whole units of the smallest coin, without and with tax."""

    net: int
    gross: int

    def less(self, other: Units) -> Units:
        """The difference, side by side."""
        return Units(self.net - other.net, self.gross - other.gross)


@dataclass(frozen=True, slots=True)
class Exact:
    """A session's amounts before any rounding, in major units.

    `raw` is the sum of the lines; `bounded` that sum within `min_price`, then within `max_price` too.
    """

    lines: tuple[Taxed, ...]
    parts: dict[Part, Taxed]
    rates: dict[Decimal | None, Taxed]
    raw: Taxed
    bounded: dict[Limit, Taxed]
    accrued: Taxed

    @property
    def total(self) -> Taxed:
        """What is to be paid."""
        return self.bounded[Limit.MAX]


@dataclass(frozen=True, slots=True)
class Figures:
    """The same amounts in whole units: `lines + rounding + limits = total`, `parts + limits = total`."""

    total: Units
    accrued: Units
    lines: tuple[Units, ...]
    rounding: Units
    limits: dict[Limit, Units]
    parts: dict[Part, Units]
    taxes: dict[Decimal | None, Units]
    """By rate: the base and the tax."""


def figures(exact: Exact, digits: int, policy: RoundingPolicy) -> Figures:
    """Round to `digits` decimals of the major unit."""
    raw, least, total = (
        _rounded(amount, digits, policy) for amount in (exact.raw, exact.bounded[Limit.MIN], exact.total)
    )
    accrued = _rounded(exact.accrued, digits, policy)
    lines = tuple(_rounded(line, digits, policy) for line in exact.lines)
    shown = Units(sum(line.net for line in lines), sum(line.gross for line in lines))
    return Figures(
        total=total,
        accrued=Units(min(accrued.net, total.net), min(accrued.gross, total.gross)),
        lines=lines,
        rounding=raw.less(shown),
        limits={Limit.MIN: least.less(raw), Limit.MAX: total.less(least)},
        parts=_parts(exact.parts, raw, digits),
        taxes=_taxes(exact.rates, total, digits),
    )


def apportioned(total: int, exact: Sequence[Fraction]) -> list[int]:
    """Whole numbers near `exact` that add up to `total`: largest remainders (ties: the larger amount, the earlier)."""
    shares = [int(amount) for amount in exact]
    missing = total - sum(shares)
    if missing:
        unit = 1 if missing > 0 else -1
        order = sorted(range(len(exact)), key=lambda i: ((shares[i] - exact[i]) * unit, -abs(exact[i]), i))
        for turn in range(abs(missing)):
            shares[order[turn % len(order)]] += unit
    return shares


def _rounded(amount: Taxed, digits: int, policy: RoundingPolicy) -> Units:
    net = policy.units(amount.net, digits)
    return Units(net, net if amount.gross == amount.net else policy.units(amount.gross, digits))


def _parts(parts: dict[Part, Taxed], raw: Units, digits: int) -> dict[Part, Units]:
    if not parts:
        return {}
    scale = 10**digits
    nets = apportioned(raw.net, [part.net * scale for part in parts.values()])
    grosses = apportioned(raw.gross, [part.gross * scale for part in parts.values()])
    return {part: Units(net, gross) for part, net, gross in zip(parts, nets, grosses, strict=True)}


def _taxes(rates: dict[Decimal | None, Taxed], total: Units, digits: int) -> dict[Decimal | None, Units]:
    ordered = sorted(rates, key=lambda rate: (rate is None, rate or 0))
    if not ordered:
        return {}
    scale = 10**digits
    bases = apportioned(total.net, [rates[rate].net * scale for rate in ordered])
    exact = [(rates[rate].gross - rates[rate].net) * scale for rate in ordered]
    amounts = apportioned(total.gross - total.net, exact)
    return {rate: Units(base, tax) for rate, base, tax in zip(ordered, bases, amounts, strict=True)}
