"""Where a stretch between two readings is cut, so that no price changes inside a period of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.tariffs.scale import Units, quantity, units_of
from domain.tariffs.spans import clock_edges, crossings, microseconds, share_of
from domain.tariffs.tariff import Tariff

_TICK = timedelta(microseconds=1)


class Cut(NamedTuple):
    """An instant at which the price may change, and the kWh that have flowed by then since the session began."""

    at: datetime
    energy_kwh: Fraction


def cuts(tariffs: Sequence[Tariff], began_at: datetime, zone: ZoneInfo, since: Cut, until: Cut) -> list[Cut]:
    """The edges between two readings, in order: of the clock, of time elapsed, and of energy, which flows evenly."""
    span = microseconds(until.at - since.at)
    before, after = units_of(since.energy_kwh), units_of(until.energy_kwh)
    found: dict[datetime, Units] = {}
    for edges in (tariff.edges for tariff in tariffs):
        for at in clock_edges(edges.clock, zone, since.at, until.at):
            _note(found, at, before + (after - before) * share_of(at, since.at, until.at))
        elapsed = microseconds(since.at - began_at)
        for share in crossings(edges.duration, elapsed, elapsed + span):
            at = since.at + -(-span * share // 1) * _TICK
            _note(found, at, before + (after - before) * (share_of(at, since.at, until.at) if span else share))
        for edge in edges.energy:
            if before < edge < after:
                share = Fraction(edge - before) / (after - before)
                # The first microsecond at which the edge has been reached.
                _note(found, since.at + -(-span * share // 1) * _TICK, edge)
    return [Cut(at, quantity(found[at])) for at in sorted(found)]


def cutter(tariffs: Sequence[Tariff], began_at: datetime, zone: ZoneInfo) -> Callable[[Cut, Cut], list[Cut]]:
    """The same, for one session."""
    return partial(cuts, tariffs, began_at, zone)


def _note(found: dict[datetime, Units], at: datetime, energy: Units) -> None:
    found[at] = max(found.get(at, energy), energy)
