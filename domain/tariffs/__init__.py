"""Tariffs: what charging costs and why. Owns editions of tariffs, prices and quoted components; moves no money.

`price(tariffs, record, zone)` is the one function behind quote, live cost, bill and verdict.
"""

from domain.tariffs.ahead import Course, next_price_change, prices_now, within_budget_until
from domain.tariffs.amounts import Part
from domain.tariffs.answer import Answer, Desk, Question
from domain.tariffs.causes import Cause
from domain.tariffs.ceilings import Ceiling, ShownPrice, ceilings
from domain.tariffs.credit import credit_of
from domain.tariffs.cutting import Cut, cutter
from domain.tariffs.edition import canonical_json, edition_of
from domain.tariffs.exact_json import json_text, read_json
from domain.tariffs.explain import Coinage, adjustment_json, line_json, pricing_json, sentence
from domain.tariffs.findings import Level
from domain.tariffs.lines import LineKind, PricedLine
from domain.tariffs.lint import LintCode, LintFinding, lint, lint_json
from domain.tariffs.models import PublishedTariff, TariffEdition
from domain.tariffs.policy import DEFAULT_POLICY, RoundingMode, RoundingPoint, RoundingPolicy
from domain.tariffs.pricing import price
from domain.tariffs.quote import QuotedComponent, QuoteUnit, expected, quoted_components
from domain.tariffs.reading import exact_text
from domain.tariffs.record import ChargingPeriod, ChargingRecord, DimensionType, Evidence, parse_instant, parse_record
from domain.tariffs.result import Adjustment, AdjustmentKind, Cost, Pricing, Quantities, TaxLine
from domain.tariffs.running import RunningPrice
from domain.tariffs.service import TariffService, tariff_of
from domain.tariffs.tariff import ComponentType, PriceComponent, Tariff, TaxIncluded, parse_tariff
from domain.tariffs.verification import Claim, RecordCode, RecordFinding, Verification, verify
from domain.tariffs.zones import guessed_zone, zone_named

__all__ = [
    "DEFAULT_POLICY",
    "Adjustment",
    "AdjustmentKind",
    "Answer",
    "Cause",
    "Ceiling",
    "ChargingPeriod",
    "ChargingRecord",
    "Claim",
    "Coinage",
    "ComponentType",
    "Cost",
    "Course",
    "Cut",
    "Desk",
    "DimensionType",
    "Evidence",
    "Level",
    "LineKind",
    "LintCode",
    "LintFinding",
    "Part",
    "PriceComponent",
    "PricedLine",
    "Pricing",
    "PublishedTariff",
    "Quantities",
    "Question",
    "QuoteUnit",
    "QuotedComponent",
    "RecordCode",
    "RecordFinding",
    "RoundingMode",
    "RoundingPoint",
    "RoundingPolicy",
    "RunningPrice",
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
    "credit_of",
    "cutter",
    "edition_of",
    "exact_text",
    "expected",
    "guessed_zone",
    "json_text",
    "line_json",
    "lint",
    "lint_json",
    "next_price_change",
    "parse_instant",
    "parse_record",
    "parse_tariff",
    "price",
    "prices_now",
    "pricing_json",
    "quoted_components",
    "read_json",
    "sentence",
    "tariff_of",
    "verify",
    "within_budget_until",
    "zone_named",
]
