"""Pricing measured: one record against reading its JSON, a live session's last step against its tenth, and a stream."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from domain.database import Database
from domain.ids import ChargingSessionId, OperatorId
from domain.sessions.following import Following
from domain.sessions.models import MeterReading
from domain.tariffs import parse_record, parse_tariff, price
from tests.api.questions import peak_mb
from tests.domain.sessions.ocpi_objects import NOON
from tests.domain.sessions.stage import ACTIVE, built
from tests.world import TARIFF, at

pytestmark = pytest.mark.bench

ROUNDS = 5
BERLIN = ZoneInfo("Europe/Berlin")
OF_THE_DAY = {
    **TARIFF,
    "elements": [
        {
            "price_components": [{"type": "ENERGY", "price": Decimal("0.30"), "vat": 19, "step_size": 1}],
            "restrictions": {"start_time": "22:00", "end_time": "06:00", "day_of_week": ["MONDAY", "TUESDAY"]},
        },
        {
            "price_components": [
                {"type": "FLAT", "price": Decimal("0.50"), "vat": 19, "step_size": 1},
                {"type": "ENERGY", "price": Decimal("0.40"), "vat": 19, "step_size": 1},
                {"type": "TIME", "price": Decimal("1.20"), "vat": 19, "step_size": 60},
            ]
        },
    ],
}


@pytest.mark.parametrize("raw", [TARIFF, OF_THE_DAY], ids=["two components", "by the time of day"])
def test_priced_cdrs_against_reading_their_json(raw: dict[str, Any]) -> None:
    tariff, text = parse_tariff(raw), json.dumps(_cdr(periods=50))
    document = json.loads(text, parse_float=Decimal)
    record = parse_record(document)
    sides: tuple[Callable[[], object], ...] = (
        lambda: price([tariff], parse_record(document), BERLIN),
        lambda: price([tariff], record, BERLIN),
        lambda: json.loads(text),
    )
    rounds = [[_microseconds(side) for side in sides] for _ in range(40)]
    # The least of many short rounds: whatever else the machine does only ever adds.
    read, priced, loads = (min(side) for side in zip(*rounds, strict=True))
    _say(
        f"CDR of 50 periods read and priced: {read:,.0f} us; priced alone: {priced:,.0f} us; json.loads of it: "
        f"{loads:,.0f} us; ratios {read / loads:.1f} and {priced / loads:.1f}"
    )


def test_the_last_step_of_a_long_session_against_its_tenth() -> None:
    def steps() -> list[float]:
        following = Following(NOON, BERLIN, [parse_tariff(TARIFF)])
        took = []
        for row in _rows(1000):
            began = time.perf_counter()
            assert following.take(row, None)
            following.stands(None)
            took.append((time.perf_counter() - began) * 1e6)
        return took

    runs = [steps() for _ in range(ROUNDS)]
    tenth = statistics.median(run[place] for run in runs for place in range(5, 15))
    last = statistics.median(run[place] for run in runs for place in range(990, 1000))
    _say(f"a live step, readings 990 to 1000: {last:,.0f} us; 5 to 15: {tenth:,.0f} us; ratio {last / tenth:.2f}")


async def test_the_last_push_of_a_long_session_against_its_tenth(postgres_url: str) -> None:
    database = Database(postgres_url)
    stage = await built(database)
    await stage.record(stage.push("LONG", ACTIVE, 0, 0))
    took = []
    for number in range(1, 1001):
        push = stage.patch("LONG", None, number, 10 * number)
        began = time.perf_counter()
        await stage.record(push)
        took.append((time.perf_counter() - began) * 1e3)
    await database.close()
    tenth, last = statistics.median(took[5:25]), statistics.median(took[-20:])
    _say(f"a push, readings 980 to 1000: {last:.1f} ms; 5 to 25: {tenth:.1f} ms; ratio {last / tenth:.2f}")


def test_a_stream_of_a_hundred_thousand_records(tmp_path: Path) -> None:
    lines, number = tmp_path / "lines.jsonl", 100_000
    asked = {"tariffs": [{**OF_THE_DAY}], "time_zone": "Europe/Berlin", "session": _cdr(periods=4)}
    with lines.open("w") as file:
        line = json.dumps(asked, default=str) + "\n"
        file.writelines(line for _ in range(number))
    began = time.perf_counter()
    with lines.open("rb") as given, (tmp_path / "answers.jsonl").open("wb") as told:
        command = [sys.executable, "-m", "api.cli", "price", "--jsonl"]
        peak = peak_mb(subprocess.Popen(command, stdin=given, stdout=told))
    took = time.perf_counter() - began
    _say(f"price --jsonl, {number:,} records of 4 periods: {took:.0f} s, one process; peak memory {peak:.0f} MB")


def _rows(count: int) -> list[MeterReading]:
    return [
        MeterReading(
            operator_id=OperatorId(UUID(int=1)),
            session_id=ChargingSessionId(UUID(int=2)),
            number=number,
            at=NOON + timedelta(minutes=number),
            energy_wh=100 * number,
            status="ACTIVE",
            replaces=False,
            periods=None,
            received_at=NOON,
        )
        for number in range(1, count + 1)
    ]


def _cdr(periods: int) -> dict[str, object]:
    began = at("08:00")

    def written(minutes: int) -> str:
        return f"{began + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"

    return {
        "start_date_time": written(0),
        "end_date_time": written(periods),
        "charging_periods": [
            {
                "start_date_time": written(number),
                "dimensions": [{"type": "ENERGY", "volume": 0.183}, {"type": "TIME", "volume": 0.0167}],
                "tariff_id": "CITY",
            }
            for number in range(periods)
        ],
    }


def _microseconds(do: Callable[[], object]) -> float:
    count, began = 25, time.perf_counter()
    for _ in range(count):
        do()
    return (time.perf_counter() - began) / count * 1e6


def _say(what: str) -> None:
    print(f"\n{what}")  # noqa: T201  that is its job
