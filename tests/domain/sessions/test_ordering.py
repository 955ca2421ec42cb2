"""Orders to charge points: whatever is answered, late, twice or never, the money ends where it belongs."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain.errors import DomainError, EvseUnavailable, NotFound, StationUnreachable
from domain.sessions import (
    ChargerCommand,
    ChargingSession,
    ChargingSessionStatus,
    CommandKind,
    CommandState,
    Quote,
    Recorded,
    Reply,
    SessionChannel,
    Start,
    Stop,
    StopReason,
)
from domain.sessions.ordering import BEGIN_WITHIN, LEASE, PATIENCE, PAUSE
from domain.wallets import HoldStatus
from tests.domain.sessions.ocpi_objects import after
from tests.domain.sessions.stage import COMPLETED, Stage

_Status = ChargingSessionStatus


async def order(stage: Stage, kind: CommandKind) -> ChargerCommand:
    return (await stage.all(ChargerCommand, kind=kind))[-1]


# --- what the charge point's operator answers ---------------------------------------------------------------------


async def failed_start(stage: Stage, reply: Reply, error: type[DomainError]) -> tuple[ChargingSession, Quote]:
    quote = await stage.quote()
    stage.line.replies = [reply]
    with pytest.raises(error):
        await stage.start("k1", quote=quote)
    failed = await stage.one(ChargingSession)
    command = await stage.one(ChargerCommand)
    assert failed.status is _Status.FAILED
    assert (command.state, command.result) == (CommandState.REFUSED, reply.value.upper())
    assert (await stage.spendable(), (await stage.money()).held.minor) == (5000, 0)
    return failed, quote


async def test_an_order_that_was_never_sent_frees_its_key(stage: Stage) -> None:
    failed, quote = await failed_start(stage, Reply.NOT_SENT, StationUnreachable)
    again = await stage.start("k1", quote=quote)
    assert (again.id != failed.id, again.status) == (True, _Status.PENDING)
    await stage.audited()


async def test_a_start_that_was_refused_stays_refused(stage: Stage) -> None:
    _, quote = await failed_start(stage, Reply.REFUSED, EvseUnavailable)
    for _ in range(2):
        with pytest.raises(EvseUnavailable):
            await stage.start("k1", quote=quote)
    assert len(await stage.all(ChargingSession)) == len(stage.line.sent) == 1
    assert (await stage.start("k2", quote=quote)).status is _Status.PENDING
    await stage.audited()


@pytest.mark.parametrize(
    ("reply", "state"), [(Reply.ACCEPTED, CommandState.SENT), (Reply.UNKNOWN, CommandState.UNKNOWN)]
)
async def test_a_maybe_keeps_the_money_until_it_is_known(stage: Stage, reply: Reply, state: CommandState) -> None:
    stage.line.replies = [reply]
    session = await stage.start()
    assert (session.status, (await stage.one(ChargerCommand)).state) == (_Status.PENDING, state)
    assert (await stage.money()).held.minor == 1000
    command = await stage.one(ChargerCommand)
    await stage.services.orders.conclude(stage.cpo, command.id, "ACCEPTED")
    assert (await stage.one(ChargerCommand)).state is CommandState.DONE
    assert (await stage.session(session)).status is _Status.PENDING


async def test_a_result_that_says_no_fails_the_session_and_frees_the_money(stage: Stage) -> None:
    session = await stage.start()
    command = await stage.one(ChargerCommand)
    async with stage.feed.listen(session.id) as mailbox:
        await stage.services.orders.conclude(stage.cpo, command.id, "EVSE_OCCUPIED")
        told = await asyncio.wait_for(mailbox.take(), 5)
    assert told is not None
    assert (told.status, told.stop_reason) == (_Status.FAILED, StopReason.STATION)
    assert ((await stage.one(ChargerCommand)).result, await stage.spendable()) == ("EVSE_OCCUPIED", 5000)
    before = await stage.everything()
    await stage.services.orders.conclude(stage.cpo, command.id, "ACCEPTED")
    assert await stage.everything() == before
    await stage.audited()


async def test_a_result_from_another_party_is_about_nothing(stage: Stage) -> None:
    await stage.start()
    command = await stage.one(ChargerCommand)
    before = await stage.everything()
    with pytest.raises(NotFound):
        await stage.services.orders.conclude(stage.biller, command.id, "REJECTED")
    assert await stage.everything() == before


async def test_a_result_faster_than_our_own_note_of_sending_counts(stage: Stage) -> None:
    """The operator calls back before its answer to our request has arrived."""
    stage.line.meanwhile = lambda sent: stage.services.orders.conclude(stage.cpo, sent.command, "REJECTED")
    session = await stage.start()
    assert (session.status, await stage.spendable()) == (_Status.FAILED, 5000)
    assert (await stage.one(ChargerCommand)).state is CommandState.REFUSED
    await stage.audited()


async def test_a_push_faster_than_the_answer_keeps_the_session(stage: Stage) -> None:
    async def pushed(_: Start | Stop) -> None:
        await stage.begins(await stage.one(ChargingSession))

    stage.line.meanwhile, stage.line.replies = pushed, [Reply.REFUSED]
    with pytest.raises(EvseUnavailable):
        await stage.start()
    session = await stage.one(ChargingSession)
    assert (session.status, session.ocpi_id) == (_Status.CHARGING, "S1")
    assert (await stage.money()).held.minor == 1000


# --- given up -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [Reply.ACCEPTED, Reply.UNKNOWN])
async def test_a_start_that_nobody_confirms_is_given_up(stage: Stage, reply: Reply) -> None:
    stage.line.replies = [reply]
    session = await stage.start()
    stage.clock.advance(PATIENCE - timedelta(milliseconds=1))
    await stage.services.orders.push_on(stage.operator)
    assert (await stage.session(session)).status is _Status.PENDING
    stage.clock.advance(timedelta(milliseconds=1))
    assert await stage.services.orders.push_on(stage.operator) == 1
    assert (await stage.session(session)).status is _Status.FAILED
    assert (await stage.spendable(), (await stage.one(ChargerCommand)).result) == (5000, "EXPIRED")
    assert await stage.services.orders.push_on(stage.operator) == 0
    assert len(stage.line.sent) == 1
    await stage.audited()


async def test_a_confirmed_start_that_never_begins_is_given_up_too(stage: Stage) -> None:
    session = await stage.start()
    await stage.services.orders.conclude(stage.cpo, (await stage.one(ChargerCommand)).id, "ACCEPTED")
    stage.clock.advance(BEGIN_WITHIN - timedelta(milliseconds=1))
    assert await stage.services.orders.push_on(stage.operator) == 0
    stage.clock.advance(timedelta(milliseconds=1))
    assert await stage.services.orders.push_on(stage.operator) == 1
    assert (await stage.session(session)).status is _Status.FAILED
    assert (await stage.held(session)).status is HoldStatus.RELEASED
    assert await stage.services.orders.push_on(stage.operator) == 0
    await stage.audited()


async def test_a_session_that_began_is_never_given_up(stage: Stage) -> None:
    session = await stage.begun()
    stage.clock.advance(BEGIN_WITHIN * 10)
    await stage.services.orders.push_on(stage.operator)
    assert (await stage.session(session)).status is _Status.CHARGING
    assert (await stage.money()).held.minor == 1000


async def test_a_session_that_runs_although_we_gave_up_is_recorded_and_billed(stage: Stage) -> None:
    asked = await stage.start()
    stage.clock.advance(PATIENCE)
    await stage.services.orders.push_on(stage.operator)
    session, outcome = await stage.begins(asked)
    assert (outcome, session.id != asked.id, session.driver_id) == (Recorded.CREATED, True, stage.driver.id)
    assert (session.channel, (await stage.money()).held.minor) == (SessionChannel.APP, 1000)
    done, _ = await stage.record(stage.patch("S1", COMPLETED, 60, 10_000))
    assert (done.status, await stage.spendable()) == (_Status.COMPLETED, 4286)
    assert (await stage.session(asked)).status is _Status.FAILED
    await stage.audited()


async def test_an_order_whose_sender_died_is_asked_about_and_never_started_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(sent: Start | Stop) -> Reply:
        raise ConnectionAbortedError(str(sent.command))

    with monkeypatch.context() as patch:
        patch.setattr(stage.line, "send", dies)
        with pytest.raises(ConnectionAbortedError):
            await stage.start()
    assert (await stage.one(ChargerCommand)).state is CommandState.SENDING
    stage.clock.advance(LEASE)
    await stage.services.orders.push_on(stage.operator)
    assert (await stage.one(ChargerCommand)).state is CommandState.UNKNOWN
    stage.clock.advance(PATIENCE)
    await stage.services.orders.push_on(stage.operator)
    assert (stage.line.sent, await stage.spendable()) == ([], 5000)


async def test_a_station_that_refuses_to_stop_goes_on(stage: Stage) -> None:
    session = await stage.begun()
    await stage.stop(session)
    command = await order(stage, CommandKind.STOP)
    await stage.services.orders.conclude(stage.cpo, command.id, "REJECTED")
    running = await stage.session(session)
    assert (running.status, running.stop_reason) == (_Status.CHARGING, None)
    assert (await stage.stop(session)).status is _Status.STOPPING
    assert len(await stage.all(ChargerCommand, kind=CommandKind.STOP)) == 2


async def test_a_stop_that_could_not_be_sent_is_tried_again_by_the_worker(stage: Stage) -> None:
    session = await stage.begun()
    stage.line.replies = [Reply.NOT_SENT, Reply.NOT_SENT]
    with pytest.raises(StationUnreachable):
        await stage.stop(session)
    assert await stage.services.orders.push_on(stage.operator) == 0
    for state in (CommandState.NOTED, CommandState.SENT):
        stage.clock.advance(PAUSE)
        assert await stage.services.orders.push_on(stage.operator) == 1
        assert (await order(stage, CommandKind.STOP)).state is state
    assert (await order(stage, CommandKind.STOP)).tries == 3


async def test_a_stop_that_nobody_confirms_is_given_up_and_the_session_goes_on(stage: Stage) -> None:
    session = await stage.begun()
    await stage.stop(session)
    stage.clock.advance(PATIENCE)
    await stage.services.orders.push_on(stage.operator)
    assert (await stage.session(session)).status is _Status.CHARGING


async def test_an_order_is_sent_by_whoever_comes_first(stage: Stage) -> None:
    session = await stage.begun()
    stage.line.replies = [Reply.NOT_SENT]
    with pytest.raises(StationUnreachable):
        await stage.stop(session)
    command = await order(stage, CommandKind.STOP)
    replies = await asyncio.gather(*(stage.services.orders.send(command) for _ in range(3)))
    assert sorted(map(str, replies)) == ["None", "None", "accepted"]
    assert (await order(stage, CommandKind.STOP)).tries == 2


async def test_an_order_that_became_pointless_is_not_sent(stage: Stage) -> None:
    session = await stage.begun()
    stage.line.replies = [Reply.NOT_SENT]
    with pytest.raises(StationUnreachable):
        await stage.stop(session)
    await stage.record(stage.patch("S1", COMPLETED, 60, 10_000, ended_at=after(60)))
    sent = len(stage.line.sent)
    stage.clock.advance(PAUSE)
    await stage.services.orders.push_on(stage.operator)
    assert len(stage.line.sent) == sent
    assert (await stage.session(session)).status is _Status.COMPLETED
