"""Quotes: the price promised before the start, kept as proof of what was shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import orjson

from domain.clock import Clock
from domain.database import Database, retried
from domain.errors import EvseUnavailable, InvalidInput, NotFound, UnknownTariff
from domain.ids import ConnectorId, DriverId, Ids, OperatorId, QuoteId
from domain.partners import ChargePoint, Operator, PartnerService
from domain.sessions.models import Quote
from domain.tariffs import (
    Ceiling,
    Pricing,
    QuotedComponent,
    QuoteUnit,
    ShownPrice,
    Tariff,
    TariffEdition,
    TariffService,
    ceilings,
    expected,
    parse_instant,
    quoted_components,
    tariff_of,
)

VALID_FOR = timedelta(minutes=15)
MOST_KWH = Decimal(1000)
LONGEST = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a driver expects of a session."""

    energy_kwh: Decimal
    span: timedelta


class QuoteService:
    """Quotes of a driver; somebody else's quote does not exist."""

    def __init__(
        self, database: Database, partners: PartnerService, tariffs: TariffService, clock: Clock, ids: Ids
    ) -> None:
        self._database = database
        self._partners = partners
        self._tariffs = tariffs
        self._clock = clock
        self._ids = ids

    @retried
    async def quote(
        self, operator: OperatorId, driver: DriverId, connector: ConnectorId, wish: Expectation | None
    ) -> Quote:
        """A binding price for a connector. Raises NotFound, InvalidInput, EvseUnavailable."""
        _sensible(wish)
        place = await self._partners.charge_point(operator, connector)
        business = await self._partners.operator(operator)
        now = self._clock.now()
        async with self._database.transaction() as tx:
            try:
                offer = await self._tariffs.offered(tx, operator, place.party.id, place.connector.tariff_ocpi_id)
            except UnknownTariff:
                # Nobody may be charged at a price that nobody can name.
                raise EvseUnavailable("UNKNOWN") from None
            if offer.currency != business.currency:
                raise EvseUnavailable("UNKNOWN")
            tariff = tariff_of(offer)
            estimate = None
            if wish is not None:
                zone = ZoneInfo(place.location.time_zone)
                estimate = expected(tariff, wish.energy_kwh, wish.span, now, zone)
            quote = self._made(business, driver, place, offer, tariff, estimate)
            await tx.insert(quote)
        return quote

    async def owned(self, operator: OperatorId, quote: QuoteId, driver: DriverId) -> Quote:
        """A driver's own quote. Raises NotFound."""
        async with self._database.read() as reader:
            found = await reader.find(Quote, operator_id=operator, id=quote, driver_id=driver)
        if found is None:
            raise NotFound("quote", ("input", "quoteId"))
        return found

    def _made(
        self,
        business: Operator,
        driver: DriverId,
        place: ChargePoint,
        offer: TariffEdition,
        tariff: Tariff,
        estimate: Pricing | None,
    ) -> Quote:
        now = self._clock.now()
        hold = business.opening_hold
        return Quote(
            operator_id=business.operator_id,
            id=QuoteId(self._ids.new()),
            driver_id=driver,
            connector_id=place.connector.id,
            tariff_id=offer.id,
            currency=offer.currency,
            hold_minor=hold.minor,
            estimate_net_minor=None if estimate is None else estimate.net.minor,
            estimate_tax_minor=None if estimate is None else estimate.tax.minor,
            content=_content(quoted_components(tariff)),
            ceilings=_ceilings_json(ceilings(tariff, now, ZoneInfo(place.location.time_zone))),
            quoted_at=now,
            valid_until=now + VALID_FOR,
        )


def shown(quote: Quote) -> list[QuotedComponent]:
    """The prices that a quote showed."""
    return [
        QuotedComponent(
            per=QuoteUnit(item["per"]),
            net=Decimal(item["net"]),
            gross=Decimal(item["gross"]),
            vat_percent=None if item["vat_percent"] is None else Decimal(item["vat_percent"]),
            condition=item["condition"],
        )
        for item in orjson.loads(quote.content)
    ]


def ceilings_shown(quote: Quote) -> list[Ceiling]:
    """The highest prices that a quote showed: the present ones and those that follow."""
    return [
        Ceiling(parse_instant(start_at), _price(kwh), _price(hour))
        for start_at, kwh, hour in orjson.loads(quote.ceilings)
    ]


def _price(told: list[str | None]) -> ShownPrice:
    net, gross, vat = told
    return ShownPrice(Decimal(net or 0), Decimal(gross or 0), None if vat is None else Decimal(vat))


def _ceilings_json(found: list[Ceiling]) -> str:
    def told(price: ShownPrice) -> list[str | None]:
        return [None if value is None else f"{value:f}" for value in price]

    return orjson.dumps([[one.start_at.isoformat(), told(one.per_kwh), told(one.per_hour)] for one in found]).decode()


def _content(components: list[QuotedComponent]) -> str:
    return orjson.dumps(
        [
            {
                "per": component.per.value,
                "net": f"{component.net:f}",
                "gross": f"{component.gross:f}",
                "vat_percent": None if component.vat_percent is None else f"{component.vat_percent:f}",
                "condition": component.condition,
            }
            for component in components
        ]
    ).decode()


def _sensible(wish: Expectation | None) -> None:
    if wish is None:
        return
    if not (wish.energy_kwh.is_finite() and 0 <= wish.energy_kwh <= MOST_KWH):
        raise InvalidInput(f"Between 0 and {MOST_KWH} kWh can be expected.", ("input", "expectedKwh"))
    if not timedelta(0) <= wish.span <= LONGEST:
        raise InvalidInput("Between 0 seconds and 7 days can be expected.", ("input", "expectedSeconds"))
