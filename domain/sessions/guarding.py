"""What nobody else watches: holds whose time is over, and sessions that a frozen wallet pays."""

from __future__ import annotations

from sqlalchemy import and_, select

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database, retried
from domain.ids import OperatorId
from domain.sessions.feed import Feed
from domain.sessions.models import ChargingSession, ChargingSessionStatus, CommandKind, StopReason
from domain.sessions.ordering import noted
from domain.sessions.securing import Securing, changed
from domain.wallets import LASTS, Hold, Wallet

_sessions = table_of(ChargingSession)
_wallets = table_of(Wallet)
_RUNNING = (ChargingSessionStatus.CHARGING, ChargingSessionStatus.PARKED)


class Guarding:
    """Chores of the worker; each looks at a bounded number of rows and may be repeated."""

    def __init__(self, database: Database, securing: Securing, feed: Feed, clock: Clock) -> None:
        self._database = database
        self._securing = securing
        self._feed = feed
        self._clock = clock

    async def expire_holds(self, operator: OperatorId, limit: int = 50) -> int:
        """Give back money that waits for nothing; how many holds."""
        async with self._database.read() as reader:
            due = await self._securing.due(reader, operator, limit)
        return sum([await self._expire(hold) for hold in due])

    @retried
    async def _expire(self, hold: Hold) -> bool:
        """It fires only when nothing is running: a value that was accepted lately moves the time on instead."""
        async with self._database.transaction() as tx:
            session = await tx.find(
                ChargingSession, lock=True, operator_id=hold.operator_id, id=hold.charging_session_id
            )
            if session is not None and not session.is_final and session.updated_at + LASTS > self._clock.now():
                await self._securing.keep(tx, hold)
                return False
            return await self._securing.expire(tx, hold)

    async def stop_where_frozen(self, operator: OperatorId, limit: int = 50) -> int:
        """End running sessions whose wallet was frozen; how many."""
        frozen = and_(
            _wallets.c.operator_id == _sessions.c.operator_id,
            _wallets.c.id == _sessions.c.wallet_id,
            _wallets.c.frozen_at.is_not(None),
        )
        statement = (
            select(_sessions)
            .join(_wallets, frozen)
            .where(
                _sessions.c.operator_id == operator,
                _sessions.c.status.in_(_RUNNING),
                _sessions.c.ocpi_id.is_not(None),
                _sessions.c.is_exhausted.is_(False),
            )
        )
        async with self._database.read() as reader:
            running = await reader.list(ChargingSession, statement.limit(limit))
        for session in running:
            stopped = await self._stop(session)
            if stopped is not None:
                await self._feed.publish(stopped)
        return len(running)

    @retried
    async def _stop(self, session: ChargingSession) -> ChargingSession | None:
        async with self._database.transaction() as tx:
            locked = await tx.find(ChargingSession, lock=True, operator_id=session.operator_id, id=session.id)
            if locked is None or locked.status not in _RUNNING or locked.is_exhausted:
                return None
            now = self._clock.now()
            await tx.insert(noted(locked, CommandKind.STOP, now))
            return await changed(tx, locked, now, is_exhausted=True, stop_reason=StopReason.FUNDS_EXHAUSTED)
