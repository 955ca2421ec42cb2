"""Whoever changes a row by hand: what the checks say while the crime stands, which leaves no trace afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import Executable, text

from domain.disputes import DisputeReason
from domain.errors import PaymentServiceUnavailable
from domain.ledger import EVERYTHING, Check, Verdict
from tests.domain.rows import WRITTEN_ONCE
from tests.domain.sessions.stage import ACTIVE, Stage, euro


@pytest.fixture
async def lived_in(stage: Stage) -> Stage:
    """Two bills, one given back in part, a session that runs, and no trigger that keeps rows as they are."""
    first = await stage.charged("S1")
    await stage.charged("S2")
    await stage.record(stage.push("S3", ACTIVE, 0, 0))
    disputes, at = stage.services.disputes, stage.operator
    words = (DisputeReason.OTHER, "It was wrong.", None, "d1")
    dispute = await disputes.submit(at, stage.driver.id, first.id, *words)
    await disputes.uphold(at, dispute.id, dispute.revision, euro(300), "Yes.", "agent", "u1")
    (wallet,) = await stage.services.wallets.wallets_of(at, stage.driver.id)
    with pytest.raises(PaymentServiceUnavailable):
        await stage.services.payments.top_up(at, stage.driver.id, wallet.id, euro(2000), "t1", "https://a.b/", "DE")
    await stage.services.sealer.seal_all(at)
    stage.clock.advance(timedelta(minutes=10))
    await stage.services.sealer.checkpoint(at)
    await stage.audited()
    async with stage.database.transaction() as tx:
        for table in WRITTEN_ONCE:
            for name in (
                (f"{table}_update", f"{table}_delete") if stage.database.is_sqlite else (f"written_once ON {table}",)
            ):
                await tx.execute(text(f"DROP TRIGGER {name}"))
        await tx.execute(text("DROP INDEX hold_open_session"))
    return stage


class Undone(Exception):
    """The crime is to leave no trace."""


async def judged(stage: Stage, checks: Sequence[Check], crime: Executable) -> list[Verdict]:
    """What checks say while a crime stands; afterwards it is undone."""
    verdicts: list[Verdict] = []
    with suppress(Undone):
        async with stage.database.transaction() as tx:
            await tx.execute(crime)
            verdicts = [await check(tx, EVERYTHING) for check in checks]
            raise Undone
    return verdicts
