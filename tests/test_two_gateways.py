"""Two gateways and a worker on one PostgreSQL and one Valkey: what is pushed to one is seen at the other."""

from __future__ import annotations

from pathlib import Path

from tests.people import LIVE, gross
from tests.servers import Servers
from tests.stack import Stack

TOPPED_UP = 5000


async def test_a_driver_at_one_gateway_sees_what_is_pushed_to_the_other(
    postgres_url: str, valkey_url: str, tmp_path: Path
) -> None:
    async with Stack(postgres_url, tmp_path, redis_url=valkey_url, gateways=2) as stack:
        here, there = stack.driver("ada", 0), stack.driver("ada", 1)
        await here.top_up(TOPPED_UP)
        assert await there.balance() == TOPPED_UP
        session = await here.start(await there.quote())
        async with here.subscribed(LIVE, id=session["id"]) as near, there.subscribed(LIVE, id=session["id"]) as far:
            await near.more_than(8)
            await there.stop(session)
            final = await near.end()
            assert (await far.end())["session"] == final["session"]
        assert (near.updates[0]["kind"], final["kind"]) == ("SNAPSHOT", "FINAL")
        costs = [gross(one["cost"]["accrued"]) for one in near.sessions]
        assert costs == sorted(costs)
        assert len(set(costs)) > 5
        bill = gross(final["session"]["cdr"]["total"])
        assert await here.balance("total") == await there.balance("total") == TOPPED_UP - bill
        assert "/ocpi/" not in stack.processes["gateway-0"].log.read_text()
        assert stack.tallywatt("audit").returncode == 0


async def test_a_feed_that_dies_and_comes_back_costs_time_and_nothing_else(
    postgres_url: str, servers: Servers, tmp_path: Path
) -> None:
    valkey = servers.valkey("valkey-to-kill")
    async with Stack(postgres_url, tmp_path, redis_url=valkey.url(), gateways=2, speed=60, battery_kwh=200) as stack:
        here, there = stack.driver("ada", 0), stack.driver("ada", 1)
        await here.top_up(TOPPED_UP)
        session = await here.start(await here.quote())
        async with here.subscribed(LIVE, id=session["id"]) as feed:
            await feed.more_than(5)
            valkey.kill()
            seen = len(feed.updates)
            # Without a feed the row is looked at now and then.
            await feed.more_than(seen + 2)
            assert await there.balance("held") > 0
            valkey.start()
            seen = len(feed.updates)
            await feed.more_than(seen + 20)

            valkey.kill()
            await there.stop(session)
            final = await feed.end()
        assert final["kind"] == "FINAL"
        bill = gross(final["session"]["cdr"]["total"])
        assert await here.balance() == await here.balance("total") == TOPPED_UP - bill
        valkey.start()
        assert stack.tallywatt("audit").returncode == 0
    valkey.stop()
