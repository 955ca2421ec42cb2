"""The stand-in's Checkout API, under /v72 and every other version: sessions, payments, what becomes of them, cards."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.routing import Mount, Route

from simulators.adyen_api import Api, Work, nowhere
from simulators.adyen_bank import Bank, Wish, new_reference
from simulators.adyen_books import Books, Clock
from simulators.adyen_cards import NOT_AUTHENTICATED, Outcome
from simulators.adyen_courier import Courier
from simulators.adyen_modifications import Modifications
from simulators.adyen_records import Authentication, Modification, Payment, Session, StoredMethod
from simulators.adyen_requests import ApiError, Call

_LONGEST_SESSION_SECONDS = 24 * 3600
_LONGEST_RESULT = 65_536
_MODIFIED = ("captures", "refunds", "cancels", "amountUpdates", "reversals")
_NOT_FOUND = ("167", "Original pspReference required for this operation")
_LOCAL = {"NL": ("ideal", "iDEAL"), "BE": ("bcmc", "Bancontact"), "AT": ("eps", "EPS"), "SE": ("swish", "Swish")}


class Checkout:
    """Lets the bank do what calls ask."""

    def __init__(
        self, books: Books, bank: Bank, modifications: Modifications, courier: Courier, clock: Clock, account: str
    ) -> None:
        self._books, self._bank, self._modifications = books, bank, modifications
        self._courier, self._clock, self._account = courier, clock, account

    def routes(self, api: Api) -> Mount:
        """The API, below its version."""
        return Mount(
            "/v{version:int}",
            routes=[
                api.route("/sessions", self._open_session),
                api.route("/sessions/{session}", self._tell_session, "GET"),
                api.route("/payments", self._pay),
                api.route("/payments/details", self._finish),
                *(api.route(f"/payments/{{payment}}/{kind}", self._modification(kind)) for kind in _MODIFIED),
                api.route("/cancels", self._cancel_by_reference),
                api.route("/paymentMethods", self._list_methods),
                api.route("/storedPaymentMethods", self._list_stored, "GET"),
                api.route("/storedPaymentMethods/{method}", self._forget_stored, "DELETE"),
                Route("/{rest:path}", nowhere, methods=["GET", "POST", "DELETE", "PATCH"]),
            ],
        )

    def _open_session(self, call: Call) -> tuple[int, dict[str, Any]]:
        amount_minor, currency = call.amount()
        call.metadata()
        now = self._clock()
        expires_at = _instant(call.text("expiresAt", 40)) or now + 3600
        if not now < expires_at <= now + _LONGEST_SESSION_SECONDS:
            raise ApiError(422, "702", "The field 'expiresAt' is not within the next 24 hours")
        stores = call.one_of("storePaymentMethodMode", "disabled", "enabled", "askForConsent") != "disabled"
        session = Session(
            id=f"CS{secrets.token_hex(9).upper()}",
            due=expires_at,
            psp_reference=new_reference(),
            reference=call.reference(),
            amount_minor=amount_minor,
            currency=currency,
            return_url=call.return_url(),
            shopper_reference=call.shopper(),
            capture=call.capture(),
            stores=stores,
            methods=call.texts("allowedPaymentMethods"),
            session_data=f"Ab02b4c0!{secrets.token_urlsafe(96)}",
            expires_at=expires_at,
        )
        self._books.put(session)
        echoed = ("amount", "countryCode", "merchantAccount", "mode", "reference", "returnUrl", "shopperReference")
        body = {name: call.body[name] for name in echoed if name in call.body} | {
            "id": session.id,
            "expiresAt": datetime.fromtimestamp(expires_at, UTC).isoformat(timespec="seconds"),
            "sessionData": session.session_data,
        }
        return 201, body | ({"url": f"{call.server}/pay/{session.id}"} if call.body.get("mode") == "hosted" else {})

    def _tell_session(self, call: Call) -> tuple[int, dict[str, Any]]:
        """What a `sessionResult` says, which never changes; without one, how the session stands now."""
        session = self._books.get(Session, call.path["session"])
        if session is None:
            raise ApiError(404, "000", "Session not found")
        asked = call.query.get("sessionResult", "")
        if asked and asked not in session.results:
            raise ApiError(422, "702", "Invalid sessionResult")
        status = session.results.get(asked, session.status)
        return 200, {"id": session.id, "status": status, "reference": session.reference}

    def _pay(self, call: Call) -> tuple[int, dict[str, Any]]:
        wish, authentication = call.wish(self._books)
        if authentication:
            asked = self._bank.authenticate(authentication, wish, call.outcome(), call.return_url())
            return 200, _next_step(asked, call.server)
        return 200, _paid(self._bank.pay(wish, call.outcome()), call.part("paymentMethod").get("type", "scheme"))

    def _finish(self, call: Call) -> tuple[int, dict[str, Any]]:
        """What came back from the shopper's bank; the same result again is the same payment."""
        details = call.part("details")
        result = details.get("redirectResult") or details.get("threeDSResult")
        if not isinstance(result, str) or len(result) > _LONGEST_RESULT:
            raise ApiError(422, "702", "Required field 'details' is not provided")
        said = {} if "redirectResult" in details else _decoded(result)
        token = str(said.get("authorisationToken") or call.body.get("paymentData") or result).rpartition("!")[2]
        (asked,) = self._books.of(Authentication, token)[:1] or (None,)
        if asked is None or (asked.kind == "native") == ("redirectResult" in details):
            raise ApiError(422, "702", "Invalid payload provided")
        if asked.state == "waiting" and "transStatus" not in said:
            asked.state = "challenged"  # the device is known now; the bank wants to hear from its owner
            self._books.put(asked)
            return 200, _next_step(asked, call.server)
        if asked.state in {"waiting", "challenged"}:
            asked.state = "approved" if said.get("transStatus") == "Y" else "declined"
        payment = self._books.get(Payment, asked.id)
        if payment is None:
            outcome = Outcome(**asked.outcome) if asked.state == "approved" else NOT_AUTHENTICATED
            payment = self._bank.pay(Wish(**asked.wish), outcome, asked.id)
            self._books.put(asked)
        return 200, _paid(payment, "scheme")

    def _modification(self, kind: str) -> Work:
        def work(call: Call) -> tuple[int, dict[str, Any]]:
            payment = self._books.get(Payment, call.path["payment"])
            if payment is None:
                raise ApiError(422, *_NOT_FOUND)
            status, body = self._modified(kind, payment, call, {"paymentPspReference": payment.id})
            return status, body | self._told_at_once(kind, payment, call, body["pspReference"])

        return work

    def _told_at_once(self, kind: str, payment: Payment, call: Call, reference: str) -> dict[str, Any]:
        """The synchronous adjustment: whoever hands in the data of the last one hears the outcome in the answer."""
        if kind != "amountUpdates" or not call.text("adjustAuthorisationData", _LONGEST_RESULT):
            return {}
        made = self._books.get(Modification, reference)
        assert made is not None
        said = {"status": "authorised" if made.success else "refused", "adjustAuthorisationData": _adjusting(payment)}
        return said if made.success else said | {"refusalReason": made.reason}

    def _cancel_by_reference(self, call: Call) -> tuple[int, dict[str, Any]]:
        named = call.text("paymentReference", 80, _NOT_FOUND)
        found = self._books.of(Payment, named)
        if not found:  # received all the same, and nothing ever comes of it
            return 201, _received(call, new_reference(), {"paymentReference": named})
        open_first = sorted(found, key=lambda payment: payment.status != "authorised")
        return self._modified("technicalCancels", open_first[0], call, {"paymentReference": named})

    def _modified(self, kind: str, payment: Payment, call: Call, names: dict[str, str]) -> tuple[int, dict[str, Any]]:
        amount_minor, currency = payment.amount_minor, payment.currency
        if kind not in {"cancels", "technicalCancels", "reversals"}:
            amount_minor, currency = call.amount(least=1)
        if currency != payment.currency:
            raise ApiError(422, "138", "Unsupported currency specified")
        made = self._modifications.make(kind, payment, amount_minor, call.text("reference", 80))
        return 201, _received(call, made.id, names)

    def _list_methods(self, call: Call) -> tuple[int, dict[str, Any]]:
        methods: list[dict[str, Any]] = [
            {"brands": ["visa", "mc", "amex"], "name": "Cards", "type": "scheme"},
            {"name": "Apple Pay", "type": "applepay"},
            {"name": "Google Pay", "type": "googlepay"},
        ]
        if local := _LOCAL.get(call.text("countryCode", 2)):
            methods.append({"type": local[0], "name": local[1]})
        allowed, blocked = call.texts("allowedPaymentMethods"), call.texts("blockedPaymentMethods")
        shown = [one for one in methods if one["type"] in (allowed or [one["type"]]) and one["type"] not in blocked]
        stored = self._stored_of(call.shopper())
        return 200, {"paymentMethods": shown} | ({"storedPaymentMethods": stored} if stored else {})

    def _list_stored(self, call: Call) -> tuple[int, dict[str, Any]]:
        shopper = call.query.get("shopperReference", "")
        named = {"merchantAccount": self._account, "shopperReference": shopper}
        return 200, named | {"storedPaymentMethods": self._stored_of(shopper)}

    def _forget_stored(self, call: Call) -> tuple[int, dict[str, Any]]:
        stored = self._books.get(StoredMethod, call.path["method"])
        if stored is None or stored.shopper_reference != call.query.get("shopperReference"):
            raise ApiError(422, "800", "Contract not found")
        self._books.remove(stored)
        self._courier.tell_token("disabled", stored)
        return 204, {}

    def _stored_of(self, shopper: str) -> list[dict[str, Any]]:
        return [
            {
                "brand": stored.brand,
                "expiryMonth": "03",
                "expiryYear": "2030",
                "id": stored.id,
                "lastFour": stored.last_four,
                "name": stored.brand.upper(),
                "shopperReference": shopper,
                "supportedRecurringProcessingModels": ["CardOnFile", "Subscription", "UnscheduledCardOnFile"],
                "type": "scheme",
            }
            for stored in self._books.of(StoredMethod, shopper)
            if shopper
        ]


