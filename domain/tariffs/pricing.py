"""The one function that turns tariffs and a charging record into an amount: exact, rounded once, every cent explained.

The quote, the live cost, the CDR, the receipt, the check of a partner's CDR and the verdict on a dispute all call it.
It reads no clock, opens no connection and touches no table: same arguments, same answer, for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from zoneinfo import ZoneInfo

from domain.money import DIGITS, Money
from domain.tariffs.amounts import NOTHING, PART_OF, Limit, Part, Taxed, by_rate, limited, scaled, taxed
from domain.tariffs.choice import Choice
from domain.tariffs.figures import Exact, Figures, Units, figures
from domain.tariffs.findings import Code, Finding
from domain.tariffs.layout import Stretch, lay_out
from domain.tariffs.lines import LineKind, Piece, PricedLine
from domain.tariffs.policy import DEFAULT_POLICY, RoundingPoint, RoundingPolicy
from domain.tariffs.record import ChargingRecord
from domain.tariffs.result import Adjustment, AdjustmentKind, Cost, Pricing, Quantities, TaxLine
from domain.tariffs.steps import apply_steps
from domain.tariffs.tariff import Tariff, TaxIncluded
from domain.tariffs.walk import Walk

_TAX_NAME = "VAT"


def price(
    tariffs: Sequence[Tariff], record: ChargingRecord, zone: ZoneInfo, policy: RoundingPolicy = DEFAULT_POLICY
) -> Pricing:
    """What this record costs under these tariffs at a location in this time zone.

    Raises `UnknownTariff` for a period that names a tariff nobody supplied, `InvalidInput` without any tariff and
    `CurrencyMismatch` when the tariffs used count in different currencies.
    """
    findings = list(record.findings)
    choice = Choice(tariffs, record, findings)
    stretches = lay_out(record, choice, findings)
    main = stretches[0].tariff if stretches else choice.of(None)
    began_at = min(record.started_at, stretches[0].start) if stretches else record.started_at
    walk = Walk(stretches, began_at, zone, reservation_expired=record.reservation_expired)
    apply_steps(walk.pieces)
    pieces = sorted(walk.pieces, key=lambda piece: (piece.first, piece.kind.rank))
    exact = _exact(pieces, main, policy, is_charging=any(stretch.is_charging for stretch in stretches))
    rounded = figures(exact, DIGITS[main.currency], policy)
    findings += [*walk.findings, *_about_the_record(record, stretches, main), *_about_tax(pieces)]
    findings += [*_about_limits(exact), *(finding for tariff in choice.used for finding in tariff.findings)]
    return Pricing(
        currency=main.currency,
        net=Money(rounded.total.net, main.currency),
        gross=Money(rounded.total.gross, main.currency),
        accrued_net=Money(rounded.accrued.net, main.currency),
        accrued_gross=Money(rounded.accrued.gross, main.currency),
        lines=tuple(_lines(pieces, exact, rounded, main.currency)),
        adjustments=tuple(_adjustments(rounded, main.currency)),
        taxes=tuple(_taxes(rounded, main.currency)),
        parts={part: Cost(*_money(units, main.currency)) for part, units in rounded.parts.items()},
        measured=_quantities((piece.kind, piece.measured) for piece in pieces),
        billed=_quantities((piece.kind, piece.billed) for piece in pieces),
        limit_applied=next((bound for bound in reversed(Limit) if _has_moved(exact, bound)), None),
        findings=tuple(findings),
        tariffs=tuple(choice.used),
        zone=zone,
        policy=policy,
        exact=exact,
    )


def _exact(pieces: Sequence[Piece], main: Tariff, policy: RoundingPolicy, *, is_charging: bool) -> Exact:
    lines = [taxed(piece.billed, piece.candidate.component, piece.tariff.tax_included) for piece in pieces]
    accrued = _total(
        line
        if piece.accrued == piece.billed
        else taxed(piece.accrued, piece.candidate.component, piece.tariff.tax_included)
        for piece, line in zip(pieces, lines, strict=True)
    )
    if policy.point is RoundingPoint.LINE:
        lines = [_to_the_cent(line, DIGITS[main.currency], policy) for line in lines]
    raw = _total(lines)
    least = limited(raw, main.min_price, Limit.MIN, main) if is_charging else raw
    total = limited(least, main.max_price, Limit.MAX, main)
    return Exact(
        lines=tuple(lines),
        parts=_parts(pieces, lines),
        rates=scaled(by_rate(pieces, lines), total, main),
        raw=raw,
        bounded={Limit.MIN: least, Limit.MAX: total},
        accrued=limited(accrued, main.max_price, Limit.MAX, main),
    )


def _total(lines: Iterable[Taxed]) -> Taxed:
    total = NOTHING
    for line in lines:
        total = total.plus(line)
    return total


def _to_the_cent(line: Taxed, digits: int, policy: RoundingPolicy) -> Taxed:
    scale = 10**digits
    net, gross = (Fraction(policy.units(amount, digits), scale) for amount in line)
    return Taxed(net, gross)


def _parts(pieces: Sequence[Piece], lines: Sequence[Taxed]) -> dict[Part, Taxed]:
    parts: dict[Part, Taxed] = {}
    for piece, line in zip(pieces, lines, strict=True):
        part = PART_OF[piece.kind]
        parts[part] = parts.get(part, NOTHING).plus(line)
    return {part: parts[part] for part in Part if part in parts}


def _money(units: Units, currency: str) -> tuple[Money, Money]:
    return Money(units.net, currency), Money(units.gross, currency)


def _lines(pieces: Sequence[Piece], exact: Exact, rounded: Figures, currency: str) -> Iterator[PricedLine]:
    for piece, amount, units in zip(pieces, exact.lines, rounded.lines, strict=True):
        yield PricedLine(
            kind=piece.kind,
            tariff=piece.tariff,
            candidate=piece.candidate,
            lookup=piece.lookup,
            moment=piece.moment,
            start_at=piece.start_at,
            end_at=piece.end_at,
            first_period=piece.first,
            last_period=piece.last,
            measured=piece.measured,
            billed=piece.billed,
            step=piece.step,
            exact_net=amount.net,
            exact_gross=amount.gross,
            net=Money(units.net, currency),
            gross=Money(units.gross, currency),
        )


def _adjustments(rounded: Figures, currency: str) -> Iterator[Adjustment]:
    named = (
        (AdjustmentKind.MIN_PRICE, rounded.limits[Limit.MIN]),
        (AdjustmentKind.MAX_PRICE, rounded.limits[Limit.MAX]),
        (AdjustmentKind.ROUNDING, rounded.rounding),
    )
    return (Adjustment(kind, *_money(units, currency)) for kind, units in named if any(units))


def _taxes(rounded: Figures, currency: str) -> Iterator[TaxLine]:
    for rate, units in rounded.taxes.items():
        if rate is not None or units.gross:
            yield TaxLine(_TAX_NAME, rate, *_money(units, currency))


def _quantities(volumes: Iterable[tuple[LineKind, Fraction]]) -> Quantities:
    sums: dict[LineKind, Fraction] = {}
    for kind, volume in volumes:
        sums[kind] = sums.get(kind, Fraction(0)) + volume
    kinds = (LineKind.ENERGY, LineKind.TIME, LineKind.PARKING_TIME, LineKind.RESERVATION_TIME)
    return Quantities(*(sums.get(kind, Fraction(0)) for kind in kinds))


def _has_moved(exact: Exact, bound: Limit) -> bool:
    before = exact.raw if bound is Limit.MIN else exact.bounded[Limit.MIN]
    return before != exact.bounded[bound]


def _about_the_record(record: ChargingRecord, stretches: Sequence[Stretch], main: Tariff) -> Iterator[Finding]:
    if not any(stretch.is_charging or stretch.is_reserved for stretch in stretches):
        yield Finding(Code.NO_CHARGING_PERIODS, "The record lists nothing that could be priced.")
    if record.currency is not None and record.currency.upper() != main.currency:
        message = f"The record counts in {record.currency[:3]}, the tariff in {main.currency}."
        yield Finding(Code.CURRENCY_MISMATCH, message)


def _about_tax(pieces: Sequence[Piece]) -> Iterator[Finding]:
    included = {(piece.tariff.tax_included, piece.candidate.component.vat is None) for piece in pieces}
    if (TaxIncluded.YES, True) in included:
        message = "Prices include a tax whose rate is not stated: how much of them is tax cannot be known."
        yield Finding(Code.TAX_INCLUDED_WITHOUT_RATE, message)
    if (TaxIncluded.NOT_APPLICABLE, False) in included:
        yield Finding(Code.TAX_RATE_IGNORED, "A tax rate is stated although no tax applies; it was ignored.")


def _about_limits(exact: Exact) -> Iterator[Finding]:
    for bound in Limit:
        if _has_moved(exact, bound):
            message = f"The total was moved to the tariff's {bound.value.lower()}_price."
            yield Finding(Code.TOTAL_CLAMPED, message, dimension=bound.value)
    if (exact.raw.net != exact.total.net) is not (exact.raw.gross != exact.total.gross):
        message = "Only one of the totals before and after tax was moved, so they no longer differ by the tax rate."
        yield Finding(Code.LIMIT_BREAKS_TAX_RATE, message)
