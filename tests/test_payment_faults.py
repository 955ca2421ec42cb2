"""Money comes in while the provider fails in every way it can, and while it hardly answers at all.

Started processes, real HTTP. The stand-in keeps its own books; at the end they say what every driver must hold.
"""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from tests.payers import Payer, Wish
from tests.people import Driver
from tests.processes import Json, until
from tests.stack import Stack

MIX: Json = {
    "seed": 11,
    "answers": [
        {"fault": fault, "operation": "sessions", "percent": percent}
        for fault, percent in {
            "charge_then_drop": 9,
            "charge_then_500": 9,
            "charge_then_hang": 1,
            "charge_then_slow:700": 4,
            "drop": 4,
            "hang": 1,
            "500": 4,
            "502_html": 4,
            "503_703": 6,
            "429": 4,
            "409_704": 4,
            "422_704_transient": 6,
            "422_704_final": 6,
        }.items()
    ],
    "deliveries": [
        {"fault": fault, "percent": percent}
        for fault, percent in {
            "duplicate:2": 25,
            "vary_duplicate": 15,
            "shuffle": 25,
            "delay:2": 10,
            "withhold": 15,
            "bad_signature": 10,
            "forged_second_item": 10,
            "wrong_account": 5,
            "wrong_live": 5,
        }.items()
    ],
}
"""About half of all calls fail in some way, and most webhooks do not come as they should."""
A_SECOND = 20
"""Drivers who begin to pay in while the provider is slow."""
REPAIRED_SECONDS = 300
"""One cycle: the longest pause between two tries of ours."""


@dataclass
class Market:
    """Drivers who pay in, at once and one after the other, and what each of them was told."""

    stack: Stack
    payers: list[Payer]
    wishes: list[Wish] = field(default_factory=list)

    async def asks(self, payer: Payer, count: int) -> None:
        """Each waits a little for the page, and then asks for the next."""
        for number in range(count):
            wish = await payer.asks(1000 + number, uuid.uuid4().hex)
            self.wishes.append(wish)
            await payer.looks_for_the_page(wish, seconds=2)

    async def pays(self, payer: Payer) -> None:
        """Most pay; of ten one is declined first, and one never comes to the page."""
        for number, wish in enumerate(wish for wish in self.wishes if wish.payer is payer):
            assert wish.page or await payer.looks_for_the_page(wish, REPAIRED_SECONDS), (wish.told, "no page ever")
            if number % 10 == 3:
                await payer.presses(wish, "decline", attempt=1)
            if number % 10 != 7:
                await payer.presses(wish, "approve", attempt=2 if number % 10 == 3 else 1)
                wish.was_paid = True

    async def is_settled(self) -> bool:
        """Whether every driver holds what the provider's books say, and reads so of every payment that was made."""
        books = await self.stack.books()
        shoppers = {session["id"]: session["shopper_reference"] for session in books["sessions"]}
        for payer in self.payers:
            theirs = [wish for wish in self.wishes if wish.payer is payer]
            names = {shoppers[wish.session_id] for wish in theirs}
            left = sum(books["shoppers"].get(name, {}).get("EUR", {}).get("left_minor", 0) for name in names)
            assert len(names) == 1
            if await payer.driver.balance("total") != left:
                return False
        statuses = [await wish.payer.status_of(wish) for wish in self.wishes if wish.was_paid]
        return set(statuses) <= {"AUTHORISED"}


