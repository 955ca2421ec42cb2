"""The stand-in's pay page: a Checkout session, two buttons, and the way back to the merchant."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from simulators.adyen_bank import Bank, Outcome, Wish
from simulators.adyen_books import Books, Session
from simulators.adyen_requests import DECLINED, brand

_METHODS = {"scheme": "Card", "applepay": "Apple Pay", "googlepay": "Google Pay"}
_NO_DIGITS = {"CVE", "DJF", "GNF", "IDR", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
_THREE_DIGITS = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  body {{ font: 1rem/1.5 system-ui, sans-serif; background: #f3f5f4; color: #1c2521; margin: 0; padding: 3rem 1rem }}
  main {{ max-width: 22rem; margin: auto; padding: 2rem; background: #fff; border-radius: 1rem }}
  h1 {{ margin: 0 0 .25rem; font-size: 1.75rem }}
  p, fieldset {{ margin: 0 0 1rem; border: 0; padding: 0; overflow-wrap: anywhere }}
  label {{ margin-right: 1rem }}
  button {{ font: inherit; width: 100%; padding: .75rem; margin-top: .5rem; border-radius: .5rem; cursor: pointer;
            border: 1px solid #1c2521; background: #fff; color: inherit }}
  button[value=approve] {{ border-color: #0a7a3d; background: #0a7a3d; color: #fff }}
</style>
<main><h1>{title}</h1>{body}</main></html>"""

_FORM = """<p>{account}, {reference}</p><p>{said}</p>
<form method="post"><input type="hidden" name="attempt" value="{attempt}">
<fieldset>{methods}</fieldset>
<button name="outcome" value="approve">Approve</button>
<button name="outcome" value="decline">Decline</button></form>"""

_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "Cache-Control": "no-store"}


class PayPage:
    """Shows a Checkout session and books what its two buttons say."""

    def __init__(self, books: Books, bank: Bank, account: str) -> None:
        self._books, self._bank, self._account = books, bank, account

    def routes(self) -> list[Route]:
        """The page itself and its form."""
        path = "/pay/{session}"
        return [Route(path, self._show, methods=["GET"]), Route(path, self._press, methods=["POST"])]

    async def _show(self, request: Request) -> Response:
        session = self._session(request)
        if gone := _gone(session):
            return gone
        assert session is not None
        if session.status == "completed":
            return _page("Paid", f"<p>{escape(session.reference)} is paid.</p>")
        checked = ' checked="checked"'
        methods = "".join(
            f'<label><input type="radio" name="method" value="{kind}"{checked * (kind == "scheme")}> {name}</label>'
            for kind, name in _METHODS.items()
        )
        form = _FORM.format(
            account=escape(self._account),
            reference=escape(session.reference),
            said="Your bank has declined. You may try again." if session.status == "refused" else "A test payment.",
            attempt=session.attempts + 1,
            methods=methods,
        )
        return _page(_money(session.amount_minor, session.currency), form)

    async def _press(self, request: Request) -> Response:
        """Book one outcome for each numbered attempt; any repetition only leads back again."""
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        session = self._session(request)
        if gone := _gone(session):
            return gone
        assert session is not None
        outcome = {"approve": Outcome(), "decline": DECLINED}.get(form.get("outcome", ""))
        method = form.get("method", "scheme")
        if outcome is None or method not in _METHODS:
            return _page("Not understood", "<p>Neither approved nor declined.</p>", 400)
        if session.status == "completed" or form.get("attempt", "1") != str(session.attempts + 1):
            return _back(session, list(session.results)[-1]) if session.results else _page("Not understood", "", 400)
        with self._books.transaction():
            wish = _wish(session, method, stores=session.stores and form.get("store") != "no")
            result = self._bank.pay_session(session, wish, outcome)
        return _back(session, result)

    def _session(self, request: Request) -> Session | None:
        with self._books.transaction():
            self._bank.expire_what_is_due()
        return self._books.get(Session, request.path_params["session"])


def _wish(session: Session, method: str, *, stores: bool) -> Wish:
    return Wish(
        reference=session.reference,
        amount_minor=session.amount_minor,
        currency=session.currency,
        shopper_reference=session.shopper_reference,
        manual=session.manual,
        stores=stores,
        method=brand(method),
        session_id=session.id,
    )


def _gone(session: Session | None) -> Response | None:
    if session is None:
        return _page("Not found", "<p>There is no such payment.</p>", 404)
    if session.status == "expired":
        return _page("Too late", "<p>This payment has expired.</p>", 410)
    return None


def _back(session: Session, result: str) -> Response:
    parts = urlsplit(session.return_url)
    added = urlencode({"sessionId": session.id, "sessionResult": result})
    query = f"{parts.query}&{added}" if parts.query else added
    return RedirectResponse(urlunsplit(parts._replace(query=query)), 303)


def _money(minor: int, currency: str) -> str:
    """An amount as people read it; the digits after the point are Adyen's."""
    if currency in _NO_DIGITS:
        return f"{minor} {currency}"
    digits = 3 if currency in _THREE_DIGITS else 2
    whole, rest = divmod(minor, 10**digits)
    return f"{whole}.{rest:0{digits}} {currency}"


def _page(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(_PAGE.format(title=escape(title), body=body), status, _HEADERS)
