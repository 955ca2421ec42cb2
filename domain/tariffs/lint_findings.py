"""What a linter of tariffs can find, and a tariff as far as it could be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from domain.tariffs.findings import Level
from domain.tariffs.reading import Path
from domain.tariffs.restrictions import UNRESTRICTED, Restrictions
from domain.tariffs.tariff import ComponentType, PriceComponent, PriceLimit, TaxIncluded


class LintCode(StrEnum):
    """Errors, then warnings, then what is worth knowing."""

    SCHEMA = "schema"
    UNKNOWN_CURRENCY = "unknown_currency"
    UNKNOWN_RESTRICTION = "unknown_restriction"
    DUPLICATE_DIMENSION = "duplicate_dimension"
    IMPOSSIBLE_RESTRICTION = "impossible_restriction"
    RESERVATION_DIMENSION = "reservation_dimension"
    PRICE_LIMITS_CROSS = "price_limits_cross"
    NEVER_ACTIVE = "never_active"
    IMPLAUSIBLE_VAT = "implausible_vat"

    VAT_LOOKS_LIKE_FRACTION = "vat_looks_like_fraction"
    UNREACHABLE_ELEMENT = "unreachable_element"
    WHOLE_DAY_WINDOW = "whole_day_window"
    MINUTE_GAP = "minute_gap"
    FLAT_STEP_SIZE = "flat_step_size"
    UNUSED_TIME_STEP_SIZE = "unused_time_step_size"
    LARGE_STEP_SIZE = "large_step_size"
    NOTHING_PRICED_BY_USE = "nothing_priced_by_use"
    NO_DEFAULT_COMPONENT = "no_default_component"
    TAX_RATE_WITHOUT_TAX = "tax_rate_without_tax"
    TAX_INCLUDED_WITHOUT_RATE = "tax_included_without_rate"
    LIMIT_TAX_MISMATCH = "limit_tax_mismatch"
    NEGATIVE_PRICE = "negative_price"
    PRICE_LOOKS_PER_MINUTE = "price_looks_per_minute"

    ZERO_STEP_SIZE = "zero_step_size"
    EMPTY_RESTRICTIONS = "empty_restrictions"
    DST_DOUBLE_HOUR = "dst_double_hour"

    @property
    def level(self) -> Level:
        """How much it matters."""
        place = _ORDER.index(self)
        if place < _ORDER.index(LintCode.VAT_LOOKS_LIKE_FRACTION):
            return Level.ERROR
        return Level.WARNING if place < _ORDER.index(LintCode.ZERO_STEP_SIZE) else Level.INFO


_ORDER = list(LintCode)


class LintFinding(NamedTuple):
    """One thing found, and where in the tariff."""

    code: LintCode
    path: Path
    message: str


@dataclass(slots=True)
class PlacedComponent:
    """A price that could be read, and where it stands."""

    component: PriceComponent
    path: Path

    @property
    def type(self) -> ComponentType:
        """What it prices."""
        return self.component.type


@dataclass(slots=True)
class Element:
    """An element as far as it could be read; `restrictions` is None where they could not."""

    path: Path
    components: list[PlacedComponent] = field(default_factory=list)
    restrictions: Restrictions | None = UNRESTRICTED

    @property
    def types(self) -> set[ComponentType]:
        """What it prices."""
        return {placed.type for placed in self.components}

    @property
    def is_charging(self) -> bool:
        """Whether it prices charging, and may ever apply."""
        its = self.restrictions
        return its is not None and its.reservation is None and not its.unknown


@dataclass(slots=True)
class Draft:
    """A tariff as far as it could be read."""

    currency: str | None = None
    elements: list[Element] = field(default_factory=list)
    tax_included: TaxIncluded = TaxIncluded.NO
    limits: dict[str, PriceLimit] = field(default_factory=dict)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def components(self) -> list[PlacedComponent]:
        """All prices."""
        return [placed for element in self.elements for placed in element.components]
