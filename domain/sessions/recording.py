"""What charge point operators tell us becomes state, cost and bill: one transaction a push, published after commit."""

from __future__ import annotations

from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import select

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database, Transaction, retried
from domain.errors import InvalidInput, NotFound, StateConflict
from domain.ids import OperatorId
from domain.ledger import Cause
from domain.partners import PartnerService, Party
from domain.sessions.accepting import (
    cost_columns,
    is_older,
    reading_of,
    says_nothing_new,
    status_after,
    still_counts,
)
from domain.sessions.arriving import Arriving
from domain.sessions.billing import Billing
from domain.sessions.cdr import CDR
from domain.sessions.declared import check_declared
from domain.sessions.feed import Feed
from domain.sessions.following import Followed, Following, Standing
from domain.sessions.models import (
    LIFE_OF_A_CHARGING_SESSION,
    ChargingSession,
    ChargingSessionStatus,
    CommandKind,
    MeterReading,
    StopReason,
)
from domain.sessions.ordering import noted
from domain.sessions.push import CdrPush, SessionPush, TheirStatus
from domain.sessions.securing import Securing, changed
from domain.sessions.tariffing import Tariffing
from domain.states import move
from domain.tariffs import ChargingRecord

_readings = table_of(MeterReading)
_Status = ChargingSessionStatus


class Recorded(StrEnum):
    """What became of a push. STALE: older than what we know, or nothing new; nothing was changed."""

    CREATED = "created"
    UPDATED = "updated"
    STALE = "stale"


_Taken = tuple[ChargingSession, Recorded, Following | None]


