"""How amounts are rounded: a value that travels with every result, so that it can be computed again years later."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from domain.money import rounded


class RoundingMode(StrEnum):
    """HALF_UP goes away from zero (2.345 -> 2.35, -2.345 -> -2.35); DOWN exists to recognise partners that truncate."""

    HALF_UP = "HALF_UP"
    DOWN = "DOWN"


class RoundingPoint(StrEnum):
    """DOCUMENT rounds the whole record once; LINE exists to recognise partners that round each line."""

    DOCUMENT = "DOCUMENT"
    LINE = "LINE"


@dataclass(frozen=True, slots=True)
class RoundingPolicy:
    """Components are exact and time snaps to whole seconds, always; these two are what may differ elsewhere."""

    mode: RoundingMode = RoundingMode.HALF_UP
    point: RoundingPoint = RoundingPoint.DOCUMENT

    def units(self, exact: Fraction, digits: int) -> int:
        """An exact amount of major units as whole units of `digits` decimals."""
        scaled = exact * 10**digits
        return rounded(scaled) if self.mode is RoundingMode.HALF_UP else int(scaled)


DEFAULT_POLICY = RoundingPolicy()


def policy_json(policy: RoundingPolicy) -> dict[str, str]:
    """The policy in words, as it is printed with every result."""
    return {
        "component": "EXACT",
        "mode": policy.mode.value,
        "digits": "ISO4217",
        "point": policy.point.value,
        "split": "LARGEST_REMAINDER",
        "time_unit": "SECOND",
    }
