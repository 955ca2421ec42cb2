"""Two processes' feeds over one Valkey, and a Valkey that may be killed."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from api.redis_feed import RedisFeed
from domain.ids import ChargingSessionId
from tests.servers import Servers, Valkey


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
