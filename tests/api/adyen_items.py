"""Notification items as Adyen sends and signs them."""

from __future__ import annotations

import base64
import copy
import hmac
import json
from typing import Any
from uuid import uuid4

from Adyen.util import generate_notification_sig

KEY, PREVIOUS, OTHER = "c0ffee" * 10 + "abcd", "0ff1ce" * 10 + "abcd", "badbad" * 10 + "abcd"
Json = dict[str, Any]


def item(**fields: object) -> Json:
    found: Json = {
        "additionalData": {"cardSummary": "1111"},
        "amount": {"currency": "EUR", "value": 2000},
        "eventCode": "AUTHORISATION",
        "eventDate": "2026-06-01T12:00:00+02:00",
        "merchantAccountCode": "TestAccount",
        "merchantReference": "topup-1",
        "operations": ["CANCEL", "REFUND"],
        "paymentMethod": "visa",
        "pspReference": uuid4().hex[:16].upper(),
        "reason": "052095:1111:03/2030",
        "success": "true",
    }
    return {name: value for name, value in (found | fields).items() if value is not ...}


def signed(found: Json, key: str = KEY) -> Json:
    """With the signature that the official library gives it."""
    whole: Json = {"originalReference": "", "merchantReference": "", "amount": {}} | copy.deepcopy(found)
    whole["amount"] = {"value": "", "currency": ""} | (whole["amount"] or {})
    mark = generate_notification_sig(whole, key).decode()
    extra: Json = found.get("additionalData", {})
    return found | {"additionalData": extra | {"hmacSignature": mark}}


def resigned(found: Json) -> Json:
    """Signed also where the official library cannot: a null counts as empty, lone surrogates as they are."""
    blank = {name: value for name, value in found.items() if value is not None}
    texts = json.dumps(blank)
    return signed(blank) if "\\ud800" not in texts else _by_hand(blank)


def _by_hand(found: Json) -> Json:
    names = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")
    parts = [*(found.get(name, "") for name in names), str(found["amount"]["value"]), found["amount"]["currency"]]
    text = ":".join([*parts, found["eventCode"], found["success"]]).encode("utf-8", "surrogatepass")
    mark = base64.b64encode(hmac.digest(bytes.fromhex(KEY), text, "sha256")).decode()
    return found | {"additionalData": found["additionalData"] | {"hmacSignature": mark}}
