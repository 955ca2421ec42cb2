"""Keeps what Adyen tells us: the raw delivery and its signed items, before anybody acts on them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from domain.clock import Clock
from domain.database import Database, retried
from domain.ids import Ids, OperatorId
from domain.money import Money
from domain.payments.models import FactState, PspDelivery, PspFact


@dataclass(frozen=True, slots=True)
class SignedItem:
    """The signed fields of one notification item, plus the rest as JSON text that only people read."""

    item_sha256: str
    event_code: str
    success: bool
    psp_reference: str
    original_reference: str | None
    merchant_account: str
    merchant_reference: str | None
    value_sent: str | None
    amount: Money | None
    currency: str | None
    unsigned: str


class Inbox:
    """Every delivery is here before Adyen hears 2xx."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    @retried
    async def keep(self, operator: OperatorId, raw: bytes, items: Sequence[SignedItem]) -> int:
        """Store a delivery and its items in one transaction; how many of the items were new."""
        now = self._clock.now()
        delivery = PspDelivery(
            operator_id=operator,
            id=self._ids.new(),
            received_at=now,
            raw=raw,
            sha256=hashlib.sha256(raw).hexdigest(),
        )
        async with self._database.transaction() as tx:
            await tx.insert(delivery)
            new = 0
            for item in items:
                new += await tx.insert_once(self._fact(operator, delivery, item))
        return new

    def _fact(self, operator: OperatorId, delivery: PspDelivery, item: SignedItem) -> PspFact:
        return PspFact(
            operator_id=operator,
            id=self._ids.new(),
            delivery_id=delivery.id,
            item_sha256=item.item_sha256,
            event_code=_fit(item.event_code, 64),
            success=item.success,
            psp_reference=_fit(item.psp_reference, 64),
            original_reference=_fit(item.original_reference, 64),
            merchant_account=_fit(item.merchant_account, 80),
            merchant_reference=_fit(item.merchant_reference, 128),
            value_sent=item.value_sent,
            amount_minor=None if item.amount is None else item.amount.minor,
            currency=item.currency,
            unsigned=item.unsigned,
            received_at=delivery.received_at,
            state=FactState.NEW,
        )


@overload
def _fit(text: str, longest: int) -> str: ...
@overload
def _fit(text: str | None, longest: int) -> str | None: ...
def _fit(text: str | None, longest: int) -> str | None:
    """As a table can keep it: a refused row would hold up every later delivery. None of our own names is changed."""
    if text is None:
        return None
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")[:longest]
