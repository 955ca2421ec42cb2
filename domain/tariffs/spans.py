"""Edges inside a period: the instants at which another component might win."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from domain.tariffs.restrictions import DAY
from domain.tariffs.scale import Units

_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
_CENTURIES = timedelta(days=365 * 400) // _TICK
NEVER = datetime.max.replace(tzinfo=UTC)
LOOK_AHEAD = timedelta(days=40)
"""No further than this is a period searched: longer ones are no charging, and a search needs a bound."""


def clock_edges(seconds: Sequence[int], zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """The UTC instants strictly between at which the local clock shows one of `seconds` (sorted, since 00:00).

    Both folds of a repeated wall time count, and each change of the zone's offset is an edge of its own.
    """
    if not seconds or start >= end:
        return []
    end = min(end, start + LOOK_AHEAD)
    local = start.astimezone(zone)
    if end - start < _DAY and end.astimezone(zone).utcoffset() == local.utcoffset():
        return _within_a_plain_day(seconds, local, start, end)
    found = {*_wall_times(seconds, zone, start, end), *offset_changes(zone, start, end)}
    return sorted(edge for edge in found if start < edge < end)


def next_clock_edge(seconds: Sequence[int], zone: ZoneInfo, start: datetime) -> datetime:
    """The first instant after `start` at which the local clock shows one of `seconds` or changes its offset."""
    local = start.astimezone(zone)
    now = local.hour * 3600 + local.minute * 60 + local.second
    place = bisect_right(seconds, now)
    ahead = (seconds[place] if place < len(seconds) else seconds[0] + DAY) - now
    edge = start + timedelta(seconds=ahead, microseconds=-local.microsecond)
    if edge.astimezone(zone).utcoffset() == local.utcoffset():
        return edge
    return clock_edges(seconds, zone, start, edge + _DAY)[0]


def later(instant: datetime, ticks: Units) -> datetime:
    """The first instant at which so many microseconds have passed."""
    ahead = -(-ticks // 1)
    return instant + timedelta(microseconds=ahead) if ahead < _CENTURIES else NEVER


def _within_a_plain_day(seconds: Sequence[int], local: datetime, start: datetime, end: datetime) -> list[datetime]:
    midnight = start - timedelta(
        hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond
    )
    first = (start - midnight) // timedelta(seconds=1)
    last = -((midnight - end) // timedelta(seconds=1))
    found = []
    for days in (0, 1):
        low, high = bisect_right(seconds, first - days * DAY), bisect_left(seconds, last - days * DAY)
        found += [midnight + timedelta(days=days, seconds=second) for second in seconds[low:high]]
    return found


def _wall_times(seconds: Sequence[int], zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    day = start.astimezone(zone).date() - _DAY
    last = end.astimezone(zone).date() + _DAY
    while day <= last:
        for second in seconds:
            wall = datetime.combine(day, time(second // 3600, second // 60 % 60), zone)
            yield wall.astimezone(UTC)
            yield wall.replace(fold=1).astimezone(UTC)
        day += _DAY


def offset_changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """The instants between at which the zone begins to count differently from UTC."""
    before = start
    while before < end:
        after = min(before + _DAY, end)
        offset = before.astimezone(zone).utcoffset()
        if after.astimezone(zone).utcoffset() != offset:
            low, high = before, after
            while high - low > _TICK:
                middle = low + (high - low) / 2
                low, high = (middle, high) if middle.astimezone(zone).utcoffset() == offset else (low, middle)
            yield high
        before = after


def crossings(edges: Sequence[Units], before: Units, after: Units) -> Iterator[Fraction]:
    """Where, from 0 to 1, a quantity growing evenly from `before` to `after` meets one of `edges`."""
    low, high = (before, after) if before < after else (after, before)
    for edge in edges:
        if low < edge < high:
            yield Fraction(edge - before) / (after - before)


def share_of(instant: datetime, start: datetime, end: datetime) -> Fraction:
    """Where between start (0) and end (1) an instant lies."""
    return Fraction((instant - start) // _TICK, (end - start) // _TICK)


def at_share(start: datetime, end: datetime, share: Fraction) -> datetime:
    """The instant at this share of the way, to the microsecond."""
    return start + timedelta(microseconds=int((end - start) // _TICK * share))


def microseconds(span: timedelta) -> int:
    """A span of time as whole microseconds."""
    return span // _TICK
