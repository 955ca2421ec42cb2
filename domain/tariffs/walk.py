"""One walk through a session: which component prices what, period by period, and what was noticed on the way.

Each dimension is looked up on its own at the start of a period: the first element that prices it and whose
restrictions all hold wins (OCPI, Tariffs module, `TariffElement`). What won holds until the next edge in time or
energy, so that most periods are only compared with the edges around the one before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.tariffs.findings import Code, Finding
from domain.tariffs.inside import Glimpse, glimpses, split_evenly, straddles
from domain.tariffs.layout import Stretch
from domain.tariffs.lines import FLATS, TIMES, LineKind, Piece
from domain.tariffs.policy import ElapsedFrom
from domain.tariffs.record import Evidence
from domain.tariffs.restrictions import LOAD_FIELDS, Moment, Reservation
from domain.tariffs.scale import WHOLE, Units, snapped
from domain.tariffs.spans import NEVER, later, microseconds, next_clock_edge
from domain.tariffs.tariff import Candidate, Lookup, Tariff

_RESERVED = (LineKind.RESERVATION_FLAT, LineKind.RESERVATION_TIME)
_CHARGED = (LineKind.FLAT, LineKind.ENERGY, LineKind.TIME, LineKind.PARKING_TIME)
_CHARGING = {kind: Lookup((None,), kind.component_type) for kind in _CHARGED}
_USED = (Reservation.RESERVATION,)
_EXPIRED = (Reservation.RESERVATION_EXPIRES, Reservation.RESERVATION)
_WEAKNESS = {evidence: place for place, evidence in enumerate(Evidence)}
_MOST_GLIMPSES = 10_000
"""Edges looked at inside the periods of one session; more would notice more, and change no amount."""


class Cell(NamedTuple):
    """Where in time and energy the same components win: before `until`, from `low` up to `high`."""

    tariff: Tariff
    until: datetime
    low: Units | None
    high: Units | None
    winners: Mapping[LineKind, Candidate | None]

    def begins(self, stretch: Stretch, energy: Units) -> bool:
        """Whether a period begins in it."""
        return (
            self.tariff is stretch.tariff
            and stretch.start < self.until
            and (self.low is None or self.low <= energy)
            and (self.high is None or energy < self.high)
        )

    def ends(self, stretch: Stretch, energy: Units) -> bool:
        """Whether a period that began in it never leaves it; `energy` is what has flowed by its end."""
        return (
            stretch.end <= self.until
            and (self.low is None or self.low <= energy)
            and (self.high is None or energy <= self.high)
        )


class Walk:
    """Collects the pieces of one session; `energy` is what flowed before the period that comes next."""

    def __init__(self, began_at: datetime, zone: ZoneInfo, elapsed_from: ElapsedFrom, *, expired: bool) -> None:
        self.pieces: list[Piece] = []
        self.findings: list[Finding] = []
        self.is_charging = False
        self.is_reserved = False
        self.energy: Units = 0
        self.zone = zone
        self._began_at = self._charging_began_at = began_at
        self._elapsed_from = elapsed_from
        outcomes = _EXPIRED if expired else _USED
        self._lookups = _CHARGING | {kind: Lookup(outcomes, kind.component_type) for kind in _RESERVED}
        self._cell: Cell | None = None
        self._latest: dict[LineKind, Piece] = {}
        self._count = 0
        self._glimpses = 0
        self._free: set[LineKind] = set()
        self._found: set[tuple[object, ...]] = set()

    def on(self, stretch: Stretch) -> None:
        """Take the next period, in order of time."""
        is_charging = stretch.is_charging
        if is_charging and not self.is_charging:
            self.is_charging = True
            if self.is_reserved and self._elapsed_from is ElapsedFrom.CHARGING:
                self._charging_began_at = stretch.start
        if stretch.reserved is not None:
            self.is_reserved = True
            self._reserve(stretch, stretch.reserved)
        if is_charging:
            self._charge(stretch)
            self.energy += stretch.energy or 0
        self._count += 1

    def twin(self) -> Walk:
        """The same walk up to here; either goes on alone. Only the latest piece of a kind may still grow."""
        twin = copy(self)
        grown = {id(piece): replace(piece) for piece in self._latest.values()}
        vars(twin).update(
            pieces=[grown.get(id(piece), piece) for piece in self.pieces],
            findings=list(self.findings),
            _latest={kind: grown[id(piece)] for kind, piece in self._latest.items()},
            _free=set(self._free),
            _found=set(self._found),
        )
        return twin

    def _reserve(self, stretch: Stretch, volume: Units) -> None:
        flat, time = _RESERVED
        moment = self._moment(stretch, self._began_at)
        if flat not in self._latest:
            self._take(stretch, flat, self._winner(stretch, flat, moment), WHOLE, moment)
        if volume:
            won = self._winner(stretch, time, moment)
            self._take(stretch, time, won, volume, moment)
            self._look_inside(stretch, time, won, volume, moment, self._inside(stretch, moment))

    def _charge(self, stretch: Stretch) -> None:
        cell, moment = self._cell, None
        is_measured = bool(stretch.tariff.edges.measured)
        if cell is None or is_measured or not cell.begins(stretch, self.energy):
            moment = self._moment(stretch, self._charging_began_at)
            cell = self._cell = self._enter(stretch, moment)
        winners = cell.winners
        if LineKind.FLAT not in self._latest:
            self._take(stretch, LineKind.FLAT, winners[LineKind.FLAT], WHOLE, moment)
        used = (
            (LineKind.ENERGY, stretch.energy),
            (LineKind.TIME, stretch.time),
            (LineKind.PARKING_TIME, stretch.parking),
        )
        stays = not is_measured and cell.ends(stretch, self.energy + (stretch.energy or 0))
        inside: list[Glimpse] | None = None
        for kind, volume in used:
            if not volume:
                continue
            won = winners[kind]
            self._take(stretch, kind, won, volume, moment)
            if not stays or (won is None and kind not in self._free):
                moment = moment or self._moment(stretch, self._charging_began_at)
                if inside is None:
                    inside = [] if stays else self._inside(stretch, moment)
                self._look_inside(stretch, kind, won, volume, moment, inside)

    def _enter(self, stretch: Stretch, moment: Moment) -> Cell:
        """The cell that a period begins in; where load decides, for this period alone and what it asks."""
        tariff, edges = stretch.tariff, stretch.tariff.edges
        until = next_clock_edge(edges.clock, self.zone, stretch.start) if edges.clock else NEVER
        longer = next((edge for edge in edges.duration if edge > moment.elapsed), None)
        if longer is not None:
            until = min(until, later(self._charging_began_at, longer))
        place = bisect_right(edges.energy, moment.energy)
        return Cell(
            tariff,
            until,
            edges.energy[place - 1] if place else None,
            edges.energy[place] if place < len(edges.energy) else None,
            {kind: self._winner(stretch, kind, moment) for kind in self._asked(stretch)},
        )

    def _asked(self, stretch: Stretch) -> Iterator[LineKind]:
        every = not stretch.tariff.edges.measured
        for kind, asked in zip(
            _CHARGED,
            (LineKind.FLAT not in self._latest, stretch.energy, stretch.time, stretch.parking),
            strict=True,
        ):
            if every or asked:
                yield kind

    def _take(
        self, stretch: Stretch, kind: LineKind, won: Candidate | None, volume: Units, moment: Moment | None
    ) -> None:
        """Bill a volume by the component that won, on the line before if nothing came between."""
        if won is None:
            return
        seconds, beyond = snapped(volume) if kind in TIMES else (0, 0)
        count, tariff = self._count, stretch.tariff
        latest = self._latest.get(kind)
        if latest is not None and latest.last == count - 1 and latest.candidate is won and latest.tariff is tariff:
            latest.last, latest.end_at = count, stretch.end
            latest.measured += volume
            latest.seconds += seconds
            latest.beyond += beyond
            if stretch.evidence is not latest.evidence:
                latest.evidence = max(latest.evidence, stretch.evidence, key=_WEAKNESS.__getitem__)
            if stretch.states:
                latest.states += stretch.states
            return
        end = stretch.start if kind in FLATS else stretch.end
        piece = Piece(
            kind,
            self._lookups[kind],
            tariff,
            won,
            moment or self._moment(stretch, self._charging_began_at),
            stretch.start,
            end,
            count,
            count,
            volume,
            beyond,
            seconds,
            stretch.evidence,
            stretch.states,
        )
        self._latest[kind] = piece
        self.pieces.append(piece)

    def _moment(self, stretch: Stretch, began_at: datetime) -> Moment:
        return Moment(stretch.start, self.zone, microseconds(stretch.start - began_at), self.energy, stretch.load)

    def _winner(self, stretch: Stretch, kind: LineKind, moment: Moment) -> Candidate | None:
        for candidate in stretch.tariff.candidates(self._lookups[kind]):
            failed = candidate.restrictions.first_failing(moment)
            if failed is None:
                return candidate
            if failed.field in LOAD_FIELDS and getattr(moment.load, failed.field) is None:
                message = f"{failed.field} cannot be tested: nobody measured it. It counts as not met."
                self._find(Code.MISSING_DIMENSION, message, stretch, failed.field.upper())
        return None

    def _inside(self, stretch: Stretch, moment: Moment) -> list[Glimpse]:
        if self._glimpses > _MOST_GLIMPSES:
            return []
        found = glimpses(stretch, moment)
        self._glimpses += len(found)
        return found

    def _look_inside(
        self,
        stretch: Stretch,
        kind: LineKind,
        won: Candidate | None,
        volume: Units,
        moment: Moment,
        inside: list[Glimpse],
    ) -> None:
        winners = [won, *(self._winner(stretch, kind, glimpse.moment) for glimpse in inside)]
        if any(other is not won for other in winners):
            message = "The price changes inside this period, which was priced as at its start."
            detail = split_evenly(volume, winners, inside)
            self._find(Code.PERIOD_SPANS_PRICE_CHANGE, message, stretch, kind.value, detail)
        elif won is None:
            self._free.add(kind)
            self._find(Code.NO_PRICE_COMPONENT, f"Nothing prices {kind.value}: it is free.", stretch, kind.value)
        if stretch.tariff.edges.measured and straddles(stretch.tariff.candidates(self._lookups[kind]), moment):
            message = "Current or power crossed a limit of the tariff inside this period."
            self._find(Code.PERIOD_SPANS_PRICE_CHANGE, message, stretch, kind.value)

    def _find(
        self, code: Code, message: str, stretch: Stretch, dimension: str, detail: dict[str, str] | None = None
    ) -> None:
        """Notice something: price changes once a period, everything else once a session."""
        period = stretch.period if code is Code.PERIOD_SPANS_PRICE_CHANGE else None
        if (code, dimension, period) not in self._found:
            self._found.add((code, dimension, period))
            self.findings.append(Finding(code, message, stretch.period, dimension, detail=detail or {}))
