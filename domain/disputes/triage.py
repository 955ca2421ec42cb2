"""What the automatic check of a dispute finds: stored facts in, findings out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from domain.meters import SignatureVerdict
from domain.money import Money
from domain.sessions import Checked
from domain.tariffs import Pricing, RecordCode


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


def from_check(billed: Money, found: Checked | None) -> list[Finding]:
    """What was found when the bill was taken: signed readings, the quote, and the operator's bill against our price."""
    if found is None:
        return []
    return [*_signed_data(found), *_quote(found), *_roaming(billed, found)]


def _signed_data(found: Checked) -> Iterator[Finding]:
    proof = found.proof
    if proof.verdict is SignatureVerdict.ABSENT:
        return
    codes = (RecordCode.SIGNED_DATA_INVALID, RecordCode.SIGNED_DATA_DISAGREES)
    against = [one.message for one in found.findings if one.code in codes]
    if against:
        yield Finding("signed_data", Side.DRIVER, is_certain=False, message=" ".join(against), creditable=None)
    elif proof.is_verified and proof.kwh is not None:
        message = f"The meter signed {proof.kwh.normalize():f} kWh, and that is what was billed."
        yield Finding("signed_data", Side.BILL, is_certain=True, message=message, creditable=None)
    else:
        message = "The signed readings of the meter cannot be verified."
        yield Finding("signed_data", Side.NEITHER, is_certain=False, message=message, creditable=None)


def _quote(found: Checked) -> Iterator[Finding]:
    for one in found.findings:
        if one.code is RecordCode.ABOVE_QUOTE:
            yield Finding("quote", Side.DRIVER, is_certain=True, message=one.message, creditable=one.amount)


def _roaming(billed: Money, found: Checked) -> Iterator[Finding]:
    for one in found.findings:
        if one.code is RecordCode.TAKEN_BACK:
            yield Finding("roaming", Side.DRIVER, is_certain=True, message=one.message, creditable=one.amount)
    if found.ours is None:
        return
    over = billed - found.ours.gross
    for one in found.findings:
        if one.code is RecordCode.TOTAL_COST_MISMATCH:
            creditable = over if over.minor > 0 else None
            side = Side.NEITHER if creditable is None else Side.DRIVER
            yield Finding("roaming", side, is_certain=False, message=one.message, creditable=creditable)


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