def _received(call: Call, reference: str, names: dict[str, str]) -> dict[str, Any]:
    echoed = {name: call.body[name] for name in ("merchantAccount", "reference", "amount") if name in call.body}
    return echoed | names | {"pspReference": reference, "status": "received"}


def _paid(payment: Payment, kind: str) -> dict[str, Any]:
    """The answer to a payment that has come to an end."""
    body: dict[str, Any] = {
        "pspReference": payment.id,
        "resultCode": payment.result_code,
        "amount": {"currency": payment.currency, "value": payment.amount_minor},
        "merchantReference": payment.reference,
        "paymentMethod": {"brand": payment.method, "type": kind},
    }
    if payment.refusal_code:
        body |= {"refusalReason": payment.refusal_reason, "refusalReasonCode": payment.refusal_code}
    elif payment.capture == "manual":
        body["additionalData"] = {"adjustAuthorisationData": _adjusting(payment)}
    return body


def _next_step(asked: Authentication, server: str) -> dict[str, Any]:
    """What the shopper has to do before there is a payment: go to a page, or let their device speak, then speak."""
    if asked.kind == "redirect":
        action = {"paymentMethodType": "scheme", "url": f"{server}/3ds/{asked.id}", "method": "GET", "type": "redirect"}
        return {"pspReference": asked.id, "resultCode": "RedirectShopper", "action": action}
    challenged = asked.state == "challenged"
    action = {
        "paymentMethodType": "scheme",
        "paymentData": f"Ab02b4c0!{asked.result}",
        "authorisationToken": f"Ab02b4c0!{asked.result}",
        "subtype": "challenge" if challenged else "fingerprint",
        "token": base64.b64encode(orjson.dumps({"threeDSServerTransID": asked.id})).decode(),
        "type": "threeDS2",
    }
    return {"resultCode": "ChallengeShopper" if challenged else "IdentifyShopper", "action": action}


def _decoded(result: str) -> dict[str, Any]:
    """A `threeDSResult`: an object in JSON, in base64."""
    try:
        said = orjson.loads(base64.b64decode(result, validate=True))
    except ValueError as error:
        raise ApiError(422, "702", "Invalid payload provided") from error
    return said if isinstance(said, dict) else {}


def _adjusting(payment: Payment) -> str:
    return f"BQABAQ{base64.b64encode(f'{payment.id}:{payment.amount_minor}'.encode()).decode()}"


def _instant(text: str) -> float:
    """Seconds since 1970, of an ISO instant that names its offset; 0 for no text."""
    try:
        instant = datetime.fromisoformat(text) if text else datetime.fromtimestamp(0, UTC)
    except ValueError as error:
        raise ApiError(422, "702", "The field 'expiresAt' is not an instant") from error
    if instant.tzinfo is None:
        raise ApiError(422, "702", "The field 'expiresAt' names no offset")
    return instant.timestamp()
