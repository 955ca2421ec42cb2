"""What the health port tells of the books."""

from __future__ import annotations

import httpx2
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from api.health import health_app
from api.metrics import Metrics
from domain.auditing import NEW_EVERY
from domain.columns import table_of
from domain.database import Database
from domain.wallets import Wallet
from tests.domain.sessions.stage import Stage, built

AUDIT, LEDGER = "tallywatt_audit", "tallywatt_ledger"


async def figures(stage: Stage) -> dict[str, float]:
    """Every figure by its name, as a scraper reads it."""
    app = health_app({}, Metrics(stage.services, stage.operator).route())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://health") as http:
        answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        sample.name: sample.value for family in text_string_to_metric_families(answer.text) for sample in family.samples
    }


async def test_sound_broken_and_frozen_are_told_as_they_are(database: Database) -> None:
    stage = await built(database)
    auditor, at = stage.services.auditor, stage.operator
    stage.clock.advance(NEW_EVERY)
    assert await figures(stage) == {
        f"{AUDIT}_last_sound_timestamp_seconds": 0,
        f"{AUDIT}_broken_checks": 0,
        "tallywatt_wallets_frozen": 0,
        f"{LEDGER}_unsealed_oldest_seconds": NEW_EVERY.total_seconds(),
    }
    assert await auditor.watch(at) == 0
    sound = stage.clock.now().timestamp()
    told = await figures(stage)
    assert (told[f"{AUDIT}_last_sound_timestamp_seconds"], told[f"{LEDGER}_unsealed_oldest_seconds"]) == (sound, 0)

    async with database.transaction() as tx:
        await tx.execute(update(table_of(Wallet)).values(total_minor=1))
    stage.clock.advance(NEW_EVERY)
    broken = await auditor.watch(at)
    assert await figures(stage) == {
        f"{AUDIT}_last_sound_timestamp_seconds": sound,
        f"{AUDIT}_broken_checks": broken,
        "tallywatt_wallets_frozen": 1,
        f"{LEDGER}_unsealed_oldest_seconds": 0,
    }
    assert broken > 0
