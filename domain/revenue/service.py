"""What an operator earned, when and where: sums over CDRs, which the audit holds equal to the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, RowMapping, and_, case, func, select

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database
from domain.disputes import Dispute
from domain.ids import LocationId, OperatorId
from domain.revenue.calendar import Interval, check_period, midnight, slice_of, starts
from domain.sessions import CDR, CdrKind

_cdrs = table_of(CDR)
_disputes = table_of(Dispute)


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over sessions, by where they started. Wh, seconds, minor units; `refunded` is what credits gave back."""

    sessions: int = 0
    energy_wh: int = 0
    charging_seconds: int = 0
    idle_seconds: int = 0
    net_minor: int = 0
    tax_minor: int = 0
    idle_net_minor: int = 0
    idle_tax_minor: int = 0
    refunded_net_minor: int = 0
    refunded_tax_minor: int = 0
    disputed: int = 0

    def plus(self, other: Figures) -> Figures:
        """The sum."""
        return Figures(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


class Measure(StrEnum):
    """What sites can be ranked by."""

    REVENUE = "revenue"
    ENERGY = "energy"
    SESSIONS = "sessions"
    IDLE_REVENUE = "idle_revenue"


_RANKED = {
    Measure.REVENUE: "net_minor",
    Measure.ENERGY: "energy_wh",
    Measure.SESSIONS: "sessions",
    Measure.IDLE_REVENUE: "idle_net_minor",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Which CDRs count: of an operator, in a currency, started on local days of [first, before)."""

    operator: OperatorId
    currency: str
    first: date
    before: date
    locations: tuple[LocationId, ...] | None = None

    @property
    def previous(self) -> Scope:
        """The period of equal length just before."""
        return Scope(self.operator, self.currency, self.first - (self.before - self.first), self.first, self.locations)


class RevenueService:
    """Reports of an operator; past figures are never priced again."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def totals(self, scope: Scope) -> Figures:
        """The whole of it. Raises InvalidInput for more than 400 days."""
        check_period(scope.first, scope.before)
        return (await self._sums(scope, None)).get(None, Figures())

    async def timeline(self, scope: Scope, by: Interval, zone: ZoneInfo) -> list[tuple[datetime, Figures]]:
        """Slices in order, empty ones included, with the instant at which each begins. Raises InvalidInput."""
        check_period(scope.first, scope.before)
        slices = dict.fromkeys(starts(scope.first, scope.before, by, zone), Figures())
        column = _cdrs.c.local_hour_at if by is Interval.HOUR else _cdrs.c.local_on
        for place, figures in (await self._sums(scope, column)).items():
            at = place if by is Interval.HOUR else midnight(slice_of(cast("date", place), by, scope.first), zone)
            slices[at] = slices[at].plus(figures)
        return list(slices.items())

    async def locations(self, scope: Scope, by: Measure, limit: int) -> list[tuple[LocationId, Figures]]:
        """The best locations first; equals by id."""
        check_period(scope.first, scope.before)
        sums = await self._sums(scope, _cdrs.c.location_id)
        ranked = sorted(sums.items(), key=lambda item: (-getattr(item[1], _RANKED[by]), str(item[0])))
        return [(LocationId(place), figures) for place, figures in ranked[:limit]]

    def now(self) -> datetime:
        """The instant of a report."""
        return self._clock.now()

    async def _sums(self, scope: Scope, by: ColumnElement[Any] | None) -> dict[Any, Figures]:
        """Figures by the values of a column; by None everything is one."""
        grouped = [] if by is None else [by.label("place")]
        billed = select(*grouped, *_totals()).where(*in_scope(scope)).group_by(*grouped)
        complaints = (
            select(*grouped, func.count().label("disputed"))
            .join(_disputes, and_(_disputes.c.operator_id == _cdrs.c.operator_id, _disputes.c.cdr_id == _cdrs.c.id))
            .where(*in_scope(scope))
            .group_by(*grouped)
        )
        async with self._database.read() as reader:
            rows = await reader.rows(billed)
            disputed = await reader.rows(complaints)
        sums: defaultdict[Any, Figures] = defaultdict(Figures)
        for row in rows:
            sums[row.get("place")] = _figures(row)
        for row in disputed:
            place = row.get("place")
            sums[place] = sums[place].plus(Figures(disputed=row["disputed"]))
        return dict(sums)


_BILLED = {
    "energy_wh": _cdrs.c.energy_wh,
    "charging_seconds": _cdrs.c.charging_seconds,
    "idle_seconds": _cdrs.c.idle_seconds,
    "net_minor": _cdrs.c.net_minor,
    "tax_minor": _cdrs.c.tax_minor,
    "idle_net_minor": _cdrs.c.idle_net_minor,
    "idle_tax_minor": _cdrs.c.idle_tax_minor,
}
_REFUNDED = {"refunded_net_minor": _cdrs.c.net_minor, "refunded_tax_minor": _cdrs.c.tax_minor}


def _totals() -> Iterable[ColumnElement[Any]]:
    original = _cdrs.c.kind == CdrKind.ORIGINAL
    yield func.sum(case((original, 1), else_=0)).label("sessions")
    for name, column in _BILLED.items():
        yield func.sum(case((original, column), else_=0)).label(name)
    for name, column in _REFUNDED.items():
        # A credit is negative, its replacement positive: what is missing between them was given back.
        yield func.sum(case((original, 0), else_=-column)).label(name)


def in_scope(scope: Scope) -> Sequence[ColumnElement[bool]]:
    """The conditions on CDRs of a scope."""
    where: list[ColumnElement[bool]] = [
        _cdrs.c.operator_id == scope.operator,
        _cdrs.c.currency == scope.currency,
        _cdrs.c.local_on >= scope.first,
        _cdrs.c.local_on < scope.before,
    ]
    if scope.locations is not None:
        where.append(_cdrs.c.location_id.in_(scope.locations))
    return where


def _figures(row: RowMapping) -> Figures:
    names = ("sessions", *_BILLED, *_REFUNDED)
    return Figures(**{name: int(row[name] or 0) for name in names})
