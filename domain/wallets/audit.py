"""Checks that need wallets beside the ledger: holds against held money, statements against balances."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select

from domain.columns import table_of
from domain.database import Reader
from domain.ledger import EVERYTHING, Check, Code, Finding, LedgerAccount, LedgerEntry, Scope, Verdict
from domain.wallets.models import Hold, HoldEvent, HoldStatus, Wallet, WalletEntry

_accounts = table_of(LedgerAccount)
_holds = table_of(Hold)
_events = table_of(HoldEvent)
_wallets = table_of(Wallet)
_entries = table_of(WalletEntry)
_moves = table_of(LedgerEntry)
_IN_TOTAL = (Code.WALLET_AVAILABLE, Code.WALLET_HELD, Code.WALLET_PROMO)


async def held_is_what_holds_hold(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """I9: the held balance of a wallet is the rest of its open holds."""
    told = Finding("I9", "held money belongs to open holds")
    rest = _holds.c.raised_minor - _holds.c.captured_minor - _holds.c.released_minor
    open_rest = func.coalesce(func.sum(case((_holds.c.status == HoldStatus.OPEN, rest), else_=0)), 0)
    on_holds = and_(_holds.c.operator_id == _wallets.c.operator_id, _holds.c.wallet_id == _wallets.c.id)
    expected = (
        select(_wallets.c.operator_id, _wallets.c.id, _wallets.c.currency, open_rest.label("rest"))
        .outerjoin(_holds, on_holds)
        .where(*_of(scope, _wallets.c.id))
        .group_by(_wallets.c.operator_id, _wallets.c.id, _wallets.c.currency)
        .order_by(_wallets.c.operator_id, _wallets.c.id)
    )
    held = {
        (row["operator_id"], row["owner"]): row["balance_minor"]
        for row in await reader.rows(select(_accounts).where(_accounts.c.code == Code.WALLET_HELD, *scope.accounts()))
    }
    async for row in reader.stream(expected):
        told.looked_at += 1
        found, wallet = held.get((row["operator_id"], str(row["id"]))), row["id"]
        if found != row["rest"]:
            place, wrong = f"account wallet_held/{wallet}", row["rest"]
            return told.broken("ledger_account", place, "balance_minor", wrong, found, row["operator_id"], [wallet])
    return told.sound()


async def holds_are_what_their_events_say(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """I10: raised, captured and released are what the events say, and count them; a closed hold holds nothing."""
    told = Finding("I10", "holds are what their events say")
    amount = _events.c.amount_minor
    sums = {
        "raised_minor": func.sum(case((_events.c.kind.in_(("open", "raise")), amount), else_=0)),
        "captured_minor": func.sum(case((_events.c.kind == "capture", amount), else_=0)),
        "freed": func.sum(case((_events.c.kind.in_(("lower", "release", "expire")), amount), else_=0)),
    }
    statement = (
        select(
            _holds,
            *(func.coalesce(total, 0).label(f"told_{name}") for name, total in sums.items()),
            func.count(_events.c.number).label("events"),
        )
        .outerjoin(_events, and_(_events.c.operator_id == _holds.c.operator_id, _events.c.hold_id == _holds.c.id))
        .where(*_of(scope, _holds.c.wallet_id))
        .group_by(*_holds.c)
        .order_by(_holds.c.operator_id, _holds.c.id)
    )
    async for row in reader.stream(statement):
        told.looked_at += 1
        raised, captured, freed = (int(row[f"told_{name}"]) for name in ("raised_minor", "captured_minor", "freed"))
        is_captured = row["status"] is HoldStatus.CAPTURED
        released = raised - captured if is_captured else freed
        expected = (raised, captured, released, row["events"])
        found = (row["raised_minor"], row["captured_minor"], row["released_minor"], row["version"])
        if expected != found:
            names = "raised, captured, released, version"
            return told.broken("hold", row["id"], names, expected, found, row["operator_id"], [row["wallet_id"]])
        rest = raised - captured - released
        if row["status"] is not HoldStatus.OPEN and rest:
            return told.broken("hold", row["id"], "rest", 0, rest, row["operator_id"], [row["wallet_id"]])
    return told.sound()


async def held_promo_is_what_was_posted(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """I10: granted credit in a hold, or spent by it, is what its postings took from the wallet's granted credit."""
    told = Finding("I10", "granted credit in holds is what was posted")
    its_events = and_(_events.c.operator_id == _holds.c.operator_id, _events.c.hold_id == _holds.c.id)
    its_moves = and_(_moves.c.operator_id == _events.c.operator_id, _moves.c.posting_id == _events.c.posting_id)
    of_promo = and_(
        _accounts.c.operator_id == _moves.c.operator_id,
        _accounts.c.id == _moves.c.account_id,
        _accounts.c.code == Code.WALLET_PROMO,
    )
    taken = func.sum(case((_accounts.c.id.is_not(None), -_moves.c.amount_minor), else_=0))
    statement = (
        select(_holds, taken.label("taken"))
        .outerjoin(_events, its_events)
        .outerjoin(_moves, its_moves)
        .outerjoin(_accounts, of_promo)
        .where(*_of(scope, _holds.c.wallet_id))
        .group_by(*_holds.c)
        .order_by(_holds.c.operator_id, _holds.c.id)
    )
    async for row in reader.stream(statement):
        told.looked_at += 1
        expected, found = int(row["taken"]), row["promo_minor"]
        if expected != found:
            where = ("hold", row["id"], "promo_minor", expected, found)
            return told.broken(*where, row["operator_id"], [row["wallet_id"]])
    return told.sound()


