"""What a driver's wallet is asked: open it, look at it, read its statement, pay a top-up in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database, Reader, Transaction, retried
from domain.drivers import Driver, DriverService
from domain.errors import NotFound
from domain.ids import DocumentId, DriverId, Ids, OperatorId, PaymentId, WalletId
from domain.ledger import Cause, Code, Earned, Journal, LedgerAccount, chart, dispute_credited, top_up_captured
from domain.money import Money
from domain.wallets import statement
from domain.wallets.holds import Holds, funds_of
from domain.wallets.models import Hold, HoldStatus, Wallet, WalletEntry

_wallets = table_of(Wallet)
_entries = table_of(WalletEntry)
_holds = table_of(Hold)
_accounts = table_of(LedgerAccount)


@dataclass(frozen=True, slots=True)
class WalletBalance:
    """Balances at one instant: available + promo + held = total."""

    available: Money
    promo: Money
    held: Money
    owed: Money
    as_of: datetime

    @property
    def total(self) -> Money:
        """Everything in the wallet."""
        return self.available + self.promo + self.held


class WalletService:
    """Wallets by their owner: somebody else's wallet does not exist."""

    def __init__(self, database: Database, journal: Journal, drivers: DriverService, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._journal = journal
        self._drivers = drivers
        self._clock = clock
        self._ids = ids
        self.holds = Holds(journal, clock, ids)

    @retried
    async def enrol(self, operator: OperatorId, subject: str, display_name: str, currency: str) -> Driver:
        """The driver whom an issuer calls `subject`, with a wallet in `currency`; new ones are made, once."""
        async with self._database.transaction() as tx:
            driver = await self._drivers.enrol(tx, operator, subject, display_name)
            await self.open(tx, operator, driver.id, currency)
            return driver

    async def open(self, tx: Transaction, operator: OperatorId, driver: DriverId, currency: str) -> Wallet:
        """The driver's wallet in this currency; a new one is made, once."""
        known = await tx.find(Wallet, operator_id=operator, driver_id=driver, currency=currency)
        if known is not None:
            return known
        wallet = Wallet(
            operator_id=operator,
            id=WalletId(self._ids.new()),
            driver_id=driver,
            currency=currency,
            opened_at=self._clock.now(),
        )
        if await tx.insert_once(wallet):
            await self._journal.open(tx, operator, chart.wallet_accounts(wallet.id), currency)
            return wallet
        return await self.spending_wallet(tx, operator, driver, currency)

    async def wallets_of(self, operator: OperatorId, driver: DriverId) -> list[Wallet]:
        """All wallets of a driver, oldest first; one per currency."""
        async with self._database.read() as reader:
            return await reader.list(
                Wallet,
                select(_wallets)
                .where(_wallets.c.operator_id == operator, _wallets.c.driver_id == driver)
                .order_by(_wallets.c.id),
            )

    async def wallet(self, operator: OperatorId, wallet: WalletId, driver: DriverId) -> Wallet:
        """One wallet of a driver. Raises NotFound."""
        async with self._database.read() as reader:
            return await self.owned(reader, operator, wallet, driver)

    async def owned(self, reader: Reader, operator: OperatorId, wallet: WalletId, driver: DriverId) -> Wallet:
        """The wallet, inside a block that is already open. Raises NotFound."""
        found = await reader.find(Wallet, operator_id=operator, id=wallet, driver_id=driver)
        if found is None:
            raise NotFound("wallet", ("input", "walletId"))
        return found

    async def spending_wallet(self, reader: Reader, operator: OperatorId, driver: DriverId, currency: str) -> Wallet:
        """The wallet that pays in this currency. Raises NotFound."""
        found = await reader.find(Wallet, operator_id=operator, driver_id=driver, currency=currency)
        if found is None:
            raise NotFound(f"wallet in {currency}")
        return found

    async def balance(self, wallet: Wallet) -> WalletBalance:
        """The four balances, read in one statement."""
        statement_ = select(_accounts.c.code, _accounts.c.balance_minor).where(
            _accounts.c.operator_id == wallet.operator_id,
            _accounts.c.code.in_([account.code for account in chart.wallet_accounts(wallet.id)]),
            _accounts.c.owner == str(wallet.id),
            _accounts.c.currency == wallet.currency,
        )
        async with self._database.read() as reader:
            found = {row["code"]: Money(row["balance_minor"], wallet.currency) for row in await reader.rows(statement_)}
        return WalletBalance(
            available=found[Code.WALLET_AVAILABLE],
            promo=found[Code.WALLET_PROMO],
            held=found[Code.WALLET_HELD],
            owed=-found[Code.WALLET_RECEIVABLE],
            as_of=self._clock.now(),
        )

    async def entries(self, wallet: Wallet, *, before: int | None, limit: int) -> list[WalletEntry]:
        """Lines of the statement, newest first, below sequence `before`."""
        statement_ = select(_entries).where(
            _entries.c.operator_id == wallet.operator_id, _entries.c.wallet_id == wallet.id
        )
        if before is not None:
            statement_ = statement_.where(_entries.c.sequence < before)
        async with self._database.read() as reader:
            return await reader.list(WalletEntry, statement_.order_by(_entries.c.sequence.desc()).limit(limit))

    async def open_holds(self, wallet: Wallet, limit: int = 20) -> list[Hold]:
        """Holds that are still open, oldest first."""
        statement_ = select(_holds).where(
            _holds.c.operator_id == wallet.operator_id,
            _holds.c.wallet_id == wallet.id,
            _holds.c.status == HoldStatus.OPEN,
        )
        async with self._database.read() as reader:
            return await reader.list(Hold, statement_.order_by(_holds.c.id).limit(limit))

    async def pay_in(
        self,
        tx: Transaction,
        wallet: Wallet,
        payment: PaymentId,
        number: int,
        amount: Money,
        merchant_account: str,
        cause: Cause,
    ) -> bool:
        """Credit a captured top-up; a debt is settled first. False if it had been credited before."""
        funds = await funds_of(self._journal, tx, wallet)
        now = self._clock.now()
        posting = top_up_captured(payment, number, wallet.id, amount, funds.owed, merchant_account, now)
        return await statement.post(self._journal, tx, wallet.operator_id, wallet.id, cause, posting, now)

    async def credit(self, tx: Transaction, wallet: Wallet, note: DocumentId, returned: Earned, cause: Cause) -> bool:
        """Give back what was earned; a debt is settled first. False if it had been given back before."""
        funds = await funds_of(self._journal, tx, wallet)
        now = self._clock.now()
        posting = dispute_credited(note, wallet.operator_id, wallet.id, returned, funds.owed, now)
        return await statement.post(self._journal, tx, wallet.operator_id, wallet.id, cause, posting, now)
