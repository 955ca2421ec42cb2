"""Tariffs: what charging costs and why. Owns editions of tariffs, prices and quoted components; moves no money.

`price(tariffs, record, zone)` is the one function behind quote, live cost, bill and verdict.
"""

from domain.tariffs.amounts import Part
from domain.tariffs.causes import Cause
from domain.tariffs.ceilings import Ceiling, ShownPrice, ceilings
from domain.tariffs.edition import canonical_json, edition_of
from domain.tariffs.explain import adjustment_json, line_json, pricing_json, sentence
from domain.tariffs.findings import Level
from domain.tariffs.lines import LineKind, PricedLine
from domain.tariffs.models import PublishedTariff, TariffEdition
from domain.tariffs.policy import DEFAULT_POLICY, RoundingMode, RoundingPoint, RoundingPolicy
from domain.tariffs.pricing import price
from domain.tariffs.quote import QuotedComponent, QuoteUnit, expected, quoted_components
from domain.tariffs.reading import exact_text
from domain.tariffs.record import ChargingPeriod, ChargingRecord, DimensionType, parse_instant, parse_record
from domain.tariffs.result import Adjustment, AdjustmentKind, Cost, Pricing, Quantities, TaxLine
from domain.tariffs.service import TariffService, tariff_of
from domain.tariffs.tariff import ComponentType, PriceComponent, Tariff, TaxIncluded, parse_tariff
from domain.tariffs.verification import Claim, RecordCode, RecordFinding, Verification, verify

__all__ = [
    "DEFAULT_POLICY",
    "Adjustment",
    "AdjustmentKind",
    "Cause",
    "Ceiling",
    "ChargingPeriod",
    "ChargingRecord",
    "Claim",
    "ComponentType",
    "Cost",
    "DimensionType",
    "Level",
    "LineKind",
    "Part",
    "PriceComponent",
    "PricedLine",
    "Pricing",
    "PublishedTariff",
    "Quantities",
    "QuoteUnit",
    "QuotedComponent",
    "RecordCode",
    "RecordFinding",
    "RoundingMode",
    "RoundingPoint",
    "RoundingPolicy",
    "ShownPrice",
    "Tariff",
    "TariffEdition",
    "TariffService",
    "TaxIncluded",
    "TaxLine",
    "Verification",
    "adjustment_json",
    "canonical_json",
    "ceilings",
    "edition_of",
    "exact_text",
    "expected",
    "line_json",
    "parse_instant",
    "parse_record",
    "parse_tariff",
    "price",
    "pricing_json",
    "quoted_components",
    "sentence",
    "tariff_of",
    "verify",
]
