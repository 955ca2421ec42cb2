"""One walk through a session: which component prices what, period by period, and what was noticed on the way.

Each dimension is looked up on its own at the start of a period: the first element that prices it and whose
restrictions all hold wins (OCPI, Tariffs module, `TariffElement`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from domain.tariffs.findings import Code, Finding
from domain.tariffs.layout import Stretch
from domain.tariffs.lines import TIMES, LineKind, Piece
from domain.tariffs.reading import exact_text
from domain.tariffs.restrictions import LOAD_FIELDS, Load, Moment, Reservation
from domain.tariffs.spans import at_share, clock_edges, crossings, microseconds, share_of
from domain.tariffs.tariff import Candidate, Lookup

_ZERO, _ONE = Fraction(0), Fraction(1)
_USED = (Reservation.RESERVATION,)
_EXPIRED = (Reservation.RESERVATION_EXPIRES, Reservation.RESERVATION)
_CHARGING = {
    kind: Lookup((None,), kind.component_type)
    for kind in (LineKind.FLAT, LineKind.ENERGY, LineKind.TIME, LineKind.PARKING_TIME)
}


class Walk:
    """Collects the pieces of one session; `energy` is what flowed before the period that is being priced."""

    def __init__(
        self, stretches: Sequence[Stretch], began_at: datetime, zone: ZoneInfo, *, reservation_expired: bool
    ) -> None:
        self.pieces: list[Piece] = []
        self.findings: list[Finding] = []
        self._zone = zone
        self._began_at = began_at
        self._charging_began_at = _charging_began_at(stretches, began_at)
        outcomes = _EXPIRED if reservation_expired else _USED
        reserved = (LineKind.RESERVATION_FLAT, LineKind.RESERVATION_TIME)
        self._lookups = _CHARGING | {kind: Lookup(outcomes, kind.component_type) for kind in reserved}
        self._latest: dict[LineKind, Piece] = {}
        self._energy = Fraction(0)
        for ordinal, stretch in enumerate(stretches):
            self._pass(ordinal, stretch)

    def _pass(self, ordinal: int, stretch: Stretch) -> None:
        local = stretch.start.astimezone(self._zone)
        if stretch.is_reserved:
            moment = self._moment(stretch, local, self._began_at)
            self._price(ordinal, stretch, moment, (LineKind.RESERVATION_FLAT, LineKind.RESERVATION_TIME))
        if stretch.is_charging:
            moment = self._moment(stretch, local, self._charging_began_at)
            self._price(ordinal, stretch, moment, tuple(_CHARGING))
        self._energy += stretch.energy

    def _moment(self, stretch: Stretch, local: datetime, began_at: datetime) -> Moment:
        return Moment(local, microseconds(stretch.start - began_at), self._energy, stretch.load)

    def _price(self, ordinal: int, stretch: Stretch, moment: Moment, kinds: tuple[LineKind, ...]) -> None:
        flat, *used = kinds
        if flat not in self._latest:
            won = self._winner(stretch, flat, moment)
            if won is not None:
                self._note(ordinal, stretch, moment, flat, won, _ONE)
        inside: list[tuple[Fraction, Moment]] | None = None
        for kind in used:
            volume = stretch.volumes.get(kind)
            if volume is None:
                continue
            won = self._winner(stretch, kind, moment)
            if won is not None:
                self._note(ordinal, stretch, moment, kind, won, volume)
            if inside is None:
                inside = self._inside(stretch, moment)
            self._look_inside(stretch, kind, moment, won, inside)

    def _winner(self, stretch: Stretch, kind: LineKind, moment: Moment) -> Candidate | None:
        for candidate in stretch.tariff.candidates(self._lookups[kind]):
            failed = candidate.restrictions.first_failing(moment)
            if failed is None:
                return candidate
            if failed.field in LOAD_FIELDS and getattr(moment.load, failed.field) is None:
                message = f"{failed.field} cannot be tested: nobody measured it. It counts as not met."
                self._find(Code.MISSING_DIMENSION, message, stretch, failed.field.upper())
        return None

    def _note(
        self, ordinal: int, stretch: Stretch, moment: Moment, kind: LineKind, won: Candidate, volume: Fraction
    ) -> None:
        seconds, beyond = _snapped(volume) if kind in TIMES else (0, _ZERO)
        latest = self._latest.get(kind)
        if latest is not None and latest.last == ordinal - 1 and _is_same(latest, stretch, won):
            latest.last, latest.end_at = ordinal, stretch.end
            latest.measured += volume
            latest.seconds += seconds
            if beyond:
                latest.beyond += beyond
            return
        lookup, tariff, start = self._lookups[kind], stretch.tariff, stretch.start
        end = stretch.end if kind in stretch.volumes else start
        piece = Piece(kind, lookup, tariff, won, moment, start, end, ordinal, ordinal, volume, beyond, seconds)
        self._latest[kind] = piece
        self.pieces.append(piece)

    def _inside(self, stretch: Stretch, moment: Moment) -> list[tuple[Fraction, Moment]]:
        """Where inside the period a restriction may begin or cease to hold: shares of it, and a moment after each."""
        start, end, edges = stretch.start, stretch.end, stretch.tariff.edges
        if start == end:
            return []
        span = microseconds(end - start)
        shares = {share_of(edge, start, end) for edge in clock_edges(edges.clock, self._zone, start, end)}
        if edges.duration:
            shares.update(crossings(edges.duration, moment.elapsed, moment.elapsed + span))
        if edges.kwh:
            shares.update(crossings(edges.kwh, moment.energy, moment.energy + stretch.energy))
        if not shares:
            return []
        ordered = sorted(shares)
        # Halfway to the next edge: exactly on it, energy that falls has not crossed it yet.
        halfway = [(share + after) / 2 for share, after in zip(ordered, [*ordered[1:], _ONE], strict=False)]
        return [(share, self._moment_at(stretch, moment, at, span)) for share, at in zip(ordered, halfway, strict=True)]

    def _moment_at(self, stretch: Stretch, moment: Moment, share: Fraction, span: int) -> Moment:
        local = at_share(stretch.start, stretch.end, share).astimezone(self._zone)
        return Moment(local, moment.elapsed + span * share, moment.energy + stretch.energy * share, moment.load)

    def _look_inside(
        self,
        stretch: Stretch,
        kind: LineKind,
        moment: Moment,
        won: Candidate | None,
        inside: list[tuple[Fraction, Moment]],
    ) -> None:
        winners = [won, *(self._winner(stretch, kind, later) for _, later in inside)]
        if any(other is not won for other in winners):
            detail = _split_evenly(stretch.volumes[kind], winners, [share for share, _ in inside])
            message = "The price changes inside this period, which was priced as at its start."
            self._find(Code.PERIOD_SPANS_PRICE_CHANGE, message, stretch, kind.value, detail)
        elif won is None:
            self._find(Code.NO_PRICE_COMPONENT, f"Nothing prices {kind.value}: it is free.", stretch, kind.value)
        if stretch.tariff.edges.measured and self._straddles(stretch, kind, moment.load):
            message = "Current or power crossed a limit of the tariff inside this period."
            self._find(Code.PERIOD_SPANS_PRICE_CHANGE, message, stretch, kind.value)

    def _straddles(self, stretch: Stretch, kind: LineKind, load: Load) -> bool:
        for candidate in stretch.tariff.candidates(self._lookups[kind]):
            its = candidate.restrictions
            for limits, low, high in (
                ((its.min_current, its.max_current), load.min_current, load.max_current),
                ((its.min_power, its.max_power), load.min_power, load.max_power),
            ):
                if low is None or high is None or low == high:
                    continue
                if any(limit is not None and low < Fraction(limit) <= high for limit in limits):
                    return True
        return False

    def _find(
        self, code: Code, message: str, stretch: Stretch, dimension: str, detail: dict[str, str] | None = None
    ) -> None:
        """Notice something: price changes once a period, everything else once a session."""
        spans = code is Code.PERIOD_SPANS_PRICE_CHANGE
        for known in self.findings:
            same = known.code is code and known.dimension == dimension
            if same and (not spans or known.period == stretch.period):
                return
        self.findings.append(Finding(code, message, stretch.period, dimension, detail=detail or {}))


def _charging_began_at(stretches: Sequence[Stretch], began_at: datetime) -> datetime:
    """Where elapsed time starts for charging: with the session, unless a reservation came first."""
    first = next((i for i, stretch in enumerate(stretches) if stretch.is_charging), None)
    if first is None or not any(stretch.is_reserved for stretch in stretches[:first]):
        return began_at
    return stretches[first].start


def _snapped(hours: Fraction) -> tuple[int, Fraction]:
    """The nearest second, and how far the hours go beyond it (0 where they stay below)."""
    count, per = hours.numerator * 3600, hours.denominator
    assert count >= 0, "time does not run backwards"
    seconds = (2 * count + per) // (2 * per)
    return seconds, Fraction(count - seconds * per, per * 3600) if seconds * per < count else _ZERO


def _is_same(piece: Piece, stretch: Stretch, won: Candidate) -> bool:
    return piece.candidate is won and piece.tariff is stretch.tariff


def _split_evenly(volume: Fraction, winners: list[Candidate | None], shares: list[Fraction]) -> dict[str, str]:
    ends = [*shares, Fraction(1)]
    split = Fraction(0)
    before = Fraction(0)
    for won, end in zip(winners, ends, strict=True):
        if won is not None:
            split += volume * (end - before) * Fraction(won.component.price)
        before = end
    first = Fraction(0) if winners[0] is None else volume * Fraction(winners[0].component.price)
    return {"priced": exact_text(first), "even_split": exact_text(split)}
