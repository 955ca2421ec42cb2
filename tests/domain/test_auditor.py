"""The auditor finds a contradiction: that wallet waits, everything else goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from domain.auditing import ALL_EVERY, NEW_EVERY
from domain.columns import table_of
from domain.database import Database
from domain.errors import WalletFrozen
from domain.ledger import LedgerAccount, LedgerCheckpoint, LedgerSeal, chart
from domain.payments import FactState
from domain.sessions import ChargerCommand, ChargingSessionStatus, CommandKind, Stop, StopReason
from domain.wallets import Wallet
from tests.domain.payments.till import Fact, Till
from tests.domain.sessions.ocpi_objects import card
from tests.domain.sessions.stage import ACTIVE, COMPLETED, Stage


async def falsified(database: Database, wallet: Wallet, by: int) -> None:
    """Somebody changes a balance by hand."""
    accounts, account = table_of(LedgerAccount), chart.available(wallet.id)
    async with database.transaction() as tx:
        its = (accounts.c.code == account.code) & (accounts.c.owner == account.owner)
        await tx.execute(update(accounts).where(its).values(balance_minor=accounts.c.balance_minor + by))


async def test_sound_books_are_sealed_looked_at_and_nobody_is_frozen(stage: Stage) -> None:
    auditor, at = stage.services.auditor, stage.operator
    assert (auditor.last_sound_at, await auditor.watch(at)) == (None, 0)
    assert (auditor.last_sound_at, await auditor.frozen(at)) == (stage.clock.now(), 0)
    assert len(await stage.all(LedgerSeal)) == 1
    await stage.charged()
    stage.clock.advance(NEW_EVERY - timedelta(seconds=1))
    assert await auditor.watch(at) == 0
    assert auditor.last_sound_at == stage.clock.now() - NEW_EVERY + timedelta(seconds=1)
    stage.clock.advance(timedelta(seconds=1))
    assert await auditor.watch(at) == 0
    assert auditor.last_sound_at == stage.clock.now()
    assert await stage.all(LedgerCheckpoint) == []
    stage.clock.advance(ALL_EVERY)
    assert await auditor.watch(at) == 0
    assert await stage.all(LedgerCheckpoint) != []
    await stage.audited()


@pytest.mark.parametrize("is_first", [True, False])
async def test_only_the_wallet_concerned_waits(stage: Stage, is_first: bool) -> None:
    """Whether all books are looked at, or what is new."""
    auditor, wallets, at = stage.services.auditor, stage.services.wallets, stage.operator
    other = await stage.rich_driver("other", 5000)
    if not is_first:
        assert await auditor.watch(at) == 0
        stage.clock.advance(NEW_EVERY)
    victim = await stage.wallet()
    await stage.fund(stage.driver, 100)
    await falsified(stage.database, victim, 1)
    assert await auditor.watch(at) > 0
    assert {wallet for one in auditor.broken if one.broken for wallet in one.broken.wallets} == {victim.id}
    frozen = await stage.wallet()
    assert (frozen.frozen_at, frozen.frozen_reason) == (stage.clock.now(), f"audit {auditor.broken[0].code}")
    assert await auditor.frozen(at) == 1
    with pytest.raises(WalletFrozen):
        await stage.start("k1")
    assert (await stage.start("k1", driver=other)).status is ChargingSessionStatus.PENDING

    await falsified(stage.database, victim, -1)
    stage.clock.advance(NEW_EVERY)
    assert await auditor.watch(at) == 0
    assert await auditor.frozen(at) == 1, "a person has to look"
    await wallets.unfreeze(at, victim.id)
    assert (await stage.wallet()).frozen_at is None
    assert (await stage.start("k2", quote=await stage.quote(connector=1))).status is ChargingSessionStatus.PENDING


async def test_a_running_session_of_a_frozen_wallet_is_told_to_stop_once_and_billed(stage: Stage) -> None:
    other = await stage.rich_driver("other", 5000)
    session, _ = await stage.record(stage.push("S1", ACTIVE, 0, 0))
    untouched, _ = await stage.record(stage.push("S2", ACTIVE, 0, 0, token=card("other"), evse_uid="E2"))
    await stage.services.wallets.freeze(stage.operator, (await stage.wallet()).id, "audit I2")
    guarding = stage.services.guarding
    assert [await guarding.stop_where_frozen(stage.operator) for _ in range(2)] == [1, 0]
    (order,) = await stage.all(ChargerCommand)
    assert (order.kind, order.session_id) == (CommandKind.STOP, session.id)
    assert await stage.services.orders.push_on(stage.operator) == 1
    assert [sent.session for sent in stage.line.sent if isinstance(sent, Stop)] == ["S1"]
    done, _ = await stage.record(stage.patch("S1", COMPLETED, 30, 5000))
    assert (done.status, done.stop_reason) == (ChargingSessionStatus.COMPLETED, StopReason.FUNDS_EXHAUSTED)
    assert not (await stage.session(untouched)).is_exhausted
    assert (await stage.money(other)).held.minor == 1000
    await stage.audited()


async def test_facts_about_a_frozen_wallet_wait_in_the_inbox(database: Database) -> None:
    till = await Till(database).opened()
    await till.top_up()
    at = (till.operator, till.wallet.id)
    await till.wallets.freeze(*at, "audit I2")
    assert await till.tell(Fact()) == [FactState.NEW]
    assert await till.money() == (0, 0, 0, 0)
    await till.wallets.unfreeze(*at)
    assert await till.payments.consider_facts(till.operator) == 1
    assert (await till.facts(), await till.money()) == ([FactState.CONSIDERED], (2000, 0, 0, 0))
    assert await till.is_sound()


async def test_the_first_reason_to_freeze_stays(stage: Stage) -> None:
    wallet = await stage.wallet()
    for reason in ("audit I2", "audit I9"):
        frozen = await stage.services.wallets.freeze(stage.operator, wallet.id, reason)
        assert (frozen.frozen_reason, frozen.revision) == ("audit I2", wallet.revision + 1)
