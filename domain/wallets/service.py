"""What a driver's wallet is asked: open it, look at it, now or as it was, read its statement, freeze and close it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, select

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database, Reader, Transaction, retried
from domain.drivers import Driver, DriverService
from domain.errors import NotFound, StateConflict
from domain.ids import DriverId, Ids, OperatorId, WalletId
from domain.ledger import Code, Journal, LedgerAccount, LedgerEntry, chart
from domain.money import Money
from domain.wallets.holds import Holds
from domain.wallets.models import Hold, HoldStatus, Wallet, WalletEntry, WalletEntryKind
from domain.wallets.money import WalletMoney
from domain.wallets.promos import Promos
from domain.wallets.statement import funds_of

_wallets = table_of(Wallet)
_entries = table_of(WalletEntry)
_holds = table_of(Hold)
_accounts = table_of(LedgerAccount)
_CODES = (Code.WALLET_AVAILABLE, Code.WALLET_HELD, Code.WALLET_PROMO, Code.WALLET_RECEIVABLE)


@dataclass(frozen=True, slots=True)
class WalletBalance:
    """Balances at one instant: available + promo + held = total. `moves` counts what changed them, and only grows."""

    available: Money
    promo: Money
    held: Money
    owed: Money
    moves: int
    as_of: datetime

    @property
    def total(self) -> Money:
        """Everything in the wallet."""
        return self.available + self.promo + self.held


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which lines of a statement; what is None does not restrict."""

    kinds: Sequence[WalletEntryKind] | None = None
    posted_from: datetime | None = None
    posted_before: datetime | None = None

    def on(self, statement: Select[Any]) -> Select[Any]:
        """The statement of SQL, restricted."""
        if self.kinds is not None:
            statement = statement.where(_entries.c.kind.in_(self.kinds))
        if self.posted_from is not None:
            statement = statement.where(_entries.c.posted_at >= self.posted_from)
        if self.posted_before is not None:
            statement = statement.where(_entries.c.posted_at < self.posted_before)
        return statement


