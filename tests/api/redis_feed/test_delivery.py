"""From one process to another: whole states, the newest, to those who listen."""

from __future__ import annotations

import asyncio
import time
import uuid

import orjson
import pytest
from redis.asyncio import Redis

from api.redis_feed import RedisFeed
from domain.ids import ChargingSessionId
from domain.sessions import ChargingSessionStatus, Feed, StopReason
from tests.api.redis_feed.states import NOW, charging, nothing_comes, states, taken


async def subscribers(redis: Redis, session: ChargingSessionId) -> int:
    [(_, count)] = await redis.pubsub_numsub(f"tallywatt:session:{session}")
    return int(count)


async def test_a_state_arrives_whole_in_another_process(
    here: RedisFeed, there: RedisFeed, session: ChargingSessionId
) -> None:
    feed: Feed = there
    async with feed.listen(session) as mailbox:
        await here.publish(charging(session))
        arrived = await taken(mailbox)
    assert arrived == charging(session)
    assert arrived is not None
    assert isinstance(arrived.id, uuid.UUID)
    assert isinstance(arrived.status, ChargingSessionStatus)
    assert isinstance(arrived.stop_reason, StopReason)
    assert arrived.started_at == NOW
    assert arrived.started_at.utcoffset() is not None
    assert arrived.model_dump() == charging(session).model_dump()


async def test_a_state_arrives_in_its_own_process_once(here: RedisFeed, session: ChargingSessionId) -> None:
    async with here.listen(session) as mailbox:
        await here.publish(charging(session))
        assert await taken(mailbox)
        assert await nothing_comes(mailbox), "what comes back from Redis is no newer"


async def test_whoever_listens_misses_nothing_from_then_on(here: RedisFeed, there: RedisFeed) -> None:
    for _ in range(50):
        session = ChargingSessionId(uuid.uuid4())
        async with there.listen(session) as mailbox:
            await here.publish(charging(session))
            assert await taken(mailbox)


async def test_everybody_hears_of_their_own_session_only(here: RedisFeed, there: RedisFeed) -> None:
    first, second = ChargingSessionId(uuid.uuid4()), ChargingSessionId(uuid.uuid4())
    async with there.listen(first) as one, there.listen(first) as two, there.listen(second) as other:
        await here.publish(charging(first))
        arrived = [await taken(one), await taken(two)]
        assert [state.id for state in arrived if state] == [first, first]
        assert await nothing_comes(other)


async def test_the_newest_wins_whatever_the_order(
    here: RedisFeed, there: RedisFeed, session: ChargingSessionId
) -> None:
    async with there.listen(session) as mailbox:
        for revision in (1, 5, 3, 2, 4):
            await here.publish(charging(session, revision))
        seen = [(await states(mailbox)).revision]
        while seen[-1] < 5:
            seen.append((await states(mailbox)).revision)
        assert seen == sorted(set(seen))
        assert await nothing_comes(mailbox)


async def test_a_burst_ends_with_its_last_state(here: RedisFeed, there: RedisFeed, session: ChargingSessionId) -> None:
    async with there.listen(session) as mailbox:
        for revision in range(1, 2001):
            await here.publish(charging(session, revision))
        assert len(here._outbox) <= 1
        while (await states(mailbox)).revision < 2000:
            pass


async def test_one_subscription_a_process_counted(there: RedisFeed, redis: Redis, session: ChargingSessionId) -> None:
    async with there.listen(session):
        async with there.listen(session):
            assert await subscribers(redis, session) == 1
            connected = [client for client in await redis.client_list() if client["sub"] != "0"]
            assert len(connected) == 1
        assert await subscribers(redis, session) == 1
    for _ in range(100):
        if await subscribers(redis, session) == 0:
            break
        await asyncio.sleep(0.02)
    assert await subscribers(redis, session) == 0
    assert there._channels == {}


async def test_who_leaves_and_comes_back_hears_again(
    here: RedisFeed, there: RedisFeed, session: ChargingSessionId
) -> None:
    for revision in range(1, 50):
        async with there.listen(session) as mailbox:
            await here.publish(charging(session, revision))
            assert (await states(mailbox)).revision == revision
        if revision % 3:
            await asyncio.sleep(0)


async def test_who_is_cancelled_while_listening_leaves_nothing(there: RedisFeed, session: ChargingSessionId) -> None:
    async def listening() -> None:
        async with there.listen(session) as mailbox:
            await mailbox.take()

    tasks = [asyncio.create_task(listening()) for _ in range(20)]
    for index, task in enumerate(tasks):
        await asyncio.sleep(0.001 * index)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert there._channels == {}


async def test_who_left_before_redis_answered_is_heard_at_once_when_back(
    here: RedisFeed, there: RedisFeed, session: ChargingSessionId
) -> None:
    async with there.listen(ChargingSessionId(uuid.uuid4())):
        pass
    for pause in range(20):
        leaving = asyncio.create_task(there.listen(session).__aenter__())
        for _ in range(pause):
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    async with there.listen(ChargingSessionId(uuid.uuid4())):  # Redis answers in order: this one comes last
        pass
    before = time.monotonic()
    async with there.listen(session) as mailbox:
        assert time.monotonic() - before < 0.4
        await here.publish(charging(session))
        assert (await states(mailbox)).revision == 1


async def test_many_sessions_at_once(here: RedisFeed, there: RedisFeed) -> None:
    sessions = [ChargingSessionId(uuid.uuid4()) for _ in range(300)]

    async def hears(session: ChargingSessionId) -> None:
        async with there.listen(session) as mailbox:
            await here.publish(charging(session))
            assert (await states(mailbox)).id == session

    await asyncio.gather(*map(hears, sessions))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        orjson.dumps(charging(ChargingSessionId(uuid.UUID(int=9))).model_dump(mode="json")),
    ],
)
async def test_a_message_that_cannot_be_read_makes_listeners_look(
    here: RedisFeed, there: RedisFeed, redis: Redis, session: ChargingSessionId, content: bytes
) -> None:
    async with there.listen(session) as mailbox:
        await redis.publish(f"tallywatt:session:{session}", content)
        assert await taken(mailbox) is None
        await here.publish(charging(session))
        assert await taken(mailbox), "and what can be read still comes"
