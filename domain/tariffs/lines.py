"""The lines of a price: what was measured, what is billed, by which component, and how much that is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from domain.money import Money
from domain.tariffs.record import Evidence
from domain.tariffs.restrictions import Moment
from domain.tariffs.scale import Units, quantity
from domain.tariffs.tariff import Candidate, ComponentType, Lookup, Tariff


class LineKind(StrEnum):
    """What a line charges for, in the order in which lines of one instant stand."""

    RESERVATION_FLAT = "RESERVATION_FLAT"
    RESERVATION_TIME = "RESERVATION_TIME"
    FLAT = "FLAT"
    ENERGY = "ENERGY"
    TIME = "TIME"
    PARKING_TIME = "PARKING_TIME"

    __hash__ = str.__hash__  # an enum's own is slow, and pricing asks for it often

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
    """How a session's total was rounded up: `size` in Wh or seconds, quantities in units."""

    size: int
    session_measured: Units
    session_billed: Units
    surplus: Units


@dataclass(slots=True)
class Piece:
    """A line in the making, in units; consecutive periods priced by the same component are one."""

    kind: LineKind
    lookup: Lookup
    tariff: Tariff
    candidate: Candidate
    moment: Moment
    start_at: datetime
    end_at: datetime
    first: int
    last: int
    measured: Units
    beyond: Units
    """Time only: how far the hours go beyond the seconds they are snapped to."""
    seconds: int
    """Time only: each period snapped to the nearest second."""
    evidence: Evidence
    states: tuple[tuple[datetime, str], ...]

    @property
    def accrued(self) -> Units:
        """The measured quantity, never more than what will be billed."""
        return self.measured - self.beyond


class Charge(NamedTuple):
    """A piece with the step that it takes, if any; only the last piece of a stepped dimension does."""

    piece: Piece
    step: Step | None

    @property
    def billed(self) -> Units:
        """The quantity that is paid for."""
        return self.piece.measured if self.step is None else self.piece.measured + self.step.surplus


@dataclass(frozen=True, slots=True)
class PricedLine:
    """One line, explained. Quantities are kWh, hours, or 1 for what is charged once; periods count from 0, by time."""

    charge: Charge
    exact_net: Fraction
    exact_gross: Fraction
    net: Money
    gross: Money

    @property
    def kind(self) -> LineKind:
        """What it charges for."""
        return self.charge.piece.kind

    @property
    def tariff(self) -> Tariff:
        """The edition whose component won."""
        return self.charge.piece.tariff

    @property
    def candidate(self) -> Candidate:
        """The component that won, and where it stands in the tariff."""
        return self.charge.piece.candidate

    @property
    def start_at(self) -> datetime:
        """Start of its first period."""
        return self.charge.piece.start_at

    @property
    def end_at(self) -> datetime:
        """End of its last period."""
        return self.charge.piece.end_at

    @property
    def first_period(self) -> int:
        """Its first period by time, from 0."""
        return self.charge.piece.first

    @property
    def last_period(self) -> int:
        """Its last period by time."""
        return self.charge.piece.last

    @property
    def measured(self) -> Fraction:
        """As metered or declared."""
        return quantity(self.charge.piece.measured)

    @property
    def billed(self) -> Fraction:
        """As paid for, with the surplus of a step."""
        return quantity(self.charge.billed)

    @property
    def step(self) -> Step | None:
        """Only on the line that takes the surplus of its session."""
        return self.charge.step
