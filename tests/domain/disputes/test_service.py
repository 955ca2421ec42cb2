"""A driver against a bill: what may be disputed, what the check says, and verdicts whose money is whole or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest

from domain.database import Database
from domain.disputes import (
    Actor,
    Dispute,
    DisputeEvent,
    DisputeReason,
    DisputeService,
    DisputeStatus,
    Side,
    findings_of,
)
from domain.disputes.service import ANSWER_WITHIN, WINDOW
from domain.errors import (
    AmountNotAllowed,
    CardDataRefused,
    CurrencyMismatch,
    DisputeWindowClosed,
    DomainError,
    IdempotencyConflict,
    InvalidInput,
    NotFound,
    SelfDecision,
    StateConflict,
)
from domain.ids import ChargingSessionId, DisputeId, OperatorId
from domain.ledger import Document, DocumentKind, Journal, chart
from domain.money import Money
from domain.revenue import Scope
from domain.sessions import CDR, CdrKind, ChargingSession, TokenName, standing
from domain.wallets import WalletEntry, WalletEntryKind, WalletService
from tests.domain.sessions.stage import ACTIVE, CAUSE, COMPLETED, NOON, Stage, built, card, euro

WORDS = "The charger stopped after ten minutes."
WHY = "The station reported a fault."


@pytest.fixture
async def stage(database: Database) -> Stage:
    return await built(database)


async def submit(
    stage: Stage, session: ChargingSession, amount: Money | None = None, key: str = "d1", words: str = WORDS
) -> Dispute:
    return await stage.services.disputes.submit(
        stage.operator, stage.driver.id, session.id, DisputeReason.DID_NOT_STOP, words, amount, key
    )


async def disputed(stage: Stage, amount: Money | None = None) -> Dispute:
    return await submit(stage, await stage.charged(), amount)


async def uphold(
    stage: Stage,
    dispute: Dispute,
    refund: int | Money,
    key: str = "u1",
    agent: str = "agent",
    revision: int | None = None,
    words: str = WHY,
) -> Dispute:
    return await stage.services.disputes.uphold(
        stage.operator,
        dispute.id,
        dispute.revision if revision is None else revision,
        euro(refund) if isinstance(refund, int) else refund,
        words,
        agent,
        key,
    )


async def reject(stage: Stage, dispute: Dispute, agent: str = "agent", words: str = WHY) -> Dispute:
    return await stage.services.disputes.reject(stage.operator, dispute.id, dispute.revision, words, agent)


async def nothing_moved(stage: Stage, error: type[DomainError], attempt: Callable[[], Any]) -> DomainError:
    before = await stage.everything()
    with pytest.raises(error) as refused:
        await attempt()
    assert await stage.everything() == before
    return refused.value


# --- submitted ----------------------------------------------------------------------------------------------------


async def test_a_bill_is_disputed_checked_at_once_and_no_money_moves(stage: Stage) -> None:
    session = await stage.charged()
    money = await stage.money()
    dispute = await submit(stage, session)
    assert (dispute.status, dispute.disputed, dispute.refund) == (DisputeStatus.UNDER_REVIEW, session.gross, None)
    assert (dispute.opened_at, dispute.answer_due_at) == (NOON, NOON + ANSWER_WITHIN)
    (finding,) = findings_of(dispute.findings, dispute.currency)
    assert (finding.check, finding.favours, finding.is_certain, finding.creditable) == (
        "reprice",
        Side.BILL,
        True,
        None,
    )
    assert "exactly this" in finding.message
    events = await stage.services.dispute_desk.events(stage.operator, dispute.id, after=0, limit=9)
    assert [(event.number, event.actor, event.status.value, event.text) for event in events] == [
        (1, Actor.DRIVER, "submitted", WORDS),
        (2, Actor.SYSTEM, "triage", None),
        (3, Actor.SYSTEM, "under_review", None),
    ]
    assert await stage.money() == money
    assert len(await stage.services.dispute_desk.events(stage.operator, dispute.id, after=1, limit=1)) == 1
    await stage.audited()


async def test_the_check_of_a_bill_by_another_operator_is_not_certain(stage: Stage) -> None:
    await stage.record(stage.push("S1", ACTIVE, 0, 0, location="L9"), stage.biller)
    session, _ = await stage.record(stage.patch("S1", COMPLETED, 60, 10_000), stage.biller)
    session, _ = await stage.services.recording.bill(stage.biller, stage.bill("C1", "S1", 600, 714), CAUSE)
    dispute = await submit(stage, session)
    (finding,) = findings_of(dispute.findings, dispute.currency)
    assert (finding.favours, finding.is_certain, finding.creditable) == (Side.DRIVER, False, euro(714 - 595))


@pytest.mark.parametrize("status", ["running", "failed"])
async def test_only_a_billed_session_can_be_disputed(stage: Stage, status: str) -> None:
    session, _ = await stage.record(stage.push("S1", ACTIVE, 0, 0))
    if status == "failed":
        session = await stage.start(quote=await stage.quote(connector=1))
    refused = await nothing_moved(stage, StateConflict, lambda: submit(stage, session))
    assert isinstance(refused, StateConflict)
    assert (refused.kind, refused.object_id) == ("charging_session", session.id)


async def test_somebody_elses_session_does_not_exist(stage: Stage) -> None:
    await stage.rich_driver("other", 1000)
    theirs = await stage.charged("S2", token=card("other"))
    roaming = await stage.charged("S3", token=TokenName(("DE", "MSP"), "X", None, is_app=False))
    nowhere = ChargingSession(**(theirs.model_dump() | {"id": ChargingSessionId(stage.driver.id)}))
    for session in (theirs, roaming, nowhere):
        await nothing_moved(stage, NotFound, lambda session=session: submit(stage, session))  # type: ignore[misc]


async def test_the_window_closes_to_the_millisecond(stage: Stage) -> None:
    first, second = await stage.charged("S1"), await stage.charged("S2")
    stage.clock.advance(WINDOW - timedelta(milliseconds=1))
    await submit(stage, first, key="d1")
    stage.clock.advance(timedelta(milliseconds=1))
    refused = await nothing_moved(stage, DisputeWindowClosed, lambda: submit(stage, second, key="d2"))
    assert isinstance(refused, DisputeWindowClosed)
    assert refused.closed_at == NOON + WINDOW
    assert (await submit(stage, first, key="d1")).session_id == first.id


async def test_a_bill_is_disputed_once(stage: Stage) -> None:
    session = await stage.charged()
    dispute = await submit(stage, session, key="d1")
    await nothing_moved(stage, StateConflict, lambda: submit(stage, session, key="d2"))
    await reject(stage, dispute)
    await nothing_moved(stage, StateConflict, lambda: submit(stage, session, key="d3"))


async def test_two_disputes_about_one_bill_at_once_are_one(stage: Stage) -> None:
    session = await stage.charged()
    told = await asyncio.gather(*(submit(stage, session, key=f"d{n}") for n in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in told) == ["Dispute"] + ["StateConflict"] * 3
    assert len(await stage.all(Dispute)) == 1
    assert len(await stage.all(DisputeEvent)) == 3


async def test_the_same_key_is_the_same_dispute_even_at_once(stage: Stage) -> None:
    session = await stage.charged()
    told = await asyncio.gather(*(submit(stage, session) for _ in range(4)))
    assert len({dispute.id for dispute in told}) == 1
    before = await stage.everything()
    assert await submit(stage, session) == told[0]
    assert await stage.everything() == before


async def test_the_same_key_with_another_input_is_refused(stage: Stage) -> None:
    session, other = await stage.charged("S1"), await stage.charged("S2")
    await submit(stage, session, euro(100))
    for again in (
        lambda: submit(stage, session, euro(101)),
        lambda: submit(stage, session, None),
        lambda: submit(stage, session, euro(100), words=WORDS + "!"),
        lambda: submit(stage, other, euro(100)),
    ):
        await nothing_moved(stage, IdempotencyConflict, again)


async def test_a_statement_with_a_card_number_is_not_stored(stage: Stage) -> None:
    session = await stage.charged()
    number = "4111 1111 1111 1111"
    await nothing_moved(stage, CardDataRefused, lambda: submit(stage, session, words=f"Paid with {number} twice"))
    assert "4111" not in str((await stage.everything())["dispute"])


@pytest.mark.parametrize(
    ("amount", "error"),
    [
        (euro(0), AmountNotAllowed),
        (euro(-1), AmountNotAllowed),
        (euro(715), AmountNotAllowed),
        (Money(100, "SEK"), CurrencyMismatch),
    ],
)
async def test_no_more_than_the_bill_and_no_other_money_can_be_disputed(
    stage: Stage, amount: Money, error: type[DomainError]
) -> None:
    session = await stage.charged()
    await nothing_moved(stage, error, lambda: submit(stage, session, amount))


@pytest.mark.parametrize("cents", [1, 714])
async def test_the_bounds_themselves_can_be_disputed(stage: Stage, cents: int) -> None:
    assert (await disputed(stage, euro(cents))).disputed.minor == cents


# --- upheld -------------------------------------------------------------------------------------------------------


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


async def test_of_two_agents_at_once_one_decides(stage: Stage) -> None:
    dispute = await disputed(stage)
    told = await asyncio.gather(
        uphold(stage, dispute, 300, "u1", "anna"),
        uphold(stage, dispute, 200, "u2", "bert"),
        reject(stage, dispute, "carl"),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in told) == ["Dispute", "StateConflict", "StateConflict"]
    decided = await stage.one(Dispute)
    given = 0 if decided.refund is None else decided.refund.minor
    assert decided.is_decided
    assert await stage.spendable() == 4286 + given
    assert len(await stage.all(Document, kind=DocumentKind.CREDIT_NOTE)) == (1 if given else 0)
    await stage.audited()


async def test_the_same_key_decides_once_even_at_once(stage: Stage) -> None:
    dispute = await disputed(stage)
    told = await asyncio.gather(*(uphold(stage, dispute, 300) for _ in range(4)))
    before = await stage.everything()
    assert await uphold(stage, dispute, 300) == told[0]
    assert await stage.everything() == before
    assert (len({one.revision for one in told}), await stage.spendable()) == (1, 4586)
    await nothing_moved(stage, IdempotencyConflict, lambda: uphold(stage, dispute, 301))
    await nothing_moved(stage, IdempotencyConflict, lambda: uphold(stage, dispute, 300, words="Other"))
    await stage.audited()


async def test_who_has_seen_an_older_revision_decides_nothing(stage: Stage) -> None:
    dispute = await disputed(stage)
    stale = dispute.revision - 1
    refused = await nothing_moved(stage, StateConflict, lambda: uphold(stage, dispute, 300, revision=stale))
    assert isinstance(refused, StateConflict)
    assert (refused.kind, refused.object_id) == ("dispute", dispute.id)


@pytest.mark.parametrize(
    ("refund", "error"),
    [
        (euro(0), AmountNotAllowed),
        (euro(501), AmountNotAllowed),
        (euro(-500), AmountNotAllowed),
        (Money(100, "SEK"), CurrencyMismatch),
    ],
)
async def test_no_more_than_was_disputed_is_given_back(stage: Stage, refund: Money, error: type[DomainError]) -> None:
    dispute = await disputed(stage, euro(500))
    await nothing_moved(stage, error, lambda: uphold(stage, dispute, refund))


async def test_nobody_decides_a_case_of_their_own(stage: Stage) -> None:
    dispute = await disputed(stage)
    await nothing_moved(stage, SelfDecision, lambda: uphold(stage, dispute, 300, agent="driver"))
    await nothing_moved(stage, SelfDecision, lambda: reject(stage, dispute, "driver"))


async def test_a_rejected_dispute_moves_no_money_and_stays_decided(stage: Stage) -> None:
    dispute = await disputed(stage)
    money = await stage.money()
    decided = await reject(stage, dispute)
    assert (decided.status, decided.refund, decided.explanation) == (DisputeStatus.REJECTED, None, WHY)
    assert (await stage.money(), len(await stage.all(CDR))) == (money, 1)
    last = (await stage.all(DisputeEvent))[-1]
    assert (last.number, last.actor, last.actor_subject, last.text) == (4, Actor.STAFF, "agent", WHY)
    await nothing_moved(stage, StateConflict, lambda: uphold(stage, decided, 300))
    await nothing_moved(stage, StateConflict, lambda: reject(stage, decided))
    await stage.audited()


async def test_words_of_an_agent_are_looked_at_too(stage: Stage) -> None:
    dispute = await disputed(stage)
    for words, error in (("", InvalidInput), ("4111111111111111", CardDataRefused)):
        await nothing_moved(stage, error, lambda words=words: uphold(stage, dispute, 1, words=words))  # type: ignore[misc]
        await nothing_moved(stage, error, lambda words=words: reject(stage, dispute, words=words))  # type: ignore[misc]


async def test_a_dispute_of_another_operator_does_not_exist(stage: Stage) -> None:
    dispute, other = await disputed(stage), await built(stage.database)
    desk = stage.services.dispute_desk
    await nothing_moved(stage, NotFound, lambda: uphold(other, dispute, 300))
    await nothing_moved(stage, NotFound, lambda: reject(other, dispute))
    assert await desk.dispute(other.operator, dispute.id, None) is None
    assert await desk.events(other.operator, dispute.id, after=0, limit=9) == []


# --- a crash in between -------------------------------------------------------------------------------------------


class Crash(Exception):
    """The process died here."""


@pytest.mark.parametrize(
    ("part", "step"),
    [(WalletService, "credit"), (Journal, "_entry_rows"), (DisputeService, "_step"), (DisputeService, "_event")],
    ids=lambda value: getattr(value, "__name__", value),
)
async def test_a_crash_in_between_leaves_nothing_and_the_retry_completes_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, part: type[object], step: str
) -> None:
    dispute = await disputed(stage)
    before = await stage.everything()

    def crashing(*args: object, **kwargs: object) -> object:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(part, step, crashing)
        with pytest.raises(Crash):
            await uphold(stage, dispute, 300)
    assert await stage.everything() == before
    decided = await uphold(stage, dispute, 300)
    note = await stage.one(Document, kind=DocumentKind.CREDIT_NOTE)
    assert (decided.refund, note.number, await stage.spendable()) == (euro(300), 1, 4586)
    await stage.audited()


# --- read ---------------------------------------------------------------------------------------------------------


async def test_disputes_are_read_by_owner_in_pages_newest_first(stage: Stage) -> None:
    desk, other = stage.services.dispute_desk, await stage.rich_driver("other", 5000)
    mine = []
    for number in range(5):
        stage.clock.advance(timedelta(minutes=number % 2))
        mine.append(await submit(stage, await stage.charged(f"S{number}"), key=f"d{number}"))
    await reject(stage, mine[0])
    theirs = await stage.charged("S9", token=card("other"))
    await stage.services.disputes.submit(stage.operator, other.id, theirs.id, DisputeReason.OTHER, WORDS, None, "d0")
    found: list[Dispute] = []
    before = None
    while page := await desk.disputes(stage.operator, stage.driver.id, before=before, statuses=None, limit=2):
        found += page
        before = page[-1].opened_at, page[-1].id
    assert {dispute.id for dispute in found} == {dispute.id for dispute in mine}
    keys = [(dispute.opened_at, dispute.id) for dispute in found]
    assert keys == sorted(set(keys), reverse=True)
    everybody = await desk.disputes(stage.operator, None, before=None, statuses=None, limit=99)
    rejected = await desk.disputes(stage.operator, None, before=None, statuses=[DisputeStatus.REJECTED], limit=99)
    assert (len(everybody), [dispute.id for dispute in rejected]) == (6, [mine[0].id])
    assert await desk.dispute(stage.operator, mine[0].id, other.id) is None
    assert await desk.dispute(stage.operator, DisputeId(other.id), None) is None
    assert (await desk.dispute(stage.operator, mine[1].id, stage.driver.id)) == mine[1]
    about = await desk.disputes_of(stage.operator, [mine[1].session_id, theirs.id])
    assert {dispute.session_id for dispute in about} == {mine[1].session_id, theirs.id}
    assert await desk.disputes_of(OperatorId(other.id), [theirs.id]) == []
