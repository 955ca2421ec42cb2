"""Checks of card payments: what was credited is what the facts say, and the provider owes us just that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import and_, func, select

from domain.columns import table_of
from domain.database import Reader
from domain.ledger import EVERYTHING, Check, Code, Finding, LedgerAccount, LedgerEntry, LedgerPosting, Scope, Verdict
from domain.payments.models import FactState, Payment, PspFact
from domain.payments.position import Told, position

_payments = table_of(Payment)
_facts = table_of(PspFact)
_postings = table_of(LedgerPosting)
_entries = table_of(LedgerEntry)
_accounts = table_of(LedgerAccount)
BATCH = 500


async def payments_are_credited_once(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """I5, I11: the position of every payment, derived again from its facts, is what was noted and what was posted."""
    told = Finding("I5", "payments are credited as their facts say, once")
    last: tuple[UUID, UUID] | None = None
    while True:
        statement = select(_payments).order_by(_payments.c.operator_id, _payments.c.id).limit(BATCH)
        if scope.wallet is not None:
            statement = statement.where(_payments.c.wallet_id == scope.wallet)
        if last is not None:
            operator, payment = last
            after = (_payments.c.operator_id == operator) & (_payments.c.id > payment)
            statement = statement.where((_payments.c.operator_id > operator) | after)
        payments = await reader.list(Payment, statement)
        if not payments:
            return told.sound()
        told.looked_at += len(payments)
        last = payments[-1].operator_id, payments[-1].id
        facts, posted = await _facts_of(reader, payments), await _posted(reader, payments)
        for each in payments:
            expected = position(each.amount, facts[each.id]).captured.minor
            found = (each.captured_minor, posted[each.id])
            if found != (expected, expected):
                names, wallets = "captured_minor, posted", [each.wallet_id]
                return told.broken("payment", each.id, names, (expected, expected), found, each.operator_id, wallets)


async def _facts_of(reader: Reader, payments: Sequence[Payment]) -> dict[UUID, list[Told]]:
    statement = select(_facts).where(
        _facts.c.payment_id.in_([payment.id for payment in payments]), _facts.c.state == FactState.CONSIDERED
    )
    found: dict[UUID, list[Told]] = defaultdict(list)
    for fact in await reader.list(PspFact, statement):
        if fact.payment_id is not None:
            found[fact.payment_id].append(Told(fact.event_code, fact.success, fact.psp_reference))
    return found


async def _posted(reader: Reader, payments: Sequence[Payment]) -> dict[UUID, int]:
    """What each payment has put into the clearing account, surplus aside; debits of it count as positive."""
    subjects = {f"payment:{payment.id}": payment.id for payment in payments}
    its_posting = and_(_entries.c.operator_id == _postings.c.operator_id, _entries.c.posting_id == _postings.c.id)
    its_account = and_(_accounts.c.operator_id == _entries.c.operator_id, _accounts.c.id == _entries.c.account_id)
    statement = (
        select(_postings.c.subject, func.sum(-_entries.c.amount_minor).label("sum"))
        .join(_entries, its_posting)
        .join(_accounts, its_account)
        .where(
            _postings.c.subject.in_(subjects),
            _postings.c.kind != "surplus",
            _accounts.c.code == Code.PSP_CLEARING,
        )
        .group_by(_postings.c.subject)
    )
    found: dict[UUID, int] = defaultdict(int)
    for row in await reader.rows(statement):
        found[subjects[row["subject"]]] = int(row["sum"])
    return found


CHECKS: tuple[Check, ...] = (payments_are_credited_once,)
