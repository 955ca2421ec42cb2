"""Requests to the provider: one caller claims, calls outside any transaction, and writes the answer down."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import select

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database, retried
from domain.ids import OperatorId, PaymentId
from domain.payments.gateway import Answered, CheckoutRequest, NotSent, Outcome, PaymentGateway, Refused
from domain.payments.models import (
    LIFE_OF_AN_ATTEMPT,
    UNFINISHED,
    AttemptState,
    Payment,
    PaymentAttempt,
    TopUp,
    TopUpStatus,
)
from domain.payments.wishes import CHECKOUT_LASTS, FIRST_PAUSE, WAITING, locked, step, void
from domain.states import move

_attempts = table_of(PaymentAttempt)
_top_ups = table_of(TopUp)

LEASE = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(minutes=5)


class Asking:
    """Asks each request until its answer is known; every try carries the same key."""

    def __init__(self, database: Database, gateway: PaymentGateway, clock: Clock) -> None:
        self._database = database
        self._gateway = gateway
        self._clock = clock

    async def ask(self, attempt: PaymentAttempt) -> tuple[TopUp, Outcome] | None:
        """Claim, call, write; None if somebody else is asking already."""
        claimed = await self._claim(attempt)
        if claimed is None:
            return None
        outcome = await self._call(claimed)
        return await self._write(claimed, outcome, _state_after(outcome, attempt.state)), outcome

    async def push_on(self, operator: OperatorId, limit: int) -> int:
        """Ask again wherever an answer is missing; end what nobody can pay any more. How many were dealt with."""
        now = self._clock.now()
        due = select(_attempts).where(
            _attempts.c.operator_id == operator,
            _attempts.c.state.in_((*WAITING, AttemptState.SENT)),
            _attempts.c.next_at <= now,
        )
        stale = select(_top_ups.c.payment_id).where(
            _top_ups.c.operator_id == operator,
            _top_ups.c.status.in_(UNFINISHED),
            _top_ups.c.expires_at < now - CHECKOUT_LASTS,
        )
        async with self._database.read() as reader:
            expired = [PaymentId(row["payment_id"]) for row in await reader.rows(stale.limit(limit))]
            attempts = await reader.list(PaymentAttempt, due.order_by(_attempts.c.next_at).limit(limit))
        for payment_id in expired:
            await self._expire(operator, payment_id)
        open_still = [attempt for attempt in attempts if attempt.payment_id not in expired]
        await asyncio.gather(*map(self._push_on, open_still))
        return len(expired) + len(open_still)

    async def _push_on(self, attempt: PaymentAttempt) -> None:
        if attempt.state is AttemptState.SENT:
            # Whoever sent it died before writing the answer: it may have happened.
            attempt = await self._abandon(attempt) or attempt
        if attempt.state in WAITING:
            await self.ask(attempt)

    @retried
    async def _claim(self, attempt: PaymentAttempt) -> PaymentAttempt | None:
        """To SENT, by one caller only; the lease ends by itself."""
        to = move(LIFE_OF_AN_ATTEMPT, attempt.state, AttemptState.SENT)
        async with self._database.transaction() as tx:
            return await tx.change(
                PaymentAttempt,
                _as_it_was(attempt),
                state=to,
                tries=attempt.tries + 1,
                next_at=self._clock.now() + LEASE,
            )

    @retried
    async def _abandon(self, attempt: PaymentAttempt) -> PaymentAttempt | None:
        to = move(LIFE_OF_AN_ATTEMPT, attempt.state, AttemptState.UNKNOWN)
        async with self._database.transaction() as tx:
            return await tx.change(PaymentAttempt, _as_it_was(attempt), state=to)

    async def _call(self, attempt: PaymentAttempt) -> Outcome:
        async with self._database.read() as reader:
            payment = await reader.find(Payment, operator_id=attempt.operator_id, id=attempt.payment_id)
        assert payment is not None
        request = CheckoutRequest(
            reference=payment.merchant_reference,
            amount=payment.amount,
            return_url=payment.return_url,
            country=payment.country,
            shopper_reference=payment.shopper_reference,
            expires_at=payment.expires_at,
        )
        return await self._gateway.open_checkout(request, attempt.id)

    @retried
    async def _write(self, attempt: PaymentAttempt, outcome: Outcome, state: AttemptState) -> TopUp:
        """Write the answer down; facts may have been faster, and so may another try after our lease has ended."""
        values = {
            "state": move(LIFE_OF_AN_ATTEMPT, AttemptState.SENT, state),
            "next_at": self._clock.now() + _pause(attempt.tries),
            "error_code": _words(outcome),
        }
        async with self._database.transaction() as tx:
            payment, wish = await locked(tx, attempt.operator_id, attempt.payment_id)
            await tx.change(PaymentAttempt, _as_it_was(attempt), **values)
            if isinstance(outcome, Answered):
                where = {"operator_id": payment.operator_id, "id": payment.id}
                opened = {"checkout_session_id": outcome.checkout_session_id, "checkout_url": outcome.url}
                await tx.change(Payment, where, **opened)
            return await step(tx, wish, _status_after(outcome))

    @retried
    async def _expire(self, operator: OperatorId, payment_id: PaymentId) -> None:
        async with self._database.transaction() as tx:
            payment, wish = await locked(tx, operator, payment_id)
            await void(tx, payment)
            await step(tx, wish, TopUpStatus.EXPIRED)


def _as_it_was(attempt: PaymentAttempt) -> dict[str, object]:
    return {
        "operator_id": attempt.operator_id,
        "id": attempt.id,
        "state": attempt.state,
        "tries": attempt.tries,
    }


def _pause(tries: int) -> timedelta:
    return min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(tries - 1, 20)))


def _state_after(outcome: Outcome, before: AttemptState) -> AttemptState:
    if isinstance(outcome, Answered):
        return AttemptState.ANSWERED
    if isinstance(outcome, Refused):
        return AttemptState.REFUSED
    # What may have happened once stays possible, also when this try has sent nothing.
    return AttemptState.NOTED if isinstance(outcome, NotSent) and before is AttemptState.NOTED else AttemptState.UNKNOWN


def _status_after(outcome: Outcome) -> TopUpStatus | None:
    if isinstance(outcome, Answered):
        return TopUpStatus.ACTION_REQUIRED
    if isinstance(outcome, Refused):
        return TopUpStatus.REFUSED
    return None if isinstance(outcome, NotSent) else TopUpStatus.PENDING


def _words(outcome: Outcome) -> str | None:
    if isinstance(outcome, Answered):
        return None
    return (outcome.error_code if isinstance(outcome, Refused) else outcome.reason)[:64]
