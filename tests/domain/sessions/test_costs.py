"""Cost lines: they add up to the total, earn it whole, and survive the table."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from domain.energy import Energy
from domain.sessions import lines_of
from domain.sessions.costs import CostLineKind, cost_lines, earned, lines_json
from domain.sessions.declared import declared_lines, earned_from
from domain.sessions.live import Point, fold
from domain.sessions.push import CdrPush, Declared
from domain.tariffs import ChargingPeriod, DimensionType, Pricing, parse_tariff, price
from tests.domain.sessions.ocpi_objects import NOON, after, component, period, tariff
from tests.domain.sessions.stage import euro

BERLIN = ZoneInfo("Europe/Berlin")
prices = st.integers(0, 20_000).map(lambda value: str(Decimal(value).scaleb(-4)))
components = st.builds(
    component,
    st.sampled_from(["ENERGY", "TIME", "PARKING_TIME", "FLAT"]),
    prices,
    st.sampled_from([None, 0, 7, 19]),
    st.sampled_from([0, 1, 60, 300]),
)
limit = st.integers(0, 2000).map(lambda value: {"before_taxes": Decimal(value).scaleb(-2)})


@st.composite
def pricings(draw: st.DrawFn) -> Pricing:
    """Random tariffs over random readings."""
    limited = {"price_components": [draw(components)], "restrictions": {"min_kwh": draw(st.integers(1, 9))}}
    always = {"price_components": draw(st.lists(components, min_size=1, max_size=4))}
    raw = tariff("RANDOM", elements=draw(st.permutations([limited, always])))
    raw |= draw(
        st.fixed_dictionaries(
            {},
            optional={"min_price": limit, "max_price": limit, "tax_included": st.sampled_from(["YES", "NO", "N/A"])},
        )
    )
    at, energy, points = NOON, 0, []
    for seconds, wh in draw(st.lists(st.tuples(st.integers(1, 4000), st.integers(0, 9000)), min_size=1, max_size=6)):
        at, energy = at + timedelta(seconds=seconds), energy + wh
        points.append(Point(at, Energy(energy)))
    return price([parse_tariff(raw)], fold(NOON, at, points).record, BERLIN)


@given(pricings())
def test_lines_add_up_to_the_total(pricing: Pricing) -> None:
    lines = cost_lines(pricing)
    assert sum(line.net_minor for line in lines) == pricing.net.minor
    assert sum(line.tax_minor for line in lines) == pricing.tax.minor
    assert all(line.explanation for line in lines)


@given(pricings())
def test_lines_survive_the_table(pricing: Pricing) -> None:
    lines = cost_lines(pricing)
    assert lines_of(lines_json(lines)) == lines


@given(pricings())
def test_what_is_earned_is_the_total_and_no_part_of_it_is_negative(pricing: Pricing) -> None:
    parts = earned(pricing, "DE")
    assert parts.total == pricing.gross
    assert parts.charging + parts.idle == pricing.net
    assert all(amount.minor >= 0 for amount in (parts.charging, parts.idle, *(tax for _, tax in parts.taxes)))


def test_unit_prices_are_shown_without_and_with_tax() -> None:
    record = fold(NOON, after(60), [Point(after(60), Energy(10_000))]).record
    for included, shown in (("NO", ("0.5", "0.595")), ("YES", ("0.420168", "0.5")), ("N/A", ("0.5", "0.5"))):
        raw = tariff("T", component("ENERGY", "0.50"), tax_included=included)
        (line, *_) = cost_lines(price([parse_tariff(raw)], record, BERLIN))
        assert (line.price_net, line.price_gross) == tuple(map(Decimal, shown))


def test_reservations_are_one_kind_of_line() -> None:
    restrictions = {"reservation": "RESERVATION"}
    raw = tariff("T", elements=[{"price_components": [component("TIME", "2.40")], "restrictions": restrictions}])
    told = (ChargingPeriod(NOON, ((DimensionType.RESERVATION_TIME, Decimal("0.5")),)), period(30, "1", hours="0.5"))
    record = fold(NOON, after(60), [Point(after(60), Energy(1000), replaces=True, periods=told)]).record
    lines = cost_lines(price([parse_tariff(raw)], record, BERLIN))
    assert [(line.kind, line.net_minor) for line in lines] == [(CostLineKind.RESERVATION, 120)]


# --- bills that others made ---------------------------------------------------------------------------------------

amounts = st.integers(0, 5000)
parts = st.one_of(st.none(), st.tuples(amounts, st.integers(0, 900)).map(lambda p: Declared(euro(p[0]), euro(sum(p)))))


@given(st.tuples(amounts, st.integers(0, 900)), parts, parts, parts, parts)
def test_declared_lines_add_up_to_the_declared_total(
    total: tuple[int, int],
    energy: Declared | None,
    time: Declared | None,
    parking: Declared | None,
    fixed: Declared | None,
) -> None:
    push = CdrPush(
        ocpi_id="C1",
        session="S1",
        started_at=NOON,
        ended_at=after(60),
        energy=Energy(10_000),
        total=Declared(euro(total[0]), euro(sum(total))),
        energy_cost=energy,
        time_cost=time,
        parking_cost=parking,
        fixed_cost=fixed,
        connected_hours=Fraction(1),
        parking_hours=Fraction(1, 3),
        periods=(),
        signed=None,
        content="{}",
    )
    lines = declared_lines(push)
    assert (sum(line.net_minor for line in lines), sum(line.tax_minor for line in lines)) == total
    assert lines_of(lines_json(lines)) == lines
    for rate in (None, Decimal(19)):
        earned_ = earned_from(push, "DE", rate)
        assert earned_.total == push.total.gross
        assert min(earned_.charging.minor, earned_.idle.minor) >= 0
