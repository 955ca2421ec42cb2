"""Which tariff editions a session is billed by: locked when first named, the same for live cost, bill and verdict."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import orjson

from domain.database import Reader
from domain.ids import TariffId
from domain.sessions.models import ChargingSession
from domain.tariffs import ChargingRecord, Tariff, TariffService, tariff_of


class Tariffing:
    """Editions of a session; the first one is that of its connector or its quote."""

    def __init__(self, tariffs: TariffService) -> None:
        self._tariffs = tariffs

    async def locked(
        self, reader: Reader, session: ChargingSession, record: ChargingRecord
    ) -> tuple[str, list[Tariff]]:
        """The locked editions as JSON and the tariffs they freeze; a tariff named for the first time joins them.

        Raises UnknownTariff.
        """
        known: dict[str, str] = orjson.loads(session.locked_tariffs)
        found = [await self._tariffs.edition(reader, session.operator_id, session.tariff_id)]
        others = [TariffId(UUID(edition)) for edition in known.values() if UUID(edition) != session.tariff_id]
        found += [await self._tariffs.edition(reader, session.operator_id, other) for other in others]
        known.setdefault(found[0].ocpi_id, str(session.tariff_id))
        have = {ocpi_id.lower() for ocpi_id in known}
        for name in dict.fromkeys(period.tariff_id for period in record.periods if period.tariff_id):
            if name.lower() not in have:
                offer = await self._tariffs.offered(reader, session.operator_id, session.party_id, name)
                found.append(offer)
                known[name] = str(offer.id)
                have.add(name.lower())
        return orjson.dumps(known).decode(), [tariff_of(edition) for edition in found]

    async def quoted(self, reader: Reader, session: ChargingSession) -> Tariff:
        """The tariff of its quote or its connector, whatever its periods name."""
        return tariff_of(await self._tariffs.edition(reader, session.operator_id, session.tariff_id))

    async def only_rate(self, reader: Reader, session: ChargingSession) -> Decimal | None:
        """The tax rate in percent if the tariff states one only."""
        edition = await self._tariffs.edition(reader, session.operator_id, session.tariff_id)
        elements = tariff_of(edition).elements
        rates = {component.vat for element in elements for component in element.price_components}
        return next(iter(rates)) if len(rates) == 1 else None
