"""Operators, the parties we talk OCPI with, and the places where sessions happen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, select

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database, Reader, Transaction, retried
from domain.errors import NotFound
from domain.ids import ConnectorId, EvseId, Ids, LocationId, OperatorId, PartyId
from domain.partners.models import Connector, Evse, EvseMeterKey, EvseStatus, Location, Operator, Party

Row = TypeVar("Row", Party, Location, Evse, Connector)

_parties = table_of(Party)
_locations = table_of(Location)
_evses = table_of(Evse)
_connectors = table_of(Connector)
_meter_keys = table_of(EvseMeterKey)


@dataclass(frozen=True, slots=True)
class ChargePoint:
    """One connector with everything it belongs to."""

    party: Party
    location: Location
    evse: Evse
    connector: Connector


@dataclass(frozen=True, slots=True)
class ConnectorPlan:
    """A connector as an operator describes it."""

    ocpi_id: str
    standard: str
    max_power_w: int
    tariff_ocpi_id: str | None


@dataclass(frozen=True, slots=True)
class EvsePlan:
    """An EVSE as an operator describes it; `meter_keys` are public keys in hexadecimal digits."""

    uid: str
    evse_id: str | None
    connectors: tuple[ConnectorPlan, ...]
    meter_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LocationPlan:
    """A location as an operator describes it."""

    ocpi_id: str
    name: str
    address: str
    country: str
    time_zone: str
    evses: tuple[EvsePlan, ...]


class PartnerService:
    """The registry; every question names the operator whose registry it is."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def add_operator(self, operator: Operator) -> Operator:
        """Register a business; told twice it stays as it was."""
        async with self._database.transaction() as tx:
            await tx.insert_once(operator)
        return await self.operator(operator.operator_id)

    async def operator(self, operator: OperatorId) -> Operator:
        """One operator. Raises NotFound."""
        async with self._database.read() as reader:
            return await self.operator_in(reader, operator)

    async def operator_in(self, reader: Reader, operator: OperatorId) -> Operator:
        """The same, inside a block that is already open."""
        found = await reader.find(Operator, operator_id=operator)
        if found is None:
            raise NotFound("operator")
        return found

    @retried
    async def add_party(self, party: Party) -> Party:
        """Register a party, or give a known one a new token, address and name."""
        where = {"operator_id": party.operator_id, "country_code": party.country_code, "party_id": party.party_id}
        async with self._database.transaction() as tx:
            if await tx.insert_once(party):
                return party
            changed = await tx.change(Party, where, **party.model_dump(exclude={*where, "id"}))
            assert changed is not None
            return changed

    async def party_by_token(self, token_hash: str) -> Party | None:
        """Whoever holds the token of this keyed hash."""
        async with self._database.read() as reader:
            return await reader.find(Party, token_hash=token_hash)

    async def party(self, operator: OperatorId, party: PartyId) -> Party:
        """One party. Raises NotFound."""
        async with self._database.read() as reader:
            found = await reader.find(Party, operator_id=operator, id=party)
        if found is None:
            raise NotFound("party")
        return found

    def new_party_id(self) -> PartyId:
        """An id for a party about to be registered."""
        return PartyId(self._ids.new())

    @retried
    async def put_location(self, operator: OperatorId, party: PartyId, plan: LocationPlan) -> Location:
        """Store a location with its EVSEs and connectors; what is known is brought up to date, nothing is removed."""
        async with self._database.transaction() as tx:
            location: Location = await self._put(
                tx,
                Location(
                    operator_id=operator,
                    id=LocationId(self._ids.new()),
                    party_id=party,
                    ocpi_id=plan.ocpi_id,
                    name=plan.name,
                    address=plan.address,
                    country=plan.country,
                    time_zone=plan.time_zone,
                    updated_at=self._clock.now(),
                ),
                ("party_id", "ocpi_id"),
            )
            for evse_plan in plan.evses:
                await self._put_evse(tx, location, evse_plan)
            return location

    async def _put_evse(self, tx: Transaction, location: Location, plan: EvsePlan) -> None:
        evse = await self._put(
            tx,
            Evse(
                operator_id=location.operator_id,
                id=EvseId(self._ids.new()),
                location_id=location.id,
                uid=plan.uid,
                evse_id=plan.evse_id,
                status=EvseStatus.AVAILABLE,
            ),
            ("location_id", "uid"),
        )
        for connector in plan.connectors:
            row = Connector(
                operator_id=evse.operator_id,
                id=ConnectorId(self._ids.new()),
                evse_id=evse.id,
                ocpi_id=connector.ocpi_id,
                standard=connector.standard,
                max_power_w=connector.max_power_w,
                tariff_ocpi_id=connector.tariff_ocpi_id,
            )
            await self._put(tx, row, ("evse_id", "ocpi_id"))
        for public_key in plan.meter_keys:
            now = self._clock.now()
            key = EvseMeterKey(operator_id=evse.operator_id, evse_id=evse.id, public_key=public_key, known_since=now)
            await tx.insert_once(key)

    async def meter_keys(self, reader: Reader, operator: OperatorId, evse: EvseId) -> list[str]:
        """The registered public keys of the meter in an EVSE."""
        statement = select(_meter_keys.c.public_key).where(
            _meter_keys.c.operator_id == operator, _meter_keys.c.evse_id == evse
        )
        return [row["public_key"] for row in await reader.rows(statement)]

    async def _put(self, tx: Transaction, record: Row, unique: tuple[str, ...]) -> Row:
        if await tx.insert_once(record):
            return record
        where: dict[str, object] = {
            "operator_id": record.operator_id,
            **{name: getattr(record, name) for name in unique},
        }
        changed = await tx.change(type(record), where, **record.model_dump(exclude={*where, "id", "status"}))
        assert changed is not None
        return changed

    async def charge_point(self, operator: OperatorId, connector: ConnectorId) -> ChargePoint:
        """A connector with everything it belongs to. Raises NotFound."""
        async with self._database.read() as reader:
            return await self.charge_point_in(reader, operator, connector)

    async def charge_point_in(self, reader: Reader, operator: OperatorId, connector: ConnectorId) -> ChargePoint:
        """The same, inside a block that is already open."""
        found = await self._charge_points(reader, operator, _connectors.c.id == connector)
        if not found:
            raise NotFound("connector", ("input", "connectorId"))
        return found[0]

    async def charge_points(self, operator: OperatorId, connectors: Sequence[ConnectorId]) -> list[ChargePoint]:
        """Those of these connectors that exist; for loaders."""
        async with self._database.read() as reader:
            return await self._charge_points(reader, operator, _connectors.c.id.in_(connectors))

    async def charge_point_at(
        self,
        reader: Reader,
        operator: OperatorId,
        party: PartyId,
        location: str,
        evse_uid: str,
        connector: str,
    ) -> ChargePoint | None:
        """The connector that a party names by its own ids."""
        names = and_(
            _locations.c.party_id == party,
            _locations.c.ocpi_id == location,
            _evses.c.uid == evse_uid,
            _connectors.c.ocpi_id == connector,
        )
        found = await self._charge_points(reader, operator, names)
        return found[0] if found else None

    async def _charge_points(
        self, reader: Reader, operator: OperatorId, where: ColumnElement[bool]
    ) -> list[ChargePoint]:
        statement = _joined().where(_connectors.c.operator_id == operator, where)
        return [
            ChargePoint(
                Party(**{c.name: row[c] for c in _parties.c}),
                Location(**{c.name: row[c] for c in _locations.c}),
                Evse(**{c.name: row[c] for c in _evses.c}),
                Connector(**{c.name: row[c] for c in _connectors.c}),
            )
            for row in await reader.rows(statement)
        ]

    async def locations(
        self, operator: OperatorId, *, after: tuple[str, LocationId] | None, limit: int
    ) -> list[Location]:
        """Locations by name, then id, behind `after`."""
        statement = select(_locations).where(_locations.c.operator_id == operator)
        if after is not None:
            name, location = after
            behind = (_locations.c.name > name) | ((_locations.c.name == name) & (_locations.c.id > location))
            statement = statement.where(behind)
        async with self._database.read() as reader:
            return await reader.list(Location, statement.order_by(_locations.c.name, _locations.c.id).limit(limit))

    async def locations_by_id(self, operator: OperatorId, ids: Sequence[LocationId]) -> list[Location]:
        """Those of these locations that exist; for loaders."""
        statement = select(_locations).where(_locations.c.operator_id == operator, _locations.c.id.in_(ids))
        async with self._database.read() as reader:
            return await reader.list(Location, statement)

    async def evses_of(self, operator: OperatorId, locations: Sequence[LocationId]) -> list[Evse]:
        """EVSEs of these locations, in the order of their uid; for loaders."""
        statement = select(_evses).where(_evses.c.operator_id == operator, _evses.c.location_id.in_(locations))
        async with self._database.read() as reader:
            return await reader.list(Evse, statement.order_by(_evses.c.uid))

    async def evses_by_id(self, operator: OperatorId, ids: Sequence[EvseId]) -> list[Evse]:
        """Those of these EVSEs that exist; for loaders."""
        statement = select(_evses).where(_evses.c.operator_id == operator, _evses.c.id.in_(ids))
        async with self._database.read() as reader:
            return await reader.list(Evse, statement)

    async def evse_by_printed_id(self, operator: OperatorId, evse_id: str) -> Evse | None:
        """The EVSE on which this identifier is printed."""
        async with self._database.read() as reader:
            return await reader.find(Evse, operator_id=operator, evse_id=evse_id)

    async def connectors_of(self, operator: OperatorId, evses: Sequence[EvseId]) -> list[Connector]:
        """Connectors of these EVSEs, in the order of their OCPI id; for loaders."""
        statement = select(_connectors).where(_connectors.c.operator_id == operator, _connectors.c.evse_id.in_(evses))
        async with self._database.read() as reader:
            return await reader.list(Connector, statement.order_by(_connectors.c.ocpi_id))


def _joined() -> Select[Any]:
    of_evse = and_(_evses.c.operator_id == _connectors.c.operator_id, _evses.c.id == _connectors.c.evse_id)
    of_location = and_(_locations.c.operator_id == _evses.c.operator_id, _locations.c.id == _evses.c.location_id)
    of_party = and_(_parties.c.operator_id == _locations.c.operator_id, _parties.c.id == _locations.c.party_id)
    return (
        select(*_connectors.c, *_evses.c, *_locations.c, *_parties.c)
        .select_from(_connectors)
        .join(_evses, of_evse)
        .join(_locations, of_location)
        .join(_parties, of_party)
    )
