"""Money set aside for a session while it runs, and the one place where the row of a session changes."""

from __future__ import annotations

from datetime import datetime

from domain.database import Reader, Transaction
from domain.errors import InsufficientFunds, StateConflict, WalletClosed, WalletFrozen
from domain.ids import DriverId, OperatorId
from domain.ledger import Cause, Earned
from domain.money import Money
from domain.sessions.models import ChargingSession
from domain.wallets import Hold, HoldStatus, Wallet, WalletService

RAISE_AT_PERCENT = 80
EXPIRY = Cause(actor="worker", request_id="hold-expiry")


async def changed(tx: Transaction, session: ChargingSession, at: datetime, **values: object) -> ChargingSession:
    """The session with these values and the next revision; its row is locked by the caller."""
    where = {"operator_id": session.operator_id, "id": session.id, "revision": session.revision}
    row = await tx.change(ChargingSession, where, revision=session.revision + 1, updated_at=at, **values)
    assert row is not None, "the row is locked, so nobody else changed it"
    return row


class Securing:
    """Holds of sessions; sessions without a wallet need none."""

    def __init__(self, wallets: WalletService) -> None:
        self._wallets = wallets

    async def wallet_of(self, reader: Reader, operator: OperatorId, driver: DriverId, currency: str) -> Wallet:
        """The wallet that pays a driver's sessions in this currency. Raises NotFound."""
        return await self._wallets.spending_wallet(reader, operator, driver, currency)

    async def begin(self, tx: Transaction, session: ChargingSession, amount: Money, cause: Cause) -> None:
        """Set `amount` aside before the start. Raises WalletFrozen, WalletClosed, WalletInDebt, InsufficientFunds."""
        wallet = await self._wallet(tx, session)
        await self._wallets.holds.open(tx, wallet, session.id, _reference(session), amount, cause)

    async def join(self, tx: Transaction, session: ChargingSession, amount: Money, cause: Cause) -> None:
        """Set aside what there is, up to `amount`: the session has begun without asking us."""
        wallet = await self._wallet(tx, session)
        await self._wallets.holds.open_up_to(tx, wallet, session.id, _reference(session), amount, cause)

    async def keep_up(self, tx: Transaction, session: ChargingSession, step: Money, cause: Cause) -> bool:
        """Raise the hold in steps as the cost comes near it; False once nothing more can be set aside."""
        hold = await self._hold(tx, session)
        if hold is None:
            return True
        hold = await self._wallets.holds.keep(tx, hold)
        try:
            await self._wallets.holds.raise_to(tx, hold, _enough(hold.remaining, session.gross, step), cause)
        except InsufficientFunds:
            await self._wallets.holds.raise_by_what_is_left(tx, hold, cause)
            return False
        except (WalletFrozen, WalletClosed):
            return False
        return True

    async def keep(self, tx: Transaction, hold: Hold) -> None:
        """Let a hold stand: something was told in time."""
        await self._wallets.holds.keep(tx, hold)

    async def expire(self, tx: Transaction, hold: Hold) -> bool:
        """Give back a hold for which nothing was told in time. False if it has moved on meanwhile."""
        try:
            await self._wallets.holds.expire(tx, hold, EXPIRY)
        except StateConflict:
            return False
        return True

    async def due(self, reader: Reader, operator: OperatorId, limit: int) -> list[Hold]:
        """Open holds whose time is over."""
        return await self._wallets.holds.due(reader, operator, limit)

    async def let_go(self, tx: Transaction, session: ChargingSession, cause: Cause) -> None:
        """Give everything back: there will be no bill."""
        hold = await self._hold(tx, session)
        if hold is not None:
            await self._wallets.holds.release(tx, hold, cause)

    async def settle(
        self, tx: Transaction, session: ChargingSession, earned: Earned, cause: Cause, at: datetime
    ) -> None:
        """Pay the bill: from the hold, then what is free, then as a debt; the hold may have expired meanwhile."""
        hold = await self._hold(tx, session)
        if hold is not None:
            await self._wallets.holds.capture(tx, hold, earned, cause, at)
        else:
            await self._wallets.money.charge(tx, await self._wallet(tx, session), session.id, earned, cause, at)

    async def _hold(self, tx: Transaction, session: ChargingSession) -> Hold | None:
        return await tx.find(
            Hold,
            lock=True,
            operator_id=session.operator_id,
            charging_session_id=session.id,
            status=HoldStatus.OPEN,
        )

    async def _wallet(self, tx: Transaction, session: ChargingSession) -> Wallet:
        wallet = await tx.find(Wallet, operator_id=session.operator_id, id=session.wallet_id)
        assert wallet is not None, "who asks for a hold has a wallet"
        return wallet


def _enough(held: Money, cost: Money, step: Money) -> Money:
    """What to hold: whole steps more, until the cost is at most 80 % of it; without a step just that much."""
    least = -(-cost.minor * 100 // RAISE_AT_PERCENT)
    steps = -(-(least - held.minor) // max(step.minor, 1))
    return held if steps <= 0 else Money(held.minor + steps * max(step.minor, 1), held.currency)


def _reference(session: ChargingSession) -> str:
    return session.authorization_reference or str(session.id)
