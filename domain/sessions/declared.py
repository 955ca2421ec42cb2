"""The bill of a charge point's operator in our words: its parts as lines, its total as what is earned. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from domain.errors import InvalidInput
from domain.ledger import Earned
from domain.money import Money, rounded
from domain.sessions.costs import CostLine, CostLineKind
from domain.sessions.push import CdrPush, Declared
from domain.tariffs import Evidence


def check_declared(push: CdrPush) -> None:
    """Raises InvalidInput for a bill of less than nothing."""
    for field, holds in (
        ("total_cost", 0 <= push.total.net.minor <= push.total.gross.minor),
        ("total_energy", push.energy.wh >= 0),
        ("end_date_time", push.started_at <= push.ended_at),
        ("total_parking_time", 0 <= push.parking_hours <= push.connected_hours),
    ):
        if not holds:
            raise InvalidInput("A bill cannot be about less than nothing.", (field,))


def declared_lines(push: CdrPush) -> list[CostLine]:
    """Their parts, and what is missing to their total as a line of its own; the lines add up exactly."""
    lines = list(_parts(push))
    net, tax = (sum(values) for values in ([line.net_minor for line in lines], [line.tax_minor for line in lines]))
    total_tax = (push.total.gross - push.total.net).minor
    if lines and not tax and total_tax and net == push.total.net.minor:
        shares = Money(total_tax, push.total.net.currency).split([line.net_minor for line in lines])
        lines = [_with_tax(line, share.minor) for line, share in zip(lines, shares, strict=True)]
        tax = total_tax
    missing = (push.total.net.minor - net, total_tax - tax)
    if any(missing):
        words = "What the operator's parts leave open to the operator's total."
        lines.append(CostLine(CostLineKind.ROUNDING, *missing, words))
    return lines


def earned_from(push: CdrPush, country: str, rate: Decimal | None) -> Earned:
    """Their total by place in the books; `rate` is that of the tariff, None where it states none or several."""
    zero = Money.zero(push.total.net.currency)
    idle = zero if push.parking_cost is None else max(zero, min(push.parking_cost.net, push.total.net))
    tax = push.total.gross - push.total.net
    taxes = ((rate if rate is not None else _rate(push.total), tax),) if tax else ()
    return Earned(country, push.total.net - idle, idle, taxes)


def _rate(total: Declared) -> Decimal:
    """Tax in percent of the net, to a tenth."""
    if not total.net:
        return Decimal(0)
    return Decimal(rounded(Fraction((total.gross - total.net).minor * 1000, total.net.minor))).scaleb(-1)


def _parts(push: CdrPush) -> Iterator[CostLine]:
    charged = push.connected_hours - push.parking_hours
    for kind, part, quantity, words in (
        (CostLineKind.ENERGY, push.energy_cost, push.energy.kwh, f"{push.energy.kwh} kWh"),
        (CostLineKind.TIME, push.time_cost, _hours(charged), "Time"),
        (CostLineKind.PARKING_TIME, push.parking_cost, _hours(push.parking_hours), "Time parked without charging"),
        (CostLineKind.FLAT, push.fixed_cost, Decimal(1), "Fee of the session"),
    ):
        if part is not None and (part.net or part.gross):
            yield CostLine(
                kind=kind,
                net_minor=part.net.minor,
                tax_minor=(part.gross - part.net).minor,
                explanation=f"{words}, as billed by the operator of the charge point.",
                measured=quantity,
                billed=quantity,
                evidence=Evidence.DECLARED,
            )


def _hours(exact: Fraction) -> Decimal:
    return Decimal(rounded(exact * 10**6)).scaleb(-6).normalize()


def _with_tax(line: CostLine, tax_minor: int) -> CostLine:
    return CostLine(
        kind=line.kind,
        net_minor=line.net_minor,
        tax_minor=tax_minor,
        explanation=line.explanation,
        measured=line.measured,
        billed=line.billed,
        evidence=line.evidence,
    )
