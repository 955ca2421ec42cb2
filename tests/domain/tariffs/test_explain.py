"""What a driver, a receipt and a dispute are shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.tariffs import (
    ChargingPeriod,
    ChargingRecord,
    Coinage,
    DimensionType,
    Pricing,
    json_text,
    line_json,
    parse_instant,
    parse_tariff,
    price,
    pricing_json,
    sentence,
)

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
EURO = Coinage(2)
NOON = parse_instant("2026-03-10T12:00:00Z")


def component(kind: str, amount: str, step: int = 1, vat: int | None = None) -> dict[str, object]:
    return {"type": kind, "price": Decimal(amount), "step_size": step, "vat": vat}


def element(*components: dict[str, object], **restrictions: object) -> dict[str, object]:
    return {"price_components": list(components), "restrictions": restrictions}


def priced(*elements: dict[str, object], more: Mapping[str, object] | None = None, **volumes: str) -> Pricing:
    raw = {
        "country_code": "NL",
        "party_id": "TLY",
        "id": "CITY",
        "currency": "EUR",
        "elements": elements,
        **(more or {}),
    }
    dimensions = tuple((DimensionType(kind), Decimal(volume)) for kind, volume in volumes.items())
    record = ChargingRecord(NOON, NOON + timedelta(hours=1), (ChargingPeriod(NOON, dimensions, "CITY"),))
    return price([parse_tariff(raw)], record, AMSTERDAM)


def said(pricing: Pricing) -> list[str]:
    return [sentence(line, AMSTERDAM) for line in pricing.lines]


@pytest.mark.parametrize(
    ("kind", "amount", "volume", "told"),
    [
        ("ENERGY", "0.40", "12.345", "13:00 to 14:00: 12.345 kWh at 0.40 EUR per kWh = 4.94 EUR"),
        ("ENERGY", "0.4", "2", "13:00 to 14:00: 2 kWh at 0.40 EUR per kWh = 0.80 EUR"),
        ("ENERGY", "0.4875", "2.00004", "13:00 to 14:00: 2 kWh at 0.4875 EUR per kWh = 0.98 EUR"),
        ("ENERGY", "0.40", "-1.5", "13:00 to 14:00: -1.5 kWh at 0.40 EUR per kWh = -0.60 EUR"),
        ("TIME", "2.70", "0.8333", "13:00 to 14:00: 50 min charging at 2.70 EUR per hour = 2.25 EUR"),
        (
            "PARKING_TIME",
            "6",
            "1.26",
            "13:00 to 14:00: 1 h 15 min 36 s parked without charging at 6.00 EUR per hour = 7.56 EUR",
        ),
    ],
)
def test_a_line_is_told_in_one_sentence(kind: str, amount: str, volume: str, told: str) -> None:
    assert said(priced(element(component(kind, amount, step=0)), more={}, **{kind: volume})) == [told]


def test_fees_and_reserved_time_are_told_by_name() -> None:
    fees = element(component("FLAT", "1.20"), component("TIME", "2.40", 300), reservation="RESERVATION")
    pricing = priced(fees, element(component("FLAT", "0.50")), RESERVATION_TIME="0.2", ENERGY="1")
    assert said(pricing) == [
        "13:00: Fee of the reservation = 1.20 EUR",
        "13:00 to 14:00: 15 min reserved at 2.40 EUR per hour = 0.60 EUR",
        "13:00: Fee of the session = 0.50 EUR",
    ]


@pytest.mark.parametrize(
    ("included", "told"),
    [
        ("NO", "10.00 EUR, with 22 % VAT 12.20 EUR"),
        ("YES", "10.00 EUR, of which 1.80 EUR is 22 % VAT"),
        ("N/A", "10.00 EUR"),
    ],
)
def test_tax_is_told_as_the_tariff_means_it(included: str, told: str) -> None:
    pricing = priced(element(component("ENERGY", "0.50", 1, 22)), more={"tax_included": included}, ENERGY="20")
    assert said(pricing) == [f"13:00 to 14:00: 20 kWh at 0.50 EUR per kWh = {told}"]


def test_a_line_says_why_it_costs_what_it_costs() -> None:
    morning = element(component("ENERGY", "0.19"), end_time="13:00")
    cheap = element(component("FLAT", "1.00"), component("ENERGY", "0.37", 250, 21), min_duration=0)
    never_asked = element(component("ENERGY", "0.99"), min_kwh=50)
    pricing = priced(morning, cheap, never_asked, ENERGY="2.6")
    energy = line_json(pricing.lines[1], EURO)
    assert energy == {
        "type": "ENERGY",
        "from": "2026-03-10T12:00:00Z",
        "to": "2026-03-10T13:00:00Z",
        "periods": [0, 0],
        "tariff": {"country_code": "NL", "party_id": "TLY", "id": "CITY", "edition": pricing.tariffs[0].edition},
        "element": 1,
        "component": 1,
        "why": {
            "local": "2026-03-10T13:00:00+01:00",
            "weekday": "TUESDAY",
            "energy_before_kwh": "0",
            "elapsed_s": 0,
            "tests": [{"restriction": "min_duration", "limit": "0", "actual": "0", "holds": True}],
            "passed_over": [
                {"element": 0, "restriction": "end_time", "limit": "13:00", "actual": "13:00", "holds": False}
            ],
        },
        "unit": "kWh",
        "measured": "2.6",
        "billed": "2.75",
        "evidence": "declared",
        "step": {
            "size": 250,
            "unit": "Wh",
            "session_measured": "2.6",
            "session_billed": "2.75",
            "surplus": "0.15",
        },
        "price": "0.37",
        "price_unit": "EUR/kWh",
        "tax": {"included": "NO", "percentage": 21},
        "exact": {"excl_vat": "1.0175", "incl_vat": "1.231175"},
        "excl_vat": "1.02",
        "incl_vat": "1.23",
    }


def test_exact_amounts_that_never_end_are_fractions() -> None:
    line = line_json(priced(element(component("TIME", "1")), TIME="0.2833").lines[0], EURO)
    assert (line["billed"], line["billed_seconds"], line["exact"]) == (
        "17/60",
        1020,
        {"excl_vat": "17/60", "incl_vat": "17/60"},
    )


def test_the_statement_is_plain_json_and_complete() -> None:
    bounds = {"min_price": {"excl_vat": 5}}
    pricing = priced(element(component("ENERGY", "0.40", 1, 25)), more=bounds, ENERGY="4")
    statement = pricing_json(pricing)
    assert json.loads(json_text(statement)) == statement
    assert statement["total_cost"] == {"excl_vat": "5.00", "incl_vat": "6.25"}
    assert statement["total_time_cost"] is None
    assert (statement["limit_applied"], statement["currency"]) == ("MIN", "EUR")
    assert (statement["time_zone"], statement["taxes"]) == (
        "Europe/Amsterdam",
        [{"name": "VAT", "percentage": 25, "base": "5.00", "amount": "1.25"}],
    )
    assert statement["adjustments"] == [{"type": "MIN_PRICE", "excl_vat": "3.40", "incl_vat": "4.25"}]
    policy: Any = statement["policy"]
    assert (policy["mode"], policy["point"]) == ("HALF_UP", "DOCUMENT")
    tariffs: Any = statement["tariffs"]
    assert tariffs[0]["edition"].startswith("sha256:")
    findings: Any = statement["findings"]
    assert [finding["code"] for finding in findings] == ["total_clamped"]


def test_no_float_is_anywhere_in_the_statement() -> None:
    def refuse(text: str) -> float:
        raise AssertionError(text)

    pricing = priced(element(component("TIME", "0.70", 600, 7)), TIME="0.3333", PARKING_TIME="1")
    json.loads(json_text(pricing_json(pricing)), parse_float=refuse)
