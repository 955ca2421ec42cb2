"""`step_size`: a session's total rounded up, once a dimension (OCPI, CDRs module, "Step size").

Energy once, charging and idle time once together, reserved time once; never what is charged once, never at a switch
of element or tariff. The last priced period gives the step and takes the surplus, at its price. If idle time was
priced at all, it alone is rounded and charging time is billed exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from domain.tariffs.lines import LineKind, Piece, Step

_WH, _SECONDS = 1000, 3600


def apply_steps(pieces: Sequence[Piece]) -> None:
    """Give the last piece of each stepped dimension its step."""
    of: dict[LineKind, list[Piece]] = {}
    for piece in pieces:
        of.setdefault(piece.kind, []).append(piece)
    _step(of.get(LineKind.ENERGY, ()), _WH)
    _step(of.get(LineKind.PARKING_TIME, of.get(LineKind.TIME, ())), _SECONDS)
    _step(of.get(LineKind.RESERVATION_TIME, ()), _SECONDS)


def _step(pieces: Sequence[Piece], per_unit: int) -> None:
    measured = sum((piece.measured for piece in pieces), Fraction(0))
    if measured <= 0:
        return
    last = pieces[-1]
    size = last.candidate.component.step_size
    if size == 0:
        return
    # Hours are often rounded decimals, so time counts in whole seconds here; energy counts as given.
    counted = measured * _WH if per_unit == _WH else Fraction(sum(piece.seconds for piece in pieces))
    billed = Fraction(-(-counted // size) * size, per_unit)
    last.step = Step(size, measured, billed, billed - measured)
