"""The stand-in's webhooks: Adyen's standard notifications and those about tokens, each signed in its own way."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

_ZONE = ZoneInfo("Europe/Amsterdam")
_SIGNED = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")


@dataclass(frozen=True)
class Receiver:
    """Where webhooks go, and what proves that they are ours. `retry_seconds` is what a minute of Adyen's takes.

    Without `token_url` nobody wants to hear about tokens. `old_key` is the key before `hmac_key`.
    """

    url: str
    user: str
    password: str = field(repr=False)
    hmac_key: bytes = field(repr=False)
    retry_seconds: float = 1
    token_url: str = ""
    token_key: bytes = field(default=b"", repr=False)
    old_key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Notice:
    """One event to be told, in the words of a NotificationRequestItem. `about` is the reference of the payment."""

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
    about: str = ""

    def item(self, account: str, now: float) -> dict[str, Any]:
        """The item, not yet signed."""
        item: dict[str, Any] = {
            "additionalData": dict(self.extra),
            "amount": {"currency": self.currency, "value": self.amount_minor},
            "eventCode": self.event_code,
            "eventDate": written(now),
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


def written(instant: float) -> str:
    """An instant as Adyen writes it: to the second, with the offset of Amsterdam."""
    return datetime.fromtimestamp(instant, _ZONE).isoformat(timespec="seconds")


def envelope(*items: dict[str, Any], live: str = "false") -> dict[str, Any]:
    """One delivery of standard notifications."""
    return {"live": live, "notificationItems": [{"NotificationRequestItem": item} for item in items]}


def signed(item: dict[str, Any], key: bytes) -> dict[str, Any]:
    """The item with its signature, as a new one."""
    extra = item["additionalData"] | {"hmacSignature": signature(item, key)}
    return item | {"additionalData": extra}


def signature(item: dict[str, Any], key: bytes) -> str:
    """Adyen's signature of a standard notification item: eight fields joined by colons, nothing escaped."""
    amount = item["amount"]
    fields = [*(item.get(name, "") for name in _SIGNED), amount["value"], amount["currency"]]
    text = ":".join(map(str, [*fields, item["eventCode"], item["success"]]))
    return sealed(text.encode(), key)


def sealed(text: bytes, key: bytes) -> str:
    """HMAC-SHA256 in base64: over the raw body, the signature of a webhook about tokens (header `HmacSignature`)."""
    return base64.b64encode(hmac.digest(key, text, "sha256")).decode()


def token_event(kind: str, account: str, now: float, event_id: str, about: dict[str, str]) -> dict[str, Any]:
    """`recurring.token.created`, `.alreadyExisting`, `.updated` or `.disabled`; `about` is shopper, token and brand."""
    operation = {} if kind == "disabled" else {"operation": kind}
    return {
        "createdAt": written(now),
        "eventId": event_id,
        "environment": "test",
        "data": {"merchantAccount": account} | about | operation,
        "type": f"recurring.token.{kind}",
    }
