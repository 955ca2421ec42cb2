"""A driver against a bill: what may be disputed, once, and what the check says."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain.disputes import Actor, Dispute, DisputeEvent, DisputeStatus, Side, findings_of
from domain.disputes.service import ANSWER_WITHIN, WINDOW
from domain.errors import (
    AmountNotAllowed,
    CardDataRefused,
    CurrencyMismatch,
    DisputeWindowClosed,
    DomainError,
    IdempotencyConflict,
    NotFound,
    StateConflict,
)
from domain.ids import ChargingSessionId
from domain.meters import SignedData
from domain.money import Money
from domain.sessions import ChargingSession, TokenName
from tests.domain.disputes.case import WORDS, disputed, nothing_moved, reject, submit
from tests.domain.meters.signing import Meter
from tests.domain.sessions.biller import billed, take_back
from tests.domain.sessions.ocpi_objects import NOON, card
from tests.domain.sessions.stage import ACTIVE, Stage, euro


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
    dispute = await submit(stage, await billed(stage, net=600, gross=714))
    found = findings_of(dispute.findings, dispute.currency)
    assert [finding.check for finding in found] == ["reprice", "roaming"]
    for finding in found:
        assert (finding.favours, finding.is_certain, finding.creditable) == (Side.DRIVER, False, euro(714 - 595))


async def test_a_bill_that_its_operator_took_back_is_certainly_the_drivers(stage: Stage) -> None:
    session = await billed(stage)
    await take_back(stage, "C-S1")
    found = findings_of((await submit(stage, session)).findings, "EUR")
    (roaming,) = [one for one in found if one.check == "roaming"]
    assert (roaming.favours, roaming.is_certain, roaming.creditable) == (Side.DRIVER, True, euro(595))


async def test_what_the_meter_signed_speaks_for_the_bill_or_against_it(stage: Stage) -> None:
    meter = Meter()
    for name, end, side, is_certain in (
        ("S1", "20.0", Side.BILL, True),
        ("S2", "19.5", Side.DRIVER, False),
        ("S3", "20.0", Side.DRIVER, False),
        ("S4", "20.0", Side.NEITHER, False),
    ):
        signer = Meter(seed=8) if name == "S3" else meter
        signed = SignedData("OCMF", None if name == "S4" else meter.key, signer.pair("10.0", end))
        dispute = await submit(stage, await billed(stage, name, signed=signed), key=name)
        (found,) = [one for one in findings_of(dispute.findings, "EUR") if one.check == "signed_data"]
        assert (found.favours, found.is_certain, found.creditable) == (side, is_certain, None), name


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
