"""Keeps tariffs as parties send them: each content once, as an edition that never changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache

from sqlalchemy import and_, select

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database, Reader, retried
from domain.errors import InvalidInput, UnknownTariff
from domain.ids import Ids, OperatorId, PartyId, TariffId
from domain.tariffs.edition import canonical_json
from domain.tariffs.models import PublishedTariff, TariffEdition
from domain.tariffs.tariff import Tariff, parse_tariff

_editions = table_of(TariffEdition)
_published = table_of(PublishedTariff)
MOST_REMEMBERED = 512


class TariffService:
    """Tariffs by operator and owning party; somebody else's tariff does not exist."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._editions: dict[tuple[OperatorId, TariffId], TariffEdition] = {}

    @retried
    async def publish(self, operator: OperatorId, owner: PartyId, raw: Mapping[str, object]) -> TariffEdition:
        """Put a Tariff object of OCPI on offer; the same content again changes nothing. Raises InvalidInput."""
        tariff = parse_tariff(raw)
        _billable(tariff)
        now = self._clock.now()
        edition = TariffEdition(
            operator_id=operator,
            id=TariffId(self._ids.new()),
            owner_id=owner,
            ocpi_id=tariff.id,
            sha256=tariff.edition,
            currency=tariff.currency,
            content=canonical_json(raw),
            kept_at=now,
        )
        offer = PublishedTariff(
            operator_id=operator, owner_id=owner, ocpi_id=tariff.id, edition_id=edition.id, published_at=now
        )
        async with self._database.transaction() as tx:
            if not await tx.insert_once(edition):
                known = await tx.find(
                    TariffEdition, operator_id=operator, owner_id=owner, ocpi_id=tariff.id, sha256=tariff.edition
                )
                assert known is not None
                edition = known
                offer.edition_id = known.id
            if not await tx.insert_once(offer):
                where = {"operator_id": operator, "owner_id": owner, "ocpi_id": tariff.id}
                there = await tx.find(PublishedTariff, lock=True, **where)
                if there is None or there.edition_id != edition.id:
                    await tx.change(PublishedTariff, where, edition_id=edition.id, published_at=now)
            return edition

    async def offered(self, reader: Reader, operator: OperatorId, owner: PartyId, ocpi_id: str | None) -> TariffEdition:
        """The edition on offer under this id. Raises UnknownTariff."""
        found = await self._offered(reader, operator, {(owner, ocpi_id or "")})
        if not found:
            raise UnknownTariff(ocpi_id or "")
        return found[0]

    async def offers(self, operator: OperatorId, names: Sequence[tuple[PartyId, str]]) -> list[TariffEdition]:
        """The editions on offer under these names of owner and tariff; for loaders."""
        async with self._database.read() as reader:
            return await self._offered(reader, operator, set(names))

    async def edition(self, reader: Reader, operator: OperatorId, edition: TariffId) -> TariffEdition:
        """One edition that is known to exist; it never changes, so it is read once."""
        known = self._editions.get((operator, edition))
        if known is None:
            known = await reader.find(TariffEdition, operator_id=operator, id=edition)
            assert known is not None, f"edition {edition} is referred to and must be there"
            self._editions[operator, edition] = known
            if len(self._editions) > MOST_REMEMBERED:
                del self._editions[next(iter(self._editions))]
        return known

    async def editions(self, operator: OperatorId, ids: Sequence[TariffId]) -> list[TariffEdition]:
        """Those of these editions that exist; for loaders."""
        statement = select(_editions).where(_editions.c.operator_id == operator, _editions.c.id.in_(ids))
        async with self._database.read() as reader:
            return await reader.list(TariffEdition, statement)

    async def _offered(
        self, reader: Reader, operator: OperatorId, names: set[tuple[PartyId, str]]
    ) -> list[TariffEdition]:
        is_offer = and_(_published.c.operator_id == _editions.c.operator_id, _published.c.edition_id == _editions.c.id)
        statement = (
            select(_editions)
            .join(_published, is_offer)
            .where(
                _published.c.operator_id == operator,
                _published.c.owner_id.in_({owner for owner, _ in names}),
                _published.c.ocpi_id.in_({ocpi_id for _, ocpi_id in names}),
            )
        )
        found = await reader.list(TariffEdition, statement)
        return [edition for edition in found if (edition.owner_id, edition.ocpi_id) in names]


def _billable(tariff: Tariff) -> None:
    """A bill is never below zero, so neither is a price."""
    for i, element in enumerate(tariff.elements):
        for j, component in enumerate(element.price_components):
            if component.price < 0:
                path = ("elements", str(i), "price_components", str(j), "price")
                raise InvalidInput("A price below zero cannot be billed.", path)


def tariff_of(edition: TariffEdition) -> Tariff:
    """The tariff that an edition freezes."""
    return _parsed(edition.content)


@lru_cache(maxsize=MOST_REMEMBERED)
def _parsed(content: str) -> Tariff:
    # An edition never changes, so its text names its value.
    return parse_tariff(json.loads(content, parse_float=Decimal))