class WalletService:
    """Wallets by their owner: somebody else's wallet does not exist."""

    def __init__(self, database: Database, journal: Journal, drivers: DriverService, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._journal = journal
        self._drivers = drivers
        self._clock = clock
        self._ids = ids
        self.holds = Holds(journal, clock, ids)
        self.money = WalletMoney(journal, clock)
        self.promos = Promos(database, journal, clock, ids)

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
        """The four balances now."""
        return (await self.balances(wallet.operator_id, [wallet.id]))[wallet.id]

    async def balances(self, operator: OperatorId, wallets: Sequence[WalletId]) -> dict[WalletId, WalletBalance]:
        """The four balances of each wallet, read in one statement."""
        owners = {str(wallet): wallet for wallet in wallets}
        statement = select(
            _accounts.c.code, _accounts.c.owner, _accounts.c.currency, _accounts.c.balance_minor, _accounts.c.version
        ).where(_accounts.c.operator_id == operator, _accounts.c.code.in_(_CODES), _accounts.c.owner.in_(owners))
        async with self._database.read() as reader:
            rows = await reader.rows(statement)
        now, found = self._clock.now(), defaultdict[str, list[RowMapping]](list)
        for row in rows:
            found[row["owner"]].append(row)
        return {
            owners[owner]: _balance(
                its[0]["currency"], {row["code"]: (row["version"], row["balance_minor"]) for row in its}, now
            )
            for owner, its in found.items()
        }

    async def balance_at(self, wallet: Wallet, at: datetime) -> WalletBalance:
        """The four balances as they were after everything that was posted until `at`."""
        statement = select(_accounts).where(
            _accounts.c.operator_id == wallet.operator_id,
            _accounts.c.code.in_(_CODES),
            _accounts.c.owner == str(wallet.id),
            _accounts.c.currency == wallet.currency,
        )
        async with self._database.read() as reader:
            found = {row["code"]: await _at(reader, row, at) for row in await reader.rows(statement)}
        return _balance(wallet.currency, found, at)

    async def entries(
        self, wallet: Wallet, *, before: int | None, limit: int, only: EntryFilter | None = None
    ) -> list[WalletEntry]:
        """Lines of the statement, newest first, below sequence `before`."""
        statement = select(_entries).where(
            _entries.c.operator_id == wallet.operator_id, _entries.c.wallet_id == wallet.id
        )
        if before is not None:
            statement = statement.where(_entries.c.sequence < before)
        if only is not None:
            statement = only.on(statement)
        async with self._database.read() as reader:
            return await reader.list(WalletEntry, statement.order_by(_entries.c.sequence.desc()).limit(limit))

    async def open_holds(self, wallet: Wallet, limit: int = 20) -> list[Hold]:
        """Holds that are still open, oldest first."""
        statement = select(_holds).where(
            _holds.c.operator_id == wallet.operator_id,
            _holds.c.wallet_id == wallet.id,
            _holds.c.status == HoldStatus.OPEN,
        )
        async with self._database.read() as reader:
            return await reader.list(Hold, statement.order_by(_holds.c.id).limit(limit))

    @retried
    async def freeze(self, operator: OperatorId, wallet: WalletId, reason: str) -> Wallet:
        """Let nothing new begin in this wallet until somebody has looked; told twice, the first reason stays."""
        async with self._database.transaction() as tx:
            found = await self._locked(tx, operator, wallet)
            if found.frozen_at is not None:
                return found
            return await self._mark(tx, found, frozen_at=self._clock.now(), frozen_reason=reason)

    @retried
    async def unfreeze(self, operator: OperatorId, wallet: WalletId) -> Wallet:
        """Somebody has looked. Raises NotFound."""
        async with self._database.transaction() as tx:
            found = await self._locked(tx, operator, wallet)
            return await self._mark(tx, found, frozen_at=None, frozen_reason=None)

    @retried
    async def close(self, operator: OperatorId, wallet: WalletId) -> Wallet:
        """Nothing moves in it any more. Raises NotFound, and StateConflict while money is in it or owed."""
        async with self._database.transaction() as tx:
            seen = await tx.find(Wallet, operator_id=operator, id=wallet)
            if seen is None:
                raise NotFound("wallet")
            # Its accounts before its row, as whoever writes a line of the statement locks them.
            funds = await funds_of(self._journal, tx, operator, seen.id, seen.currency)
            found = await self._locked(tx, operator, wallet)
            if funds.available or funds.held or funds.promo or funds.owed:
                raise StateConflict("This wallet is not empty; pay it out first.", "wallet", found.id)
            if found.closed_at is not None:
                return found
            return await self._mark(tx, found, closed_at=self._clock.now())

    async def _locked(self, tx: Transaction, operator: OperatorId, wallet: WalletId) -> Wallet:
        found = await tx.find(Wallet, lock=True, operator_id=operator, id=wallet)
        if found is None:
            raise NotFound("wallet")
        return found

    async def _mark(self, tx: Transaction, wallet: Wallet, **values: object) -> Wallet:
        where = {"operator_id": wallet.operator_id, "id": wallet.id}
        marked = await tx.change(Wallet, where, revision=wallet.revision + 1, **values)
        assert marked is not None
        return marked


def _balance(currency: str, found: Mapping[Code, tuple[int, int]], at: datetime) -> WalletBalance:
    """From version and balance of each account."""

    def money(code: Code) -> Money:
        return Money(found[code][1], currency)

    return WalletBalance(
        available=money(Code.WALLET_AVAILABLE),
        promo=money(Code.WALLET_PROMO),
        held=money(Code.WALLET_HELD),
        owed=-money(Code.WALLET_RECEIVABLE),
        moves=sum(version for version, _ in found.values()),
        as_of=at,
    )


async def _at(reader: Reader, row: RowMapping, at: datetime) -> tuple[int, int]:
    """Version and balance of an account at an instant: halve between the versions, whose postings follow each other."""
    bound, least, most = Ids.last_of(at), 0, row["version"]
    balance = 0
    while least < most:
        middle = (least + most + 1) // 2
        entry = await reader.find(
            LedgerEntry, operator_id=row["operator_id"], account_id=row["id"], account_version=middle
        )
        assert entry is not None, "versions have no gap"
        if entry.posting_id <= bound:
            least, balance = middle, entry.balance_after_minor or 0
        else:
            most = middle - 1
    return least, balance
