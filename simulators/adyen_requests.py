"""What an API call may look like: the stand-in reads requests as strictly as Adyen does, and refuses in its words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from simulators.adyen_bank import Outcome, Wish
from simulators.adyen_books import Books, StoredMethod

_OUTCOMES = {
    "1": Outcome(),
    "2": Outcome("Refused", "2", "Refused"),
    "3": Outcome("Refused", "3", "Referral"),
    "4": Outcome("Error", "4", "Acquirer Error"),
    "5": Outcome("Refused", "5", "Blocked Card"),
    "6": Outcome("Refused", "6", "Expired Card"),
    "7": Outcome("Refused", "7", "Invalid Amount"),
}
DECLINED = _OUTCOMES["2"]
_OUTCOME_OF_HOLDER = {
    "APPROVED": Outcome(),
    "DECLINED": DECLINED,
    "REFERRAL": _OUTCOMES["3"],
    "ERROR": _OUTCOMES["4"],
    "BLOCK_CARD": _OUTCOMES["5"],
    "CARD_EXPIRED": _OUTCOMES["6"],
    "INVALID_AMOUNT": _OUTCOMES["7"],
    "UNKNOWN": Outcome("Refused", "1", "Unknown"),
}
_BRAND_OF = {"scheme": "visa", "applepay": "visa_applepay", "googlepay": "visa_googlepay"}


class ApiError(Exception):
    """A refusal in Adyen's shape; nothing is booked and nothing is kept for the idempotency key."""

    def __init__(
        self, status: int, code: str, message: str, kind: str = "validation", *, transient: bool = False
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.kind, self.transient = status, code, message, kind, transient

    def body(self) -> dict[str, Any]:
        """As it is answered."""
        return {"status": self.status, "errorCode": self.code, "message": self.message, "errorType": self.kind}


@dataclass(frozen=True)
class Call:
    """An API call that has been read: path parameters, query, JSON body, and where this server is reached."""

    path: dict[str, str]
    query: dict[str, str]
    body: dict[str, Any]
    server: str

    def text(self, name: str, longest: int, missing: tuple[str, str] | None = None) -> str:
        """A text of the body; empty if it is missing and may be. `missing` is the code and the words if it may not."""
        value = self.body.get(name)
        if value is None or value == "":
            if missing:
                raise ApiError(422, *missing)
            return ""
        if not isinstance(value, str) or len(value) > longest:
            raise ApiError(422, "702", f"The field '{name}' is not a text of at most {longest} characters")
        return value

    def reference(self) -> str:
        """The merchant's reference, which payments must have."""
        return self.text("reference", 80, ("130", "Reference Missing"))

    def amount(self, least: int = 0) -> tuple[int, str]:
        """The amount in minor units, and its currency."""
        amount = self.body.get("amount")
        if not isinstance(amount, dict):
            raise ApiError(422, "100", "No amount specified")
        value, currency = amount.get("value"), amount.get("currency")
        if not isinstance(currency, str) or not re.fullmatch("[A-Z]{3}", currency):
            raise ApiError(422, "138", "Unsupported currency specified")
        if type(value) is not int or value < least:
            raise ApiError(422, "137", "Invalid amount specified")
        return value, currency

    def part(self, name: str) -> dict[str, Any]:
        """An object within the body; empty if it is missing."""
        value = self.body.get(name) or {}
        if not isinstance(value, dict):
            raise ApiError(422, "702", f"The field '{name}' is not an object")
        return value

    def manual(self) -> bool:
        """Whether the payment waits for a capture of its own."""
        extra = self.part("additionalData")
        waits = str(self.body.get("captureDelayHours") or "0") != "0"
        return waits or extra.get("manualCapture") == "true" or extra.get("authorisationType") == "PreAuth"

    def outcome(self) -> Outcome:
        """What Adyen's test triggers ask for: the holder's name, or the response code of a test acquirer."""
        wanted = self.part("additionalData").get("RequestedTestAcquirerResponseCode")
        holder = self.part("paymentMethod").get("holderName")
        return _OUTCOMES.get(str(wanted)) or _OUTCOME_OF_HOLDER.get(str(holder)) or Outcome()

    def wish(self, books: Books) -> Wish:
        """The payment asked for by `/payments`."""
        amount_minor, currency = self.amount()
        method = self.part("paymentMethod")
        if not method:
            raise ApiError(422, "702", "Required field 'paymentMethod' is not provided")
        shopper = self.text("shopperReference", 256)
        stored = _stored(books, str(method.get("storedPaymentMethodId") or ""), shopper)
        return Wish(
            reference=self.reference(),
            amount_minor=amount_minor,
            currency=currency,
            shopper_reference=shopper,
            manual=self.manual(),
            stores=self.body.get("storePaymentMethod") is True,
            method=stored.brand if stored else brand(str(method.get("type"))),
            stored_method_id=stored.id if stored else "",
        )


async def read(request: Request, merchant_account: str) -> Call:
    """Read a call and see that it speaks about our merchant account."""
    body: dict[str, Any] = {}
    if request.method == "POST":
        try:
            body = orjson.loads(await request.body())
        except ValueError as error:
            raise ApiError(422, "702", "The body is not JSON") from error
        if not isinstance(body, dict):
            raise ApiError(422, "702", "The body is not a JSON object")
    query = dict(request.query_params)
    named = body.get("merchantAccount") if request.method == "POST" else query.get("merchantAccount", merchant_account)
    if named != merchant_account:
        raise ApiError(403, "901", "Invalid Merchant Account", "security")
    return Call(dict(request.path_params), query, body, str(request.base_url).rstrip("/"))


def brand(kind: str) -> str:
    """A kind of payment method as webhooks name it."""
    return _BRAND_OF.get(kind, kind)


def _stored(books: Books, key: str, shopper: str) -> StoredMethod | None:
    stored = books.get(StoredMethod, key)
    if key and (stored is None or stored.shopper_reference != shopper):
        raise ApiError(422, "800", "Contract not found")
    return stored
