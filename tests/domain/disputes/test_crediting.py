"""An upheld dispute gives money back: every book says so, or none does."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import orjson
import pytest

from domain.disputes import DisputeReason, DisputeService, DisputeStatus
from domain.ledger import Document, DocumentKind, Journal, chart
from domain.revenue import Scope
from domain.sessions import CDR, CdrKind, standing
from domain.wallets import WalletEntry, WalletEntryKind, WalletMoney
from tests.domain.crashes import crashing
from tests.domain.disputes.case import WHY, WORDS, disputed, submit, uphold
from tests.domain.sessions.ocpi_objects import NOON, card
from tests.domain.sessions.stage import ACTIVE, CAUSE, COMPLETED, Stage, euro


async def test_an_upheld_dispute_gives_a_part_back_and_every_book_says_so(stage: Stage) -> None:
    await stage.record(stage.push("S1", ACTIVE, 0, 0))
    await stage.record(stage.patch("S1", None, 30, 5000))
    session, _ = await stage.record(stage.patch("S1", COMPLETED, 60, 5000))
    original = await stage.one(CDR)
    assert (original.net_minor, original.tax_minor, original.idle_net_minor, original.idle_tax_minor) == (
        650,
        124,
        300,
        57,
    )
    before = await stage.spendable()
    stage.clock.advance(timedelta(hours=1))
    dispute = await uphold(stage, await submit(stage, session), 300)
    assert (dispute.status, dispute.refund, dispute.decided_by) == (DisputeStatus.PARTLY_UPHELD, euro(300), "agent")
    assert dispute.decided_at == stage.clock.now()
    assert await stage.spendable() == before + 300
    entry = await stage.one(WalletEntry, kind=WalletEntryKind.REFUND)
    assert entry.amount_minor == 300
    note = await stage.one(Document, kind=DocumentKind.CREDIT_NOTE)
    assert (note.id, note.printed_number, note.net_minor + note.tax_minor) == (
        dispute.credit_note_id,
        "CN-2026-000001",
        -300,
    )
    assert (note.corrects_id, orjson.loads(note.content)["reason"]) == (original.document_id, WHY)
    cdrs = {cdr.kind: cdr for cdr in await stage.cdrs(session)}
    credit, rest = cdrs[CdrKind.CREDIT], cdrs[CdrKind.REPLACEMENT]
    assert (credit.credits_id, credit.ocpi_id) == (original.id, f"{original.ocpi_id}-C")
    assert rest.credits_id is None
    for name in ("net_minor", "tax_minor", "idle_net_minor", "idle_tax_minor"):
        assert getattr(credit, name) == -getattr(original, name)
    assert rest.gross.minor == 774 - 300
    assert rest.net_minor - original.net_minor == note.net_minor
    assert 0 <= rest.idle_tax_minor <= rest.tax_minor
    assert abs(rest.idle_tax_minor * rest.net_minor - rest.tax_minor * rest.idle_net_minor) <= rest.net_minor
    assert orjson.loads(rest.taxes) == [["19", rest.tax_minor]]
    assert (rest.energy_wh, rest.started_at, rest.ended_at) == (
        original.energy_wh,
        original.started_at,
        original.ended_at,
    )
    assert standing(list(cdrs.values())) == rest
    revenue = await stage.lies_in(chart.charging_revenue(stage.operator))
    idle = await stage.lies_in(chart.idle_fee_revenue(stage.operator))
    assert (revenue + idle, idle) == (rest.net_minor, rest.idle_net_minor)
    assert await stage.lies_in(chart.vat("DE", Decimal(19))) == rest.tax_minor
    scope = Scope(stage.operator, "EUR", NOON.date(), NOON.date() + timedelta(days=1))
    figures = await stage.services.revenue.totals(scope)
    assert (figures.net_minor, figures.tax_minor, figures.disputed, figures.sessions) == (650, 124, 1, 1)
    assert (figures.refunded_net_minor, figures.refunded_tax_minor) == (-note.net_minor, -note.tax_minor)
    await stage.audited()


async def test_a_dispute_upheld_in_full_takes_the_whole_bill_back(stage: Stage) -> None:
    dispute = await uphold(stage, await disputed(stage), 714)
    assert (dispute.status, await stage.spendable()) == (DisputeStatus.UPHELD, 5000)
    assert sorted(cdr.kind for cdr in await stage.all(CDR)) == [CdrKind.CREDIT, CdrKind.ORIGINAL]
    assert await stage.lies_in(chart.charging_revenue(stage.operator)) == 0
    assert await stage.lies_in(chart.vat("DE", Decimal(19))) == 0
    await stage.audited()


async def test_all_that_was_disputed_upheld_is_upheld_although_the_bill_was_higher(stage: Stage) -> None:
    dispute = await uphold(stage, await disputed(stage, euro(200)), 200)
    assert (dispute.status, await stage.spendable()) == (DisputeStatus.UPHELD, 4486)
    await stage.audited()


@pytest.mark.parametrize("name", ["C" * 36, "C" * 37, "C" * 38, "C" * 39])
async def test_the_credit_of_a_bill_with_a_long_id_has_an_id_too(stage: Stage, name: str) -> None:
    await stage.record(stage.push("S1", ACTIVE, 0, 0, location="L9"), stage.biller)
    session, _ = await stage.services.recording.bill(stage.biller, stage.bill(name, "S1", 600, 714), CAUSE)
    await uphold(stage, await submit(stage, session), 100)
    (credit,) = await stage.all(CDR, kind=CdrKind.CREDIT)
    assert len(credit.ocpi_id) <= 39
    assert (credit.ocpi_id == f"{name}-C") is (len(name) <= 37)
    await stage.audited()


async def test_a_credit_pays_a_debt_first(stage: Stage) -> None:
    poor = await stage.rich_driver("poor", 300)
    session = await stage.charged(token=card("poor"))
    assert (await stage.money(poor)).owed.minor == 414
    dispute = await stage.services.disputes.submit(
        stage.operator, poor.id, session.id, DisputeReason.OTHER, WORDS, None, "d1"
    )
    await uphold(stage, dispute, 500)
    money = await stage.money(poor)
    assert (money.owed.minor, money.available.minor) == (0, 86)
    await stage.audited()


@pytest.mark.parametrize(
    ("part", "step"),
    [(WalletMoney, "credit"), (Journal, "_row"), (DisputeService, "_step"), (DisputeService, "_event")],
    ids=lambda value: getattr(value, "__name__", value),
)
async def test_a_crash_in_between_leaves_nothing_and_the_retry_completes_it(
    stage: Stage, part: type[object], step: str
) -> None:
    dispute = await disputed(stage)
    before = await stage.everything()
    with crashing(part, step):
        await uphold(stage, dispute, 300)
    assert await stage.everything() == before
    decided = await uphold(stage, dispute, 300)
    note = await stage.one(Document, kind=DocumentKind.CREDIT_NOTE)
    assert (decided.refund, note.number, await stage.spendable()) == (euro(300), 1, 4586)
    await stage.audited()
