"""Start and stop by the driver's app: note the wish and hold the money, commit; ask the operator; write the answer."""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy import select

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database, Transaction, retried
from domain.drivers import DriverService
from domain.errors import (
    DeadlinePassed,
    DomainError,
    EvseUnavailable,
    IdempotencyConflict,
    NotFound,
    StateConflict,
    StationUnreachable,
)
from domain.ids import ChargingSessionId, DriverId, Ids, OperatorId, QuoteId
from domain.ledger import Cause
from domain.partners import ChargePoint, Evse, EvseStatus, PartnerService, Party
from domain.refusals import REMEMBERED, Wish, recall, remember
from domain.sessions.control import Reply
from domain.sessions.feed import Feed
from domain.sessions.models import (
    FINAL,
    LIFE_OF_A_CHARGING_SESSION,
    ChargerCommand,
    ChargingSession,
    ChargingSessionStatus,
    CommandKind,
    Quote,
    SessionChannel,
    StopReason,
)
from domain.sessions.ordering import REFUSED, OrderService, noted
from domain.sessions.securing import Securing, changed
from domain.states import move

_sessions = table_of(ChargingSession)
RETRY_AFTER = timedelta(seconds=5)
_USABLE = frozenset({EvseStatus.AVAILABLE, EvseStatus.RESERVED, EvseStatus.UNKNOWN})


