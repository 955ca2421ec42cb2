"""Runs the gateway or the worker until told to stop, with its health on an address of its own."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Coroutine, Generator, Sequence
from contextlib import contextmanager, suppress

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from api.app import House, create_app
from api.health import health_app
from api.metrics import Metrics
from api.playground import Tab
from api.worker import Worker

GRACE_SECONDS = 10
BACKLOG = 2048


class PortTaken(Exception):
    """Another process listens there."""


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises PortTaken."""
    line = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        line.bind((host, port))
    except OSError as error:
        line.close()
        raise PortTaken(f"Port {port} of {host} cannot be used: {error.strerror}. Choose another one.") from None
    line.listen(BACKLOG)
    line.set_inheritable(True)
    return line


async def serve(house: House, tabs: Sequence[Tab], line: socket.socket, health: socket.socket | None) -> None:
    """The gateway on `line` until SIGINT or SIGTERM."""
    servers = [(_server(create_app(house, tabs)), line)]
    if health is not None:
        servers.append((_server(health_app(house.checks, _metrics(house))), health))
    await _until_told([server.serve(sockets=[its]) for server, its in servers], [server for server, _ in servers])


async def work(house: House, health: socket.socket) -> None:
    """The worker until SIGINT or SIGTERM."""
    server = _server(health_app(house.checks, _metrics(house)))
    chores = asyncio.create_task(Worker(house.services, house.settings.operator_id).run())
    try:
        await _until_told([server.serve(sockets=[health])], [server])
    finally:
        chores.cancel()
        with suppress(asyncio.CancelledError):
            await chores


def _metrics(house: House) -> Route:
    return Metrics(house.services, house.settings.operator_id).route()


def run(main: Coroutine[None, None, None]) -> None:
    """Run a process on the fastest loop there is."""
    with asyncio.Runner(loop_factory=uvicorn.Config("", loop="auto").get_loop_factory()) as runner:
        runner.run(main)


class _Server(uvicorn.Server):
    """Leaves signals to the process, which has more than one server: see `_until_told`."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


def _server(app: Starlette) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            loop="none",
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=65_536,
            ws_per_message_deflate=False,
            ws_ping_interval=20,
            ws_ping_timeout=20,
            timeout_keep_alive=65,
            timeout_graceful_shutdown=GRACE_SECONDS,
            server_header=False,
            access_log=False,
            log_config=None,
        )
    )


async def _until_told(runs: Sequence[Coroutine[None, None, None]], servers: Sequence[_Server]) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    for told in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(told, stop)
    await asyncio.gather(*runs)
