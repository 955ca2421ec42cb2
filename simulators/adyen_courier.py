"""Brings the stand-in's webhooks to the merchant, at least once.

One queue for each endpoint, earliest first: what is not answered 2xx is tried again and blocks all behind it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx2
import orjson

from simulators.adyen_books import Books
from simulators.adyen_faults import Faults
from simulators.adyen_records import Delivery, Loose, Released, StoredMethod, TokenDelivery
from simulators.adyen_webhooks import Notice, Receiver, envelope, sealed, signed, token_event

PATIENCE_SECONDS = 10
LONGEST_PAUSE_SECONDS = 30
TOLD_SECONDS = 5
ACCEPTED = range(200, 300)

_MINUTES = (1, 1, 1, 2, 5, 10, 15, 30, 60, 120, 240, 480)
"""Between two tries: three quick ones, then those of Adyen's queue."""
_COPIED = ("duplicate", "vary_duplicate")
_FORGED = ("bad_signature", "forged_second_item", "wrong_account", "wrong_live")
_LOOSE = {"delay", "shuffle", "withhold"}


class Courier:
    """Takes notices into the books and brings them to the receiver."""

    def __init__(
        self, books: Books, faults: Faults, receiver: Receiver, account: str, clock: Callable[[], float]
    ) -> None:
        self._books, self._faults, self._receiver, self._account, self._clock = books, faults, receiver, account, clock
        self._news = asyncio.Event()
        self._batch: list[tuple[dict[str, Any], str]] = []

    def tell(self, notice: Notice) -> None:
        """Note a delivery, within the transaction that books what it tells."""
        item = notice.item(self._account, self._clock())
        about = notice.about or notice.reference
        faults = self._faults.delivery(about, notice.event_code)
        if "no_original_reference" in faults:
            item.pop("originalReference", None)
        for fault in _FORGED:
            if fault in faults:
                self._put(Delivery, self._forgery(fault, item), about, once=True)
        key = self._receiver.old_key or self._receiver.hmac_key[::-1]
        item = signed(item, key if "old_key" in faults else self._receiver.hmac_key)
        if "batch" in faults:
            self._collect(item, about, faults["batch"])
            return
        self._send(item, about, faults)
        for fault in _COPIED:
            for number in range(1, faults.get(fault, 0) + 1):
                copy = _later(item, number, notice.psp_reference) if fault == "vary_duplicate" else item
                self._send(copy, about, {})
        self._news.set()

    def tell_token(self, kind: str, stored: StoredMethod) -> None:
        """Note what became of a stored card, if anybody wants to hear it."""
        if not self._receiver.token_url:
            return
        about = {"storedPaymentMethodId": stored.id, "shopperReference": stored.shopper_reference, "type": stored.brand}
        body = token_event(kind, self._account, self._clock(), secrets.token_hex(8).upper(), about)
        self._put(TokenDelivery, body, stored.shopper_reference)
        self._news.set()

    def flush(self) -> int:
        """Let everything that waits go now, hold or no hold; how many that are."""
        self._send_batch()
        waiting = [*self._books.pending(Released), *self._books.pending(Delivery)]
        waiting += [loose for loose in self._books.all(Loose) if loose.state == "waiting"]
        with self._books.transaction():
            for delivery in waiting:
                self._books.remove(delivery)
                due, tries, once = self._clock(), delivery.tries, delivery.once
                freed = Released(delivery.id, due, delivery.body, delivery.about, tries=tries, once=once)
                self._books.put(freed)
        self._news.set()
        return len(waiting)

    def wake(self) -> None:
        """Faults or the clock have changed: look again."""
        self._news.set()

    async def told(self, reference: str) -> None:
        """Wait until all that is to be told about a payment has been told, but not for ever."""
        for _ in range(TOLD_SECONDS * 50):
            if not self._books.waiting_for(Delivery, reference):
                return
            await asyncio.sleep(0.02)

    async def run(self, look_around: Callable[[], None]) -> None:
        """Deliver, for ever; `look_around` is called between deliveries, at least every 0.2 s."""
        auth = (self._receiver.user, self._receiver.password)
        async with httpx2.AsyncClient(auth=auth, timeout=PATIENCE_SECONDS, trust_env=False) as client:
            await asyncio.gather(self._standard(client, look_around), self._tokens(client))

    async def _standard(self, client: httpx2.AsyncClient, look_around: Callable[[], None]) -> None:
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

    async def _tokens(self, client: httpx2.AsyncClient) -> None:
        """Their queue is another; a receiver that does not know them holds up nothing else."""
        while True:
            if delivery := self._head(TokenDelivery):
                await self._deliver(client, delivery)
            else:
                await asyncio.sleep(0.1)

    def _next(self) -> Delivery | None:
        now = self._clock()
        if released := self._head(Released):
            return released
        if self._faults.hold_webhooks:
            return None
        return next(iter(self._books.due(Loose, now)), None) or self._head(Delivery)

    def _head(self, kind: type[Delivery]) -> Delivery | None:
        """The first of a queue, once it is due; nothing behind it goes before."""
        now = self._clock()
        shuffled = self._faults.out_of_order and kind is not TokenDelivery
        for first in self._books.newest_due(kind, now) if shuffled else self._books.pending(kind, at_most=1):
            return first if first.due is not None and first.due <= now else None
        return None

    async def _deliver(self, client: httpx2.AsyncClient, delivery: Delivery) -> None:
        content = orjson.dumps(delivery.body)
        url, headers = self._receiver.url, {"Content-Type": "application/json"}
        if isinstance(delivery, TokenDelivery):
            url = self._receiver.token_url
            headers |= {"HmacSignature": sealed(content, self._receiver.token_key), "Protocol": "HmacSHA256"}
        try:
            accepted = (await client.post(url, content=content, headers=headers)).status_code in ACCEPTED
        except httpx2.HTTPError:
            accepted = False
        if self._books.get(type(delivery), delivery.id) is None:  # meanwhile flushed, or the books were reset
            return
        minutes = _MINUTES[min(delivery.tries, len(_MINUTES) - 1)]
        pause = min(LONGEST_PAUSE_SECONDS, self._receiver.retry_seconds * minutes)
        delivery.tries += 1
        ends = accepted or delivery.once
        delivery.due = None if ends else self._clock() + pause
        delivery.state = "delivered" if accepted else "lost" if ends else "waiting"
        self._books.put(delivery)

    def _send(self, item: dict[str, Any], about: str, faults: dict[str, int]) -> None:
        body, now = envelope(item), self._clock()
        if "drop" in faults:
            self._books.put(Delivery(secrets.token_hex(8), None, body, about, state="lost"))
        elif _LOOSE & faults.keys():
            late = faults.get("delay", 0) + ("shuffle" in faults) * secrets.randbelow(1000) / 1000
            due = None if "withhold" in faults else now + late
            self._books.put(Loose(secrets.token_hex(8), due, body, about))
        else:
            self._put(Delivery, body, about)

    def _put(self, kind: type[Delivery], body: dict[str, Any], about: str, *, once: bool = False) -> None:
        self._books.put(kind(secrets.token_hex(8), self._clock(), body, about, once=once))

    def _collect(self, item: dict[str, Any], about: str, size: int) -> None:
        self._batch.append((item, about))
        if len(self._batch) >= size:
            self._send_batch()

    def _send_batch(self) -> None:
        """What was collected, in one delivery."""
        if self._batch:
            body = envelope(*(item for item, _ in self._batch))
            self._put(Delivery, body, self._batch[0][1])
            self._batch.clear()
            self._news.set()

    def _forgery(self, fault: str, item: dict[str, Any]) -> dict[str, Any]:
        """What somebody else might send, or what was meant for somebody else."""
        key = self._receiver.hmac_key
        match fault:
            case "bad_signature":
                return envelope(signed(item, key[::-1] + b"?"))
            case "forged_second_item":
                more = item | {"amount": item["amount"] | {"value": item["amount"]["value"] + 100_000}}
                return envelope(signed(item, key), signed(more, b"forged"))
            case "wrong_account":
                return envelope(signed(item | {"merchantAccountCode": "SomebodyElse"}, key))
            case _:
                return envelope(signed(item, key), live="true")


def _later(item: dict[str, Any], number: int, reference: str) -> dict[str, Any]:
    """A copy as Adyen may send it: another eventDate, and something more that nobody signs."""
    at = datetime.fromisoformat(item["eventDate"]) + timedelta(seconds=number)
    extra = item["additionalData"] | {"acquirerReference": f"{reference[:8]}{number}"}
    return item | {"eventDate": at.isoformat(timespec="seconds"), "additionalData": extra}
