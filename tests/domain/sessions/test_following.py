"""A session followed reading by reading costs at every step, and in the end, what its whole log costs at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from domain.ids import ChargingSessionId, OperatorId
from domain.money import Money
from domain.sessions.following import Following, Standing
from domain.sessions.live import fold, periods_json, points_of
from domain.sessions.models import MeterReading
from domain.tariffs import ChargingPeriod, DimensionType, Pricing, Tariff, cutter, parse_tariff, price
from tests.domain.sessions.ocpi_objects import NOON, STANDARD
from tests.domain.tariffs import oracle
from tests.domain.tariffs.anything import CURRENCIES, STARTS, ZONES, tariffs

OPERATOR, SESSION = OperatorId(UUID(int=1)), ChargingSessionId(UUID(int=2))
stretches = st.lists(
    st.tuples(st.integers(1, 5000), st.one_of(st.just(0), st.integers(1, 9000))), min_size=1, max_size=8
)


def reading(number: int, at: datetime, wh: int, periods: tuple[ChargingPeriod, ...] | None = None) -> MeterReading:
    return MeterReading(
        operator_id=OPERATOR,
        session_id=SESSION,
        number=number,
        at=at,
        energy_wh=wh,
        status="ACTIVE",
        replaces=False,
        periods=periods_json(periods),
        received_at=at,
    )


def readings(start: datetime, told: list[tuple[int, int]]) -> list[MeterReading]:
    rows, at, wh = [], start, 0
    for number, (seconds, more) in enumerate(told, 1):
        at, wh = at + timedelta(seconds=seconds), wh + more
        rows.append(reading(number, at, wh))
    return rows


def followed(tariff: Tariff, start: datetime, zone: ZoneInfo, rows: list[MeterReading]) -> Following:
    """Row by row as they arrive; where one does not simply follow, all over again, as the service does."""
    following = Following(start, zone, [tariff])
    for count, row in enumerate(rows, 1):
        if not following.take(row, None):
            following = Following(start, zone, [tariff]).again(rows[:count], None)
    return following


def amounts(pricing: Pricing) -> tuple[object, ...]:
    exact = pricing.exact.total, pricing.exact.accrued
    return (*exact, pricing.net, pricing.gross, pricing.accrued_net, pricing.accrued_gross, dict(pricing.parts))


def of_log(tariff: Tariff, start: datetime, zone: ZoneInfo, rows: list[MeterReading]) -> Pricing:
    """The whole log at once, by the function that prices every record."""
    cut = cutter([tariff], start, zone)
    return price([tariff], fold(start, None, points_of(rows), cut).record, zone)


@given(tariffs(), STARTS, stretches, ZONES)
def test_at_every_step_it_costs_what_the_log_so_far_costs(
    raw: dict[str, Any], start: str, told: list[tuple[int, int]], name: str
) -> None:
    tariff, began, zone = parse_tariff(raw), oracle.instant(start), ZoneInfo(name)
    rows = readings(began, told)
    following = Following(began, zone, [tariff])
    before = Money.zero(tariff.currency)
    for count, row in enumerate(rows, 1):
        assert following.take(row, None)
        stands = following.stands(None)
        assert amounts(stands.pricing) == amounts(of_log(tariff, began, zone, rows[:count]))
        assert stands.pricing.accrued_net <= stands.pricing.net
        assert stands.pricing.accrued_gross <= stands.pricing.gross
        assert before <= stands.pricing.accrued_gross
        before = stands.pricing.accrued_gross


@given(tariffs(), STARTS, stretches, ZONES, st.data())
def test_readings_late_doubled_and_in_any_order_cost_the_same(
    raw: dict[str, Any], start: str, told: list[tuple[int, int]], name: str, data: st.DataObject
) -> None:
    tariff, began, zone = parse_tariff(raw), oracle.instant(start), ZoneInfo(name)
    rows = readings(began, told)
    shuffled = data.draw(st.permutations([*rows, *rows]))
    again = [reading(number, row.at, row.energy_wh) for number, row in enumerate(shuffled, 1)]
    ours, theirs = (followed(tariff, began, zone, log).stands(None) for log in (rows, again))
    assert amounts(ours.pricing) == amounts(theirs.pricing)
    assert shown(ours) == shown(theirs)


@given(st.lists(st.tuples(st.integers(1, 3000), st.sampled_from(["0", "2"])), min_size=1, max_size=6))
def test_a_pause_is_as_long_when_it_is_told_period_by_period_as_when_it_is_told_at_once(
    told: list[tuple[int, str]],
) -> None:
    at, rows, periods, paused = NOON, [], [], 0
    for number, (seconds, kwh) in enumerate(told, 1):
        time = () if kwh == "0" else ((DimensionType.TIME, Fraction(seconds, 3600)),)
        periods.append(ChargingPeriod(at, ((DimensionType.ENERGY, Decimal(kwh)), *time)))
        at, paused = at + timedelta(seconds=seconds), paused + (seconds if kwh == "0" else 0)
        rows.append(reading(number, at, sum(2000 for _, its in told[:number] if its == "2"), (periods[-1],)))
    tariff = parse_tariff(STANDARD)
    stands = followed(tariff, NOON, ZoneInfo("UTC"), rows).stands(at)
    at_once = fold(NOON, at, points_of(rows))
    assert stands.paused_seconds == at_once.paused_seconds == paused
    assert stands.charging_seconds == at_once.charging_seconds == sum(seconds for seconds, _ in told) - paused
    assert stands.is_paused is (told[-1][1] == "0")


def shown(stands: Standing) -> tuple[object, ...]:
    return stands.ended_at, stands.is_parked, stands.power_w, stands.charging_seconds, stands.idle_seconds


@given(tariffs(), STARTS, stretches, ZONES)
def test_periods_declared_as_they_end_cost_what_they_cost_at_once(
    raw: dict[str, Any], start: str, told: list[tuple[int, int]], name: str
) -> None:
    tariff, began, zone = parse_tariff(raw), oracle.instant(start), ZoneInfo(name)
    at, wh, rows, periods = began, 0, [], []
    for number, (seconds, more) in enumerate(told, 1):
        kind = DimensionType.TIME if more else DimensionType.PARKING_TIME
        volumes = ((DimensionType.ENERGY, Fraction(more, 1000)), (kind, Fraction(seconds, 3600)))
        periods.append(ChargingPeriod(at, volumes, "ANY"))
        at, wh = at + timedelta(seconds=seconds), wh + more
        rows.append(reading(number, at, wh, (periods[-1],)))
    following = followed(tariff, began, zone, rows)
    assert following.stands(None).is_declared
    at_once = fold(began, None, points_of([reading(1, at, wh, tuple(periods))])).record
    assert amounts(following.stands(None).pricing) == amounts(price([tariff], at_once, zone))


@given(
    tariffs(of_time_and_energy_only=True),
    STARTS,
    st.lists(st.tuples(st.integers(1, 400), st.integers(0, 9)), min_size=1, max_size=3),
    ZONES,
)
def test_readings_cut_at_every_edge_cost_what_second_by_second_costs(
    raw: dict[str, Any], start: str, told: list[tuple[int, int]], name: str
) -> None:
    # Whole Wh a second, and limits of whole Wh: then no edge lies inside a second but those of energy, which are moved.
    flowing = [(seconds, seconds * each) for seconds, each in told]
    _reached_on_the_second(raw, flowing)
    tariff, began, zone = parse_tariff(raw), oracle.instant(start), ZoneInfo(name)
    following = followed(tariff, began, zone, readings(began, flowing))
    by_second = oracle.by_the_second(began, flowing)
    other = oracle.verdict(raw, by_second, began, zone, CURRENCIES[raw["currency"]])
    total = following.stands(None).pricing.exact.total
    assert (total.net, total.gross) == (other.net, other.gross)


def _reached_on_the_second(raw: dict[str, Any], flowing: list[tuple[int, int]]) -> None:
    """Moves every limit of energy to one that is reached at the end of a second."""
    reached = [0]
    for seconds, wh in flowing:
        reached += [reached[-1] + wh // seconds * (second + 1) for second in range(seconds)]
    for element in raw["elements"]:
        its = element["restrictions"]
        for field in {"min_kwh", "max_kwh"} & its.keys():
            its[field] = Fraction(reached[int(its[field] * 1000) % len(reached)], 1000)
            its[field] = str(its[field].numerator / its[field].denominator)
