"""What a record costs: the value that everything else reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

from domain.money import Money
from domain.tariffs.amounts import Limit, Part
from domain.tariffs.figures import Exact
from domain.tariffs.findings import Finding
from domain.tariffs.lines import PricedLine
from domain.tariffs.policy import RoundingPolicy
from domain.tariffs.tariff import Tariff


class AdjustmentKind(StrEnum):
    """Why the total is not the sum of the displayed lines."""

    MIN_PRICE = "MIN_PRICE"
    MAX_PRICE = "MAX_PRICE"
    ROUNDING = "ROUNDING"


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount without and with tax."""

    net: Money
    gross: Money


@dataclass(frozen=True, slots=True)
class Adjustment:
    """An amount that belongs to the session and to no component."""

    kind: AdjustmentKind
    net: Money
    gross: Money


@dataclass(frozen=True, slots=True)
class TaxLine:
    """The tax of one rate; `percentage` is None for tax that only a price limit implies."""

    name: str
    percentage: Decimal | None
    base: Money
    amount: Money


@dataclass(frozen=True, slots=True)
class Quantities:
    """What a session amounts to: kWh, and hours of charging, idling and being reserved."""

    energy_kwh: Fraction
    charging_hours: Fraction
    parking_hours: Fraction
    reserved_hours: Fraction


@dataclass(frozen=True, slots=True)
class Pricing:
    """What a record costs. Lines and adjustments add up to `net` and `gross`; taxes add up to `gross - net`.

    `accrued` is what has been earned so far: no step, no `min_price`, capped by `max_price`. It does not fall while
    facts are added, as long as prices and energy are not negative, and is never above the total.
    """

    currency: str
    net: Money
    gross: Money
    accrued_net: Money
    accrued_gross: Money
    lines: tuple[PricedLine, ...]
    adjustments: tuple[Adjustment, ...]
    taxes: tuple[TaxLine, ...]
    parts: Mapping[Part, Cost]
    """`total_energy_cost` and its like, before limits; a part without any line is absent."""
    measured: Quantities
    billed: Quantities
    limit_applied: Limit | None
    findings: tuple[Finding, ...]
    tariffs: tuple[Tariff, ...]
    """The editions that were used; the first one's limits bound the session."""
    zone: ZoneInfo
    policy: RoundingPolicy
    exact: Exact

    @property
    def tax(self) -> Money:
        """The tax in it."""
        return self.gross - self.net
