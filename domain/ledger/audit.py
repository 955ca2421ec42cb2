"""Re-derives what the books say from their own rows. Each check names the first row that contradicts another."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import func, select

from domain.columns import table_of
from domain.database import Reader
from domain.ledger.chart import BOUNDS
from domain.ledger.models import Document, LedgerAccount, LedgerEntry, LedgerPosting, LedgerTransfer

_accounts = table_of(LedgerAccount)
_postings = table_of(LedgerPosting)
_transfers = table_of(LedgerTransfer)
_entries = table_of(LedgerEntry)
_documents = table_of(Document)


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that contradicts another."""

    table: str
    key: str
    column: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.table} {self.key}: {self.column} {self.found}, expected {self.expected}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check found: how many rows it looked at, and the first broken one."""

    code: str
    title: str
    looked_at: int
    broken: Broken | None = None


Check = Callable[[Reader], Awaitable[Verdict]]


async def postings_sum_to_zero(reader: Reader) -> Verdict:
    """I1: the entries of a posting equal the net of its transfers, account by account, and so sum to zero."""
    code, title = "I1", "entries are the net of transfers"
    key = ("operator_id", "posting_id", "account_id")
    out = select(*(_transfers.c[name] for name in key[:2]), _transfers.c.source_id.label("account_id"))
    into = select(*(_transfers.c[name] for name in key[:2]), _transfers.c.target_id.label("account_id"))
    moves = out.add_columns((-_transfers.c.amount_minor).label("amount")).union_all(
        into.add_columns(_transfers.c.amount_minor.label("amount")),
        select(*(_entries.c[name] for name in key), (-_entries.c.amount_minor).label("amount")),
    )
    each = moves.subquery()
    sums = select(*(each.c[name] for name in key), func.sum(each.c.amount).label("difference")).group_by(
        *(each.c[name] for name in key)
    )
    looked_at = int(await reader.scalar(select(func.count()).select_from(_postings)) or 0)
    wrong = sums.having(func.sum(each.c.amount) != 0).order_by(each.c.posting_id).limit(1)
    async for row in reader.stream(wrong):
        place = f"posting {row['posting_id']} account {row['account_id']}"
        return Verdict(code, title, looked_at, Broken("ledger_entry", place, "difference", "0", str(row["difference"])))
    return Verdict(code, title, looked_at)


async def balances_are_sums(reader: Reader) -> Verdict:
    """I2: versions run 1…n without gap, each balance after an entry is the one before plus it, the last is kept."""
    code, title = "I2", "balances are the sum of their entries"
    statement = (
        select(_accounts, _entries.c.amount_minor, _entries.c.account_version, _entries.c.balance_after_minor)
        .outerjoin(
            _entries,
            (_entries.c.account_id == _accounts.c.id) & (_entries.c.operator_id == _accounts.c.operator_id),
        )
        .where(_accounts.c.keeps_balance)
        .order_by(_accounts.c.operator_id, _accounts.c.id, _entries.c.account_version)
    )
    looked_at, account, balance, version = 0, None, 0, 0
    async for row in reader.stream(statement):
        looked_at += 1
        place = f"account {row['code']}/{row['owner']}"
        if row["id"] != account:
            account, balance, version = row["id"], 0, 0
        if row["amount_minor"] is not None:
            balance, version = balance + row["amount_minor"], version + 1
            told = (row["account_version"], row["balance_after_minor"])
            if told != (version, balance):
                where = Broken("ledger_entry", place, "version, balance", str((version, balance)), str(told))
                return Verdict(code, title, looked_at, where)
        # Versions ascend, so the row of the last entry is where the account must agree.
        if version == row["version"] and balance != row["balance_minor"]:
            where = Broken("ledger_account", place, "balance_minor", str(balance), str(row["balance_minor"]))
            return Verdict(code, title, looked_at, where)
        if version > row["version"]:
            where = Broken("ledger_account", place, "version", str(version), str(row["version"]))
            return Verdict(code, title, looked_at, where)
    return Verdict(code, title, looked_at)


async def kept_balances_are_complete(reader: Reader) -> Verdict:
    """I2: the version of an account is the number of its entries, so that none is missing at the end."""
    code, title = "I2", "no entry of an account is missing"
    count = func.count(_entries.c.id)
    statement = (
        select(_accounts.c.code, _accounts.c.owner, _accounts.c.version, count.label("entries"))
        .outerjoin(
            _entries,
            (_entries.c.account_id == _accounts.c.id) & (_entries.c.operator_id == _accounts.c.operator_id),
        )
        .where(_accounts.c.keeps_balance)
        .group_by(_accounts.c.operator_id, _accounts.c.id, _accounts.c.code, _accounts.c.owner, _accounts.c.version)
        .having(count != _accounts.c.version)
        .limit(1)
    )
    looked_at = int(await reader.scalar(select(func.count()).select_from(_accounts)) or 0)
    row = await reader.row(statement)
    if row is None:
        return Verdict(code, title, looked_at)
    place = f"account {row['code']}/{row['owner']}"
    return Verdict(
        code, title, looked_at, Broken("ledger_account", place, "version", str(row["entries"]), str(row["version"]))
    )


async def balances_are_in_bounds(reader: Reader) -> Verdict:
    """I3: nothing in a wallet is below zero, no debt above it."""
    code, title = "I3", "no wallet account is out of bounds"
    looked_at = 0
    async for row in reader.stream(select(_accounts).where(_accounts.c.keeps_balance)):
        looked_at += 1
        floor, ceiling = BOUNDS[row["code"]]
        balance = row["balance_minor"]
        if (floor is not None and balance < floor) or (ceiling is not None and balance > ceiling):
            place = f"account {row['code']}/{row['owner']}"
            bounds = f"{floor}…{ceiling}"
            return Verdict(
                code, title, looked_at, Broken("ledger_account", place, "balance_minor", bounds, str(balance))
            )
    return Verdict(code, title, looked_at)


async def documents_are_whole(reader: Reader) -> Verdict:
    """I16: numbers of a series run 1…n without gap, and the content of each document is what was issued."""
    code, title = "I16", "document series have no gap"
    statement = select(_documents).order_by(_documents.c.operator_id, _documents.c.series, _documents.c.number)
    looked_at, series, number = 0, None, 0
    async for row in reader.stream(statement):
        looked_at += 1
        if (row["operator_id"], row["series"]) != series:
            series, number = (row["operator_id"], row["series"]), 0
        number += 1
        if row["number"] != number:
            where = Broken("document", str(row["id"]), "number", str(number), str(row["number"]))
            return Verdict(code, title, looked_at, where)
        digest = hashlib.sha256(row["content"].encode()).hexdigest()
        if digest != row["sha256"]:
            return Verdict(code, title, looked_at, Broken("document", str(row["id"]), "sha256", digest, row["sha256"]))
    return Verdict(code, title, looked_at)


CHECKS: tuple[Check, ...] = (
    postings_sum_to_zero,
    balances_are_sums,
    kept_balances_are_complete,
    balances_are_in_bounds,
    documents_are_whole,
)
