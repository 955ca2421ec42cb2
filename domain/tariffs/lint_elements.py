"""Rules about single elements and components, and about which of them can ever win."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

from domain.money import DIGITS
from domain.tariffs.lint_findings import Draft, Element, LintCode, LintFinding, PlacedComponent
from domain.tariffs.lint_time import about_the_clock
from domain.tariffs.restrictions import Restrictions
from domain.tariffs.tariff import ComponentType
from domain.tariffs.width import is_as_wide

_LARGE_STEPS = {ComponentType.ENERGY: 1000, ComponentType.TIME: 900, ComponentType.PARKING_TIME: 900}
_TIMES = (ComponentType.TIME, ComponentType.PARKING_TIME)
_HIGHEST_VAT = 50
_LEAST_AN_HOUR = Decimal("0.5")
_LIMITS = ("kwh", "current", "power", "duration")
_LOADS = ("min_current", "max_current", "min_power", "max_power")


def element_rules(draft: Draft, raw: Mapping[str, object], zone: ZoneInfo | None) -> Iterator[LintFinding]:
    """Everything there is to say about elements, one after the other."""
    listed = raw.get("elements")
    for place, element in enumerate(draft.elements):
        for placed in element.components:
            yield from _about_a_price(placed, draft.currency)
        yield from _about_an_element(element)
        source = listed[place] if isinstance(listed, list) else None
        if isinstance(source, Mapping) and _is_empty(source.get("restrictions")):
            path = (*element.path, "restrictions")
            yield LintFinding(LintCode.EMPTY_RESTRICTIONS, path, "An element without restrictions need not say so.")
        if element.restrictions is not None:
            yield from about_the_clock(element.restrictions, (*element.path, "restrictions"), draft, zone)
        if _is_unreachable(element, draft.elements[:place]):
            message = "Elements before it price the same, always: this one never comes to pass."
            yield LintFinding(LintCode.UNREACHABLE_ELEMENT, element.path, message)


def _about_a_price(placed: PlacedComponent, currency: str | None) -> Iterator[LintFinding]:
    its, path = placed.component, placed.path
    step, vat = its.step_size, its.vat
    if vat is not None and vat > _HIGHEST_VAT:
        yield LintFinding(LintCode.IMPLAUSIBLE_VAT, (*path, "vat"), f"A tax rate above {_HIGHEST_VAT} %.")
    if vat is not None and 0 < vat < 1:
        message = f"{vat} is read as percent; a rate of {vat * 100:f} % is written so."
        yield LintFinding(LintCode.VAT_LOOKS_LIKE_FRACTION, (*path, "vat"), message)
    if its.type is ComponentType.FLAT:
        if step not in (0, 1):
            message = "What is charged once has no steps."
            yield LintFinding(LintCode.FLAT_STEP_SIZE, (*path, "step_size"), message)
    elif step == 0:
        yield LintFinding(LintCode.ZERO_STEP_SIZE, (*path, "step_size"), "0 is read as: billed without steps.")
    elif step > _LARGE_STEPS[its.type]:
        message = "Steps as large as that bill far more than was used."
        yield LintFinding(LintCode.LARGE_STEP_SIZE, (*path, "step_size"), message)
    if its.price < 0:
        yield LintFinding(LintCode.NEGATIVE_PRICE, (*path, "price"), "The driver is paid.")
    is_usual_money = currency is not None and DIGITS[currency] > 0
    if its.type in _TIMES and is_usual_money and 0 < its.price < _LEAST_AN_HOUR:
        message = "Time is priced per hour; so little looks like a price per minute."
        yield LintFinding(LintCode.PRICE_LOOKS_PER_MINUTE, (*path, "price"), message)


def _about_an_element(element: Element) -> Iterator[LintFinding]:
    seen: set[ComponentType] = set()
    for placed in element.components:
        if placed.type in seen:
            message = f"A second price for {placed.type.value} in one element is never used."
            yield LintFinding(LintCode.DUPLICATE_DIMENSION, placed.path, message)
        seen.add(placed.type)
    its = element.restrictions
    if its is None:
        return
    path = (*element.path, "restrictions")
    for low, high in _impossible(its):
        yield LintFinding(LintCode.IMPOSSIBLE_RESTRICTION, (*path, high), f"{low} and {high} leave nothing between.")
    if its.reservation is not None:
        for name in _never_met_by_a_reservation(its):
            message = "No energy flows while something is reserved, so this never holds."
            yield LintFinding(LintCode.IMPOSSIBLE_RESTRICTION, (*path, name), message)
        for placed in element.components:
            if placed.type in (ComponentType.ENERGY, ComponentType.PARKING_TIME):
                message = f"A reservation has no {placed.type.value}."
                yield LintFinding(LintCode.RESERVATION_DIMENSION, placed.path, message)


def _impossible(its: Restrictions) -> Iterator[tuple[str, str]]:
    for name in _LIMITS:
        low, high = getattr(its, f"min_{name}"), getattr(its, f"max_{name}")
        # Only energy can be below 0, and only for who feeds it back.
        least = low if name == "kwh" else max(low or 0, 0)
        if high is not None and least is not None and least >= high:
            yield f"min_{name}", f"max_{name}"
    if its.start_date is not None and its.end_date is not None and its.end_date <= its.start_date:
        yield "start_date", "end_date"


def _never_met_by_a_reservation(its: Restrictions) -> Iterator[str]:
    if its.min_kwh is not None and its.min_kwh > 0:
        yield "min_kwh"
    if its.max_kwh is not None and its.max_kwh <= 0:
        yield "max_kwh"
    yield from (name for name in _LOADS if getattr(its, name) is not None)


def _is_empty(restrictions: object) -> bool:
    return isinstance(restrictions, Mapping) and not any(
        value is not None and value != [] for value in restrictions.values()
    )


def _is_unreachable(element: Element, before: Sequence[Element]) -> bool:
    its = element.restrictions
    if its is None or not element.types:
        return False
    wider = [
        earlier
        for earlier in before
        if earlier.restrictions is not None and is_as_wide(earlier.restrictions, its) and earlier.types & element.types
    ]
    covered = {kind for earlier in wider for kind in earlier.types}
    return element.types <= covered
