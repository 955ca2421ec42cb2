"""Granted credit: spent before money, earliest expiry first, never paid out, and gone when its time is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database, Reader, Transaction, retried
from domain.ids import Ids, OperatorId, PromoGrantId, WalletId
from domain.ledger import Cause, Journal, promo_expired, promo_granted
from domain.money import Money
from domain.refusals import same_wish
from domain.states import move
from domain.wallets import statement
from domain.wallets.models import (
    LIFE_OF_A_GRANT,
    Hold,
    HoldStatus,
    PromoGrant,
    PromoStatus,
    Wallet,
    movable,
    usable,
)

_grants = table_of(PromoGrant)
_holds = table_of(Hold)
WORKER = Cause(actor="worker", request_id="promo")


class Promos:
    """Grants credit, and takes back what was not spent in time."""

    def __init__(self, database: Database, journal: Journal, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._ids = ids

    @retried
    async def grant(
        self, wallet: Wallet, amount: Money, lasts: timedelta, reason: str, key: str, cause: Cause
    ) -> PromoGrant:
        """Give credit for some time; the same key gives it once.

        Raises IdempotencyConflict, CurrencyMismatch, AmountNotAllowed, WalletFrozen, WalletClosed.
        """
        movable(amount, wallet.currency)
        async with self._database.transaction() as tx:
            now = self._clock.now()
            given = PromoGrant(
                operator_id=wallet.operator_id,
                id=PromoGrantId(self._ids.new()),
                wallet_id=wallet.id,
                idempotency_key=key,
                amount_minor=amount.minor,
                currency=amount.currency,
                reason=reason,
                status=PromoStatus.ACTIVE,
                granted_at=now,
                expires_at=now + lasts,
            )
            if not await tx.insert_once(given):
                twin = await tx.find(
                    PromoGrant, operator_id=wallet.operator_id, wallet_id=wallet.id, idempotency_key=key
                )
                assert twin is not None
                same_wish(_facts(twin), _facts(given))
                return twin
            found = await tx.find(Wallet, operator_id=wallet.operator_id, id=wallet.id)
            assert found is not None
            usable(found)
            posting = promo_granted(given.id, wallet.id, amount, given.granted_at, reason)
            await statement.post(self._journal, tx, wallet.operator_id, wallet.id, cause, posting, given.granted_at)
            return given

    async def lapse(self, operator: OperatorId, limit: int = 100) -> int:
        """Take back what has run out; how many grants. For the worker."""
        due = select(_grants).where(
            _grants.c.operator_id == operator,
            _grants.c.status == PromoStatus.ACTIVE,
            _grants.c.expires_at <= self._clock.now(),
        )
        async with self._database.read() as reader:
            grants = await reader.list(PromoGrant, due.order_by(_grants.c.expires_at).limit(limit))
        for grant in grants:
            await self._lapse(grant)
        return len(grants)

    @retried
    async def _lapse(self, grant: PromoGrant) -> None:
        """What later grants do not account for is what is left of this one; what is held is lost when it is freed."""
        operator, wallet = grant.operator_id, grant.wallet_id
        async with self._database.transaction() as tx:
            funds = await statement.funds_of(self._journal, tx, operator, wallet, grant.currency)
            now = self._clock.now()
            in_holds = select(func.sum(_holds.c.promo_minor)).where(
                _holds.c.operator_id == operator, _holds.c.wallet_id == wallet, _holds.c.status == HoldStatus.OPEN
            )
            unspent = funds.promo.minor + int(await tx.scalar(in_holds) or 0)
            left = max(0, unspent - await _unexpired(tx, operator, wallet, now))
            lapsed = min(left, funds.promo.minor, grant.amount_minor)
            where = {"operator_id": operator, "id": grant.id, "status": PromoStatus.ACTIVE}
            status = move(LIFE_OF_A_GRANT, PromoStatus.ACTIVE, PromoStatus.LAPSED)
            if await tx.change(PromoGrant, where, status=status, lapsed_minor=lapsed) is not None and lapsed:
                posting = promo_expired(grant.id, wallet, Money(lapsed, grant.currency), now)
                await statement.post(self._journal, tx, operator, wallet, WORKER, posting, now)


async def lost(tx: Transaction, hold: Hold, promo: Money, back: Money, at: datetime) -> Money:
    """Of granted credit that comes `back` beside `promo`, what has run out meanwhile."""
    if not back:
        return back
    allowed = await _unexpired(tx, hold.operator_id, hold.wallet_id, at)
    return min(back, Money(max(0, (promo + back).minor - allowed), hold.currency))


async def returnable(tx: Transaction, operator: OperatorId, wallet: WalletId, promo: Money, at: datetime) -> Money:
    """How much granted credit may be given back as such: no more than what has not run out."""
    return Money(max(0, await _unexpired(tx, operator, wallet, at) - promo.minor), promo.currency)


async def _unexpired(reader: Reader, operator: OperatorId, wallet: WalletId, at: datetime) -> int:
    statement_ = select(func.sum(_grants.c.amount_minor)).where(
        _grants.c.operator_id == operator,
        _grants.c.wallet_id == wallet,
        _grants.c.status == PromoStatus.ACTIVE,
        _grants.c.expires_at > at,
    )
    return int(await reader.scalar(statement_) or 0)


def _facts(grant: PromoGrant) -> dict[str, str]:
    lasts = grant.expires_at - grant.granted_at
    return {"amount": str(grant.amount), "time": str(lasts), "reason": grant.reason}
