"""Disputes as they are read: by owner, in pages, with their thread."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select

from domain.columns import table_of
from domain.database import Database
from domain.disputes.models import Dispute, DisputeEvent, DisputeStatus
from domain.ids import ChargingSessionId, DisputeId, DocumentId, DriverId, OperatorId

_disputes = table_of(Dispute)
_events = table_of(DisputeEvent)


class DisputeDesk:
    """With a driver, only that driver's disputes exist; staff of the operator passes none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def dispute(self, operator: OperatorId, dispute: DisputeId, driver: DriverId | None) -> Dispute | None:
        """One dispute, None if it does not exist for the asker."""
        owner: dict[str, Any] = {} if driver is None else {"driver_id": driver}
        async with self._database.read() as reader:
            return await reader.find(Dispute, operator_id=operator, id=dispute, **owner)

    async def disputes(
        self,
        operator: OperatorId,
        driver: DriverId | None,
        *,
        before: tuple[datetime, DisputeId] | None,
        statuses: Sequence[DisputeStatus] | None,
        limit: int,
    ) -> list[Dispute]:
        """Disputes, newest first, behind `before`."""
        at, key = _disputes.c.opened_at, _disputes.c.id
        statement = select(_disputes).where(_disputes.c.operator_id == operator)
        if driver is not None:
            statement = statement.where(_disputes.c.driver_id == driver)
        if statuses is not None:
            statement = statement.where(_disputes.c.status.in_(statuses))
        if before is not None:
            statement = statement.where(or_(at < before[0], and_(at == before[0], key < before[1])))
        async with self._database.read() as reader:
            return await reader.list(Dispute, statement.order_by(at.desc(), key.desc()).limit(limit))

    async def disputes_of(self, operator: OperatorId, sessions: Sequence[ChargingSessionId]) -> list[Dispute]:
        """Disputes about the bills of these sessions, newest first; for loaders."""
        statement = select(_disputes).where(_disputes.c.operator_id == operator, _disputes.c.session_id.in_(sessions))
        async with self._database.read() as reader:
            return await reader.list(Dispute, statement.order_by(_disputes.c.id.desc()))

    async def credited(self, operator: OperatorId, notes: Sequence[DocumentId]) -> list[Dispute]:
        """Disputes that these credit notes were issued for; for loaders."""
        statement = select(_disputes).where(_disputes.c.operator_id == operator, _disputes.c.credit_note_id.in_(notes))
        async with self._database.read() as reader:
            return await reader.list(Dispute, statement)

    async def events(self, operator: OperatorId, dispute: DisputeId, *, after: int, limit: int) -> list[DisputeEvent]:
        """The thread of a dispute, oldest first, behind number `after`."""
        statement = select(_events).where(
            _events.c.operator_id == operator, _events.c.dispute_id == dispute, _events.c.number > after
        )
        async with self._database.read() as reader:
            return await reader.list(DisputeEvent, statement.order_by(_events.c.number).limit(limit))
