"""Without Redis nobody waits, and nobody is left with an old state."""

from __future__ import annotations

import asyncio
import signal
import time
import uuid

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api import redis_feed
from api.redis_feed import RedisFeed
from domain.ids import ChargingSessionId
from tests.api.redis_feed.states import charging, is_heard, sent, states, taken
from tests.servers import Valkey


async def test_redis_killed_and_back(server: Valkey, session: ChargingSessionId) -> None:
    here, there = RedisFeed(server.url()), RedisFeed(server.url())
    async with there.listen(session) as mailbox:
        await here.publish(charging(session, 1))
        assert (await states(mailbox)).revision == 1
        server.kill()
        assert await taken(mailbox) is None, "look for yourself"
        await here.publish(charging(session, 2))
        await sent(here)
        await asyncio.to_thread(server.start)
        while not is_heard(there, session):
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
        while not is_heard(feed, session):
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
    others = [charging(ChargingSessionId(uuid.uuid4())) for _ in range(1000)]
    async with here.listen(session) as own, there.listen(session) as mailbox:
        server.process.send_signal(signal.SIGSTOP)
        before = time.monotonic()
        for other in others:
            await here.publish(other)
        await here.publish(charging(session, 1))
        assert time.monotonic() - before < 0.5
        assert len(here._outbox) <= 100
        assert (await states(own)).revision == 1, "the own process hears at once"
        assert await taken(mailbox, 2) is None
        server.process.send_signal(signal.SIGCONT)
        while not is_heard(there, session):
            await taken(mailbox)
        await sent(here)
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
        while not is_heard(there, session):
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
