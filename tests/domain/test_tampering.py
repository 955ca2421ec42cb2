"""One value changed by hand, in every column that a seal, a balance, a hold or a total covers: the audit names it."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Column, RowMapping, and_, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from domain.auditing import CHECKS
from domain.columns import table_of
from domain.ledger import Broken, LedgerAccount, LedgerEntry, LedgerPosting, LedgerSeal, LedgerTransfer
from domain.wallets import Hold, HoldStatus, Wallet, WalletEntry
from tests.domain.crimes import judged
from tests.domain.sessions.stage import Stage

COVERED: dict[type[SQLModel], tuple[str, ...]] = {
    LedgerPosting: (),
    LedgerTransfer: (),
    LedgerEntry: (),
    LedgerSeal: (),
    LedgerAccount: ("balance_minor", "version", "floor_minor", "ceiling_minor", "currency"),
    Hold: ("raised_minor", "captured_minor", "released_minor", "promo_minor", "version"),
    Wallet: ("total_minor", "entries"),
    WalletEntry: ("sequence", "amount_minor", "balance_after_minor"),
}
"""Columns of each table; none named means all of them."""
COLUMNS = [table_of(model).c[name] for model, names in COVERED.items() for name in names or table_of(model).c.keys()]
KEYS = {"operator_id", "id", "posting_id", "account_id"}
"""What other rows point to cannot be changed at all."""


def others(column: Column[Any], row: RowMapping) -> list[Any]:
    """Values a little different from the row's; where there is none in any row, something."""
    value = row[column.name]
    if isinstance(value, UUID):
        return [UUID(int=value.int ^ 1)]
    if isinstance(value, int):
        return [value + 1, value - 1, value + 1000]
    if isinstance(value, datetime):
        return [value + timedelta(milliseconds=1)]
    if isinstance(value, str):
        return [value[:-1] + chr(ord(value[-1]) ^ 1)]
    assert value is None
    if column.name == "corrects_id":
        return [row["id"]]
    return [0, 1_000_000] if column.name.endswith("_minor") else ["x"]


async def some_row(stage: Stage, column: Column[Any]) -> RowMapping:
    """The middle one of those that have a value there; an account with a balance, a hold that can still change."""
    table = column.table
    async with stage.database.read() as reader:
        rows = await reader.rows(select(table).order_by(*table.primary_key.columns))
    if table.name == "ledger_account":
        rows = [row for row in rows if row["version"]]
    if table.name == "hold":
        rows = [row for row in rows if row["status"] is HoldStatus.OPEN]
    found = [row for row in rows if row[column.name] is not None] or list(rows)
    return found[len(found) // 2]


async def seen(stage: Stage, column: Column[Any]) -> list[Broken] | None:
    """What the audit says to another value; None if the store takes none."""
    row = await some_row(stage, column)
    its = and_(*(key == row[key.name] for key in column.table.primary_key.columns))
    for value in others(column, row):
        with suppress(IntegrityError):
            verdicts = await judged(stage, CHECKS, update(column.table).where(its).values({column.name: value}))
            return [verdict.broken for verdict in verdicts if verdict.broken]
    return None


async def test_a_value_changed_by_hand_is_named_or_cannot_be_changed(lived_in: Stage) -> None:
    told = {str(column): await seen(lived_in, column) for column in COLUMNS}
    assert [name for name, broken in told.items() if broken == []] == []
    refused = {name for name, broken in told.items() if broken is None}
    assert {name.rpartition(".")[2] for name in refused} <= KEYS
    await lived_in.audited()


@pytest.mark.parametrize(
    "column",
    [table_of(LedgerEntry).c.balance_after_minor, table_of(LedgerTransfer).c.amount_minor, table_of(Hold).c.version],
    ids=str,
)
async def test_the_wallet_of_a_changed_row_is_named(lived_in: Stage, column: Column[Any]) -> None:
    wallet = await lived_in.wallet()
    broken = await seen(lived_in, column)
    assert broken
    assert all(where.wallets == (wallet.id,) for where in broken)
