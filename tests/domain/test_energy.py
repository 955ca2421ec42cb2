"""Whole watt hours: read from kilowatt hours once, exact afterwards."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.energy import Energy

watt_hours = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    ("kwh", "wh"),
    [
        ("0", 0),
        ("-0", 0),
        ("0.0004", 0),
        ("0.0005", 1),
        ("0.00049999999", 0),
        ("0.001", 1),
        ("0.0014", 1),
        ("0.0015", 2),
        ("0.0025", 3),
        ("-0.0004", 0),
        ("-0.0005", -1),
        ("-1.2345", -1235),
        ("1", 1000),
        ("1.0", 1000),
        ("1.000", 1000),
        ("7.812", 7812),
        ("7.8124", 7812),
        ("7.8125", 7813),
        ("7.8126", 7813),
        ("11.4", 11400),
        ("42.4242", 42424),
        ("99.9995", 100000),
        ("1E+2", 100000),
        ("1E-3", 1),
        ("123456789.123", 123456789123),
        ("9223372036854775.807", 2**63 - 1),
    ],
)
def test_kilowatt_hours_become_the_nearest_watt_hour(kwh: str, wh: int) -> None:
    assert Energy.from_kwh(Decimal(kwh)) == Energy(wh)


@pytest.mark.parametrize(("kwh", "wh"), [((1, 3), 333), ((2, 3), 667), ((1, 2000), 1), ((-1, 2000), -1), ((1, 7), 143)])
def test_fractions_are_rounded_as_decimals_are(kwh: tuple[int, int], wh: int) -> None:
    assert Energy.from_kwh(Fraction(*kwh)) == Energy(wh)


@given(watt_hours)
def test_kilowatt_hours_lose_nothing_and_have_three_decimals(wh: int) -> None:
    assert Energy.from_kwh(Energy(wh).kwh) == Energy(wh)
    assert Energy(wh).kwh.as_tuple().exponent == -3


@given(watt_hours, watt_hours)
def test_sums_and_order_are_those_of_the_integers(one: int, other: int) -> None:
    a, b = Energy(one), Energy(other)
    assert (a + b).wh == one + other
    assert (a - b).wh == one - other
    assert (a < b, a <= b, a > b, a >= b, a == b) == (
        one < other,
        one <= other,
        one > other,
        one >= other,
        one == other,
    )


@pytest.mark.parametrize("wh", [1.0, True, Decimal(1), Fraction(1), "1", None])
def test_watt_hours_are_integers_and_nothing_like_them(wh: object) -> None:
    with pytest.raises(AssertionError, match="integers"):
        Energy(wh)  # type: ignore[arg-type]


def test_energy_is_not_money_and_not_a_number() -> None:
    with pytest.raises((TypeError, AttributeError)):
        Energy(1) + 1  # type: ignore[operator]
    assert Energy(1) != 1  # type: ignore[comparison-overlap]
