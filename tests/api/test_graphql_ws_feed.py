"""What a feed sends over a socket, until the session is billed or the watcher leaves."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import orjson

from domain.sessions import TheirStatus
from resolvers.principal import Role
from tests.resolvers.gateway import Gateway, gid
from tests.resolvers.sockets import WATCH, listened, listening, sockets


def event(frame: dict[str, Any]) -> dict[str, Any]:
    assert frame["type"] == "next", frame
    update: dict[str, Any] = frame["payload"]["data"]["chargingSession"]
    return update


async def test_a_session_is_watched_to_its_bill(gateway: Gateway) -> None:
    session = await gateway.push("S-1", TheirStatus.ACTIVE, 0)
    key = gid("ChargingSession", session.id)
    async with sockets(gateway) as open_socket:
        socket = await open_socket()
        await socket.init()
        await socket.start("1", WATCH, id=key)
        seen = [event(await socket.of("1"))]
        await gateway.push("S-1", TheirStatus.ACTIVE, 60, "1")
        seen.append(event(await socket.of("1")))
        await gateway.push("S-1", TheirStatus.COMPLETED, 1800, "10")
        seen.append(event(await socket.of("1")))
        assert await socket.of("1") == {"id": "1", "type": "complete"}
        assert [update["kind"] for update in seen] == ["SNAPSHOT", "CHANGE", "FINAL"]
        revisions = [update["session"]["revision"] for update in seen]
        assert revisions == sorted(set(revisions))
        assert [update["session"]["cdr"] is None for update in seen] == [True, True, False]
        last = seen[-1]["session"]
        assert last["status"] == "COMPLETED"
        assert last["cdr"]["total"]["gross"] == last["cost"]["ifStoppedNow"]["gross"]
        await listened(gateway, 0)
        await socket.start("1", WATCH, id=key)
        assert event(await socket.of("1"))["kind"] == "FINAL"
        assert (await socket.of("1"))["type"] == "complete"


async def test_a_feed_goes_on_where_it_was_left(gateway: Gateway) -> None:
    session = await gateway.push("S-1", TheirStatus.ACTIVE, 0)
    other = await gateway.push("S-2", TheirStatus.ACTIVE, 0, evse="EVSE-2")
    key = gid("ChargingSession", session.id)
    async with sockets(gateway) as open_socket:
        socket = await open_socket()
        await socket.init()
        await socket.start("first", WATCH, id=key)
        await socket.start("other", WATCH, id=gid("ChargingSession", other.id))
        cursor = event(await socket.of("first"))["cursor"]
        foreign = event(await socket.of("other"))["cursor"]

        await socket.start("present", WATCH, id=key, after=cursor)
        await listened(gateway, 3)
        await socket.send({"type": "ping"})
        assert await socket.read() == {"type": "pong"}, "the present revision says nothing"
        await gateway.push("S-1", TheirStatus.ACTIVE, 60, "1")
        changed = event(await socket.of("present"))
        assert (changed["kind"], changed["session"]["energyKwh"]) == ("CHANGE", "1.000")

        await socket.start("older", WATCH, id=key, after=cursor)
        assert event(await socket.of("older"))["session"]["revision"] == changed["session"]["revision"]
        for number, unknown in enumerate(("garbage", foreign, cursor[:-2])):
            await socket.start(f"unknown{number}", WATCH, id=key, after=unknown)
            assert event(await socket.of(f"unknown{number}"))["kind"] == "SNAPSHOT"

        await gateway.push("S-1", TheirStatus.COMPLETED, 1800, "10")
        final = event(await socket.of("present"))
        await socket.start("after", WATCH, id=key, after=final["cursor"])
        assert event(await socket.of("after"))["kind"] == "FINAL"
        assert (await socket.of("after"))["type"] == "complete"


async def test_what_is_not_ones_own_is_not_there(gateway: Gateway) -> None:
    session = await gateway.push("S-1", TheirStatus.ACTIVE, 0)
    await gateway.stranger()
    async with sockets(gateway) as open_socket:
        socket = await open_socket()
        await socket.init(subject="driver-2")
        frames = []
        for text in (gid("ChargingSession", session.id), gid("ChargingSession", uuid4()), gid("Wallet", uuid4()), "x"):
            await socket.start("1", WATCH, id=text)
            frames.append(await socket.of("1"))
        assert [frame["type"] for frame in frames] == ["error"] * 4
        assert {orjson.dumps(frame) for frame in frames} == {orjson.dumps(frames[0])}
        assert frames[0]["payload"][0]["extensions"] == {"code": "NOT_FOUND"}
        await listened(gateway, 0)
        agent = await open_socket()
        await agent.init(Role.SUPPORT)
        await agent.start("1", WATCH, id=gid("ChargingSession", session.id))
        assert event(await agent.of("1"))["kind"] == "SNAPSHOT"
        owner = await open_socket()
        await owner.init(Role.OPERATOR)
        await owner.start("1", WATCH, id=gid("ChargingSession", session.id))
        assert (await owner.of("1"))["payload"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_who_leaves_gives_back_the_mailbox(small: Gateway) -> None:
    session = await small.push("S-1", TheirStatus.ACTIVE, 0)
    key = gid("ChargingSession", session.id)
    async with sockets(small) as open_socket:
        socket = await open_socket()
        await socket.init()
        for _ in range(3):
            await socket.start("1", WATCH, id=key)
            assert event(await socket.of("1"))["kind"] == "SNAPSHOT"
            await socket.send({"type": "complete", "id": "1"})
        await listened(small, 0)
        await socket.start("1", WATCH, id=key)
        assert event(await socket.of("1"))["kind"] == "SNAPSHOT"
        assert listening(small) == 1
        socket.line.transport.abort()
        await listened(small, 0)


async def test_a_slow_reader_gets_the_newest_state(small: Gateway) -> None:
    session = await small.push("S-1", TheirStatus.ACTIVE, 0)
    async with sockets(small) as open_socket:
        socket = await open_socket()
        await socket.init()
        await socket.start("1", WATCH, id=gid("ChargingSession", session.id))
        event(await socket.of("1"))
        for number in range(1, 21):
            await small.push("S-1", TheirStatus.ACTIVE, 60 * number, str(number))
        seen = [event(await socket.of("1"))]
        while seen[-1]["session"]["energyKwh"] != "20.000":
            seen.append(event(await socket.of("1")))
        assert len(seen) <= 20
        revisions = [update["session"]["revision"] for update in seen]
        assert revisions == sorted(set(revisions))
