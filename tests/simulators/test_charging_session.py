from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from simulators.charging_curve import Battery
from simulators.charging_session import ChargingSession, Status
from simulators.ocpi_wire import encoded

LONG = 10**9
START = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)

batteries = st.builds(Battery, capacity_wh=st.integers(1, 8000), power_w=st.integers(2000, 350_000))


@st.composite
def sessions(draw: st.DrawFn) -> ChargingSession:
    battery = draw(batteries)
    stored_ws = draw(st.integers(0, battery.capacity_ws - 1))
    return ChargingSession({"id": "S1"}, START, battery, stored_ws, draw(st.integers(0, 2000)))


def said(value: object) -> dict[str, Any]:
    heard: dict[str, Any] = orjson.loads(encoded(value))
    return heard


def told(session: ChargingSession) -> list[dict[str, Any]]:
    return [said(session.change(number)) for number in range(1, len(session.revisions))]


def seconds_of(period: dict[str, Any]) -> int:
    hours = next(part["volume"] for part in period["dimensions"] if part["type"] in {"TIME", "PARKING_TIME"})
    return round(Decimal(str(hours)) * 3600)


@given(sessions(), st.lists(st.integers(1, 3000), max_size=12), st.booleans())
def test_periods_are_contiguous_and_their_energy_is_the_meter(
    session: ChargingSession, steps: list[int], stopped: bool
) -> None:
    for until in (sum(steps[: number + 1]) for number in range(len(steps))):
        session.advance(until)
    if stopped:
        session.stop(sum(steps))
    changes = told(session)

    at, total, last = START, Decimal(0), START
    for change in changes:
        (period,) = change["charging_periods"]
        assert datetime.fromisoformat(period["start_date_time"]) == at
        at += timedelta(seconds=seconds_of(period))
        volumes = {part["type"]: Decimal(str(part["volume"])) for part in period["dimensions"]}
        assert set(volumes) in ({"ENERGY", "TIME"}, {"PARKING_TIME"})
        total += volumes.get("ENERGY", Decimal(0))
        assert Decimal(str(change["kwh"])) == total
        assert last < datetime.fromisoformat(change["last_updated"]) == at
        last = at
    assert [change["status"] for change in changes[:-1]] == ["ACTIVE"] * len(changes[:-1])
    whole = said(session.whole(len(session.revisions) - 1))
    assert whole["charging_periods"] == [change["charging_periods"][0] for change in changes]
    assert not stopped or whole["status"] == "COMPLETED"
    assert ("end_date_time" in whole) == (whole["status"] == "COMPLETED")


@given(sessions())
def test_a_car_that_nobody_stops_leaves_by_itself(session: ChargingSession) -> None:
    session.advance(LONG)
    assert session.revisions[-1].status is Status.COMPLETED
    before = list(session.revisions)
    session.advance(2 * LONG)
    session.stop(2 * LONG)
    assert session.revisions == before


def test_a_stop_in_the_same_second_still_moves_time_on() -> None:
    session = ChargingSession({"id": "S1"}, START, Battery(58_000, 11_000), 0, 60)
    session.advance(10)
    session.stop(10)
    assert said(session.change(2)) == {
        "kwh": 0.033,
        "status": "COMPLETED",
        "end_date_time": "2026-05-04T03:02:12Z",
        "last_updated": "2026-05-04T03:02:12Z",
        "charging_periods": [
            {
                "start_date_time": "2026-05-04T03:02:11Z",
                "dimensions": [{"type": "ENERGY", "volume": 0.003}, {"type": "TIME", "volume": 0.00027778}],
            }
        ],
    }
