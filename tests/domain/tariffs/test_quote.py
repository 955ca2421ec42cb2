"""What a driver is told before the start: every price, in the order the law asks for, and in which case it holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.tariffs import (
    ChargingPeriod,
    ChargingRecord,
    DimensionType,
    QuoteUnit,
    ceilings,
    expected,
    parse_tariff,
    price,
    quoted_components,
)
from tests.domain.sessions.ocpi_objects import component, tariff

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
KINDS = {"ENERGY": QuoteUnit.KWH, "TIME": QuoteUnit.MINUTE, "FLAT": QuoteUnit.SESSION, "PARKING_TIME": QuoteUnit.OTHER}


def conditions(restrictions: dict[str, object], kind: str = "ENERGY", step: int = 1) -> str | None:
    element = {"price_components": [component(kind, "1", 19, step)], "restrictions": restrictions}
    (quoted,) = quoted_components(parse_tariff(tariff("T", elements=[element])))
    return quoted.condition


@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=6))
def test_prices_stand_in_the_order_of_the_law_whatever_the_order_of_the_tariff(kinds: list[str]) -> None:
    quoted = quoted_components(parse_tariff(tariff("T", *(component(kind, "1.20") for kind in kinds))))
    order = list(QuoteUnit)
    units = [one.per for one in quoted]
    assert units == sorted(units, key=order.index)
    assert sorted(units) == sorted(KINDS[kind] for kind in kinds)


def test_prices_are_shown_per_unit_without_and_with_tax() -> None:
    raw = tariff("T", component("ENERGY", "0.50"), component("TIME", "2.40"), component("FLAT", "1.00", 7))
    shown = [(one.per.value, one.net, one.gross, one.vat_percent) for one in quoted_components(parse_tariff(raw))]
    assert shown == [
        ("KWH", Decimal("0.5"), Decimal("0.595"), Decimal(19)),
        ("MINUTE", Decimal("0.04"), Decimal("0.0476"), Decimal(19)),
        ("SESSION", Decimal(1), Decimal("1.07"), Decimal(7)),
    ]


@pytest.mark.parametrize(
    ("included", "net", "gross", "vat"),
    [("YES", "0.420168", "0.5", 19), ("NO", "0.5", "0.595", 19), ("N/A", "0.5", "0.5", None)],
)
def test_the_tax_is_where_the_tariff_says(included: str, net: str, gross: str, vat: int | None) -> None:
    (one,) = quoted_components(parse_tariff(tariff("T", component("ENERGY", "0.50"), tax_included=included)))
    assert (one.net, one.gross, one.vat_percent) == (Decimal(net), Decimal(gross), vat)


@pytest.mark.parametrize(
    ("restrictions", "words"),
    [
        ({}, None),
        ({"start_time": "22:00", "end_time": "06:00"}, "from 22:00 to 06:00"),
        ({"end_time": "06:00"}, "before 06:00"),
        ({"start_date": "2026-04-01"}, "from 2026-04-01"),
        ({"min_kwh": 5, "max_kwh": Decimal("20.5")}, "from 5 to 20.5 kWh"),
        ({"max_power": 22}, "below 22 kW"),
        ({"min_current": 16}, "from 16 A"),
        ({"min_duration": 3600}, "from 3600 s after the start"),
        ({"day_of_week": ["SUNDAY", "MONDAY"]}, "on Monday, Sunday"),
        ({"day_of_week": ["MONDAY"], "max_kwh": 5}, "on Monday; below 5 kWh"),
    ],
)
def test_a_condition_is_said_in_words(restrictions: dict[str, object], words: str | None) -> None:
    assert conditions(restrictions) == words


def test_steps_and_parking_are_said_in_words() -> None:
    assert conditions({}, "TIME", 300) == "billed in steps of 300 s"
    assert conditions({}, "ENERGY", 500) == "billed in steps of 500 Wh"
    assert conditions({}, "PARKING_TIME") == "per minute plugged in without charging"
    assert conditions({}, "FLAT", 300) is None


@pytest.mark.parametrize(
    ("kind", "words"),
    [("RESERVATION", "for a reservation"), ("RESERVATION_EXPIRES", "for a reservation that expires")],
)
def test_a_price_of_a_reservation_stands_among_the_others(kind: str, words: str) -> None:
    element = {"price_components": [component("TIME", "6")], "restrictions": {"reservation": kind}}
    (one,) = quoted_components(parse_tariff(tariff("T", elements=[element])))
    assert (one.per, one.condition, one.net) == (QuoteUnit.OTHER, words, Decimal("0.1"))


def test_a_price_that_never_applies_is_not_shown() -> None:
    element = {"price_components": [component("ENERGY", "9")], "restrictions": {"moon_phase": "full"}}
    free = {"price_components": [component("ENERGY", "0.30")]}
    assert [one.net for one in quoted_components(parse_tariff(tariff("T", elements=[element, free])))] == [
        Decimal("0.3")
    ]


@given(st.integers(0, 100_000), st.integers(0, 100_000), st.sampled_from([1, 60, 500]))
def test_the_expected_cost_is_the_price_of_such_a_session(wh: int, seconds: int, step: int) -> None:
    raw = tariff(
        "T", component("ENERGY", "0.4321", 19, step), component("TIME", "1.10", 7, step), component("FLAT", "0.5")
    )
    kwh, span = Decimal(wh).scaleb(-3), timedelta(seconds=seconds)
    guess = expected(parse_tariff(raw), kwh, span, NOON, BERLIN)
    volumes = ((DimensionType.ENERGY, kwh), (DimensionType.TIME, Decimal(seconds) / 3600))
    real = price([parse_tariff(raw)], ChargingRecord(NOON, NOON + span, (ChargingPeriod(NOON, volumes),)), BERLIN)
    assert (guess.net, guess.gross) == (real.net, real.gross)


# --- ceilings -----------------------------------------------------------------------------------------------------

DAY = {"start_time": "07:00", "end_time": "22:00"}


def element(*components: dict[str, object], **restrictions: object) -> dict[str, object]:
    return {"price_components": list(components)} | ({"restrictions": restrictions} if restrictions else {})


def highest(*elements: dict[str, object], at: datetime = NOON) -> list[tuple[str, str, str]]:
    """Local start, gross of a kWh, gross of an hour."""
    found = ceilings(parse_tariff(tariff("T", elements=list(elements))), at, BERLIN)
    return [
        (f"{one.start_at.astimezone(BERLIN):%a %H:%M}", f"{one.per_kwh.gross:f}", f"{one.per_hour.gross:f}")
        for one in found
    ]


def test_the_highest_price_is_shown_now_and_at_every_change_of_a_week() -> None:
    by_day = element(component("ENERGY", "0.50", None), component("PARKING_TIME", "6", None), **DAY)
    at_night = element(component("ENERGY", "0.30", None), component("TIME", "1", None))
    found = highest(by_day, at_night)
    assert found[:4] == [
        ("Mon 13:00", "0.5", "6"),
        ("Mon 22:00", "0.3", "1"),
        ("Tue 07:00", "0.5", "6"),
        ("Tue 22:00", "0.3", "1"),
    ]
    assert len(found) == 12
    assert highest(at_night) == [("Mon 13:00", "0.3", "1")]
    assert highest(element(component("FLAT", "5", None))) == [("Mon 13:00", "0", "0")]


def test_an_element_that_may_or_may_not_apply_counts_and_so_do_those_behind_it() -> None:
    cheap_at_first = element(component("ENERGY", "0.20", None), max_kwh=Decimal(5))
    dear_if_fast = element(component("ENERGY", "0.90", None), min_power=Decimal(100))
    usual = element(component("ENERGY", "0.40", None))
    hidden = element(component("ENERGY", "9.00", None))
    reserved = element(component("TIME", "9.00", None), reservation="RESERVATION")
    assert highest(cheap_at_first, usual, hidden, reserved) == [("Mon 13:00", "0.4", "0")]
    assert highest(dear_if_fast, usual, hidden) == [("Mon 13:00", "0.9", "0")]
    assert highest(usual, dear_if_fast) == [("Mon 13:00", "0.4", "0")]
    misspelt = element(component("ENERGY", "9.00", None), max_kilowatts=5)
    assert highest(misspelt, usual) == [("Mon 13:00", "0.4", "0")]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["0.10", "0.35", "0.80"]),
            st.sampled_from([{}, DAY, {"day_of_week": ["TUESDAY", "SUNDAY"]}, {"min_kwh": Decimal(3)}]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 7 * 24 * 4 - 1),
    st.decimals("0.1", "9", places=1),
)
def test_no_session_pays_more_for_a_kwh_than_the_ceiling_of_its_instant(
    elements: list[tuple[str, dict[str, object]]], quarters: int, kwh: Decimal
) -> None:
    told = parse_tariff(tariff("T", elements=[element(component("ENERGY", price), **its) for price, its in elements]))
    start = NOON + timedelta(minutes=15 * quarters)
    found = ceilings(told, NOON, BERLIN)
    if len(found) == 12 and start >= found[-1].start_at:
        return
    holds = [one for one in found if one.start_at <= start][-1]
    periods = [ChargingPeriod(start + timedelta(seconds=i), ((DimensionType.ENERGY, kwh),)) for i in range(2)]
    session = price([told], ChargingRecord(start, start + timedelta(minutes=10), tuple(periods)), BERLIN)
    dearest = max((line.exact_gross / line.billed for line in session.lines), default=0)
    assert dearest <= holds.per_kwh.gross
