"""The gateway that somebody names, or one of our own for as long as it is needed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from api.replay import GatewayAway
from api.serving import bound
from api.settings import Settings


@asynccontextmanager
async def gateway_at(url: str | None, settings: Settings) -> AsyncIterator[str]:
    """The gateway at `url`, or one of our own for as long as the block lasts."""
    wanted = url or settings.public_url
    async with httpx2.AsyncClient(timeout=2, trust_env=False) as client:
        try:
            await client.get(f"{wanted}/ocpi/versions")
        except httpx2.HTTPError:
            if url is not None:
                raise GatewayAway(f"No gateway answers at {url}.") from None
        else:
            yield wanted
            return
    line = bound("127.0.0.1", 0)
    port = line.getsockname()[1]
    line.close()
    more = {
        "TALLYWATT_BIND_PORT": str(port),
        "TALLYWATT_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "TALLYWATT_HEALTH_BIND": "127.0.0.1:0",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.cli", "serve", env=os.environ | more, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await _answering(more["TALLYWATT_PUBLIC_URL"], process)
        yield more["TALLYWATT_PUBLIC_URL"]
    finally:
        process.terminate()
        await process.wait()


async def _answering(url: str, process: asyncio.subprocess.Process) -> None:
    async with httpx2.AsyncClient(timeout=1, trust_env=False) as client:
        for _ in range(150):
            if process.returncode is not None:
                break
            try:
                await client.get(f"{url}/ocpi/versions")
            except httpx2.HTTPError:
                await asyncio.sleep(0.1)
            else:
                return
    raise GatewayAway("A gateway of our own did not come up; `tallywatt serve` says why.")
