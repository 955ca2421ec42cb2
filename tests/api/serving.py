"""An app as a server on this machine, in the process of the test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette


@asynccontextmanager
async def served(app: Starlette, listener: socket.socket) -> AsyncIterator[None]:
    """The app behind this socket, until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, ws="none", lifespan="off", log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def listening(app: Starlette) -> AsyncIterator[str]:
    """The app on a free port; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with served(app, listener):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
