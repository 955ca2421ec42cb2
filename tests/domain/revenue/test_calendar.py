"""Slices of a period at local boundaries, on the nights when clocks change too."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.revenue import Interval
from domain.revenue.calendar import check_period, midnight, slice_of, starts

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/Chicago", "Asia/Kathmandu"]).map(ZoneInfo)
days = st.dates(date(2024, 1, 1), date(2027, 12, 31))


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25), (date(2026, 6, 1), 24)])
def test_a_day_has_as_many_hours_as_its_clock_shows(day: date, hours: int) -> None:
    slices = starts(day, day + DAY, Interval.HOUR, BERLIN)
    assert len(slices) == hours
    assert {after - before for before, after in pairwise(slices)} == {HOUR}
    assert slices[0].astimezone(BERLIN).time() == time()


@given(days, st.integers(1, 400), st.sampled_from([Interval.DAY, Interval.WEEK, Interval.MONTH]), zones)
def test_every_day_falls_into_exactly_one_slice_that_begins_at_midnight(
    first: date, length: int, by: Interval, zone: ZoneInfo
) -> None:
    slices = starts(first, first + length * DAY, by, zone)
    assert slices[0] == midnight(first, zone)
    assert slices == sorted(set(slices))
    falls = [midnight(slice_of(first + n * DAY, by, first), zone) for n in range(length)]
    assert sorted(set(falls)) == slices
    for start in slices[1:]:
        local = start.astimezone(zone)
        assert local.time() == time()
        assert by is not Interval.WEEK or local.weekday() == 0
        assert by is not Interval.MONTH or local.day == 1


def test_a_slice_begins_with_the_period_and_then_with_the_week_or_month() -> None:
    first, before = date(2026, 2, 26), date(2026, 3, 12)
    weeks = [start.astimezone(BERLIN).date() for start in starts(first, before, Interval.WEEK, BERLIN)]
    months = [start.astimezone(BERLIN).date() for start in starts(first, before, Interval.MONTH, BERLIN)]
    assert weeks == [first, date(2026, 3, 2), date(2026, 3, 9)]
    assert months == [first, date(2026, 3, 1)]
    assert midnight(SPRING, BERLIN) == datetime(2026, 3, 28, 23, tzinfo=UTC)


@pytest.mark.parametrize(("length", "is_fine"), [(-1, False), (0, False), (1, True), (400, True), (401, False)])
def test_a_period_has_one_to_four_hundred_days(length: int, is_fine: bool) -> None:
    if is_fine:
        check_period(SPRING, SPRING + length * DAY)
        return
    with pytest.raises(InvalidInput) as refused:
        check_period(SPRING, SPRING + length * DAY)
    assert refused.value.path == ("from", "before")


def test_no_more_than_a_thousand_slices_are_shown() -> None:
    assert len(starts(date(2026, 6, 1), date(2026, 6, 1) + 41 * DAY, Interval.HOUR, BERLIN)) == 984
    with pytest.raises(InvalidInput):
        starts(date(2026, 6, 1), date(2026, 6, 1) + 42 * DAY, Interval.HOUR, BERLIN)
