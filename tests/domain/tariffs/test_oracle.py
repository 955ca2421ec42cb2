"""The price is what a slow second pricing finds that shares no code with it, and nothing makes it fall."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.tariffs import Desk, Pricing, json_text, parse_record, parse_tariff, price, pricing_json
from tests.domain.tariffs import oracle
from tests.domain.tariffs.anything import CURRENCIES, ZONES, json_values, sessions, tariffs

ROOT = Path(__file__).parents[3]


def differs(raw: dict[str, Any], session: dict[str, Any], zone: str) -> list[str]:
    """What the two say differently about a session; that the answer adds up is asserted on the way."""
    pricing = price([parse_tariff(raw)], parse_record(session), ZoneInfo(zone))
    digits = CURRENCIES[raw["currency"]]
    periods = oracle.periods_of(session)
    began = oracle.instant(session["start_date_time"])
    expired = session["reservation_expired"]
    other = oracle.verdict(raw, periods, began, ZoneInfo(zone), digits, expired=expired)
    told: Any = json.loads(json_text(pricing_json(pricing)), parse_float=Decimal)
    adds_up(pricing, told)
    return [
        name
        for name, mine, theirs in (
            ("exact", pricing.exact.total, (other.net, other.gross)),
            ("total", (told["total_cost"]["excl_vat"], told["total_cost"]["incl_vat"]), other.total),
            ("limit", told["limit_applied"], other.limit),
            ("parts", {part.value: tuple(its) for part, its in pricing.exact.sums.parts.items()}, dict(other.parts)),
        )
        if mine != theirs
    ]


def adds_up(pricing: Pricing, told: dict[str, Any]) -> None:
    total = {side: Decimal(told["total_cost"][side]) for side in ("excl_vat", "incl_vat")}
    for side in ("excl_vat", "incl_vat"):
        shown = sum((Decimal(line[side]) for line in told["lines"]), Decimal(0))
        assert shown + sum((Decimal(its[side]) for its in told["adjustments"]), Decimal(0)) == total[side]
        parts = [told[f"total_{part}_cost"] for part in ("energy", "time", "parking", "reservation", "fixed")]
        limits = [Decimal(its[side]) for its in told["adjustments"] if its["type"] != "ROUNDING"]
        assert sum((Decimal(part[side]) for part in parts if part), Decimal(0)) + sum(limits) == total[side]
    taxes = sum((Decimal(tax["amount"]) for tax in told["taxes"]), Decimal(0))
    assert taxes == total["incl_vat"] - total["excl_vat"]
    assert pricing.accrued_net <= pricing.net or pricing.net.minor < 0


@given(tariffs(), sessions(), ZONES)
def test_a_price_is_what_another_pricing_finds(raw: dict[str, Any], session: dict[str, Any], zone: str) -> None:
    assert differs(raw, session, zone) == []


@pytest.mark.soak
@settings(max_examples=100_000)
@given(tariffs(), sessions(), ZONES)
def test_a_hundred_thousand_prices_are_what_another_pricing_finds(
    raw: dict[str, Any], session: dict[str, Any], zone: str
) -> None:
    assert differs(raw, session, zone) == []


@st.composite
def broken(draw: st.DrawFn) -> dict[str, Any]:
    """A question in which something, anywhere, is something else."""
    asked: Any = {
        "id": 1,
        "tariffs": [draw(tariffs())],
        "time_zone": "Europe/Berlin",
        "session": draw(sessions(most=3)),
    }
    place = asked
    while True:
        key = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        inner = place[key]
        if isinstance(inner, (dict, list)) and inner and draw(st.integers(0, 3)):
            place = inner
            continue
        place[key] = draw(json_values)
        return asked  # type: ignore[no-any-return]


def never_falls(asked: dict[str, Any]) -> None:
    def no_float(text: str) -> float:
        raise AssertionError(text)

    line = _written(asked).encode()
    content, is_priced = Desk().line(line)
    told = json.loads(json_text(content), parse_float=Decimal, parse_constant=no_float)
    assert ("total_cost" in told) is is_priced
    if is_priced:
        assert all(Fraction(amount).denominator > 0 for amount in told["total_cost"].values())
    else:
        assert told["error"]["code"] != "internal"


@given(broken())
def test_a_question_with_anything_in_it_is_answered(asked: dict[str, Any]) -> None:
    never_falls(asked)


@pytest.mark.soak
@settings(max_examples=100_000)
@given(broken())
def test_a_hundred_thousand_questions_with_anything_in_them_are_answered(asked: dict[str, Any]) -> None:
    never_falls(asked)


def _written(value: object) -> str:
    """JSON of anything, Decimals as the numbers they are."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(name))}:{_written(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles"])
def test_the_time_zone_of_the_machine_changes_nothing(zone: str) -> None:
    case = json.loads((ROOT / "tests/tariff_cases/repeated_hour/case.json").read_text())
    asked = {"tariffs": case["tariffs"], "time_zone": case["time_zone"], "session": case["record"]}
    command = [sys.executable, "-m", "api.cli", "price", "--jsonl"]
    ran = subprocess.run(
        command,
        input=json.dumps(asked).encode(),
        env=os.environ | {"TZ": zone},
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    total = json.loads(ran.stdout)["total_cost"]
    assert [total["excl_vat"], total["incl_vat"]] == case["expected"]["total"]
