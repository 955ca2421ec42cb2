"""Start and stop by the app: the wish and the money first, then the charge point."""

from __future__ import annotations

import asyncio

import pytest

from domain.errors import (
    DeadlinePassed,
    DomainError,
    EvseUnavailable,
    IdempotencyConflict,
    InsufficientFunds,
    NotFound,
    StateConflict,
)
from domain.ids import ChargingSessionId, QuoteId
from domain.partners import Evse, EvseStatus, Party
from domain.sessions import (
    ChargerCommand,
    ChargingSession,
    ChargingSessionStatus,
    CommandKind,
    CommandState,
    Recorded,
    SessionChannel,
    Start,
    Stop,
    StopReason,
)
from domain.sessions.ordering import PATIENCE
from domain.sessions.quoting import VALID_FOR
from domain.wallets import Hold
from tests.domain.sessions.ocpi_objects import NOON
from tests.domain.sessions.stage import ACTIVE, CAUSE, COMPLETED, INVALID, Stage

_Status = ChargingSessionStatus


# --- start --------------------------------------------------------------------------------------------------------


async def test_a_start_holds_money_and_sends_the_order(stage: Stage) -> None:
    session = await stage.start()
    assert (session.status, session.channel, session.quote_id is not None) == (
        _Status.PENDING,
        SessionChannel.APP,
        True,
    )
    hold, command = await stage.held(session), await stage.one(ChargerCommand)
    assert (hold.amount.minor, hold.authorization_reference) == (1000, session.authorization_reference)
    assert (command.state, command.tries, command.expires_at) == (CommandState.SENT, 1, NOON + PATIENCE)
    (sent,) = stage.line.sent
    assert isinstance(sent, Start)
    assert (sent.command, sent.place.connector.id) == (command.id, stage.connectors[0])
    assert (sent.authorization_reference, sent.token.uid) == (session.authorization_reference, session.token_uid)
    assert (await stage.money()).held.minor == 1000
    await stage.audited()


async def test_a_started_session_is_billed_from_its_hold(stage: Stage) -> None:
    asked = await stage.start()
    session, outcome = await stage.begins(asked)
    assert (outcome, session.id, session.ocpi_id) == (Recorded.UPDATED, asked.id, "S1")
    done, _ = await stage.record(stage.patch("S1", COMPLETED, 60, 10_000))
    assert (done.id, done.status, done.gross.minor) == (asked.id, _Status.COMPLETED, 714)
    assert len(await stage.all(ChargingSession)) == len(await stage.all(Hold)) == 1
    assert await stage.spendable() == 4286
    await stage.audited()


async def test_the_same_key_is_the_same_session(stage: Stage) -> None:
    quote = await stage.quote()
    first = await stage.start("k1", quote=quote)
    before = await stage.everything()
    assert (await stage.start("k1", quote=quote)).id == first.id
    stage.clock.advance(VALID_FOR * 2)
    assert (await stage.start("k1", quote=quote)).id == first.id
    assert await stage.everything() == before
    assert len(stage.line.sent) == 1


async def test_the_same_key_at_once_is_the_same_session(stage: Stage) -> None:
    quote = await stage.quote()
    sessions = await asyncio.gather(*(stage.start("k1", quote=quote) for _ in range(4)))
    assert len({session.id for session in sessions}) == 1
    assert (len(stage.line.sent), (await stage.money()).held.minor) == (1, 1000)
    await stage.audited()


async def test_the_same_key_with_another_quote_is_refused(stage: Stage) -> None:
    await stage.start("k1")
    other = await stage.quote(connector=1)
    before = await stage.everything()
    with pytest.raises(IdempotencyConflict):
        await stage.start("k1", quote=other)
    assert await stage.everything() == before


async def test_the_same_key_with_two_quotes_at_once_starts_one(stage: Stage) -> None:
    quotes = [await stage.quote(connector=n) for n in (0, 1)]
    told = await asyncio.gather(*(stage.start("k1", quote=quote) for quote in quotes), return_exceptions=True)
    assert sorted(type(one).__name__ for one in told) == ["ChargingSession", "IdempotencyConflict"]
    assert (len(stage.line.sent), (await stage.money()).held.minor) == (1, 1000)
    await stage.audited()


async def test_of_two_drivers_at_one_evse_exactly_one_is_served(stage: Stage) -> None:
    other = await stage.rich_driver("other", 5000)
    quotes = [await stage.quote(), await stage.quote(other)]
    told = await asyncio.gather(*(stage.start("k1", quote=quote) for quote in quotes), return_exceptions=True)
    assert sorted(type(one).__name__ for one in told) == ["ChargingSession", "EvseUnavailable"]
    (refused,) = [one for one in told if isinstance(one, EvseUnavailable)]
    assert refused.status == "CHARGING"
    held = [(await stage.money(driver)).held.minor for driver in (stage.driver, other)]
    assert (sorted(held), len(stage.line.sent)) == ([0, 1000], 1)
    await stage.audited()


