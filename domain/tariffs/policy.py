"""How a price is computed where standards leave a choice: a value that travels with every result, for years."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from domain.money import DIGITS


class RoundingMode(StrEnum):
    """HALF_UP goes away from zero (2.345 -> 2.35, -2.345 -> -2.35); DOWN exists to recognise partners that truncate."""

    HALF_UP = "HALF_UP"
    DOWN = "DOWN"


class RoundingPoint(StrEnum):
    """DOCUMENT rounds the whole record once; LINE exists to recognise partners that round each line."""

    DOCUMENT = "DOCUMENT"
    LINE = "LINE"


class ElapsedFrom(StrEnum):
    """Where elapsed time begins for charging when a reservation came first."""

    CHARGING = "CHARGING"
    SESSION = "SESSION"


@dataclass(frozen=True, slots=True)
class RoundingPolicy:
    """Components are exact and time snaps to whole seconds, always; these are what may differ elsewhere.

    `digits` are the decimals of the total, None those of ISO 4217; `tax_name` is what taxes are called. With
    `switch_mid_session` a tariff that replaces another during a session prices the periods that begin under it;
    otherwise it is locked at the start.
    """

    mode: RoundingMode = RoundingMode.HALF_UP
    point: RoundingPoint = RoundingPoint.DOCUMENT
    digits: int | None = None
    switch_mid_session: bool = False
    elapsed_from: ElapsedFrom = ElapsedFrom.CHARGING
    tax_name: str = "VAT"

    def decimals(self, currency: str) -> int:
        """How many decimals an amount of this currency has."""
        return DIGITS[currency] if self.digits is None else self.digits

    def units(self, exact: Fraction, digits: int) -> int:
        """An exact amount of major units as whole units of `digits` decimals."""
        numerator, denominator = exact.numerator * 10**digits, exact.denominator
        magnitude = abs(numerator)
        if self.mode is RoundingMode.HALF_UP:
            magnitude = (2 * magnitude + denominator) // (2 * denominator)
        else:
            magnitude //= denominator
        return int(magnitude if numerator >= 0 else -magnitude)


DEFAULT_POLICY = RoundingPolicy()


def policy_json(policy: RoundingPolicy) -> dict[str, object]:
    """The policy in words, as it is printed with every result; what few ever change only where it was changed."""
    told: dict[str, object] = {
        "component": "EXACT",
        "mode": policy.mode.value,
        "digits": "ISO4217" if policy.digits is None else policy.digits,
        "point": policy.point.value,
        "split": "LARGEST_REMAINDER",
        "time_unit": "SECOND",
    }
    if policy.switch_mid_session:
        told["switch_mid_session"] = True
    if policy.elapsed_from is not ElapsedFrom.CHARGING:
        told["elapsed_from"] = policy.elapsed_from.value
    return told
