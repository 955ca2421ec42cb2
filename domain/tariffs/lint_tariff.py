"""Rules about a tariff as a whole: its limits, its taxes, its time, and what it leaves unpriced."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from domain.money import DIGITS, rounded
from domain.tariffs.lint_findings import Draft, LintCode, LintFinding
from domain.tariffs.tariff import ComponentType, PriceLimit, TaxIncluded

_BY_USE = (ComponentType.ENERGY, ComponentType.TIME, ComponentType.PARKING_TIME)


def tariff_rules(draft: Draft) -> Iterator[LintFinding]:
    """Everything there is to say about the whole."""
    if draft.starts_at is not None and draft.ends_at is not None and draft.ends_at <= draft.starts_at:
        yield LintFinding(LintCode.NEVER_ACTIVE, ("end_date_time",), "The tariff ends before it starts.")
    yield from _about_limits(draft)
    yield from _about_tax(draft)
    yield from _about_use(draft)


def _about_limits(draft: Draft) -> Iterator[LintFinding]:
    least, most = draft.limits.get("min_price"), draft.limits.get("max_price")
    if least is not None and most is not None:
        sides = ((least.before_taxes, most.before_taxes), (least.after_taxes, most.after_taxes))
        if any(low is not None and high is not None and low > high for low, high in sides):
            message = "The least that a session costs is more than the most."
            yield LintFinding(LintCode.PRICE_LIMITS_CROSS, ("min_price",), message)
    rates = {Decimal(0) if placed.component.vat is None else placed.component.vat for placed in draft.components}
    if draft.tax_included is TaxIncluded.NOT_APPLICABLE:
        rates = {Decimal(0)}
    if len(rates) != 1 or draft.currency is None:
        return
    for name, limit in draft.limits.items():
        if not _fits(limit, next(iter(rates)), DIGITS[draft.currency]):
            message = "What is stated before and after tax does not differ by the only rate of the tariff."
            yield LintFinding(LintCode.LIMIT_TAX_MISMATCH, (name,), message)


def _fits(limit: PriceLimit, rate: Decimal, digits: int) -> bool:
    """Whether either side follows from the other, once rounded as money is."""
    if limit.before_taxes is None or limit.after_taxes is None:
        return True
    before, after, scale = Fraction(limit.before_taxes), Fraction(limit.after_taxes), 10**digits
    factor = 1 + Fraction(rate) / 100
    return rounded(before * factor * scale) == rounded(after * scale) or (
        rounded(after / factor * scale) == rounded(before * scale)
    )


def _about_tax(draft: Draft) -> Iterator[LintFinding]:
    for placed in draft.components:
        if draft.tax_included is TaxIncluded.NOT_APPLICABLE and placed.component.vat is not None:
            message = "No tax applies, yet a rate is stated; it is ignored."
            yield LintFinding(LintCode.TAX_RATE_WITHOUT_TAX, (*placed.path, "vat"), message)
        if draft.tax_included is TaxIncluded.YES and placed.component.vat is None:
            message = "Tax is included, yet no rate is stated: how much it is cannot be known."
            yield LintFinding(LintCode.TAX_INCLUDED_WITHOUT_RATE, placed.path, message)


def _about_use(draft: Draft) -> Iterator[LintFinding]:
    charging = [element for element in draft.elements if element.is_charging]
    prices = [placed for element in charging for placed in element.components]
    by_use = [placed for placed in prices if placed.type in _BY_USE and placed.component.price]
    if not by_use and any(placed.type is ComponentType.FLAT and placed.component.price for placed in prices):
        message = "Only a fee is charged: neither energy nor time costs anything."
        yield LintFinding(LintCode.NOTHING_PRICED_BY_USE, ("elements",), message)
    for kind in _BY_USE:
        pricing = [element for element in charging if kind in element.types]
        if pricing and all(element.restrictions is not None and element.restrictions.tests for element in pricing):
            message = f"{kind.value} has prices only under restrictions; outside of them it is free."
            yield LintFinding(LintCode.NO_DEFAULT_COMPONENT, ("elements",), message)
    if any(placed.type is ComponentType.PARKING_TIME for placed in prices):
        for placed in prices:
            if placed.type is ComponentType.TIME and placed.component.step_size > 1:
                message = "Where idle time is priced, its step is used and charging time is billed exactly."
                yield LintFinding(LintCode.UNUSED_TIME_STEP_SIZE, (*placed.path, "step_size"), message)
