"""Tariffs and quotes: what charging will cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import strawberry

from domain import sessions, tariffs
from domain.errors import NotFound as NotThere
from domain.ids import ConnectorId, QuoteId, TariffId
from resolvers.context import Info
from resolvers.describing import describe
from resolvers.errors import EvseUnavailable, InvalidInput, NotFound
from resolvers.extending import extends
from resolvers.nodes import Node, fetched_as, global_id, key_of
from resolvers.partners import Connector
from resolvers.scalars import Currency, Exact, Money, TaxedMoney, Timestamp, UnitPrice

describe(
    tariffs.QuoteUnit,
    "Units of a quoted price, in the order they are shown; OTHER is explained in words.",
    KWH="A kilowatt hour.",
    MINUTE="A minute.",
    SESSION="A session.",
    OTHER="Something that `condition` explains.",
)


@strawberry.type(description="One price the driver must know before starting.")
class QuoteComponent:
    """A price."""

    per: tariffs.QuoteUnit = strawberry.field(description="What the price is per.")
    price: UnitPrice = strawberry.field(description="The price.")
    condition: str | None = strawberry.field(description="When it applies, in words; null means always.")


def quote_components(found: Sequence[tariffs.QuotedComponent]) -> list[QuoteComponent]:
    """As they are shown."""
    return [
        QuoteComponent(per=one.per, price=UnitPrice.of(one.net, one.gross, one.vat_percent), condition=one.condition)
        for one in found
    ]


@strawberry.type(description="An OCPI Tariff: immutable once published, so a change is a new tariff.")
class Tariff(Node):
    """An edition of a tariff."""

    name: str = strawberry.field(description="Name to show.")
    currency: Currency = strawberry.field(description="Currency of every price inside.")
    row: strawberry.Private[tariffs.TariffEdition]

    @classmethod
    def of(cls, row: tariffs.TariffEdition) -> Tariff:
        """From the domain."""
        return cls(id=global_id("Tariff", row.id), name=row.ocpi_id, currency=Currency(row.currency), row=row)

    @strawberry.field(description="The price in words, as it must be shown before charging.")
    def summary(self) -> str:
        """Every price on one line."""
        parts = [
            f"{one.price.gross:f} {self.currency} per {one.per.value.lower()}"
            + (f" ({one.condition})" if one.condition else "")
            for one in self._prices()
        ]
        return "; ".join(parts) + ", tax included" if parts else "free of charge"

    @strawberry.field(description="In the order the law asks for: per kWh, per minute, per session, other.")
    def components(self) -> list[QuoteComponent]:
        """Every price."""
        return self._prices()

    def _prices(self) -> list[QuoteComponent]:
        return quote_components(tariffs.quoted_components(tariffs.tariff_of(self.row)))


@strawberry.type(description="The most that charging can cost from an instant on, until the next one.")
class PriceCeiling:
    """A ceiling."""

    from_: Timestamp = strawberry.field(name="from", description="Holds from then on.")
    per_kwh: UnitPrice = strawberry.field(description="Highest price of a kilowatt hour.")
    per_hour: UnitPrice = strawberry.field(description="Highest price of an hour, charging or parked.")

    @classmethod
    def of(cls, one: tariffs.Ceiling) -> PriceCeiling:
        """From the domain."""
        kwh, hour = UnitPrice.of(*one.per_kwh), UnitPrice.of(*one.per_hour)
        return cls(from_=Timestamp(one.start_at), per_kwh=kwh, per_hour=hour)


@strawberry.type(description="A price promised before the start; kept as proof of what was shown.")
class Quote(Node):
    """A quote."""

    hold_amount: Money = strawberry.field(description="Held in the wallet at the start.")
    valid_until: Timestamp = strawberry.field(description="A session may start with it until then.")
    row: strawberry.Private[sessions.Quote]

    @classmethod
    def of(cls, row: sessions.Quote) -> Quote:
        """From the domain."""
        return cls(
            id=global_id("Quote", row.id),
            hold_amount=Money.of(row.hold),
            valid_until=Timestamp(row.valid_until),
            row=row,
        )

    @strawberry.field(description="Connector it holds for.")
    async def connector(self, info: Info) -> Connector:
        """Where."""
        place = await info.context.loaders.places.load(self.row.connector_id)
        assert place is not None
        return Connector.of(place.connector)

    @strawberry.field(description="Tariff that a session started with it will be billed by.")
    async def tariff(self, info: Info) -> Tariff:
        """By what."""
        return await tariff_of(info, self.row.tariff_id)

    @strawberry.field(description="In the order the law asks for: per kWh, per minute, per session, other.")
    def components(self) -> list[QuoteComponent]:
        """The prices as they were shown."""
        return quote_components(sessions.shown(self.row))

    @strawberry.field(description="Highest prices now and at the next changes of the tariff, whatever the car does.")
    def ceilings(self) -> list[PriceCeiling]:
        """As they were shown."""
        return [PriceCeiling.of(one) for one in sessions.ceilings_shown(self.row)]

    @strawberry.field(description="Cost of the energy and time the caller expects; null when nothing was expected.")
    def estimate(self) -> TaxedMoney | None:
        """The expected cost."""
        net, tax = self.row.estimate_net_minor, self.row.estimate_tax_minor
        return None if net is None or tax is None else TaxedMoney.of(net, tax, self.row.currency)


@strawberry.input(description="Arguments of `quoteCharging`.")
class QuoteChargingInput:
    """Where, and what is expected."""

    connector_id: strawberry.ID = strawberry.field(description="Where to charge.")
    expected_kwh: Exact | None = strawberry.field(default=None, description="Energy the driver expects.")
    expected_seconds: int | None = strawberry.field(default=None, description="Time plugged in the driver expects.")


QuoteChargingResult = Annotated[
    Quote | InvalidInput | NotFound | EvseUnavailable,
    strawberry.union("QuoteChargingResult", description="Outcome of `quoteCharging`."),
]


async def quote_charging(info: Info, given: QuoteChargingInput) -> QuoteChargingResult:
    """Ask for a binding price."""
    connector = ConnectorId(key_of(given.connector_id, "Connector", "input", "connectorId"))
    wish = None
    if given.expected_kwh is not None or given.expected_seconds is not None:
        span = timedelta(seconds=given.expected_seconds or 0)
        wish = sessions.Expectation(given.expected_kwh or Decimal(0), span)
    context = info.context
    return Quote.of(await context.services.quotes.quote(context.operator_id, context.me.id, connector, wish))


async def tariff_of(info: Info, edition: TariffId) -> Tariff:
    """The edition that something refers to."""
    row = await info.context.loaders.editions.load(edition)
    assert row is not None
    return Tariff.of(row)


@fetched_as("Tariff")
async def _tariff(info: Info, key: UUID) -> Tariff | None:
    row = await info.context.loaders.editions.load(TariffId(key))
    return None if row is None else Tariff.of(row)


@fetched_as("Quote")
async def _quote(info: Info, key: UUID) -> Quote | None:
    try:
        owner = info.context.owner
    except NotThere:
        return None
    row = await info.context.loaders.quotes.load(QuoteId(key))
    return None if row is None or owner not in (None, row.driver_id) else Quote.of(row)


@extends(Connector, "Tariff that would apply to the caller now; null when none is known, and charging is refused.")
async def tariff(root: strawberry.Parent[Connector], info: Info) -> Tariff | None:
    """The offer at this connector."""
    place = await info.context.loaders.places.load(root.key)
    if place is None or place.connector.tariff_ocpi_id is None:
        return None
    row = await info.context.loaders.offers.load((place.party.id, place.connector.tariff_ocpi_id))
    return None if row is None else Tariff.of(row)
