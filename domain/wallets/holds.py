"""Holds: money set aside for one charging session. Opened, raised, lowered, captured, released; one closing wins."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlmodel import SQLModel

from domain import sql
from domain.clock import Clock
from domain.columns import table_of
from domain.database import Reader, Transaction
from domain.errors import InsufficientFunds, StateConflict, WalletInDebt
from domain.ids import ChargingSessionId, HoldId, Ids, OperatorId, WalletId
from domain.ledger import (
    Cause,
    Earned,
    Funds,
    Journal,
    Posting,
    held_promo_expired,
    hold_freed,
    hold_moved,
    session_captured,
)
from domain.money import Money
from domain.states import move
from domain.wallets import promos, statement
from domain.wallets.models import LIFE_OF_A_HOLD, Hold, HoldEvent, HoldStatus, Wallet, movable, usable

LASTS = timedelta(hours=24)
"""How long a hold stands after the last accepted meter value."""
WAITS = timedelta(minutes=30)
"""How long a hold stands for an authorised session that has not appeared."""

_holds = table_of(Hold)


class Holds:
    """Every verb works inside the caller's transaction and is refused without a trace."""

    def __init__(self, journal: Journal, clock: Clock, ids: Ids) -> None:
        self._journal = journal
        self._clock = clock
        self._ids = ids

    async def open(
        self,
        tx: Transaction,
        wallet: Wallet,
        session: ChargingSessionId | None,
        reference: str,
        amount: Money,
        cause: Cause,
    ) -> Hold:
        """Set money aside; nothing may be enough.

        Raises CurrencyMismatch, AmountNotAllowed, WalletFrozen, WalletClosed, WalletInDebt, InsufficientFunds.
        """
        movable(amount, wallet.currency, least=0)
        usable(wallet)
        funds = await self._funds(tx, wallet.operator_id, wallet.id, wallet.currency)
        if funds.owed:
            raise WalletInDebt(funds.owed)
        if funds.spendable < amount:
            raise InsufficientFunds(available=funds.spendable, required=amount)
        return await self._open(tx, wallet, funds, session, reference, amount, cause)

    async def open_up_to(  # what is held, for what, and why
        self, tx: Transaction, wallet: Wallet, session: ChargingSessionId, reference: str, amount: Money, cause: Cause
    ) -> Hold:
        """Set aside as much of it as there is, perhaps nothing: for a session that has begun without asking us."""
        funds = await self._funds(tx, wallet.operator_id, wallet.id, wallet.currency)
        return await self._open(tx, wallet, funds, session, reference, min(amount, funds.spendable), cause)

    async def bind(self, tx: Transaction, hold: Hold, session: ChargingSessionId) -> Hold:
        """The authorised session has appeared. Raises StateConflict when another has, or the hold was closed."""
        if hold.charging_session_id not in (None, session):
            raise StateConflict("This hold belongs to another session.", "hold", hold.id)
        bound = await self._change(tx, hold, charging_session_id=session, expires_at=self._clock.now() + LASTS)
        await self._step(tx, bound, "bind", Money.zero(hold.currency), None, Cause("system", f"session:{session}"))
        return bound

    async def keep(self, tx: Transaction, hold: Hold) -> Hold:
        """The session goes on: let the hold stand. Written seldom, so that a meter value costs nothing here."""
        until = self._clock.now() + LASTS
        if until - hold.expires_at < LASTS / 2:
            return hold
        where = {"operator_id": hold.operator_id, "id": hold.id}
        return await tx.change(Hold, where, expires_at=until) or hold

    async def raise_to(self, tx: Transaction, hold: Hold, total: Money, cause: Cause) -> Hold:
        """Hold `total` from now on, if it is less now; told twice, it raises once.

        Raises CurrencyMismatch, AmountNotAllowed, InsufficientFunds, StateConflict, WalletFrozen, WalletClosed.
        """
        movable(total, hold.currency, least=0)
        if total <= hold.remaining:
            return hold
        hold = await self._locked(tx, hold)
        usable(await self._wallet(tx, hold))
        funds = await self._funds(tx, hold.operator_id, hold.wallet_id, hold.currency)
        more = total - hold.remaining
        if funds.spendable < more:
            raise InsufficientFunds(available=funds.spendable, required=more)
        promo = min(more, funds.promo)
        raised = await self._change(
            tx, hold, raised_minor=(hold.amount + more).minor, promo_minor=(hold.promo + promo).minor
        )
        posting = hold_moved(hold.id, raised.version, hold.wallet_id, funds, more, self._clock.now())
        await self._step(tx, raised, "raise", more, posting, cause)
        return raised

    async def raise_by_what_is_left(self, tx: Transaction, hold: Hold, cause: Cause) -> Hold:
        """Hold everything that can still be spent."""
        hold = await self._locked(tx, hold)
        funds = await self._funds(tx, hold.operator_id, hold.wallet_id, hold.currency)
        return await self.raise_to(tx, hold, hold.remaining + funds.spendable, cause)

    async def lower_to(self, tx: Transaction, hold: Hold, remaining: Money, cause: Cause) -> Hold:
        """Keep only `remaining` set aside; told twice, it lowers once.

        Raises CurrencyMismatch, AmountNotAllowed, StateConflict.
        """
        movable(remaining, hold.currency, least=0)
        hold = await self._locked(tx, hold)
        less = hold.remaining - remaining
        if less.minor <= 0:
            return hold
        # Granted credit was reserved first, and comes back last.
        promo = max(Money.zero(hold.currency), less - (hold.remaining - hold.promo))
        return await self._free(tx, hold, less, promo, "lower", cause)

    async def capture(self, tx: Transaction, hold: Hold, earned: Earned, cause: Cause, at: datetime) -> Hold:
        """Pay the bill from the hold and free the rest; beyond the hold, promo, available, then a debt.

        Raises StateConflict when the hold was closed meanwhile.
        """
        hold = await self._locked(tx, hold)
        assert hold.charging_session_id is not None, "only a session has a bill"
        funds = await self._funds(tx, hold.operator_id, hold.wallet_id, hold.currency)
        zero = Money.zero(hold.currency)
        paid = min(earned.total, hold.remaining)
        spent = min(hold.promo, paid) + min(funds.promo, earned.total - paid)
        lost = await promos.lost(tx, hold, funds.promo, max(zero, hold.promo - paid), self._clock.now())
        closed = await self._change(
            tx,
            hold,
            status=move(LIFE_OF_A_HOLD, hold.status, HoldStatus.CAPTURED),
            captured_minor=paid.minor,
            released_minor=(hold.amount - paid).minor,
            promo_minor=spent.minor,
        )
        own = Funds(funds.available, hold.remaining, funds.promo, funds.owed)
        posting = session_captured(
            hold.charging_session_id, hold.operator_id, hold.wallet_id, earned, own, hold.promo, at
        )
        await self._step(tx, closed, "capture", paid, posting, cause, lost)
        return closed

    async def release(self, tx: Transaction, hold: Hold, cause: Cause) -> Hold:
        """Give everything back: nothing was charged. Raises StateConflict when the hold was closed meanwhile."""
        return await self._close(tx, hold, HoldStatus.RELEASED, "release", cause)

    async def expire(self, tx: Transaction, hold: Hold, cause: Cause) -> Hold:
        """Give everything back: nothing happened in time. Raises StateConflict when the hold was closed meanwhile."""
        return await self._close(tx, hold, HoldStatus.EXPIRED, "expire", cause)

    async def due(self, reader: Reader, operator: OperatorId, limit: int) -> list[Hold]:
        """Open holds whose time is over, oldest first."""
        statement_ = select(_holds).where(
            _holds.c.operator_id == operator,
            _holds.c.status == HoldStatus.OPEN,
            _holds.c.expires_at <= self._clock.now(),
        )
        return await reader.list(Hold, statement_.order_by(_holds.c.expires_at).limit(limit))

    async def _open(
        self,
        tx: Transaction,
        wallet: Wallet,
        funds: Funds,
        session: ChargingSessionId | None,
        reference: str,
        amount: Money,
        cause: Cause,
    ) -> Hold:
        now = self._clock.now()
        hold = sql.new(
            Hold,
            operator_id=wallet.operator_id,
            id=HoldId(self._ids.new()),
            wallet_id=wallet.id,
            charging_session_id=session,
            authorization_reference=reference,
            currency=wallet.currency,
            raised_minor=amount.minor,
            promo_minor=min(amount, funds.promo).minor,
            status=HoldStatus.OPEN,
            opened_at=now,
            expires_at=now + (WAITS if session is None else LASTS),
        )
        posting = hold_moved(hold.id, 1, wallet.id, funds, amount, now)
        await self._step(tx, hold, "open", amount, posting, cause)
        return hold

    async def _close(self, tx: Transaction, hold: Hold, status: HoldStatus, kind: str, cause: Cause) -> Hold:
        hold = await self._locked(tx, hold)
        return await self._free(
            tx, hold, hold.remaining, hold.promo, kind, cause, status=move(LIFE_OF_A_HOLD, hold.status, status)
        )

    async def _free(
        self, tx: Transaction, hold: Hold, amount: Money, promo: Money, kind: str, cause: Cause, **values: object
    ) -> Hold:
        funds = await self._funds(tx, hold.operator_id, hold.wallet_id, hold.currency)
        now = self._clock.now()
        lost = await promos.lost(tx, hold, funds.promo, promo, now)
        changed = await self._change(
            tx,
            hold,
            released_minor=(hold.released + amount).minor,
            promo_minor=(hold.promo - promo).minor,
            **values,
        )
        posting = hold_freed(hold.id, changed.version, hold.wallet_id, amount, promo, now)
        await self._step(tx, changed, kind, amount, posting, cause, lost)
        return changed

    async def _change(self, tx: Transaction, hold: Hold, **values: object) -> Hold:
        where = {
            "operator_id": hold.operator_id,
            "id": hold.id,
            "status": HoldStatus.OPEN,
            "version": hold.version,
        }
        changed = await tx.change(Hold, where, version=hold.version + 1, **values)
        if changed is None:
            raise _moved_on(hold)
        return changed

    async def _step(
        self,
        tx: Transaction,
        hold: Hold,
        kind: str,
        amount: Money,
        posting: Posting | None,
        cause: Cause,
        lost: Money | None = None,
    ) -> None:
        now = self._clock.now()
        written = None
        rows: list[SQLModel] = [hold] if kind == "open" else []
        if posting is not None and posting.legs:
            (written,) = await self._journal.post(tx, hold.operator_id, cause, posting)
            rows += await statement.lines(tx, hold.operator_id, hold.wallet_id, posting, written, now)
        event = sql.new(
            HoldEvent,
            operator_id=hold.operator_id,
            hold_id=hold.id,
            number=hold.version,
            kind=kind,
            amount_minor=amount.minor,
            posting_id=None if written is None else written.id,
            at=now,
        )
        await tx.insert(*rows, event)
        if lost:
            expired = held_promo_expired(hold.id, hold.version, hold.wallet_id, lost, now)
            await statement.post(self._journal, tx, hold.operator_id, hold.wallet_id, cause, expired, now)

    async def _funds(self, tx: Transaction, operator: OperatorId, wallet: WalletId, currency: str) -> Funds:
        return await statement.funds_of(self._journal, tx, operator, wallet, currency)

    async def _locked(self, tx: Transaction, hold: Hold) -> Hold:
        """The hold, locked before any account, as everywhere. Raises StateConflict if it is not what the caller saw."""
        found = await tx.find(Hold, lock=True, operator_id=hold.operator_id, id=hold.id)
        if found is None or (found.status, found.version) != (HoldStatus.OPEN, hold.version):
            raise _moved_on(hold)
        return found

    async def _wallet(self, tx: Transaction, hold: Hold) -> Wallet:
        wallet = await tx.find(Wallet, operator_id=hold.operator_id, id=hold.wallet_id)
        assert wallet is not None
        return wallet


def _moved_on(hold: Hold) -> StateConflict:
    return StateConflict("The hold has changed meanwhile.", "hold", hold.id)
