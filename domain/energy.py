"""Energy as a meter counts it: whole watt hours."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Self

from domain.money import rounded


@dataclass(frozen=True, slots=True, order=True)
class Energy:
    """A quantity of energy in whole watt hours."""

    wh: int

    def __post_init__(self) -> None:
        assert type(self.wh) is int, "watt hours are integers"

    @classmethod
    def from_kwh(cls, kwh: Decimal | Fraction) -> Self:
        """The nearest whole watt hour."""
        return cls(rounded(Fraction(kwh) * 1000))

    @property
    def kwh(self) -> Decimal:
        """Kilowatt hours with three decimals: `Energy(7812).kwh == Decimal("7.812")`."""
        return Decimal(self.wh).scaleb(-3)

    def __add__(self, other: Energy) -> Energy:
        return Energy(self.wh + other.wh)

    def __sub__(self, other: Energy) -> Energy:
        return Energy(self.wh - other.wh)
