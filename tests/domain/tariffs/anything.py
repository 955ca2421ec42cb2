"""Random tariffs and sessions as JSON: all components, restrictions, taxes and limits, on nights when clocks change."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

DAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
TYPES = ["ENERGY", "TIME", "PARKING_TIME", "FLAT"]
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/Chicago", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"]
)
# The nights on which these clocks change, and an ordinary evening.
STARTS = st.sampled_from(
    [
        "2026-03-28T22:00:00Z",
        "2026-10-24T21:00:00Z",
        "2026-11-01T04:00:00Z",
        "2026-04-04T13:00:00Z",
        "2026-06-19T19:30:00Z",
    ]
)
CURRENCIES = {"EUR": 2, "JPY": 0, "KWD": 3}


def decimals(least: int, most: int, places: int) -> st.SearchStrategy[Decimal]:
    return st.integers(least, most).map(lambda value: Decimal(value).scaleb(-places))


prices = decimals(0, 90_000, 4)
rates = st.sampled_from([None, 0, 7, Decimal("5.5"), 21])
clocks = st.sampled_from(["00:00", "01:30", "02:00", "02:30", "03:00", "12:00", "18:00", "21:07", "23:45"])
dates = st.sampled_from(["2026-03-28", "2026-03-29", "2026-10-25", "2026-11-01", "2026-06-20", "2027-01-01"])
LIMITS = {
    "start_time": clocks,
    "end_time": clocks,
    "start_date": dates,
    "end_date": dates,
    "day_of_week": st.lists(st.sampled_from(DAYS), min_size=1, max_size=6, unique=True),
    "min_kwh": decimals(0, 20_000, 3),
    "max_kwh": decimals(1, 40_000, 3),
    "min_duration": st.integers(0, 7200),
    "max_duration": st.integers(60, 20_000),
}
LOADS = {
    "min_power": st.integers(0, 50),
    "max_power": st.integers(5, 150),
    "min_current": st.integers(0, 60),
    "max_current": st.integers(6, 200),
}
RESERVED = {"reservation": st.sampled_from(["RESERVATION", "RESERVATION_EXPIRES"])}


@st.composite
def tariffs(draw: st.DrawFn, *, of_time_and_energy_only: bool = False) -> dict[str, Any]:
    """Up to five elements of up to four components, each under a few restrictions."""
    component = st.fixed_dictionaries(
        {
            "type": st.sampled_from(TYPES),
            "price": prices,
            "vat": rates,
            "step_size": st.sampled_from([0, 1, 60, 300, 500, 900]),
        }
    )
    optional = LIMITS if of_time_and_energy_only else {**LIMITS, **LOADS, **RESERVED}
    element = st.fixed_dictionaries(
        {
            "price_components": st.lists(component, min_size=1, max_size=4),
            "restrictions": st.just({}) | st.just({}) | st.fixed_dictionaries({}, optional=optional),
        }
    )
    amounts = decimals(0, 3000, 2)
    limit = st.one_of(
        st.none(),
        st.tuples(amounts, amounts).map(lambda two: {"before_taxes": min(two), "after_taxes": max(two)}),
        amounts.map(lambda amount: {"excl_vat": amount}),
    )
    return {
        "country_code": "NL",
        "party_id": "TLY",
        "id": "ANY",
        "currency": draw(st.sampled_from(list(CURRENCIES))),
        "tax_included": draw(st.sampled_from([None, "NO", "YES", "N/A"])),
        "min_price": draw(limit),
        "max_price": draw(limit),
        "elements": draw(st.lists(element, min_size=1, max_size=5)),
        "last_updated": "2026-01-01T00:00:00Z",
    }


@st.composite
def sessions(draw: st.DrawFn, most: int = 8) -> dict[str, Any]:
    """Periods back to back, each with some dimensions; hours are rounded decimals, as in the wild."""
    from_ = draw(STARTS)
    at, periods = 0, []
    hours = decimals(0, 25_000, 4)
    for _ in range(draw(st.integers(1, most))):
        listed = draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "ENERGY": decimals(-500, 15_000, 3),
                    "TIME": hours,
                    "PARKING_TIME": hours,
                    "RESERVATION_TIME": hours,
                    "MIN_POWER": st.integers(0, 160),
                    "MAX_POWER": st.integers(0, 160),
                    "MIN_CURRENT": st.integers(0, 210),
                    "MAX_CURRENT": st.integers(0, 210),
                },
            )
        )
        dimensions = [{"type": kind, "volume": volume} for kind, volume in listed.items()]
        dimensions = dimensions or [{"type": "TIME", "volume": Decimal(0)}]
        periods.append({"start_date_time": _after(from_, at), "dimensions": dimensions, "tariff_id": "ANY"})
        at += draw(st.integers(1, 9000))
    return {
        "start_date_time": from_,
        "end_date_time": _after(from_, at),
        "charging_periods": periods,
        "reservation_expired": draw(st.booleans()),
    }


def _after(start: str, seconds: int) -> str:
    at = datetime.fromisoformat(start) + timedelta(seconds=seconds)
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.text()
    | st.sampled_from(
        ["ENERGY", "EUR", "2026-03-10T08:00:00Z", "18:00", Decimal("1e400"), Decimal("NaN"), -1, 0, 10**30]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
