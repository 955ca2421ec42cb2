"""Cards, and what their banks say: Adyen's test numbers and triggers, and no others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NO_DIGITS = {"CVE", "DJF", "GNF", "IDR", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
THREE_DIGITS = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}
REDIRECTED, NATIVE = "4212345678901237", "4035501428146300"
"""Cards whose bank wants to be sure: on a page of its own, or within the merchant's."""

_BRAND_OF = {"applepay": "visa_applepay", "googlepay": "visa_googlepay"}
_BRANDS = (("4", "visa"), ("5", "mc"), ("2", "mc"), ("3", "amex"))
_KINDS = {"scheme", "applepay", "googlepay", "ideal", "bcmc", "eps", "swish", "blik"}


@dataclass(frozen=True)
class Outcome:
    """What the card's bank says."""

    result_code: str = "Authorised"
    refusal_code: str = ""
    refusal_reason: str = ""


APPROVED = Outcome()
OUTCOMES = {
    "1": APPROVED,
    "2": Outcome("Refused", "2", "Refused"),
    "3": Outcome("Refused", "3", "Referral"),
    "4": Outcome("Error", "4", "Acquirer Error"),
    "5": Outcome("Refused", "5", "Blocked Card"),
    "6": Outcome("Refused", "6", "Expired Card"),
    "7": Outcome("Refused", "7", "Invalid Amount"),
    "11": Outcome("Refused", "11", "3D Not Authenticated"),
    "12": Outcome("Refused", "12", "Not enough balance"),
    "20": Outcome("Refused", "20", "FRAUD"),
    "38": Outcome("Refused", "38", "Authentication required"),
}
"""By Adyen's refusal reason code; 1 is no refusal."""
REFUSALS = OUTCOMES.keys() - {"1"}
DECLINED, NOT_AUTHENTICATED = OUTCOMES["2"], OUTCOMES["11"]
_OUTCOME_OF_HOLDER = {
    "APPROVED": APPROVED,
    "DECLINED": DECLINED,
    "REFERRAL": OUTCOMES["3"],
    "ERROR": OUTCOMES["4"],
    "BLOCK_CARD": OUTCOMES["5"],
    "CARD_EXPIRED": OUTCOMES["6"],
    "INVALID_AMOUNT": OUTCOMES["7"],
    "NOT_ENOUGH_BALANCE": OUTCOMES["12"],
    "UNKNOWN": Outcome("Refused", "1", "Unknown"),
}


class BadCard(ValueError):
    """Not the number of a card, or not a way to pay."""


@dataclass(frozen=True)
class Card:
    """A way to pay. `brand` is as webhooks name it, `authentication` is empty, redirect or native."""

    brand: str
    last_four: str = "1111"
    authentication: str = ""


def card(kind: str, number: str = "") -> Card:
    """The way to pay of a `paymentMethod.type`, and the number of its card. Raises BadCard."""
    if kind not in _KINDS:
        raise BadCard(f"no such payment method: {kind}")
    if kind != "scheme" or not number:
        return Card(_BRAND_OF.get(kind, "visa" if kind == "scheme" else kind))
    digits = number.replace(" ", "")
    if not re.fullmatch("[0-9]{13,19}", digits) or not _adds_up(digits):
        raise BadCard("Invalid card number")
    brand = next((name for first, name in _BRANDS if digits.startswith(first)), "visa")
    return Card(brand, digits[-4:], {REDIRECTED: "redirect", NATIVE: "native"}.get(digits, ""))


def stored_card(brand: str, last_four: str) -> Card:
    """A card whose number is kept elsewhere."""
    asks = {REDIRECTED[-4:]: "redirect", NATIVE[-4:]: "native"}
    return Card(brand, last_four, asks.get(last_four, ""))


def number_in(method: Mapping[str, Any]) -> str:
    """The card number of a `paymentMethod`, plain or as test tools write it; what Drop-in encrypted stays unread."""
    encrypted = str(method.get("encryptedCardNumber") or "")
    return str(method.get("number") or "") or (encrypted[5:] if encrypted.startswith("test_") else "")


def outcome(holder: object, response_code: object = None) -> Outcome:
    """What Adyen's test triggers ask for: the response code of a test acquirer, or the holder's name."""
    return OUTCOMES.get(str(response_code)) or _OUTCOME_OF_HOLDER.get(str(holder)) or APPROVED


def major(minor: int, currency: str) -> str:
    """An amount in major units, with the digits that Adyen gives its currency."""
    if currency in NO_DIGITS:
        return str(minor)
    digits = 3 if currency in THREE_DIGITS else 2
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{'-' * (minor < 0)}{whole}.{rest:0{digits}}"


def _adds_up(digits: str) -> bool:
    """Luhn's check."""
    doubled = [sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0
