"""Disputes: submitted by the driver, checked at once, decided by an agent; verdict and money are one transaction."""

from __future__ import annotations

from datetime import timedelta

from domain.clock import Clock
from domain.database import Database, Transaction, retried
from domain.disputes.amounts import disputed, refundable
from domain.disputes.complaint import Complaint
from domain.disputes.models import LIFE_OF_A_DISPUTE, Actor, Dispute, DisputeEvent, DisputeReason, DisputeStatus
from domain.disputes.triage import findings_json, from_check, reprice
from domain.disputes.wording import EXPLANATION, STATEMENT, said
from domain.drivers import Driver
from domain.errors import (
    DisputeWindowClosed,
    DomainError,
    NotFound,
    NothingLeftToCredit,
    SelfDecision,
    StateConflict,
)
from domain.ids import ChargingSessionId, DisputeId, DocumentId, DriverId, Ids, OperatorId
from domain.ledger import Cause, DocumentKind, Draft, Earned, issue, subject
from domain.money import Money
from domain.refusals import REMEMBERED, Wish, recall, remember, same_wish
from domain.sessions import CDR, CdrKind, ChargingSession, ChargingSessionStatus, SessionService, credit, share_of
from domain.states import move
from domain.wallets import Wallet, WalletService

WINDOW = timedelta(days=60)
ANSWER_WITHIN = timedelta(days=14)
_Status = DisputeStatus


