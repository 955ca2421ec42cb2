"""Holds: money set aside for one charging session. Opened, raised, captured, released; exactly one closing wins."""

from __future__ import annotations

from datetime import datetime

from domain.clock import Clock
from domain.database import Transaction
from domain.errors import InsufficientFunds, StateConflict, WalletFrozen, WalletInDebt
from domain.ids import ChargingSessionId, HoldId, Ids
from domain.ledger import Cause, Earned, Funds, Journal, Posting, chart, hold_moved, hold_released, session_captured
from domain.money import Money
from domain.states import move
from domain.wallets import statement
from domain.wallets.models import LIFE_OF_A_HOLD, Hold, HoldEvent, HoldStatus, Wallet


class Holds:
    """Every verb works inside the caller's transaction and is refused without a trace."""

    def __init__(self, journal: Journal, clock: Clock, ids: Ids) -> None:
        self._journal = journal
        self._clock = clock
        self._ids = ids

    async def open(
        self, tx: Transaction, wallet: Wallet, session: ChargingSessionId, reference: str, amount: Money, cause: Cause
    ) -> Hold:
        """Set money aside. Raises WalletFrozen, WalletInDebt, InsufficientFunds."""
        funds = await funds_of(self._journal, tx, wallet)
        if wallet.frozen_at is not None:
            raise WalletFrozen
        if funds.owed:
            raise WalletInDebt(funds.owed)
        if funds.available + funds.promo < amount:
            raise InsufficientFunds(available=funds.available + funds.promo, required=amount)
        return await self._open(tx, wallet, funds, session, reference, amount, cause)

    async def _open(
        self,
        tx: Transaction,
        wallet: Wallet,
        funds: Funds,
        session: ChargingSessionId,
        reference: str,
        amount: Money,
        cause: Cause,
    ) -> Hold:
        hold = Hold(
            operator_id=wallet.operator_id,
            id=HoldId(self._ids.new()),
            wallet_id=wallet.id,
            charging_session_id=session,
            authorization_reference=reference,
            currency=wallet.currency,
            raised_minor=amount.minor,
            promo_minor=min(amount, funds.promo).minor,
            status=HoldStatus.OPEN,
            opened_at=self._clock.now(),
        )
        await tx.insert(hold)
        posting = hold_moved(hold.id, 1, wallet.id, funds, amount, hold.opened_at)
        await self._step(tx, hold, "open", amount, posting, cause)
        return hold

    async def open_up_to(  # what is held, for what, and why
        self, tx: Transaction, wallet: Wallet, session: ChargingSessionId, reference: str, amount: Money, cause: Cause
    ) -> Hold:
        """Set aside as much of it as there is, perhaps nothing: for a session that has begun without asking us."""
        funds = await funds_of(self._journal, tx, wallet)
        return await self._open(
            tx, wallet, funds, session, reference, min(amount, funds.available + funds.promo), cause
        )

    async def raise_to(self, tx: Transaction, hold: Hold, total: Money, cause: Cause) -> Hold:
        """Hold `total` in all; told twice, it raises once. Raises InsufficientFunds, StateConflict."""
        more = total - hold.amount
        if more.minor <= 0:
            return hold
        wallet = await _locked(tx, hold)
        funds = await funds_of(self._journal, tx, wallet)
        if funds.available + funds.promo < more:
            raise InsufficientFunds(available=funds.available + funds.promo, required=more)
        raised = await self._change(
            tx, hold, raised_minor=total.minor, promo_minor=hold.promo_minor + min(more, funds.promo).minor
        )
        posting = hold_moved(hold.id, raised.version, wallet.id, funds, more, self._clock.now())
        await self._step(tx, raised, "raise", more, posting, cause)
        return raised

    async def raise_by_what_is_left(self, tx: Transaction, hold: Hold, cause: Cause) -> Hold:
        """Hold everything that can still be spent."""
        funds = await funds_of(self._journal, tx, await _locked(tx, hold))
        return await self.raise_to(tx, hold, hold.amount + funds.available + funds.promo, cause)

    async def capture(self, tx: Transaction, hold: Hold, earned: Earned, cause: Cause, at: datetime) -> Hold:
        """Pay the bill from the hold and free the rest; beyond the hold, promo, available, then a debt."""
        wallet = await _locked(tx, hold)
        funds = await funds_of(self._journal, tx, wallet)
        own = Funds(funds.available, hold.remaining, funds.promo, funds.owed)
        paid = min(earned.total, hold.remaining)
        closed = await self._change(
            tx,
            hold,
            status=move(LIFE_OF_A_HOLD, hold.status, HoldStatus.CAPTURED),
            captured_minor=paid.minor,
            released_minor=(hold.amount - paid).minor,
        )
        posting = session_captured(
            hold.charging_session_id,
            wallet.operator_id,
            wallet.id,
            earned,
            own,
            Money(hold.promo_minor, hold.currency),
            at,
        )
        await self._step(tx, closed, "capture", paid, posting, cause)
        return closed

    async def release(self, tx: Transaction, hold: Hold, cause: Cause) -> Hold:
        """Give everything back. Raises StateConflict when the hold was closed meanwhile."""
        rest = hold.remaining
        closed = await self._change(
            tx,
            hold,
            status=move(LIFE_OF_A_HOLD, hold.status, HoldStatus.RELEASED),
            released_minor=hold.released_minor + rest.minor,
        )
        back = Money(hold.promo_minor, hold.currency)
        posting = hold_released(hold.id, closed.version, hold.wallet_id, rest, back, self._clock.now())
        await self._step(tx, closed, "release", rest, posting, cause)
        return closed

    async def _change(self, tx: Transaction, hold: Hold, **values: object) -> Hold:
        where = {
            "operator_id": hold.operator_id,
            "id": hold.id,
            "status": HoldStatus.OPEN,
            "version": hold.version,
        }
        changed = await tx.change(Hold, where, version=hold.version + 1, **values)
        if changed is None:
            raise StateConflict("The hold has changed meanwhile.", "hold", hold.id)
        return changed

    async def _step(
        self, tx: Transaction, hold: Hold, kind: str, amount: Money, posting: Posting, cause: Cause
    ) -> None:
        now = self._clock.now()
        if posting.legs:
            await statement.post(self._journal, tx, hold.operator_id, hold.wallet_id, cause, posting, now)
        await tx.insert(
            HoldEvent(
                operator_id=hold.operator_id,
                hold_id=hold.id,
                number=hold.version,
                kind=kind,
                amount_minor=amount.minor,
                at=now,
            )
        )


async def funds_of(journal: Journal, tx: Transaction, wallet: Wallet) -> Funds:
    """What lies in the wallet, locked until the transaction ends."""
    locked = await journal.lock(tx, wallet.operator_id, chart.wallet_accounts(wallet.id), wallet.currency)
    return Funds(
        available=locked[chart.available(wallet.id)],
        held=locked[chart.held(wallet.id)],
        promo=locked[chart.promo(wallet.id)],
        owed=-locked[chart.receivable(wallet.id)],
    )


async def _locked(tx: Transaction, hold: Hold) -> Wallet:
    """The hold's wallet; the hold is locked before any account, as everywhere."""
    await tx.find(Hold, lock=True, operator_id=hold.operator_id, id=hold.id)
    wallet = await tx.find(Wallet, operator_id=hold.operator_id, id=hold.wallet_id)
    assert wallet is not None
    return wallet
