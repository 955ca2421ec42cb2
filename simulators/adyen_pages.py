"""The stand-in's pages: one to pay a Checkout session on, one of the shopper's bank (3-D Secure), and the ways back."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from simulators.adyen_bank import Bank, Wish
from simulators.adyen_books import Books
from simulators.adyen_cards import DECLINED, NOT_AUTHENTICATED, BadCard, Card, Outcome, card, major, outcome
from simulators.adyen_records import Authentication, Session

_METHODS = {
    "scheme": "Card",
    "applepay": "Apple Pay",
    "googlepay": "Google Pay",
    "ideal": "iDEAL",
    "bcmc": "Bancontact",
}
_SHOWN = ("scheme", "applepay", "googlepay")
_TEST_CARD = "4111 1111 1111 1111"

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  body {{ font: 1rem/1.5 system-ui, sans-serif; background: #f3f5f4; color: #1c2521; margin: 0; padding: 3rem 1rem }}
  main {{ max-width: 22rem; margin: auto; padding: 2rem; background: #fff; border-radius: 1rem }}
  h1 {{ margin: 0 0 .25rem; font-size: 1.75rem }}
  p, fieldset {{ margin: 0 0 1rem; border: 0; padding: 0; overflow-wrap: anywhere }}
  label {{ margin-right: 1rem }} label.row {{ display: block; margin: 0 0 .5rem }}
  input:not([type]) {{ font: inherit; width: 100%; box-sizing: border-box; padding: .5rem }}
  button {{ font: inherit; width: 100%; padding: .75rem; margin-top: .5rem; border-radius: .5rem; cursor: pointer;
            border: 1px solid #1c2521; background: #fff; color: inherit }}
  button[value=approve] {{ border-color: #0a7a3d; background: #0a7a3d; color: #fff }}
</style>
<main><h1>{title}</h1>{body}</main></html>"""

_FORM = """<p>{account}, {reference}</p><p>{said}</p>
<form method="post"><input type="hidden" name="attempt" value="{attempt}">
<fieldset>{methods}</fieldset>
<label class="row">Card number <input name="number" value="{number}" inputmode="numeric" autocomplete="off"></label>
<label class="row">Name on card <input name="holder" value="J. Smith" autocomplete="off"></label>
<button name="outcome" value="approve">Approve</button>
<button name="outcome" value="decline">Decline</button></form>"""

_QUESTION = """<p>Your bank asks: do you want to pay {amount} to {account}?</p>
<form method="post"><button name="outcome" value="approve">It is me</button>
<button name="outcome" value="decline">It is not me</button></form>"""

_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "Cache-Control": "no-store"}


