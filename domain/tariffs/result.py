"""What a record costs: the value that everything else reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from zoneinfo import ZoneInfo

from domain.money import Money
from domain.tariffs.amounts import Limit, Part, amount_of
from domain.tariffs.figures import Coins, Exact, Figures, in_coins, parts_in_coins, taxes_in_coins
from domain.tariffs.findings import Finding
from domain.tariffs.lines import Charge, LineKind, PricedLine
from domain.tariffs.policy import RoundingPolicy
from domain.tariffs.scale import Units, quantity
from domain.tariffs.tariff import Tariff


class AdjustmentKind(StrEnum):
    """Why the total is not the sum of the displayed lines."""

    MIN_PRICE = "MIN_PRICE"
    MAX_PRICE = "MAX_PRICE"
    ROUNDING = "ROUNDING"


@dataclass(frozen=True, slots=True)
class TaxLine:
    """The tax of one rate; `percentage` is None for tax that only a price limit implies."""

    name: str
    percentage: Decimal | None
    base: Money
    amount: Money


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount without and with tax, and the tax by rate."""

    net: Money
    gross: Money
    taxes: tuple[TaxLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Adjustment:
    """An amount that belongs to the session and to no component."""

    kind: AdjustmentKind
    net: Money
    gross: Money


@dataclass(frozen=True, slots=True)
class Quantities:
    """What a session amounts to: kWh, and hours of charging, idling and being reserved."""

    energy_kwh: Fraction
    charging_hours: Fraction
    parking_hours: Fraction
    reserved_hours: Fraction


@dataclass(frozen=True)
class Pricing:
    """What a record costs. Lines and adjustments add up to `net` and `gross`; taxes add up to `gross - net`.

    `accrued_net` and `accrued_gross` have been earned so far: no step, no `min_price`, capped by `max_price`. They do
    not fall while facts are added, as long as prices and energy are not negative and no tariff with other tax rates
    joins under a one-sided `max_price`, and are never above the total.
    What is only shown is worked out when it is asked for. Money counts coins of `digits` decimals: under a policy
    that has other digits than the currency, `Money.major` does not know of them.
    """

    currency: str
    digits: int
    charges: tuple[Charge, ...]
    exact: Exact
    figures: Figures
    findings: tuple[Finding, ...]
    tariffs: tuple[Tariff, ...]
    """The editions that were used; the first one's limits bound the session."""
    zone: ZoneInfo
    policy: RoundingPolicy

    @property
    def net(self) -> Money:
        """What is to be paid, before tax."""
        return Money(self.figures.total.net, self.currency)

    @property
    def gross(self) -> Money:
        """What is to be paid."""
        return Money(self.figures.total.gross, self.currency)

    @property
    def tax(self) -> Money:
        """The tax in it."""
        return self.gross - self.net

    @property
    def accrued_net(self) -> Money:
        """Earned so far, before tax."""
        return Money(self.figures.accrued.net, self.currency)

    @property
    def accrued_gross(self) -> Money:
        """Earned so far."""
        return Money(self.figures.accrued.gross, self.currency)

    @property
    def limit_applied(self) -> Limit | None:
        """The last price limit that moved something."""
        return next((bound for bound in reversed(Limit) if has_moved(self.exact, bound)), None)

    @cached_property
    def lines(self) -> tuple[PricedLine, ...]:
        """What was charged, by time; each rounded on its own."""
        return tuple(self._lines())

    @cached_property
    def adjustments(self) -> tuple[Adjustment, ...]:
        """What makes the lines add up to the total."""
        shown = Coins(sum(line.net.minor for line in self.lines), sum(line.gross.minor for line in self.lines))
        named = (
            (AdjustmentKind.MIN_PRICE, self.figures.limits[Limit.MIN]),
            (AdjustmentKind.MAX_PRICE, self.figures.limits[Limit.MAX]),
            (AdjustmentKind.ROUNDING, self.figures.raw.less(shown)),
        )
        return tuple(Adjustment(kind, *self._money(coins)) for kind, coins in named if any(coins))

    @cached_property
    def taxes(self) -> tuple[TaxLine, ...]:
        """By rate, ascending."""
        return tuple(self._taxes(taxes_in_coins(self.exact.rates, self.figures.total, self.digits)))

    @cached_property
    def parts(self) -> Mapping[Part, Cost]:
        """`total_energy_cost` and its like, before limits; a part without any line is absent."""
        parts = parts_in_coins(self.exact.sums.parts, self.figures.raw, self.digits)
        return {part: self._cost(part, coins) for part, coins in parts.items()}

    @property
    def measured(self) -> Quantities:
        """As metered or declared, where a component was found."""
        return _quantities((charge.piece.kind, charge.piece.measured) for charge in self.charges)

    @property
    def billed(self) -> Quantities:
        """As paid for."""
        return _quantities((charge.piece.kind, charge.billed) for charge in self.charges)

    def _lines(self) -> Iterator[PricedLine]:
        for charge in self.charges:
            exact = amount_of(charge)
            net, gross = self._money(in_coins(exact, self.digits, self.policy))
            yield PricedLine(charge, exact.net, exact.gross, net, gross)

    def _cost(self, part: Part, coins: Coins) -> Cost:
        taxes = self._taxes(taxes_in_coins(self.exact.sums.of(part), coins, self.digits))
        return Cost(*self._money(coins), tuple(taxes))

    def _taxes(self, rates: Mapping[Decimal | None, Coins]) -> Iterator[TaxLine]:
        for rate, coins in rates.items():
            if rate is not None or coins.gross:
                yield TaxLine(self.policy.tax_name, rate, *self._money(coins))

    def _money(self, coins: Coins) -> tuple[Money, Money]:
        return Money(coins.net, self.currency), Money(coins.gross, self.currency)


def has_moved(exact: Exact, bound: Limit) -> bool:
    """Whether a price limit moved the total."""
    before = exact.raw if bound is Limit.MIN else exact.bounded[Limit.MIN]
    return before != exact.bounded[bound]


def _quantities(volumes: Iterator[tuple[LineKind, Units]]) -> Quantities:
    sums: dict[LineKind, Units] = {}
    for kind, volume in volumes:
        sums[kind] = sums.get(kind, 0) + volume
    kinds = (LineKind.ENERGY, LineKind.TIME, LineKind.PARKING_TIME, LineKind.RESERVATION_TIME)
    return Quantities(*(quantity(sums.get(kind, 0)) for kind in kinds))
