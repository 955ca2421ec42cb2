"""Loaders: what many fields of one operation ask for is read once, in one statement, filtered by operator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from functools import cached_property
from typing import TypeVar

from strawberry.dataloader import DataLoader

from domain.disputes import Dispute
from domain.ids import (
    CdrId,
    ChargingSessionId,
    ConnectorId,
    DocumentId,
    EvseId,
    LocationId,
    OperatorId,
    PartyId,
    PaymentId,
    QuoteId,
    TariffId,
    WalletId,
)
from domain.partners import ChargePoint, Connector, Evse, Location
from domain.payments import TopUp
from domain.services import Services
from domain.sessions import CDR, ChargingSession, Checked, Explanation, Quote
from domain.tariffs import TariffEdition
from domain.wallets import WalletBalance

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
LARGEST_BATCH = 100


class Loaders:
    """Made for one operation; each is built when it is first asked."""

    def __init__(self, services: Services, operator: OperatorId) -> None:
        self._services = services
        self._operator = operator

    def forget(self) -> None:
        """Read anew from here on: for the next event of a subscription."""
        for name in [name for name in self.__dict__ if not name.startswith("_")]:
            del self.__dict__[name]

    @cached_property
    def places(self) -> DataLoader[ConnectorId, ChargePoint | None]:
        """A connector with EVSE, location and party."""
        partners = self._services.partners
        return _one(lambda keys: partners.charge_points(self._operator, keys), lambda place: place.connector.id)

    @cached_property
    def locations(self) -> DataLoader[LocationId, Location | None]:
        """Locations by id."""
        return _one(lambda keys: self._services.partners.locations_by_id(self._operator, keys), lambda row: row.id)

    @cached_property
    def evses(self) -> DataLoader[EvseId, Evse | None]:
        """EVSEs by id."""
        return _one(lambda keys: self._services.partners.evses_by_id(self._operator, keys), lambda row: row.id)

    @cached_property
    def evses_of(self) -> DataLoader[LocationId, list[Evse]]:
        """EVSEs of locations."""
        return _many(lambda keys: self._services.partners.evses_of(self._operator, keys), lambda row: row.location_id)

    @cached_property
    def connectors_of(self) -> DataLoader[EvseId, list[Connector]]:
        """Connectors of EVSEs."""
        return _many(lambda keys: self._services.partners.connectors_of(self._operator, keys), lambda row: row.evse_id)

    @cached_property
    def editions(self) -> DataLoader[TariffId, TariffEdition | None]:
        """Tariff editions by id."""
        return _one(lambda keys: self._services.tariffs.editions(self._operator, keys), lambda row: row.id)

    @cached_property
    def offers(self) -> DataLoader[tuple[PartyId, str], TariffEdition | None]:
        """The edition on offer by owner and OCPI id."""
        return _one(
            lambda keys: self._services.tariffs.offers(self._operator, keys),
            lambda row: (row.owner_id, row.ocpi_id),
        )

    @cached_property
    def sessions(self) -> DataLoader[ChargingSessionId, ChargingSession | None]:
        """Sessions by ids that the asker may see."""
        return _one(lambda keys: self._services.sessions.sessions_by_id(self._operator, keys), lambda row: row.id)

    @cached_property
    def cdrs_of(self) -> DataLoader[ChargingSessionId, list[CDR]]:
        """All CDRs of sessions."""
        return _many(lambda keys: self._services.sessions.cdrs_of(self._operator, keys), lambda row: row.session_id)

    @cached_property
    def explanations(self) -> DataLoader[ChargingSession, list[Explanation]]:
        """Of each priced line of sessions that the asker may see, as of the revision that is shown."""
        return DataLoader(
            lambda rows: self._services.sessions.explanations(self._operator, rows),
            max_batch_size=LARGEST_BATCH,
            cache_key_fn=lambda row: (row.id, row.revision),
        )

    @cached_property
    def checks(self) -> DataLoader[CdrId, Checked | None]:
        """What was found about CDRs."""
        return _one(lambda keys: self._services.sessions.checks_of(self._operator, keys), lambda row: row.cdr_id)

    @cached_property
    def quotes(self) -> DataLoader[QuoteId, Quote | None]:
        """Quotes by ids that the asker may see."""
        return _one(lambda keys: self._services.sessions.quotes_by_id(self._operator, keys), lambda row: row.id)

    @cached_property
    def balances(self) -> DataLoader[WalletId, WalletBalance | None]:
        """Balances of wallets that the asker may see."""

        async def load(keys: list[WalletId]) -> list[WalletBalance | None]:
            found = await self._services.wallets.balances(self._operator, keys)
            return [found.get(key) for key in keys]

        return DataLoader(load, max_batch_size=LARGEST_BATCH)

    @cached_property
    def top_ups(self) -> DataLoader[PaymentId, TopUp | None]:
        """Top-ups by payments that the asker may see."""
        return _one(lambda keys: self._services.payments.top_ups_of(self._operator, keys), lambda row: row.payment_id)

    @cached_property
    def credited(self) -> DataLoader[DocumentId, Dispute | None]:
        """Disputes by credit notes that the asker may see."""
        return _one(
            lambda keys: self._services.dispute_desk.credited(self._operator, keys), lambda row: row.credit_note_id
        )

    @cached_property
    def disputes_of(self) -> DataLoader[ChargingSessionId, list[Dispute]]:
        """Disputes about sessions."""
        return _many(
            lambda keys: self._services.dispute_desk.disputes_of(self._operator, keys), lambda row: row.session_id
        )


def _one(load: Callable[[list[K]], Awaitable[Iterable[T]]], key: Callable[[T], K | None]) -> DataLoader[K, T | None]:
    async def load_all(keys: list[K]) -> Sequence[T | None]:
        found = {key(row): row for row in await load(keys)}
        return [found.get(each) for each in keys]

    return DataLoader(load_all, max_batch_size=LARGEST_BATCH)


def _many(load: Callable[[list[K]], Awaitable[Iterable[T]]], key: Callable[[T], K]) -> DataLoader[K, list[T]]:
    async def load_all(keys: list[K]) -> Sequence[list[T]]:
        found: defaultdict[K, list[T]] = defaultdict(list)
        for row in await load(keys):
            found[key(row)].append(row)
        return [found[each] for each in keys]

    return DataLoader(load_all, max_batch_size=LARGEST_BATCH)
