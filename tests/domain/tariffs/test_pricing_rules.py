"""Rules that hold for every tariff and every session, against a second calculation that shares no code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.money import Money
from domain.tariffs import (
    AdjustmentKind,
    ChargingPeriod,
    ChargingRecord,
    DimensionType,
    Pricing,
    Tariff,
    exact_text,
    parse_instant,
    parse_tariff,
    price,
)

DAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
ZONES = ["UTC", "Europe/Berlin", "America/Chicago", "Asia/Kathmandu", "Australia/Lord_Howe"]
# The nights on which these clocks change, and an ordinary evening.
STARTS = ["2026-03-28T22:00:00Z", "2026-10-24T21:00:00Z", "2026-11-01T04:00:00Z", "2026-04-04T13:00:00Z"]
SECOND = timedelta(seconds=1)
TYPES = ["ENERGY", "TIME", "PARKING_TIME", "FLAT"]

steps = st.sampled_from([0, 1, 60, 300, 500])
prices = st.integers(0, 900).map(lambda cents: Decimal(cents).scaleb(-2))
clocks = st.sampled_from(["00:00", "01:30", "02:00", "02:30", "03:00", "12:00", "18:00", "23:45"])
limits = {
    "start_time": clocks,
    "end_time": clocks,
    "day_of_week": st.lists(st.sampled_from(DAYS), min_size=1, max_size=6, unique=True),
    "min_kwh": st.integers(0, 20),
    "max_kwh": st.integers(1, 40),
    "min_duration": st.integers(0, 7200),
    "max_duration": st.integers(60, 20_000),
}
rates = st.sampled_from([None, 0, 7, Decimal("5.5"), 21])


@st.composite
def tariffs(draw: st.DrawFn, types: Sequence[str] = TYPES) -> dict[str, Any]:
    """Up to four elements of up to four components, each under at most a few restrictions."""
    component = st.fixed_dictionaries(
        {"type": st.sampled_from(types), "price": prices, "vat": rates, "step_size": steps}
    )
    element = st.fixed_dictionaries(
        {
            "price_components": st.lists(component, min_size=1, max_size=4, unique_by=lambda its: its["type"]),
            "restrictions": st.just({}) | st.fixed_dictionaries({}, optional=limits),
        }
    )
    return {
        "country_code": "NL",
        "party_id": "TLY",
        "id": "ANY",
        "currency": draw(st.sampled_from(["EUR", "JPY", "KWD"])),
        "elements": draw(st.lists(element, min_size=1, max_size=4)),
    }


@st.composite
def records(draw: st.DrawFn, most: int = 8) -> ChargingRecord:
    """Periods of whole seconds, each charging, idle or both, with its energy in Wh."""
    at = started_at = parse_instant(draw(st.sampled_from(STARTS)))
    periods = []
    for seconds, idle, wh in draw(
        st.lists(st.tuples(st.integers(1, 9000), st.booleans(), st.integers(0, 15_000)), min_size=1, max_size=most)
    ):
        time = DimensionType.PARKING_TIME if idle else DimensionType.TIME
        energy = DimensionType.ENERGY, Fraction(0 if idle else wh, 1000)
        periods.append(ChargingPeriod(at, ((time, Fraction(seconds, 3600)), energy), "ANY"))
        at += timedelta(seconds=seconds)
    return ChargingRecord(started_at, at, tuple(periods))


zones = st.sampled_from(ZONES).map(ZoneInfo)


class Naive:
    """The same price by a plain loop over the JSON: every period, every dimension, every element."""

    def __init__(self, tariff: dict[str, Any], record: ChargingRecord, zone: ZoneInfo) -> None:
        self.used: list[tuple[str, Fraction, dict[str, Any]]] = []
        energy = Fraction(0)
        for period in record.periods:
            volumes = {kind.value: Fraction(volume) for kind, volume in period.dimensions}
            local, elapsed = period.start_at.astimezone(zone), (period.start_at - record.started_at) // SECOND
            for kind in TYPES:
                volume = Fraction(1) if kind == "FLAT" else volumes.get(kind, Fraction(0))
                component = next(self._matching(tariff, kind, local, elapsed, energy), None)
                once = kind == "FLAT" and any(used[0] == "FLAT" for used in self.used)
                if volume and component and not once:
                    self.used.append((kind, volume, component))
            energy += volumes["ENERGY"]

    def total(self) -> tuple[Fraction, Fraction]:
        billed = list(self.used)
        timed = "PARKING_TIME" if any(kind == "PARKING_TIME" for kind, _, _ in billed) else "TIME"
        for stepped, per_unit in (("ENERGY", 1000), (timed, 3600)):
            total = sum((volume for kind, volume, _ in billed if kind == stepped), Fraction(0))
            component = next((its for kind, _, its in reversed(billed) if kind == stepped), None)
            if component and component["step_size"]:
                step = Fraction(component["step_size"], per_unit)
                billed.append((stepped, ceil(total / step) * step - total, component))
        net = gross = Fraction(0)
        for _, volume, component in billed:
            amount = volume * Fraction(component["price"])
            net, gross = net + amount, gross + amount * (1 + Fraction(component["vat"] or 0) / 100)
        return net, gross

    def _matching(
        self, tariff: dict[str, Any], kind: str, local: datetime, elapsed: int, energy: Fraction
    ) -> Iterator[dict[str, Any]]:
        for element in tariff["elements"]:
            its = element["restrictions"]
            start, end, now = its.get("start_time", "00:00"), its.get("end_time", "00:00"), f"{local:%H:%M}"
            end = "24:00" if end == "00:00" else end
            inside = start <= now < end if start < end else now >= start or now < end
            if (
                (inside or start == end)
                and DAYS[local.weekday()] in (its.get("day_of_week") or DAYS)
                and its.get("min_kwh", 0) <= energy
                and ("max_kwh" not in its or energy < its["max_kwh"])
                and its.get("min_duration", 0) <= elapsed
                and ("max_duration" not in its or elapsed < its["max_duration"])
            ):
                yield from (its for its in element["price_components"] if its["type"] == kind)


def to_the_coin(exact: Fraction, currency: str) -> Money:
    scale = {"EUR": 100, "JPY": 1, "KWD": 1000}[currency]
    return Money(floor(exact * scale + Fraction(1, 2)), currency)


@given(tariffs(), records(), zones)
def test_a_price_is_what_a_plain_loop_finds(raw: dict[str, Any], record: ChargingRecord, zone: ZoneInfo) -> None:
    pricing = price([parse_tariff(raw)], record, zone)
    net, gross = Naive(raw, record, zone).total()
    assert (pricing.exact.total.net, pricing.exact.total.gross) == (net, gross)
    assert pricing.net == to_the_coin(net, raw["currency"])
    assert pricing.gross == to_the_coin(gross, raw["currency"])


bounds = st.integers(0, 3000).map(lambda cents: Decimal(cents).scaleb(-2))
both_sides = st.tuples(bounds, bounds).map(sorted).map(lambda two: {"before_taxes": two[0], "after_taxes": two[1]})
one_side = st.sampled_from(["excl_vat", "incl_vat"]).flatmap(lambda side: bounds.map(lambda amount: {side: amount}))
limit = st.none() | both_sides | bounds.map(lambda amount: {"excl_vat": amount})


@given(tariffs(), records(), zones, limit, limit)
def test_everything_adds_up(
    raw: dict[str, Any], record: ChargingRecord, zone: ZoneInfo, least: object, most: object
) -> None:
    pricing = price([parse_tariff({**raw, "min_price": least, "max_price": most})], record, zone)
    zero = Money.zero(pricing.currency)
    lines = [(its.net, its.gross) for its in pricing.lines]
    parts = [(its.net, its.gross) for its in pricing.parts.values()]
    adjusted = [(its.net, its.gross) for its in pricing.adjustments]
    limits = [(its.net, its.gross) for its in pricing.adjustments if its.kind is not AdjustmentKind.ROUNDING]
    for amounts in (lines + adjusted, parts + limits):
        assert sum((net for net, _ in amounts), zero) == pricing.net
        assert sum((gross for _, gross in amounts), zero) == pricing.gross
    assert sum((tax.amount for tax in pricing.taxes), zero) == pricing.tax
    assert zero <= pricing.net <= pricing.gross
    assert pricing.accrued_net <= pricing.net
    assert pricing.accrued_gross <= pricing.gross


@given(tariffs(), records(), zones, st.none() | both_sides | one_side)
def test_what_has_accrued_never_falls(
    raw: dict[str, Any], record: ChargingRecord, zone: ZoneInfo, most: object
) -> None:
    tariff = parse_tariff({**raw, "max_price": most})
    net = gross = Money.zero(raw["currency"])
    for pricing in growing(tariff, record, zone):
        assert net <= pricing.accrued_net <= pricing.net
        assert gross <= pricing.accrued_gross <= pricing.gross
        assert pricing.exact.accrued.net <= pricing.exact.total.net
        assert pricing.exact.accrued.gross <= pricing.exact.total.gross
        net, gross = pricing.accrued_net, pricing.accrued_gross


def test_a_limit_before_tax_lets_earn_no_more_tax_than_the_bill_may_end_with() -> None:
    energy = {"type": "ENERGY", "price": Decimal(1), "vat": 20, "step_size": 1}
    parking = {"type": "PARKING_TIME", "price": Decimal(6), "vat": 5, "step_size": 1}
    raw = {"id": "ANY", "currency": "EUR", "elements": [{"price_components": [energy, parking]}]}
    tariff = parse_tariff(raw | {"max_price": {"excl_vat": Decimal(10)}})
    began_at = parse_instant(STARTS[0])
    charging = ChargingPeriod(began_at, ((DimensionType.ENERGY, Decimal(12)),), "ANY")
    parked = ChargingPeriod(began_at + timedelta(hours=1), ((DimensionType.PARKING_TIME, Decimal(2)),), "ANY")
    record = ChargingRecord(began_at, began_at + timedelta(hours=3), (charging, parked))
    before, after = growing(tariff, record, ZoneInfo("UTC"))
    assert (before.gross.minor, before.accrued_gross.minor) == (1200, 1050)
    assert (after.gross.minor, after.accrued_gross.minor) == (1125, 1050)


def growing(tariff: Tariff, record: ChargingRecord, zone: ZoneInfo) -> Iterator[Pricing]:
    ends = [*(period.start_at for period in record.periods[1:]), record.ended_at]
    for count, ended_at in enumerate(ends, 1):
        yield price([tariff], replace(record, periods=record.periods[:count], ended_at=ended_at), zone)


@given(tariffs(), records(), zones)
def test_the_same_arguments_give_the_same_answer(raw: dict[str, Any], record: ChargingRecord, zone: ZoneInfo) -> None:
    shuffled = replace(record, periods=tuple(reversed(record.periods)))
    one, two = price([parse_tariff(raw)], record, zone), price([parse_tariff(raw)], shuffled, zone)
    assert (one.net, one.gross, one.taxes, one.parts) == (two.net, two.gross, two.taxes, two.parts)
    assert [line.exact_net for line in one.lines] == [line.exact_net for line in two.lines]


@given(tariffs(TYPES[:3]), records(most=3), zones, st.fractions(Fraction(1, 10), Fraction(9, 10), max_denominator=10))
def test_cutting_a_period_where_no_price_changes_changes_nothing(
    raw: dict[str, Any], record: ChargingRecord, zone: ZoneInfo, share: Fraction
) -> None:
    tariff = parse_tariff(raw)
    whole = price([tariff], record, zone)
    assume(all(finding.code != "period_spans_price_change" for finding in whole.findings))
    *before, last = record.periods
    seconds = (record.ended_at - last.start_at) // SECOND
    first = floor(seconds * share)
    cuts = (last.start_at, Fraction(first, seconds)), (last.start_at + first * SECOND, 1 - Fraction(first, seconds))
    halves = [
        ChargingPeriod(at, tuple((kind, Fraction(volume) * part) for kind, volume in last.dimensions), last.tariff_id)
        for at, part in cuts
    ]
    cut = price([tariff], replace(record, periods=(*before, *halves)), zone)
    assert cut.exact.total == whole.exact.total


@given(tariffs(), zones)
def test_a_record_without_periods_costs_nothing(raw: dict[str, Any], zone: ZoneInfo) -> None:
    at = parse_instant(STARTS[0])
    tariff = parse_tariff({**raw, "min_price": {"excl_vat": 5}})
    pricing = price([tariff], ChargingRecord(at, at, ()), zone)
    assert (pricing.net, pricing.gross, pricing.lines, pricing.adjustments) == (
        *[Money.zero(raw["currency"])] * 2,
        (),
        (),
    )


@pytest.mark.parametrize(("first", "cost"), [("0.30", "3.00"), ("0.70", "7.00")])
def test_of_two_elements_that_hold_the_first_wins(first: str, cost: str) -> None:
    at = parse_instant(STARTS[0])
    period = ChargingPeriod(at, ((DimensionType.ENERGY, 10),))
    elements = [{"price_components": [{"type": "ENERGY", "price": its, "step_size": 1}]} for its in (first, "0.50")]
    tariff = parse_tariff({"id": "ANY", "currency": "EUR", "elements": elements})
    pricing = price([tariff], ChargingRecord(at, at + timedelta(hours=1), (period,)), ZoneInfo("UTC"))
    assert str(pricing.net.major) == cost


@given(st.fractions())
def test_an_exact_text_says_exactly_its_number(number: Fraction) -> None:
    assert Fraction(exact_text(number)) == number