class PayPage:
    """Shows a Checkout session and books what its two buttons say."""

    def __init__(self, books: Books, bank: Bank, account: str) -> None:
        self._books, self._bank, self._account = books, bank, account

    def routes(self) -> list[Route]:
        """The pages and their forms."""
        pay, bank = "/pay/{session}", "/3ds/{asked}"
        return [
            Route(pay, self._show, methods=["GET"]),
            Route(pay, self._press, methods=["POST"]),
            Route(bank, self._ask, methods=["GET"]),
            Route(bank, self._hear, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        session = self._session(request)
        if gone := _gone(session):
            return gone
        assert session is not None
        if session.status == "completed":
            return _page("Paid", f"<p>{escape(session.reference)} is paid.</p>")
        return self._form(session, "Your bank has declined. You may try again." if session.status == "refused" else "")

    def _form(self, session: Session, said: str, status: int = 200) -> Response:
        checked, kinds = ' checked="checked"', [kind for kind in session.methods if kind in _METHODS] or _SHOWN
        methods = "".join(
            f'<label><input type="radio" name="method" value="{kind}"{checked * (kind == kinds[0])}>'
            f" {_METHODS[kind]}</label>"
            for kind in kinds
        )
        form = _FORM.format(
            account=escape(self._account),
            reference=escape(session.reference),
            said=said or "A test payment.",
            attempt=session.attempts + 1,
            methods=methods,
            number=_TEST_CARD,
        )
        return _page(_money(session.amount_minor, session.currency), form, status)

    async def _press(self, request: Request) -> Response:
        """Book one outcome for each numbered attempt; any repetition only leads back again."""
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        session = self._session(request)
        if gone := _gone(session):
            return gone
        assert session is not None
        pressed, method = form.get("outcome", ""), form.get("method", "scheme")
        if pressed not in {"approve", "decline"} or method not in _METHODS:
            return _page("Not understood", "<p>Neither approved nor declined.</p>", 400)
        if session.status == "completed" or form.get("attempt", "1") != str(session.attempts + 1):
            return (
                _returned(session, list(session.results)[-1]) if session.results else _page("Not understood", "", 400)
            )
        try:
            way = card(method, form.get("number", ""))
        except BadCard as error:
            return self._form(session, f"{error}.", 422)
        wish = _wish(session, way, stores=session.stores and form.get("store") != "no")
        says = outcome(form.get("holder")) if pressed == "approve" else DECLINED
        with self._books.transaction():
            if way.authentication and pressed == "approve":
                asked = self._bank.authenticate(session.id, wish, says, session.return_url)
                return RedirectResponse(f"/3ds/{asked.id}", 303)
            return _returned(session, self._bank.pay_session(session, wish, says))

    async def _ask(self, request: Request) -> Response:
        asked = self._books.get(Authentication, request.path_params["asked"])
        if asked is None or asked.kind == "native":
            return _page("Not found", "<p>Your bank has no question.</p>", 404)
        amount = _money(asked.wish["amount_minor"], asked.wish["currency"])
        return _page("Is it you?", _QUESTION.format(amount=amount, account=escape(self._account)))

    async def _hear(self, request: Request) -> Response:
        """What the shopper said to their bank: once; then only back again."""
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        asked = self._books.get(Authentication, request.path_params["asked"])
        if asked is None or asked.kind == "native" or form.get("outcome") not in {"approve", "decline"}:
            return _page("Not understood", "<p>Neither yes nor no.</p>", 400)
        with self._books.transaction():
            if asked.state == "waiting":
                asked.state = "approved" if form["outcome"] == "approve" else "declined"
                self._books.put(asked)
                self._book(asked)
        session = self._books.get(Session, asked.kind)
        if session and session.results:
            return _returned(session, list(session.results)[-1])
        return _back(asked.return_url, redirectResult=f"X6XtfGC3!{asked.result}")

    def _book(self, asked: Authentication) -> None:
        """On a pay page that is the end of it; else the merchant must ask for the payment with the result."""
        session = self._books.get(Session, asked.kind)
        if session and session.status in {"active", "refused"}:
            says = Outcome(**asked.outcome) if asked.state == "approved" else NOT_AUTHENTICATED
            self._bank.pay_session(session, Wish(**asked.wish), says, asked.id)

    def _session(self, request: Request) -> Session | None:
        with self._books.transaction():
            self._bank.expire_what_is_due()
        return self._books.get(Session, request.path_params["session"])


def _wish(session: Session, way: Card, *, stores: bool) -> Wish:
    return Wish(
        reference=session.reference,
        amount_minor=session.amount_minor,
        currency=session.currency,
        shopper_reference=session.shopper_reference,
        capture=session.capture,
        stores=stores,
        method=way.brand,
        last_four=way.last_four,
        session_id=session.id,
    )


def _gone(session: Session | None) -> Response | None:
    if session is None:
        return _page("Not found", "<p>There is no such payment.</p>", 404)
    if session.status == "expired":
        return _page("Too late", "<p>This payment has expired.</p>", 410)
    return None


def _returned(session: Session, result: str) -> Response:
    return _back(session.return_url, sessionId=session.id, sessionResult=result)


def _back(url: str, **names: str) -> Response:
    parts = urlsplit(url)
    query = f"{parts.query}&{urlencode(names)}" if parts.query else urlencode(names)
    return RedirectResponse(urlunsplit(parts._replace(query=query)), 303)


def _money(minor: int, currency: str) -> str:
    """An amount as people read it."""
    return f"{major(minor, currency)} {currency}"


def _page(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(_PAGE.format(title=escape(title), body=body), status, _HEADERS)
