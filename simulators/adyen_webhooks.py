"""The stand-in's webhooks: Adyen's standard notifications, signed, and the queue that delivers them at least once.

One queue for the merchant account, earliest first: what is not answered 2xx is tried again and blocks all behind it.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx2

from simulators.adyen_books import Books, Delivery, Released
from simulators.adyen_faults import Faults

PATIENCE_SECONDS = 10
LONGEST_PAUSE_SECONDS = 30
ACCEPTED = range(200, 300)
_ZONE = ZoneInfo("Europe/Amsterdam")
_SIGNED = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")


@dataclass(frozen=True)
class Receiver:
    """Where webhooks go, and what proves that they are ours. `retry_seconds` is the first pause; each next is twice."""

    url: str
    user: str
    password: str = field(repr=False)
    hmac_key: bytes = field(repr=False)
    retry_seconds: float = 1


@dataclass(frozen=True)
class Notice:
    """One event to be told, in the words of a NotificationRequestItem."""

    event_code: str
    success: bool
    psp_reference: str
    reference: str
    amount_minor: int
    currency: str
    method: str = ""
    original_reference: str = ""
    reason: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    def item(self, account: str, now: float) -> dict[str, Any]:
        """The item, not yet signed."""
        item: dict[str, Any] = {
            "additionalData": dict(self.extra),
            "amount": {"currency": self.currency, "value": self.amount_minor},
            "eventCode": self.event_code,
            "eventDate": datetime.fromtimestamp(now, _ZONE).isoformat(timespec="seconds"),
            "merchantAccountCode": account,
            "merchantReference": self.reference,
            "paymentMethod": self.method,
            "pspReference": self.psp_reference,
            "reason": self.reason,
            "success": str(self.success).lower(),
        }
        if self.original_reference:
            item["originalReference"] = self.original_reference
        if self.event_code == "AUTHORISATION" and self.success:
            item["operations"] = ["CANCEL", "CAPTURE", "REFUND"]
        return item


def signature(item: dict[str, Any], key: bytes) -> str:
    """Adyen's signature of a standard notification item: eight fields joined by colons, nothing escaped."""
    amount = item["amount"]
    fields = [*(item.get(name, "") for name in _SIGNED), amount["value"], amount["currency"]]
    text = ":".join(map(str, [*fields, item["eventCode"], item["success"]]))
    return base64.b64encode(hmac.digest(key, text.encode(), "sha256")).decode()


class Courier:
    """Takes notices into the books and brings them to the receiver."""

    def __init__(
        self, books: Books, faults: Faults, receiver: Receiver, account: str, clock: Callable[[], float]
    ) -> None:
        self._books, self._faults, self._receiver, self._account, self._clock = books, faults, receiver, account, clock
        self._news = asyncio.Event()

    def tell(self, notice: Notice) -> None:
        """Note a delivery, within the transaction that books what it tells."""
        now = self._clock()
        item = notice.item(self._account, now)
        item["additionalData"]["hmacSignature"] = self._signature(item)
        lost = self._faults.take("drop_webhooks")
        for number in range(1 + self._faults.duplicate_webhooks):
            told = copy.deepcopy(item)
            if number and self._faults.vary_duplicates:
                later = datetime.fromisoformat(item["eventDate"]) + timedelta(seconds=number)
                told["eventDate"] = later.isoformat(timespec="seconds")
            body = {"live": "false", "notificationItems": [{"NotificationRequestItem": told}]}
            due = None if lost else now + self._faults.delay_seconds
            self._books.put(Delivery(secrets.token_hex(8), due, body, state="lost" if lost else "waiting"))
        self._news.set()

    def flush(self) -> int:
        """Let everything that waits go now, hold or no hold; how many that are."""
        waiting = [*self._books.pending(Released), *self._books.pending(Delivery)]
        with self._books.transaction():
            for delivery in waiting:
                self._books.remove(delivery)
                self._books.put(Released(delivery.id, self._clock(), delivery.body, tries=delivery.tries))
        self._news.set()
        return len(waiting)

    def wake(self) -> None:
        """Faults or the clock have changed: look again."""
        self._news.set()

    async def run(self, look_around: Callable[[], None]) -> None:
        """Deliver, for ever; `look_around` is called between deliveries, at least every 0.2 s."""
        auth = (self._receiver.user, self._receiver.password)
        async with httpx2.AsyncClient(auth=auth, timeout=PATIENCE_SECONDS, trust_env=False) as client:
            while True:
                self._news.clear()
                look_around()
                if delivery := self._next():
                    await self._deliver(client, delivery)
                    continue
                try:
                    await asyncio.wait_for(self._news.wait(), 0.2)
                except TimeoutError:
                    continue

    def _next(self) -> Delivery | None:
        now = self._clock()
        for kind in (Released, Delivery)[: 1 if self._faults.hold_webhooks else 2]:
            shuffled = self._faults.out_of_order
            for first in self._books.newest_due(kind, now) if shuffled else self._books.pending(kind, at_most=1):
                return first if first.due is not None and first.due <= now else None
        return None

    async def _deliver(self, client: httpx2.AsyncClient, delivery: Delivery) -> None:
        try:
            accepted = (await client.post(self._receiver.url, json=delivery.body)).status_code in ACCEPTED
        except httpx2.HTTPError:
            accepted = False
        if self._books.get(type(delivery), delivery.id) is None:  # meanwhile flushed, or the books were reset
            return
        pause = min(LONGEST_PAUSE_SECONDS, self._receiver.retry_seconds * 2 ** min(delivery.tries, 10))
        delivery.tries += 1
        delivery.due = None if accepted else self._clock() + pause
        delivery.state = "delivered" if accepted else "waiting"
        self._books.put(delivery)

    def _signature(self, item: dict[str, Any]) -> str:
        key = self._receiver.hmac_key
        return signature(item, key[::-1] + b"?" if self._faults.take("bad_signature") else key)
