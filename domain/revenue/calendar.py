"""Slices of a period at local boundaries. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.errors import InvalidInput

MOST_DAYS = 400
MOST_SLICES = 1000
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


class Interval(StrEnum):
    """Lengths of a slice."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def check_period(first: date, before: date) -> None:
    """Raises InvalidInput for an empty period, or one of more than 400 days."""
    if not _DAY <= before - first <= MOST_DAYS * _DAY:
        raise InvalidInput(f"A period has 1 to {MOST_DAYS} days.", ("from", "before"))


def starts(first: date, before: date, by: Interval, zone: ZoneInfo) -> list[datetime]:
    """Where the slices of [first, before) begin, as instants. Raises InvalidInput for more than 1,000."""
    found = list(_hours(first, before, zone) if by is Interval.HOUR else _days(first, before, by, zone))
    if len(found) > MOST_SLICES:
        raise InvalidInput(f"At most {MOST_SLICES} slices can be shown; ask for a shorter period.", ("by",))
    return found


def slice_of(day: date, by: Interval, first: date) -> date:
    """The first day of the slice that a day falls into; slices are cut at the start of the period."""
    if by is Interval.WEEK:
        return max(first, day - day.weekday() * _DAY)
    if by is Interval.MONTH:
        return max(first, day.replace(day=1))
    return day


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which a local day begins."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _days(first: date, before: date, by: Interval, zone: ZoneInfo) -> Iterator[datetime]:
    days = (first + n * _DAY for n in range((before - first).days))
    return (midnight(day, zone) for day in dict.fromkeys(slice_of(day, by, first) for day in days))


def _hours(first: date, before: date, zone: ZoneInfo) -> Iterator[datetime]:
    at, end = midnight(first, zone), midnight(before, zone)
    while at < end:
        yield at
        at += _HOUR
