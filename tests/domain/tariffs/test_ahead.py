"""What lies ahead of a session is what it will cost when it comes."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import Money
from domain.tariffs import (
    ChargingRecord,
    Course,
    Cut,
    RunningPrice,
    next_price_change,
    parse_instant,
    parse_tariff,
    price,
    prices_now,
    within_budget_until,
)
from tests.domain.tariffs.anything import STARTS, ZONES, tariffs

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOON = parse_instant("2026-03-10T11:00:00Z")
TICK, HOUR = timedelta(microseconds=1), timedelta(hours=1)


def priced(kind: str, amount: str, step: int = 1, **restrictions: object) -> dict[str, Any]:
    component = {"type": kind, "price": Decimal(amount), "step_size": step}
    return {"price_components": [component], "restrictions": restrictions}


def course(*elements: dict[str, Any], kw: int = 0, kwh: int = 0, minutes: int = 0) -> Course:
    tariff = parse_tariff({"id": "ANY", "currency": "EUR", "elements": elements})
    since = Cut(NOON + timedelta(minutes=minutes), Fraction(kwh))
    return Course(tariff, NOON, AMSTERDAM, since, Fraction(kw))


def begun(ahead: Course) -> RunningPrice:
    return RunningPrice([ahead.tariff], ahead.began_at, ahead.zone)


def bill(ahead: Course, at: datetime) -> Money:
    """The whole record at once, by the function that prices every record."""
    ends = [*ahead.edges(at), ahead.at(at)]
    periods = [ahead.period(since, end) for since, end in zip([ahead.since, *ends], ends, strict=False)]
    return price([ahead.tariff], ChargingRecord(ahead.began_at, at, tuple(periods)), ahead.zone).gross


@pytest.mark.parametrize(
    ("ahead", "minutes"),
    [
        (course(priced("ENERGY", "0.30", end_time="13:00"), priced("ENERGY", "0.40"), kw=10), 60),
        (course(priced("ENERGY", "0.30", max_kwh=5), priced("ENERGY", "0.40"), kw=10), 30),
        (course(priced("ENERGY", "0.30", max_kwh=5), priced("ENERGY", "0.40"), kw=10, kwh=5), None),
        (course(priced("TIME", "3", max_duration=1500), priced("TIME", "6"), kw=1), 25),
        (course(priced("PARKING_TIME", "3", max_duration=1500), priced("ENERGY", "1"), kw=1), None),
        (course(priced("PARKING_TIME", "3", max_duration=1500), priced("ENERGY", "1")), 25),
        (course(priced("ENERGY", "0.30", end_time="13:00"), priced("ENERGY", "0.30"), kw=10), None),
    ],
)
def test_the_next_change_of_what_runs_is_known_beforehand(ahead: Course, minutes: int | None) -> None:
    expected = None if minutes is None else NOON + timedelta(minutes=minutes)
    assert next_price_change(ahead, NOON + 6 * HOUR) == expected


def test_what_runs_now_is_told_with_its_price() -> None:
    elements = priced("ENERGY", "0.30"), priced("TIME", "6"), priced("PARKING_TIME", "12")
    assert [str(one.gross) for one in prices_now(course(*elements, kw=10))] == ["0.3", "0.1"]
    assert [str(one.gross) for one in prices_now(course(*elements))] == ["0.2"]


@pytest.mark.parametrize(
    ("ahead", "budget", "seconds"),
    [
        (course(priced("TIME", "3.60"), kw=10), 100, 1004),  # 0.10 cents a second; 1.005 is the first that is 1.01
        (course(priced("TIME", "2.40", step=900), kw=10), 119, 900),
        (course(priced("TIME", "2.40", step=900), kw=10), 120, 1800),
        (course(priced("TIME", "2.40"), priced("FLAT", "1.00"), kw=10), 99, 0),
        (course(priced("ENERGY", "0.36", max_kwh=10), priced("ENERGY", "0.72"), kw=10), 720, None),
    ],
)
def test_a_budget_lasts_until_the_step_that_would_exceed_it(ahead: Course, budget: int, seconds: int | None) -> None:
    found = within_budget_until(ahead, begun(ahead), Money(budget, "EUR"), NOON + HOUR)
    if seconds is None:
        assert found is None
    else:
        assert found is not None
        assert (found - NOON) // timedelta(seconds=1) == seconds


both_sides = st.tuples(*[st.integers(0, 3000).map(lambda cents: Decimal(cents).scaleb(-2))] * 2).map(
    lambda two: {"before_taxes": min(two), "after_taxes": max(two)}
)


@given(
    tariffs(), STARTS, ZONES, st.integers(0, 50), st.integers(0, 5000), st.none() | both_sides, st.none() | both_sides
)
def test_a_budget_lasts_as_long_as_pricing_every_instant_says(
    raw: dict[str, Any], start: str, name: str, kw: int, budget: int, least: object, most: object
) -> None:
    tariff = parse_tariff(raw | {"min_price": least, "max_price": most})
    began = parse_instant(start)
    ahead = Course(tariff, began, ZoneInfo(name), Cut(began, Fraction(0)), Fraction(kw))
    money, until = Money(budget, tariff.currency), began + 3 * HOUR
    found = within_budget_until(ahead, begun(ahead), money, until)
    looked = [began + n * timedelta(seconds=300) for n in range(1, 37)]
    assert all(bill(ahead, at) <= money for at in looked if found is None or at <= found)
    if found is not None:
        assert found == began or bill(ahead, found) <= money
        assert bill(ahead, found + TICK) > money or begun(ahead).so_far(began).gross > money


@given(tariffs(of_time_and_energy_only=True), STARTS, ZONES, st.integers(0, 50), st.integers(0, 3 * 3600))
def test_looking_ahead_changes_nothing(raw: dict[str, Any], start: str, name: str, kw: int, seconds: int) -> None:
    began, tariff = parse_instant(start), parse_tariff(raw)
    ahead = Course(tariff, began, ZoneInfo(name), Cut(began, Fraction(0)), Fraction(kw))
    running, untouched = begun(ahead), begun(ahead)
    end = ahead.at(began + timedelta(seconds=seconds))
    for one in (running, untouched):
        one.add(ahead.period(ahead.since, end))
    later = ahead._replace(since=end)
    within_budget_until(later, running, Money(700, tariff.currency), end.at + HOUR)
    ours, theirs = (one.so_far(end.at) for one in (running, untouched))
    assert (ours.exact, ours.findings) == (theirs.exact, theirs.findings)
