"""Many tellers at once over the same wallets: nothing is ever out of balance, and nobody waits in a circle."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time

import pytest

from domain.database import Database
from tests.domain import busy
from tests.domain.wallets.bank import Bank, work
from tests.processes import ROOT


async def opens_for(url: str, seconds: float) -> None:
    """Sixteen tellers, and somebody who adds up all the time."""
    database = Database(url, pool_size=20)
    bank = await Bank(database).founded(drivers=4)
    wrong: list[str] = []
    looks = 0
    until = time.monotonic() + seconds
    with busy.counted() as reasons:
        tellers = [asyncio.create_task(bank.teller(seed, lambda _: time.monotonic() < until)) for seed in range(16)]
        while time.monotonic() < until:
            wrong += await bank.wrong_sums()
            looks += 1
        done = sum([await teller for teller in tellers], start=tellers[0].result().__class__())
    assert wrong == []
    assert reasons["deadlock"] == reasons["serialization"] == 0
    assert {"pay_in", "hold", "step", "refund", "exchange", "InsufficientFunds", "StateConflict"} <= done.keys()
    assert looks > seconds
    assert await bank.contradictions() == []
    await database.close()


async def test_sixteen_tellers_never_put_the_bank_out_of_balance(postgres_url: str) -> None:
    await opens_for(postgres_url, 4)


@pytest.mark.soak
async def test_sixteen_tellers_never_put_the_bank_out_of_balance_for_a_minute(postgres_url: str) -> None:
    await opens_for(postgres_url, 60)


async def test_four_processes_share_the_wallets(postgres_url: str) -> None:
    database = Database(postgres_url)
    bank = await Bank(database).founded(drivers=2)
    command = [sys.executable, "-m", "tests.domain.wallets.bank", postgres_url, str(bank.operator)]

    def run(seed: int) -> str:
        return subprocess.run([*command, str(seed), "60"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    told = await asyncio.gather(*(asyncio.to_thread(run, seed) for seed in range(4)))
    assert [json.loads(out).get("deadlock", 0) for out in told] == [0] * 4
    assert await bank.wrong_sums() == await bank.contradictions() == []
    await database.close()


async def test_four_threads_share_the_wallets(sqlite_url: str) -> None:
    """Each with a loop and connections of its own."""
    database = Database(sqlite_url)
    bank = await Bank(database).founded(drivers=2)
    failed: list[BaseException] = []

    def teller(seed: int) -> None:
        try:
            asyncio.run(work(sqlite_url, bank.operator, seed, 60))
        except BaseException as error:  # noqa: BLE001  told below, whatever it is
            failed.append(error)

    threads = [threading.Thread(target=teller, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert failed == []
    assert await bank.wrong_sums() == await bank.contradictions() == []
    await database.close()
