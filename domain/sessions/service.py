"""Sessions and their bills as they are read: by owner, in pages, and live."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping, and_, or_, select

from domain.columns import table_of
from domain.database import Database, Reader
from domain.errors import NotFound
from domain.ids import CdrId, ChargingSessionId, DriverId, OperatorId, QuoteId
from domain.sessions.cdr import CDR, CdrKind
from domain.sessions.checking import Checked, checks_of
from domain.sessions.costs import Explanation, explanations, explanations_of
from domain.sessions.feed import Feed, Mailbox
from domain.sessions.following import Following
from domain.sessions.live import declared_periods, fold, points_of
from domain.sessions.models import FINAL, ChargingSession, ChargingSessionStatus, MeterReading, Quote
from domain.sessions.tariffing import Tariffing
from domain.tariffs import ChargingPeriod, ChargingRecord, Pricing, Tariff, cutter

_sessions = table_of(ChargingSession)
_cdrs = table_of(CDR)
_readings = table_of(MeterReading)
_quotes = table_of(Quote)


LOOK_EVERY = timedelta(seconds=30)
"""A feed may lose what it carries; that costs this much time and nothing else."""


class UpdateKind(StrEnum):
    """Why an update was sent."""

    SNAPSHOT = "snapshot"
    CHANGE = "change"
    FINAL = "final"


class SessionService:
    """Reads. With a driver, only that driver's sessions exist; staff of the operator passes none."""

    def __init__(self, database: Database, tariffing: Tariffing, feed: Feed) -> None:
        self._database = database
        self._tariffing = tariffing
        self._feed = feed

    async def session(
        self, operator: OperatorId, session: ChargingSessionId, driver: DriverId | None
    ) -> ChargingSession | None:
        """One session, None if it does not exist for the asker."""
        owner: dict[str, Any] = {} if driver is None else {"driver_id": driver}
        async with self._database.read() as reader:
            return await reader.find(ChargingSession, operator_id=operator, id=session, **owner)

    async def sessions_by_id(self, operator: OperatorId, ids: Sequence[ChargingSessionId]) -> list[ChargingSession]:
        """Those of these sessions that exist; for loaders that hold ids the asker may see."""
        statement = select(_sessions).where(_sessions.c.operator_id == operator, _sessions.c.id.in_(ids))
        async with self._database.read() as reader:
            return await reader.list(ChargingSession, statement)

    async def sessions_of(
        self,
        operator: OperatorId,
        driver: DriverId,
        *,
        before: tuple[datetime, ChargingSessionId] | None,
        statuses: Sequence[ChargingSessionStatus] | None,
        limit: int,
    ) -> list[ChargingSession]:
        """A driver's sessions, latest request first, behind `before`."""
        at, key = _sessions.c.requested_at, _sessions.c.id
        statement = select(_sessions).where(_sessions.c.operator_id == operator, _sessions.c.driver_id == driver)
        if statuses is not None:
            statement = statement.where(_sessions.c.status.in_(statuses))
        if before is not None:
            statement = statement.where(or_(at < before[0], and_(at == before[0], key < before[1])))
        async with self._database.read() as reader:
            return await reader.list(ChargingSession, statement.order_by(at.desc(), key.desc()).limit(limit))

    async def active_of(self, operator: OperatorId, driver: DriverId, limit: int = 20) -> list[ChargingSession]:
        """A driver's sessions that have not ended, latest request first."""
        running = [status for status in ChargingSessionStatus if status not in FINAL]
        return await self.sessions_of(operator, driver, before=None, statuses=running, limit=limit)

    async def cdrs_of(self, operator: OperatorId, sessions: Sequence[ChargingSessionId]) -> list[CDR]:
        """All CDRs of these sessions in the order they were made; for loaders."""
        statement = select(_cdrs).where(_cdrs.c.operator_id == operator, _cdrs.c.session_id.in_(sessions))
        async with self._database.read() as reader:
            return await reader.list(CDR, statement.order_by(_cdrs.c.issued_at, _cdrs.c.id))

    async def checks_of(self, operator: OperatorId, cdrs: Sequence[CdrId]) -> list[Checked]:
        """What was found about these CDRs; for loaders."""
        async with self._database.read() as reader:
            return await checks_of(reader, operator, cdrs)

    async def cdr(self, operator: OperatorId, cdr: CdrId, driver: DriverId | None) -> CDR | None:
        """One CDR, None if it does not exist for the asker."""
        owner: dict[str, Any] = {} if driver is None else {"driver_id": driver}
        async with self._database.read() as reader:
            return await reader.find(CDR, operator_id=operator, id=cdr, **owner)

    async def quotes_by_id(self, operator: OperatorId, ids: Sequence[QuoteId]) -> list[Quote]:
        """Those of these quotes that exist; for loaders."""
        statement = select(_quotes).where(_quotes.c.operator_id == operator, _quotes.c.id.in_(ids))
        async with self._database.read() as reader:
            return await reader.list(Quote, statement)

    async def log(self, operator: OperatorId, session: ChargingSessionId, *, limit: int) -> list[MeterReading]:
        """What the operator of the charge point said about a session, in the order it was accepted."""
        async with self._database.read() as reader:
            return await self._log(reader, operator, session, limit)

    async def reprice(self, reader: Reader, session: ChargingSession) -> Pricing | None:
        """What the log of a session costs by its locked tariffs; None for a log without any energy or time."""
        log = await self._log(reader, session.operator_id, session.id, session.readings)
        if not log or session.started_at is None:
            return None
        told = ChargingRecord(session.started_at, session.started_at, declared_periods(points_of(log)))
        _, tariffs = await self._tariffing.locked(reader, session, told)
        following = Following(session.started_at, ZoneInfo(session.time_zone), tariffs)
        return following.again(log, session.ended_at).stands(session.ended_at).pricing

    async def explanations(self, operator: OperatorId, sessions: Sequence[ChargingSession]) -> list[list[Explanation]]:
        """Of each priced line of these rows, in order: as billed, else from the log as far as the row has counted it.

        Empty where somebody else made the bill, or nothing is priced yet.
        """
        billed = [session.id for session in sessions if session.status is ChargingSessionStatus.COMPLETED]
        statement = select(_cdrs.c.session_id, _cdrs.c.content, _cdrs.c.is_declared).where(
            _cdrs.c.operator_id == operator, _cdrs.c.session_id.in_(billed), _cdrs.c.kind == CdrKind.ORIGINAL
        )
        async with self._database.read() as reader:
            bills = {row["session_id"]: row for row in await reader.rows(statement)} if billed else {}
            return [await self._explained(reader, session, bills.get(session.id)) for session in sessions]

    async def checked(self, reader: Reader, cdr: CDR) -> Checked | None:
        """What was found when this CDR was taken; None where there was nothing to check."""
        return next(iter(await checks_of(reader, cdr.operator_id, [cdr.id])), None)

    async def records(
        self, reader: Reader, operator: OperatorId, sessions: Sequence[ChargingSessionId], tariff: Tariff
    ) -> dict[ChargingSessionId, ChargingRecord]:
        """What these sessions amount to by their logs, cut for this tariff, no period naming one.

        What never started is missing.
        """
        at = (_readings.c.operator_id == operator, _readings.c.session_id.in_(sessions))
        ordered = select(_readings).where(*at).order_by(_readings.c.session_id, _readings.c.number)
        logs: defaultdict[ChargingSessionId, list[MeterReading]] = defaultdict(list)
        for reading in await reader.list(MeterReading, ordered):
            logs[reading.session_id].append(reading)
        statement = select(_sessions.c.id, _sessions.c.started_at, _sessions.c.ended_at, _sessions.c.time_zone).where(
            _sessions.c.operator_id == operator, _sessions.c.id.in_(logs), _sessions.c.started_at.is_not(None)
        )
        found = {}
        for row in await reader.rows(statement):
            cut = cutter([tariff], row["started_at"], ZoneInfo(row["time_zone"]))
            record = fold(row["started_at"], row["ended_at"], points_of(logs[row["id"]]), cut).record
            periods = tuple(ChargingPeriod(period.start_at, period.dimensions) for period in record.periods)
            found[row["id"]] = replace(record, periods=periods)
        return found

    async def watch(
        self, operator: OperatorId, session: ChargingSessionId, driver: DriverId | None, seen: int
    ) -> AsyncIterator[tuple[UpdateKind, ChargingSession]]:
        """The states of a session that are newer than revision `seen`, until the final one.

        Listens, then looks, then streams, so nothing falls in between; the newest state wins. Raises NotFound.
        """
        async with self._feed.listen(session) as mailbox:
            now = await self.session(operator, session, driver)
            if now is None:
                raise NotFound("session")
            if now.is_final or now.revision > seen:
                yield (UpdateKind.FINAL if now.is_final else UpdateKind.SNAPSHOT), now
            while not now.is_final:
                newer = await _next(mailbox) or await self.session(operator, session, driver)
                if newer is None or newer.revision <= now.revision:
                    continue
                now = newer
                yield (UpdateKind.FINAL if now.is_final else UpdateKind.CHANGE), now

    async def _explained(self, reader: Reader, session: ChargingSession, bill: RowMapping | None) -> list[Explanation]:
        if bill is not None:
            return [] if bill["is_declared"] else explanations_of(bill["content"])
        pricing = await self.reprice(reader, session)
        return [] if pricing is None else explanations(pricing)

    async def _log(
        self, reader: Reader, operator: OperatorId, session: ChargingSessionId, limit: int
    ) -> list[MeterReading]:
        statement = select(_readings).where(_readings.c.operator_id == operator, _readings.c.session_id == session)
        return await reader.list(MeterReading, statement.order_by(_readings.c.number).limit(limit))


async def _next(mailbox: Mailbox) -> ChargingSession | None:
    """What arrives next; None means look at the row, which silence says too after a while."""
    try:
        async with asyncio.timeout(LOOK_EVERY.total_seconds()):
            return await mailbox.take()
    except TimeoutError:
        return None


def standing(cdrs: Sequence[CDR]) -> CDR | None:
    """Of the CDRs of one session the one that stands: a replacement, else the original."""
    kinds = {cdr.kind: cdr for cdr in cdrs}
    return kinds.get(CdrKind.REPLACEMENT, kinds.get(CdrKind.ORIGINAL))
