"""What an API call may look like: the stand-in reads requests as strictly as Adyen does, and refuses in its words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from simulators.adyen_bank import Wish
from simulators.adyen_books import Books
from simulators.adyen_cards import BadCard, Card, Outcome, card, number_in, outcome, stored_card
from simulators.adyen_records import StoredMethod

_MOST_HOURS = 672
_MOST_METADATA, _LONGEST_NAME, _LONGEST_VALUE = 20, 20, 80
_RETURN_URL = ("14_030", "Return URL is missing.")


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

    def one_of(self, name: str, *allowed: str) -> str:
        """A text of the body that is one of a few, the first if it is missing."""
        value = self.text(name, 40)
        if value and value not in allowed:
            raise ApiError(422, "702", f"The field '{name}' is none of {', '.join(allowed)}")
        return value or allowed[0]

    def reference(self) -> str:
        """The merchant's reference, which payments must have."""
        return self.text("reference", 80, ("130", "Reference Missing"))

    def return_url(self) -> str:
        """Where the shopper is sent back to."""
        return self.text("returnUrl", 1024, _RETURN_URL)

    def shopper(self) -> str:
        """The shopper's reference: 3 to 256 characters, or none."""
        value = self.text("shopperReference", 256)
        if value and len(value) < 3:  # noqa: PLR2004  Adyen's limit
            raise ApiError(422, "702", "The field 'shopperReference' is shorter than 3 characters")
        return value

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

    def texts(self, name: str) -> list[str]:
        """A list of texts within the body; empty if it is missing."""
        value = self.body.get(name) or []
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise ApiError(422, "702", f"The field '{name}' is not a list of texts")
        return value

    def metadata(self) -> None:
        """See that it is within Adyen's limits."""
        pairs = self.part("metadata")
        long = [name for name, value in pairs.items() if len(name) > _LONGEST_NAME or len(str(value)) > _LONGEST_VALUE]
        if len(pairs) > _MOST_METADATA or long:
            raise ApiError(422, "177", "Metadata size exceeds limit")

    def capture(self) -> str:
        """When the payment is captured: auto, manual, or after so many hours."""
        extra, hours = self.part("additionalData"), self.body.get("captureDelayHours") or 0
        if extra.get("manualCapture") == "true" or extra.get("authorisationType") == "PreAuth":
            return "manual"
        if type(hours) is not int or not 0 <= hours <= _MOST_HOURS:
            raise ApiError(422, "702", f"The field 'captureDelayHours' is not within 0 and {_MOST_HOURS}")
        return str(hours) if hours else "auto"

    def outcome(self) -> Outcome:
        """What the card's bank will say."""
        code = self.part("additionalData").get("RequestedTestAcquirerResponseCode")
        return outcome(self.part("paymentMethod").get("holderName"), code)

    def card(self) -> Card:
        """The way to pay that was entered."""
        method = self.part("paymentMethod")
        try:
            return card(str(method.get("type")), number_in(method))
        except BadCard as error:
            raise ApiError(422, "101", str(error)) from error

    def wish(self, books: Books) -> tuple[Wish, str]:
        """The payment asked for by `/payments`, and whether the bank wants to be sure: empty, redirect or native."""
        amount_minor, currency = self.amount()
        method = self.part("paymentMethod")
        if not method:
            raise ApiError(422, "702", "Required field 'paymentMethod' is not provided")
        shopper, reference = self.shopper(), self.reference()
        self.return_url()
        self.metadata()
        model = self.one_of("recurringProcessingModel", "CardOnFile", "Subscription", "UnscheduledCardOnFile")
        interaction = self.one_of("shopperInteraction", "Ecommerce", "ContAuth", "Moto", "POS")
        present = interaction == "Ecommerce" or (interaction, model) == ("ContAuth", "CardOnFile")
        stored = _stored(books, str(method.get("storedPaymentMethodId") or ""), shopper)
        way = stored_card(stored.brand, stored.last_four) if stored else self.card()
        wish = Wish(
            reference=reference,
            amount_minor=amount_minor,
            currency=currency,
            shopper_reference=shopper,
            capture=self.capture(),
            stores=self.body.get("storePaymentMethod") is True,
            method=way.brand,
            last_four=way.last_four,
            stored_method_id=stored.id if stored else "",
        )
        return wish, way.authentication if present else ""


async def read(request: Request, merchant_account: str) -> Call:
    """Read a call and see that it speaks about our merchant account."""
    body: dict[str, Any] = {}
    if request.method == "POST":
        try:
            body = orjson.loads(await request.body())
        except ValueError as error:
            raise ApiError(400, "702", "The body is not JSON") from error
        if not isinstance(body, dict):
            raise ApiError(400, "702", "The body is not a JSON object")
    query = dict(request.query_params)
    named: object = query.get("merchantAccount", merchant_account)
    if request.method == "POST":
        named = body.get("merchantAccount", body.get("merchantAccountCode"))
    if named != merchant_account:
        raise ApiError(403, "901", "Invalid Merchant Account", "security")
    return Call(dict(request.path_params), query, body, str(request.base_url).rstrip("/"))


def _stored(books: Books, key: str, shopper: str) -> StoredMethod | None:
    stored = books.get(StoredMethod, key)
    if key and (stored is None or stored.shopper_reference != shopper):
        raise ApiError(422, "800", "Contract not found")
    return stored
