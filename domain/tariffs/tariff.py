"""A tariff as OCPI writes it, read once into exact values and made ready to be looked up.

One reader for OCPI 2.2.1 and 2.3.0 (Tariffs module): limits may be spelt `excl_vat`/`incl_vat` or
`before_taxes`/`after_taxes`. Unknown fields are ignored, except inside `restrictions`. null equals absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from domain.money import DIGITS
from domain.tariffs.edition import edition_of
from domain.tariffs.findings import Code, Finding
from domain.tariffs.reading import (
    Flaw,
    Path,
    Reader,
    mapping,
    member,
    optional_instant,
    optional_text,
    refusal,
    required,
    some,
    text,
)
from domain.tariffs.restrictions import (
    LOAD_FIELDS,
    SECOND,
    UNRESTRICTED,
    Reservation,
    Restrictions,
    seconds_of,
)
from domain.tariffs.restrictions_reader import parse_restrictions
from domain.tariffs.scale import PRICE, Units, units_of


class ComponentType(StrEnum):
    """What a price is for: kWh, hours of charging, hours connected without charging, or once."""

    ENERGY = "ENERGY"
    TIME = "TIME"
    PARKING_TIME = "PARKING_TIME"
    FLAT = "FLAT"


class TaxIncluded(StrEnum):
    """Whether prices contain the tax; OCPI 2.2.1 prices never do."""

    YES = "YES"
    NO = "NO"
    NOT_APPLICABLE = "N/A"


@dataclass(frozen=True, slots=True)
class PriceComponent:
    """`price` per kWh, per hour or once, in major units; `vat` in percent; `step_size` in Wh or seconds (0: none)."""

    type: ComponentType
    price: Decimal
    vat: Decimal | None = None
    step_size: int = 1
    units: Units = field(init=False, repr=False, compare=False)
    """The price on the common scale."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", units_of(self.price, PRICE))


@dataclass(frozen=True, slots=True)
class TariffElement:
    """Prices that hold together under the same restrictions."""

    price_components: tuple[PriceComponent, ...]
    restrictions: Restrictions = UNRESTRICTED


@dataclass(frozen=True, slots=True)
class PriceLimit:
    """A bound of the whole session in major units, before and after tax; each acts on its own."""

    before_taxes: Decimal | None
    after_taxes: Decimal | None


class Candidate(NamedTuple):
    """A component that may apply: the first whose restrictions hold does."""

    element_index: int
    component_index: int
    component: PriceComponent
    restrictions: Restrictions


class Lookup(NamedTuple):
    """Which elements to ask: those for charging, or those for a reservation and what became of it."""

    reservations: tuple[Reservation | None, ...]
    type: ComponentType


