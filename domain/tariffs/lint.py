"""Tariffs read with a critical eye: what is wrong with one, what it will not do, and what it hardly means.

A tariff is looked at as far as it can be read: one malformed price does not hide what is wrong with the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo

from domain.errors import InvalidInput
from domain.money import DIGITS
from domain.tariffs.findings import Level
from domain.tariffs.lint_elements import element_rules
from domain.tariffs.lint_findings import Draft, Element, LintCode, LintFinding, PlacedComponent
from domain.tariffs.lint_tariff import tariff_rules
from domain.tariffs.reading import Path, Reader, mapping, member, optional_instant, required, some, text
from domain.tariffs.restrictions_reader import parse_restrictions
from domain.tariffs.tariff import TaxIncluded, read_component, read_limit

__all__ = ["LintCode", "LintFinding", "lint", "lint_json"]

_REQUIRED_TEXTS = ("country_code", "party_id", "id")
_T = TypeVar("_T")


def lint(raw: object, zone: ZoneInfo | None = None) -> list[LintFinding]:
    """What there is to say about one Tariff of OCPI, or a list of them; `zone` enables the rule about clock changes."""
    if not isinstance(raw, list):
        return _Linter(zone).look_at(raw)
    found = (one._replace(path=(place, *one.path)) for place, its in enumerate(raw) for one in lint(its, zone))
    return list(found)


def lint_json(findings: list[LintFinding]) -> dict[str, object]:
    """The findings, the worst first as they come, and how many are errors and warnings."""
    levels = [finding.code.level for finding in findings]
    return {
        "findings": [
            {
                "code": finding.code.value,
                "level": finding.code.level.value,
                "path": [str(step) for step in finding.path],
                "message": finding.message,
            }
            for finding in findings
        ],
        "errors": levels.count(Level.ERROR),
        "warnings": levels.count(Level.WARNING),
    }


class _Linter:
    """Reads a tariff part by part and remembers which parts could not be read."""

    def __init__(self, zone: ZoneInfo | None) -> None:
        self._zone = zone
        self._reader = Reader()
        self._found: list[LintFinding] = []

    def look_at(self, value: object) -> list[LintFinding]:
        raw = self._tried(lambda: mapping(value, ()))
        if raw is None:
            return self._found
        draft = self._draft(raw)
        return [*self._found, *element_rules(draft, raw, self._zone), *tariff_rules(draft)]

    def _draft(self, raw: Mapping[str, object]) -> Draft:
        for name in _REQUIRED_TEXTS:
            self._tried(lambda name=name: text(raw, name, ()))  # type: ignore[misc]
        draft = Draft(currency=self._currency(raw))
        self._tried(lambda: required(raw, "last_updated", ()))
        draft.updated_at = self._tried(lambda: optional_instant(raw, "last_updated", ()))
        draft.starts_at = self._tried(lambda: optional_instant(raw, "start_date_time", ()))
        draft.ends_at = self._tried(lambda: optional_instant(raw, "end_date_time", ()))
        if raw.get("tax_included") is not None:
            names = list(TaxIncluded)
            told = self._tried(lambda: TaxIncluded(member(names, raw["tax_included"], ("tax_included",))))
            draft.tax_included = told or TaxIncluded.NO
        for name in ("min_price", "max_price"):
            limit = self._tried(lambda name=name: read_limit(self._reader, raw, name))  # type: ignore[misc]
            if limit is not None:
                draft.limits[name] = limit
        for place, item in enumerate(self._tried(lambda: some(raw, "elements", ())) or ()):
            draft.elements.append(self._element(item, ("elements", place)))
        return draft

    def _currency(self, raw: Mapping[str, object]) -> str | None:
        told = self._tried(lambda: text(raw, "currency", ()))
        if told is None or told.upper() in DIGITS:
            return None if told is None else told.upper()
        self._found.append(LintFinding(LintCode.UNKNOWN_CURRENCY, ("currency",), "ISO 4217 has no such currency."))
        return None

    def _element(self, item: object, path: Path) -> Element:
        element = Element(path)
        raw = self._tried(lambda: mapping(item, path))
        if raw is None:
            return element
        listed = self._tried(lambda: some(raw, "price_components", path)) or ()
        for place, component in enumerate(listed):
            element.components += self._component(component, (*path, "price_components", place))
        path = (*path, "restrictions")
        element.restrictions = self._tried(lambda: parse_restrictions(self._reader, raw.get("restrictions"), path))
        for name in element.restrictions.unknown if element.restrictions is not None else ():
            message = f"OCPI knows no restriction {name} of this kind, so the element never applies."
            self._found.append(LintFinding(LintCode.UNKNOWN_RESTRICTION, (*path, name), message))
        return element

    def _component(self, item: object, path: Path) -> Iterator[PlacedComponent]:
        raw = self._tried(lambda: mapping(item, path))
        if raw is None:
            return
        vat = raw.get("vat")
        sound = raw
        if _is_negative(vat):
            # Nothing could be priced with it; the rest of the component can be looked at all the same.
            self._found.append(LintFinding(LintCode.IMPLAUSIBLE_VAT, (*path, "vat"), "A tax rate is not negative."))
            sound = {**raw, "vat": None}
        step = raw.get("step_size")
        if step is None or _is_negative(step):
            message = "step_size is missing." if step is None else "step_size is negative."
            self._found.append(LintFinding(LintCode.SCHEMA, (*path, "step_size"), message))
        component = self._tried(lambda: read_component(self._reader, sound, path))
        if component is not None:
            yield PlacedComponent(component, path)

    def _tried(self, read: Callable[[], _T]) -> _T | None:
        try:
            return read()
        except InvalidInput as refused:
            self._found.append(LintFinding(LintCode.SCHEMA, refused.path, refused.reason))
            return None


def _is_negative(value: object) -> bool:
    return isinstance(value, int | Decimal) and value < 0
