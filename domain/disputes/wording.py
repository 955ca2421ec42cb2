"""What people write in a dispute: of sensible length, and never with the number of a card in it. Pure."""

from __future__ import annotations

import re

from domain.errors import CardDataRefused, InvalidInput

STATEMENT = range(10, 4001)
EXPLANATION = range(1, 4001)
_DIGIT_RUNS = re.compile(r"\d(?:[ -]?\d){12,18}", re.ASCII)


def said(words: str, length: range, field: str) -> None:
    """Raises InvalidInput for too few or too many characters, CardDataRefused for a card number."""
    if len(words.strip()) not in length:
        raise InvalidInput(f"Between {length.start} and {length.stop - 1} characters are needed.", ("input", field))
    for run in _DIGIT_RUNS.findall(words):
        if _is_card(re.sub(r"[ -]", "", run)):
            raise CardDataRefused(("input", field))


def _is_card(digits: str) -> bool:
    """Whether the check digit of a card number is right (Luhn, ISO/IEC 7812-1)."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0  # noqa: PLR2004  one digit
