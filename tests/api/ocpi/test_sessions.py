"""Sessions as operators push them: what is taken, told twice, told late, and billed."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import TypeVar

from sqlalchemy import select
from sqlmodel import SQLModel

from domain.auditing import audit
from domain.columns import table_of
from domain.database import Database
from domain.drivers import Token, TokenKind
from domain.ids import TokenId
from domain.money import Money
from domain.sessions import CDR, ChargingSession, ChargingSessionStatus, MeterReading, SessionChannel
from domain.tariffs import parse_record
from tests.api.ocpi.partner import Partner, change, everything, period, raw
from tests.world import OPERATOR, World

Record = TypeVar("Record", bound=SQLModel)


async def stored(world: World, session: str = "S-1") -> ChargingSession:
    return await world.services.recording.pushed(world.party, session)


async def all_of(world: World, model: type[Record]) -> list[Record]:
    async with world.services.database.read() as reader:
        return await reader.list(model, select(table_of(model)))


async def is_sound(database: Database) -> None:
    async with database.snapshot() as reader:
        assert [verdict for verdict in await audit(reader) if verdict.broken is not None] == []


async def test_a_put_begins_a_session_and_sets_money_aside(cpo: Partner, world: World) -> None:
    said = await cpo.put(cpo.session(authorization_reference="REF-OF-NOBODY"))
    assert said.codes == (201, 1000)
    assert "data" not in said.envelope
    session = await stored(world)
    assert (session.status, session.channel) == (ChargingSessionStatus.CHARGING, SessionChannel.APP)
    assert session.driver_id == world.driver.id
    balance = await world.balance()
    assert (balance.available, balance.held) == (Money(8000, "EUR"), Money(2000, "EUR"))


async def test_patches_move_the_meter_and_the_cost(cpo: Partner, world: World) -> None:
    await cpo.put(cpo.session())
    said = await cpo.patch(change("08:30:00", kwh=Decimal("5.0004")))
    assert said.codes == (200, 1000)
    session = await stored(world)
    assert (session.energy_wh, session.gross) == (5000, Money(238, "EUR"))
    assert session.ocpi_last_updated is not None


async def test_a_completed_session_is_billed_once_and_the_books_agree(
    cpo: Partner, world: World, database: Database
) -> None:
    await cpo.put(cpo.session())
    await cpo.patch(change("08:30:00", kwh=10, charging_periods=[period("08:00:00", ENERGY=10, TIME=Decimal("0.5"))]))
    end = change(
        "09:00:00",
        kwh=10,
        status="COMPLETED",
        end_date_time="2026-05-04T09:00:00Z",
        charging_periods=[period("08:30:00", PARKING_TIME=Decimal("0.5"))],
    )
    assert (await cpo.patch(end)).codes == (200, 1000)
    before = await everything(database)
    for repeated in (end, end | {"last_updated": "2026-05-04T09:05:00Z"}, end | {"kwh": 11}):
        said = await cpo.patch(repeated)
        assert said.codes == (200, 1000)
        assert said.message.startswith("Ignored")
    assert await everything(database) == before

    session, (cdr,) = await stored(world), await all_of(world, CDR)
    assert session.status is ChargingSessionStatus.COMPLETED
    assert cdr.gross == session.gross == Money(833, "EUR")
    balance = await world.balance()
    assert (balance.available, balance.held, balance.owed) == (Money(9167, "EUR"), Money(0, "EUR"), Money(0, "EUR"))
    await is_sound(database)


async def test_a_put_replaces_the_periods_and_one_without_any_clears_them(cpo: Partner, world: World) -> None:
    await cpo.put(cpo.session(kwh=5, charging_periods=[period("08:00:00", ENERGY=5, TIME=1)]))
    later = {"last_updated": "2026-05-04T09:00:00Z", "kwh": 5}
    await cpo.put(cpo.session(**later))
    assert (await cpo.get()).data["charging_periods"] == []
    await cpo.put(cpo.session(**later | {"last_updated": "2026-05-04T09:10:00Z"}, charging_periods=None))
    assert (await cpo.get()).data["charging_periods"] == []


async def test_the_same_again_changes_nothing(cpo: Partner, database: Database) -> None:
    await cpo.put(cpo.session())
    patch = change("08:30:00", kwh=5, charging_periods=[period("08:00:00", ENERGY=5, TIME=Decimal("0.5"))])
    await cpo.patch(patch)
    before = await everything(database)
    assert (await cpo.patch(patch)).message.startswith("Ignored")
    assert (await cpo.put(cpo.session())).message.startswith("Ignored")
    assert await everything(database) == before


async def test_what_is_older_than_what_is_known_is_ignored(cpo: Partner, database: Database) -> None:
    await cpo.put(cpo.session())
    await cpo.patch(change("08:30:00", kwh=5))
    before = await everything(database)
    said = await cpo.patch(change("08:20:00", kwh=9))
    assert said.codes == (200, 1000)
    assert said.message.startswith("Ignored")
    assert await everything(database) == before


async def test_of_identical_puts_at_once_one_creates(cpo: Partner, world: World, database: Database) -> None:
    said = await asyncio.gather(*(cpo.put(cpo.session()) for _ in range(6)))
    assert sorted(answer.codes for answer in said) == [(200, 1000)] * 5 + [(201, 1000)]
    assert len(await all_of(world, ChargingSession)) == len(await all_of(world, MeterReading)) == 1
    assert (await world.balance()).held == Money(2000, "EUR")
    await is_sound(database)


async def test_a_card_and_a_stranger_charge_too(cpo: Partner, world: World) -> None:
    async with world.services.database.transaction() as tx:
        card = Token(
            operator_id=OPERATOR,
            id=TokenId(world.token.driver_id),
            driver_id=world.driver.id,
            country_code="DE",
            party_id="TWT",
            uid="04A1B2C3",
            kind=TokenKind.RFID,
            contract_id="DE-TWT-C1",
        )
        await tx.insert(card)
    ours = {"country_code": "de", "party_id": "twt", "uid": "04A1B2C3", "type": "RFID", "contract_id": "DE-TWT-C1"}
    theirs = {"country_code": "NL", "party_id": "XYZ", "uid": "77", "type": "RFID", "contract_id": "NL-XYZ-1"}
    assert (await cpo.put(cpo.session(cdr_token=ours))).codes == (201, 1000)
    assert (await cpo.put(cpo.session("S-2", cdr_token=theirs, evse_uid="EVSE-2"), "S-2")).codes == (201, 1000)
    card_session, stranger = await stored(world), await stored(world, "S-2")
    assert (card_session.channel, card_session.driver_id) == (SessionChannel.RFID, world.driver.id)
    assert (stranger.channel, stranger.driver_id, stranger.token_party) == (SessionChannel.ROAMING, None, "NL*XYZ")
    assert (await cpo.get("S-2")).data["cdr_token"] == {**theirs, "type": "OTHER"}


async def test_a_get_tells_what_we_know(cpo: Partner, world: World) -> None:
    body = cpo.session(kwh=Decimal("5.25"), charging_periods=[period("08:00:00", ENERGY=Decimal("5.25"), TIME=1)])
    await cpo.put(body)
    said = await cpo.get()
    assert said.codes == (200, 1000)
    assert said.data == body | {"total_cost": {"excl_vat": Decimal("2.10"), "incl_vat": Decimal("2.50")}}
    assert parse_record(said.data).periods == parse_record(body).periods
    assert (await cpo.get("S-2")).codes == (404, 2000)
    assert (await cpo.get("S%00")).codes == (404, 2000)
    assert (await cpo.get("S" * 37)).codes == (404, 2000)


async def test_address_and_body_may_differ_in_case_only(cpo: Partner) -> None:
    said = await cpo.ask(
        "PUT", "/ocpi/2.2.1/receiver/sessions/de/abc/S-1", cpo.session(id="s-1", country_code="de", party_id="Abc")
    )
    assert said.codes == (201, 1000)


async def test_a_stop_that_failed_is_invalid_and_gives_the_money_back(cpo: Partner, world: World) -> None:
    await cpo.put(cpo.session())
    assert (await cpo.patch(change("08:10:00", status="INVALID"))).codes == (200, 1000)
    assert (await cpo.get()).data["status"] == "INVALID"
    assert (await world.balance()).available == Money(10000, "EUR")


async def test_numbers_beyond_belief_do_not_break_the_store(cpo: Partner, world: World) -> None:
    said = await cpo.put(
        cpo.session(
            kwh=999_999, charging_periods=[period("08:00:00", ENERGY=999_999, TIME=Decimal("0." + "0" * 28 + "1"))]
        )
    )
    assert said.codes == (201, 1000)
    assert (await stored(world)).is_exhausted


async def test_numbers_stay_exact_from_end_to_end(cpo: Partner, world: World) -> None:
    # As a float 0.285 * 1000 is 284.99999999999994.
    await cpo.put(raw(cpo.session(), kwh="0.285"))
    assert (await stored(world)).energy_wh == 285
    assert json.loads((await cpo.get()).response.content, parse_float=str)["data"]["kwh"] == "0.285"
