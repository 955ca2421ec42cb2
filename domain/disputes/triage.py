"""What the automatic check of a dispute finds: stored facts in, findings out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from domain.money import Money
from domain.tariffs import Pricing


class Side(StrEnum):
    """Which side a finding speaks for."""

    DRIVER = "driver"
    BILL = "bill"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result, fit to be shown to the driver; `creditable` is what it would give back alone."""

    check: str
    favours: Side
    is_certain: bool
    message: str
    creditable: Money | None


def reprice(billed: Money, repriced: Pricing | None, *, is_declared: bool) -> Finding:
    """Price the log of the session again, by the tariff locked at its start, and compare with the bill.

    A log that comes out dearer never charges more. Where the charge point's operator made the bill, a difference is a
    claim against that operator, so a person decides.
    """
    if repriced is None:
        message = "There are no meter readings to price again."
        return Finding("reprice", Side.NEITHER, is_certain=False, message=message, creditable=None)
    over = billed - repriced.gross
    if over.minor > 0:
        message = f"The meter readings and the tariff give {repriced.gross}; {billed} was billed."
        return Finding("reprice", Side.DRIVER, is_certain=not is_declared, message=message, creditable=over)
    words = "exactly this" if not over else f"{repriced.gross}"
    message = f"The meter readings and the tariff give {words}; {billed} was billed."
    return Finding("reprice", Side.BILL, is_certain=not is_declared, message=message, creditable=None)


def findings_json(findings: Sequence[Finding]) -> str:
    """Findings as they lie in the table."""
    content = [
        {
            "check": finding.check,
            "favours": finding.favours.value,
            "is_certain": finding.is_certain,
            "message": finding.message,
            "creditable_minor": None if finding.creditable is None else finding.creditable.minor,
        }
        for finding in findings
    ]
    return orjson.dumps(content).decode()


def findings_of(text: str, currency: str) -> list[Finding]:
    """Findings as they were stored."""
    items: list[dict[str, Any]] = orjson.loads(text)
    return [
        Finding(
            check=item["check"],
            favours=Side(item["favours"]),
            is_certain=item["is_certain"],
            message=item["message"],
            creditable=None if item["creditable_minor"] is None else Money(item["creditable_minor"], currency),
        )
        for item in items
    ]
