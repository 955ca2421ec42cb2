"""A price that grows with its session: what was priced once is not priced again.

Periods are added in order of time; `so_far` says what the session costs if it ended now. Added up to its end, it says
what `price` says of the whole record: both take the same walk.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from domain.tariffs.choice import Choice
from domain.tariffs.findings import Finding
from domain.tariffs.layout import stretch_of
from domain.tariffs.policy import DEFAULT_POLICY, RoundingPolicy
from domain.tariffs.pricing import settled
from domain.tariffs.record import ChargingPeriod, ChargingRecord
from domain.tariffs.result import Pricing
from domain.tariffs.tariff import Tariff
from domain.tariffs.walk import Walk


class RunningPrice:
    """The price of a session that began at an instant, under tariffs that may still be joined by others."""

    def __init__(
        self, tariffs: Sequence[Tariff], started_at: datetime, zone: ZoneInfo, policy: RoundingPolicy = DEFAULT_POLICY
    ) -> None:
        self._record = ChargingRecord(started_at, started_at, ())
        self._findings: list[Finding] = []
        self._choice = Choice(tariffs, self._record, self._findings, policy)
        self._zone = zone
        self._walk: Walk | None = None
        self._main: Tariff | None = None
        self._last: ChargingPeriod | None = None
        self._count = 0

    def offer(self, tariffs: Sequence[Tariff]) -> None:
        """These are the tariffs from now on; what was chosen stays chosen."""
        self._choice.tariffs = tariffs

    def add(self, period: ChargingPeriod) -> None:
        """The next period; it ends the one before."""
        if self._last is not None:
            self._walk = self._on(self._walk, self._last, period.start_at, self._findings)
            self._count += 1
        self._last = period

    def so_far(self, ended_at: datetime) -> Pricing:
        """What it costs if it ended at this instant. Raises as `price` does."""
        record, walk, findings = replace(self._record, ended_at=ended_at), self._walk, list[Finding]()
        if self._last is not None:
            walk = self._on(None if walk is None else walk.twin(), self._last, ended_at, findings)
        main = self._main or self._choice.of(None, record.started_at)
        if walk is None:
            walk = self._begun(record.started_at)
        return settled(walk, main, self._choice, record, [*self._findings, *findings])

    def twin(self) -> RunningPrice:
        """The same up to here; either goes on alone."""
        twin, findings = copy(self), list(self._findings)
        walk = None if self._walk is None else self._walk.twin()
        vars(twin).update(_findings=findings, _choice=self._choice.twin(findings), _walk=walk)
        return twin

    def _on(self, walk: Walk | None, period: ChargingPeriod, end: datetime, findings: list[Finding]) -> Walk:
        tariff = self._choice.of(period.tariff_id, period.start_at)
        if walk is None:
            walk, self._main = self._begun(min(self._record.started_at, period.start_at)), tariff
        walk.on(stretch_of(self._count, period, max(period.start_at, end), tariff, findings))
        return walk

    def _begun(self, at: datetime) -> Walk:
        return Walk(at, self._zone, self._choice.policy.elapsed_from, expired=False)
