"""Sessions that are refused: each says where it is wrong and leaves nothing behind."""

from __future__ import annotations

from decimal import Decimal

from domain.database import Database
from tests.api.ocpi.partner import Partner, change, everything, period, raw
from tests.world import World, add_party

TOKEN = {"country_code": "DE", "party_id": "TWT", "uid": "X", "type": "RFID", "contract_id": "C"}
BAD_PUTS: dict[str, tuple[dict[str, object], str]] = {
    "no start": ({"start_date_time": None}, "start_date_time: "),
    "no energy": ({"kwh": None}, "kwh: "),
    "no token": ({"cdr_token": None}, "cdr_token: "),
    "no location": ({"location_id": None}, "location_id: "),
    "no EVSE": ({"evse_uid": None}, "evse_uid: "),
    "no connector": ({"connector_id": None}, "connector_id: "),
    "no status": ({"status": None}, "status: "),
    "no last_updated": ({"last_updated": None}, "last_updated: "),
    "an unknown status": ({"status": "ASLEEP"}, "status: "),
    "a status of another kind": ({"status": ["ACTIVE"]}, "status: "),
    "negative energy": ({"kwh": -1}, "kwh: "),
    "more energy than there is": ({"kwh": 10**9}, "kwh: "),
    "energy of endless digits": ({"kwh": Decimal("1E-31")}, "kwh: "),
    "energy as a text": ({"kwh": "5"}, "kwh: "),
    "energy as a truth": ({"kwh": True}, "kwh: "),
    "a start that is no instant": ({"start_date_time": "yesterday"}, "start_date_time: "),
    "a start that is a number": ({"start_date_time": 1777881600}, "start_date_time: "),
    "an end before the start": ({"end_date_time": "2026-05-04T07:59:59Z"}, "end_date_time: "),
    "another id than the address": ({"id": "S-2"}, "id: "),
    "another party than the address": ({"party_id": "XYZ"}, "party_id: "),
    "another country than the address": ({"country_code": "NL"}, "country_code: "),
    "an id that is no text": ({"id": 1}, "id: "),
    "a reference that is too long": ({"authorization_reference": "R" * 37}, "authorization_reference: "),
    "a location that is no text": ({"location_id": {}}, "location_id: "),
    "an EVSE that cannot be printed": ({"evse_uid": "E\u0000"}, "evse_uid: "),
    "an empty connector": ({"connector_id": ""}, "connector_id: "),
    "a token that is no object": ({"cdr_token": "X"}, "cdr_token: "),
    "a token without a uid": ({"cdr_token": {**TOKEN, "uid": None}}, "cdr_token.uid: "),
    "a token of no party": ({"cdr_token": {**TOKEN, "party_id": "X"}}, "cdr_token.party_id: "),
    "a token of an unknown type": ({"cdr_token": {**TOKEN, "type": "CAT"}}, "cdr_token.type: "),
    "another currency": ({"currency": "CHF"}, "currency: "),
    "periods that are no list": ({"charging_periods": {}}, "charging_periods: "),
    "a period without dimensions": ({"charging_periods": [period("08:00:00")]}, "charging_periods.0.dimensions: "),
    "a negative volume": (
        {"charging_periods": [period("08:00:00", ENERGY=-1)]},
        "charging_periods.0.dimensions.ENERGY: ",
    ),
    "a negative time": ({"charging_periods": [period("08:00:00", TIME=-1)]}, "charging_periods.0.dimensions.0.volume"),
    "a volume that is no number": (
        {"charging_periods": [period("08:00:00", ENERGY="NaN")]},
        "charging_periods.0.dimensions.0.volume",
    ),
    "a volume beyond belief": (
        {"charging_periods": [period("08:00:00", ENERGY=10**7)]},
        "charging_periods.0.dimensions.ENERGY: ",
    ),
    "periods that contradict each other": (
        {"kwh": 2, "charging_periods": [period("08:00:00", ENERGY=1), period("08:00:00", ENERGY=2)]},
        "charging_periods: ",
    ),
    "a tariff that cannot be printed": (
        {"charging_periods": [{**period("08:00:00", ENERGY=1), "tariff_id": "T\u0000"}]},
        "charging_periods.0.tariff_id: ",
    ),
}


async def test_malformed_sessions_are_told_where_and_stored_nowhere(cpo: Partner, database: Database) -> None:
    before = await everything(database)
    for case, (changed, message) in BAD_PUTS.items():
        said = await cpo.put(cpo.session(**changed))
        assert said.codes == (200, 2001), case
        assert said.message.startswith(message), case
    assert await everything(database) == before


async def test_negative_energy_stores_nothing(cpo: Partner, database: Database) -> None:
    await cpo.put(cpo.session())
    before = await everything(database)
    for kwh in (-1, Decimal("-0.001")):
        said = await cpo.patch(change("08:30:00", kwh=kwh))
        assert (said.codes, said.message[:5]) == ((200, 2001), "kwh: ")
    assert await everything(database) == before


