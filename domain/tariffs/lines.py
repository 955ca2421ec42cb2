"""The lines of a price: what was measured, what is billed, by which component, and how much that is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from domain.money import Money
from domain.tariffs.restrictions import Moment
from domain.tariffs.tariff import Candidate, ComponentType, Lookup, Tariff


class LineKind(StrEnum):
    """What a line charges for, in the order in which lines of one instant stand."""

    RESERVATION_FLAT = "RESERVATION_FLAT"
    RESERVATION_TIME = "RESERVATION_TIME"
    FLAT = "FLAT"
    ENERGY = "ENERGY"
    TIME = "TIME"
    PARKING_TIME = "PARKING_TIME"

    @property
    def component_type(self) -> ComponentType:
        """The kind of component that prices it."""
        return _COMPONENT_TYPES[self]

    @property
    def rank(self) -> int:
        """Its place among the lines of one instant."""
        return _RANKS[self]


_COMPONENT_TYPES = {kind: ComponentType(kind.value.removeprefix("RESERVATION_")) for kind in LineKind}
_RANKS = {kind: rank for rank, kind in enumerate(LineKind)}

FLATS = frozenset({LineKind.RESERVATION_FLAT, LineKind.FLAT})
TIMES = frozenset({LineKind.RESERVATION_TIME, LineKind.TIME, LineKind.PARKING_TIME})


class Step(NamedTuple):
    """How a session's total was rounded up: `size` in Wh or seconds, quantities in kWh or hours."""

    size: int
    session_measured: Fraction
    session_billed: Fraction
    surplus: Fraction


@dataclass(slots=True)
class Piece:
    """A line in the making; consecutive periods priced by the same component are one."""

    kind: LineKind
    lookup: Lookup
    tariff: Tariff
    candidate: Candidate
    moment: Moment
    start_at: datetime
    end_at: datetime
    first: int
    last: int
    measured: Fraction
    """kWh, hours, or 1 for what is charged once."""
    beyond: Fraction
    """Time only: how far the hours go beyond the seconds they are snapped to."""
    seconds: int = 0
    """Time only: each period snapped to the nearest second."""
    step: Step | None = None

    @property
    def accrued(self) -> Fraction:
        """The measured quantity, never more than what will be billed."""
        return self.measured - self.beyond

    @property
    def billed(self) -> Fraction:
        """The quantity that is paid for."""
        return self.measured if self.step is None else self.measured + self.step.surplus


@dataclass(frozen=True, slots=True)
class PricedLine:
    """One line, explained. Quantities are kWh, hours, or 1 for what is charged once; periods count from 0, by time."""

    kind: LineKind
    tariff: Tariff
    candidate: Candidate
    """The component that won, and where it stands in the tariff."""
    lookup: Lookup
    """What was looked up: the candidates before the winner are those passed over."""
    moment: Moment
    """The instant at which its restrictions were tested."""
    start_at: datetime
    end_at: datetime
    first_period: int
    last_period: int
    measured: Fraction
    billed: Fraction
    step: Step | None
    """Only on the line that takes the surplus of its session."""
    exact_net: Fraction
    exact_gross: Fraction
    net: Money
    gross: Money
