"""Every identifier of the product: UUIDv7 (RFC 9562), one NewType each, so that none can be mistaken for another."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NewType
from uuid import UUID

from domain.clock import Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

OperatorId = NewType("OperatorId", UUID)
DriverId = NewType("DriverId", UUID)
TokenId = NewType("TokenId", UUID)
PartyId = NewType("PartyId", UUID)
LocationId = NewType("LocationId", UUID)
EvseId = NewType("EvseId", UUID)
ConnectorId = NewType("ConnectorId", UUID)
TariffId = NewType("TariffId", UUID)
QuoteId = NewType("QuoteId", UUID)
WalletId = NewType("WalletId", UUID)
HoldId = NewType("HoldId", UUID)
PromoGrantId = NewType("PromoGrantId", UUID)
AccountId = NewType("AccountId", UUID)
PostingId = NewType("PostingId", UUID)
DocumentId = NewType("DocumentId", UUID)
TopUpId = NewType("TopUpId", UUID)
PaymentId = NewType("PaymentId", UUID)
ChargingSessionId = NewType("ChargingSessionId", UUID)
CdrId = NewType("CdrId", UUID)
DisputeId = NewType("DisputeId", UUID)


class Ids:
    """A source of UUIDv7: 48 bits of the clock's milliseconds, then randomness. Clock and chance are handed in."""

    def __init__(self, clock: Clock, random_bits: Callable[[int], int] = secrets.randbits) -> None:
        self._clock = clock
        self._random_bits = random_bits

    def new(self) -> UUID:
        """The next identifier; later ones sort later, to the millisecond."""
        milliseconds = (self._clock.now() - _EPOCH) // timedelta(milliseconds=1)
        bits = (milliseconds << 80) | (0x7 << 76) | (self._random_bits(12) << 64) | (0b10 << 62) | self._random_bits(62)
        return UUID(int=bits)

    @staticmethod
    def last_of(instant: datetime) -> UUID:
        """No id made in this millisecond or before is greater."""
        milliseconds = (instant - _EPOCH) // timedelta(milliseconds=1)
        return UUID(int=(milliseconds << 80) | ((1 << 80) - 1))
