"""What is no tariff and no record is refused, with the path of what is wrong; the rest is read exactly."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import InvalidInput
from domain.tariffs import (
    DimensionType,
    Tariff,
    TaxIncluded,
    canonical_json,
    edition_of,
    parse_instant,
    parse_record,
    parse_tariff,
)

TARIFF = {
    "country_code": "NL",
    "party_id": "TLY",
    "id": "CITY",
    "currency": "EUR",
    "elements": [
        {
            "price_components": [{"type": "ENERGY", "price": Decimal("0.40"), "vat": 21, "step_size": 1}],
            "restrictions": {"start_time": "08:00", "max_kwh": 20, "day_of_week": ["MONDAY"]},
        }
    ],
}
RECORD = {
    "start_date_time": "2026-03-10T08:00:00Z",
    "end_date_time": "2026-03-10T09:00:00Z",
    "charging_periods": [
        {"start_date_time": "2026-03-10T08:00:00Z", "dimensions": [{"type": "ENERGY", "volume": Decimal("1.5")}]}
    ],
}
COMPONENT = "elements.0.price_components.0"
RESTRICTIONS = "elements.0.restrictions"
DIMENSION = "charging_periods.0.dimensions.0"
ABSENT = object()


def but(document: Mapping[str, object], path: str, value: object) -> dict[str, object]:
    """A copy with another value, or none, at the dotted path."""
    changed = copy.deepcopy(dict(document))
    *way, last = path.split(".")
    place: Any = changed
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    if value is ABSENT:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "at"),
    [
        ("currency", ABSENT, None),
        ("currency", "XXX", None),
        ("currency", 978, None),
        ("id", None, None),
        ("id", 7, None),
        ("country_code", 31, None),
        ("type", ["REGULAR"], None),
        ("tax_included", "MAYBE", None),
        ("tax_included", True, None),
        ("min_price", 5, None),
        ("min_price", {}, "min_price.before_taxes"),
        ("max_price", {"excl_vat": "much"}, "max_price.excl_vat"),
        ("max_price", {"before_taxes": 1.5}, "max_price.before_taxes"),
        ("start_date_time", "tomorrow", None),
        ("end_date_time", "2026-02-30T00:00:00Z", None),
        ("elements", ABSENT, None),
        ("elements", [], None),
        ("elements", {"0": {}}, None),
        ("elements.0", "ENERGY", None),
        ("elements.0.price_components", [], None),
        (COMPONENT, None, None),
        (f"{COMPONENT}.type", "POWER", None),
        (f"{COMPONENT}.type", ABSENT, None),
        (f"{COMPONENT}.price", ABSENT, None),
        (f"{COMPONENT}.price", 0.4, None),
        (f"{COMPONENT}.price", True, None),
        (f"{COMPONENT}.price", "0,40", None),
        (f"{COMPONENT}.price", "", None),
        (f"{COMPONENT}.price", "NaN", None),
        (f"{COMPONENT}.price", "\u0660.\u0664", None),  # digits, but not those of JSON
        (f"{COMPONENT}.price", Decimal("NaN"), None),
        (f"{COMPONENT}.price", Decimal("-Infinity"), None),
        (f"{COMPONENT}.price", Decimal("1e31"), None),
        (f"{COMPONENT}.price", Decimal("1e-31"), None),
        (f"{COMPONENT}.price", Decimal("0e999999"), None),
        (f"{COMPONENT}.price", 10**30, None),
        (f"{COMPONENT}.price", "1e9999", None),
        (f"{COMPONENT}.price", Decimal("0." + "1" * 31), None),
        (f"{COMPONENT}.vat", -1, None),
        (f"{COMPONENT}.vat", 21.0, None),
        (f"{COMPONENT}.step_size", Decimal("1.5"), None),
        (f"{COMPONENT}.step_size", [1], None),
        (RESTRICTIONS, [], None),
        (f"{RESTRICTIONS}.start_time", "8:00", None),
        (f"{RESTRICTIONS}.start_time", "24:00", None),
        (f"{RESTRICTIONS}.start_time", 8, None),
        (f"{RESTRICTIONS}.end_time", "22:60", None),
        (f"{RESTRICTIONS}.start_date", "2026-13-01", None),
        (f"{RESTRICTIONS}.end_date", "20260301", None),
        (f"{RESTRICTIONS}.max_kwh", 20.5, None),
        (f"{RESTRICTIONS}.min_duration", "an hour", None),
        (f"{RESTRICTIONS}.day_of_week", "MONDAY", None),
        (f"{RESTRICTIONS}.day_of_week", "", None),
        (f"{RESTRICTIONS}.day_of_week", ["MONDAY", "MON"], f"{RESTRICTIONS}.day_of_week.1"),
        (f"{RESTRICTIONS}.reservation", 1, None),
        ("remark", 1.0, None),  # ignored by prices, yet part of the edition
    ],
)
def test_a_bad_tariff_is_refused_with_its_path(path: str, value: object, at: str | None) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_tariff(but(TARIFF, path, value))
    assert ".".join(refused.value.path) == (at or path)


@pytest.mark.parametrize(
    ("path", "value", "at"),
    [
        ("start_date_time", ABSENT, None),
        ("start_date_time", "2026-03-10", None),
        ("end_date_time", "2026-03-10T25:00:00Z", None),
        ("end_date_time", ABSENT, None),
        ("charging_periods", "none", None),
        ("charging_periods", {}, None),
        ("charging_periods", 0, None),
        ("charging_periods.0", [], None),
        ("charging_periods.0.start_date_time", None, None),
        ("charging_periods.0.tariff_id", 7, None),
        ("charging_periods.0.dimensions", [], None),
        (DIMENSION, "ENERGY", None),
        (f"{DIMENSION}.type", ABSENT, None),
        (f"{DIMENSION}.volume", ABSENT, None),
        (f"{DIMENSION}.volume", 1.5, None),
        (f"{DIMENSION}.volume", "1.5 kWh", None),
        (DIMENSION, {"type": "TIME", "volume": -1}, f"{DIMENSION}.volume"),
        ("reservation_expired", "yes", None),
        ("cdr_token", "AD_HOC_USER", None),
        ("currency", 1, None),
    ],
)
def test_a_bad_record_is_refused_with_its_path(path: str, value: object, at: str | None) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_record(but(RECORD, path, value))
    assert ".".join(refused.value.path) == (at or path)


@pytest.mark.parametrize("document", [[], "CITY", None, 1])
def test_only_an_object_is_a_tariff_or_a_record(document: object) -> None:
    unchecked: Any = document
    with pytest.raises(InvalidInput):
        parse_tariff(unchecked)
    with pytest.raises(InvalidInput):
        parse_record(unchecked)


def test_a_document_nested_absurdly_deep_is_refused() -> None:
    deep: object = 1
    for _ in range(500):
        deep = [deep]
    with pytest.raises(InvalidInput):
        parse_tariff({**TARIFF, "remark": deep})


def test_null_is_absent_and_unknown_fields_are_ignored() -> None:
    its = parse_tariff({**TARIFF, "type": None, "min_price": None, "tariff_alt_text": [{"text": "?"}]})
    assert (its.type, its.min_price, its.tax_included) == (None, None, TaxIncluded.NO)


def test_both_spellings_of_a_limit_are_one() -> None:
    old, new = {"excl_vat": 5, "incl_vat": 6}, {"before_taxes": "5.0", "after_taxes": Decimal("6.00")}
    assert parse_tariff({**TARIFF, "max_price": old}).max_price == parse_tariff({**TARIFF, "max_price": new}).max_price


def codes(tariff: Tariff) -> list[str]:
    return [str(finding) for finding in tariff.findings]


@pytest.mark.parametrize(
    ("path", "value", "finding"),
    [
        (f"{COMPONENT}.price", "0.40", "number_as_string"),
        (f"{COMPONENT}.step_size", ABSENT, "missing_step_size"),
        (f"{COMPONENT}.step_size", -5, "bad_step_size"),
        (f"{RESTRICTIONS}.min_soc", 20, "unknown_restriction"),
        (f"{RESTRICTIONS}.reservation", "MAYBE", "unknown_restriction"),
        ("party_id", ABSENT, "field_missing"),
    ],
)
def test_what_is_odd_but_readable_is_noticed(path: str, value: object, finding: str) -> None:
    assert codes(parse_tariff(but(TARIFF, path, value))) == [finding]


def test_a_sound_tariff_is_read_without_remarks() -> None:
    assert codes(parse_tariff(TARIFF)) == []


def test_an_open_session_ends_when_asked_or_when_last_updated() -> None:
    still_open = but(RECORD, "end_date_time", ABSENT)
    at = datetime(2026, 3, 10, 8, 30, tzinfo=UTC)
    asked = parse_record(still_open, at)
    updated = parse_record({**still_open, "last_updated": "2026-03-10T08:45:00Z"})
    assert (asked.ended_at, updated.ended_at) == (at, at.replace(minute=45))
    assert [str(finding) for finding in asked.findings] == ["session_open"]


def test_dimensions_that_are_not_priced_are_left_out() -> None:
    record = parse_record(but(RECORD, f"{DIMENSION}.type", "HUMIDITY"))
    assert record.periods[0].dimensions == ()
    assert [str(finding) for finding in record.findings] == ["unknown_dimension"]
    assert parse_record(RECORD).periods[0].dimensions == ((DimensionType.ENERGY, Decimal("1.5")),)


@pytest.mark.parametrize(
    ("written", "second", "microsecond"),
    [
        ("2026-03-10T08:00:05Z", 5, 0),
        ("2026-03-10T08:00:05", 5, 0),
        ("2026-03-10T10:00:05+02:00", 5, 0),
        ("2026-03-10T08:00:05.25Z", 5, 250_000),
        ("2026-03-10T08:00:05.1234567Z", 5, 123_456),
        ("2026-03-10 08:00z", 0, 0),
    ],
)
def test_an_instant_is_read_as_utc(written: str, second: int, microsecond: int) -> None:
    assert parse_instant(written) == datetime(2026, 3, 10, 8, 0, second, microsecond, UTC)


@pytest.mark.parametrize(
    "written", ["", "2026-03-10", "1773129600", "0001-01-01T00:00:00+14:00", "2026-03-10T08:60:00Z"]
)
def test_what_is_no_instant_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput):
        parse_instant(written)


def test_an_edition_is_its_content_and_nothing_else() -> None:
    shuffled = dict(reversed(list(TARIFF.items())))
    shorter = but(TARIFF, f"{COMPONENT}.price", Decimal("0.4"))
    dearer = but(TARIFF, f"{COMPONENT}.price", Decimal("0.41"))
    assert edition_of(TARIFF) == edition_of(shuffled) == edition_of(shorter) == parse_tariff(TARIFF).edition
    assert edition_of(dearer) != edition_of(TARIFF)


def test_canonical_json_is_json_of_the_same_content() -> None:
    content = {"b": [Decimal("2.50"), -0, None, True], "a": {"ü": "\ud800"}, "c": Decimal("1E+3")}
    assert canonical_json(content) == '{"a":{"\\u00fc":"\\ud800"},"b":[2.5,0,null,true],"c":1000}'
    assert json.loads(canonical_json(content), parse_float=Decimal) == content