class RecordingService:
    """Sessions and CDRs pushed by the operator of the charge point."""

    def __init__(
        self,
        database: Database,
        partners: PartnerService,
        arriving: Arriving,
        tariffing: Tariffing,
        securing: Securing,
        billing: Billing,
        feed: Feed,
        clock: Clock,
    ) -> None:
        self._database = database
        self._partners = partners
        self._arriving = arriving
        self._tariffing = tariffing
        self._securing = securing
        self._billing = billing
        self._feed = feed
        self._clock = clock
        self._followed = Followed()

    async def record(self, party: Party, push: SessionPush, cause: Cause) -> tuple[ChargingSession, Recorded]:
        """Take a PUT or PATCH of a session. Told twice it changes nothing; told late, its meter value still counts.

        Raises InvalidInput (meter backwards, energy below zero, periods that contradict), NotFound (a PATCH of an
        unknown session, an unknown place or Token), UnknownTariff; then nothing is stored.
        """
        session, outcome, following = await self._record(party, push, cause)
        if following is not None:
            self._followed.put_back(session, following)
        if outcome is not Recorded.STALE:
            await self._feed.publish(session)
        return session, outcome

    async def bill(self, party: Party, push: CdrPush, cause: Cause) -> tuple[ChargingSession, bool]:
        """Take the CDR of a session that this party has pushed; False if it was known already.

        Raises InvalidInput, NotFound without the session, StateConflict where it ended otherwise or is another CDR.
        """
        session, is_new = await self._bill(party, push, cause)
        if is_new:
            await self._feed.publish(session)
        return session, is_new

    async def pushed(self, party: Party, ocpi_id: str) -> ChargingSession:
        """A session as its party knows it. Raises NotFound."""
        async with self._database.read() as reader:
            found = await reader.find(
                ChargingSession, operator_id=party.operator_id, party_id=party.id, ocpi_id=ocpi_id
            )
        if found is None:
            raise NotFound("session")
        return found

    async def cdr(self, party: Party, ocpi_id: str) -> CDR:
        """A CDR as its party knows it. Raises NotFound."""
        async with self._database.read() as reader:
            found = await reader.find(CDR, operator_id=party.operator_id, party_id=party.id, ocpi_id=ocpi_id)
        if found is None:
            raise NotFound("CDR")
        return found

    @retried
    async def _record(self, party: Party, push: SessionPush, cause: Cause) -> _Taken:
        async with self._database.transaction() as tx:
            session = await self._arriving.known(tx, party, push)
            outcome = Recorded.UPDATED
            if session is None:
                session, outcome = await self._arriving.begin(tx, party, push, cause), Recorded.CREATED
            if session.is_final:
                return session, Recorded.STALE, None
            if is_older(session, push):
                late = still_counts(session, push)
                if late is None:
                    return session, Recorded.STALE, None
                push = late
            if push.currency not in (None, session.currency):
                raise InvalidInput(f"The session counts in {session.currency}.", ("currency",))
            return await self._take(tx, party, session, push, cause, outcome)

    async def _take(
        self,
        tx: Transaction,
        party: Party,
        session: ChargingSession,
        push: SessionPush,
        cause: Cause,
        outcome: Recorded,
    ) -> _Taken:
        now = self._clock.now()
        reading = reading_of(session, push, now)
        started_at = push.started_at or session.started_at or push.last_updated
        ended_at = push.ended_at or session.ended_at
        if ended_at is not None and ended_at < started_at:
            raise InvalidInput("A session cannot end before it started.", ("end_date_time",))
        told = ChargingRecord(started_at, started_at, push.periods or ())
        locked, tariffs = await self._tariffing.locked(tx, session, told)
        following = await self._follow(tx, session, Following(started_at, ZoneInfo(session.time_zone), tariffs))
        if says_nothing_new(session, reading, push, following):
            return session, Recorded.STALE, following
        following.offer(tariffs)
        if not following.take(reading, ended_at):
            log = await self._log(tx, session, after=0)
            following = Following(started_at, ZoneInfo(session.time_zone), tariffs).again([*log, reading], ended_at)
        standing = following.stands(ended_at)
        if push.status is TheirStatus.COMPLETED:
            ended_at = standing.ended_at
        await tx.insert(reading)
        session = await changed(
            tx,
            session,
            now,
            ocpi_id=push.ocpi_id,
            ocpi_last_updated=max(push.last_updated, session.ocpi_last_updated or push.last_updated),
            started_at=started_at,
            ended_at=ended_at,
            metered_at=reading.at if session.readings == 0 else max(reading.at, session.metered_at),
            readings=reading.number,
            energy_wh=max(reading.energy_wh, session.energy_wh),
            power_w=None if ended_at else standing.power_w,
            charging_seconds=standing.charging_seconds,
            idle_seconds=standing.idle_seconds,
            paused_seconds=standing.paused_seconds,
            locked_tariffs=locked,
            **cost_columns(standing.pricing),
        )
        return await self._go_on(tx, party, session, push, standing, cause), outcome, following

    async def _follow(self, tx: Transaction, session: ChargingSession, anew: Following) -> Following:
        """What there is of a session, up to its last reading: as it is remembered, or from its log."""
        known = self._followed.take_out(session)
        if known is None or known.started_at != anew.started_at or known.readings > session.readings:
            return anew.again(await self._log(tx, session, after=0), session.ended_at) if session.readings else anew
        if known.readings == session.readings:
            return known
        # Another gateway has taken some in between.
        for row in await self._log(tx, session, after=known.readings):
            if not known.take(row, session.ended_at):
                return anew.again(await self._log(tx, session, after=0), session.ended_at)
        return known

    async def _go_on(
        self,
        tx: Transaction,
        party: Party,
        session: ChargingSession,
        push: SessionPush,
        standing: Standing,
        cause: Cause,
    ) -> ChargingSession:
        to = status_after(session.status, push.status, standing, bills_itself=party.sends_cdrs)
        if to is _Status.FAILED:
            await self._securing.let_go(tx, session, cause)
            return await self._move(tx, session, to, stop_reason=session.stop_reason or StopReason.FAULT)
        if session.wallet_id is not None:
            session = await self._keep_up(tx, session, cause, is_over=push.status is TheirStatus.COMPLETED)
        if to is _Status.COMPLETED:
            return await self._billing.bill(tx, session, standing.pricing, cause)
        return session if to is session.status else await self._move(tx, session, to)

    async def _keep_up(
        self, tx: Transaction, session: ChargingSession, cause: Cause, *, is_over: bool
    ) -> ChargingSession:
        if is_over or session.is_exhausted:
            return session
        operator = await self._partners.operator_in(tx, session.operator_id)
        step = operator.opening_hold
        if step.currency != session.currency or await self._securing.keep_up(tx, session, step, cause):
            return session
        now = self._clock.now()
        await tx.insert(noted(session, CommandKind.STOP, now))
        return await changed(tx, session, now, is_exhausted=True, stop_reason=StopReason.FUNDS_EXHAUSTED)

    async def _move(
        self, tx: Transaction, session: ChargingSession, to: ChargingSessionStatus, **values: object
    ) -> ChargingSession:
        status = move(LIFE_OF_A_CHARGING_SESSION, session.status, to)
        return await changed(tx, session, self._clock.now(), status=status, **values)

    async def _log(self, tx: Transaction, session: ChargingSession, *, after: int) -> list[MeterReading]:
        statement = select(_readings).where(
            _readings.c.operator_id == session.operator_id,
            _readings.c.session_id == session.id,
            _readings.c.number > after,
        )
        return await tx.list(MeterReading, statement.order_by(_readings.c.number))

    @retried
    async def _bill(self, party: Party, push: CdrPush, cause: Cause) -> tuple[ChargingSession, bool]:
        check_declared(push)
        operator: OperatorId = party.operator_id
        async with self._database.transaction() as tx:
            session = await tx.find(
                ChargingSession, lock=True, operator_id=operator, party_id=party.id, ocpi_id=push.session
            )
            if session is None:
                raise NotFound("session", ("session_id",))
            known = await tx.find(CDR, operator_id=operator, party_id=party.id, ocpi_id=push.ocpi_id)
            if known is not None:
                if known.content != push.content:
                    raise StateConflict("This CDR is known with another content.", "cdr", known.id)
                return session, False
            if push.total.net.currency != session.currency:
                raise InvalidInput(f"The session counts in {session.currency}.", ("currency",))
            rate = await self._tariffing.only_rate(tx, session)
            return await self._billing.bill_declared(tx, session, push, rate, cause), True
