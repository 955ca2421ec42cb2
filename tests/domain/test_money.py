"""Exact amounts: one rounding, shares that add up, currencies that never mix."""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import DIGITS, MixedCurrencies, Money, rounded

minors = st.integers(-(2**63), 2**63 - 1)
currencies = st.sampled_from(sorted(DIGITS))
amounts = st.builds(Money, minors, currencies)
exacts = st.one_of(
    st.fractions(),
    st.decimals(allow_nan=False, allow_infinity=False, places=6),
    st.integers(-(10**6), 10**6).map(lambda halves: Fraction(halves, 2)),
)
weights = st.lists(st.one_of(st.integers(0, 10**9), st.fractions(0, 10**6)), min_size=1, max_size=12).filter(any)


@pytest.mark.parametrize(
    ("major", "currency", "minor"),
    [
        ("0", "EUR", 0),
        ("12.30", "EUR", 1230),
        ("0.004", "EUR", 0),
        ("0.005", "EUR", 1),
        ("-0.005", "EUR", -1),
        ("-0.0049", "EUR", 0),
        ("0.015", "EUR", 2),
        ("0.025", "EUR", 3),
        ("2.675", "EUR", 268),
        ("1.0049999999999999999999", "EUR", 100),
        ("0.5", "JPY", 1),
        ("-2.5", "JPY", -3),
        ("1234", "JPY", 1234),
        ("0.0005", "KWD", 1),
        ("1.2345", "KWD", 1235),
        ("92233720368547758.07", "EUR", 2**63 - 1),
    ],
)
def test_halves_are_rounded_away_from_zero(major: str, currency: str, minor: int) -> None:
    assert Money.rounded(Decimal(major), currency) == Money(minor, currency)


def test_a_third_has_no_decimal_and_is_rounded_all_the_same() -> None:
    assert Money.rounded(Fraction(1, 3), "EUR") == Money(33, "EUR")
    assert Money.rounded(Fraction(2, 3), "EUR") == Money(67, "EUR")


@given(exacts)
def test_rounding_finds_the_nearest_and_knows_no_direction(exact: Fraction | Decimal) -> None:
    nearest = rounded(exact)
    assert abs(nearest - Fraction(exact)) <= Fraction(1, 2)
    assert rounded(-Fraction(exact)) == -nearest


@given(st.decimals(-(10**12), 10**12, places=9), currencies)
def test_rounding_agrees_with_decimal(major: Decimal, currency: str) -> None:
    with localcontext() as context:
        context.prec = 60
        expected = major.quantize(Decimal(1).scaleb(-DIGITS[currency]), ROUND_HALF_UP)
    assert Money.rounded(major, currency).major == expected


@given(amounts)
def test_major_units_lose_nothing(amount: Money) -> None:
    assert Money.rounded(amount.major, amount.currency) == amount
    assert -amount.major.as_tuple().exponent == DIGITS[amount.currency]  # type: ignore[operator]


@given(minors, currencies, weights)
def test_shares_add_up_and_each_is_less_than_a_coin_off(minor: int, currency: str, parts: list[int | Fraction]) -> None:
    shares = Money(minor, currency).split(parts)
    assert [share.currency for share in shares] == [currency] * len(parts)
    assert sum(share.minor for share in shares) == minor
    whole = sum(map(Fraction, parts))
    assert all(abs(share.minor - minor * Fraction(part) / whole) < 1 for share, part in zip(shares, parts, strict=True))


@given(minors, weights)
def test_who_has_no_weight_gets_nothing_and_more_weight_never_gets_less(
    minor: int, parts: list[int | Fraction]
) -> None:
    shares = [abs(share.minor) for share in Money(minor, "EUR").split(parts)]
    assert all(share == 0 for share, part in zip(shares, parts, strict=True) if part == 0)
    by_weight = sorted(zip(parts, shares, strict=True))
    assert all(less[1] <= more[1] for less, more in pairwise(by_weight) if less[0] < more[0])


@given(minors, weights)
def test_giving_back_is_split_as_paying_was(minor: int, parts: list[int | Fraction]) -> None:
    assert [-share for share in Money(minor, "EUR").split(parts)] == Money(-minor, "EUR").split(parts)


@pytest.mark.parametrize(
    ("minor", "parts", "shares"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (-100, [1, 1, 1], [-34, -33, -33]),
        (5, [3, 7], [1, 4]),  # 1.5 and 3.5: equal remainders, the larger weight wins
        (1, [1, 1], [1, 0]),
        (0, [1, 2], [0, 0]),
        (7, [0, 1, 0], [0, 7, 0]),
        (10, [Fraction(1, 3), Fraction(2, 3)], [3, 7]),
    ],
)
def test_missing_coins_go_to_the_largest_remainder(minor: int, parts: list[int], shares: list[int]) -> None:
    assert [share.minor for share in Money(minor, "EUR").split(parts)] == shares


@given(minors, minors, currencies)
def test_sums_and_order_are_those_of_the_integers(one: int, other: int, currency: str) -> None:
    a, b = Money(one, currency), Money(other, currency)
    assert (a + b).minor == one + other
    assert (a - b).minor == one - other
    assert -a + a == Money.zero(currency)
    assert (a < b, a <= b, a > b, a >= b, a == b) == (
        one < other,
        one <= other,
        one > other,
        one >= other,
        one == other,
    )
    assert bool(a) is (one != 0)


@pytest.mark.parametrize(
    "operation",
    [operator.add, operator.sub, operator.lt, operator.le, operator.gt, operator.ge],
    ids=lambda f: f.__name__,
)
def test_currencies_never_mix(operation: Callable[[Money, Money], object]) -> None:
    with pytest.raises(MixedCurrencies):
        operation(Money(1, "EUR"), Money(1, "SEK"))
    assert Money(0, "EUR") != Money(0, "SEK")


@pytest.mark.parametrize("minor", [1.0, True, Decimal(1), Fraction(1), "1", None])
def test_minor_units_are_integers_and_nothing_like_them(minor: object) -> None:
    with pytest.raises(AssertionError, match="integers"):
        Money(minor, "EUR")  # type: ignore[arg-type]


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "XXX", "XTS", "XAU", "HRK", "DEM"])
def test_what_is_not_a_currency_is_not_money(currency: str) -> None:
    with pytest.raises(AssertionError, match="not a currency"):
        Money(1, currency)


def test_the_table_of_currencies_is_well_formed() -> None:
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in DIGITS)
    assert {DIGITS[code] for code in DIGITS} == {0, 2, 3}
    assert [DIGITS[code] for code in ("EUR", "JPY", "KWD", "ISK", "HUF", "CLP", "TND")] == [2, 0, 3, 0, 2, 0, 3]


def test_an_amount_can_be_read() -> None:
    assert [str(amount) for amount in (Money(1230, "EUR"), Money(-5, "EUR"), Money(12, "JPY"), Money(1, "KWD"))] == [
        "12.30 EUR",
        "-0.05 EUR",
        "12 JPY",
        "0.001 KWD",
    ]
