"""Drivers and their wallets: balances, holds, the statement."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry

from domain import wallets as domain
from domain.drivers import Driver as DriverRow
from domain.errors import NotFound as NotThere
from domain.ids import ChargingSessionId, OperatorId, WalletId
from domain.money import Money as Amount
from resolvers.connections import After, First, Keys, PageInfo, page_of
from resolvers.context import Info
from resolvers.describing import describe
from resolvers.nodes import Node, fetched_as, global_id, part_fetched_as
from resolvers.scalars import Currency, CursorText, Money, Timestamp

describe(
    domain.HoldStatus,
    "States of a hold; all but OPEN are final.",
    OPEN="The money is set aside.",
    CAPTURED="The bill has been paid from it, and the rest given back.",
    RELEASED="All of it has been given back.",
    EXPIRED="All of it has been given back because nothing happened in time.",
)
describe(
    domain.WalletEntryKind,
    "Kinds of movement.",
    called="LedgerEntryKind",
    TOP_UP="The driver paid money in.",
    SESSION_CHARGE="A session was paid.",
    REFUND="Money came back for a session.",
    WITHDRAWAL="Money went back to the method it came from, or returned from there.",
    CHARGEBACK="The card scheme took a payment back.",
    CHARGEBACK_REVERSAL="The card scheme returned a payment.",
    PROMOTION="Credit was granted or ran out.",
)


@strawberry.type(description="Balances of a wallet; `available` + `promo` + `held` = `total`, exactly.")
class WalletBalance:
    """One reading."""

    available: Money = strawberry.field(description="Free to spend or to take out.")
    promo: Money = strawberry.field(description="Granted credit: free to spend, spent first, never paid out.")
    held: Money = strawberry.field(description="Set aside for running sessions.")
    total: Money = strawberry.field(description="Everything in the wallet.")
    owed: Money = strawberry.field(description="Still to be paid for past sessions; the next top-up settles it first.")
    as_of: Timestamp = strawberry.field(description="Instant of the reading.")

    @classmethod
    def of(cls, balance: domain.WalletBalance) -> WalletBalance:
        """From the domain."""
        return cls(
            available=Money.of(balance.available),
            promo=Money.of(balance.promo),
            held=Money.of(balance.held),
            total=Money.of(balance.total),
            owed=Money.of(balance.owed),
            as_of=Timestamp(balance.as_of),
        )


@strawberry.type(description="Money set aside in a wallet for one session.")
class Hold(Node):
    """A hold."""

    amount: Money = strawberry.field(description="Set aside in all, raises included.")
    captured: Money = strawberry.field(description="Taken as payment.")
    released: Money = strawberry.field(description="Given back to `available`.")
    status: domain.HoldStatus = strawberry.field(description="Where it stands.")
    session_key: strawberry.Private[ChargingSessionId | None]

    @classmethod
    def of(cls, row: domain.Hold) -> Hold:
        """From the domain."""
        return cls(
            id=global_id("Hold", row.id),
            amount=Money.of(row.amount),
            captured=Money.of(row.captured),
            released=Money.of(row.released),
            status=row.status,
            session_key=row.charging_session_id,
        )


@strawberry.type(description="One immutable movement of money in a wallet.")
class LedgerEntry(Node):
    """A line of the statement."""

    sequence: int = strawberry.field(description="Position in the wallet: 1, 2, 3 and so on without gaps.")
    kind: domain.WalletEntryKind = strawberry.field(description="What kind of movement.")
    amount: Money = strawberry.field(description="Signed; positive adds to the wallet.")
    balance_after: Money = strawberry.field(description="`total` right after this entry.")
    posted_at: Timestamp = strawberry.field(description="When it was posted.")
    subject: strawberry.Private[str]

    @classmethod
    def of(cls, row: domain.WalletEntry, currency: str) -> LedgerEntry:
        """From the domain."""
        return cls(
            id=global_id("LedgerEntry", row.wallet_id, row.sequence),
            sequence=row.sequence,
            kind=row.kind,
            amount=Money.of(Amount(row.amount_minor, currency)),
            balance_after=Money.of(Amount(row.balance_after_minor, currency)),
            posted_at=Timestamp(row.posted_at),
            subject=row.subject,
        )


@strawberry.type(description="One ledger entry of a page.")
class LedgerEntryEdge:
    """An edge."""

    cursor: CursorText = strawberry.field(description="Its position.")
    node: LedgerEntry = strawberry.field(description="The entry.")


@strawberry.type(description="A page of ledger entries.")
class LedgerEntryConnection:
    """A page."""

    edges: list[LedgerEntryEdge] = strawberry.field(description="The entries.")
    page_info: PageInfo = strawberry.field(description="Position of the page.")


@strawberry.input(description="Restricts ledger entries; set fields combine with AND.")
class LedgerEntryFilter:
    """Input only."""

    kinds: list[domain.WalletEntryKind] | None = strawberry.field(default=None, description="Only these kinds.")
    posted_from: Timestamp | None = strawberry.field(default=None, description="At or after.")
    posted_before: Timestamp | None = strawberry.field(default=None, description="Strictly before.")

    def to_domain(self) -> domain.EntryFilter:
        """To the domain."""
        return domain.EntryFilter(self.kinds, self.posted_from, self.posted_before)


@strawberry.type(description="Prepaid money of one driver in one currency.")
class Wallet(Node):
    """A wallet."""

    currency: Currency = strawberry.field(description="Currency of every amount inside.")
    row: strawberry.Private[domain.Wallet]

    @classmethod
    def of(cls, row: domain.Wallet) -> Wallet:
        """From the domain."""
        return cls(id=global_id("Wallet", row.id), currency=Currency(row.currency), row=row)

    @strawberry.field(description="Grows with every change; drop what is not newer than what you hold.")
    async def revision(self, info: Info) -> int:
        """What happened to the wallet, and to its money."""
        return self.row.revision + (await self._now(info)).moves

    @strawberry.field(description="Balances at one instant.")
    async def balance(
        self,
        info: Info,
        at: Annotated[
            Timestamp | None, strawberry.argument(description="After everything posted until then; now when omitted.")
        ] = None,
    ) -> WalletBalance:
        """Read in one statement."""
        if at is None:
            return WalletBalance.of(await self._now(info))
        return WalletBalance.of(await info.context.services.wallets.balance_at(self.row, at))

    async def _now(self, info: Info) -> domain.WalletBalance:
        found = await info.context.loaders.balances.load(self.row.id)
        assert found is not None, "a wallet has accounts"
        return found

    @strawberry.field(description="Open holds, oldest first.")
    async def holds(self, info: Info) -> list[Hold]:
        """At most 20."""
        return [Hold.of(row) for row in await info.context.services.wallets.open_holds(self.row)]

    @strawberry.field(description="Movements of `total`, newest first.")
    async def entries(
        self,
        info: Info,
        first: First = 20,
        after: After = None,
        filter: Annotated[LedgerEntryFilter | None, strawberry.argument(description="Restricts the list.")] = None,
    ) -> LedgerEntryConnection:
        """The statement."""
        only = None if filter is None else filter.to_domain()

        async def rows(behind: Keys | None, limit: int) -> list[domain.WalletEntry]:
            before = None if behind is None else int(behind[0])
            return await info.context.services.wallets.entries(self.row, before=before, limit=limit, only=only)

        page = await page_of(info, f"entries:{self.id}", first, after, rows, lambda row: (row.sequence,))
        edges = [LedgerEntryEdge(cursor=cursor, node=LedgerEntry.of(row, self.currency)) for cursor, row in page.rows]
        return LedgerEntryConnection(edges=edges, page_info=page.info)


@strawberry.type(description="A person who charges vehicles.")
class Driver(Node):
    """A driver."""

    display_name: str = strawberry.field(description="Name to show.")
    locale: str = strawberry.field(description="Preferred language, BCP 47.")
    row: strawberry.Private[DriverRow]

    @classmethod
    def of(cls, row: DriverRow) -> Driver:
        """From the domain."""
        return cls(id=global_id("Driver", row.id), display_name=row.display_name, locale=row.locale, row=row)

    @property
    def operator_key(self) -> OperatorId:
        """Whose books."""
        return self.row.operator_id

    @strawberry.field(description="The wallet in this currency, or the default one; null if there is none.")
    async def wallet(
        self,
        info: Info,
        currency: Annotated[
            Currency | None, strawberry.argument(description="Which one; the operator's currency when omitted.")
        ] = None,
    ) -> Wallet | None:
        """One wallet."""
        wanted = currency or info.context.operator.currency
        found = await info.context.services.wallets.wallets_of(self.operator_key, self.row.id)
        return next((Wallet.of(row) for row in found if row.currency == wanted), None)

    @strawberry.field(description="All wallets, oldest first; one per currency.")
    async def wallets(self, info: Info) -> list[Wallet]:
        """Every wallet."""
        found = await info.context.services.wallets.wallets_of(self.operator_key, self.row.id)
        return [Wallet.of(row) for row in found]


@fetched_as("Wallet")
async def _wallet(info: Info, key: UUID) -> Wallet | None:
    row = await _owned(info, key)
    return None if row is None else Wallet.of(row)


@part_fetched_as("LedgerEntry")
async def _entry(info: Info, key: UUID, number: int) -> LedgerEntry | None:
    row = await _owned(info, key)
    if row is None:
        return None
    found = await info.context.services.wallets.entries(row, before=number + 1, limit=1)
    return next((LedgerEntry.of(entry, row.currency) for entry in found if entry.sequence == number), None)


@fetched_as("Hold")
async def _hold(info: Info, key: UUID) -> Hold | None:
    """While it is open: that is how long it can be reached."""
    driver, wallets = info.context.driver, info.context.services.wallets
    if driver is None:
        return None
    for wallet in await wallets.wallets_of(driver.operator_id, driver.id):
        for row in await wallets.open_holds(wallet):
            if row.id == key:
                return Hold.of(row)
    return None


async def _owned(info: Info, key: UUID) -> domain.Wallet | None:
    driver = info.context.driver
    if driver is None:
        return None
    try:
        return await info.context.services.wallets.wallet(driver.operator_id, WalletId(key), driver.id)
    except NotThere:
        return None


@fetched_as("Driver")
async def _driver(info: Info, key: UUID) -> Driver | None:
    driver = info.context.driver
    return Driver.of(driver) if driver is not None and driver.id == key else None
