"""What a payment means, derived from the set of its facts: order, repetition and delay cannot matter.

Event codes are Adyen's. Today a payment is an automatically captured top-up: AUTHORISATION decides; events that take
money back are kept for the rules that will read them and change nothing yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from domain.money import Money


@dataclass(frozen=True, slots=True)
class Told:
    """The signed part of a fact that fits the payment's own row."""

    event_code: str
    success: bool
    psp_reference: str


@dataclass(frozen=True, slots=True)
class Position:
    """Captured so far under `psp_reference`; `surplus` are further successful payments of the same wish."""

    captured: Money
    psp_reference: str | None
    surplus: tuple[str, ...]
    is_refused: bool
    is_expired: bool


CONSIDERED = frozenset({"AUTHORISATION", "EXPIRE", "OFFER_CLOSED"})


def position(amount: Money, facts: Iterable[Told]) -> Position:
    """The position of a top-up of this amount. A success under one reference outranks a refusal under any."""
    told = set(facts)
    paid = sorted({fact.psp_reference for fact in told if fact.event_code == "AUTHORISATION" and fact.success})
    return Position(
        captured=amount if paid else Money.zero(amount.currency),
        psp_reference=paid[0] if paid else None,
        surplus=tuple(paid[1:]),
        is_refused=not paid and any(fact.event_code == "AUTHORISATION" for fact in told),
        is_expired=not paid and any(fact.event_code in ("EXPIRE", "OFFER_CLOSED") and fact.success for fact in told),
    )
