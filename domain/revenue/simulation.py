"""What stored sessions would have cost under a draft tariff: revenue, winners and losers. Nothing is ever written.

Bills are read once, driver by driver, and priced a handful at a time: memory does not grow with their number.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping, Select, and_, select

from domain.columns import table_of
from domain.database import Database
from domain.errors import CurrencyMismatch, NotFound
from domain.ids import ChargingSessionId, DriverId, LocationId, OperatorId
from domain.partners import Location
from domain.revenue.service import Scope, in_scope
from domain.sessions import CDR, CdrKind, ChargingSession, SessionService
from domain.tariffs import Tariff, price

_cdrs = table_of(CDR)
_sessions = table_of(ChargingSession)
_locations = table_of(Location)
AT_ONCE = 50
MOST_NAMED = 10


@dataclass(slots=True)
class Tally:
    """Sums in minor units, and how many sessions cost less (winners) or more (losers) under the draft, with tax."""

    sessions: int = 0
    winners: int = 0
    losers: int = 0
    billed_net: int = 0
    billed_gross: int = 0
    draft_net: int = 0
    draft_gross: int = 0

    def add(self, billed: tuple[int, int], draft: tuple[int, int]) -> None:
        """One session: (net, gross) as billed and under the draft."""
        self.sessions += 1
        self.winners += draft[1] < billed[1]
        self.losers += draft[1] > billed[1]
        self.billed_net += billed[0]
        self.billed_gross += billed[1]
        self.draft_net += draft[0]
        self.draft_gross += draft[1]

    @property
    def difference(self) -> int:
        """What drivers would pay more, tax included."""
        return self.draft_gross - self.billed_gross


@dataclass(slots=True)
class Simulation:
    """The outcome. The named drivers gain or lose most; sessions that cannot be `priced` count nowhere else."""

    total: Tally = field(default_factory=Tally)
    locations: dict[LocationId, Tally] = field(default_factory=lambda: defaultdict(Tally))
    hours: list[Tally] = field(default_factory=lambda: [Tally() for _ in range(24)])
    """By hour of the start, local to the location."""
    drivers: int = 0
    winning_drivers: int = 0
    losing_drivers: int = 0
    best_off: list[tuple[int, DriverId]] = field(default_factory=list)
    worst_off: list[tuple[int, DriverId]] = field(default_factory=list)
    unpriced: int = 0

    def leave(self, driver: DriverId | None, own: Tally) -> None:
        """All sessions of a driver have been counted."""
        if driver is None or not own.sessions:
            return
        self.drivers += 1
        self.winning_drivers += own.difference < 0
        self.losing_drivers += own.difference > 0
        for kept, much in ((self.best_off, -own.difference), (self.worst_off, own.difference)):
            if much > 0:
                heapq.heappush(kept, (much, driver))
                if len(kept) > MOST_NAMED:
                    heapq.heappop(kept)


class SimulationService:
    """Reads what was billed and prices it again. The baseline is the bill that stands, whoever made it."""

    def __init__(self, database: Database, sessions: SessionService) -> None:
        self._database = database
        self._sessions = sessions

    async def simulate(
        self, scope: Scope, draft: Tariff, show: Callable[[Simulation], None] = lambda _: None
    ) -> Simulation:
        """Price the sessions of a scope by a draft. Raises CurrencyMismatch for a draft in another currency."""
        if draft.currency != scope.currency:
            raise CurrencyMismatch(scope.currency)
        found, own = Simulation(), Tally()
        driver: DriverId | None = None
        async with self._database.snapshot() as reader:
            async for rows in _handfuls(reader.stream(_billed(scope))):
                drafts = await self._drafts(scope.operator, rows, draft)
                for row in rows:
                    if row["driver_id"] != driver:
                        found.leave(driver, own)
                        driver, own = row["driver_id"], Tally()
                    _count(found, own, row, drafts.get(row["session_id"]))
                show(found)
        found.leave(driver, own)
        for named in (found.best_off, found.worst_off):
            named.sort(key=lambda one: (-one[0], str(one[1])))
        return found

    async def named(self, operator: OperatorId, names: Sequence[str]) -> tuple[LocationId, ...]:
        """The locations with these OCPI ids, of any party. Raises NotFound for a name without one."""
        statement = select(_locations.c.id, _locations.c.ocpi_id).where(
            _locations.c.operator_id == operator, _locations.c.ocpi_id.in_(names)
        )
        async with self._database.read() as reader:
            rows = await reader.rows(statement)
        known = {row["ocpi_id"] for row in rows}
        for name in names:
            if name not in known:
                raise NotFound(f"location {name}")
        return tuple(row["id"] for row in rows)

    async def _drafts(
        self, operator: OperatorId, rows: Sequence[RowMapping], draft: Tariff
    ) -> dict[ChargingSessionId, tuple[int, int]]:
        zones = {row["session_id"]: ZoneInfo(row["time_zone"]) for row in rows}
        async with self._database.read() as reader:
            records = await self._sessions.records(reader, operator, list(zones), draft)
        costs = {session: price([draft], record, zones[session]) for session, record in records.items()}
        return {session: (cost.net.minor, cost.gross.minor) for session, cost in costs.items()}


def _billed(scope: Scope) -> Select[Any]:
    """Bills that stand, driver by driver; those without a driver of ours together."""
    same = and_(_sessions.c.operator_id == _cdrs.c.operator_id, _sessions.c.id == _cdrs.c.session_id)
    credit = _cdrs.alias()
    taken_back = select(credit.c.id).where(
        credit.c.operator_id == _cdrs.c.operator_id, credit.c.credits_id == _cdrs.c.id
    )
    columns = (_cdrs.c.session_id, _cdrs.c.driver_id, _cdrs.c.location_id, _cdrs.c.hour, _cdrs.c.net_minor)
    return (
        select(*columns, _cdrs.c.tax_minor, _sessions.c.time_zone)
        .join(_sessions, same)
        .where(*in_scope(scope), _cdrs.c.kind != CdrKind.CREDIT, ~taken_back.exists())
        .order_by(_cdrs.c.driver_id, _cdrs.c.id)
        .execution_options(yield_per=AT_ONCE)
    )


async def _handfuls(rows: AsyncIterator[RowMapping]) -> AsyncIterator[list[RowMapping]]:
    handful: list[RowMapping] = []
    async for row in rows:
        handful.append(row)
        if len(handful) == AT_ONCE:
            yield handful
            handful = []
    if handful:
        yield handful


def _count(found: Simulation, own: Tally, row: RowMapping, draft: tuple[int, int] | None) -> None:
    if draft is None:
        found.unpriced += 1
        return
    billed = row["net_minor"], row["net_minor"] + row["tax_minor"]
    for tally in (found.total, found.locations[row["location_id"]], found.hours[row["hour"]], own):
        tally.add(billed, draft)
