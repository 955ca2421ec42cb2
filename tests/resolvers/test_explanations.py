"""Why a line is what it is: one object for whoever charges, for the bill, and for the agent of a dispute."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from domain.sessions import TheirStatus
from domain.tariffs import (
    ChargingPeriod,
    ChargingRecord,
    Coinage,
    DimensionType,
    TaxIncluded,
    json_text,
    line_json,
    parse_instant,
    parse_tariff,
    price,
    read_json,
)
from resolvers.explanations import DayOfWeek, LineDetails
from resolvers.principal import Role
from tests.resolvers.gateway import Gateway, gid
from tests.resolvers.test_evidence import billed

DETAILS = """details { tariff { countryCode partyId ocpiId edition } element component firstPeriod lastPeriod
  why { local weekday energyBeforeKwh elapsedSeconds tests { restriction } passedOver { element holds } }
  unit measured billed billedSeconds step { size unit sessionMeasured sessionBilled surplus }
  price priceUnit tax { included percentage } exact { net gross } states { at state } }"""
COST = f"cost {{ lines {{ kind explanation {DETAILS} }} }}"
OWN = f"query ($id: ID!) {{ node(id: $id) {{ ... on ChargingSession {{ {COST} }} }} }}"
DISPUTED = (
    f"query ($id: ID!) {{ node(id: $id) {{ ... on Dispute {{ subject {{ ... on ChargingSession {{ {COST} }} }} }} }} }}"
)
NOON = parse_instant("2026-03-10T12:00:00Z")


async def lines(gateway: Gateway, session: str, role: Role = Role.DRIVER) -> list[dict[str, Any]]:
    answer = await gateway.ask(OWN, role, None, id=session)
    found: list[dict[str, Any]] = answer.data["node"]["cost"]["lines"]
    return found


async def parked(gateway: Gateway) -> str:
    """A session that has charged 10 kWh in an hour and stood idle for ten minutes."""
    await gateway.push("S-1", TheirStatus.ACTIVE, 0)
    await gateway.push("S-1", TheirStatus.ACTIVE, 3600, "10")
    return gid("ChargingSession", (await gateway.push("S-1", TheirStatus.ACTIVE, 4200, "10")).id)


async def test_a_running_session_explains_each_line_in_full(gateway: Gateway) -> None:
    energy, idle = await lines(gateway, await parked(gateway))
    assert energy["explanation"].endswith("10 kWh at 0.40 EUR per kWh = 4.00 EUR, with 19 % VAT 4.76 EUR")
    details = energy["details"]
    assert details["tariff"].pop("edition").startswith("sha256:")
    assert details.pop("why").keys() == {"local", "weekday", "energyBeforeKwh", "elapsedSeconds", "tests", "passedOver"}
    assert details == {
        "tariff": {"countryCode": "DE", "partyId": "ABC", "ocpiId": "CITY"},
        "element": 0,
        "component": 0,
        "firstPeriod": 0,
        "lastPeriod": 0,
        "unit": "kWh",
        "measured": "10",
        "billed": "10",
        "billedSeconds": None,
        "step": {"size": "1", "unit": "Wh", "sessionMeasured": "10", "sessionBilled": "10", "surplus": "0"},
        "price": "0.4",
        "priceUnit": "EUR/kWh",
        "tax": {"included": "NO", "percentage": "19"},
        "exact": {"net": "4", "gross": "4.76"},
        "states": [],
    }
    assert (idle["details"]["component"], idle["details"]["billed"], idle["details"]["billedSeconds"]) == (
        1,
        "1/6",
        "600",
    )
    assert [state["state"] for state in idle["details"]["states"]] == ["PARKED"]
    assert idle["details"]["why"]["energyBeforeKwh"] == "10"


async def test_the_bill_says_the_last_that_was_seen_and_so_does_its_dispute(gateway: Gateway) -> None:
    session = await parked(gateway)
    live = await lines(gateway, session)
    await gateway.push("S-1", TheirStatus.COMPLETED, 4200, "10")
    assert await lines(gateway, session) == live
    dispute = await gateway.dispute(session)
    seen = await gateway.ask(DISPUTED, Role.SUPPORT, None, id=dispute)
    assert seen.data["node"]["subject"]["cost"]["lines"] == live


async def test_the_same_object_lies_in_the_bill(small: Gateway) -> None:
    session = await small.billed("S-1")
    (cdr,) = await small.world.services.sessions.cdrs_of(small.world.operator.operator_id, [session.id])
    (told,) = orjson.loads(cdr.content)["pricing"]["lines"]
    ((found,),) = await small.world.services.sessions.explanations(small.world.operator.operator_id, [session])
    assert json_text(found) == json_text(read_json(orjson.dumps(told)))


async def test_an_earlier_revision_is_explained_as_it_was_shown(small: Gateway) -> None:
    await small.push("S-1", TheirStatus.ACTIVE, 0)
    before = await small.push("S-1", TheirStatus.ACTIVE, 1800, "4")
    await small.push("S-1", TheirStatus.ACTIVE, 3600, "10")
    ((line,),) = await small.world.services.sessions.explanations(small.world.operator.operator_id, [before])
    assert line["billed"] == "4"


async def test_what_somebody_else_billed_is_not_explained_by_us(gateway: Gateway) -> None:
    session = await billed(gateway, None, 476)
    shown = await lines(gateway, gid("ChargingSession", session.id))
    assert shown
    assert [line["details"] for line in shown] == [None] * len(shown)


async def test_rounding_has_no_component_to_explain_it(small: Gateway) -> None:
    # With tax 0.0052 for energy and 0.0079 for four seconds of parking: a cent each, and one for both.
    await small.push("S-1", TheirStatus.ACTIVE, 0)
    await small.push("S-1", TheirStatus.ACTIVE, 60, "0.011")
    session = await small.push("S-1", TheirStatus.ACTIVE, 64, "0.011")
    shown = await lines(small, gid("ChargingSession", session.id))
    assert [(line["kind"], line["details"] is None) for line in shown] == [
        ("ENERGY", False),
        ("PARKING_TIME", False),
        ("ROUNDING", True),
    ]


async def test_nobody_else_reads_an_explanation(small: Gateway) -> None:
    session = gid("ChargingSession", (await small.billed("S-1")).id)
    assert (await small.ask(OWN, Role.OPERATOR, None, id=session)).status == 403
    await small.stranger()
    assert (await small.ask(OWN, Role.DRIVER, "driver-2", id=session)).data["node"] is None


@pytest.mark.parametrize("stored", [False, True])
def test_every_part_of_an_explanation_has_its_field(stored: bool) -> None:
    night = {"price_components": [{"type": "ENERGY", "price": Decimal("0.19"), "step_size": 1}]}
    day = {"price_components": [{"type": "ENERGY", "price": Decimal("0.37"), "vat": Decimal("7.7"), "step_size": 250}]}
    raw = {
        "country_code": "NL",
        "party_id": "TLY",
        "id": "CITY",
        "currency": "EUR",
        "tax_included": "N/A",
        "elements": [night | {"restrictions": {"end_time": "13:00"}}, day | {"restrictions": {"max_kwh": 50}}],
    }
    period = ChargingPeriod(NOON, ((DimensionType.ENERGY, Decimal("2.6")),), "CITY")
    pricing = price(
        [parse_tariff(raw)], ChargingRecord(NOON, NOON + timedelta(hours=1), (period,)), ZoneInfo("Europe/Amsterdam")
    )
    told: Any = line_json(pricing.lines[0], Coinage(2))
    details = LineDetails.of(read_json(json_text(told)) if stored else told)  # type: ignore[arg-type]  # an object
    assert (details.why.weekday, details.why.local) == (DayOfWeek.TUESDAY, "2026-03-10T13:00:00+01:00")
    assert [asdict(test) for test in details.why.passed_over] == [
        {"element": 0, "restriction": "end_time", "limit": "13:00", "actual": "13:00", "holds": False}
    ]
    assert [asdict(test) for test in details.why.tests] == [
        {"element": 1, "restriction": "max_kwh", "limit": "50", "actual": "0", "holds": True}
    ]
    assert details.step is not None
    assert (int(details.step.size), details.step.session_billed, details.step.surplus) == (250, "2.75", "0.15")
    assert (details.tax.included, details.tax.percentage) == (TaxIncluded.NOT_APPLICABLE, Decimal("7.7"))
    assert (details.exact.net, details.exact.gross) == ("1.0175", "1.0175")
