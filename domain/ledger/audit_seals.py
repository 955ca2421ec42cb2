"""The check of the chain: every seal follows from the one before and from what it seals."""

from __future__ import annotations

from sqlalchemy import select

from domain.columns import table_of
from domain.database import Reader
from domain.ids import OperatorId
from domain.ledger.audit import EVERYTHING, Finding, Scope, Verdict, wallets_of
from domain.ledger.models import LedgerPosting, LedgerSeal
from domain.ledger.seals import BATCH, GENESIS, chained, contents

_seals = table_of(LedgerSeal)
_postings = table_of(LedgerPosting)


async def the_chain_holds(reader: Reader, scope: Scope = EVERYTHING) -> Verdict:
    """I8: numbers run without gap, and no byte of a sealed posting, transfer or entry is another one."""
    told = Finding("I8", "the chain of seals holds")
    if scope.wallet is not None:
        return told.sound()
    for row in await reader.rows(select(_seals.c.operator_id).distinct().order_by(_seals.c.operator_id)):
        verdict = await _of(reader, told, row["operator_id"], scope.seal)
        if verdict is not None:
            return verdict
    return told.sound()


async def _of(reader: Reader, told: Finding, operator: OperatorId, number: int) -> Verdict | None:
    start = await reader.find(LedgerSeal, operator_id=operator, number=number)
    previous = GENESIS if start is None else start.hash
    while True:
        after = select(_seals).where(_seals.c.operator_id == operator, _seals.c.number > number)
        seals = await reader.list(LedgerSeal, after.order_by(_seals.c.number).limit(BATCH))
        if not seals:
            return None
        ids = [seal.posting_id for seal in seals]
        postings = await reader.list(
            LedgerPosting, select(_postings).where(_postings.c.operator_id == operator, _postings.c.id.in_(ids))
        )
        bodies = await contents(reader, operator, postings)
        for seal in seals:
            told.looked_at += 1
            number += 1
            wrong = _contradiction(seal, number, previous, bodies.get(seal.posting_id))
            if wrong is not None:
                wallets = await wallets_of(reader, operator, seal.posting_id)
                return told.broken(*wrong, operator, wallets)
            previous = seal.hash


def _contradiction(
    seal: LedgerSeal, number: int, previous: str, body: bytes | None
) -> tuple[str, object, str, object, object] | None:
    """Table, key, column, expected and found of the first thing that is wrong with a seal."""
    if seal.number != number:
        return "ledger_seal", seal.number, "number", number, seal.number
    if seal.previous_hash != previous:
        return "ledger_seal", number, "previous_hash", previous, seal.previous_hash
    if body is None:
        return "ledger_posting", seal.posting_id, "row", f"the one of seal {number}", "none"
    expected = chained(previous, number, seal.sealed_at, body)
    if expected != seal.hash:
        return "ledger_posting", seal.posting_id, f"content, or hash or instant of seal {number}", seal.hash, expected
    return None
