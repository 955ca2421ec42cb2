"""How benches measure and say: work done a second by several callers, and a ratio of one run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

SECONDS = 3


async def per_second(do: Callable[[int], Awaitable[None]], callers: int) -> float:
    """How often a second, each caller one after the other."""
    began, done = time.perf_counter(), 0

    async def calls(number: int) -> None:
        nonlocal done
        while time.perf_counter() - began < SECONDS:
            await do(number)
            number += callers
            done += 1

    await asyncio.gather(*(calls(number) for number in range(callers)))
    return done / (time.perf_counter() - began)


def say(what: str, mine: float, against: str, theirs: float) -> None:
    print(f"\n{what}: {mine:,.0f}; {against}: {theirs:,.0f}; ratio {mine / theirs:.2f}")  # noqa: T201  that is its job
