"""A driver with a wallet, money in it, and holds on it; each on an operator of its own."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

from domain.database import Database
from domain.drivers import DriverService
from domain.ids import ChargingSessionId, DriverId, Ids, PaymentId
from domain.ledger import Earned
from domain.wallets import CHECKS, Hold, PromoGrant, Wallet, WalletService
from tests.domain.ledger.books import CAUSE, NOON, Books, eur, verdicts

ACCOUNT = "TestAccount"


def earned(net: int, tax: int = 0) -> Earned:
    return Earned("DE", eur(net), eur(0), ((Decimal(19), eur(tax)),))


class Purse(Books):
    """A wallet in euros, and its driver."""

    driver: DriverId
    wallet: Wallet

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        ids = Ids(self.clock)
        self.wallets = WalletService(database, self.journal, DriverService(database, self.clock, ids), self.clock, ids)

    async def opened(self) -> Purse:
        self.driver = (await self.wallets.enrol(self.operator, "subject", "A Driver", "EUR")).id
        (self.wallet,) = await self.wallets.wallets_of(self.operator, self.driver)
        return self

    async def pay_in(self, minor: int) -> None:
        async with self.database.transaction() as tx:
            assert await self.wallets.money.pay_in(tx, self.wallet, PaymentId(uuid4()), 1, eur(minor), ACCOUNT, CAUSE)

    async def grant(self, minor: int, days: int = 30) -> PromoGrant:
        """Credit that was given, not paid."""
        lasts = timedelta(days=days)
        return await self.wallets.promos.grant(self.wallet, eur(minor), lasts, "Welcome", uuid4().hex, CAUSE)

    async def hold(self, minor: int, session: ChargingSessionId | None = None) -> Hold:
        async with self.database.transaction() as tx:
            wallet = await self.wallets.owned(tx, self.operator, self.wallet.id, self.driver)
            of = session or ChargingSessionId(uuid4())
            return await self.wallets.holds.open(tx, wallet, of, str(uuid4()), eur(minor), CAUSE)

    async def raise_to(self, hold: Hold, minor: int) -> Hold:
        async with self.database.transaction() as tx:
            return await self.wallets.holds.raise_to(tx, hold, eur(minor), CAUSE)

    async def capture(self, hold: Hold, bill: Earned) -> Hold:
        async with self.database.transaction() as tx:
            return await self.wallets.holds.capture(tx, hold, bill, CAUSE, NOON)

    async def release(self, hold: Hold) -> Hold:
        async with self.database.transaction() as tx:
            return await self.wallets.holds.release(tx, hold, CAUSE)

    async def money(self) -> tuple[int, int, int, int]:
        """Available, held, promo, owed."""
        found = await self.wallets.balance(self.wallet)
        return found.available.minor, found.held.minor, found.promo.minor, found.owed.minor

    async def lines(self) -> list[tuple[str, int, int]]:
        """The statement, newest first: kind, amount, balance after."""
        entries = await self.wallets.entries(self.wallet, before=None, limit=100)
        return [(entry.kind.value, entry.amount_minor, entry.balance_after_minor) for entry in entries]

    async def is_sound(self) -> bool:
        assert await verdicts(self.database) == await verdicts(self.database, CHECKS) == {}
        return True
