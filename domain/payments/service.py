"""Top-ups: note the wish, call, write the answer; then let facts decide. Reply and webhook both end in `settle`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database
from domain.errors import NotFound, PaymentDeclined, PaymentServiceUnavailable
from domain.ids import DriverId, Ids, OperatorId, PaymentId, TopUpId, WalletId
from domain.money import Money
from domain.payments.asking import Asking
from domain.payments.gateway import NotSent, PaymentGateway
from domain.payments.models import UNFINISHED, Payment, TopUp, TopUpStatus
from domain.payments.settling import Settling
from domain.payments.wishes import Wanted, Wishes
from domain.wallets import Wallet, WalletService

_top_ups = table_of(TopUp)

RETRY_AFTER = timedelta(seconds=5)


class PaymentService:
    """Money into wallets. No call to the provider is ever made inside a transaction."""

    def __init__(
        self, database: Database, wallets: WalletService, gateway: PaymentGateway, clock: Clock, ids: Ids
    ) -> None:
        self._database = database
        self._wishes = Wishes(database, wallets, clock, ids)
        self._asking = Asking(database, gateway, clock)
        self._settling = Settling(database, wallets, gateway.merchant_account, clock, ids)

    async def top_up(
        self,
        operator: OperatorId,
        driver: DriverId,
        wallet: WalletId,
        amount: Money,
        key: str,
        return_url: str,
        country: str,
    ) -> TopUp:
        """Put money into a wallet. The same key gives the same wish as it is now.

        Raises NotFound, CurrencyMismatch, AmountNotAllowed, InvalidInput, WalletFrozen, IdempotencyConflict,
        PaymentDeclined, PaymentServiceUnavailable.
        """
        wanted = Wanted(amount, key, return_url, country)
        wish, attempt = await self._wishes.note(operator, driver, wallet, wanted)
        answer = None if attempt is None else await self._asking.ask(attempt)
        if answer is not None:
            wish, outcome = answer
            if isinstance(outcome, NotSent):
                raise PaymentServiceUnavailable(RETRY_AFTER)
        if wish.status is TopUpStatus.REFUSED:
            raise PaymentDeclined(wish.id, "refused")
        return wish

    async def settle(self, operator: OperatorId, payment: PaymentId) -> TopUp:
        """Derive the position of a payment from all its facts and post what is not posted yet. Raises NotFound."""
        return await self._settling.settle(operator, payment)

    async def consider_facts(self, operator: OperatorId, limit: int = 100) -> int:
        """Take facts out of the inbox and settle what they are about; how many were dealt with. For the worker."""
        return await self._settling.consider_facts(operator, limit)

    async def push_on(self, operator: OperatorId, limit: int = 8) -> int:
        """Ask again, with the same key, wherever an answer is missing; close what has expired. For the worker."""
        return await self._asking.push_on(operator, limit)

    async def top_up_of(self, operator: OperatorId, top_up: TopUpId, driver: DriverId) -> tuple[TopUp, Payment]:
        """A driver's top-up with its payment. Raises NotFound."""
        async with self._database.read() as reader:
            wish = await reader.find(TopUp, operator_id=operator, id=top_up)
            owner = None if wish is None else wish.wallet_id
            wallet = await reader.find(Wallet, operator_id=operator, id=owner, driver_id=driver)
            if wish is None or wallet is None:
                raise NotFound("top-up")
            payment = await reader.find(Payment, operator_id=operator, id=wish.payment_id)
            assert payment is not None
            return wish, payment

    async def top_ups_of(self, operator: OperatorId, payments: Sequence[PaymentId]) -> list[TopUp]:
        """The wishes behind these payments; for loaders."""
        statement = select(_top_ups).where(_top_ups.c.operator_id == operator, _top_ups.c.payment_id.in_(payments))
        async with self._database.read() as reader:
            return await reader.list(TopUp, statement)

    async def pending(self, operator: OperatorId, wallet: WalletId, limit: int = 20) -> list[TopUp]:
        """Top-ups of a wallet that are not finished, oldest first."""
        statement = select(_top_ups).where(
            _top_ups.c.operator_id == operator, _top_ups.c.wallet_id == wallet, _top_ups.c.status.in_(UNFINISHED)
        )
        async with self._database.read() as reader:
            return await reader.list(TopUp, statement.order_by(_top_ups.c.id).limit(limit))
