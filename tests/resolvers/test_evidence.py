"""What speaks for a bill: signed readings for its driver, findings for staff."""

from __future__ import annotations

from fractions import Fraction

import orjson

from domain.energy import Energy
from domain.meters import SignedData
from domain.money import Money
from domain.sessions import CdrPush, ChargingSession, Declared, SessionPush, TheirStatus, TokenName
from resolvers.principal import Role
from tests.domain.meters.signing import Meter
from tests.resolvers.gateway import Gateway, gid, moment
from tests.world import SEED

OWN = """query ($id: ID!) { node(id: $id) { ... on ChargingSession { cdr { id meterProof {
  format isVerified verdict keyFrom energyKwh issues packets } } } } }"""
FOUND = """query ($id: ID!) { node(id: $id) { ... on CDR {
  findings { code level message } expected { gross { minorUnits } } meterProof { isVerified } } } }"""
METER = Meter()


async def billed(gateway: Gateway, signed: SignedData | None, gross: int) -> ChargingSession:
    """An hour and 10 kWh of the driver's for 4.00 and tax, billed by the operator of the charge point."""
    world, token = gateway.world, gateway.world.token
    party, recording = world.biller, world.services.recording
    for seconds, status in ((0, TheirStatus.ACTIVE), (3600, TheirStatus.COMPLETED)):
        push = SessionPush(
            ocpi_id="S-1",
            replaces=True,
            last_updated=moment(seconds),
            status=status,
            started_at=moment(0),
            ended_at=moment(3600) if seconds else None,
            energy=Energy(10_000 if seconds else 0),
            token=TokenName(world.operator.emsp_role, token.uid, token.contract_id, is_app=True),
            location="LOC-9",
            evse_uid="EVSE-1",
            connector="1",
        )
        await recording.record(party, push, SEED)
    values = () if signed is None else signed.values
    told = {"signed_values": [{"nature": one.nature, "signed_data": one.signed} for one in values]}
    cdr = CdrPush(
        ocpi_id="C-1",
        session="S-1",
        started_at=moment(0),
        ended_at=moment(3600),
        energy=Energy(10_000),
        total=Declared(Money(400, "EUR"), Money(gross, "EUR")),
        energy_cost=None,
        time_cost=None,
        parking_cost=None,
        fixed_cost=None,
        connected_hours=Fraction(1),
        parking_hours=Fraction(0),
        periods=(),
        signed=signed,
        content=orjson.dumps({"signed_data": told}).decode(),
    )
    session, _ = await recording.bill(party, cdr, SEED)
    return session


async def test_a_driver_sees_what_the_meter_signed(gateway: Gateway) -> None:
    pair = METER.pair()
    session = await billed(gateway, SignedData("OCMF", METER.key, pair), 476)
    answer = await gateway.ask(OWN, Role.DRIVER, None, id=gid("ChargingSession", session.id))
    assert answer.data["node"]["cdr"]["meterProof"] == {
        "format": "OCMF",
        "isVerified": True,
        "verdict": "VERIFIED",
        "keyFrom": "RECORD",
        "energyKwh": "10.0",
        "issues": [],
        "packets": [one.signed for one in pair],
    }


async def test_a_bill_without_signed_readings_has_no_proof(gateway: Gateway) -> None:
    for session in (await billed(gateway, None, 476), await gateway.billed("S-2")):
        answer = await gateway.ask(OWN, Role.DRIVER, None, id=gid("ChargingSession", session.id))
        assert answer.data["node"]["cdr"]["meterProof"] is None


async def test_a_quote_says_what_charging_costs_at_most(gateway: Gateway) -> None:
    ask = """mutation ($i: QuoteChargingInput!) { quoteCharging(input: $i) { ... on Quote {
      ceilings { from perKwh { net gross vatPercent } perHour { gross } } } } }"""
    answer = await gateway.ask(ask, i={"connectorId": gid("Connector", gateway.world.connectors[0])})
    (ceiling,) = answer.data["quoteCharging"]["ceilings"]
    assert ceiling["perKwh"] == {"net": "0.4", "gross": "0.476", "vatPercent": "19"}
    assert ceiling["perHour"] == {"gross": "7.14"}


async def test_staff_sees_what_was_found_worst_first_and_drivers_do_not(gateway: Gateway) -> None:
    signed = SignedData("OCMF", METER.key, METER.pair(end="19.0"))
    session = await billed(gateway, signed, 400)
    own = await gateway.ask(OWN, Role.DRIVER, None, id=gid("ChargingSession", session.id))
    cdr = own.data["node"]["cdr"]["id"]
    found = (await gateway.ask(FOUND, Role.SUPPORT, None, id=cdr)).data["node"]
    assert [(one["code"], one["level"]) for one in found["findings"]] == [
        ("signed_data_disagrees", "ERROR"),
        ("total_cost_mismatch", "WARNING"),
    ]
    assert "tax was computed otherwise" in found["findings"][1]["message"]
    assert found["expected"]["gross"]["minorUnits"] == "476"
    assert found["meterProof"] == {"isVerified": True}
    refused = await gateway.ask(FOUND, Role.DRIVER, None, id=cdr)
    assert (refused.status, refused.codes) == (403, ["FORBIDDEN"] * len(refused.errors))


async def test_a_bill_of_our_own_has_nothing_to_find(gateway: Gateway) -> None:
    session = await gateway.billed("S-2")
    own = await gateway.ask(OWN, Role.DRIVER, None, id=gid("ChargingSession", session.id))
    cdr = own.data["node"]["cdr"]["id"]
    found = (await gateway.ask(FOUND, Role.SUPPORT, None, id=cdr)).data["node"]
    assert found == {"findings": [], "expected": None, "meterProof": None}


async def test_a_token_that_charged_in_two_places_at_once_is_found(gateway: Gateway) -> None:
    await gateway.billed("S-2")
    await gateway.push("S-3", TheirStatus.ACTIVE, 600, evse="EVSE-2", started_at=moment(600))
    twice = await gateway.push("S-3", TheirStatus.COMPLETED, 2400, "7", evse="EVSE-2", started_at=moment(600))
    found = await found_of(gateway, twice)
    assert [(one["code"], one["level"]) for one in found] == [("overlapping_session", "WARNING")]
    assert "S-2" in found[0]["message"]


async def test_one_charging_process_billed_twice_is_found(gateway: Gateway) -> None:
    first = await gateway.billed("S-2")
    assert await found_of(gateway, first) == []
    assert [one["code"] for one in await found_of(gateway, await gateway.billed("S-3"))] == ["duplicate_cdr"]


async def test_one_session_after_the_other_is_no_overlap(gateway: Gateway) -> None:
    await gateway.billed("S-2")
    await gateway.push("S-3", TheirStatus.ACTIVE, 1800, evse="EVSE-2", started_at=moment(1800))
    after = await gateway.push("S-3", TheirStatus.COMPLETED, 2400, "7", evse="EVSE-2", started_at=moment(1800))
    assert await found_of(gateway, after) == []


async def found_of(gateway: Gateway, session: ChargingSession) -> list[dict[str, str]]:
    own = await gateway.ask(OWN, Role.DRIVER, None, id=gid("ChargingSession", session.id))
    answer = await gateway.ask(FOUND, Role.SUPPORT, None, id=own.data["node"]["cdr"]["id"])
    found: list[dict[str, str]] = answer.data["node"]["findings"]
    return found
