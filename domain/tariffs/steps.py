"""`step_size`: a session's total rounded up, once a dimension (OCPI, CDRs module, "Step size").

Energy once, charging and idle time once together, reserved time once; never what is charged once, never at a switch
of element or tariff. The last priced period gives the step and takes the surplus, at its price. If idle time was
priced at all, it alone is rounded and charging time is billed exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.tariffs.lines import Charge, LineKind, Piece, Step
from domain.tariffs.scale import A_SECOND, A_WATT_HOUR, Units


def stepped(pieces: Sequence[Piece]) -> list[Charge]:
    """The pieces by time, each with its step if it takes one."""
    of: dict[LineKind, list[Piece]] = {}
    for piece in pieces:
        of.setdefault(piece.kind, []).append(piece)
    kinds = [LineKind.ENERGY, LineKind.TIME, LineKind.RESERVATION_TIME]
    if LineKind.PARKING_TIME in of:
        kinds[1] = LineKind.PARKING_TIME
    steps = {id(of[kind][-1]): _step(of[kind]) for kind in kinds if kind in of}
    ordered = sorted(pieces, key=lambda piece: (piece.first, piece.kind.rank))
    return [Charge(piece, steps.get(id(piece))) for piece in ordered]


def _step(pieces: Sequence[Piece]) -> Step | None:
    measured: Units = 0
    for piece in pieces:
        measured += piece.measured
    last = pieces[-1]
    size = last.candidate.component.step_size
    if measured <= 0 or size == 0:
        return None
    # Hours are often rounded decimals, so time counts in whole seconds here; energy counts as given.
    if last.kind is LineKind.ENERGY:
        billed = -(-measured // (size * A_WATT_HOUR)) * size * A_WATT_HOUR
    else:
        billed = -(-sum(piece.seconds for piece in pieces) // size) * size * A_SECOND
    return Step(size, measured, billed, billed - measured)
