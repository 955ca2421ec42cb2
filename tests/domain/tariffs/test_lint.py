"""The linter: for every code a tariff that deserves it, and one that deserves nothing."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.tariffs import LintCode, lint, lint_json
from tests.domain.tariffs.anything import json_values, tariffs

BERLIN = ZoneInfo("Europe/Berlin")
SOUND: dict[str, Any] = {
    "country_code": "NL",
    "party_id": "TLY",
    "id": "TOWN",
    "currency": "EUR",
    "tax_included": "NO",
    "min_price": {"before_taxes": Decimal("1.00"), "after_taxes": Decimal("1.21")},
    "elements": [
        {
            "price_components": [{"type": "ENERGY", "price": Decimal("0.29"), "vat": 21, "step_size": 1}],
            "restrictions": {"start_time": "22:00", "end_time": "06:00"},
        },
        {
            "price_components": [
                {"type": "ENERGY", "price": Decimal("0.39"), "vat": 21, "step_size": 1},
                {"type": "PARKING_TIME", "price": 3, "vat": 21, "step_size": 60},
            ]
        },
    ],
    "last_updated": "2026-01-01T00:00:00Z",
}
FIRST, SECOND = "elements.0.price_components.0", "elements.1.price_components.1"
RESTRICTIONS = "elements.0.restrictions"
ABSENT = object()


def but(*changes: tuple[str, object]) -> dict[str, Any]:
    changed = copy.deepcopy(SOUND)
    for path, value in changes:
        *way, last = path.split(".")
        place: Any = changed
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        if value is ABSENT:
            del place[last]
        else:
            place[int(last) if isinstance(place, list) else last] = value
    return changed


def codes(raw: object, zone: ZoneInfo | None = None) -> list[str]:
    return [finding.code.value for finding in lint(raw, zone)]


def test_there_is_nothing_to_say_about_a_sound_tariff() -> None:
    assert codes(SOUND, BERLIN) == []


FLAT_ONLY = [{"price_components": [{"type": "FLAT", "price": 5, "vat": 21, "step_size": 1}]}]
RESERVED = {"reservation": "RESERVATION"}
CASES = [
    ("schema", "id", ABSENT),
    ("schema", "last_updated", ABSENT),
    ("schema", "elements", []),
    ("schema", f"{FIRST}.type", "POWER"),
    ("schema", f"{FIRST}.step_size", ABSENT),
    ("schema", f"{FIRST}.step_size", -1),
    ("schema", f"{RESTRICTIONS}.start_time", "8:00"),
    ("schema", "start_date_time", "soon"),
    ("unknown_currency", "currency", "EUX"),
    ("unknown_restriction", f"{RESTRICTIONS}.max_kw", 22),
    ("unknown_restriction", f"{RESTRICTIONS}.reservation", "MAYBE"),
    ("duplicate_dimension", f"{SECOND}.type", "ENERGY"),
    ("impossible_restriction", RESTRICTIONS, {"min_kwh": 20, "max_kwh": 20}),
    ("impossible_restriction", RESTRICTIONS, {"max_duration": 0}),
    ("impossible_restriction", RESTRICTIONS, {"start_date": "2026-05-01", "end_date": "2026-05-01"}),
    ("impossible_restriction", RESTRICTIONS, {**RESERVED, "min_power": 3}),
    ("reservation_dimension", RESTRICTIONS, RESERVED),
    ("price_limits_cross", "max_price", {"before_taxes": Decimal("0.50")}),
    ("implausible_vat", f"{FIRST}.vat", 51),
    ("implausible_vat", f"{FIRST}.vat", -1),
    ("vat_looks_like_fraction", f"{FIRST}.vat", Decimal("0.21")),
    ("whole_day_window", RESTRICTIONS, {"start_time": "08:00", "end_time": "08:00"}),
    ("minute_gap", RESTRICTIONS, {"start_time": "08:00", "end_time": "23:59"}),
    ("large_step_size", f"{FIRST}.step_size", 1001),
    ("large_step_size", f"{SECOND}.step_size", 901),
    ("nothing_priced_by_use", "elements", FLAT_ONLY),
    ("no_default_component", "elements.1.restrictions", {"min_kwh": 3}),
    ("tax_rate_without_tax", "tax_included", "N/A"),
    ("limit_tax_mismatch", "min_price.after_taxes", Decimal("1.20")),
    ("negative_price", f"{FIRST}.price", Decimal("-0.05")),
    ("price_looks_per_minute", f"{SECOND}.price", Decimal("0.07")),
    ("zero_step_size", f"{FIRST}.step_size", 0),
    ("empty_restrictions", "elements.1.restrictions", {}),
]


@pytest.mark.parametrize(("code", "path", "value"), CASES)
def test_a_tariff_is_found_wanting(code: str, path: str, value: object) -> None:
    assert code in codes(but((path, value)))
    assert code not in codes(SOUND)


def test_a_tariff_that_ends_before_it_starts_is_never_active() -> None:
    times = ("start_date_time", "2026-05-02T00:00:00Z"), ("end_date_time", "2026-05-01T00:00:00Z")
    assert codes(but(*times)) == ["never_active"]


def test_a_tariff_with_tax_inside_needs_its_rate() -> None:
    assert "tax_included_without_rate" in codes(but(("tax_included", "YES"), (f"{FIRST}.vat", None)))


def test_what_is_charged_once_has_no_step_and_charging_time_loses_its_own_to_idle_time() -> None:
    more = [
        {"type": "FLAT", "price": 1, "vat": 21, "step_size": 60},
        {"type": "TIME", "price": 2, "vat": 21, "step_size": 300},
    ]
    components = [*SOUND["elements"][1]["price_components"], *more]
    assert codes(but(("elements.1.price_components", components))) == ["flat_step_size", "unused_time_step_size"]


@pytest.mark.parametrize(
    ("wide", "narrow", "hidden"),
    [
        ({}, {"start_time": "08:00"}, True),
        ({"start_time": "22:00", "end_time": "06:00"}, {"start_time": "23:00", "end_time": "05:00"}, True),
        ({"start_time": "22:00", "end_time": "06:00"}, {"start_time": "21:00", "end_time": "05:00"}, False),
        ({"day_of_week": ["MONDAY", "TUESDAY"]}, {"day_of_week": ["MONDAY"]}, True),
        ({"day_of_week": ["MONDAY"]}, {}, False),
        ({"max_kwh": 20}, {"max_kwh": 10, "min_duration": 60}, True),
        ({"max_kwh": 10}, {"max_kwh": 20}, False),
        ({"min_power": 11}, {"min_power": 22}, True),
        ({"start_date": "2026-01-01"}, {"start_date": "2026-02-01", "end_date": "2026-03-01"}, True),
        ({"max_soc": 80}, {}, False),
    ],
)
def test_an_element_behind_a_wider_one_never_comes_to_pass(
    wide: dict[str, object], narrow: dict[str, object], hidden: bool
) -> None:
    energy = [SOUND["elements"][1]["price_components"][0]]
    elements = [{"price_components": energy, "restrictions": its} for its in (wide, narrow)]
    assert ("unreachable_element" in codes(but(("elements", elements)))) is hidden


def test_an_element_of_another_kind_or_dimension_hides_nothing() -> None:
    time = [{"type": "TIME", "price": 2, "vat": 21, "step_size": 60}]
    elements = [
        {"price_components": time, "restrictions": RESERVED},
        {"price_components": time},
        SOUND["elements"][1],
    ]
    assert "unreachable_element" not in codes(but(("elements", elements)))


@pytest.mark.parametrize(
    ("edge", "zone", "found"), [("02:30", BERLIN, True), ("03:00", BERLIN, False), ("02:30", None, False)]
)
def test_an_edge_in_the_hour_of_the_clock_change_is_remarked(edge: str, zone: ZoneInfo | None, found: bool) -> None:
    assert ("dst_double_hour" in codes(but((f"{RESTRICTIONS}.start_time", edge)), zone)) is found


def test_every_finding_of_a_tariff_is_told_at_once_with_its_place() -> None:
    told = lint_json(
        lint(but(("id", ABSENT), (f"{FIRST}.price", "much"), (f"{FIRST}.vat", 70), (f"{SECOND}.price", -1)))
    )
    assert (told["errors"], told["warnings"]) == (2, 1)
    findings: Any = told["findings"]
    assert [(one["code"], one["level"], ".".join(one["path"])) for one in findings] == [
        ("schema", "error", "id"),
        ("schema", "error", f"{FIRST}.price"),
        ("negative_price", "warning", f"{SECOND}.price"),
    ]


def test_of_a_list_each_tariff_is_looked_at() -> None:
    assert [finding.path[0] for finding in lint([SOUND, but(("currency", "EUX")), 3])] == [1, 2]


def test_every_code_has_a_case() -> None:
    elsewhere = {
        "never_active",
        "tax_included_without_rate",
        "flat_step_size",
        "unused_time_step_size",
        "unreachable_element",
        "dst_double_hour",
    }
    assert {code.value for code in LintCode} == {code for code, _, _ in CASES} | elsewhere


@given(tariffs(), st.data())
def test_whatever_a_tariff_is_it_can_be_looked_at(raw: dict[str, Any], data: st.DataObject) -> None:
    raw[data.draw(st.sampled_from(list(raw)))] = data.draw(json_values)
    raw["elements"] = (
        raw["elements"] if not isinstance(raw["elements"], list) else [*raw["elements"], data.draw(json_values)]
    )
    lint_json(lint(raw, BERLIN))
