"""Watching a session: whole states, the newest wins, the final one always comes, and nothing is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import NotFound
from domain.ids import ChargingSessionId
from domain.sessions import ChargingSession, ChargingSessionStatus, InProcessFeed, Mailbox, UpdateKind
from tests.domain.sessions.stage import ACTIVE, COMPLETED, INVALID, Stage

SNAPSHOT, CHANGE, FINAL = UpdateKind.SNAPSHOT, UpdateKind.CHANGE, UpdateKind.FINAL
Updates = AsyncGenerator[tuple[UpdateKind, ChargingSession], None]


@asynccontextmanager
async def watching(stage: Stage, session: ChargingSession, seen: int = 0) -> AsyncIterator[Updates]:
    updates = stage.services.sessions.watch(stage.operator, session.id, stage.driver.id, seen)
    assert isinstance(updates, AsyncGenerator)
    try:
        yield updates
    finally:
        await updates.aclose()
    assert not stage.feed._mailboxes


async def following(updates: Updates) -> tuple[UpdateKind, ChargingSession]:
    return await asyncio.wait_for(anext(updates), 5)


async def test_a_watcher_sees_the_present_every_change_and_the_end(stage: Stage) -> None:
    session, _ = await stage.record(stage.push("S1", ACTIVE, 0, 0))
    async with watching(stage, session) as updates:
        assert await following(updates) == (SNAPSHOT, session)
        changed, _ = await stage.record(stage.patch("S1", None, 30, 5000))
        assert await following(updates) == (CHANGE, changed)
        done, _ = await stage.record(stage.patch("S1", COMPLETED, 60, 10_000))
        assert await following(updates) == (FINAL, done)
        with pytest.raises(StopAsyncIteration):
            await following(updates)


async def test_a_slow_watcher_is_told_the_newest_only(stage: Stage) -> None:
    session, _ = await stage.record(stage.push("S1", ACTIVE, 0, 0))
    async with watching(stage, session) as updates:
        await following(updates)
        told = [(await stage.record(stage.patch("S1", None, minute, 1000 * minute)))[0] for minute in range(1, 5)]
        assert await following(updates) == (CHANGE, told[-1])
        failed, _ = await stage.record(stage.patch("S1", INVALID, 6, None))
        assert (await following(updates), failed.status) == ((FINAL, failed), ChargingSessionStatus.FAILED)


async def test_nothing_is_lost_between_listening_and_looking(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session ends after the row was read and before the reader waits: the mailbox was there already."""
    session, _ = await stage.record(stage.push("S1", ACTIVE, 0, 0))
    looked = stage.services.sessions.session

    async def looked_too_early(*who: object) -> ChargingSession | None:
        found = await looked(*who)  # type: ignore[arg-type]
        await stage.record(stage.patch("S1", COMPLETED, 60, 10_000))
        return found

    async with watching(stage, session) as updates:
        with monkeypatch.context() as patch:
            patch.setattr(stage.services.sessions, "session", looked_too_early)
            assert (await following(updates))[0] is SNAPSHOT
        kind, done = await following(updates)
        assert (kind, done.status) == (FINAL, ChargingSessionStatus.COMPLETED)


async def test_a_session_that_has_ended_is_told_once_even_to_who_has_seen_it(stage: Stage) -> None:
    done = await stage.charged()
    for seen in (0, done.revision, done.revision + 7):
        async with watching(stage, done, seen) as updates:
            assert await following(updates) == (FINAL, done)
            with pytest.raises(StopAsyncIteration):
                await following(updates)


async def test_what_was_seen_is_not_told_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    session, _ = await stage.record(stage.push("S1", ACTIVE, 0, 0))
    look, looked = stage.services.sessions.session, asyncio.Event()

    async def noticed(*who: object) -> ChargingSession | None:
        found = await look(*who)  # type: ignore[arg-type]
        looked.set()
        return found

    monkeypatch.setattr(stage.services.sessions, "session", noticed)
    async with watching(stage, session, session.revision) as updates:
        waiting = asyncio.ensure_future(anext(updates))
        await asyncio.wait_for(looked.wait(), 5)
        changed, _ = await stage.record(stage.patch("S1", None, 30, 5000))
        assert await asyncio.wait_for(waiting, 5) == (CHANGE, changed)


async def test_a_watcher_who_may_have_missed_something_looks_at_the_row(stage: Stage) -> None:
    session, _ = await stage.record(stage.push("S1", ACTIVE, 0, 0))
    async with watching(stage, session) as updates:
        await following(updates)
        ((mailbox,),) = stage.feed._mailboxes.values()
        stage.feed._mailboxes[session.id].remove(mailbox)
        done, _ = await stage.record(stage.patch("S1", COMPLETED, 60, 10_000))
        stage.feed._mailboxes[session.id].add(mailbox)
        mailbox.nudge()
        assert await following(updates) == (FINAL, done)


async def test_leaving_early_leaves_no_mailbox(stage: Stage) -> None:
    session, _ = await stage.record(stage.push("S1", ACTIVE, 0, 0))
    async with watching(stage, session) as updates, watching(stage, session) as others:
        await following(updates)
        await following(others)
        assert [len(boxes) for boxes in stage.feed._mailboxes.values()] == [2]
        await updates.aclose()
        assert [len(boxes) for boxes in stage.feed._mailboxes.values()] == [1]
        await others.aclose()
    with pytest.raises(NotFound):
        await anext(stage.services.sessions.watch(stage.operator, ChargingSessionId(stage.driver.id), None, 0))
    assert not stage.feed._mailboxes


# --- mailboxes ----------------------------------------------------------------------------------------------------


def state(revision: int) -> ChargingSession:
    return ChargingSession.model_construct(revision=revision)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20))
def test_a_mailbox_keeps_the_newest_of_what_came_in_any_order(revisions: list[int]) -> None:
    async def told() -> int:
        mailbox = Mailbox()
        for revision in revisions:
            mailbox.put(state(revision))
        newest = await mailbox.take()
        assert newest is not None
        mailbox.put(state(newest.revision))
        mailbox.put(state(newest.revision - 1))
        assert not mailbox._arrived.is_set()
        return newest.revision

    assert asyncio.run(told()) == max(revisions)


async def test_a_state_is_told_to_those_who_watch_that_session_only() -> None:
    feed, (one, other) = InProcessFeed(), [ChargingSessionId(UUID(int=number)) for number in (1, 2)]
    async with feed.listen(one) as mine, feed.listen(other) as theirs:
        await feed.publish(ChargingSession.model_construct(id=one, revision=1))
        assert await asyncio.wait_for(mine.take(), 5) is not None
        assert not theirs._arrived.is_set()
    assert not feed._mailboxes
