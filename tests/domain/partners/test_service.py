"""The registry: operators, parties and places, each operator's own."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from domain.errors import NotFound
from domain.ids import ConnectorId, LocationId, OperatorId, PartyId
from domain.partners import (
    Connector,
    ConnectorPlan,
    Evse,
    EvsePlan,
    EvseStatus,
    Location,
    LocationPlan,
    Operator,
    Party,
)
from tests.domain.sessions.stage import Stage, built

PLAN = LocationPlan(
    "L2",
    "Harbour",
    "Quay 1",
    "DE",
    "Europe/Berlin",
    (
        EvsePlan(
            "B", "DE*TWT*B", (ConnectorPlan("2", "CHADEMO", 50_000, None), ConnectorPlan("1", "CCS", 150_000, "T"))
        ),
        EvsePlan("A", None, (ConnectorPlan("1", "CCS", 150_000, "T"),)),
    ),
)


async def test_an_operator_told_twice_stays_as_it_was(stage: Stage) -> None:
    partners = stage.services.partners
    known = await partners.operator(stage.operator)
    assert await partners.add_operator(Operator(**(known.model_dump() | {"name": "Other", "currency": "SEK"}))) == known
    assert (known.opening_hold.minor, known.emsp_role) == (1000, ("DE", "TWT"))
    with pytest.raises(NotFound):
        await partners.operator(OperatorId(uuid4()))


async def test_a_party_told_again_keeps_its_id_and_takes_the_new_token(stage: Stage) -> None:
    partners = stage.services.partners
    renewed = Party(**(stage.cpo.model_dump() | {"id": partners.new_party_id(), "token_hash": "new", "name": "New"}))
    assert renewed.id != stage.cpo.id
    stored = await partners.add_party(renewed)
    assert (stored.id, stored.token_hash, stored.name) == (stage.cpo.id, "new", "New")
    assert await partners.party_by_token("new") == stored
    assert await partners.party_by_token(stage.cpo.token_hash) is None
    assert await partners.party(stage.operator, stage.cpo.id) == stored
    for operator, party in ((stage.operator, PartyId(uuid4())), (OperatorId(uuid4()), stage.cpo.id)):
        with pytest.raises(NotFound):
            await partners.party(operator, party)


async def test_a_location_told_again_is_brought_up_to_date(stage: Stage) -> None:
    partners = stage.services.partners
    first = await partners.put_location(stage.operator, stage.cpo.id, PLAN)
    evses = await partners.evses_of(stage.operator, [first.id])
    async with stage.database.transaction() as tx:
        await tx.change(Evse, {"operator_id": stage.operator, "id": evses[0].id}, status=EvseStatus.BLOCKED)
    before = [len(rows) for rows in (await stage.everything()).values()]
    fast = EvsePlan("A", "DE*TWT*A", (ConnectorPlan("1", "CCS", 300_000, "NEW"),))
    again = await partners.put_location(stage.operator, stage.cpo.id, replace(PLAN, name="Port", evses=(fast,)))
    assert (again.id, again.name) == (first.id, "Port")
    assert [len(rows) for rows in (await stage.everything()).values()] == before
    now = await partners.evses_of(stage.operator, [first.id])
    assert [(evse.id, evse.uid, evse.evse_id, evse.status) for evse in now] == [
        (evses[0].id, "A", "DE*TWT*A", EvseStatus.BLOCKED),
        (evses[1].id, "B", "DE*TWT*B", EvseStatus.AVAILABLE),
    ]
    plugs = await partners.connectors_of(stage.operator, [evses[0].id])
    assert [(plug.max_power_w, plug.tariff_ocpi_id) for plug in plugs] == [(300_000, "NEW")]
    assert [plug.ocpi_id for plug in await partners.connectors_of(stage.operator, [evses[1].id])] == ["1", "2"]


async def test_a_location_told_at_once_is_one_location(stage: Stage) -> None:
    put = stage.services.partners.put_location
    told = await asyncio.gather(*(put(stage.operator, stage.cpo.id, PLAN) for _ in range(4)))
    assert len({location.id for location in told}) == 1
    assert len(await stage.all(Evse, location_id=told[0].id)) == 2
    assert len(await stage.all(Location)) == 3


async def test_the_same_names_of_another_party_are_other_places(stage: Stage) -> None:
    partners = stage.services.partners
    mine = await partners.put_location(stage.operator, stage.cpo.id, PLAN)
    theirs = await partners.put_location(stage.operator, stage.biller.id, PLAN)
    assert mine.id != theirs.id
    async with stage.database.read() as reader:
        found = await partners.charge_point_at(reader, stage.operator, stage.biller.id, "L2", "A", "1")
        assert found is not None
        assert (found.location.id, found.party.id) == (theirs.id, stage.biller.id)
        for names in (("L2", "A", "2"), ("L2", "C", "1"), ("L3", "A", "1")):
            assert await partners.charge_point_at(reader, stage.operator, stage.cpo.id, *names) is None


async def test_a_connector_is_found_with_everything_it_belongs_to(stage: Stage) -> None:
    partners = stage.services.partners
    place = await partners.charge_point(stage.operator, stage.connectors[0])
    assert (place.party, place.location.id, place.evse.uid) == (stage.cpo, stage.location, "E1")
    assert place.connector == await stage.one(Connector, id=stage.connectors[0])
    found = await partners.charge_points(stage.operator, [*stage.connectors[:2], ConnectorId(uuid4())])
    assert {point.connector.id for point in found} == set(stage.connectors[:2])
    for operator, connector in ((stage.operator, ConnectorId(uuid4())), (OperatorId(uuid4()), stage.connectors[0])):
        with pytest.raises(NotFound):
            await partners.charge_point(operator, connector)


async def test_pages_of_locations_show_each_once_by_name(stage: Stage) -> None:
    partners = stage.services.partners
    for number in range(5):
        plan = replace(PLAN, ocpi_id=f"X{number}", name=f"Name {number // 2}", evses=())
        await partners.put_location(stage.operator, stage.cpo.id, plan)
    found: list[Location] = []
    after: tuple[str, LocationId] | None = None
    while page := await partners.locations(stage.operator, after=after, limit=2):
        found += page
        after = page[-1].name, page[-1].id
    assert len({location.id for location in found}) == len(found) == 7
    assert [location.name for location in found] == sorted(location.name for location in found)
    assert {one.id for one in await partners.locations_by_id(stage.operator, [one.id for one in found])} == {
        location.id for location in found
    }


async def test_places_are_found_by_what_is_printed_on_them_and_only_at_their_operator(stage: Stage) -> None:
    partners, other = stage.services.partners, await built(stage.database)
    mine = await partners.evse_by_printed_id(stage.operator, "DE*TWT*L1*1")
    assert mine is not None
    assert mine.id == stage.evses[0]
    assert await partners.evses_by_id(other.operator, stage.evses) == []
    assert [evse.id for evse in await partners.evses_by_id(stage.operator, [mine.id])] == [mine.id]
    theirs = await partners.evse_by_printed_id(other.operator, "DE*TWT*L1*1")
    assert theirs is not None
    assert theirs.id == other.evses[0]
