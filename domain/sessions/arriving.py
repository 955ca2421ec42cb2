"""How a pushed session finds its row: by its OCPI id, by the authorisation we gave, or as a new one."""

from __future__ import annotations

from domain.clock import Clock
from domain.database import Transaction
from domain.drivers import DriverService, Token
from domain.errors import InvalidInput, NotFound
from domain.ids import ChargingSessionId, Ids
from domain.ledger import Cause
from domain.money import Money
from domain.partners import ChargePoint, Operator, PartnerService, Party
from domain.sessions.models import ChargingSession, ChargingSessionStatus, SessionChannel
from domain.sessions.push import SessionPush, TokenName
from domain.sessions.securing import Securing
from domain.tariffs import TariffService
from domain.wallets import WalletService


class Arriving:
    """Finds or begins the session of a push, with its row locked."""

    def __init__(
        self,
        drivers: DriverService,
        partners: PartnerService,
        tariffs: TariffService,
        wallets: WalletService,
        securing: Securing,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._drivers = drivers
        self._partners = partners
        self._tariffs = tariffs
        self._wallets = wallets
        self._securing = securing
        self._clock = clock
        self._ids = ids

    async def known(self, tx: Transaction, party: Party, push: SessionPush) -> ChargingSession | None:
        """The session this push is about, if there is one. Raises NotFound for a PATCH of none."""
        at = {"operator_id": party.operator_id, "party_id": party.id}
        found = await tx.find(ChargingSession, lock=True, **at, ocpi_id=push.ocpi_id)
        if found is None and push.authorization_reference is not None:
            ours = await tx.find(ChargingSession, lock=True, **at, authorization_reference=push.authorization_reference)
            # One that was given up meanwhile stays so; what really runs is recorded as a session of its own.
            found = ours if ours is not None and ours.ocpi_id is None and not ours.is_final else None
        if found is None and not push.replaces:
            raise NotFound("session")
        return found

    async def begin(self, tx: Transaction, party: Party, push: SessionPush, cause: Cause) -> ChargingSession:
        """A row for a session that began without us. Raises NotFound, UnknownTariff, InvalidInput."""
        if push.token is None:
            raise InvalidInput("A session begins with the Token that started it.", ("cdr_token",))
        place = await self._place(tx, party, push)
        edition = await self._tariffs.offered(tx, party.operator_id, party.id, place.connector.tariff_ocpi_id)
        operator = await self._partners.operator_in(tx, party.operator_id)
        token = await self._ours(tx, operator, push.token)
        now = self._clock.now()
        session = ChargingSession(
            operator_id=party.operator_id,
            id=ChargingSessionId(self._ids.new()),
            party_id=party.id,
            ocpi_id=push.ocpi_id,
            channel=_channel(token, push.token),
            driver_id=None if token is None else token.driver_id,
            token_party="*".join(push.token.owner),
            token_uid=push.token.uid,
            contract_id=push.token.contract_id,
            location_id=place.location.id,
            evse_id=place.evse.id,
            connector_id=place.connector.id,
            tariff_id=edition.id,
            time_zone=place.location.time_zone,
            country=place.location.country,
            status=ChargingSessionStatus.PENDING,
            requested_at=push.started_at or now,
            metered_at=push.started_at or now,
            currency=edition.currency,
            updated_at=now,
        )
        if token is not None:
            wallet = await self._wallets.open(tx, party.operator_id, token.driver_id, edition.currency)
            session.wallet_id = wallet.id
        if not await tx.insert_once(session):
            twin = await tx.find(
                ChargingSession,
                lock=True,
                operator_id=party.operator_id,
                party_id=party.id,
                ocpi_id=push.ocpi_id,
            )
            assert twin is not None
            return twin
        if session.wallet_id is not None:
            step = operator.opening_hold
            # Steps are sized in the operator's currency; in another one nothing is held before the bill.
            amount = step if step.currency == session.currency else Money.zero(session.currency)
            await self._securing.join(tx, session, amount, cause)
        return session

    async def _place(self, tx: Transaction, party: Party, push: SessionPush) -> ChargePoint:
        names = (push.location, push.evse_uid, push.connector)
        for value, field in zip(names, ("location_id", "evse_uid", "connector_id"), strict=True):
            if value is None:
                raise InvalidInput("A session begins with the place where it happens.", (field,))
        location, evse_uid, connector = (name or "" for name in names)
        place = await self._partners.charge_point_at(tx, party.operator_id, party.id, location, evse_uid, connector)
        if place is None:
            raise NotFound("location", ("location_id",))
        return place

    async def _ours(self, tx: Transaction, operator: Operator, name: TokenName) -> Token | None:
        """Our driver's Token; None for one of another party. Raises NotFound for one that we never issued."""
        if tuple(part.upper() for part in name.owner) != operator.emsp_role:
            return None
        token = await self._drivers.by_token(tx, operator.operator_id, name.owner, name.uid)
        if token is None:
            raise NotFound("token", ("cdr_token", "uid"))
        return token


def _channel(token: Token | None, name: TokenName) -> SessionChannel:
    if token is None:
        return SessionChannel.ROAMING
    return SessionChannel.APP if name.is_app else SessionChannel.RFID
