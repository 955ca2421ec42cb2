"""From a log to a record: whatever the size, the order or the repetition of pushes, the same cent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.energy import Energy
from domain.errors import InvalidInput
from domain.ids import ChargingSessionId, OperatorId
from domain.sessions.live import Folded, Point, declared_periods, fold, periods_json, points_of
from domain.sessions.models import MeterReading
from domain.tariffs import ChargingPeriod, DimensionType, parse_tariff, price
from tests.domain.sessions.ocpi_objects import NOON, after, component, period, tariff

BERLIN = ZoneInfo("Europe/Berlin")
STEPPED = parse_tariff(
    tariff(
        "STEPPED",
        component("FLAT", "0.35"),
        component("ENERGY", "0.4567", step=500),
        component("TIME", "1.23", step=60),
        component("PARKING_TIME", "4.56", vat=7, step=300),
    )
)


def cents(folded: Folded) -> tuple[int, int]:
    pricing = price([STEPPED], folded.record, BERLIN)
    return pricing.net.minor, pricing.gross.minor


def kwh(periods: Sequence[ChargingPeriod]) -> Fraction:
    return sum(
        (Fraction(v) for p in periods for kind, v in p.dimensions if kind is DimensionType.ENERGY), start=Fraction(0)
    )


def hours(periods: Sequence[ChargingPeriod]) -> Fraction:
    times = (DimensionType.TIME, DimensionType.PARKING_TIME)
    return sum((Fraction(v) for p in periods for kind, v in p.dimensions if kind in times), start=Fraction(0))


@st.composite
def facts(draw: st.DrawFn) -> list[tuple[ChargingPeriod, datetime, Energy]]:
    """Declared periods back to back, each with the instant of its end and the energy counted by then."""
    found, at, energy = [], NOON, Energy(0)
    for seconds, wh in draw(
        st.lists(st.tuples(st.integers(1, 5000), st.one_of(st.just(0), st.integers(1, 30_000))), min_size=1, max_size=8)
    ):
        kind = DimensionType.TIME if wh else DimensionType.PARKING_TIME
        flow = ((DimensionType.ENERGY, Energy(wh).kwh),) if wh else ()
        told = ChargingPeriod(at, (*flow, (kind, Fraction(seconds, 3600))))
        at, energy = at + timedelta(seconds=seconds), energy + Energy(wh)
        found.append((told, at, energy))
    return found


@st.composite
def pushes(draw: st.DrawFn, told: list[tuple[ChargingPeriod, datetime, Energy]]) -> list[Point]:
    """Pushes that tell these facts: each tells the next few as a PATCH, or all so far as a PUT; some twice."""
    last = len(told) - 1
    points: list[Point] = []
    since = 0
    for index, (_, at, energy) in enumerate(told):
        if index != last and not draw(st.booleans()):
            continue
        replaces = not points or draw(st.booleans())
        periods = tuple(one for one, _, _ in told[0 if replaces else since : index + 1])
        points += [Point(at, energy, replaces, periods)] * draw(st.integers(1, 2))
        since = index + 1
    return points


@given(st.data(), facts())
def test_any_split_into_pushes_gives_the_same_record_and_cent(
    data: st.DataObject, told: list[tuple[ChargingPeriod, datetime, Energy]]
) -> None:
    end = told[-1][1]
    whole = fold(NOON, end, [Point(end, told[-1][2], replaces=True, periods=tuple(one for one, _, _ in told))])
    parts = fold(NOON, end, data.draw(pushes(told)))
    assert parts == whole
    assert whole.is_declared
    assert cents(parts) == cents(whole)


@given(
    st.lists(
        st.tuples(st.integers(-120_000, 9_000_000), st.one_of(st.just(0), st.integers(1, 9000))),
        min_size=1,
        max_size=10,
    ),
    st.one_of(st.none(), st.integers(0, 9_000_000)),
)
def test_derived_periods_account_for_all_energy_and_all_time(steps: list[tuple[int, int]], end: int | None) -> None:
    energy, points = 0, []
    for milliseconds, wh in steps:
        energy += wh
        points.append(Point(NOON + timedelta(milliseconds=milliseconds), Energy(energy)))
    ended_at = None if end is None else NOON + timedelta(milliseconds=end)
    folded = fold(NOON, ended_at, points)
    starts = [one.start_at for one in folded.record.periods]
    assert not folded.is_declared
    assert kwh(folded.record.periods) * 1000 == energy
    assert starts == sorted(starts)
    assert all(NOON <= start <= folded.record.ended_at for start in starts)
    assert all(volume >= 0 for one in folded.record.periods for _, volume in one.dimensions)
    seen = max(min(point.at, ended_at or point.at) for point in points)
    assert hours(folded.record.periods) == Fraction(
        max(seen - NOON, timedelta(0)) // timedelta(microseconds=1), 3_600_000_000
    )


@given(st.lists(st.tuples(st.integers(1, 4000), st.integers(0, 9000)), min_size=1, max_size=8), st.data())
def test_readings_told_twice_or_late_change_nothing(steps: list[tuple[int, int]], data: st.DataObject) -> None:
    at, energy, points = NOON, 0, []
    for seconds, wh in steps:
        at, energy = at + timedelta(seconds=seconds), energy + wh
        points.append(Point(at, Energy(energy)))
    told = [*data.draw(st.permutations([*points, *points])), points[-1]]
    assert fold(NOON, at, told).record == fold(NOON, at, points).record
    assert cents(fold(NOON, at, told)) == cents(fold(NOON, at, points))


def test_a_final_reading_older_than_one_before_it_still_counts() -> None:
    points = [Point(after(60, 5), Energy(10_000)), Point(after(60, 3), Energy(10_500))]
    folded = fold(NOON, after(60, 3), points)
    assert kwh(folded.record.periods) == Decimal("10.5")
    assert folded.charging_seconds == 3603


def test_time_between_readings_is_not_cut_to_seconds() -> None:
    points = [Point(NOON + timedelta(milliseconds=1900 * n), Energy(n)) for n in range(1, 101)]
    assert fold(NOON, None, points).charging_seconds == 190


@pytest.mark.parametrize(("counted", "accounts"), [(10_000, True), (10_002, True), (10_003, False), (9_997, False)])
def test_declared_periods_are_used_only_if_they_account_for_the_energy(counted: int, accounts: bool) -> None:
    declared = (period(0, "4", hours="0.5"), period(30, "6", hours="0.25"))
    folded = fold(NOON, after(60), [Point(after(60), Energy(counted), replaces=True, periods=declared)])
    assert folded.is_declared is accounts
    assert (folded.record.periods == declared) is accounts
    assert folded.charging_seconds == (2700 if accounts else 3600)


def test_energy_declared_as_imported_accounts_as_it_is_priced() -> None:
    both = ((DimensionType.ENERGY, Decimal(10)), (DimensionType.ENERGY_IMPORT, Decimal(10)))
    moved = ((DimensionType.ENERGY_IMPORT, Decimal(12)), (DimensionType.ENERGY_EXPORT, Decimal(2)))
    for dimensions in (both, moved):
        told = (ChargingPeriod(NOON, dimensions),)
        assert fold(NOON, after(60), [Point(after(60), Energy(10_000), replaces=True, periods=told)]).is_declared


def test_a_put_says_anew_what_all_periods_are() -> None:
    first, second = (period(0, "4"),), (period(0, "3"), period(20, "1"))
    put = Point(after(30), Energy(4000), replaces=True, periods=first)
    assert declared_periods([put, Point(after(30), Energy(4000), replaces=True, periods=second)]) == second
    silent = Point(after(31), Energy(4000), replaces=True, periods=None)
    assert declared_periods([put, silent]) == first


def test_a_period_that_contradicts_another_is_refused() -> None:
    points = [
        Point(after(30), Energy(4000), periods=(period(0, "4"),)),
        Point(after(31), Energy(5000), periods=(period(0, "5"),)),
    ]
    with pytest.raises(InvalidInput) as refused:
        fold(NOON, None, points)
    assert refused.value.path == ("charging_periods",)
    fold(NOON, None, [points[0], Point(after(31), Energy(4000), periods=(period(0, "4.000"),))])


def test_a_stretch_without_energy_is_parking_and_shows_no_power() -> None:
    charging = fold(NOON, None, [Point(after(30), Energy(5500))])
    assert (charging.power_w, charging.is_parked, charging.charging_seconds) == (11_000, False, 1800)
    parked = fold(NOON, None, [Point(after(30), Energy(5500)), Point(after(40), Energy(5500))])
    assert (parked.power_w, parked.is_parked, parked.idle_seconds) == (None, True, 600)


def test_a_session_without_any_reading_lasts_as_long_as_it_is_open() -> None:
    folded = fold(NOON, after(10), [])
    assert (folded.record.periods, folded.charging_seconds, folded.idle_seconds) == ((), 600, 0)


@given(facts())
def test_points_survive_the_table(told: list[tuple[ChargingPeriod, datetime, Energy]]) -> None:
    points = [Point(at, energy, replaces=n % 2 == 0, periods=(one,)) for n, (one, at, energy) in enumerate(told)]
    points.append(Point(told[-1][1], told[-1][2], replaces=True, periods=None))
    operator, session = OperatorId(uuid4()), ChargingSessionId(uuid4())
    rows = [
        MeterReading(
            operator_id=operator,
            session_id=session,
            number=number,
            at=point.at,
            energy_wh=point.energy.wh,
            status="ACTIVE",
            replaces=point.replaces,
            periods=periods_json(point.periods),
            received_at=NOON,
        )
        for number, point in enumerate(points, 1)
    ]
    assert points_of(rows) == points
    assert all(a.at <= b.at for a, b in pairwise(points))
