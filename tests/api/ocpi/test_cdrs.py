"""CDRs as operators post them: each bills one session once, to their cent."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from sqlalchemy import select

from domain.auditing import audit
from domain.columns import table_of
from domain.database import Database
from domain.money import Money
from domain.sessions import CDR, ChargingSession, ChargingSessionStatus
from tests.api.ocpi.partner import PUBLIC_URL, RECEIVER, Partner, change, everything, period, raw
from tests.domain.meters.signing import Meter, payload, reading
from tests.world import World

EUR_0, EUR_833 = Money(0, "EUR"), Money(833, "EUR")


async def ended(biller: Partner) -> None:
    """A session that its operator has ended and not yet billed."""
    await biller.put(biller.session())
    end = change("09:00:00", kwh=10, status="COMPLETED", end_date_time="2026-05-04T09:00:00Z")
    assert (await biller.patch(end)).codes == (200, 1000)


async def session_of(world: World) -> ChargingSession:
    return await world.services.recording.pushed(world.biller, "S-1")


async def test_a_cdr_bills_its_session_to_their_cent(biller: Partner, world: World, database: Database) -> None:
    await ended(biller)
    assert (await session_of(world)).status is ChargingSessionStatus.STOPPING
    said = await biller.post_cdr(biller.cdr())
    assert said.codes == (201, 1000)
    assert said.response.headers["location"] == f"{PUBLIC_URL}{RECEIVER}/cdrs/C-1"

    session = await session_of(world)
    assert (session.status, session.gross) == (ChargingSessionStatus.COMPLETED, EUR_833)
    assert (session.energy_wh, session.charging_seconds, session.idle_seconds) == (10_500, 1800, 1800)
    async with database.read() as reader:
        (cdr,) = await reader.list(CDR, select(table_of(CDR)))
    assert (cdr.ocpi_id, cdr.is_declared, cdr.gross) == ("C-1", True, EUR_833)
    balance = await world.balance()
    assert (balance.available, balance.held, balance.owed) == (Money(9167, "EUR"), EUR_0, EUR_0)
    async with database.snapshot() as reader:
        assert [verdict for verdict in await audit(reader) if verdict.broken is not None] == []


async def test_what_was_posted_can_be_got(biller: Partner, cpo: Partner) -> None:
    await ended(biller)
    body = biller.cdr(remark="gr\u00fc\u00df", charging_periods=[period("08:00:00", ENERGY=Decimal("10.50"))])
    said = await biller.post_cdr(body)
    got = await biller.ask("GET", said.response.headers["location"])
    assert got.codes == (200, 1000)
    assert got.data == body
    for partner, name in ((biller, "C-2"), (biller, "C%00"), (biller, "C" * 40), (biller, ""), (cpo, "C-1")):
        assert (await partner.ask("GET", f"{RECEIVER}/cdrs/{name}")).codes == (404, 2000)


async def test_signed_data_is_verified_and_got_back_as_it_came(
    biller: Partner, world: World, database: Database
) -> None:
    await ended(biller)
    meter = Meter()
    spaced = "  " + meter.sign(payload(reading("B", "100"), reading("E", "110.5", "13:00:00"), GI="Zähler")) + "\n"
    told = {
        "encoding_method": "OCMF",
        "public_key": meter.key,
        "signed_values": [{"nature": "End", "plain_data": "{}", "signed_data": spaced}],
        "url": "https://example.com",
    }
    said = await biller.post_cdr(biller.cdr(signed_data=told))
    assert said.codes == (201, 1000)
    got = await biller.ask("GET", said.response.headers["location"])
    assert got.data["signed_data"] == told
    (cdr,) = await world.services.sessions.cdrs_of(world.operator.operator_id, [(await session_of(world)).id])
    async with database.read() as reader:
        found = await world.services.sessions.checked(reader, cdr)
    assert found is not None
    assert (found.proof.is_verified, found.proof.kwh) == (True, Decimal("10.5"))


async def test_the_same_again_bills_once(biller: Partner, database: Database) -> None:
    await ended(biller)
    first = await biller.post_cdr(biller.cdr())
    before = await everything(database)
    reordered = dict(reversed(biller.cdr(total_cost={"incl_vat": Decimal("8.330"), "excl_vat": 7}).items()))
    for body in (biller.cdr(), reordered):
        again = await biller.post_cdr(body)
        assert again.codes == (200, 1000)
        assert again.response.headers["location"] == first.response.headers["location"]
    assert await everything(database) == before


async def test_of_identical_posts_at_once_one_bills(biller: Partner, world: World) -> None:
    await ended(biller)
    said = await asyncio.gather(*(biller.post_cdr(biller.cdr()) for _ in range(6)))
    assert sorted(answer.codes for answer in said) == [(200, 1000)] * 5 + [(201, 1000)]
    assert (await world.balance()).available == Money(9167, "EUR")


async def test_another_content_under_a_known_id_is_refused(biller: Partner, database: Database) -> None:
    await ended(biller)
    await biller.post_cdr(biller.cdr())
    before = await everything(database)
    assert (await biller.post_cdr(biller.cdr(total_energy=11))).codes == (200, 2001)
    assert (await biller.post_cdr(biller.cdr("C-2"))).codes == (200, 2001)
    assert await everything(database) == before


async def test_an_amount_is_rounded_once_and_a_price_may_be_silent_about_tax(biller: Partner, world: World) -> None:
    await ended(biller)
    body = biller.cdr(total_energy_cost=None, total_parking_cost=None, total_parking_time=None)
    said = await biller.post_cdr(raw(body, total_cost='{"excl_vat": 1.005}'))
    assert said.codes == (201, 1000)
    assert (await session_of(world)).gross == Money(101, "EUR")


async def test_a_credit_is_kept_once_and_got_back_as_it_came(biller: Partner, world: World, database: Database) -> None:
    await ended(biller)
    await biller.post_cdr(biller.cdr())
    negative = {"excl_vat": Decimal("-7.00"), "incl_vat": Decimal("-8.33")}
    credit = biller.cdr("C-1-C", credit=True, credit_reference_id="C-1", total_cost=negative)
    said = await biller.post_cdr(credit)
    assert said.codes == (201, 1000)
    assert (await biller.ask("GET", said.response.headers["location"])).data == credit
    before = await everything(database)
    assert (await biller.post_cdr(credit)).codes == (200, 1000)
    again = await biller.post_cdr(credit | {"id": "C-2-C"})
    assert (again.codes, again.message[:40]) == ((200, 2001), "credit_reference_id: credit_already_give")
    assert (await biller.post_cdr(credit | {"total_energy": 1})).codes == (200, 2001)
    assert await everything(database) == before
    assert (await world.balance()).available == Money(9167, "EUR")


async def test_a_cdr_for_a_session_billed_by_us_is_refused(cpo: Partner, database: Database) -> None:
    await cpo.put(cpo.session())
    await cpo.patch(change("09:00:00", kwh=10, status="COMPLETED"))
    before = await everything(database)
    assert (await cpo.post_cdr(cpo.cdr())).codes == (200, 2001)
    assert await everything(database) == before
    async with database.read() as reader:
        (ours,) = await reader.list(CDR, select(table_of(CDR)))
    assert (await cpo.ask("GET", f"{RECEIVER}/cdrs/{ours.ocpi_id}")).codes == (404, 2000)


BAD: dict[str, tuple[dict[str, object], str]] = {
    "no id": ({"id": None}, "id: "),
    "an id of 40 characters": ({"id": "C" * 40}, "id: "),
    "no session": ({"session_id": None}, "session_id: "),
    "an unknown session": ({"session_id": "S-7"}, "session_id: "),
    "no start": ({"start_date_time": None}, "start_date_time: "),
    "no end": ({"end_date_time": None}, "end_date_time: "),
    "an end before the start": ({"end_date_time": "2026-05-04T07:59:59Z"}, "end_date_time: "),
    "no currency": ({"currency": None}, "currency: "),
    "no money": ({"currency": "XXX"}, "currency: "),
    "another currency": ({"currency": "CHF"}, "currency: "),
    "no cost": ({"total_cost": None}, "total_cost: "),
    "a cost without a net": ({"total_cost": {"incl_vat": 1}}, "total_cost.excl_vat: "),
    "a cost that is a number": ({"total_cost": 7}, "total_cost: "),
    "a negative cost": ({"total_cost": {"excl_vat": -1}}, "total_cost.excl_vat: "),
    "a negative tax": ({"total_cost": {"excl_vat": 2, "incl_vat": 1}}, "total_cost.incl_vat: "),
    "a negative part": ({"total_time_cost": {"excl_vat": -1}}, "total_time_cost.excl_vat: "),
    "a cost beyond belief": ({"total_cost": {"excl_vat": 10**10}}, "total_cost.excl_vat: "),
    "no energy": ({"total_energy": None}, "total_energy: "),
    "negative energy": ({"total_energy": -1}, "total_energy: "),
    "no time": ({"total_time": None}, "total_time: "),
    "negative time": ({"total_time": -1}, "total_time: "),
    "more parking than time": ({"total_parking_time": 2}, "total_parking_time: "),
    "a credit of more than nothing": ({"credit": True, "credit_reference_id": "C-0"}, "total_cost.excl_vat: "),
    "a credit of nothing in particular": (
        {"credit": True, "total_cost": {"excl_vat": -7, "incl_vat": -8}},
        "credit_reference_id: credit_without_reference",
    ),
    "a credit with less tax": (
        {"credit": True, "credit_reference_id": "C-0", "total_cost": {"excl_vat": -7, "incl_vat": -6}},
        "total_cost.incl_vat: ",
    ),
    "a credit of sorts": ({"credit": "yes"}, "credit: "),
    "signed data without a method": ({"signed_data": {"signed_values": []}}, "signed_data.encoding_method: "),
    "signed data without values": ({"signed_data": {"encoding_method": "OCMF"}}, "signed_data.signed_values: "),
    "signed data that is text": ({"signed_data": "OCMF|{}|{}"}, "signed_data: "),
    "a signed value that is text": (
        {"signed_data": {"encoding_method": "OCMF", "signed_values": ["OCMF|{}|{}"]}},
        "signed_data.signed_values: ",
    ),
    "a signed value without a nature": (
        {"signed_data": {"encoding_method": "OCMF", "signed_values": [{"signed_data": "x"}]}},
        "signed_data.signed_values.0.nature: ",
    ),
    "a signed value beyond belief": (
        {"signed_data": {"encoding_method": "OCMF", "signed_values": [{"nature": "End", "signed_data": "x" * 5001}]}},
        "signed_data.signed_values.0.signed_data: ",
    ),
    "another party": ({"party_id": "ABC"}, "party_id: "),
    "a negative volume": (
        {"charging_periods": [period("08:00:00", ENERGY=-1)]},
        "charging_periods.0.dimensions.ENERGY: ",
    ),
}


async def test_a_bad_cdr_says_where_and_stores_nothing(biller: Partner, database: Database) -> None:
    await ended(biller)
    before = await everything(database)
    for case, (changed, message) in BAD.items():
        said = await biller.post_cdr(biller.cdr(**changed))
        assert said.codes == (200, 2001), case
        assert said.message.startswith(message), case
    assert await everything(database) == before


async def test_a_cost_that_is_no_number_stores_nothing(biller: Partner, database: Database) -> None:
    await ended(biller)
    before = await everything(database)
    for written in ("NaN", '{"excl_vat": NaN}', '{"excl_vat": 1e400}'):
        assert (await biller.post_cdr(raw(biller.cdr(), total_cost=written))).codes == (400, 2000)
    assert await everything(database) == before
