"""Breaks of the ledger and of holds: bounds, uniqueness, locks, whole postings."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from sqlalchemy import event, insert
from sqlalchemy.engine import Connection
from sqlmodel import SQLModel

from domain.columns import table_of
from domain.database import Database, Transaction
from domain.ledger import Journal, Posting, chart, journal, writing
from domain.ledger.models import LedgerEntry, LedgerPosting, LedgerTransfer
from domain.wallets import Hold, holds
from domain.wallets.holds import Holds
from tests.domain.wallets import crowds
from tests.mutations.breaks import POSTGRES, SQLITE, broken


def _in_the_statement(patched: pytest.MonkeyPatch, old: str, new: str) -> None:
    assert old in writing._AT_ONCE, "the break has to fit what is written"
    patched.setattr(writing, "_AT_ONCE", writing._AT_ONCE.replace(old, new))


# --- bounds -------------------------------------------------------------------------------------------------------


@broken(crowds.all_of_it_is_spent_once)
def the_floor_is_not_asked_for(patched: pytest.MonkeyPatch, _: Database) -> None:
    async def nothing_is_refused(*_: object) -> bool:
        return False

    _in_the_statement(patched, "AND NOT EXISTS (SELECT FROM refused)", "")
    patched.setattr(writing, "_is_refused", nothing_is_refused)


@broken(crowds.all_of_it_is_spent_once, postgres="ALTER TABLE ledger_account DROP CONSTRAINT floor")
def the_floor_is_neither_asked_for_nor_kept(patched: pytest.MonkeyPatch, database: Database) -> None:
    the_floor_is_not_asked_for(patched, database)
    if database.is_sqlite:

        @event.listens_for(database._writer.sync_engine, "connect")
        def unchecked(connection: Any, _entry: object) -> None:  # noqa: ANN401  the driver's
            connection.cursor().execute("PRAGMA ignore_check_constraints=ON")


# --- once ---------------------------------------------------------------------------------------------------------


@broken(crowds.a_fact_is_posted_once)
def a_taken_reference_is_an_error(patched: pytest.MonkeyPatch, _: Database) -> None:
    @cache
    def inserting(model: type[SQLModel]) -> object:
        return insert(table_of(model)).returning(table_of(model).c.operator_id)

    original = Transaction.insert_once

    async def insert_once(tx: Transaction, record: SQLModel) -> bool:
        if not isinstance(record, LedgerPosting):
            return await original(tx, record)
        return (await tx._connection.execute(inserting(LedgerPosting), record.model_dump())).first() is not None  # type: ignore[call-overload]

    _in_the_statement(patched, "ON CONFLICT DO NOTHING", "")
    patched.setattr(Transaction, "insert_once", insert_once)


@broken(
    crowds.a_fact_is_posted_once,
    *POSTGRES,
    postgres="ALTER TABLE ledger_posting DROP CONSTRAINT ledger_posting_operator_id_reference_key",
)
def a_reference_can_be_taken_twice(_: pytest.MonkeyPatch, __: Database) -> None:
    """SQLite cannot drop what is unique without another table."""


@broken(crowds.a_payment_is_credited_once)
def a_fact_is_not_looked_for_under_the_lock(patched: pytest.MonkeyPatch, _: Database) -> None:
    async def knows(*_: object) -> bool:
        return False

    patched.setattr(Journal, "knows", knows)


# --- locks --------------------------------------------------------------------------------------------------------


QUICK = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = 20', current_database()); END $$"


@broken(crowds.opposite_exchanges_wait_in_no_circle, *POSTGRES, postgres=QUICK)
def accounts_are_locked_as_they_come(patched: pytest.MonkeyPatch, _: Database) -> None:
    original: Any = writing._at_once

    async def at_once(tx: Transaction, row: LedgerPosting, lines: writing.Lines) -> object:
        # Source first: what the legs say, and not the ids.
        for account in lines.net:
            await tx.driver.execute("SELECT FROM ledger_account WHERE id = $1 FOR NO KEY UPDATE", account)
        return await original(tx, row, lines)

    patched.setattr(writing, "_at_once", at_once)


@broken(crowds.writers_of_two_processes_take_turns, *SQLITE)
def a_transaction_begins_deferred(patched: pytest.MonkeyPatch, _: Database) -> None:
    original: Any = Connection.exec_driver_sql

    def exec_driver_sql(self: Connection, statement_: str, *more: Any) -> Any:  # noqa: ANN401  as it is
        return original(self, statement_.replace("BEGIN IMMEDIATE", "BEGIN"), *more)

    patched.setattr(Connection, "exec_driver_sql", exec_driver_sql)


@broken(crowds.one_closing_wins)
def a_hold_is_closed_whatever_it_is(patched: pytest.MonkeyPatch, _: Database) -> None:
    """Neither state nor version is asked for, by the lock or by the UPDATE."""

    async def locked(_: Holds, tx: Transaction, hold: Hold) -> Hold:
        return await tx.find(Hold, operator_id=hold.operator_id, id=hold.id) or hold

    async def change(_: Holds, tx: Transaction, hold: Hold, **values: object) -> Hold:
        where = {"operator_id": hold.operator_id, "id": hold.id}
        return await tx.change(Hold, where, version=hold.version + 1, **values) or hold

    patched.setattr(Holds, "_locked", locked)
    patched.setattr(Holds, "_change", change)
    patched.setattr(holds, "move", lambda _life, _now, to: to)


@broken(crowds.spending_at_once_is_counted_right, *POSTGRES)
def a_balance_is_read_changed_and_written_back(patched: pytest.MonkeyPatch, _: Database) -> None:
    """On SQLite the write transaction is the lock."""
    read = "SELECT balance_minor, version FROM ledger_account WHERE id = $1"
    back = "UPDATE ledger_account SET balance_minor = $2, version = $3 WHERE id = $1"

    async def write(tx: Transaction, row: LedgerPosting, lines: writing.Lines) -> object:
        moved = {}
        for account in lines.kept:
            found = await tx.driver.fetchrow(read, account)
            moved[account] = writing.Kept(found["version"] + 1, found["balance_minor"] + lines.net[account])
            if moved[account].balance < 0:
                return None
        await tx.insert_once(row)
        for account, now in moved.items():
            await tx.driver.execute(back, account, now.balance, now.version)
        of = {"operator_id": row.operator_id, "posting_id": row.id}
        await tx.execute(insert(table_of(LedgerTransfer)), [{**of, **one._asdict()} for one in lines.transfers])
        await tx.execute(insert(table_of(LedgerEntry)), [{**of, **one} for one in writing._entries_of(lines, moved)])
        return moved

    patched.setattr(journal, "write", write)


@broken(crowds.bills_at_once_share_what_there_is, *POSTGRES)
def what_lies_in_a_wallet_is_read_without_its_lock(patched: pytest.MonkeyPatch, _: Database) -> None:
    async def balances(tx: Transaction, operator: object, ids: object) -> dict[object, int]:
        statement_ = "SELECT id, balance_minor FROM ledger_account WHERE operator_id = $1 AND id = ANY ($2::uuid[])"
        return {row["id"]: row["balance_minor"] for row in await tx.driver.fetch(statement_, operator, ids)}

    patched.setattr(journal, "locked_balances", balances)


@broken(crowds.money_that_comes_meanwhile_can_be_spent, *POSTGRES)
def a_balance_is_written_from_before_the_wait(patched: pytest.MonkeyPatch, _: Database) -> None:
    _in_the_statement(patched, "SET balance_minor = locked.balance_minor +", "SET balance_minor = a.balance_minor +")


# --- whole --------------------------------------------------------------------------------------------------------


@broken(crowds.no_reader_sees_half_a_bill)
def a_bill_and_what_it_frees_are_two_postings(patched: pytest.MonkeyPatch, _: Database) -> None:
    original = Journal.post

    async def post(self: Journal, tx: Transaction, operator: Any, cause: Any, *facts: Posting) -> Any:  # noqa: ANN401
        for fact in facts:
            back = tuple(leg for leg in fact.legs if leg.target.code in chart.BOUNDS)
            if fact.kind == "session_charge" and back:
                paid = tuple(leg for leg in fact.legs if leg not in back)
                rest = replace(fact, reference=f"{fact.reference}:rest", kind="release", legs=back)
                return (await original(self, tx, operator, cause, replace(fact, legs=paid), rest))[:1]
        return await original(self, tx, operator, cause, *facts)

    patched.setattr(Journal, "post", post)