async def sessions_hold_once(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """I13: at most one open hold per charging session."""
    told = Finding("I13", "a session has one open hold")
    key = (_holds.c.operator_id, _holds.c.charging_session_id)
    statement = (
        select(*key, func.count().label("holds"))
        .where(_holds.c.status == HoldStatus.OPEN, _holds.c.charging_session_id.is_not(None))
        .where(*_of(scope, _holds.c.wallet_id))
        .group_by(*key)
        .order_by(*key)
    )
    async for row in reader.stream(statement):
        told.looked_at += 1
        if row["holds"] > 1:
            place = f"session {row['charging_session_id']}"
            return told.broken("hold", place, "open holds", 1, row["holds"], row["operator_id"])
    return told.sound()


async def statements_chain(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """The lines of a wallet run 1…n, each balance follows from the one before, the last is the wallet's total."""
    told = Finding("I2", "statements chain to the wallet's total")
    its_lines = and_(_entries.c.operator_id == _wallets.c.operator_id, _entries.c.wallet_id == _wallets.c.id)
    statement = (
        select(_wallets, _entries.c.sequence, _entries.c.amount_minor, _entries.c.balance_after_minor)
        .outerjoin(_entries, its_lines)
        .where(*_of(scope, _wallets.c.id))
        .order_by(_wallets.c.operator_id, _wallets.c.id, _entries.c.sequence)
    )
    last: Any = None
    sequence = total = 0
    async for row in reader.stream(statement):
        told.looked_at += 1
        if last is None or row["id"] != last["id"]:
            wrong = last is not None and _total_differs(told, last, sequence, total)
            if wrong:
                return wrong
            sequence, total = 0, 0
        if row["sequence"] is not None:
            sequence, total = sequence + 1, total + row["amount_minor"]
            found = (row["sequence"], row["balance_after_minor"])
            if found != (sequence, total):
                place, names, wallet = f"wallet {row['id']} line {sequence}", "sequence, balance_after_minor", row["id"]
                where = ("wallet_entry", place, names, (sequence, total), found)
                return told.broken(*where, row["operator_id"], [wallet])
        last = row
    return (last is not None and _total_differs(told, last, sequence, total)) or told.sound()


def _total_differs(told: Finding, row: Any, sequence: int, total: int) -> Verdict | None:  # noqa: ANN401
    found, expected = (row["entries"], row["total_minor"]), (sequence, total)
    if found == expected:
        return None
    return told.broken("wallet", row["id"], "entries, total_minor", expected, found, row["operator_id"], [row["id"]])


async def totals_are_balances(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """The total of a wallet is available + held + promo."""
    told = Finding("I2", "a wallet's total is the sum of its accounts")
    sums = select(_accounts.c.operator_id, _accounts.c.owner, func.sum(_accounts.c.balance_minor).label("total"))
    balances = {
        (row["operator_id"], row["owner"]): int(row["total"])
        for row in await reader.rows(
            sums.where(_accounts.c.code.in_(_IN_TOTAL), *scope.accounts()).group_by(
                _accounts.c.operator_id, _accounts.c.owner
            )
        )
    }
    of_scope = select(_wallets).where(*_of(scope, _wallets.c.id))
    async for row in reader.stream(of_scope.order_by(_wallets.c.operator_id, _wallets.c.id)):
        told.looked_at += 1
        found, expected = row["total_minor"], balances.get((row["operator_id"], str(row["id"])))
        if found != expected:
            return told.broken("wallet", row["id"], "total_minor", expected, found, row["operator_id"], [row["id"]])
    return told.sound()


def _of(scope: Scope, wallet_id: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    return [] if scope.wallet is None else [wallet_id == scope.wallet]


CHECKS: tuple[Check, ...] = (
    held_is_what_holds_hold,
    holds_are_what_their_events_say,
    held_promo_is_what_was_posted,
    sessions_hold_once,
    statements_chain,
    totals_are_balances,
)
