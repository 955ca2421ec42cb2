"""The one function that turns tariffs and a charging record into an amount: exact, rounded once, every cent explained.

The quote, the live cost, the CDR, the receipt, the check of a partner's CDR and the verdict on a dispute all call it.
It reads no clock, opens no connection and touches no table: same arguments, same answer, for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from zoneinfo import ZoneInfo

from domain.tariffs.amounts import (
    Limit,
    Part,
    Rate,
    Sums,
    Taxed,
    amount_of,
    earned_within,
    group_of,
    limited,
    scaled,
    summed,
)
from domain.tariffs.choice import Choice
from domain.tariffs.figures import Coins, Exact, figures, in_coins
from domain.tariffs.findings import Code, Finding
from domain.tariffs.layout import lay_out
from domain.tariffs.lines import Charge
from domain.tariffs.policy import DEFAULT_POLICY, RoundingPoint, RoundingPolicy
from domain.tariffs.record import ChargingRecord, Evidence
from domain.tariffs.result import Pricing, has_moved
from domain.tariffs.scale import quantity
from domain.tariffs.spans import microseconds
from domain.tariffs.steps import stepped
from domain.tariffs.tariff import Tariff, TaxIncluded
from domain.tariffs.walk import Walk

_MOST_KW = 1000
_TICKS_AN_HOUR = 3_600_000_000


def price(
    tariffs: Sequence[Tariff], record: ChargingRecord, zone: ZoneInfo, policy: RoundingPolicy = DEFAULT_POLICY
) -> Pricing:
    """What this record costs under these tariffs at a location in this time zone.

    Raises `UnknownTariff` for a period that names a tariff nobody supplied, `InvalidInput` without any tariff and
    `CurrencyMismatch` when the tariffs used count in different currencies.
    """
    findings = list(record.findings)
    choice = Choice(tariffs, record, findings, policy)
    stretches = lay_out(record, choice, findings)
    first = next(stretches, None)
    began_at = record.started_at if first is None else min(record.started_at, first.start)
    walk = Walk(began_at, zone, policy.elapsed_from, expired=record.reservation_expired)
    if first is not None:
        walk.on(first)
        for stretch in stretches:
            walk.on(stretch)
    main = choice.of(None, record.started_at) if first is None else first.tariff
    return settled(walk, main, choice, record, findings)


def settled(walk: Walk, main: Tariff, choice: Choice, record: ChargingRecord, findings: Sequence[Finding]) -> Pricing:
    """What a walk has come to, if the session ended here; the walk may go on."""
    policy = choice.policy
    digits = policy.decimals(main.currency)
    charges = stepped(walk.pieces)
    exact = _exact(charges, main, choice, digits, is_charging=walk.is_charging)
    return Pricing(
        currency=main.currency,
        digits=digits,
        charges=tuple(charges),
        exact=exact,
        figures=figures(exact, digits, policy),
        findings=(
            *findings,
            *walk.findings,
            *_about_the_record(record, walk, main),
            *_about_evidence(charges),
            *_about_tax(charges),
            *_about_limits(exact),
            *(finding for tariff in choice.used for finding in tariff.findings),
        ),
        tariffs=tuple(choice.used),
        zone=walk.zone,
        policy=policy,
    )


def _exact(charges: Sequence[Charge], main: Tariff, choice: Choice, digits: int, *, is_charging: bool) -> Exact:
    sums = summed(charges)
    if choice.policy.point is RoundingPoint.LINE:
        sums = _by_line(charges, sums, choice.policy, digits)
    raw = sums.raw
    least = limited(raw, main.min_price, Limit.MIN, main) if is_charging else raw
    most = limited(least, main.max_price, Limit.MAX, main)
    bounded = {Limit.MIN: _sound(least, raw), Limit.MAX: _sound(most, raw)}
    return Exact(
        sums=sums,
        rates=scaled(sums.rates, raw, bounded[Limit.MAX], main),
        raw=raw,
        bounded=bounded,
        accrued=_sound(earned_within(sums.accrued, main.max_price, choice.used), sums.accrued),
    )


def _sound(amount: Taxed, raw: Taxed) -> Taxed:
    """What a limit has moved is never less with tax than without."""
    return amount if amount == raw else Taxed(amount.net, max(amount.net, amount.gross))


def _by_line(charges: Sequence[Charge], sums: Sums, policy: RoundingPolicy, digits: int) -> Sums:
    """The sums as whoever rounds each line has them."""
    amounts: dict[tuple[Part, Rate], Taxed] = {}
    for charge in charges:
        coins: Coins = in_coins(amount_of(charge), digits, policy)
        amount = Taxed(Fraction(coins.net, 10**digits), Fraction(coins.gross, 10**digits))
        group = group_of(charge)
        amounts[group] = amounts[group].plus(amount) if group in amounts else amount
    return Sums(amounts, sums.accrued)


def _about_the_record(record: ChargingRecord, walk: Walk, main: Tariff) -> Iterator[Finding]:
    if not walk.is_charging and not walk.is_reserved:
        yield Finding(Code.NO_CHARGING_PERIODS, "The record lists nothing that could be priced.")
    if record.currency is not None and record.currency.upper() != main.currency:
        message = f"The record counts in {record.currency[:3]}, the tariff in {main.currency}."
        yield Finding(Code.CURRENCY_MISMATCH, message)
    if record.ended_at < record.started_at:
        yield Finding(Code.TIME_ORDER, "The record ends before it starts.")
    elif abs(quantity(walk.energy)) * _TICKS_AN_HOUR > _MOST_KW * microseconds(record.ended_at - record.started_at):
        yield Finding(Code.IMPLAUSIBLE_POWER, f"The mean power is above {_MOST_KW} kW.")


def _about_evidence(charges: Sequence[Charge]) -> Iterator[Finding]:
    if any(charge.piece.evidence is Evidence.INTERPOLATED for charge in charges):
        message = "Between readings energy is taken to flow evenly, up to where the price changes."
        yield Finding(Code.INTERPOLATED, message)


def _about_tax(charges: Sequence[Charge]) -> Iterator[Finding]:
    included = {(charge.piece.tariff.tax_included, charge.piece.candidate.component.vat is None) for charge in charges}
    if (TaxIncluded.YES, True) in included:
        message = "Prices include a tax whose rate is not stated: how much of them is tax cannot be known."
        yield Finding(Code.TAX_INCLUDED_WITHOUT_RATE, message)
    if (TaxIncluded.NOT_APPLICABLE, False) in included:
        yield Finding(Code.TAX_RATE_IGNORED, "A tax rate is stated although no tax applies; it was ignored.")


def _about_limits(exact: Exact) -> Iterator[Finding]:
    for bound in Limit:
        if has_moved(exact, bound):
            message = f"The total was moved to the tariff's {bound.value.lower()}_price."
            yield Finding(Code.TOTAL_CLAMPED, message, dimension=bound.value)
    if (exact.raw.net != exact.total.net) is not (exact.raw.gross != exact.total.gross):
        message = "Only one of the totals before and after tax was moved, so they no longer differ by the tax rate."
        yield Finding(Code.LIMIT_BREAKS_TAX_RATE, message)
