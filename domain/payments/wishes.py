"""The wish to put money into a wallet: noted once for each key before anybody is asked, then moved step by step."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import timedelta

from domain.clock import Clock
from domain.database import Database, Transaction, retried
from domain.errors import AmountNotAllowed, CurrencyMismatch, InvalidInput
from domain.ids import DriverId, Ids, OperatorId, PaymentId, TopUpId, WalletId
from domain.money import DIGITS, Money
from domain.payments.models import (
    LIFE_OF_A_TOP_UP,
    LIFE_OF_AN_ATTEMPT,
    AttemptState,
    Payment,
    PaymentAttempt,
    TopUp,
    TopUpStatus,
)
from domain.refusals import same_wish
from domain.states import may_move, move
from domain.wallets import Wallet, WalletService, usable

CHECKOUT_LASTS = timedelta(hours=1)
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_RETURN_URL = 1024
WAITING = (AttemptState.NOTED, AttemptState.UNKNOWN)
"""States of a request that is to be made, or made again."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a driver asks for."""

    amount: Money
    key: str
    return_url: str
    country: str

    def fingerprint(self, wallet: WalletId) -> str:
        """Equal for equal wishes."""
        return hashlib.sha256(f"{wallet}|{self.amount}|{self.return_url}".encode()).hexdigest()


class Wishes:
    """Notes wishes; the same key is the same wish, for ever."""

    def __init__(self, database: Database, wallets: WalletService, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._wallets = wallets
        self._clock = clock
        self._ids = ids

    @retried
    async def note(
        self, operator: OperatorId, driver: DriverId, wallet_id: WalletId, wanted: Wanted
    ) -> tuple[TopUp, PaymentAttempt | None]:
        """The wish of this key as it is now, and the request if it is still to be made.

        Raises NotFound, CurrencyMismatch, AmountNotAllowed, InvalidInput, WalletFrozen, WalletClosed,
        IdempotencyConflict.
        """
        async with self._database.transaction() as tx:
            wallet = await self._wallets.owned(tx, operator, wallet_id, driver)
            wish = await _known(tx, wallet, wanted) or await self._note_new(tx, wallet, wanted)
            if wish.fingerprint != wanted.fingerprint(wallet_id):
                await _differs(tx, wish, wanted)
            attempt = await tx.find(PaymentAttempt, operator_id=operator, payment_id=wish.payment_id)
            return wish, attempt if attempt is not None and attempt.state is AttemptState.NOTED else None

    async def _note_new(self, tx: Transaction, wallet: Wallet, wanted: Wanted) -> TopUp:
        _check(wallet, wanted)
        payment, wish, attempt = self._rows(wallet, wanted)
        async with tx.savepoint() as noting:
            await tx.insert(payment)
            if await tx.insert_once(wish):
                await tx.insert(attempt)
                return wish
            await noting.rollback()
        twin = await _known(tx, wallet, wanted)
        assert twin is not None, "a twin was faster; its wish counts"
        return twin

    def _rows(self, wallet: Wallet, wanted: Wanted) -> tuple[Payment, TopUp, PaymentAttempt]:
        now = self._clock.now()
        payment_id = PaymentId(self._ids.new())
        payment = Payment(
            operator_id=wallet.operator_id,
            id=payment_id,
            merchant_reference=f"topup-{payment_id}",
            shopper_reference=_shopper(wallet),
            wallet_id=wallet.id,
            amount_minor=wanted.amount.minor,
            currency=wanted.amount.currency,
            country=wanted.country,
            return_url=wanted.return_url,
            expires_at=now + CHECKOUT_LASTS,
        )
        wish = TopUp(
            operator_id=wallet.operator_id,
            id=TopUpId(self._ids.new()),
            wallet_id=wallet.id,
            payment_id=payment_id,
            idempotency_key=wanted.key,
            fingerprint=wanted.fingerprint(wallet.id),
            amount_minor=wanted.amount.minor,
            currency=wanted.amount.currency,
            status=TopUpStatus.INITIATED,
            requested_at=now,
            expires_at=payment.expires_at,
        )
        attempt = PaymentAttempt(
            operator_id=wallet.operator_id,
            # Adyen's keys are shared by a whole company account and must not be guessable: random, not time-ordered.
            id=uuid.uuid4(),
            payment_id=payment_id,
            operation="sessions",
            state=AttemptState.NOTED,
            next_at=now + FIRST_PAUSE,
        )
        return payment, wish, attempt


async def locked(tx: Transaction, operator: OperatorId, payment_id: PaymentId) -> tuple[Payment, TopUp]:
    """A payment, locked, and then its wish: whoever moves a wish holds its payment."""
    payment = await tx.find(Payment, lock=True, operator_id=operator, id=payment_id)
    wish = await tx.find(TopUp, operator_id=operator, payment_id=payment_id)
    assert payment is not None
    assert wish is not None
    return payment, wish


async def step(tx: Transaction, wish: TopUp, status: TopUpStatus | None, **values: object) -> TopUp:
    """Move a wish whose payment is locked, if it may move there; else it stays as it is."""
    if status is None or not may_move(LIFE_OF_A_TOP_UP, wish.status, status):
        return wish
    where = {"operator_id": wish.operator_id, "id": wish.id, "status": wish.status}
    changed = await tx.change(TopUp, where, status=move(LIFE_OF_A_TOP_UP, wish.status, status), **values)
    assert changed is not None, "the payment was not locked"
    return changed


async def void(tx: Transaction, payment: Payment) -> None:
    """Nobody needs to ask about this payment any more."""
    for state in WAITING:
        where = {"operator_id": payment.operator_id, "payment_id": payment.id, "state": state}
        await tx.change(PaymentAttempt, where, state=move(LIFE_OF_AN_ATTEMPT, state, AttemptState.VOID))


async def _known(tx: Transaction, wallet: Wallet, wanted: Wanted) -> TopUp | None:
    return await tx.find(TopUp, operator_id=wallet.operator_id, wallet_id=wallet.id, idempotency_key=wanted.key)


async def _differs(tx: Transaction, wish: TopUp, wanted: Wanted) -> None:
    """Name what is not as it was. Raises IdempotencyConflict."""
    payment = await tx.find(Payment, operator_id=wish.operator_id, id=wish.payment_id)
    assert payment is not None
    then = {"amount": str(wish.amount), "return URL": payment.return_url}
    same_wish(then, {"amount": str(wanted.amount), "return URL": wanted.return_url})
    raise AssertionError("a fingerprint says what it is made of")


def _check(wallet: Wallet, wanted: Wanted) -> None:
    amount = wanted.amount
    if amount.currency != wallet.currency:
        raise CurrencyMismatch(wallet.currency)
    coin = 10 ** DIGITS[amount.currency]
    least, most = Money(5 * coin, amount.currency), Money(500 * coin, amount.currency)
    if not least <= amount <= most:
        raise AmountNotAllowed(least, most)
    if len(wanted.return_url) > LONGEST_RETURN_URL:
        raise InvalidInput(f"at most {LONGEST_RETURN_URL} characters", ("input", "returnUrl"))
    usable(wallet)


def _shopper(wallet: Wallet) -> str:
    """Who pays, to Adyen: stable for a driver and telling nothing about them."""
    return "drv-" + hashlib.sha256(f"shopper:{wallet.driver_id}".encode()).hexdigest()[:32]
