"""Locations, EVSEs and connectors."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import strawberry

from domain import partners as domain
from domain.ids import ConnectorId, EvseId, LocationId
from resolvers.connections import Keys, PageInfo, page_of
from resolvers.context import Info
from resolvers.nodes import Node, fetched_as, global_id
from resolvers.scalars import CursorText, Exact, Zone


@strawberry.type(description="An OCPI Location: a site with charge points.")
class Location(Node):
    """A place."""

    name: str = strawberry.field(description="Name to show.")
    address: str = strawberry.field(description="Address on one line.")
    time_zone: Zone = strawberry.field(description="Zone of every local time here.")
    key: strawberry.Private[LocationId]

    @classmethod
    def of(cls, row: domain.Location) -> Location:
        """From the domain."""
        return cls(
            id=global_id("Location", row.id),
            name=row.name,
            address=row.address,
            time_zone=Zone(row.time_zone),
            key=row.id,
        )

    @strawberry.field(description="Charge points.")
    async def evses(self, info: Info) -> list[EVSE]:
        """All of the site."""
        return [EVSE.of(row) for row in await info.context.loaders.evses_of.load(self.key)]


@strawberry.type(description="An OCPI EVSE: the part of a charge point that serves one vehicle at a time.", name="EVSE")
class EVSE(Node):
    """An EVSE."""

    evse_id: str | None = strawberry.field(description="Identifier as defined by eMI3; null when none is printed.")
    status: domain.EvseStatus = strawberry.field(description="Whether it can be used.")
    key: strawberry.Private[EvseId]
    location_key: strawberry.Private[LocationId]

    @classmethod
    def of(cls, row: domain.Evse) -> EVSE:
        """From the domain."""
        return cls(
            id=global_id("EVSE", row.id),
            evse_id=row.evse_id,
            status=row.status,
            key=row.id,
            location_key=row.location_id,
        )

    @strawberry.field(description="Site it stands on.")
    async def location(self, info: Info) -> Location:
        """Its location."""
        row = await info.context.loaders.locations.load(self.location_key)
        assert row is not None
        return Location.of(row)

    @strawberry.field(description="Plugs and sockets.")
    async def connectors(self, info: Info) -> list[Connector]:
        """All of the EVSE."""
        return [Connector.of(row) for row in await info.context.loaders.connectors_of.load(self.key)]


@strawberry.type(description="An OCPI Connector: one plug or socket.")
class Connector(Node):
    """A connector."""

    standard: str = strawberry.field(description="Standard as OCPI codes it, such as `IEC_62196_T2`.")
    max_power_kw: Exact = strawberry.field(description="Most power it gives.")
    key: strawberry.Private[ConnectorId]
    evse_key: strawberry.Private[EvseId]

    @classmethod
    def of(cls, row: domain.Connector) -> Connector:
        """From the domain."""
        return cls(
            id=global_id("Connector", row.id),
            standard=row.standard,
            max_power_kw=Exact(Decimal(row.max_power_w).scaleb(-3)),
            key=row.id,
            evse_key=row.evse_id,
        )

    @strawberry.field(description="EVSE it belongs to.")
    async def evse(self, info: Info) -> EVSE:
        """Its EVSE."""
        row = await info.context.loaders.evses.load(self.evse_key)
        assert row is not None
        return EVSE.of(row)


@strawberry.type(description="One location of a page.")
class LocationEdge:
    """An edge."""

    cursor: CursorText = strawberry.field(description="Its position.")
    node: Location = strawberry.field(description="The location.")


@strawberry.type(description="A page of locations.")
class LocationConnection:
    """A page."""

    edges: list[LocationEdge] = strawberry.field(description="The locations.")
    page_info: PageInfo = strawberry.field(description="Position of the page.")


async def locations_page(info: Info, first: int, after: str | None) -> LocationConnection:
    """Locations by name."""

    async def rows(behind: Keys | None, limit: int) -> list[domain.Location]:
        position = None if behind is None else (str(behind[0]), LocationId(UUID(str(behind[1]))))
        return await info.context.services.partners.locations(info.context.operator_id, after=position, limit=limit)

    page = await page_of(info, "locations", first, after, rows, lambda row: (row.name, str(row.id)))
    edges = [LocationEdge(cursor=cursor, node=Location.of(row)) for cursor, row in page.rows]
    return LocationConnection(edges=edges, page_info=page.info)


@fetched_as("Location")
async def _location(info: Info, key: UUID) -> Location | None:
    row = await info.context.loaders.locations.load(LocationId(key))
    return None if row is None else Location.of(row)


@fetched_as("EVSE")
async def _evse(info: Info, key: UUID) -> EVSE | None:
    row = await info.context.loaders.evses.load(EvseId(key))
    return None if row is None else EVSE.of(row)


@fetched_as("Connector")
async def _connector(info: Info, key: UUID) -> Connector | None:
    place = await info.context.loaders.places.load(ConnectorId(key))
    return None if place is None else Connector.of(place.connector)


async def evse_by_printed_id(info: Info, evse_id: str) -> EVSE | None:
    """The EVSE on which this identifier is printed."""
    row = await info.context.services.partners.evse_by_printed_id(info.context.operator_id, evse_id)
    return None if row is None else EVSE.of(row)
