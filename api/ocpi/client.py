"""OcpiControl: commands to charge points through the OCPI 2.2.1 receiver of their operator.

What certainly did not arrive is told apart from what may have: only the former may be given up at once.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping

import httpx2
import orjson
import structlog

from api.keys import Keys, NotSealedByUs
from api.ocpi.commands import NAMES, response_url
from api.ocpi.wire import Code, authorization, encoded, instant
from domain.clock import Clock
from domain.partners import Party
from domain.sessions import CommandKind, Reply, Start, Stop

CONNECT_SECONDS = 2.0
TOTAL_SECONDS = 10.0
MOST_BYTES = 64 * 1024
MOST_CONNECTIONS = 100

_REPLIES = {
    "ACCEPTED": Reply.ACCEPTED,
    "REJECTED": Reply.REFUSED,
    "NOT_SUPPORTED": Reply.REFUSED,
    "UNKNOWN_SESSION": Reply.REFUSED,
}
_BEFORE_SENDING = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
    httpx2.InvalidURL,
)
_log = structlog.get_logger(__name__)


class OcpiControl:
    """Answers `domain.sessions.ChargerControl`. `issuer` is the company that our Tokens name."""

    def __init__(
        self, keys: Keys, public_url: str, clock: Clock, *, issuer: str, total_seconds: float = TOTAL_SECONDS
    ) -> None:
        self._keys = keys
        self._public_url = public_url
        self._clock = clock
        self._issuer = issuer
        self._total_seconds = total_seconds
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(total_seconds, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
            limits=httpx2.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=20),
            follow_redirects=False,
            trust_env=False,
        )

    async def send(self, order: Start | Stop) -> Reply:
        """Pass an order on; ends within ten seconds and never raises."""
        kind = CommandKind.START if isinstance(order, Start) else CommandKind.STOP
        party = order.place.party if isinstance(order, Start) else order.party
        if party.commands_url is None or party.commands_token_sealed is None or self._client.is_closed:
            return Reply.NOT_SENT
        try:
            headers = self._headers(order, party, self._keys.open(party.commands_token_sealed))
            url = f"{party.commands_url.rstrip('/')}/{NAMES[kind]}"
            async with asyncio.timeout(self._total_seconds):
                reply, said = await self._post(url, headers, encoded(self._body(order, kind)))
        except (*_BEFORE_SENDING, NotSealedByUs) as error:
            reply, said = Reply.NOT_SENT, type(error).__name__
        except (httpx2.HTTPError, TimeoutError) as error:
            reply, said = Reply.UNKNOWN, type(error).__name__
        note = _log.info if reply is Reply.ACCEPTED else _log.warning
        note("charger_asked", order=kind, command=str(order.command), party=_name(party), reply=reply, said=said)
        return reply

    async def close(self) -> None:
        """Give back every connection."""
        await self._client.aclose()

    async def _post(self, url: str, headers: Mapping[str, str], content: bytes) -> tuple[Reply, str]:
        async with self._client.stream("POST", url, headers=headers, content=content) as response:
            raw = bytearray()
            async for chunk in response.aiter_raw():
                raw += chunk
                if len(raw) > MOST_BYTES:
                    return Reply.UNKNOWN, "too much"
            return _judged(response.status_code, bytes(raw))

    def _headers(self, order: Start | Stop, party: Party, token: str) -> dict[str, str]:
        routing = {"OCPI-to-country-code": party.country_code, "OCPI-to-party-id": party.party_id}
        if isinstance(order, Start):
            routing["OCPI-from-country-code"] = order.token.country_code
            routing["OCPI-from-party-id"] = order.token.party_id
        return {
            "Authorization": authorization(token),
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "X-Request-ID": str(uuid.uuid4()),
            "X-Correlation-ID": str(order.command),
            **routing,
        }

    def _body(self, order: Start | Stop, kind: CommandKind) -> dict[str, object]:
        answer_to = {"response_url": response_url(self._public_url, kind, order.command)}
        if isinstance(order, Stop):
            return {**answer_to, "session_id": order.session}
        place, token = order.place, order.token
        return {
            **answer_to,
            "token": {
                "country_code": token.country_code,
                "party_id": token.party_id,
                "uid": token.uid,
                "type": token.kind,
                "contract_id": token.contract_id,
                "issuer": self._issuer,
                "valid": token.is_valid,
                # Every start asks us: the money is set aside here.
                "whitelist": "NEVER",
                "last_updated": instant(self._clock.now()),
            },
            "location_id": place.location.ocpi_id,
            "evse_uid": place.evse.uid,
            "connector_id": place.connector.ocpi_id,
            "authorization_reference": order.authorization_reference,
        }


def _judged(http: int, raw: bytes) -> tuple[Reply, str]:
    """What an answer means. A definite no is one that says so; everything strange may have been a yes."""
    code, result = _said(raw)
    said = f"HTTP {http}, {code}, {result}"
    if http == httpx2.codes.TOO_MANY_REQUESTS:
        return Reply.NOT_SENT, said
    is_success, is_client_error = httpx2.codes.is_success(http), httpx2.codes.is_client_error(http)
    if is_client_error or (is_success and Code.CLIENT_ERROR <= code < Code.SERVER_ERROR):
        return Reply.REFUSED, said
    if is_success and Code.DONE <= code < Code.CLIENT_ERROR:
        return _REPLIES.get(result, Reply.UNKNOWN), said
    return Reply.UNKNOWN, said


def _said(raw: bytes) -> tuple[int, str]:
    """The code of the envelope and the result in it; 0 and nothing if there are none."""
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return 0, ""
    if not isinstance(answer, dict) or not isinstance(answer.get("status_code"), int):
        return 0, ""
    data = answer.get("data")
    result = data.get("result") if isinstance(data, dict) else None
    return int(answer["status_code"]), result[:36] if isinstance(result, str) else ""


def _name(party: Party) -> str:
    return f"{party.country_code}*{party.party_id}"