@dataclass(frozen=True, slots=True)
class Tariff:
    """One edition of a tariff. Identifiers compare without regard to case."""

    country_code: str
    party_id: str
    id: str
    currency: str
    elements: tuple[TariffElement, ...]
    type: str | None = None
    tax_included: TaxIncluded = TaxIncluded.NO
    min_price: PriceLimit | None = None
    max_price: PriceLimit | None = None
    start_date_time: datetime | None = None
    end_date_time: datetime | None = None
    edition: str = ""
    findings: tuple[Finding, ...] = ()
    is_2_3: bool = False
    """It is written as OCPI 2.3.0 writes: it says whether tax is included, or limits before and after taxes."""
    edges: Edges = field(init=False, repr=False, compare=False)
    """Where the price may change inside a period."""
    tax_rates: frozenset[Decimal] = field(init=False, repr=False, compare=False)
    """Those of everything that costs something, in percent; 0 for what bears no tax that is known."""
    _lookups: dict[Lookup, tuple[Candidate, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "edges", _edges(self.elements))
        object.__setattr__(self, "tax_rates", frozenset(_tax_rates(self.elements, self.tax_included)))
        object.__setattr__(self, "_lookups", {})

    def candidates(self, lookup: Lookup) -> tuple[Candidate, ...]:
        """The components asked for, in the order in which they are to be tried."""
        found = self._lookups.get(lookup)
        if found is None:
            # A memo of this value's own fields; the keys are few, so it stays small.
            found = self._lookups[lookup] = tuple(_candidates(self.elements, lookup))
        return found

    def is_active(self, at: datetime) -> bool:
        """Whether it is offered at this instant; its end is not included, so that successors do not overlap."""
        starts, ends = self.start_date_time, self.end_date_time
        return (starts is None or starts <= at) and (ends is None or at < ends)


class Edges(NamedTuple):
    """Where the price may change: seconds of the local day, microseconds elapsed, units of energy; load limits."""

    clock: tuple[int, ...]
    duration: tuple[Units, ...]
    energy: tuple[Units, ...]
    measured: frozenset[str]


def parse_tariff(raw: Mapping[str, object]) -> Tariff:
    """Read a Tariff of OCPI 2.2.1 or 2.3.0; numbers as int, Decimal or numeric text.

    Raises `InvalidInput` whose `path` names the place, such as `("elements", "0", "price_components", "1", "price")`.
    """
    raw = mapping(raw, ())
    reader = Reader()
    currency = text(raw, "currency", ()).upper()
    if currency not in DIGITS:
        raise refusal(Flaw.BAD_VALUE, ("currency",))
    elements = some(raw, "elements", ())
    return Tariff(
        country_code=reader.expected_text(raw, "country_code", ()),
        party_id=reader.expected_text(raw, "party_id", ()),
        id=text(raw, "id", ()),
        currency=currency,
        elements=tuple(_element(reader, item, ("elements", str(i))) for i, item in enumerate(elements)),
        type=optional_text(raw, "type", ()),
        tax_included=_tax_included(raw.get("tax_included")),
        min_price=read_limit(reader, raw, "min_price"),
        max_price=read_limit(reader, raw, "max_price"),
        start_date_time=optional_instant(raw, "start_date_time", ()),
        end_date_time=optional_instant(raw, "end_date_time", ()),
        edition=edition_of(raw),
        findings=tuple(reader.findings),
        is_2_3=_is_2_3(raw),
    )


def _is_2_3(raw: Mapping[str, object]) -> bool:
    limits = [limit for limit in (raw.get("min_price"), raw.get("max_price")) if isinstance(limit, Mapping)]
    return raw.get("tax_included") is not None or any(limit.get("before_taxes") is not None for limit in limits)


def _tax_included(value: object) -> TaxIncluded:
    return TaxIncluded.NO if value is None else TaxIncluded(member(list(TaxIncluded), value, ("tax_included",)))


def read_limit(reader: Reader, raw: Mapping[str, object], name: str) -> PriceLimit | None:
    """`min_price` or `max_price`, in either spelling."""
    if raw.get(name) is None:
        return None
    path = (name,)
    price = mapping(raw[name], path)
    spellings = (("before_taxes", "after_taxes"), ("excl_vat", "incl_vat"))
    names = next((names for names in spellings if any(price.get(name) is not None for name in names)), None)
    if names is None:
        raise refusal(Flaw.MISSING_FIELD, (*path, "before_taxes"))
    before, after = (reader.optional_number(price, name, path) for name in names)
    return PriceLimit(before, after)


def _element(reader: Reader, value: object, path: Path) -> TariffElement:
    raw = mapping(value, path)
    components = some(raw, "price_components", path)
    return TariffElement(
        tuple(read_component(reader, item, (*path, "price_components", str(i))) for i, item in enumerate(components)),
        parse_restrictions(reader, raw.get("restrictions"), (*path, "restrictions")),
    )


def read_component(reader: Reader, value: object, path: Path) -> PriceComponent:
    """One price; raises `InvalidInput` with its path."""
    raw = mapping(value, path)
    kind = ComponentType(member(list(ComponentType), text(raw, "type", path), (*path, "type")))
    vat = reader.optional_number(raw, "vat", path)
    if vat is not None and vat < 0:
        raise refusal(Flaw.BAD_VALUE, (*path, "vat"))
    price = reader.number(required(raw, "price", path), path, "price")
    return PriceComponent(kind, price, vat, _step_size(reader, raw, path))


def _step_size(reader: Reader, raw: Mapping[str, object], path: Path) -> int:
    path = (*path, "step_size")
    value = reader.optional_number(raw, "step_size", path[:-1])
    if value is None:
        reader.findings.append(Finding(Code.MISSING_STEP_SIZE, "step_size is missing and read as 1.", path=path))
        return 1
    if value != int(value):
        raise refusal(Flaw.BAD_VALUE, path)
    if value < 0:
        reader.findings.append(Finding(Code.BAD_STEP_SIZE, "A negative step_size is read as 0.", path=path))
        return 0
    return int(value)


def _candidates(elements: Sequence[TariffElement], lookup: Lookup) -> Iterator[Candidate]:
    for reservation in lookup.reservations:
        for i, element in enumerate(elements):
            if element.restrictions.reservation is not reservation:
                continue
            for j, component in enumerate(element.price_components):
                if component.type is lookup.type:
                    yield Candidate(i, j, component, element.restrictions)
                    break


def _tax_rates(elements: Sequence[TariffElement], included: TaxIncluded) -> Iterator[Decimal]:
    for component in (component for element in elements for component in element.price_components):
        if component.price:
            yield Decimal(0) if included is TaxIncluded.NOT_APPLICABLE else component.vat or Decimal(0)


def _edges(elements: Sequence[TariffElement]) -> Edges:
    clock: set[int] = set()
    duration: set[Units] = set()
    energy: set[Units] = set()
    for its in (element.restrictions for element in elements):
        clock.update(seconds_of(edge) for edge in (its.start_time, its.end_time) if edge is not None)
        if clock or its.start_date or its.end_date or its.day_of_week:
            clock.add(0)  # where a window that states one side only begins or ends, too
        duration.update(units_of(edge, SECOND) for edge in (its.min_duration, its.max_duration) if edge is not None)
        energy.update(units_of(edge) for edge in (its.min_kwh, its.max_kwh) if edge is not None)
    measured = frozenset(test.field for element in elements for test in element.restrictions.tests) & LOAD_FIELDS
    return Edges(tuple(sorted(clock)), tuple(sorted(duration)), tuple(sorted(energy)), measured)
