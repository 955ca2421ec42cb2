"""A recording told to a gateway: in the order of time, as fast as it answers or at a multiple of the recorded speed.

Each session keeps to one of a few lanes, so that what is told about it stays in order; sessions overlap as they did.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from api.keys import Keys
from api.replay.gateway_line import GatewayAway, GatewayLine, PushRefused
from api.replay.onboarding import onboard, surveyed
from api.replay.recorded import Recorded
from api.replay.recording_file import RefusedRow, rows_of
from api.replay.report import Progress, ReplayReport, Tally
from api.replay.story import Message, told
from domain.ids import OperatorId
from domain.services import Services

MOST_OPEN = 5_000
"""Sessions that may be under way at once; a file that is out of order waits no longer than that."""
_WAITING = 16
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """`speed` times as fast as recorded, None: as fast as the gateway answers. The first `limit` rows, None: all."""

    operator: OperatorId
    speed: Decimal | None = None
    limit: int | None = None
    lanes: int = 8
    patience_seconds: int = 60
    """For how long a gateway that does not answer is waited for."""

    def __post_init__(self) -> None:
        assert self.speed is None or self.speed > 0, "time goes on"
        assert self.lanes > 0, "somebody tells"


@dataclass(slots=True)
class _Telling:
    """One session while it is told."""

    row: Recorded
    messages: list[Message]
    told: int = 0
    is_refused: bool = False

    @property
    def is_told(self) -> bool:
        return self.told == len(self.messages)


@dataclass(frozen=True, slots=True)
class _Due:
    telling: _Telling
    message: Message


@dataclass(slots=True)
class _Pace:
    """Recorded time against ours."""

    speed: Decimal | None
    _recorded: datetime | None = None
    _began_ms: int = field(default=0)

    async def wait_for(self, at: datetime) -> None:
        if self.speed is None:
            return
        if self._recorded is None:
            self._recorded, self._began_ms = at, _now_ms()
        due_ms = self._began_ms + int(Decimal((at - self._recorded) // _MS) / self.speed)
        await asyncio.sleep(max(0, due_ms - _now_ms()) / 1000)


async def replay(
    path: Path,
    options: ReplayOptions,
    services: Services,
    keys: Keys,
    url: str,
    progress: Callable[[Progress], None],
) -> ReplayReport:
    """Tell the gateway at `url`, whose store `services` is, everything recorded in the file at `path`.

    `progress` is called after each row. Told again, nothing changes. Raises BadFile before anything is stored,
    GatewayAway in the midst of it.
    """
    began_ms = _now_ms()
    survey = surveyed(rows_of(path, options.limit))
    token = await onboard(services, keys, options.operator, survey)
    tally = Tally(survey.rows)
    patience = options.patience_seconds
    async with GatewayLine(url, token, connections=options.lanes, patience_seconds=patience) as line:
        teller = _Teller(line, tally, progress)
        try:
            await _run(teller, rows_of(path, options.limit), options)
        except ExceptionGroup as failed:
            away, rest = failed.split(GatewayAway)
            if away is None or rest is not None:
                raise
            raise GatewayAway(str(away.exceptions[0])) from failed
        return tally.report(retries=line.retries, milliseconds=_now_ms() - began_ms)


async def _run(teller: _Teller, rows: Iterable[Recorded | RefusedRow], options: ReplayOptions) -> None:
    pace = _Pace(options.speed)
    lanes: list[asyncio.Queue[_Due | None]] = [asyncio.Queue(_WAITING) for _ in range(options.lanes)]
    async with asyncio.TaskGroup() as group:
        for lane in lanes:
            group.create_task(teller.work(lane))
        for due in _in_order(rows, teller.refuse):
            await pace.wait_for(due.message.at)
            await lanes[due.telling.row.line % len(lanes)].put(due)
        for lane in lanes:
            await lane.put(None)


class _Teller:
    """Tells what is due and counts the answers."""

    def __init__(self, line: GatewayLine, tally: Tally, progress: Callable[[Progress], None]) -> None:
        self._line = line
        self._tally = tally
        self._progress = progress

    async def work(self, lane: asyncio.Queue[_Due | None]) -> None:
        """Tell everything of one lane, one after the other."""
        while (due := await lane.get()) is not None:
            if not due.telling.is_refused:
                await self._tell(due)

    def refuse(self, line: int, reason: str) -> None:
        """A row that nothing more is told about."""
        self._tally.refuse(line, reason)
        self._progress(self._tally.progress())

    async def _tell(self, due: _Due) -> None:
        telling, message = due.telling, due.message
        row = telling.row
        try:
            is_new = await self._line.tell(message, f"replay-{row.id}-{telling.told}")
        except PushRefused as refused:
            telling.is_refused = True
            self.refuse(row.line, str(refused))
            return
        telling.told += 1
        self._tally.messages += 1
        if message.is_first:
            self._tally.session(created=is_new)
        if message.bills and row.bill is not None:
            self._tally.cdr(row.bill.total, created=is_new)
        if telling.is_told:
            self._tally.carry(row)
            self._progress(self._tally.progress())


def _in_order(rows: Iterable[Recorded | RefusedRow], refuse: Callable[[int, str], None]) -> Iterator[_Due]:
    """Every message in the order of its time, as far as the rows are in the order of theirs."""
    under_way: list[tuple[datetime, int, int, _Telling]] = []
    for row in rows:
        if isinstance(row, RefusedRow):
            refuse(row.line, row.reason)
            continue
        while under_way and (under_way[0][0] < row.started_at or len(under_way) >= MOST_OPEN):
            yield _next(under_way)
        telling = _Telling(row, told(row))
        heapq.heappush(under_way, (row.started_at, row.line, 0, telling))
    while under_way:
        yield _next(under_way)


def _next(under_way: list[tuple[datetime, int, int, _Telling]]) -> _Due:
    _, line, number, telling = heapq.heappop(under_way)
    due = _Due(telling, telling.messages[number])
    if number + 1 < len(telling.messages):
        heapq.heappush(under_way, (telling.messages[number + 1].at, line, number + 1, telling))
    return due


def _now_ms() -> int:
    return time.monotonic_ns() // 10**6
