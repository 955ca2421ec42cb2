"""Rules about windows of the clock, and what becomes of them when the clocks change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from domain.tariffs.lint_findings import Draft, LintCode, LintFinding
from domain.tariffs.reading import Path
from domain.tariffs.restrictions import Restrictions
from domain.tariffs.spans import offset_changes

_LAST_MINUTE = time(23, 59)
_A_YEAR = timedelta(days=366)
_SOME_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def about_the_clock(its: Restrictions, path: Path, draft: Draft, zone: ZoneInfo | None) -> Iterator[LintFinding]:
    """Windows that cover the whole day, miss its last minute, or have an edge in an hour that is skipped or twice."""
    start, end = its.start_time, its.end_time
    if start is not None and start == end:
        message = "A window that ends when it starts is the whole day."
        yield LintFinding(LintCode.WHOLE_DAY_WINDOW, (*path, "end_time"), message)
    if end == _LAST_MINUTE:
        message = "The end is not included, so the last minute of the day is missing; 00:00 is the end of the day."
        yield LintFinding(LintCode.MINUTE_GAP, (*path, "end_time"), message)
    if zone is None:
        return
    odd = list(_odd_hours(draft.starts_at or draft.updated_at or _SOME_YEAR, zone))
    for name, edge in (("start_time", start), ("end_time", end)):
        if edge is not None and any(first <= edge < last for first, last in odd):
            message = "When the clocks change, this time of day does not exist or comes twice."
            yield LintFinding(LintCode.DST_DOUBLE_HOUR, (*path, name), message)


def _odd_hours(since: datetime, zone: ZoneInfo) -> Iterator[tuple[time, time]]:
    """The times of day that the clock changes of a year skip or repeat; none of them reaches over midnight in parts."""
    for change in offset_changes(zone, since, since + _A_YEAR):
        before = (change - timedelta(microseconds=1)).astimezone(zone).utcoffset()
        after = change.astimezone(zone).utcoffset()
        if before is None or after is None:
            continue
        first, last = sorted(((change + before).time(), (change + after).time()))
        yield first, last
