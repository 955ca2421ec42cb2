"""The guard before GraphQL: media types, strict JSON, envelopes and frames. Knows no field and no caller."""

from __future__ import annotations

import json
from collections.abc import Mapping

import orjson
from starlette.datastructures import Headers
from strawberry.http import GraphQLRequestData

JSON, GRAPHQL_JSON = "application/json", "application/graphql-response+json"
LONGEST_DOCUMENT = 15_000
LONGEST_ID = 64
_MEDIA = {JSON: JSON, GRAPHQL_JSON: GRAPHQL_JSON, "application/*": JSON, "*/*": JSON}
_ENVELOPE: Mapping[str, tuple[type, str]] = {
    "query": (str, "a string"),
    "operationName": (str, "a string"),
    "variables": (dict, "an object"),
    "extensions": (dict, "an object"),
}
_FRAMES = {"connection_init", "ping", "pong", "subscribe", "complete"}


class Refused(Exception):
    """A request that never becomes an operation. `facts` go beside the code."""

    def __init__(self, status: int, code: str, message: str, **facts: object) -> None:
        super().__init__(message)
        self.status = status
        self.facts = {"code": code, **facts}


def admit(method: str, headers: Headers) -> str:
    """The media type that the caller wants. Raises Refused for what is not a POST of JSON."""
    if method != "POST":
        raise Refused(405, "BAD_REQUEST", "Send operations by POST.")
    wanted = _wanted(headers.get("accept", "*/*"))
    if wanted is None:
        raise Refused(406, "BAD_REQUEST", f"Accept {JSON} or {GRAPHQL_JSON}.")
    media, _, parameters = headers.get("content-type", "").lower().partition(";")
    charset = dict(_pairs(parameters)).get("charset", "utf-8")
    is_plain = headers.get("content-encoding", "identity").lower() == "identity"
    if media.strip() != JSON or charset not in {"utf-8", "utf8"} or not is_plain:
        raise Refused(415, "BAD_REQUEST", f"Send operations as {JSON} in UTF-8, not compressed.")
    return wanted


def strict_json(data: str | bytes) -> object:
    """What JSON says without doubt: no NaN, no lone surrogate, no twin names. Raises json.JSONDecodeError."""
    value: object = orjson.loads(data)
    try:
        json.loads(data, object_pairs_hook=_without_twins)
    except RecursionError:
        raise json.JSONDecodeError("It is nested too deeply", "", 0) from None
    return value


def operation_of(body: object) -> GraphQLRequestData:
    """The operation in an envelope. Raises Refused."""
    flaw = _flaw_of_envelope(body)
    if flaw is not None or not isinstance(body, dict):
        raise Refused(400, "BAD_REQUEST", flaw or "")
    query = body.get("query")
    if not query:
        raise Refused(400, "BAD_REQUEST", "There is no `query`.")
    if len(query) > LONGEST_DOCUMENT:
        message = f"A document has at most {LONGEST_DOCUMENT} characters."
        raise Refused(400, "LIMIT_EXCEEDED", message, rule="characters", limit=LONGEST_DOCUMENT)
    return GraphQLRequestData(
        query=query,
        variables=body.get("variables"),
        operation_name=body.get("operationName"),
        extensions=body.get("extensions"),
        protocol="http",
    )


def flaw_of_frame(frame: object) -> str | None:
    """What makes this no frame of `graphql-transport-ws`; None if it is one."""
    if not isinstance(frame, dict):
        return "A frame is an object."
    kind, payload = frame.get("type"), frame.get("payload")
    if not isinstance(kind, str) or kind not in _FRAMES:
        return "A frame has a known type."
    if kind in {"subscribe", "complete"} and not _is_id(frame.get("id")):
        return f"{kind} has an id of 1 to {LONGEST_ID} characters."
    if kind == "subscribe":
        has_query = isinstance(payload, dict) and isinstance(payload.get("query"), str)
        return _flaw_of_envelope(payload) if has_query else "subscribe has a payload with a query."
    return None if kind == "complete" or isinstance(payload, dict | None) else f"The payload of {kind} is an object."


def _flaw_of_envelope(body: object) -> str | None:
    if not isinstance(body, dict):
        return "Send one operation as an object; there is no batching."
    for name, (kind, what) in _ENVELOPE.items():
        if not isinstance(body.get(name), kind | None):
            return f"`{name}` is {what}."
    return None


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= LONGEST_ID


def _wanted(accept: str) -> str | None:
    """Of the media types that can be sent the one with the highest q; the first of equals."""
    best, highest = None, 0.0
    for part in accept.split(","):
        media, _, parameters = part.partition(";")
        known, weight = _MEDIA.get(media.strip().lower()), _weight(dict(_pairs(parameters)).get("q", "1"))
        if known is not None and weight > highest:
            best, highest = known, weight
    return best


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _pairs(parameters: str) -> list[tuple[str, str]]:
    found = (part.partition("=") for part in parameters.split(";"))
    return [(name.strip().lower(), value.strip().strip('"').lower()) for name, equals, value in found if equals]


def _without_twins(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise json.JSONDecodeError("A name is there twice", "", 0)
