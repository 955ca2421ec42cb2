"""Bills: a session becomes a CDR, a document and a posting in the transaction that ends it, or none of them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import orjson

from domain.clock import Clock
from domain.database import Transaction
from domain.errors import StateConflict
from domain.ids import CdrId, DocumentId, Ids, PartyId
from domain.ledger import Cause, Document, DocumentKind, Draft, Earned, Journal, issue, partner_billed, subject
from domain.money import Money
from domain.partners import PartnerService, Party
from domain.sessions.cdr import CDR, CdrKind
from domain.sessions.checking import Checking
from domain.sessions.costs import earned, lines_json
from domain.sessions.declared import declared_lines, earned_from
from domain.sessions.models import LIFE_OF_A_CHARGING_SESSION, ChargingSession, ChargingSessionStatus, StopReason
from domain.sessions.push import CdrPush
from domain.sessions.securing import Securing, changed
from domain.states import may_move, move
from domain.tariffs import Pricing, json_text, pricing_json


class Billing:
    """Makes CDRs; every verb works inside the caller's transaction, with the session's row locked."""

    def __init__(
        self,
        partners: PartnerService,
        checking: Checking,
        securing: Securing,
        journal: Journal,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._partners = partners
        self._checking = checking
        self._securing = securing
        self._journal = journal
        self._clock = clock
        self._ids = ids

    async def bill(self, tx: Transaction, session: ChargingSession, pricing: Pricing, cause: Cause) -> ChargingSession:
        """Bill a session by our own pricing: its cost becomes the CDR, unchanged."""
        cdr_id = CdrId(self._ids.new())
        parts = earned(pricing, session.country)
        content = json_text({"lines": orjson.loads(session.lines), "pricing": pricing_json(pricing)}).decode()
        cdr = await self._cdr(tx, session, cdr_id, str(cdr_id), parts, content)
        session = await self._settle(tx, session, cdr, parts, cause)
        await self._checking.ours(tx, session, cdr, pricing)
        return session

    async def bill_declared(
        self, tx: Transaction, session: ChargingSession, push: CdrPush, rate: Decimal | None, cause: Cause
    ) -> ChargingSession:
        """Bill a session by the CDR of its charge point's operator, to the cent as they say.

        Raises StateConflict when the session was given up or has another CDR.
        """
        if not may_move(LIFE_OF_A_CHARGING_SESSION, session.status, ChargingSessionStatus.COMPLETED):
            raise StateConflict("This session has ended without this CDR.", "charging_session", session.id)
        lines = declared_lines(push)
        earned_ = earned_from(push, session.country, rate)
        session = await changed(
            tx,
            session,
            self._clock.now(),
            started_at=push.started_at,
            ended_at=push.ended_at,
            metered_at=push.ended_at,
            energy_wh=push.energy.wh,
            charging_seconds=push.charging_seconds,
            idle_seconds=push.idle_seconds,
            net_minor=push.total.net.minor,
            tax_minor=(push.total.gross - push.total.net).minor,
            accrued_net_minor=push.total.net.minor,
            accrued_tax_minor=(push.total.gross - push.total.net).minor,
            lines=lines_json(lines),
            power_w=None,
        )
        cdr = await self._cdr(tx, session, CdrId(self._ids.new()), push.ocpi_id, earned_, push.content, declared=True)
        session = await self._settle(tx, session, cdr, earned_, cause)
        await self._checking.declared(tx, session, cdr, push)
        return session

    async def _cdr(
        self,
        tx: Transaction,
        session: ChargingSession,
        cdr_id: CdrId,
        ocpi_id: str,
        parts: Earned,
        content: str,
        *,
        declared: bool = False,
    ) -> CDR:
        operator = await self._partners.operator_in(tx, session.operator_id)
        assert session.started_at is not None
        assert session.ended_at is not None
        on_books = session.started_at.astimezone(ZoneInfo(operator.time_zone))
        on_site = session.started_at.astimezone(ZoneInfo(session.time_zone))
        cdr = CDR(
            operator_id=session.operator_id,
            id=cdr_id,
            session_id=session.id,
            party_id=session.party_id,
            ocpi_id=ocpi_id,
            kind=CdrKind.ORIGINAL,
            is_declared=declared,
            driver_id=session.driver_id,
            channel=session.channel,
            location_id=session.location_id,
            evse_id=session.evse_id,
            tariff_id=session.tariff_id,
            started_at=session.started_at,
            ended_at=session.ended_at,
            issued_at=self._clock.now(),
            local_on=on_books.date(),
            local_hour_at=on_books.replace(minute=0, second=0, microsecond=0).astimezone(UTC),
            weekday=on_site.weekday(),
            hour=on_site.hour,
            energy_wh=session.energy_wh,
            charging_seconds=session.charging_seconds,
            idle_seconds=session.idle_seconds,
            country=session.country,
            currency=session.currency,
            net_minor=session.net_minor,
            tax_minor=session.tax_minor,
            idle_net_minor=parts.idle.minor,
            taxes=orjson.dumps([[f"{rate:f}", amount.minor] for rate, amount in parts.taxes]).decode(),
            content=content,
        )
        cdr.idle_tax_minor = idle_tax(cdr).minor
        return cdr

    async def _settle(
        self, tx: Transaction, session: ChargingSession, cdr: CDR, parts: Earned, cause: Cause
    ) -> ChargingSession:
        assert parts.total == session.gross, "the bill is the last cost that was shown"
        now = self._clock.now()
        if session.wallet_id is not None:
            await self._securing.settle(tx, session, parts, cause, cdr.ended_at)
            document = await self._document(tx, session, cdr, now)
            cdr.document_id = document.id
        elif parts.total:
            owner = await self._debtor(tx, session)
            posting = partner_billed(cdr.id, session.operator_id, owner, parts, cdr.ended_at)
            await self._journal.post(tx, session.operator_id, cause, posting)
        await tx.insert(cdr)
        return await changed(
            tx,
            session,
            now,
            status=move(LIFE_OF_A_CHARGING_SESSION, session.status, ChargingSessionStatus.COMPLETED),
            stop_reason=session.stop_reason or StopReason.STATION,
        )

    async def _document(self, tx: Transaction, session: ChargingSession, cdr: CDR, at: datetime) -> Document:
        draft = Draft(
            id=DocumentId(self._ids.new()),
            kind=DocumentKind.BILL,
            subject=subject("charging_session", session.id),
            net=Money(cdr.net_minor, cdr.currency),
            tax=Money(cdr.tax_minor, cdr.currency),
            content={
                "cdr": cdr.ocpi_id,
                "started_at": cdr.started_at.isoformat(),
                "ended_at": cdr.ended_at.isoformat(),
                "energy_wh": cdr.energy_wh,
                "country": cdr.country,
                "taxes": orjson.loads(cdr.taxes),
                "lines": orjson.loads(session.lines),
            },
        )
        return await issue(tx, session.operator_id, draft, at)

    async def _debtor(self, tx: Transaction, session: ChargingSession) -> PartyId:
        """Whoever issued the Token, where we know that party; otherwise the operator of the charge point."""
        country_code, party_id = session.token_party[:2], session.token_party[3:]
        issuer = await tx.find(Party, operator_id=session.operator_id, country_code=country_code, party_id=party_id)
        return session.party_id if issuer is None else issuer.id


def idle_tax(cdr: CDR) -> Money:
    """Tax on the idle part, in the proportion of its net; for reports, not for the books."""
    if not cdr.idle_net_minor:
        return Money.zero(cdr.currency)
    return Money(cdr.tax_minor, cdr.currency).split([cdr.idle_net_minor, cdr.net_minor - cdr.idle_net_minor])[0]


def tax_rates(cdr: CDR) -> list[tuple[Decimal, Money]]:
    """Rates in percent and the tax of each."""
    return [(Decimal(rate), Money(minor, cdr.currency)) for rate, minor in orjson.loads(cdr.taxes)]