@pytest.mark.parametrize(("count", "drivers"), [(100, 10), pytest.param(1000, 40, marks=pytest.mark.soak)])
async def test_every_top_up_comes_to_its_true_end_whatever_fails_on_the_way(
    database_url: str, tmp_path: Path, count: int, drivers: int
) -> None:
    async with Stack(database_url, tmp_path) as stack:
        market = Market(stack, [Payer(stack.driver(f"driver-{number}")) for number in range(drivers)])
        for payer in market.payers:
            await payer.opens()
        await stack.fault(**MIX)
        share = count // drivers
        await asyncio.gather(*(market.asks(payer, share) for payer in market.payers))
        waited = [wish for wish in market.wishes if {"PENDING", "INITIATED"} & set(wish.told)]
        assert waited, "no answer was lost: the faults did not strike"
        await stack.clear_faults()
        await stack.fault(**MIX | {"answers": []})
        began = time.monotonic()
        await asyncio.gather(*(market.pays(payer) for payer in market.payers))
        asked_again = time.monotonic() - began

        paid = [wish for wish in market.wishes if wish.was_paid]
        assert len(market.wishes) == count
        assert len(paid) == count - sum(number % 10 == 7 for number in range(share)) * drivers
        await stack.clear_faults()
        await stack.flush_webhooks()
        began = time.monotonic()
        await until(market.is_settled, REPAIRED_SECONDS)
        repaired = time.monotonic() - began

        books = await stack.books()
        assert len(books["sessions"]) == count, "a wish was asked for under two keys"
        assert sum(payment["captured_minor"] for payment in books["payments"]) == sum(wish.minor for wish in paid)
        for wish in market.wishes:
            false = {"REFUSED", "EXPIRED"} & set(wish.told)
            assert not false, (wish.told, "told of a failure that was none")
        await the_rest_expires(market)
        assert await market.is_settled()
        assert stack.tallywatt("audit").returncode == 0
        kinds = Counter(payment["status"] for payment in books["payments"])
        print(  # noqa: T201  what soak wants to read
            f"\n{count} top-ups, {len(waited)} told PENDING, {kinds}; all on their page {asked_again:.1f} s after the"
            f" faults had ended, all final {repaired:.1f} s after the last webhook was let go"
        )


async def the_rest_expires(market: Market) -> None:
    """Pages that nobody came to are closed, and that is told as what it is."""
    await market.stack.advance_provider(3700)
    left = [wish for wish in market.wishes if not wish.was_paid]
    assert left

    async def closed() -> bool:
        statuses = [await wish.payer.status_of(wish) for wish in left]
        return set(statuses) == {"EXPIRED"}

    await until(closed)


@pytest.mark.parametrize(
    ("count", "seconds", "at_most"), [(40, 3, None), pytest.param(200, 30, 1.1, marks=pytest.mark.soak)]
)
async def test_a_slow_provider_is_nobody_elses_problem(
    postgres_url: str, tmp_path: Path, count: int, seconds: int, at_most: float | None
) -> None:
    async with Stack(postgres_url, tmp_path) as stack:
        reader = stack.driver("reader")
        payers = [Payer(stack.driver(f"driver-{number}")) for number in range(20)]
        for payer in payers:
            await payer.opens()

        async def crowd() -> tuple[float, Counter[str]]:
            """So many pay in, and one looks into a wallet meanwhile: how long that takes, and what the others hear."""
            asked = asyncio.gather(*(after(number / A_SECOND, payers[number % 20], number) for number in range(count)))
            p99 = await p99_while(reader, asyncio.create_task(asyncio.sleep(seconds)))
            answers = [answer.json() for answer in await asked]
            assert not [answer for answer in answers if "errors" in answer], "a pool or a thread was exhausted"
            return p99, Counter(told_by(answer) for answer in answers)

        before, _ = await crowd()
        await stack.fault(answers=[f"slow:{seconds * 1000}"])
        during, told = await crowd()
        assert set(told) <= {"INITIATED", "PENDING", "ACTION_REQUIRED", "PaymentServiceUnavailable"}, told
        print(  # noqa: T201  what soak wants to read
            f"\n{count} top-ups hanging {seconds} s: wallet p99 {during * 1000:.1f} ms, while the provider was fast"
            f" {before * 1000:.1f} ms, ratio {during / before:.2f}; {dict(told)}"
        )
        # Machines that do other things as well make a ratio of short runs say little; that nobody waits says enough.
        assert during <= (seconds / 2 if at_most is None else before * at_most)

        await stack.clear_faults()
        ada = stack.driver("ada")
        await ada.top_up(5000)
        assert stack.tallywatt("audit").returncode == 0


async def after(seconds: float, payer: Payer, number: int) -> httpx2.Response:
    await asyncio.sleep(seconds)
    return await payer.raw(1000 + number)


async def p99_while(reader: Driver, going: asyncio.Task[None]) -> float:
    """The 99th percentile of how long a wallet takes to be read, in seconds, while something else goes on."""
    took = []
    while not going.done():
        began = time.perf_counter()
        await reader.wallet()
        took.append(time.perf_counter() - began)
        await asyncio.sleep(0.005)
    return statistics.quantiles(took, n=100)[98]


def told_by(answer: Json) -> str:
    """A status, or the name of a refusal."""
    result = answer["data"]["topUpWallet"]
    return str(result.get("status") or result["__typename"])
