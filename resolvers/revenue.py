"""What an operator earned, when and where."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import strawberry

from domain import revenue as domain
from domain.energy import Energy
from domain.ids import LocationId
from domain.money import rounded
from domain.partners import Operator as OperatorRow
from resolvers.connections import LARGEST_PAGE, After, First, refused
from resolvers.context import Info
from resolvers.describing import describe
from resolvers.nodes import Node, fetched_as, global_id, key_of
from resolvers.partners import Location, LocationConnection, locations_page
from resolvers.principal import Role
from resolvers.scalars import Currency, Day, Exact, TaxedMoney, Timestamp, Zone

describe(
    domain.Interval,
    "Lengths of a slice.",
    called="RevenueInterval",
    HOUR="An hour.",
    DAY="A local day.",
    WEEK="A week from Monday; the first one begins with the period.",
    MONTH="A calendar month; the first one begins with the period.",
)
describe(
    domain.Measure,
    "What sites can be ranked by.",
    called="RevenueMeasure",
    REVENUE="What was billed, before tax.",
    ENERGY="Energy delivered.",
    SESSIONS="Number of sessions.",
    IDLE_REVENUE="What was billed for parking time, before tax.",
)


EARLIEST, LATEST = date(2000, 1, 1), date(2200, 1, 1)


@strawberry.type(description="Figures of some sessions; a session counts where it started.")
class RevenueFigures:
    """Sums."""

    sessions: int = strawberry.field(description="Number of sessions.")
    energy_kwh: Exact = strawberry.field(description="Energy delivered.")
    revenue: TaxedMoney = strawberry.field(description="Billed, before refunds.")
    idle_revenue: TaxedMoney = strawberry.field(description="Part of `revenue` for parking time.")
    refunded: TaxedMoney = strawberry.field(description="Given back.")
    refunded_share: Exact = strawberry.field(description="`refunded` divided by `revenue`; 0 without revenue.")
    disputed_share: Exact = strawberry.field(description="Disputed sessions divided by sessions; 0 without sessions.")

    @classmethod
    def of(cls, figures: domain.Figures, currency: str) -> RevenueFigures:
        """From the domain."""
        return cls(
            sessions=figures.sessions,
            energy_kwh=Exact(Energy(figures.energy_wh).kwh),
            revenue=TaxedMoney.of(figures.net_minor, figures.tax_minor, currency),
            idle_revenue=TaxedMoney.of(figures.idle_net_minor, figures.idle_tax_minor, currency),
            refunded=TaxedMoney.of(figures.refunded_net_minor, figures.refunded_tax_minor, currency),
            refunded_share=_share(figures.refunded_net_minor, figures.net_minor),
            disputed_share=_share(figures.disputed, figures.sessions),
        )


@strawberry.type(description="One slice of a period.")
class RevenueSlice:
    """A slice."""

    start: Timestamp = strawberry.field(description="Start of the slice.")
    figures: RevenueFigures = strawberry.field(description="Its figures.")


@strawberry.type(description="One location in a ranking.")
class LocationRevenue:
    """A location."""

    location: Location = strawberry.field(description="The location.")
    figures: RevenueFigures = strawberry.field(description="Its figures.")


@strawberry.type(description="Revenue of an operator over a period; past figures are never priced again.")
class RevenueReport:
    """Each part is read when it is asked for."""

    as_of: Timestamp = strawberry.field(description="Books read up to this instant.")
    scope: strawberry.Private[domain.Scope]
    zone: strawberry.Private[ZoneInfo]

    @strawberry.field(description="The whole period.")
    async def totals(self, info: Info) -> RevenueFigures:
        """One row."""
        return self._shown(await info.context.services.revenue.totals(self.scope))

    @strawberry.field(description="The period of equal length just before.")
    async def previous(self, info: Info) -> RevenueFigures:
        """One row."""
        return self._shown(await info.context.services.revenue.totals(self.scope.previous))

    @strawberry.field(description="Slices of the period in order, empty ones included; at most 1000.")
    async def timeline(
        self, info: Info, by: Annotated[domain.Interval, strawberry.argument(description="Length of a slice.")]
    ) -> list[RevenueSlice]:
        """At local boundaries."""
        slices = await info.context.services.revenue.timeline(self.scope, by, self.zone)
        return [RevenueSlice(start=Timestamp(at), figures=self._shown(figures)) for at, figures in slices]

    @strawberry.field(description="Best locations first.")
    async def locations(
        self,
        info: Info,
        rank_by: Annotated[
            domain.Measure, strawberry.argument(description="What makes one better.")
        ] = domain.Measure.REVENUE,
        first: Annotated[int, strawberry.argument(description="How many, 1 to 100.")] = 10,
    ) -> list[LocationRevenue]:
        """At most 100."""
        if not 1 <= first <= LARGEST_PAGE:
            raise refused("first", f"a ranking has 1 to {LARGEST_PAGE} places.")
        ranking = await info.context.services.revenue.locations(self.scope, rank_by, first)
        places = await info.context.loaders.locations.load_many([place for place, _ in ranking])
        return [
            LocationRevenue(location=Location.of(place), figures=self._shown(figures))
            for place, (_, figures) in zip(places, ranking, strict=True)
            if place is not None
        ]

    def _shown(self, figures: domain.Figures) -> RevenueFigures:
        return RevenueFigures.of(figures, self.scope.currency)


@strawberry.input(description="Restricts the sessions of a report; set fields combine with AND.")
class RevenueFilter:
    """Which sessions count."""

    location_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Only these locations, at most 100."
    )


@strawberry.type(description="A company that runs charge points.")
class Operator(Node):
    """An operator."""

    name: str = strawberry.field(description="Name to show.")
    time_zone: Zone = strawberry.field(description="Zone of its days and months.")
    row: strawberry.Private[OperatorRow]

    @classmethod
    def of(cls, row: OperatorRow) -> Operator:
        """From the domain."""
        return cls(id=global_id("Operator", row.operator_id), name=row.name, time_zone=Zone(row.time_zone), row=row)

    @strawberry.field(description="Its locations, by name.")
    async def locations(self, info: Info, first: First = 20, after: After = None) -> LocationConnection:
        """A page."""
        return await locations_page(info, first, after)

    @strawberry.field(description="Revenue of at most 400 days in one currency; `before` is the day after the last.")
    async def revenue(
        self,
        info: Info,
        from_: Annotated[Day, strawberry.argument(name="from", description="First day, in the operator's time zone.")],
        before: Annotated[Day, strawberry.argument(description="The day after the last.")],
        currency: Annotated[Currency, strawberry.argument(description="Sessions billed in it count.")],
        filter: Annotated[
            RevenueFilter | None, strawberry.argument(description="Which sessions count; all when omitted.")
        ] = None,
    ) -> RevenueReport:
        """Days are those of the operator's time zone."""
        return _report(self, info, from_, before, currency, filter)


def _report(
    operator: Operator, info: Info, first: date, before: date, currency: str, given: RevenueFilter | None
) -> RevenueReport:
    if not EARLIEST <= first <= before <= LATEST:
        raise refused("from", f"a period lies between {EARLIEST} and {LATEST}.")
    locations = None
    if given is not None and given.location_ids is not None:
        if len(given.location_ids) > LARGEST_PAGE:
            raise refused("filter.locationIds", f"at most {LARGEST_PAGE} can be named.")
        locations = tuple(LocationId(key_of(one, "Location", "filter", "locationIds")) for one in given.location_ids)
    revenue = info.context.services.revenue
    return RevenueReport(
        as_of=Timestamp(revenue.now()),
        scope=domain.Scope(operator.row.operator_id, currency, first, before, locations),
        zone=ZoneInfo(operator.row.time_zone),
    )


def _share(part: int, whole: int) -> Exact:
    return Exact(Decimal(rounded(Fraction(part * 10_000, whole))).scaleb(-4) if whole else Decimal(0))


@fetched_as("Operator")
async def _operator(info: Info, key: UUID) -> Operator | None:
    context = info.context
    mine = context.principal.role is Role.OPERATOR and context.operator_id == key
    return Operator.of(context.operator) if mine else None
