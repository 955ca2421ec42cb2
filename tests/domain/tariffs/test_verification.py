"""Somebody else's bill is priced again: accepted within the tolerance, else with the rule most likely broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import Money
from domain.tariffs import (
    DEFAULT_POLICY,
    Cause,
    ChargingPeriod,
    ChargingRecord,
    Claim,
    Cost,
    Level,
    Part,
    Pricing,
    RecordCode,
    RoundingMode,
    RoundingPoint,
    Tariff,
    Verification,
    parse_record,
    parse_tariff,
    price,
    verify,
)

BERLIN, UTC = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")


def component(kind: str, amount: str, vat: str | None = "19", step: int = 1) -> dict[str, object]:
    told: dict[str, object] = {"type": kind, "price": Decimal(amount), "step_size": step}
    return told if vat is None else told | {"vat": Decimal(vat)}


def element(*components: dict[str, object], **restrictions: object) -> dict[str, object]:
    return {"price_components": list(components)} | ({"restrictions": restrictions} if restrictions else {})


def tariff(*elements: dict[str, object], **more: object) -> Tariff:
    return parse_tariff({"id": "T", "currency": "EUR", "elements": list(elements)} | more)


def record(*periods: tuple[str, dict[str, str]], end: str = "17:00") -> ChargingRecord:
    """Periods of 2 March 2026, in UTC; Berlin is an hour ahead."""
    return parse_record(
        {
            "start_date_time": f"2026-03-02T{periods[0][0]}:00Z",
            "end_date_time": f"2026-03-02T{end}:00Z",
            "charging_periods": [
                {
                    "start_date_time": f"2026-03-02T{start}:00Z",
                    "dimensions": [{"type": kind, "volume": Decimal(volume)} for kind, volume in told.items()],
                }
                for start, told in periods
            ],
        }
    )


def claim(of: Pricing | Cost, energy_kwh: Decimal | None = None) -> Claim:
    return Claim(Cost(of.net, of.gross), energy_kwh=energy_kwh)


def euro(net: int, gross: int) -> Cost:
    return Cost(Money(net, "EUR"), Money(gross, "EUR"))


def stepless(told: Tariff) -> Tariff:
    elements = (
        replace(one, price_components=tuple(replace(part, step_size=0) for part in one.price_components))
        for one in told.elements
    )
    return replace(told, elements=tuple(elements))


EVENING = record(("15:00", {"ENERGY": "3.337", "TIME": "0.9"}), ("16:00", {"ENERGY": "2.661", "PARKING_TIME": "1"}))
PLAIN = tariff(element(component("ENERGY", "0.411"), component("PARKING_TIME", "3.07")))
STEPS = tariff(element(component("ENERGY", "0.40", step=500), component("TIME", "1.20", step=900)))
NIGHT = tariff(
    element(component("ENERGY", "0.20"), start_time="16:30", end_time="05:00"), element(component("ENERGY", "0.60"))
)
BOUND = tariff(element(component("ENERGY", "0.50")), max_price={"excl_vat": Decimal("2.00")})
ENERGY = euro(247, 293)
CHARGED = record(("15:00", {"ENERGY": "3.1", "TIME": "0.5"}), ("16:00", {"ENERGY": "2.6", "TIME": "0.5"}))

Theirs = Callable[[Tariff, ChargingRecord], Pricing | Cost]
OTHERWISE: dict[Cause, tuple[Tariff, ChargingRecord, Theirs]] = {
    Cause.TRUNCATION: (
        PLAIN,
        EVENING,
        lambda one, told: price([one], told, BERLIN, replace(DEFAULT_POLICY, mode=RoundingMode.DOWN)),
    ),
    Cause.LINE_ROUNDING: (
        tariff(*(element(component("ENERGY", "0.333"), component("TIME", "0.333"), component("FLAT", "0.335")),)),
        CHARGED,
        lambda one, told: price([one], told, BERLIN, replace(DEFAULT_POLICY, point=RoundingPoint.LINE)),
    ),
    Cause.TIME_ZONE: (NIGHT, CHARGED, lambda one, told: price([one], told, UTC)),
    Cause.STEP_PER_PERIOD: (STEPS, CHARGED, lambda *_: euro(380, 452)),  # 3.5 + 3.0 kWh, twice 45 minutes
    Cause.NO_STEP: (
        STEPS,
        record(("15:00", {"ENERGY": "3.1"})),
        lambda one, told: price([stepless(one)], told, BERLIN),
    ),
    Cause.WALL_CLOCK_TIME: (
        tariff(element(component("TIME", "6.00"))),
        CHARGED,
        lambda *_: euro(1200, 1428),  # two hours by the clock, one of charging
    ),
    Cause.VAT: (PLAIN, CHARGED, lambda one, told: euro(price([one], told, BERLIN).net.minor, 300)),
    Cause.PRICE_LIMIT_IGNORED: (BOUND, CHARGED, lambda *_: euro(285, 339)),
    Cause.RESTRICTION_IGNORED: (
        tariff(element(component("ENERGY", "0.30"), max_kwh=Decimal(1)), element(component("ENERGY", "0.60"))),
        CHARGED,
        lambda *_: euro(171, 203),
    ),
    Cause.ENERGY: (PLAIN, CHARGED, lambda *_: euro(822, 978)),
    Cause.UNKNOWN: (PLAIN, CHARGED, lambda *_: euro(9999, 9999)),
}


@pytest.mark.parametrize("cause", Cause)
def test_a_bill_with_a_broken_rule_names_the_rule(cause: Cause) -> None:
    told, session, theirs = OTHERWISE[cause]
    asked = theirs(told, session)
    energy = Decimal(20) if cause is Cause.ENERGY else None
    found = verify([told], session, BERLIN, claim(asked, energy_kwh=energy), tolerance_minor=0)
    assert (found.is_accepted, found.cause) == (False, cause)
    first = found.findings[0]
    assert (first.code, first.level) == (RecordCode.TOTAL_COST_MISMATCH, Level.WARNING)
    assert str(asked.gross) in first.message


@given(st.sampled_from([PLAIN, STEPS, NIGHT, BOUND]), st.sampled_from([EVENING, CHARGED]), st.integers(-3, 3))
def test_a_bill_is_accepted_within_the_tolerance_and_only_there(told: Tariff, session: ChargingRecord, by: int) -> None:
    ours = price([told], session, BERLIN)
    off = Money(by, "EUR")
    for theirs in (Cost(ours.net, ours.gross + off), Cost(ours.net + off, ours.gross)):
        for tolerance in range(4):
            found = verify([told], session, BERLIN, claim(theirs), tolerance_minor=tolerance)
            assert found.is_accepted is (abs(by) <= tolerance)
            assert (found.cause is None) is found.is_accepted
            assert found.ours is not None
            assert (found.ours.net, found.ours.gross) == (ours.net, ours.gross)


def test_a_party_that_rounds_every_line_is_met_by_its_own_rule() -> None:
    told, session, theirs = OTHERWISE[Cause.LINE_ROUNDING]
    policy = replace(DEFAULT_POLICY, point=RoundingPoint.LINE)
    found = verify([told], session, BERLIN, claim(theirs(told, session)), policy=policy, tolerance_minor=0)
    assert (found.is_accepted, found.findings) == (True, ())


def codes(found: Verification) -> list[str]:
    return [one.code.value for one in found.findings]


def test_totals_that_the_periods_do_not_add_up_to_are_noticed() -> None:
    ours = price([PLAIN], EVENING, BERLIN)

    def check(claimed: Claim) -> list[str]:
        return codes(verify([PLAIN], EVENING, BERLIN, claimed, connector_w=11_000))

    parts = {Part.ENERGY: ENERGY}
    right = Claim(Cost(ours.net, ours.gross), parts, Decimal("5.998"), Fraction(2), Fraction(1))
    assert check(right) == []
    assert check(replace(right, energy_kwh=Decimal("6.0"))) == ["energy_total_mismatch"]
    assert check(replace(right, connected_hours=Fraction(3))) == ["total_time_mismatch"]
    assert check(replace(right, parking_hours=Fraction(1, 2))) == ["parking_total_mismatch"]
    assert check(replace(right, energy_kwh=Decimal(25))) == ["energy_total_mismatch", "implausible_power"]
    assert check(replace(right, parts={Part.ENERGY: euro(200, 238)})) == ["part_cost_mismatch"]
    assert check(replace(right, parts={Part.FIXED: euro(200, 238), Part.ENERGY: ENERGY})) == ["part_cost_mismatch"]


def test_what_cannot_be_priced_says_why_and_is_not_accepted() -> None:
    empty = ChargingRecord(EVENING.started_at, EVENING.ended_at, ())
    named = replace(
        EVENING, periods=tuple(ChargingPeriod(one.start_at, one.dimensions, "OTHER") for one in EVENING.periods)
    )
    swiss = Claim(Cost(Money(1, "CHF"), Money(1, "CHF")))
    asked = claim(euro(100, 119))
    for found in (
        verify([PLAIN], empty, BERLIN, asked),
        verify([PLAIN], named, BERLIN, asked),
        verify([PLAIN], EVENING, BERLIN, swiss),
        verify([], EVENING, BERLIN, asked),
    ):
        assert (found.ours, found.cause, found.is_accepted) == (None, None, False)
        assert codes(found)[0] == "not_priced"
    assert verify([PLAIN], empty, BERLIN, claim(euro(0, 0))).is_accepted


def test_the_cause_of_an_enormous_enormousis_not_looked_for() -> None:
    start = EVENING.started_at
    told = EVENING.periods[0].dimensions
    periods = tuple(ChargingPeriod(start + timedelta(seconds=i), told) for i in range(2_001))
    enormous = ChargingRecord(start, start + timedelta(hours=1), periods)
    down = price([PLAIN], enormous, BERLIN, replace(DEFAULT_POLICY, mode=RoundingMode.DOWN))
    found = verify([PLAIN], enormous, BERLIN, claim(down), tolerance_minor=0)
    assert (found.is_accepted, found.cause) == (False, Cause.UNKNOWN)