class DisputeService:
    """A driver's own bill or none: somebody else's session does not exist."""

    def __init__(
        self, database: Database, sessions: SessionService, wallets: WalletService, clock: Clock, ids: Ids
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._wallets = wallets
        self._clock = clock
        self._ids = ids

    @retried
    async def submit(
        self,
        operator: OperatorId,
        driver: DriverId,
        session: ChargingSessionId,
        reason: DisputeReason,
        statement: str,
        amount: Money | None,
        key: str,
    ) -> Dispute:
        """Open a dispute about the bill of a session, and check it. The same key gives the same dispute.

        Raises InvalidInput, CardDataRefused, NotFound, IdempotencyConflict, StateConflict (not billed yet, or disputed
        before), DisputeWindowClosed, CurrencyMismatch, AmountNotAllowed.
        """
        said(statement, STATEMENT, "statement")
        complaint = Complaint(operator, driver, session, reason, statement, amount, key)
        async with self._database.transaction() as tx:
            twin = await tx.find(Dispute, operator_id=operator, driver_id=driver, idempotency_key=key)
            if twin is None:
                twin = await self._open(tx, complaint)
            complaint.same_as(twin)
            return twin

    async def _open(self, tx: Transaction, wish: Complaint) -> Dispute:
        session = await tx.find(
            ChargingSession, lock=True, operator_id=wish.operator, id=wish.session, driver_id=wish.driver
        )
        if session is None:
            raise NotFound("session", ("input", "subject", "sessionId"))
        cdr = await self._bill(tx, session)
        now = self._clock.now()
        if cdr.issued_at + WINDOW <= now:
            raise DisputeWindowClosed(cdr.issued_at + WINDOW)
        dispute_id = DisputeId(self._ids.new())
        dispute = Dispute(
            operator_id=wish.operator,
            id=dispute_id,
            reference=f"D-{dispute_id.hex[-6:].upper()}",
            driver_id=wish.driver,
            session_id=session.id,
            cdr_id=cdr.id,
            idempotency_key=wish.key,
            fingerprint=wish.fingerprint,
            status=_Status.SUBMITTED,
            reason=wish.reason,
            statement=wish.statement,
            disputed_minor=disputed(cdr, wish.amount).minor,
            currency=cdr.currency,
            opened_at=now,
            answer_due_at=now + ANSWER_WITHIN,
        )
        if not await tx.insert_once(dispute):
            return await self._there(tx, dispute, session)
        await self._event(tx, dispute, Actor.DRIVER, str(wish.driver), wish.statement)
        dispute = await self._step(tx, dispute, _Status.TRIAGE, Actor.SYSTEM, "triage", None)
        repriced = await self._sessions.reprice(tx, session)
        kept = from_check(cdr.gross, await self._sessions.checked(tx, cdr))
        found = [reprice(cdr.gross, repriced, is_declared=cdr.is_declared), *kept]
        return await self._step(
            tx, dispute, _Status.UNDER_REVIEW, Actor.SYSTEM, "triage", None, findings=findings_json(found)
        )

    async def _there(self, tx: Transaction, dispute: Dispute, session: ChargingSession) -> Dispute:
        """The dispute that was faster: a twin of this wish, or another one about the same bill."""
        at, key = dispute.operator_id, dispute.idempotency_key
        twin = await tx.find(Dispute, operator_id=at, driver_id=dispute.driver_id, idempotency_key=key)
        if twin is None:
            raise StateConflict("This bill has been disputed before.", "charging_session", session.id)
        return twin

    async def _bill(self, tx: Transaction, session: ChargingSession) -> CDR:
        if session.status is not ChargingSessionStatus.COMPLETED:
            raise StateConflict("Only a billed session can be disputed.", "charging_session", session.id)
        cdr = await tx.find(CDR, operator_id=session.operator_id, session_id=session.id, kind=CdrKind.ORIGINAL)
        assert cdr is not None, "a completed session has its CDR"
        return cdr

    async def uphold(
        self,
        operator: OperatorId,
        dispute_id: DisputeId,
        expected_revision: int,
        refund: Money,
        explanation: str,
        agent: str,
        key: str,
    ) -> Dispute:
        """Side with the driver, wholly or in part: verdict, credit note and money together, or none of them.

        Raises InvalidInput, CardDataRefused, NotFound, IdempotencyConflict, StateConflict, CurrencyMismatch,
        AmountNotAllowed, NothingLeftToCredit, SelfDecision.
        """
        said(explanation, EXPLANATION, "explanation")
        wants = {"dispute": str(dispute_id), "refund": str(refund), "explanation": explanation}
        decided = await self._uphold(
            Wish(operator, agent, "upholdDispute", key, wants), dispute_id, expected_revision, refund, explanation
        )
        if isinstance(decided, DomainError):
            raise decided
        return decided

    @retried
    async def _uphold(
        self, wish: Wish, dispute_id: DisputeId, expected_revision: int, refund: Money, explanation: str
    ) -> Dispute | DomainError:
        operator, agent, key = wish.operator, wish.owner, wish.key
        async with self._database.transaction() as tx:
            dispute = await self._locked(tx, operator, dispute_id)
            if dispute.decision_key == key:
                then = {"refund": str(dispute.refund), "explanation": dispute.explanation or ""}
                same_wish(then, {"refund": str(refund), "explanation": explanation})
                return dispute
            await recall(tx, wish)
            try:
                await self._may_decide(tx, dispute, expected_revision, agent)
                refundable(dispute, refund)
                async with tx.savepoint():
                    note = await self._pay_back(tx, dispute, refund, explanation, agent)
            except REMEMBERED as refusal:
                await remember(tx, wish, refusal, self._clock.now())
                return refusal
            to = _Status.UPHELD if refund == dispute.disputed else _Status.PARTLY_UPHELD
            return await self._step(
                tx,
                dispute,
                to,
                Actor.STAFF,
                agent,
                explanation,
                decision_key=key,
                decided_at=self._clock.now(),
                decided_by=agent,
                explanation=explanation,
                refund_minor=refund.minor,
                credit_note_id=note,
            )

    @retried
    async def reject(
        self, operator: OperatorId, dispute_id: DisputeId, expected_revision: int, explanation: str, agent: str
    ) -> Dispute:
        """Side with the bill; no money moves.

        Raises InvalidInput, CardDataRefused, NotFound, StateConflict, SelfDecision.
        """
        said(explanation, EXPLANATION, "explanation")
        async with self._database.transaction() as tx:
            dispute = await self._locked(tx, operator, dispute_id)
            await self._may_decide(tx, dispute, expected_revision, agent)
            return await self._step(
                tx,
                dispute,
                _Status.REJECTED,
                Actor.STAFF,
                agent,
                explanation,
                decided_at=self._clock.now(),
                decided_by=agent,
                explanation=explanation,
            )

    async def _locked(self, tx: Transaction, operator: OperatorId, dispute_id: DisputeId) -> Dispute:
        dispute = await tx.find(Dispute, lock=True, operator_id=operator, id=dispute_id)
        if dispute is None:
            raise NotFound("dispute", ("input", "disputeId"))
        return dispute

    async def _may_decide(self, tx: Transaction, dispute: Dispute, expected_revision: int, agent: str) -> None:
        if dispute.is_decided or dispute.revision != expected_revision:
            why = "has been decided" if dispute.is_decided else "has changed meanwhile"
            raise StateConflict(f"This dispute {why}.", "dispute", dispute.id)
        driver = await tx.find(Driver, operator_id=dispute.operator_id, id=dispute.driver_id)
        assert driver is not None
        if driver.subject == agent:
            raise SelfDecision

    async def _pay_back(
        self, tx: Transaction, dispute: Dispute, refund: Money, explanation: str, agent: str
    ) -> DocumentId:
        """Money into the wallet, credit note, credit CDR; the number of the note is taken last of all locks."""
        at = dispute.operator_id
        session = await tx.find(ChargingSession, lock=True, operator_id=at, id=dispute.session_id)
        cdr = await tx.find(CDR, operator_id=at, id=dispute.cdr_id)
        assert session is not None
        assert cdr is not None
        wallet = await tx.find(Wallet, operator_id=at, id=session.wallet_id)
        assert wallet is not None, "a driver's own session has a wallet"
        returned = share_of(cdr, refund)
        note = DocumentId(self._ids.new())
        cause = Cause(actor=f"staff:{agent}"[:80], request_id=f"dispute:{dispute.id}")
        if not await self._wallets.money.credit(tx, wallet, session.id, note, returned, cause):
            raise NothingLeftToCredit
        now = self._clock.now()
        await issue(tx, dispute.operator_id, _note(note, dispute, cdr, returned, explanation), now)
        await credit(tx, cdr, returned, note, self._ids, now)
        return note

    async def _step(
        self,
        tx: Transaction,
        dispute: Dispute,
        to: DisputeStatus,
        actor: Actor,
        agent: str,
        words: str | None,
        **values: object,
    ) -> Dispute:
        where = {"operator_id": dispute.operator_id, "id": dispute.id, "revision": dispute.revision}
        status = move(LIFE_OF_A_DISPUTE, dispute.status, to)
        changed = await tx.change(Dispute, where, revision=dispute.revision + 1, status=status, **values)
        assert changed is not None, "the row is locked or new, so nobody else changed it"
        await self._event(tx, changed, actor, agent, words)
        return changed

    async def _event(self, tx: Transaction, dispute: Dispute, actor: Actor, agent: str, words: str | None) -> None:
        event = DisputeEvent(
            operator_id=dispute.operator_id,
            dispute_id=dispute.id,
            number=dispute.revision,
            actor=actor,
            actor_subject=agent,
            status=dispute.status,
            text=words,
            at=self._clock.now(),
        )
        await tx.insert(event)


def _note(note: DocumentId, dispute: Dispute, cdr: CDR, returned: Earned, explanation: str) -> Draft:
    net = returned.charging + returned.idle
    return Draft(
        id=note,
        kind=DocumentKind.CREDIT_NOTE,
        subject=subject("dispute", dispute.id),
        net=-net,
        tax=net - returned.total,
        content={
            "cdr": cdr.ocpi_id,
            "dispute": dispute.reference,
            "reason": explanation,
            "taxes": [[f"{rate:f}", -amount.minor] for rate, amount in returned.taxes],
        },
        corrects_id=cdr.document_id,
    )