class ChargingService:
    """The driver's two verbs. No charge point is called inside a transaction."""

    def __init__(
        self,
        database: Database,
        partners: PartnerService,
        drivers: DriverService,
        securing: Securing,
        orders: OrderService,
        feed: Feed,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._partners = partners
        self._drivers = drivers
        self._securing = securing
        self._orders = orders
        self._feed = feed
        self._clock = clock
        self._ids = ids

    async def start(
        self, operator: OperatorId, driver: DriverId, quote: QuoteId, key: str, cause: Cause
    ) -> ChargingSession:
        """Start a session with an accepted quote. The same key gives the same session as it is now.

        Raises NotFound, IdempotencyConflict, DeadlinePassed, EvseUnavailable, StationUnreachable, InsufficientFunds,
        WalletFrozen, WalletClosed, WalletInDebt; all but NotFound and StationUnreachable for ever.
        """
        session, command = await self._note(operator, driver, quote, key, cause)
        if command is None:
            return session
        await self._feed.publish(session)
        reply = await self._orders.send(command)
        if reply is Reply.REFUSED:
            raise EvseUnavailable(EvseStatus.INOPERATIVE.value)
        if reply is Reply.NOT_SENT:
            raise StationUnreachable(RETRY_AFTER)
        return await self._now(session)

    async def stop(self, operator: OperatorId, driver: DriverId | None, session: ChargingSessionId) -> ChargingSession:
        """Ask the charge point to end a session; asking twice is asking once. Staff passes no driver.

        Raises NotFound, StateConflict, StationUnreachable.
        """
        found, command = await self._note_stop(operator, driver, session)
        if command is None:
            return found
        await self._feed.publish(found)
        if await self._orders.send(command) is Reply.NOT_SENT:
            # The order stays noted: the worker goes on trying while the driver may try again, too.
            raise StationUnreachable(RETRY_AFTER)
        return await self._now(found)

    async def _now(self, session: ChargingSession) -> ChargingSession:
        async with self._database.read() as reader:
            found = await reader.find(ChargingSession, operator_id=session.operator_id, id=session.id)
        assert found is not None
        return found

    async def _note(
        self, operator: OperatorId, driver: DriverId, quote_id: QuoteId, key: str, cause: Cause
    ) -> tuple[ChargingSession, ChargerCommand | None]:
        """The wish of this key, or its refusal, which is written down and said again to the same key."""
        wish = Wish(operator, str(driver), "startCharging", key, {"quote": str(quote_id)})
        noted_or_refused = await self._note_once(wish, driver, quote_id, cause)
        if isinstance(noted_or_refused, DomainError):
            raise noted_or_refused
        return noted_or_refused

    @retried
    async def _note_once(
        self, wish: Wish, driver: DriverId, quote_id: QuoteId, cause: Cause
    ) -> tuple[ChargingSession, ChargerCommand | None] | DomainError:
        operator, key = wish.operator, wish.key
        async with self._database.transaction() as tx:
            quote = await tx.find(Quote, operator_id=operator, id=quote_id, driver_id=driver)
            if quote is None:
                raise NotFound("quote", ("input", "quoteId"))
            place = await self._partners.charge_point_in(tx, operator, quote.connector_id)
            # One vehicle at a time: the EVSE's row is locked, so a twin of this wish is there to be seen.
            evse = await tx.find(Evse, lock=True, operator_id=operator, id=place.evse.id)
            assert evse is not None
            twin = await self._twin(tx, operator, driver, key)
            if twin is not None:
                return await self._same(tx, twin, quote), None
            await recall(tx, wish)
            try:
                async with tx.savepoint():
                    return await self._begin(tx, place, evse, quote, key, cause)
            except REMEMBERED as refusal:
                await remember(tx, wish, refusal, self._clock.now())
                return refusal

    async def _begin(
        self, tx: Transaction, place: ChargePoint, evse: Evse, quote: Quote, key: str, cause: Cause
    ) -> tuple[ChargingSession, ChargerCommand | None]:
        now = self._clock.now()
        if quote.valid_until <= now:
            raise DeadlinePassed(quote.valid_until, "quote")
        await self._is_free(tx, evse, place.party)
        session = await self._pending(tx, place, quote, key)
        if not await tx.insert_once(session):
            twin = await self._twin(tx, quote.operator_id, quote.driver_id, key)
            assert twin is not None
            return await self._same(tx, twin, quote), None
        await self._securing.begin(tx, session, quote.hold, cause)
        command = noted(session, CommandKind.START, now)
        await tx.insert(command)
        return session, command

    async def _same(self, tx: Transaction, twin: ChargingSession, quote: Quote) -> ChargingSession:
        """The session of this key as it is now. Raises IdempotencyConflict, and EvseUnavailable as it was refused."""
        if twin.quote_id != quote.id:
            raise IdempotencyConflict("quote")
        if twin.status is ChargingSessionStatus.FAILED and twin.ocpi_id is None:
            refused = await tx.find(
                ChargerCommand,
                operator_id=twin.operator_id,
                session_id=twin.id,
                kind=CommandKind.START,
                result=REFUSED,
            )
            if refused is not None:
                raise EvseUnavailable(EvseStatus.INOPERATIVE.value)
        return twin

    async def _twin(self, tx: Transaction, operator: OperatorId, driver: DriverId, key: str) -> ChargingSession | None:
        return await tx.find(ChargingSession, operator_id=operator, driver_id=driver, idempotency_key=key)

    async def _is_free(self, tx: Transaction, evse: Evse, party: Party) -> None:
        if evse.status not in _USABLE:
            raise EvseUnavailable(evse.status.value)
        if party.commands_url is None:
            raise EvseUnavailable(EvseStatus.INOPERATIVE.value)
        busy = select(_sessions.c.id).where(
            _sessions.c.operator_id == evse.operator_id,
            _sessions.c.evse_id == evse.id,
            _sessions.c.status.not_in(FINAL),
            _sessions.c.ended_at.is_(None),
        )
        if await tx.scalar(busy.limit(1)) is not None:
            raise EvseUnavailable(EvseStatus.CHARGING.value)

    async def _pending(self, tx: Transaction, place: ChargePoint, quote: Quote, key: str) -> ChargingSession:
        operator = await self._partners.operator_in(tx, quote.operator_id)
        token = await self._drivers.app_token(tx, quote.operator_id, quote.driver_id, operator.emsp_role)
        wallet = await self._securing.wallet_of(tx, quote.operator_id, quote.driver_id, quote.currency)
        now = self._clock.now()
        return ChargingSession(
            operator_id=quote.operator_id,
            id=ChargingSessionId(self._ids.new()),
            party_id=place.party.id,
            authorization_reference=secrets.token_hex(18),
            idempotency_key=key,
            channel=SessionChannel.APP,
            driver_id=quote.driver_id,
            wallet_id=wallet.id,
            quote_id=quote.id,
            token_party="*".join(operator.emsp_role),
            token_uid=token.uid,
            contract_id=token.contract_id,
            location_id=place.location.id,
            evse_id=place.evse.id,
            connector_id=place.connector.id,
            tariff_id=quote.tariff_id,
            time_zone=place.location.time_zone,
            country=place.location.country,
            status=ChargingSessionStatus.PENDING,
            requested_at=now,
            metered_at=now,
            currency=quote.currency,
            updated_at=now,
        )

    @retried
    async def _note_stop(
        self, operator: OperatorId, driver: DriverId | None, session_id: ChargingSessionId
    ) -> tuple[ChargingSession, ChargerCommand | None]:
        owner = {} if driver is None else {"driver_id": driver}
        async with self._database.transaction() as tx:
            session = await tx.find(ChargingSession, lock=True, operator_id=operator, id=session_id, **owner)
            if session is None:
                raise NotFound("session", ("input", "sessionId"))
            if session.status in (ChargingSessionStatus.STOPPING, ChargingSessionStatus.COMPLETED):
                return session, None
            if session.status is ChargingSessionStatus.FAILED or session.ocpi_id is None:
                has = "has failed" if session.is_final else "has not begun; ask again in a moment"
                raise StateConflict(f"This session {has}.", "charging_session", session.id)
            now = self._clock.now()
            command = noted(session, CommandKind.STOP, now)
            await tx.insert(command)
            status = move(LIFE_OF_A_CHARGING_SESSION, session.status, ChargingSessionStatus.STOPPING)
            return await changed(tx, session, now, status=status, stop_reason=StopReason.DRIVER), command