async def test_a_negative_volume_stores_nothing(cpo: Partner, database: Database) -> None:
    await cpo.put(cpo.session())
    before = await everything(database)
    for kind in ("ENERGY", "ENERGY_IMPORT", "ENERGY_EXPORT", "TIME", "PARKING_TIME"):
        said = await cpo.patch(change("08:30:00", kwh=1, charging_periods=[period("08:00:00", **{kind: -1})]))
        assert (said.codes, said.message[:18]) == ((200, 2001), "charging_periods.0")
    assert await everything(database) == before


async def test_an_id_of_37_characters_is_refused(cpo: Partner, database: Database) -> None:
    before = await everything(database)
    said = await cpo.put(cpo.session("S" * 37), "S" * 37)
    assert (said.codes, said.message[:12]) == ((200, 2001), "session_id: ")
    assert await everything(database) == before


async def test_an_unknown_tariff_stores_nothing(cpo: Partner, database: Database) -> None:
    before = await everything(database)
    periods = [{**period("08:00:00", ENERGY=1), "tariff_id": "NIGHT"}]
    said = await cpo.put(cpo.session(kwh=1, charging_periods=periods))
    assert said.codes == (200, 2001)
    assert "'NIGHT'" in said.message
    assert await everything(database) == before


async def test_an_unknown_place_stores_nothing(cpo: Partner, database: Database) -> None:
    before = await everything(database)
    for name in ("location_id", "evse_uid", "connector_id"):
        assert (await cpo.put(cpo.session(**{name: "NOWHERE"}))).codes == (200, 2003)
    assert await everything(database) == before


async def test_a_place_of_another_party_is_unknown(cpo: Partner, database: Database) -> None:
    before = await everything(database)
    assert (await cpo.put(cpo.session(location_id="LOC-9"))).codes == (200, 2003)
    assert await everything(database) == before


async def test_a_token_that_we_never_issued_stores_nothing(cpo: Partner, database: Database) -> None:
    before = await everything(database)
    said = await cpo.put(cpo.session(cdr_token=TOKEN))
    assert said.codes == (200, 2004)
    assert said.message.startswith("cdr_token.uid: ")
    assert await everything(database) == before


async def test_a_meter_that_runs_backwards_stores_nothing(cpo: Partner, database: Database) -> None:
    await cpo.put(cpo.session())
    await cpo.patch(change("08:30:00", kwh=5))
    before = await everything(database)
    said = await cpo.patch(change("08:40:00", kwh=Decimal("4.999")))
    assert (said.codes, said.message[:5]) == ((200, 2001), "kwh: ")
    assert await everything(database) == before


async def test_a_period_that_contradicts_a_known_one_stores_nothing(cpo: Partner, database: Database) -> None:
    await cpo.put(cpo.session(kwh=1, charging_periods=[period("08:00:00", ENERGY=1, TIME=1)]))
    before = await everything(database)
    said = await cpo.patch(change("08:40:00", kwh=2, charging_periods=[period("08:00:00", ENERGY=2, TIME=1)]))
    assert (said.codes, said.message[:18]) == ((200, 2001), "charging_periods: ")
    assert await everything(database) == before


async def test_an_end_before_the_start_stores_nothing(cpo: Partner, database: Database) -> None:
    await cpo.put(cpo.session())
    before = await everything(database)
    said = await cpo.patch(change("08:40:00", status="COMPLETED", end_date_time="2026-05-04T07:00:00Z"))
    assert (said.codes, said.message[:15]) == ((200, 2001), "end_date_time: ")
    assert await everything(database) == before


async def test_a_patch_before_its_put_is_not_found(cpo: Partner, database: Database) -> None:
    before = await everything(database)
    assert (await cpo.patch(change("08:30:00", kwh=5))).codes == (404, 2000)
    assert await everything(database) == before


async def test_a_patch_needs_last_updated(cpo: Partner, database: Database) -> None:
    await cpo.put(cpo.session())
    before = await everything(database)
    said = await cpo.patch({"kwh": 5})
    assert (said.codes, said.message[:14]) == ((200, 2001), "last_updated: ")
    assert await everything(database) == before


async def test_a_number_that_is_none_stores_nothing(cpo: Partner, database: Database) -> None:
    before = await everything(database)
    for written in ("NaN", "Infinity", "-Infinity", "1e400", "1e-99999999999999999999", "0x10", "1.", "9" * 5000):
        assert (await cpo.put(raw(cpo.session(), kwh=written))).codes == (400, 2000), written
    for written in ("1e40", "1e-31", '"NaN"', '"1e3"', "[1]", "{}", "true"):
        assert (await cpo.put(raw(cpo.session(), kwh=written))).codes == (200, 2001), written
    assert await everything(database) == before


async def test_a_partner_sees_no_session_of_another(
    cpo: Partner, biller: Partner, world: World, database: Database
) -> None:
    await cpo.put(cpo.session())
    await add_party(world.services, "OTH", "other-token", None)
    other = Partner(cpo.http, "OTH", "other-token", "LOC-1", world)
    before = await everything(database)
    assert (await other.get()).codes == (404, 2000)
    assert (await other.patch(change("08:30:00", kwh=5))).codes == (404, 2000)
    for path in (cpo.address(), cpo.address().replace("DE/", "de/")):
        for method in ("GET", "PUT", "PATCH"):
            assert (await biller.ask(method, path, cpo.session())).codes == (404, 2001)
    assert await everything(database) == before
