"""A bill is checked when it is taken, and billed all the same: what was found lies beside it."""

from __future__ import annotations

from fractions import Fraction

import pytest

from domain.database import Database
from domain.meters import KeySource, SignatureVerdict, SignedData
from domain.partners import ConnectorPlan, EvsePlan, LocationPlan, PartnerRounding
from domain.sessions import CDR, CdrCheck, ChargingSession, Checked, Declared
from domain.tariffs import Cause
from tests.domain.meters.signing import Meter
from tests.domain.sessions.biller import billed
from tests.domain.sessions.ocpi_objects import after, component, period, tariff
from tests.domain.sessions.stage import ACTIVE, CAUSE, COMPLETED, Stage, built, euro

METER, STRANGER = Meter(), Meter(seed=8)


@pytest.fixture
async def stage(database: Database) -> Stage:
    return await built(database)


TWICE = "duplicate_cdr"
"""What is found where a test bills the same hour of the same car again."""


async def check_of(stage: Stage, session: ChargingSession) -> Checked:
    (found,) = await checks_of(stage, session)
    return found


async def checks_of(stage: Stage, session: ChargingSession) -> list[Checked]:
    return await stage.services.sessions.checks_of(stage.operator, [cdr.id for cdr in await stage.cdrs(session)])


def codes(found: Checked) -> list[str]:
    return [one.code.value for one in found.findings]


def signed(meter: Meter = METER, end: str = "20.0", key: str | None = METER.key) -> SignedData:
    return SignedData("OCMF", key, meter.pair("10.0", end))


async def registered(stage: Stage, *keys: str) -> None:
    plug = ConnectorPlan("1", "IEC_62196_T2", 11000, "STANDARD")
    site = LocationPlan(
        "L9", "Site L9", "Main Street 1", "DE", "Europe/Berlin", (EvsePlan("E1", None, (plug,), tuple(keys)),)
    )
    await stage.services.partners.put_location(stage.operator, stage.biller.id, site)


async def test_a_bill_that_our_price_agrees_with_is_accepted(stage: Stage) -> None:
    found = await check_of(stage, await billed(stage))
    assert (found.is_accepted, codes(found)) == (True, ["signed_data_missing"])
    assert found.ours is not None
    assert (found.ours.net, found.ours.gross) == (euro(500), euro(595))
    await stage.audited()


async def test_a_bill_that_differs_is_billed_to_their_cent_and_flagged_with_its_cause(stage: Stage) -> None:
    session = await billed(stage, net=500, gross=500)
    found = await check_of(stage, session)
    assert (session.gross, found.is_accepted) == (euro(500), False)
    assert codes(found) == ["total_cost_mismatch", "signed_data_missing"]
    assert (await stage.one(CdrCheck)).cause is Cause.VAT
    await stage.audited()


async def test_the_policy_of_the_party_decides_what_is_accepted(stage: Stage) -> None:
    offer = tariff("STANDARD", component("ENERGY", "0.3333"), component("TIME", "0.3333"), party=("DE", "BIL"))
    await stage.services.tariffs.publish(stage.operator, stage.biller.id, offer)
    periods = (period(0, "5.05", hours="0.5"), period(30, "4.95", hours="0.5"))
    exact, cut = (367, 436), (366, 436)

    async def accepted(name: str, bill: tuple[int, int]) -> bool:
        return (await check_of(stage, await billed(stage, name, *bill, periods=periods))).is_accepted

    party = stage.biller.model_dump()
    assert await accepted("S1", exact)
    assert await accepted("S2", cut)
    strict = stage.biller = await stage.services.partners.add_party(
        type(stage.biller)(**party | {"tolerance_minor": 0})
    )
    assert strict.tolerance_minor == 0
    assert await accepted("S3", exact)
    assert not await accepted("S4", cut)
    stage.biller = await stage.services.partners.add_party(
        type(stage.biller)(**party | {"tolerance_minor": 0, "rounding": PartnerRounding.TRUNCATE})
    )
    assert await accepted("S5", cut)
    assert not await accepted("S6", exact)


async def test_the_periods_of_the_bill_are_priced_and_without_them_those_of_the_session(stage: Stage) -> None:
    cheap = (period(0, "4.0", hours="1"),)
    found = await check_of(stage, await billed(stage, "S1", 200, 238, periods=cheap, parking_hours=Fraction(0)))
    assert (found.is_accepted, "energy_total_mismatch" in codes(found)) == (True, True)
    found = await check_of(stage, await billed(stage, "S2", 200, 238))
    assert (found.is_accepted, found.ours and found.ours.gross) == (False, euro(595))


