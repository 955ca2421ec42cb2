"""A client of `graphql-transport-ws` that sends what it is told to, to a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from domain.sessions import InProcessFeed
from resolvers.principal import Role
from tests.resolvers.gateway import Gateway

PROTOCOL = Subprotocol("graphql-transport-ws")
WATCH = """subscription ($id: ID!, $after: Cursor) { chargingSession(id: $id, after: $after) {
  cursor kind session { id revision status energyKwh
    cost { ifStoppedNow { gross { minorUnits } } } cdr { total { gross { minorUnits } } } } } }"""


@dataclass
class Socket:
    """A client that sends what it is told to."""

    line: ClientConnection
    gateway: Gateway
    waiting: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, frame: object) -> None:
        await self.line.send(frame if isinstance(frame, (str, bytes)) else orjson.dumps(frame).decode())

    async def read(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            text = await self.line.recv()
        assert isinstance(text, str), "text frames only"
        frame: dict[str, Any] = orjson.loads(text)
        return frame

    async def of(self, name: str) -> dict[str, Any]:
        """The next frame of an operation; frames of others wait."""
        for frame in self.waiting:
            if frame.get("id") == name:
                self.waiting.remove(frame)
                return frame
        while True:
            frame = await self.read()
            if frame.get("id") == name:
                return frame
            self.waiting.append(frame)

    async def init(self, role: Role = Role.DRIVER, subject: str | None = None, **more: Any) -> None:  # noqa: ANN401
        token = self.gateway.token(role, subject, **more)
        await self.send({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
        assert await self.read() == {"type": "connection_ack"}

    async def start(self, name: str, query: str, **variables: object) -> None:
        await self.send({"id": name, "type": "subscribe", "payload": {"query": query, "variables": variables}})

    async def closed(self) -> int | None:
        """The code with which the server closes."""
        async with asyncio.timeout(5):
            with suppress(ConnectionClosed):
                while True:
                    await self.line.recv()
        return self.line.close_code


@asynccontextmanager
async def sockets(gateway: Gateway) -> AsyncIterator[Any]:
    """Opens sockets to a server that runs meanwhile."""
    lines: list[ClientConnection] = []
    async with gateway.served() as address:

        async def opened_socket(protocol: str = PROTOCOL, **headers: str) -> Socket:
            origin = {"origin": Origin(headers["origin"])} if "origin" in headers else {}
            line = await connect(f"ws://{address}/graphql", subprotocols=[Subprotocol(protocol)], **origin)  # type: ignore[arg-type]
            lines.append(line)
            return Socket(line, gateway)

        try:
            yield opened_socket
        finally:
            await asyncio.gather(*(line.close() for line in lines))


def listening(gateway: Gateway) -> int:
    feed = gateway.world.services.feed
    assert isinstance(feed, InProcessFeed)
    return sum(map(len, feed._mailboxes.values()))


async def listened(gateway: Gateway, number: int) -> None:
    async with asyncio.timeout(5):
        while listening(gateway) != number:  # noqa: ASYNC110  mailboxes ring no bell
            await asyncio.sleep(0.01)
