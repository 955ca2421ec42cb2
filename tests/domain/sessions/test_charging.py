"""Start and stop by the app: the wish and the money first, then the charge point, whatever it answers."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain.database import Database
from domain.errors import (
    DeadlinePassed,
    DomainError,
    EvseUnavailable,
    IdempotencyConflict,
    InsufficientFunds,
    NotFound,
    StateConflict,
    StationUnreachable,
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
    Reply,
    SessionChannel,
    Start,
    Stop,
    StopReason,
    TokenName,
)
from domain.sessions.ordering import BEGIN_WITHIN, LEASE, PATIENCE, PAUSE
from domain.sessions.quoting import VALID_FOR
from domain.wallets import Hold, HoldStatus
from tests.domain.sessions.stage import ACTIVE, CAUSE, COMPLETED, INVALID, NOON, Stage, after, built

_Status = ChargingSessionStatus


@pytest.fixture
async def stage(database: Database) -> Stage:
    return await built(database)


async def app_push(stage: Stage, session: ChargingSession) -> tuple[ChargingSession, Recorded]:
    """The charge point tells that the session we asked for has begun."""
    token = TokenName(("de", "twt"), session.token_uid, session.contract_id, is_app=True)
    reference = session.authorization_reference
    return await stage.record(stage.push("S1", ACTIVE, 0, 0, token=token, authorization_reference=reference))


async def begun(stage: Stage) -> ChargingSession:
    session, _ = await app_push(stage, await stage.start())
    return session


async def order(stage: Stage, kind: CommandKind) -> ChargerCommand:
    return (await stage.all(ChargerCommand, kind=kind))[-1]


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
    session, outcome = await app_push(stage, asked)
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
    session = await begun(stage)
    with pytest.raises(EvseUnavailable):
        await stage.start(driver=other)
    await stage.record(stage.patch("S1", COMPLETED, 60, 10_000))
    assert (await stage.start(driver=other)).id != session.id


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


# --- what the charge point's operator answers ---------------------------------------------------------------------


@pytest.mark.parametrize(("reply", "error"), [(Reply.REFUSED, EvseUnavailable), (Reply.NOT_SENT, StationUnreachable)])
async def test_after_a_no_the_money_is_free_and_the_key_may_be_used_again(
    stage: Stage, reply: Reply, error: type[DomainError]
) -> None:
    quote = await stage.quote()
    stage.line.replies = [reply]
    with pytest.raises(error):
        await stage.start("k1", quote=quote)
    failed = await stage.one(ChargingSession)
    command = await stage.one(ChargerCommand)
    assert (failed.status, failed.idempotency_key) == (_Status.FAILED, None)
    assert (command.state, command.result) == (CommandState.REFUSED, reply.value.upper())
    assert (await stage.spendable(), (await stage.money()).held.minor) == (5000, 0)
    again = await stage.start("k1", quote=quote)
    assert (again.id != failed.id, again.status) == (True, _Status.PENDING)
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
        await app_push(stage, await stage.one(ChargingSession))

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
    session = await begun(stage)
    stage.clock.advance(BEGIN_WITHIN * 10)
    await stage.services.orders.push_on(stage.operator)
    assert (await stage.session(session)).status is _Status.CHARGING
    assert (await stage.money()).held.minor == 1000


async def test_a_session_that_runs_although_we_gave_up_is_recorded_and_billed(stage: Stage) -> None:
    asked = await stage.start()
    stage.clock.advance(PATIENCE)
    await stage.services.orders.push_on(stage.operator)
    session, outcome = await app_push(stage, asked)
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


# --- stop ---------------------------------------------------------------------------------------------------------


async def stop(stage: Stage, session: ChargingSession) -> ChargingSession:
    return await stage.services.charging.stop(stage.operator, stage.driver.id, session.id)


async def test_a_stop_asked_twice_is_asked_once(stage: Stage) -> None:
    session = await begun(stage)
    stopping = await stop(stage, session)
    assert (stopping.status, stopping.stop_reason) == (_Status.STOPPING, StopReason.DRIVER)
    before = await stage.everything()
    assert await stop(stage, session) == stopping
    assert await stage.everything() == before
    assert [sent.session for sent in stage.line.sent if isinstance(sent, Stop)] == ["S1"]
    still, _ = await stage.record(stage.patch("S1", ACTIVE, 10, 1000))
    assert still.status is _Status.STOPPING
    done, _ = await stage.record(stage.patch("S1", COMPLETED, 60, 10_000))
    assert (done.status, done.stop_reason) == (_Status.COMPLETED, StopReason.DRIVER)
    assert await stop(stage, done) == done
    await stage.audited()


async def test_stops_at_once_send_one_order(stage: Stage) -> None:
    session = await begun(stage)
    stopped = await asyncio.gather(*(stop(stage, session) for _ in range(4)))
    assert {one.status for one in stopped} == {_Status.STOPPING}
    assert len(await stage.all(ChargerCommand, kind=CommandKind.STOP)) == 1


async def test_a_station_that_refuses_to_stop_goes_on(stage: Stage) -> None:
    session = await begun(stage)
    await stop(stage, session)
    command = await order(stage, CommandKind.STOP)
    await stage.services.orders.conclude(stage.cpo, command.id, "REJECTED")
    running = await stage.session(session)
    assert (running.status, running.stop_reason) == (_Status.CHARGING, None)
    assert (await stop(stage, session)).status is _Status.STOPPING
    assert len(await stage.all(ChargerCommand, kind=CommandKind.STOP)) == 2


async def test_a_stop_that_could_not_be_sent_is_tried_again_by_the_worker(stage: Stage) -> None:
    session = await begun(stage)
    stage.line.replies = [Reply.NOT_SENT, Reply.NOT_SENT]
    with pytest.raises(StationUnreachable):
        await stop(stage, session)
    assert await stage.services.orders.push_on(stage.operator) == 0
    for state in (CommandState.NOTED, CommandState.SENT):
        stage.clock.advance(PAUSE)
        assert await stage.services.orders.push_on(stage.operator) == 1
        assert (await order(stage, CommandKind.STOP)).state is state
    assert (await order(stage, CommandKind.STOP)).tries == 3


async def test_a_stop_that_nobody_confirms_is_given_up_and_the_session_goes_on(stage: Stage) -> None:
    session = await begun(stage)
    await stop(stage, session)
    stage.clock.advance(PATIENCE)
    await stage.services.orders.push_on(stage.operator)
    assert (await stage.session(session)).status is _Status.CHARGING


async def test_a_session_that_has_not_begun_or_has_failed_cannot_be_stopped(stage: Stage) -> None:
    session = await stage.start()
    with pytest.raises(StateConflict):
        await stop(stage, session)
    await app_push(stage, session)
    await stage.record(stage.patch("S1", INVALID, 5, 0))
    before = await stage.everything()
    with pytest.raises(StateConflict):
        await stop(stage, session)
    assert await stage.everything() == before


async def test_somebody_elses_session_can_neither_be_seen_nor_stopped(stage: Stage) -> None:
    session = await begun(stage)
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
    session = await begun(stage)
    stopped = await stage.services.charging.stop(stage.operator, None, session.id)
    assert stopped.status is _Status.STOPPING
    with pytest.raises(NotFound):
        await stage.services.charging.stop(stage.operator, None, ChargingSessionId(stage.driver.id))


async def test_an_order_is_sent_by_whoever_comes_first(stage: Stage) -> None:
    session = await begun(stage)
    stage.line.replies = [Reply.NOT_SENT]
    with pytest.raises(StationUnreachable):
        await stop(stage, session)
    command = await order(stage, CommandKind.STOP)
    replies = await asyncio.gather(*(stage.services.orders.send(command) for _ in range(3)))
    assert sorted(map(str, replies)) == ["None", "None", "accepted"]
    assert (await order(stage, CommandKind.STOP)).tries == 2


async def test_an_order_that_became_pointless_is_not_sent(stage: Stage) -> None:
    session = await begun(stage)
    stage.line.replies = [Reply.NOT_SENT]
    with pytest.raises(StationUnreachable):
        await stop(stage, session)
    await stage.record(stage.patch("S1", COMPLETED, 60, 10_000, ended_at=after(60)))
    sent = len(stage.line.sent)
    stage.clock.advance(PAUSE)
    await stage.services.orders.push_on(stage.operator)
    assert len(stage.line.sent) == sent
    assert (await stage.session(session)).status is _Status.COMPLETED