async def test_an_evse_is_free_again_when_the_session_has_ended(stage: Stage) -> None:
    other = await stage.rich_driver("other", 5000)
    session = await stage.begun()
    with pytest.raises(EvseUnavailable):
        await stage.start(driver=other)
    await stage.record(stage.patch("S1", COMPLETED, 60, 10_000))
    assert (await stage.start("k2", driver=other)).id != session.id


async def refused_start(stage: Stage, error: type[DomainError], quote: QuoteId) -> None:
    before = await stage.everything()
    with pytest.raises(error):
        await stage.services.charging.start(stage.operator, stage.driver.id, quote, "k1", CAUSE)
    assert await stage.everything() == before
    assert stage.line.sent == []


async def test_an_expired_quote_starts_nothing(stage: Stage) -> None:
    quote = await stage.quote()
    stage.clock.advance(VALID_FOR)
    await refused_start(stage, DeadlinePassed, quote.id)


async def test_somebody_elses_quote_does_not_exist(stage: Stage) -> None:
    quote = await stage.quote(await stage.rich_driver("other", 5000))
    await refused_start(stage, NotFound, quote.id)


async def test_too_little_money_starts_nothing(stage: Stage) -> None:
    quote = await stage.quote(connector=1)
    for number in range(5):
        await stage.record(stage.push(f"S{number}", ACTIVE, 0, 0))
    await refused_start(stage, InsufficientFunds, quote.id)


@pytest.mark.parametrize("status", [EvseStatus.OUTOFORDER, EvseStatus.BLOCKED, EvseStatus.REMOVED])
async def test_an_evse_that_cannot_be_used_starts_nothing(stage: Stage, status: EvseStatus) -> None:
    quote = await stage.quote()
    async with stage.database.transaction() as tx:
        await tx.change(Evse, {"operator_id": stage.operator, "id": stage.evses[0]}, status=status)
    await refused_start(stage, EvseUnavailable, quote.id)


async def test_an_operator_without_commands_starts_nothing(stage: Stage) -> None:
    quote = await stage.quote()
    async with stage.database.transaction() as tx:
        await tx.change(Party, {"operator_id": stage.operator, "id": stage.cpo.id}, commands_url=None)
    await refused_start(stage, EvseUnavailable, quote.id)


# --- stop ---------------------------------------------------------------------------------------------------------


async def test_a_stop_asked_twice_is_asked_once(stage: Stage) -> None:
    session = await stage.begun()
    stopping = await stage.stop(session)
    assert (stopping.status, stopping.stop_reason) == (_Status.STOPPING, StopReason.DRIVER)
    before = await stage.everything()
    assert await stage.stop(session) == stopping
    assert await stage.everything() == before
    assert [sent.session for sent in stage.line.sent if isinstance(sent, Stop)] == ["S1"]
    still, _ = await stage.record(stage.patch("S1", ACTIVE, 10, 1000))
    assert still.status is _Status.STOPPING
    done, _ = await stage.record(stage.patch("S1", COMPLETED, 60, 10_000))
    assert (done.status, done.stop_reason) == (_Status.COMPLETED, StopReason.DRIVER)
    assert await stage.stop(done) == done
    await stage.audited()


async def test_stops_at_once_send_one_order(stage: Stage) -> None:
    session = await stage.begun()
    stopped = await asyncio.gather(*(stage.stop(session) for _ in range(4)))
    assert {one.status for one in stopped} == {_Status.STOPPING}
    assert len(await stage.all(ChargerCommand, kind=CommandKind.STOP)) == 1


async def test_a_session_that_has_not_begun_or_has_failed_cannot_be_stopped(stage: Stage) -> None:
    session = await stage.start()
    with pytest.raises(StateConflict):
        await stage.stop(session)
    await stage.begins(session)
    await stage.record(stage.patch("S1", INVALID, 5, 0))
    before = await stage.everything()
    with pytest.raises(StateConflict):
        await stage.stop(session)
    assert await stage.everything() == before


async def test_somebody_elses_session_can_neither_be_seen_nor_stopped(stage: Stage) -> None:
    session = await stage.begun()
    other = await stage.rich_driver("other", 5000)
    sessions, before = stage.services.sessions, await stage.everything()
    with pytest.raises(NotFound):
        await stage.services.charging.stop(stage.operator, other.id, session.id)
    assert await sessions.session(stage.operator, session.id, other.id) is None
    assert await sessions.active_of(stage.operator, other.id) == []
    with pytest.raises(NotFound):
        await anext(sessions.watch(stage.operator, session.id, other.id, 0))
    assert await stage.everything() == before
    assert [one.id for one in await sessions.active_of(stage.operator, stage.driver.id)] == [session.id]


async def test_staff_may_stop_any_session_of_the_operator(stage: Stage) -> None:
    session = await stage.begun()
    stopped = await stage.services.charging.stop(stage.operator, None, session.id)
    assert stopped.status is _Status.STOPPING
    with pytest.raises(NotFound):
        await stage.services.charging.stop(stage.operator, None, ChargingSessionId(stage.driver.id))
