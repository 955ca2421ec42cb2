"""Whether one set of restrictions holds whenever another does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time

from domain.tariffs.restrictions import DAY, Restrictions, seconds_of

_AT_LEAST = ("min_kwh", "min_current", "min_power", "min_duration", "start_date")
_BELOW = ("max_kwh", "max_current", "max_power", "max_duration", "end_date")


def is_as_wide(wide: Restrictions, narrow: Restrictions) -> bool:
    """Whether `wide` surely holds at every moment at which `narrow` does; both about the same kind of thing."""
    if wide.unknown or wide.reservation is not narrow.reservation:
        return False
    return all(_implications(wide, narrow))


def _implications(wide: Restrictions, narrow: Restrictions) -> Iterator[bool]:
    for name in _AT_LEAST:
        bound, told = getattr(wide, name), getattr(narrow, name)
        yield bound is None or (told is not None and told >= bound)
    for name in _BELOW:
        bound, told = getattr(wide, name), getattr(narrow, name)
        yield bound is None or (told is not None and told <= bound)
    yield not wide.day_of_week or (bool(narrow.day_of_week) and narrow.day_of_week <= wide.day_of_week)
    inside = _windows(narrow.start_time, narrow.end_time)
    yield all(
        any(start <= first and last <= end for start, end in _windows(wide.start_time, wide.end_time))
        for first, last in inside
    )


def _windows(start_time: time | None, end_time: time | None) -> list[tuple[int, int]]:
    """A window of the clock as one or two spans of seconds since 00:00."""
    start = 0 if start_time is None else seconds_of(start_time)
    end = DAY if end_time is None else seconds_of(end_time) or DAY
    if start == end:
        return [(0, DAY)]
    return [(start, end)] if start < end else [(0, end), (start, DAY)]