async def test_a_tariff_that_nobody_sent_leaves_a_bill_unchecked_and_billed(stage: Stage) -> None:
    (known,) = (period(0, "10", hours="1"),)
    unknown = type(known)(known.start_at, known.dimensions, "NOBODY")
    session = await billed(stage, periods=(unknown,))
    found = await check_of(stage, session)
    assert (session.gross, found.is_accepted, found.ours) == (euro(595), False, None)
    assert codes(found)[0] == "not_priced"


async def test_a_bill_told_twice_is_checked_once(stage: Stage) -> None:
    await billed(stage)
    before = await stage.everything()
    _, is_new = await stage.services.recording.bill(stage.biller, stage.bill("C-S1", "S1", 500, 595), CAUSE)
    assert not is_new
    assert await stage.everything() == before


async def test_signed_readings_are_verified_with_the_registered_key_first(stage: Stage) -> None:
    found = await check_of(stage, await billed(stage, "S1", signed=signed()))
    assert (found.proof.is_verified, found.proof.key_from, codes(found)) == (True, KeySource.RECORD, [])
    found = await check_of(stage, await billed(stage, "S2", signed=signed(key=None)))
    assert (found.proof.verdict, codes(found)) == (SignatureVerdict.UNVERIFIABLE, [TWICE, "signed_data_unverifiable"])
    await registered(stage, STRANGER.key, METER.key)
    await registered(stage, METER.key)
    found = await check_of(stage, await billed(stage, "S3", signed=signed(key=None)))
    assert (found.proof.is_verified, found.proof.key_from) == (True, KeySource.REGISTRY)
    liar = Meter(seed=9)
    found = await check_of(stage, await billed(stage, "S4", signed=signed(liar, key=liar.key)))
    assert (found.proof.verdict, codes(found)) == (SignatureVerdict.FAILED, [TWICE] * 3 + ["signed_data_invalid"])


async def test_signed_readings_that_say_something_else_disagree(stage: Stage) -> None:
    assert codes(await check_of(stage, await billed(stage, "S1", signed=signed(end="20.001")))) == []
    for others, (name, end) in enumerate((("S2", "20.0011"), ("S3", "19.99")), 1):
        found = await check_of(stage, await billed(stage, name, signed=signed(end=end)))
        assert (found.proof.is_verified, codes(found)) == (True, [TWICE] * others + ["signed_data_disagrees"])


async def test_a_bill_above_the_quoted_price_is_noticed(stage: Stage) -> None:
    quote = await stage.quote(connector=3)
    started = await stage.start(quote=quote)
    reference = started.authorization_reference
    await stage.record(stage.push("S1", ACTIVE, 0, 0, location="L9", authorization_reference=reference), stage.biller)
    await stage.record(stage.patch("S1", COMPLETED, 60, 10_000, ended_at=after(60)), stage.biller)
    bill = stage.bill("C1", "S1", 510, 607)
    session, _ = await stage.services.recording.bill(stage.biller, bill, CAUSE)
    found = await check_of(stage, session)
    assert session.id == started.id
    (above,) = [one for one in found.findings if one.code.value == "above_quote"]
    assert (above.amount, "6.07 EUR was billed" in above.message) == (euro(607 - 595), True)
    await stage.audited()


async def test_our_own_bill_is_above_the_quote_only_by_a_tariff_that_was_not_quoted(stage: Stage) -> None:
    dear = tariff("DEAR", component("ENERGY", "0.90"))
    await stage.services.tariffs.publish(stage.operator, stage.cpo.id, dear)
    for name, offer, expected in (("S1", "STANDARD", []), ("S2", "DEAR", [TWICE, "above_quote"])):
        started = await stage.start(name, quote=await stage.quote())
        (told,) = (period(0, "10", hours="1"),)
        periods = (type(told)(told.start_at, told.dimensions, offer),)
        more = {"authorization_reference": started.authorization_reference, "periods": periods}
        await stage.record(stage.push(name, ACTIVE, 0, 0, authorization_reference=started.authorization_reference))
        session, _ = await stage.record(stage.push(name, COMPLETED, 60, 10_000, ended_at=after(60), **more))
        assert [codes(one) for one in await checks_of(stage, session)] == ([expected] if expected else [])
    assert len(await stage.all(CDR)) == 2


async def test_a_declared_price_of_parts_is_compared_with_the_parts(stage: Stage) -> None:
    energy, fixed = Declared(euro(400), euro(476)), Declared(euro(100), euro(119))
    found = await check_of(stage, await billed(stage, energy_cost=energy, fixed_cost=fixed))
    assert found.is_accepted
    assert codes(found)[:2] == ["part_cost_mismatch", "part_cost_mismatch"]
