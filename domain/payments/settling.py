"""Facts decide: each is judged against our own row, the position is derived from all, the difference is posted."""

from __future__ import annotations

import logging

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.exc import DBAPIError

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database, Transaction, retried
from domain.errors import NotFound
from domain.ids import Ids, OperatorId, PaymentId
from domain.ledger import Cause, Journal, surplus_captured
from domain.money import Money
from domain.payments.models import FactState, Payment, PspFact, TopUp, TopUpStatus
from domain.payments.position import CONSIDERED, Position, Told, position
from domain.payments.wishes import locked, step, void
from domain.wallets import Wallet, WalletService

_facts = table_of(PspFact)
_payments = table_of(Payment)
_wallets = table_of(Wallet)
_log = logging.getLogger(__name__)

WORKER = Cause(actor="worker", request_id="settle")
MOST_TRIES = 10


class Settling:
    """Turns what we were told into money; order, repetition and delay of facts change nothing."""

    def __init__(
        self, database: Database, wallets: WalletService, merchant_account: str, clock: Clock, ids: Ids
    ) -> None:
        self._database = database
        self._wallets = wallets
        self._journal = Journal(clock, ids)
        self._merchant_account = merchant_account
        self._clock = clock

    @retried
    async def settle(self, operator: OperatorId, payment_id: PaymentId) -> TopUp:
        """Derive the position from all facts and post what is not posted yet. Raises NotFound."""
        async with self._database.transaction() as tx:
            payment = await tx.find(Payment, lock=True, operator_id=operator, id=payment_id)
            if payment is None:
                raise NotFound("payment")
            return await self._settle(tx, payment)

    async def consider_facts(self, operator: OperatorId, limit: int) -> int:
        """Deal with new facts, and with parked ones whose payment has come; how many. One bad fact stops no other."""
        its_payment = and_(
            _payments.c.operator_id == _facts.c.operator_id,
            _payments.c.merchant_reference == _facts.c.merchant_reference,
        )
        # What is told about a frozen wallet waits until somebody has looked.
        is_frozen = and_(
            its_payment,
            _wallets.c.operator_id == _payments.c.operator_id,
            _wallets.c.id == _payments.c.wallet_id,
            _wallets.c.frozen_at.is_not(None),
        )
        waiting = select(_facts).where(
            _facts.c.operator_id == operator,
            ~exists().where(is_frozen),
            or_(
                _facts.c.state == FactState.NEW,
                and_(_facts.c.state == FactState.PARKED, exists().where(its_payment)),
            ),
        )
        async with self._database.read() as reader:
            facts = await reader.list(PspFact, waiting.order_by(_facts.c.tries, _facts.c.id).limit(limit))
        done = 0
        for fact in facts:
            try:
                done += await self._consider(fact)
            except (AssertionError, LookupError, TypeError, ValueError, DBAPIError) as error:
                _log.exception("fact %s could not be considered", fact.id)
                await self._set_aside(fact, type(error).__name__)
        return done

    @retried
    async def _consider(self, fact: PspFact) -> bool:
        async with self._database.transaction() as tx:
            reference = fact.merchant_reference or ""
            payment = await tx.find(Payment, lock=True, operator_id=fact.operator_id, merchant_reference=reference)
            state, reason = self._judge(fact, payment)
            about = None if payment is None else payment.id
            changed = await tx.change(PspFact, _as_it_was(fact), state=state, payment_id=about, reason=reason)
            if changed is None:
                return False
            if payment is not None and state is FactState.CONSIDERED:
                await self._settle(tx, payment)
            return True

    def _judge(self, fact: PspFact, payment: Payment | None) -> tuple[FactState, str | None]:
        """What a fact is to us; only one that fits our own row in every signed field may move money."""
        if fact.merchant_account != self._merchant_account:
            return FactState.QUARANTINED, "foreign merchant account"
        if payment is None:
            return FactState.PARKED, "no payment with this reference yet"
        if fact.event_code not in CONSIDERED:
            return FactState.IGNORED, "kept; no rule reads this event yet"
        if fact.event_code == "AUTHORISATION" and (fact.amount_minor, fact.currency) != (
            payment.amount_minor,
            payment.currency,
        ):
            return FactState.QUARANTINED, "amount or currency differ from what was asked"
        return FactState.CONSIDERED, None

    async def _settle(self, tx: Transaction, payment: Payment) -> TopUp:
        """The payment is locked."""
        _, wish = await locked(tx, payment.operator_id, payment.id)
        facts = await tx.list(
            PspFact,
            select(_facts).where(
                _facts.c.operator_id == payment.operator_id,
                _facts.c.payment_id == payment.id,
                _facts.c.state == FactState.CONSIDERED,
            ),
        )
        told = [Told(fact.event_code, fact.success, fact.psp_reference) for fact in facts]
        now = position(payment.amount, told)
        await self._set_surplus_aside(tx, payment, now)
        if now.captured:
            return await self._credit(tx, payment, wish, now)
        return await step(tx, wish, _status(now))

    async def _credit(self, tx: Transaction, payment: Payment, wish: TopUp, now: Position) -> TopUp:
        due = now.captured - Money(payment.captured_minor, payment.currency)
        assert due.minor >= 0, "no rule takes a top-up back"
        version = payment.position_version + (1 if due else 0)
        if due:
            wallet = await tx.find(Wallet, operator_id=payment.operator_id, id=payment.wallet_id)
            assert wallet is not None
            await self._wallets.money.pay_in(tx, wallet, payment.id, version, due, self._merchant_account, WORKER)
        await tx.change(
            Payment,
            {"operator_id": payment.operator_id, "id": payment.id},
            captured_minor=now.captured.minor,
            position_version=version,
            psp_reference=now.psp_reference,
        )
        await void(tx, payment)
        return await step(tx, wish, TopUpStatus.AUTHORISED, credited_at=self._clock.now())

    async def _set_surplus_aside(self, tx: Transaction, payment: Payment, now: Position) -> None:
        """A wish that was paid more than once is credited once; the rest is money that we hold and must give back."""
        for number, _ in enumerate(now.surplus, 1):
            at = self._clock.now()
            posting = surplus_captured(payment.id, number, payment.amount, self._merchant_account, at)
            (written,) = await self._journal.post(tx, payment.operator_id, WORKER, posting)
            if written.is_new:
                _log.error("payment %s was paid more than once", payment.id)

    @retried
    async def _set_aside(self, fact: PspFact, reason: str) -> None:
        """Behind all others, and after too many tries to a person."""
        state = FactState.QUARANTINED if fact.tries + 1 >= MOST_TRIES else fact.state
        async with self._database.transaction() as tx:
            await tx.change(PspFact, _as_it_was(fact), state=state, tries=fact.tries + 1, reason=reason)


def _as_it_was(fact: PspFact) -> dict[str, object]:
    return {
        "operator_id": fact.operator_id,
        "id": fact.id,
        "state": fact.state,
        "tries": fact.tries,
    }


def _status(now: Position) -> TopUpStatus | None:
    if now.is_refused:
        return TopUpStatus.REFUSED
    return TopUpStatus.EXPIRED if now.is_expired else None
