"""Checks of balances: the sums of their entries, the sums of their transfers, and the checkpoints on the way."""

from __future__ import annotations

from sqlalchemy import RowMapping, and_, func, select

from domain.columns import table_of
from domain.database import Reader
from domain.ledger.audit import EVERYTHING, Finding, Scope, Verdict, wallet_of
from domain.ledger.models import LedgerAccount, LedgerCheckpoint, LedgerEntry, LedgerTransfer

_accounts = table_of(LedgerAccount)
_entries = table_of(LedgerEntry)
_transfers = table_of(LedgerTransfer)
_checkpoints = table_of(LedgerCheckpoint)


async def balances_are_sums(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """I2: versions run without gap, each balance after an entry is the one before plus it, the last is kept.

    From a seal on, the first entry of an account is taken at its word: everything before it has been looked at.
    """
    told = Finding("I2", "balances are the sum of their entries")
    its_entries = and_(
        _entries.c.account_id == _accounts.c.id,
        _entries.c.operator_id == _accounts.c.operator_id,
        *([] if scope.since is None else [_entries.c.posting_id > scope.since]),
    )
    columns = (_entries.c.amount_minor, _entries.c.account_version, _entries.c.balance_after_minor)
    statement = select(_accounts, *columns).where(*scope.accounts())
    joined = (
        statement.outerjoin(_entries, its_entries) if scope.since is None else statement.join(_entries, its_entries)
    )
    last: RowMapping | None = None
    balance = version = 0
    async for row in reader.stream(
        joined.order_by(_accounts.c.operator_id, _accounts.c.id, _entries.c.account_version)
    ):
        told.looked_at += 1
        if last is None or row["id"] != last["id"]:
            wrong = last is not None and _not_kept(told, last, version, balance)
            if wrong:
                return wrong
            balance, version = _before(row, scope)
        if row["amount_minor"] is not None:
            balance, version = balance + row["amount_minor"], version + 1
            found = (row["account_version"], row["balance_after_minor"])
            if found != (version, balance):
                return told.broken(
                    "ledger_entry",
                    f"account {row['code']}/{row['owner']} version {version}",
                    "account_version, balance_after_minor",
                    (version, balance),
                    found,
                    row["operator_id"],
                    wallet_of(row),
                )
        last = row
    return (last is not None and _not_kept(told, last, version, balance)) or told.sound()


def _before(row: RowMapping, scope: Scope) -> tuple[int, int]:
    if scope.since is None or row["balance_after_minor"] is None:
        return 0, 0
    return row["balance_after_minor"] - row["amount_minor"], row["account_version"] - 1


def _not_kept(told: Finding, row: RowMapping, version: int, balance: int) -> Verdict | None:
    """What the account itself says must be its last entry."""
    found = (row["version"], row["balance_minor"])
    if found == (version, balance):
        return None
    place = f"account {row['code']}/{row['owner']}"
    expected, names = (version, balance), "version, balance_minor"
    return told.broken("ledger_account", place, names, expected, found, row["operator_id"], wallet_of(row))


async def checkpoints_are_sums(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """I2: a checkpoint is the sum of the entries up to it."""
    told = Finding("I2", "checkpoints are the sum of their entries")
    if scope != EVERYTHING:
        return told.sound()
    upto = and_(
        _entries.c.operator_id == _checkpoints.c.operator_id,
        _entries.c.account_id == _checkpoints.c.account_id,
        _entries.c.posting_id <= _checkpoints.c.posting_id,
    )
    columns = list(_checkpoints.c)
    statement = (
        select(*columns, func.coalesce(func.sum(_entries.c.amount_minor), 0).label("sum"))
        .outerjoin(_entries, upto)
        .group_by(*columns)
        .order_by(_checkpoints.c.operator_id, _checkpoints.c.account_id, _checkpoints.c.posting_id)
    )
    async for row in reader.stream(statement):
        told.looked_at += 1
        if row["balance_minor"] != int(row["sum"]):
            place = f"account {row['account_id']} until {row['posting_id']}"
            return told.broken(
                "ledger_checkpoint", place, "balance_minor", row["sum"], row["balance_minor"], row["operator_id"]
            )
    return told.sound()


async def balances_can_be_rebuilt(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """I15: balances made again from the transfers alone, as if there had never been an entry."""
    told = Finding("I15", "balances are rebuilt from transfers")
    out = select(
        _transfers.c.operator_id, _transfers.c.source_id.label("id"), (-_transfers.c.amount_minor).label("amount")
    )
    into = select(
        _transfers.c.operator_id, _transfers.c.target_id.label("id"), _transfers.c.amount_minor.label("amount")
    )
    moves = out.union_all(into).subquery()
    sums = (
        select(moves.c.operator_id, moves.c.id, func.sum(moves.c.amount).label("sum"))
        .group_by(moves.c.operator_id, moves.c.id)
        .subquery()
    )
    statement = (
        select(_accounts, func.coalesce(sums.c.sum, 0).label("rebuilt"))
        .outerjoin(sums, and_(sums.c.operator_id == _accounts.c.operator_id, sums.c.id == _accounts.c.id))
        .where(*scope.accounts())
        .order_by(_accounts.c.operator_id, _accounts.c.id)
    )
    async for row in reader.stream(statement):
        told.looked_at += 1
        if row["balance_minor"] != int(row["rebuilt"]):
            place = f"account {row['code']}/{row['owner']}"
            expected, found = row["rebuilt"], row["balance_minor"]
            return told.broken(
                "ledger_account", place, "balance_minor", expected, found, row["operator_id"], wallet_of(row)
            )
    return told.sound()
