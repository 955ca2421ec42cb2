"""Instants are aware, in UTC, and cut to what every store keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from domain.clock import ManualClock, SystemClock

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


def test_the_clock_of_the_machine_tells_whole_milliseconds_in_utc() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    now = SystemClock().now()
    assert before < now <= datetime.now(UTC)
    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(NOON)
    assert clock.now() == clock.now() == NOON
    clock.advance(timedelta(hours=2))
    clock.advance(timedelta(seconds=-30))
    assert clock.now() == NOON + timedelta(hours=2, seconds=-30)


def test_a_manual_clock_may_be_set_in_local_time() -> None:
    clock = ManualClock(NOON.astimezone(ZoneInfo("Europe/Stockholm")))
    assert (clock.now(), clock.now().tzinfo) == (NOON, UTC)
