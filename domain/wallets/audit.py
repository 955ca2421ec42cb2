"""Checks that need wallets beside the ledger: holds against held money, statements against balances."""

from __future__ import annotations

from sqlalchemy import and_, case, func, select

from domain.columns import table_of
from domain.database import Reader
from domain.ledger import Broken, Check, Code, LedgerAccount, Verdict
from domain.wallets.models import Hold, HoldEvent, HoldStatus, Wallet, WalletEntry

_accounts = table_of(LedgerAccount)
_holds = table_of(Hold)
_events = table_of(HoldEvent)
_wallets = table_of(Wallet)
_entries = table_of(WalletEntry)


async def held_is_what_holds_hold(reader: Reader) -> Verdict:
    """I9: the held balance of a wallet is the rest of its open holds."""
    code, title = "I9", "held money belongs to open holds"
    rest = _holds.c.raised_minor - _holds.c.captured_minor - _holds.c.released_minor
    open_rest = func.coalesce(func.sum(case((_holds.c.status == HoldStatus.OPEN, rest), else_=0)), 0)
    on_holds = and_(_holds.c.operator_id == _wallets.c.operator_id, _holds.c.wallet_id == _wallets.c.id)
    expected = (
        select(_wallets.c.operator_id, _wallets.c.id, _wallets.c.currency, open_rest.label("rest"))
        .outerjoin(_holds, on_holds)
        .group_by(_wallets.c.operator_id, _wallets.c.id, _wallets.c.currency)
        .order_by(_wallets.c.operator_id, _wallets.c.id)
    )
    held = {
        (row["operator_id"], row["owner"]): row["balance_minor"]
        for row in await reader.rows(select(_accounts).where(_accounts.c.code == Code.WALLET_HELD))
    }
    looked_at = 0
    async for row in reader.stream(expected):
        looked_at += 1
        found = held.get((row["operator_id"], str(row["id"])))
        if found != row["rest"]:
            where = Broken("ledger_account", f"wallet_held/{row['id']}", "balance_minor", str(row["rest"]), str(found))
            return Verdict(code, title, looked_at, where)
    return Verdict(code, title, looked_at)


async def holds_are_what_their_events_say(reader: Reader) -> Verdict:
    """I10: raised is what was opened and raised; captured and released follow; versions count the events."""
    code, title = "I10", "holds are what their events say"
    raised = func.sum(case((_events.c.kind.in_(("open", "raise")), _events.c.amount_minor), else_=0))
    captured = func.sum(case((_events.c.kind == "capture", _events.c.amount_minor), else_=0))
    statement = (
        select(_holds, raised.label("raised"), captured.label("captured"), func.count().label("events"))
        .join(_events, and_(_events.c.operator_id == _holds.c.operator_id, _events.c.hold_id == _holds.c.id))
        .group_by(*_holds.c)
        .order_by(_holds.c.operator_id, _holds.c.id)
    )
    looked_at = 0
    async for row in reader.stream(statement):
        looked_at += 1
        expected = (int(row["raised"]), int(row["captured"]), row["events"])
        found = (row["raised_minor"], row["captured_minor"], row["version"])
        if expected != found:
            where = Broken("hold", str(row["id"]), "raised, captured, version", str(expected), str(found))
            return Verdict(code, title, looked_at, where)
    return Verdict(code, title, looked_at)


async def statements_chain(reader: Reader) -> Verdict:
    """The lines of a wallet run 1…n, each balance follows from the one before, the last is the wallet's total."""
    code, title = "I2", "statements chain to the wallet's total"
    statement = (
        select(_wallets, _entries.c.sequence, _entries.c.amount_minor, _entries.c.balance_after_minor)
        .join(_entries, and_(_entries.c.operator_id == _wallets.c.operator_id, _entries.c.wallet_id == _wallets.c.id))
        .order_by(_wallets.c.operator_id, _wallets.c.id, _entries.c.sequence)
    )
    looked_at, wallet, sequence, total = 0, None, 0, 0
    async for row in reader.stream(statement):
        looked_at += 1
        if row["id"] != wallet:
            wallet, sequence, total = row["id"], 0, 0
        sequence, total = sequence + 1, total + row["amount_minor"]
        if (row["sequence"], row["balance_after_minor"]) != (sequence, total):
            told = (row["sequence"], row["balance_after_minor"])
            where = Broken("wallet_entry", str(row["id"]), "sequence, balance", str((sequence, total)), str(told))
            return Verdict(code, title, looked_at, where)
        if sequence == row["entries"] and total != row["total_minor"]:
            where = Broken("wallet", str(row["id"]), "total_minor", str(total), str(row["total_minor"]))
            return Verdict(code, title, looked_at, where)
    return Verdict(code, title, looked_at)


async def totals_are_balances(reader: Reader) -> Verdict:
    """The total of a wallet is available + held + promo."""
    code, title = "I2", "a wallet's total is the sum of its accounts"
    in_total = (Code.WALLET_AVAILABLE, Code.WALLET_HELD, Code.WALLET_PROMO)
    sums = select(_accounts.c.operator_id, _accounts.c.owner, func.sum(_accounts.c.balance_minor).label("total"))
    balances = {
        (row["operator_id"], row["owner"]): int(row["total"])
        for row in await reader.rows(
            sums.where(_accounts.c.code.in_(in_total)).group_by(_accounts.c.operator_id, _accounts.c.owner)
        )
    }
    looked_at = 0
    async for row in reader.stream(select(_wallets).order_by(_wallets.c.operator_id, _wallets.c.id)):
        looked_at += 1
        found = balances.get((row["operator_id"], str(row["id"])))
        if found != row["total_minor"]:
            where = Broken("wallet", str(row["id"]), "total_minor", str(found), str(row["total_minor"]))
            return Verdict(code, title, looked_at, where)
    return Verdict(code, title, looked_at)


CHECKS: tuple[Check, ...] = (
    held_is_what_holds_hold,
    holds_are_what_their_events_say,
    statements_chain,
    totals_are_balances,
)
