from __future__ import annotations

import asyncio
import signal
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import orjson
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api import redis_feed
from api.redis_feed import RedisFeed
from domain.ids import (
    ChargingSessionId,
    ConnectorId,
    EvseId,
    LocationId,
    OperatorId,
    PartyId,
    TariffId,
)
from domain.sessions import ChargingSession, ChargingSessionStatus, Feed, Mailbox, SessionChannel, StopReason
from tests.servers import Servers, Valkey

NOW = datetime(2026, 6, 1, 12, 0, 0, 123000, tzinfo=UTC)


def charging(session: ChargingSessionId, revision: int = 1) -> ChargingSession:
    return ChargingSession(
        operator_id=OperatorId(uuid.UUID(int=1)),
        id=session,
        revision=revision,
        party_id=PartyId(uuid.UUID(int=2)),
        channel=SessionChannel.ROAMING,
        token_party="DE*TWA",
        token_uid="0401",
        location_id=LocationId(uuid.UUID(int=3)),
        evse_id=EvseId(uuid.UUID(int=4)),
        connector_id=ConnectorId(uuid.UUID(int=5)),
        tariff_id=TariffId(uuid.UUID(int=6)),
        time_zone="Europe/Berlin",
        country="DE",
        status=ChargingSessionStatus.SUSPENDED,
        stop_reason=StopReason.FUNDS_EXHAUSTED,
        requested_at=NOW,
        started_at=NOW,
        metered_at=NOW,
        energy_wh=2**40,
        currency="EUR",
        net_minor=-5,
        lines='[{"é": "\u2028"}]',
        updated_at=NOW,
    )


async def taken(mailbox: Mailbox, seconds: float = 5) -> ChargingSession | None:
    async with asyncio.timeout(seconds):
        return await mailbox.take()


async def states(mailbox: Mailbox, seconds: float = 5) -> ChargingSession:
    """The next state; whatever asks to look is passed over."""
    async with asyncio.timeout(seconds):
        while (state := await mailbox.take()) is None:
            pass
        return state


async def nothing_comes(mailbox: Mailbox) -> bool:
    try:
        await taken(mailbox, 0.3)
    except TimeoutError:
        return True
    return False


@pytest.fixture
def session() -> ChargingSessionId:
    return ChargingSessionId(uuid.uuid4())


@pytest.fixture
async def here(valkey_url: str) -> AsyncIterator[RedisFeed]:
    feed = RedisFeed(valkey_url)
    yield feed
    await feed.close()


@pytest.fixture
async def there(valkey_url: str) -> AsyncIterator[RedisFeed]:
    feed = RedisFeed(valkey_url)
    yield feed
    await feed.close()


@pytest.fixture
async def redis(valkey_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(valkey_url) as client:
        yield client


@pytest.fixture
def server(servers: Servers) -> Iterator[Valkey]:
    """A Valkey that this test may kill."""
    own = servers.valkey(f"feed-{uuid.uuid4().hex[:8]}")
    yield own
    own.stop()


async def subscribers(redis: Redis, session: ChargingSessionId) -> int:
    [(_, count)] = await redis.pubsub_numsub(f"tallywatt:session:{session}")
    return int(count)


# --- from one process to another ----------------------------------------------------------------------------------


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
    await asyncio.sleep(0.1)
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


# --- without Redis ------------------------------------------------------------------------------------------------


async def test_redis_killed_and_back(server: Valkey, session: ChargingSessionId) -> None:
    here, there = RedisFeed(server.url()), RedisFeed(server.url())
    async with there.listen(session) as mailbox:
        await here.publish(charging(session, 1))
        assert (await states(mailbox)).revision == 1
        server.kill()
        assert await taken(mailbox) is None, "look for yourself"
        await here.publish(charging(session, 2))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(server.start)
        while not there._channels[f"tallywatt:session:{session}"].subscribed.is_set():
            assert await taken(mailbox) is None, "look: revision 2 was lost"
        await here.publish(charging(session, 3))
        assert (await states(mailbox)).revision == 3
    await here.close()
    await there.close()


async def test_listeners_look_every_three_seconds_while_redis_is_away(
    server: Valkey, session: ChargingSessionId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_feed, "AWAY_SECONDS", 0.6)
    monkeypatch.setattr(redis_feed, "REDIS_SECONDS", 0.2)
    server.kill()
    feed = RedisFeed(server.url())
    before = time.monotonic()
    async with feed.listen(session) as mailbox:
        assert time.monotonic() - before < 0.5, "nobody waits for Redis"
        for _ in range(4):
            assert await taken(mailbox, 0.9) is None
        await asyncio.to_thread(server.start)
        while not feed._channels[f"tallywatt:session:{session}"].subscribed.is_set():
            assert await taken(mailbox) is None
        await feed.publish(charging(session))
        assert (await states(mailbox)).revision == 1
    await feed.close()


async def test_a_paused_redis_is_noticed_and_never_waited_for(
    server: Valkey, session: ChargingSessionId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_feed, "AWAY_SECONDS", 0.6)
    monkeypatch.setattr(redis_feed, "REDIS_SECONDS", 0.2)
    monkeypatch.setattr(redis_feed, "MOST_WAITING", 100)
    here, there = RedisFeed(server.url()), RedisFeed(server.url())
    async with here.listen(session) as own, there.listen(session) as mailbox:
        server.process.send_signal(signal.SIGSTOP)
        before = time.monotonic()
        for _ in range(1000):
            await here.publish(charging(ChargingSessionId(uuid.uuid4())))
        await here.publish(charging(session, 1))
        assert time.monotonic() - before < 0.5
        assert len(here._outbox) <= 100
        assert (await states(own)).revision == 1, "the own process hears at once"
        assert await taken(mailbox, 2) is None
        server.process.send_signal(signal.SIGCONT)
        while not there._channels[f"tallywatt:session:{session}"].subscribed.is_set():
            await taken(mailbox)
        async with asyncio.timeout(5):
            await here._emptied.wait()
        await here.publish(charging(session, 2))
        assert (await states(mailbox)).revision == 2
    await here.close()
    await there.close()


async def test_a_dropped_connection_is_made_again(
    here: RedisFeed, there: RedisFeed, redis: Redis, session: ChargingSessionId
) -> None:
    async with there.listen(session) as mailbox:
        await redis.client_kill_filter(_type="pubsub")
        assert await taken(mailbox) is None
        while not there._channels[f"tallywatt:session:{session}"].subscribed.is_set():
            await taken(mailbox)
        await here.publish(charging(session))
        assert (await states(mailbox)).revision == 1


async def test_closing_sends_what_waits(here: RedisFeed, there: RedisFeed, session: ChargingSessionId) -> None:
    async with there.listen(session) as mailbox:
        await here.publish(charging(session))
        await here.close()
        assert await taken(mailbox)


async def test_closing_without_redis_is_quick(server: Valkey, session: ChargingSessionId) -> None:
    server.kill()
    feed = RedisFeed(server.url())
    await feed.publish(charging(session))
    before = time.monotonic()
    await feed.close()
    await feed.close()
    assert time.monotonic() - before < 1


async def test_an_unused_feed_opens_nothing(valkey_url: str, redis: Redis) -> None:
    feed = RedisFeed(valkey_url)
    await feed.close()
    assert len(await redis.client_list()) == 1


async def test_health_asks_redis(here: RedisFeed, server: Valkey) -> None:
    await here.ping()
    server.kill()
    away = RedisFeed(server.url())
    with pytest.raises(RedisError):
        await away.ping()
    await away.close()
