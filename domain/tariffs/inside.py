"""Inside a period that was priced at its start: where another price would have begun, and what that would have cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from domain.tariffs.layout import Stretch
from domain.tariffs.reading import exact_text
from domain.tariffs.restrictions import Moment
from domain.tariffs.scale import Units, quantity
from domain.tariffs.spans import at_share, clock_edges, crossings, microseconds, share_of
from domain.tariffs.tariff import Candidate

_ONE = Fraction(1)


class Glimpse(NamedTuple):
    """A moment of a period: its part that has passed when the price may change, and a moment after that."""

    share: Fraction
    moment: Moment


def glimpses(stretch: Stretch, moment: Moment) -> list[Glimpse]:
    """Where inside the period a restriction may begin or cease to hold, energy taken to flow evenly."""
    start, end, edges = stretch.start, stretch.end, stretch.tariff.edges
    span, energy = microseconds(end - start), stretch.energy or 0
    shares = {share_of(edge, start, end) for edge in clock_edges(edges.clock, moment.zone, start, end)}
    if edges.duration:
        shares.update(crossings(edges.duration, moment.elapsed, moment.elapsed + span))
    if edges.energy:
        shares.update(crossings(edges.energy, moment.energy, moment.energy + energy))
    if not shares:
        return []
    ordered = sorted(shares)
    # Halfway to the next edge: exactly on it, energy that falls has not crossed it yet.
    halfway = [(share + after) / 2 for share, after in zip(ordered, [*ordered[1:], _ONE], strict=False)]
    found = []
    for share, at in zip(ordered, halfway, strict=True):
        when = at_share(start, end, at)
        elapsed, flowed = moment.elapsed + span * at, moment.energy + energy * at
        found.append(Glimpse(share, Moment(when, moment.zone, elapsed, flowed, moment.load)))
    return found


def straddles(candidates: Iterable[Candidate], moment: Moment) -> bool:
    """Whether lowest and highest current or power of a period lie on both sides of a limit that is asked for."""
    load = moment.load
    for candidate in candidates:
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


def split_evenly(volume: Units, winners: Sequence[Candidate | None], inside: Sequence[Glimpse]) -> dict[str, str]:
    """The amount as priced at the start, and as an even split at the edges would have it."""
    ends = [*(glimpse.share for glimpse in inside), _ONE]
    amounts = [quantity(volume) * (0 if won is None else Fraction(won.component.price)) for won in winners]
    split, before = Fraction(0), Fraction(0)
    for amount, end in zip(amounts, ends, strict=True):
        split += amount * (end - before)
        before = end
    return {"priced": exact_text(amounts[0]), "even_split": exact_text(split)}
