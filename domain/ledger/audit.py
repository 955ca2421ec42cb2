"""Re-derives what the books say from their own rows. Each check names the first row that contradicts another."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Select, Table, and_, func, or_, select

from domain.columns import table_of
from domain.database import Reader
from domain.ids import OperatorId, PostingId, WalletId
from domain.ledger.chart import BOUNDS
from domain.ledger.models import Document, LedgerAccount, LedgerEntry, LedgerPosting, LedgerTransfer

_accounts = table_of(LedgerAccount)
_postings = table_of(LedgerPosting)
_transfers = table_of(LedgerTransfer)
_entries = table_of(LedgerEntry)
_documents = table_of(Document)


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that contradicts another, and the wallets that it concerns."""

    table: str
    key: str
    column: str
    expected: str
    found: str
    operator: OperatorId | None = None
    wallets: tuple[WalletId, ...] = ()

    def __str__(self) -> str:
        return f"{self.table} {self.key}: {self.column} {self.found}, expected {self.expected}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check found: how many rows it looked at, and the first broken one."""

    code: str
    title: str
    looked_at: int
    broken: Broken | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What an audit looks at: everything, one wallet, or what was posted after `since` (sealed under `seal`)."""

    wallet: WalletId | None = None
    since: PostingId | None = None
    seal: int = 0

    @property
    def owner(self) -> str | None:
        """As accounts name the wallet."""
        return None if self.wallet is None else str(self.wallet)

    def postings(self, posting_id: ColumnElement[Any]) -> list[ColumnElement[bool]]:
        """Conditions on the id of a posting."""
        told = [] if self.since is None else [posting_id > self.since]
        if self.wallet is None:
            return told
        of_wallet = (
            select(_entries.c.posting_id)
            .join(_accounts, _of_account(_entries))
            .where(_accounts.c.keeps_balance, _accounts.c.owner == self.owner)
        )
        return [*told, posting_id.in_(of_wallet)]

    def accounts(self) -> list[ColumnElement[bool]]:
        """Conditions on accounts that keep a balance."""
        told: list[ColumnElement[bool]] = [_accounts.c.keeps_balance]
        return told if self.owner is None else [*told, _accounts.c.owner == self.owner]


EVERYTHING = Scope()
Check = Callable[[Reader, Scope], Awaitable[Verdict]]


@dataclass(slots=True)
class Finding:
    """A verdict in the making."""

    code: str
    title: str
    looked_at: int = 0
    _broken: Broken | None = field(default=None)

    def sound(self) -> Verdict:
        """Nothing contradicts."""
        return Verdict(self.code, self.title, self.looked_at)

    def broken(  # where, and what
        self,
        table: str,
        key: object,
        column: str,
        expected: object,
        found: object,
        operator: OperatorId | None = None,
        wallets: Sequence[WalletId] = (),
    ) -> Verdict:
        """A row does: which one, and what it should say."""
        where = Broken(table, str(key), column, str(expected), str(found), operator, tuple(wallets))
        return Verdict(self.code, self.title, self.looked_at, where)


def wallet_of(row: RowMapping) -> tuple[WalletId, ...]:
    """The wallet whose account this is."""
    return (WalletId(UUID(row["owner"])),) if row["code"] in BOUNDS else ()


async def wallets_of(reader: Reader, operator: OperatorId, posting: UUID) -> list[WalletId]:
    """The wallets that a posting touches, by its entries and its transfers."""
    touched = select(_entries.c.account_id).where(_entries.c.operator_id == operator, _entries.c.posting_id == posting)
    ends = [
        select(column).where(_transfers.c.operator_id == operator, _transfers.c.posting_id == posting)
        for column in (_transfers.c.source_id, _transfers.c.target_id)
    ]
    rows = await reader.rows(
        select(_accounts.c.owner)
        .where(
            _accounts.c.operator_id == operator, _accounts.c.keeps_balance, _accounts.c.id.in_(touched.union_all(*ends))
        )
        .distinct()
    )
    return [WalletId(UUID(row["owner"])) for row in rows]


async def postings_sum_to_zero(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """I1: the entries of a posting equal the net of its transfers, account by account, and so sum to zero."""
    told = Finding("I1", "entries are the net of transfers")
    key = ("operator_id", "posting_id", "account_id")
    out = select(*(_transfers.c[name] for name in key[:2]), _transfers.c.source_id.label("account_id"))
    into = select(*(_transfers.c[name] for name in key[:2]), _transfers.c.target_id.label("account_id"))
    narrow = scope.postings(_transfers.c.posting_id)
    moves = (
        out.add_columns((-_transfers.c.amount_minor).label("amount"))
        .where(*narrow)
        .union_all(
            into.add_columns(_transfers.c.amount_minor.label("amount")).where(*narrow),
            select(*(_entries.c[name] for name in key), (-_entries.c.amount_minor).label("amount")).where(
                *scope.postings(_entries.c.posting_id)
            ),
        )
    )
    each = moves.subquery()
    columns = [each.c[name] for name in key]
    wrong = (
        select(*columns, func.sum(each.c.amount).label("difference"))
        .group_by(*columns)
        .having(func.sum(each.c.amount) != 0)
    )
    told.looked_at = await _count(reader, select(_postings).where(*scope.postings(_postings.c.id)))
    row = await reader.row(wrong.order_by(each.c.posting_id, each.c.account_id).limit(1))
    if row is None:
        return told.sound()
    wallets = await wallets_of(reader, row["operator_id"], row["posting_id"])
    place = f"posting {row['posting_id']} account {row['account_id']}"
    return told.broken("ledger_entry", place, "difference", 0, row["difference"], row["operator_id"], wallets)


async def transfers_keep_their_currency(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """I1: both ends of a transfer are accounts in its own currency."""
    told = Finding("I1", "transfers stay in their currency")
    source, target = _accounts.alias(), _accounts.alias()
    statement = (
        select(_transfers)
        .outerjoin(
            source, and_(source.c.operator_id == _transfers.c.operator_id, source.c.id == _transfers.c.source_id)
        )
        .outerjoin(
            target, and_(target.c.operator_id == _transfers.c.operator_id, target.c.id == _transfers.c.target_id)
        )
        .where(*scope.postings(_transfers.c.posting_id))
    )
    told.looked_at = await _count(reader, select(_transfers).where(*scope.postings(_transfers.c.posting_id)))
    foreign = or_(
        func.coalesce(source.c.currency, "") != _transfers.c.currency,
        func.coalesce(target.c.currency, "") != _transfers.c.currency,
    )
    row = await reader.row(statement.where(foreign).order_by(_transfers.c.posting_id, _transfers.c.leg).limit(1))
    if row is None:
        return told.sound()
    wallets = await wallets_of(reader, row["operator_id"], row["posting_id"])
    place = f"posting {row['posting_id']} leg {row['leg']}"
    expected = "that of its accounts"
    return told.broken("ledger_transfer", place, "currency", expected, row["currency"], row["operator_id"], wallets)


async def balances_are_in_bounds(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """I3: nothing in a wallet is below zero, no debt above it."""
    told = Finding("I3", "no wallet account is out of bounds")
    async for row in reader.stream(select(_accounts).where(*scope.accounts()).order_by(_accounts.c.id)):
        told.looked_at += 1
        floor, ceiling = BOUNDS[row["code"]]
        balance, place = row["balance_minor"], f"account {row['code']}/{row['owner']}"
        if (floor is not None and balance < floor) or (ceiling is not None and balance > ceiling):
            bounds = f"{floor}…{ceiling}"
            return told.broken(
                "ledger_account", place, "balance_minor", bounds, balance, row["operator_id"], wallet_of(row)
            )
        if (row["floor_minor"], row["ceiling_minor"]) != (floor, ceiling):
            kept = (row["floor_minor"], row["ceiling_minor"])
            return told.broken(
                "ledger_account", place, "bounds", (floor, ceiling), kept, row["operator_id"], wallet_of(row)
            )
    return told.sound()


async def postings_are_caused(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """I14: no posting without actor, request and kind, and none that moves nothing."""
    told = Finding("I14", "every posting has a cause")
    empty = or_(_postings.c.actor == "", _postings.c.request_id == "", _postings.c.kind == "")
    first = _transfers.alias()
    its_first = and_(
        first.c.operator_id == _postings.c.operator_id, first.c.posting_id == _postings.c.id, first.c.leg == 1
    )
    every = select(_postings).where(*scope.postings(_postings.c.id))
    told.looked_at = await _count(reader, every)
    wrong = every.outerjoin(first, its_first).where(or_(empty, first.c.leg.is_(None))).order_by(_postings.c.id)
    row = await reader.row(wrong.limit(1))
    if row is None:
        return told.sound()
    wallets = await wallets_of(reader, row["operator_id"], row["id"])
    return told.broken("ledger_posting", row["id"], "cause", "one", "none", row["operator_id"], wallets)


async def documents_are_whole(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """I16: numbers of a series run 1…n without gap, and the content of each document is what was issued."""
    told = Finding("I16", "document series have no gap")
    if scope != EVERYTHING:
        return told.sound()
    statement = select(_documents).order_by(_documents.c.operator_id, _documents.c.series, _documents.c.number)
    series, number = None, 0
    async for row in reader.stream(statement):
        told.looked_at += 1
        if (row["operator_id"], row["series"]) != series:
            series, number = (row["operator_id"], row["series"]), 0
        number += 1
        if row["number"] != number:
            return told.broken("document", row["id"], "number", number, row["number"], row["operator_id"])
        digest = hashlib.sha256(row["content"].encode()).hexdigest()
        if digest != row["sha256"]:
            return told.broken("document", row["id"], "sha256", digest, row["sha256"], row["operator_id"])
    return told.sound()


def _of_account(table: Table) -> ColumnElement[bool]:
    return and_(_accounts.c.operator_id == table.c.operator_id, _accounts.c.id == table.c.account_id)


async def _count(reader: Reader, statement: Select[Any]) -> int:
    return int(await reader.scalar(select(func.count()).select_from(statement.subquery())) or 0)
