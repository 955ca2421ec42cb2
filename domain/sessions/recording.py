"""What charge point operators tell us becomes state, cost and bill: one transaction a push, published after commit."""

from __future__ import annotations

from datetime import datetime
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
from domain.sessions.arriving import Arriving
from domain.sessions.billing import Billing
from domain.sessions.cdr import CDR
from domain.sessions.costs import Evidence, cost_lines, lines_json
from domain.sessions.declared import check_declared
from domain.sessions.feed import Feed
from domain.sessions.live import Folded, fold, periods_json, points_of
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
from domain.states import may_move, move
from domain.tariffs import Pricing, price

_readings = table_of(MeterReading)
_Status = ChargingSessionStatus


class Recorded(StrEnum):
    """What became of a push. STALE: older than what we know, or nothing new; nothing was changed."""

    CREATED = "created"
    UPDATED = "updated"
    STALE = "stale"


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

    async def record(self, party: Party, push: SessionPush, cause: Cause) -> tuple[ChargingSession, Recorded]:
        """Take a PUT or PATCH of a session. Told twice, or older than what is known, it changes nothing.

        Raises InvalidInput (meter backwards, energy below zero, periods that contradict), NotFound (a PATCH of an
        unknown session, an unknown place or Token), UnknownTariff; then nothing is stored.
        """
        session, outcome = await self._record(party, push, cause)
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
    async def _record(self, party: Party, push: SessionPush, cause: Cause) -> tuple[ChargingSession, Recorded]:
        async with self._database.transaction() as tx:
            session = await self._arriving.known(tx, party, push)
            outcome = Recorded.UPDATED
            if session is None:
                session, outcome = await self._arriving.begin(tx, party, push, cause), Recorded.CREATED
            if session.is_final or _is_older(session, push):
                return session, Recorded.STALE
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
    ) -> tuple[ChargingSession, Recorded]:
        now = self._clock.now()
        reading = _reading(session, push, now)
        log = await self._log(tx, session)
        started_at = push.started_at or session.started_at or push.last_updated
        ended_at = push.ended_at or session.ended_at
        if ended_at is not None and ended_at < started_at:
            raise InvalidInput("A session cannot end before it started.", ("end_date_time",))
        if _says_nothing_new(session, reading, push, log):
            return session, Recorded.STALE
        folded = fold(started_at, ended_at, points_of([*log, reading]))
        if push.status is TheirStatus.COMPLETED:
            ended_at = folded.record.ended_at
        locked, tariffs = await self._tariffing.locked(tx, session, folded.record)
        pricing = price(tariffs, folded.record, ZoneInfo(session.time_zone))
        await tx.insert(reading)
        session = await changed(
            tx,
            session,
            now,
            ocpi_id=push.ocpi_id,
            ocpi_last_updated=push.last_updated,
            started_at=started_at,
            ended_at=ended_at,
            metered_at=reading.at,
            readings=reading.number,
            energy_wh=reading.energy_wh,
            power_w=None if ended_at else folded.power_w,
            charging_seconds=folded.charging_seconds,
            idle_seconds=folded.idle_seconds,
            locked_tariffs=locked,
            **_cost(pricing, folded),
        )
        return await self._go_on(tx, party, session, push, folded, pricing, cause), outcome

    async def _go_on(
        self,
        tx: Transaction,
        party: Party,
        session: ChargingSession,
        push: SessionPush,
        folded: Folded,
        pricing: Pricing,
        cause: Cause,
    ) -> ChargingSession:
        to = _status(session.status, push.status, folded, bills_itself=party.sends_cdrs)
        if to is _Status.FAILED:
            await self._securing.let_go(tx, session, cause)
            return await self._move(tx, session, to, stop_reason=session.stop_reason or StopReason.FAULT)
        if session.wallet_id is not None:
            session = await self._keep_up(tx, session, cause, is_over=push.status is TheirStatus.COMPLETED)
        if to is _Status.COMPLETED:
            return await self._billing.bill(tx, session, pricing, cause)
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

    async def _log(self, tx: Transaction, session: ChargingSession) -> list[MeterReading]:
        statement = select(_readings).where(
            _readings.c.operator_id == session.operator_id, _readings.c.session_id == session.id
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


def _is_older(session: ChargingSession, push: SessionPush) -> bool:
    return session.ocpi_last_updated is not None and push.last_updated < session.ocpi_last_updated


def _reading(session: ChargingSession, push: SessionPush, now: datetime) -> MeterReading:
    energy_wh = session.energy_wh if push.energy is None else push.energy.wh
    if energy_wh < session.energy_wh:
        raise InvalidInput("The meter runs backwards: this is less energy than was counted before.", ("kwh",))
    return MeterReading(
        operator_id=session.operator_id,
        session_id=session.id,
        number=session.readings + 1,
        at=push.ended_at or push.last_updated,
        energy_wh=energy_wh,
        status="" if push.status is None else push.status.value,
        replaces=push.replaces,
        periods=periods_json(push.periods),
        received_at=now,
    )


def _says_nothing_new(
    session: ChargingSession, reading: MeterReading, push: SessionPush, log: list[MeterReading]
) -> bool:
    """Whether a push at the instant of the last one repeats it: operators retry."""
    if not log or session.ocpi_last_updated != push.last_updated or reading.energy_wh != log[-1].energy_wh:
        return False
    if reading.status not in ("", log[-1].status):
        return False
    told: set[object] = set()
    for point in points_of(log):
        told |= set(point.periods or ())
    return all(period in told for period in push.periods or ())


def _status(
    now: ChargingSessionStatus, theirs: TheirStatus | None, folded: Folded, *, bills_itself: bool
) -> ChargingSessionStatus:
    """Where a session stands after a push; while we wait for it to stop, it stays STOPPING."""
    is_active = theirs is TheirStatus.ACTIVE and now is not _Status.STOPPING
    stays_active = theirs is None and now in (_Status.CHARGING, _Status.PARKED)
    if theirs is TheirStatus.COMPLETED:
        to = _Status.STOPPING if bills_itself else _Status.COMPLETED
    elif theirs is TheirStatus.INVALID:
        to = _Status.FAILED
    elif is_active or stays_active:
        to = _Status.PARKED if folded.is_parked else _Status.CHARGING
    else:
        to = now
    assert to is now or may_move(LIFE_OF_A_CHARGING_SESSION, now, to)
    return to


def _cost(pricing: Pricing, folded: Folded) -> dict[str, object]:
    evidence = Evidence.METERED if folded.is_declared else Evidence.INTERPOLATED
    return {
        "accrued_net_minor": pricing.accrued_net.minor,
        "accrued_tax_minor": (pricing.accrued_gross - pricing.accrued_net).minor,
        "net_minor": pricing.net.minor,
        "tax_minor": pricing.tax.minor,
        "lines": lines_json(cost_lines(pricing, evidence)),
    }
