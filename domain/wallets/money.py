"""Money into and out of wallets beside sessions: top-ups and what takes them back, refunds, credits, gifts, debts.

Every verb works inside the caller's transaction and posts one fact; told twice, it changes nothing. Money that is
owed is settled first, whenever money comes.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain.clock import Clock
from domain.database import Transaction
from domain.ids import ChargingSessionId, DocumentId, PaymentId, PostingId
from domain.ledger import (
    Cause,
    Earned,
    Funds,
    Journal,
    Posting,
    chart,
    debt_written_off,
    dispute_credited,
    exchanged,
    goodwill_given,
    refund_asked,
    refund_sent,
    refund_undone,
    session_captured,
    session_corrected,
    top_up_captured,
    top_up_taken_back,
)
from domain.money import Money
from domain.wallets import promos, statement
from domain.wallets.models import Hold, HoldStatus, Wallet, movable, usable


class WalletMoney:
    """The verbs. `number` counts the facts of one payment: the same number is the same fact."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    async def pay_in(  # who pays what, by which fact of which payment
        self,
        tx: Transaction,
        wallet: Wallet,
        payment: PaymentId,
        number: int,
        amount: Money,
        merchant_account: str,
        cause: Cause,
        kind: str = "top_up",
    ) -> bool:
        """Credit money that has come, or has come back (`kind`). False if it had been credited before."""
        movable(amount, wallet.currency)
        funds, at = await self._funds(tx, wallet), self._clock.now()
        posting = top_up_captured(payment, number, wallet.id, amount, funds.owed, merchant_account, at, kind)
        return await self._post(tx, wallet, posting, cause)

    async def take_back(  # the mirror of pay_in
        self,
        tx: Transaction,
        wallet: Wallet,
        payment: PaymentId,
        number: int,
        amount: Money,
        merchant_account: str,
        cause: Cause,
        kind: str = "chargeback",
    ) -> bool:
        """Money that had come is gone: what is free, then a debt. False if it had been taken before."""
        movable(amount, wallet.currency)
        funds, at = await self._funds(tx, wallet), self._clock.now()
        posting = top_up_taken_back(payment, number, wallet.id, amount, funds.available, merchant_account, at, kind)
        return await self._post(tx, wallet, posting, cause)

    async def ask_refund(
        self, tx: Transaction, wallet: Wallet, payment: PaymentId, number: int, amount: Money, cause: Cause
    ) -> bool:
        """Take money out, on its way to the method it came from. False if it had been asked before.

        Raises WalletFrozen, WalletClosed, InsufficientFunds; granted credit is never paid out.
        """
        movable(amount, wallet.currency)
        usable(wallet)
        await self._funds(tx, wallet)
        posting = refund_asked(payment, number, wallet.id, amount, self._clock.now())
        return await self._post(tx, wallet, posting, cause)

    async def confirm_refund(
        self,
        tx: Transaction,
        wallet: Wallet,
        payment: PaymentId,
        number: int,
        amount: Money,
        merchant_account: str,
        cause: Cause,
    ) -> bool:
        """The provider has sent it. False if that had been said before."""
        movable(amount, wallet.currency)
        posting = refund_sent(payment, number, amount, merchant_account, self._clock.now())
        return await self._post(tx, wallet, posting, cause)

    async def undo_refund(
        self,
        tx: Transaction,
        wallet: Wallet,
        payment: PaymentId,
        number: int,
        amount: Money,
        merchant_account: str | None,
        cause: Cause,
    ) -> bool:
        """A refund that failed comes back: from the way to the provider, or from the provider that had sent it."""
        movable(amount, wallet.currency)
        funds = await self._funds(tx, wallet)
        where = chart.REFUNDS_IN_FLIGHT if merchant_account is None else chart.psp_clearing(merchant_account)
        posting = refund_undone(payment, number, wallet.id, amount, funds.owed, where, self._clock.now())
        return await self._post(tx, wallet, posting, cause)

    async def charge(
        self,
        tx: Transaction,
        wallet: Wallet,
        session: ChargingSessionId,
        earned: Earned,
        cause: Cause,
        at: datetime,
    ) -> bool:
        """A bill whose hold is gone: promo, available, then a debt. False if it had been charged before."""
        if not earned.total:
            return False
        funds = await self._funds(tx, wallet)
        zero = Money.zero(wallet.currency)
        own = Funds(funds.available, zero, funds.promo, funds.owed)
        posting = session_captured(session, wallet.operator_id, wallet.id, earned, own, zero, at)
        return await self._post(tx, wallet, posting, cause)

    async def credit(
        self,
        tx: Transaction,
        wallet: Wallet,
        session: ChargingSessionId,
        note: DocumentId,
        returned: Earned,
        cause: Cause,
    ) -> bool:
        """Give back what a session had earned: to the debt, as granted credit what was paid with it, the rest free.

        False if it had been given back before.
        """
        funds = await self._funds(tx, wallet)
        at = self._clock.now()
        hold = await tx.find(
            Hold, operator_id=wallet.operator_id, charging_session_id=session, status=HoldStatus.CAPTURED
        )
        promo = Money.zero(wallet.currency)
        if hold is not None and hold.promo:
            room = await promos.returnable(tx, wallet.operator_id, wallet.id, funds.promo, at)
            promo = min(hold.promo, room)
        posting = dispute_credited(note, wallet.operator_id, wallet.id, returned, funds.owed, promo, at)
        return await self._post(tx, wallet, posting, cause)

    async def correct(
        self,
        tx: Transaction,
        wallet: Wallet,
        session: ChargingSessionId,
        number: int,
        more: Earned,
        corrects: PostingId,
        cause: Cause,
    ) -> bool:
        """A late CDR costs more than was billed. False if it had been corrected before."""
        funds = await self._funds(tx, wallet)
        at = self._clock.now()
        posting = session_corrected(session, number, wallet.operator_id, wallet.id, more, funds, corrects, at)
        return await self._post(tx, wallet, posting, cause)

    async def give(
        self, tx: Transaction, wallet: Wallet, manual: UUID, amount: Money, reason: str, cause: Cause
    ) -> bool:
        """A gift that corrects no bill. False if it had been given before."""
        movable(amount, wallet.currency)
        funds = await self._funds(tx, wallet)
        posting = goodwill_given(manual, wallet.id, amount, funds.owed, self._clock.now(), reason)
        return await self._post(tx, wallet, posting, cause)

    async def write_off(self, tx: Transaction, wallet: Wallet, manual: UUID, reason: str, cause: Cause) -> Money:
        """Nobody will pay the debt any more; how much it was."""
        owed = (await self._funds(tx, wallet)).owed
        if owed:
            posting = debt_written_off(manual, wallet.id, owed, self._clock.now(), reason)
            await self._post(tx, wallet, posting, cause)
        return owed

    async def exchange(
        self, tx: Transaction, source: Wallet, sold: Money, target: Wallet, bought: Money, exchange: UUID, cause: Cause
    ) -> bool:
        """From one wallet of a driver into another one, at the rate that the two amounts say.

        Raises WalletFrozen, WalletClosed, InsufficientFunds.
        """
        for wallet, amount in ((source, sold), (target, bought)):
            movable(amount, wallet.currency)
            usable(wallet)
        give, take = chart.available(source.id), chart.available(target.id)
        at = self._clock.now()
        posting = exchanged(exchange, give, sold, take, bought, at)
        (written,) = await self._journal.post(tx, source.operator_id, cause, posting)
        if written.is_new:
            for wallet in sorted((source, target), key=lambda wallet: wallet.id):
                await tx.insert(*await statement.lines(tx, wallet.operator_id, wallet.id, posting, written, at))
        return written.is_new

    async def _post(self, tx: Transaction, wallet: Wallet, posting: Posting, cause: Cause) -> bool:
        """Once. How a fact is split depends on what lay in the wallet, so it is looked for under the wallet's lock."""
        if await self._journal.knows(tx, wallet.operator_id, posting.reference):
            return False
        at = self._clock.now()
        return (await statement.post(self._journal, tx, wallet.operator_id, wallet.id, cause, posting, at)).is_new

    async def _funds(self, tx: Transaction, wallet: Wallet) -> Funds:
        return await statement.funds_of(self._journal, tx, wallet.operator_id, wallet.id, wallet.currency)
