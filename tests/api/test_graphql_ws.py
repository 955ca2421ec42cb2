"""`graphql-transport-ws` against a real server: what closes a socket, and what ends an operation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import uuid4

import orjson
import pytest
from websockets.exceptions import InvalidStatus

from api.graphql import MOST_OPERATIONS
from domain.errors import TryAgain
from domain.sessions import TheirStatus
from resolvers.principal import Role
from tests.resolvers.gateway import Gateway, gid
from tests.resolvers.sockets import WATCH, listened, listening, sockets

# --- what closes a socket --------------------------------------------------------------------------------------------

INIT = {"type": "connection_init"}
QUERY = {"query": "{ me { id } }"}
NO_TEXTS: tuple[object, ...] = (None, 1, [], {})
NO_OBJECTS: tuple[object, ...] = ([], "x", 1)
MALFORMED: list[object] = [
    *("", "x", "{", "[]", "null", "1", '"x"', b"{}", b'{"type": "ping"}', "NaN", '{"type": "ping", "type": "ping"}'),
    *({}, {"type": None}, {"type": 1}, {"type": ["ping"]}, {"type": "unknown"}, {"type": "connection_ack"}),
    *({"type": "next", "id": "1", "payload": {}}, {"type": "start", "id": "1", "payload": QUERY}),
    *({"type": "ping", "payload": []}, {"type": "ping", "payload": "x"}, {"type": "pong", "payload": 1}),
    *({"type": "connection_init", "payload": "x"}, {"type": "connection_init", "payload": [1]}),
    *({"type": "complete"}, {"type": "complete", "id": 1}, {"type": "complete", "id": None}),
    *({"type": "subscribe", "payload": QUERY}, {"type": "subscribe", "id": 1, "payload": QUERY}),
    *({"type": "subscribe", "id": "", "payload": QUERY}, {"type": "subscribe", "id": "x" * 65, "payload": QUERY}),
    *({"type": "subscribe", "id": "1"}, {"type": "subscribe", "id": "1", "payload": None}),
    *({"type": "subscribe", "id": "1", "payload": "x"}, {"type": "subscribe", "id": "1", "payload": {}}),
    *({"type": "subscribe", "id": "1", "payload": {"query": n}} for n in NO_TEXTS),
    *({"type": "subscribe", "id": "1", "payload": QUERY | {"variables": n}} for n in NO_OBJECTS),
    *({"type": "subscribe", "id": "1", "payload": QUERY | {"operationName": n}} for n in NO_TEXTS[1:]),
    {"type": "subscribe", "id": "1", "payload": QUERY | {"extensions": []}},
    "[" * 3_000,
]


async def test_malformed_frames_close(small: Gateway) -> None:
    async with sockets(small) as open_socket:
        for frame in MALFORMED:
            socket = await open_socket()
            if not (isinstance(frame, dict) and frame.get("type") == "connection_init"):
                await socket.init()
            await socket.send(frame)
            assert await socket.closed() == 4400, frame


BAD_CREDENTIALS: list[object] = [
    *(None, {}, {"authorization": None}, {"authorization": 1}, {"authorization": "x"}, {"authorization": "Bearer x"}),
    *({"authorization": ["Bearer x"]}, {"authorization": "Basic eA=="}, {"token": "x"}),
]


async def test_a_socket_needs_a_credential(small: Gateway) -> None:
    async with sockets(small) as open_socket:
        for payload in BAD_CREDENTIALS:
            socket = await open_socket()
            await socket.send({"type": "connection_init", "payload": payload})
            assert await socket.closed() == 4403, payload
        socket = await open_socket()
        await socket.send(INIT)
        assert await socket.closed() == 4403


async def test_frames_out_of_turn_close(small: Gateway) -> None:
    async with sockets(small) as open_socket:
        early = await open_socket()
        await early.start("1", "{ me { id } }")
        assert await early.closed() == 4401
        twice = await open_socket()
        await twice.init()
        await twice.send(INIT)
        assert await twice.closed() == 4429
        same = await open_socket()
        await same.init()
        session = await small.push("S-1", TheirStatus.ACTIVE, 0)
        for _ in range(2):
            await same.start("1", WATCH, id=gid("ChargingSession", session.id))
        assert await same.closed() == 4409
        await listened(small, 0)


async def test_a_silent_socket_is_closed(small: Gateway) -> None:
    (route,) = [each for each in small.app.routes if type(each).__name__ == "WebSocketRoute"]
    route.app.connection_init_wait_timeout = timedelta(seconds=0.1)  # type: ignore[attr-defined]
    async with sockets(small) as open_socket:
        socket = await open_socket()
        await socket.send({"type": "ping"})
        assert await socket.read() == {"type": "pong"}
        assert await socket.closed() == 4408


async def test_another_protocol_or_origin_is_refused(small: Gateway) -> None:
    async with sockets(small) as open_socket:
        old = await open_socket("graphql-ws")
        assert await old.closed() == 4406
        with pytest.raises(InvalidStatus) as refused:
            await open_socket(origin="https://evil.example")
        assert refused.value.response.status_code == 403
        ours = await open_socket(origin=small.settings.public_url)
        await ours.init()


async def test_a_socket_ends_with_its_credential(small: Gateway) -> None:
    async with sockets(small) as open_socket:
        socket = await open_socket()
        await socket.init(lifetime=timedelta(seconds=2))
        session = await small.push("S-1", TheirStatus.ACTIVE, 0)
        await socket.start("1", WATCH, id=gid("ChargingSession", session.id))
        assert (await socket.of("1"))["type"] == "next"
        assert await socket.closed() == 4403
        await listened(small, 0)


async def test_a_store_that_is_away_closes_for_now(small: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise TryAgain("away")

    monkeypatch.setattr(type(small.world.services.wallets), "enrol", away)
    async with sockets(small) as open_socket:
        socket = await open_socket()
        token = small.token(Role.DRIVER, "newcomer")
        await socket.send({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
        assert await socket.closed() == 1013


async def test_pings_come_back(small: Gateway) -> None:
    async with sockets(small) as open_socket:
        socket = await open_socket()
        payload: Mapping[str, object]
        for payload in ({}, {"a": [1, {"b": None}]}):
            await socket.send({"type": "ping", "payload": payload})
            assert await socket.read() == {"type": "pong", "payload": payload}
        await socket.send({"type": "ping", "payload": None})
        assert await socket.read() == {"type": "pong"}
        await socket.init()
        for ignored in ({"type": "pong"}, {"type": "pong", "payload": {"a": 1}}, {"type": "complete", "id": "nobody"}):
            await socket.send(ignored)
        await socket.send({"type": "ping"})
        assert await socket.read() == {"type": "pong"}


# --- what ends an operation ------------------------------------------------------------------------------------------

REFUSED = [
    ("{ me ", {}, "GRAPHQL_PARSE_FAILED"),
    ("", {}, "BAD_REQUEST"),
    ("# nothing", {}, "GRAPHQL_PARSE_FAILED"),
    ("{ nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
    ("query A { me { id } } query B { me { id } }", {}, "BAD_REQUEST"),
    ("fragment f on Query { me { id } }", {}, "BAD_REQUEST"),
    ("query ($n: Int!) { locations(first: $n) { __typename } }", {"n": "x"}, "BAD_USER_INPUT"),
    ("subscription ($id: ID!) { chargingSession(id: $id) { kind } }", {}, "BAD_USER_INPUT"),
    ("{ supportDesk { __typename } }", {}, "FORBIDDEN"),
    ("{ me { id } } #" + "x" * 15_000, {}, "LIMIT_EXCEEDED"),
    ("{ " + "__typename " * 1_000 + "}", {}, "LIMIT_EXCEEDED"),
    ("subscription { chargingSession(id: 1) { nothing } }", {}, "GRAPHQL_VALIDATION_FAILED"),
    ('subscription { a: chargingSession(id: "1") { kind } b: __typename }', {}, "GRAPHQL_VALIDATION_FAILED"),
]


async def test_a_refused_operation_harms_nobody(small: Gateway) -> None:
    session = await small.push("S-1", TheirStatus.ACTIVE, 0)
    async with sockets(small) as open_socket:
        socket = await open_socket()
        await socket.init()
        await socket.start("live", WATCH, id=gid("ChargingSession", session.id))
        assert (await socket.of("live"))["payload"]["data"]["chargingSession"]["kind"] == "SNAPSHOT"
        for query, variables, code in REFUSED:
            await socket.start("1", query, **variables)
            frame = await socket.of("1")
            assert frame["type"] == "error", (query, frame)
            assert {error["extensions"]["code"] for error in frame["payload"]} == {code}, query
        await socket.start("1", "{ me { displayName } }")
        assert (await socket.of("1"))["payload"] == {"data": {"me": {"displayName": "Dora Driver"}}}
        assert await socket.of("1") == {"id": "1", "type": "complete"}
        await small.push("S-1", TheirStatus.ACTIVE, 60, "1")
        assert (await socket.of("live"))["payload"]["data"]["chargingSession"]["kind"] == "CHANGE"
        assert socket.waiting == []


async def test_queries_and_mutations_run_over_sockets_too(gateway: Gateway) -> None:
    stop = 'mutation { stopCharging(input: {sessionId: "x"}) { __typename } }'
    async with sockets(gateway) as open_socket:
        socket = await open_socket()
        await socket.init()
        await socket.start("a", stop)
        await socket.start("b", "{ me { displayName } locations(first: 0) { __typename } }")
        assert (await socket.of("a"))["payload"] == {"data": {"stopCharging": {"__typename": "NotFound"}}}
        assert (await socket.of("a"))["type"] == "complete"
        failed = await socket.of("b")
        assert failed["type"] == "next"
        assert failed["payload"]["data"] is None
        assert failed["payload"]["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert (await socket.of("b"))["type"] == "complete"
        named = {"query": "query A { a: __typename } query B { b: __typename }", "operationName": "B"}
        await socket.send({"id": "c", "type": "subscribe", "payload": named | {"variables": None, "extensions": None}})
        assert (await socket.of("c"))["payload"] == {"data": {"b": "Query"}}


async def test_a_bug_is_an_error_for_its_id(small: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("canary")

    async with sockets(small) as open_socket:
        socket = await open_socket()
        await socket.init()
        with monkeypatch.context() as patched:
            patched.setattr("api.askers.Askers.context", broken)
            await socket.start("1", "{ me { id } }")
            frame = await socket.of("1")
        assert frame["type"] == "error"
        assert frame["payload"][0]["extensions"]["code"] == "INTERNAL"
        assert frame["payload"][0]["extensions"]["correlationId"]
        assert "canary" not in orjson.dumps(frame).decode()
        with monkeypatch.context() as patched:
            patched.setattr(type(small.world.services.sessions), "session", broken)
            await socket.start("1", WATCH, id=gid("ChargingSession", uuid4()))
            frame = await socket.of("1")
        assert (frame["type"], frame["payload"][0]["extensions"]["code"]) == ("error", "INTERNAL")
        await socket.start("1", "{ me { displayName } }")
        assert (await socket.of("1"))["type"] == "next"


async def test_a_socket_runs_so_many_operations_and_no_more(small: Gateway) -> None:
    session = await small.push("S-1", TheirStatus.ACTIVE, 0)
    async with sockets(small) as open_socket:
        socket = await open_socket()
        await socket.init()
        for number in range(MOST_OPERATIONS):
            await socket.start(str(number), WATCH, id=gid("ChargingSession", session.id))
            assert (await socket.of(str(number)))["type"] == "next"
        await socket.start("more", "{ me { id } }")
        frame = await socket.of("more")
        assert frame["type"] == "error"
        facts = {"code": "LIMIT_EXCEEDED", "rule": "operations", "limit": MOST_OPERATIONS}
        assert frame["payload"][0]["extensions"] == facts
        assert listening(small) == MOST_OPERATIONS
        await socket.send({"type": "complete", "id": "0"})
        await listened(small, MOST_OPERATIONS - 1)
        await socket.start("more", "{ me { displayName } }")
        assert (await socket.of("more"))["type"] == "next"
    await listened(small, 0)
