"""Card numbers are never taken in, however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.disputes.wording import EXPLANATION, STATEMENT, said
from domain.errors import CardDataRefused, InvalidInput


def luhn(digits: str) -> str:
    """With its check digit, summed another way than the product does."""
    doubled = "0246813579"
    total = sum(int(doubled[int(d)]) if n % 2 == 0 else int(d) for n, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


@given(st.text("0123456789", min_size=12, max_size=18), st.sampled_from(["", " ", "-"]), st.integers(1, 5))
def test_a_card_number_is_refused_in_any_grouping(digits: str, gap: str, size: int) -> None:
    card = luhn(digits)
    written = gap.join(card[n : n + size] for n in range(0, len(card), size))
    with pytest.raises(CardDataRefused) as refused:
        said(f"I paid with {written}, please look", STATEMENT, "statement")
    assert refused.value.path == ("input", "statement")
    assert written not in str(refused.value)
    wrong = card[:-1] + str((int(card[-1]) + 1) % 10)
    said(f"My meter shows {wrong} today", STATEMENT, "statement")


@pytest.mark.parametrize("words", ["", "   short   ", "x" * 4001])
def test_a_statement_has_a_sensible_length(words: str) -> None:
    with pytest.raises(InvalidInput):
        said(words, STATEMENT, "statement")


def test_the_bounds_themselves_are_allowed() -> None:
    for words, length in (
        ("x" * 10, STATEMENT),
        ("x" * 4000, STATEMENT),
        ("x", EXPLANATION),
        ("x" * 4000, EXPLANATION),
    ):
        said(words, length, "text")
    said("Session DE*TWT*L1*1 of 2026-03-02 12:00 took 7.14 EUR", STATEMENT, "statement")
