"""Checks that need sessions beside the ledger: every bill was posted, and what was earned is what was billed."""

from __future__ import annotations

from sqlalchemy import and_, func, select

from domain.columns import table_of
from domain.database import Reader
from domain.ids import OperatorId
from domain.ledger import EVERYTHING, Check, Code, Finding, LedgerAccount, LedgerEntry, Scope, Verdict
from domain.sessions.cdr import CDR, CdrKind
from domain.sessions.models import ChargingSession, ChargingSessionStatus

_accounts = table_of(LedgerAccount)
_entries = table_of(LedgerEntry)
_cdrs = table_of(CDR)
_sessions = table_of(ChargingSession)
_EARNED = (Code.CHARGING_REVENUE, Code.IDLE_FEE_REVENUE)


async def earned_is_billed(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """I6: what CDRs bill without tax is what the revenue accounts hold; their taxes lie in the VAT accounts."""
    told = Finding("I6", "revenue and tax in the books are those of the bills")
    if scope != EVERYTHING:
        return told.sound()
    sums = (func.sum(_cdrs.c.net_minor).label("net"), func.sum(_cdrs.c.tax_minor).label("tax"), func.count().label("n"))
    at = (_cdrs.c.operator_id, _cdrs.c.currency)
    rows = {(row["operator_id"], row["currency"]): row for row in await reader.rows(select(*at, *sums).group_by(*at))}
    told.looked_at = sum(row["n"] for row in rows.values())
    for codes, name in ((_EARNED, "net"), ((Code.VAT,), "tax")):
        held = await _held(reader, codes)
        for key in sorted(held.keys() | rows.keys(), key=str):
            billed, found = int(rows[key][name]) if key in rows else 0, held.get(key, 0)
            if billed != found:
                place = f"{'/'.join(codes)} {key[1]}"
                return told.broken("cdr", place, name, billed, found, key[0])
    return told.sound()


async def completed_is_billed(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """I6: a COMPLETED session has exactly one original CDR of its own total, and no other session has one."""
    told = Finding("I6", "completed sessions are billed once, at the cost that was shown")
    original = and_(
        _cdrs.c.operator_id == _sessions.c.operator_id,
        _cdrs.c.session_id == _sessions.c.id,
        _cdrs.c.kind == CdrKind.ORIGINAL,
    )
    statement = select(
        _sessions.c.operator_id,
        _sessions.c.id,
        _sessions.c.wallet_id,
        _sessions.c.status,
        _sessions.c.net_minor,
        _sessions.c.tax_minor,
        _cdrs.c.net_minor.label("billed_net"),
        _cdrs.c.tax_minor.label("billed_tax"),
    ).outerjoin(_cdrs, original)
    if scope.wallet is not None:
        statement = statement.where(_sessions.c.wallet_id == scope.wallet)
    async for row in reader.stream(statement.order_by(_sessions.c.operator_id, _sessions.c.id)):
        told.looked_at += 1
        is_done = row["status"] is ChargingSessionStatus.COMPLETED
        expected = (row["net_minor"], row["tax_minor"]) if is_done else (None, None)
        found = (row["billed_net"], row["billed_tax"])
        if expected != found:
            wallets = [] if row["wallet_id"] is None else [row["wallet_id"]]
            place = ("charging_session", row["id"], "cdr net, tax", expected, found)
            return told.broken(*place, row["operator_id"], wallets)
    return told.sound()


async def _held(reader: Reader, codes: tuple[Code, ...]) -> dict[tuple[OperatorId, str], int]:
    """What lies in accounts of these codes, by operator and currency."""
    of_account = and_(_accounts.c.operator_id == _entries.c.operator_id, _accounts.c.id == _entries.c.account_id)
    statement = (
        select(_accounts.c.operator_id, _accounts.c.currency, func.sum(_entries.c.amount_minor).label("sum"))
        .join(_entries, of_account)
        .where(_accounts.c.code.in_(codes))
        .group_by(_accounts.c.operator_id, _accounts.c.currency)
    )
    return {(row["operator_id"], row["currency"]): int(row["sum"]) for row in await reader.rows(statement)}


CHECKS: tuple[Check, ...] = (earned_is_billed, completed_is_billed)
