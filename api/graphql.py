"""The GraphQL door: Strawberry's view with our envelope, our credentials, one context an operation, and clear codes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from json import JSONDecodeError
from typing import Any

import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData, process_result
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from api.askers import Askers
from api.auth import Unauthenticated, bearer_of
from api.front import GRAPHQL_JSON, JSON, Refused, admit, operation_of, strict_json
from api.sockets import Handler, Line, Wire, is_refused
from domain.clock import Clock
from domain.errors import TryAgain
from resolvers.context import Context
from resolvers.schema import GatewaySchema

_log = structlog.get_logger(__name__)
INIT_WITHIN = timedelta(seconds=5)
MOST_OPERATIONS = 20
_STATUS = {
    "BAD_REQUEST": 400,
    "LIMIT_EXCEEDED": 400,
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "UNAVAILABLE": 503,
}
_HEADERS = {
    401: {"www-authenticate": "Bearer"},
    405: {"allow": "POST"},
    503: {"retry-after": "1"},
}


class Gateway(GraphQL[Any, None]):
    """`/graphql` over HTTP and WebSocket."""

    graphql_transport_ws_handler_class = Handler
    websocket_adapter_class = Wire

    def __init__(
        self,
        schema: GatewaySchema,
        askers: Askers,
        clock: Clock,
        *,
        most_bytes: int,
        origins: Sequence[str] = (),
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=INIT_WITHIN,
            max_subscriptions_per_connection=MOST_OPERATIONS,
            allowed_origins=origins,
        )
        self.askers = askers
        self.clock = clock
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket; whatever cannot become an operation is answered in GraphQL's own words."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        request, media = Request(scope, receive), JSON
        try:
            media = admit(request.method, request.headers)
            request._body = await self._bounded(request)  # noqa: SLF001  read once, within its bound
            response = await self.run(request)
        except ClientDisconnect:
            return
        except Refused as refusal:
            response = _refusal(refusal)
        except Unauthenticated as refusal:
            _log.info("credential refused", reason=refusal.reason)
            told = Refused(401, "UNAUTHENTICATED", "The credential is missing, wrong or expired; sign in again.")
            response = _refusal(told, {"www-authenticate": 'Bearer error="invalid_token"'})
        except TryAgain as refusal:
            response = _refusal(Refused(503, "UNAVAILABLE", str(refusal)))
        response.headers["content-type"] = f"{media}; charset=utf-8"
        response.headers["cache-control"] = "no-store"
        response.headers["vary"] = "Accept"
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context | Line:
        """The context of an HTTP request; of a socket only who opened it, told by `connection_init`."""
        del response
        if isinstance(request, WebSocket):
            return Line(self.askers, self.clock)
        return await self.askers.context(await self.askers.principal(bearer_of(request.headers.get("authorization"))))

    async def parse_http_body(self, request: Any) -> GraphQLRequestData:
        """The one operation of a request. Raises Refused."""
        try:
            return operation_of(strict_json(await request.get_body()))
        except JSONDecodeError:
            raise Refused(400, "BAD_REQUEST", "The body is not JSON, or not all of it.") from None

    async def execute_single(
        self,
        request: Request,
        request_adapter: Any,
        sub_response: Response,
        context: Any,
        root_value: None,
        request_data: GraphQLRequestData,
    ) -> ExecutionResult:
        """Run a query or a mutation; some refusals are also a status of HTTP. Raises Refused."""
        del request_adapter, root_value
        try:
            result = await self.schema.execute(
                request_data.query,
                variable_values=request_data.variables,
                context_value=context,
                operation_name=request_data.operation_name,
                allowed_operation_types=(OperationType.QUERY, OperationType.MUTATION),
            )
        except CannotGetOperationTypeError as refusal:
            raise Refused(400, "BAD_REQUEST", refusal.as_http_error_reason()) from None
        except InvalidOperationTypeError:
            raise Refused(400, "BAD_REQUEST", "Subscriptions need a WebSocket.") from None
        status = _status(result, admit(request.method, request.headers))
        if status is not None:
            sub_response.status_code = status
            sub_response.headers.update(_HEADERS.get(status, {}))
        return result

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """A request that never ran has no `data` key."""
        del request
        response = process_result(result)
        if is_refused(result):
            response.pop("data", None)
        return response

    def decode_json(self, data: str | bytes) -> object:
        """Strict, for frames as for bodies."""
        return strict_json(data)

    def encode_json(self, data: object) -> str:
        """One encoder for both transports; sockets send text frames."""
        return orjson.dumps(data).decode()

    def _handle_errors(self, errors: list[Any], response_data: GraphQLHTTPResponse) -> None:
        """The schema has logged what is to be logged."""

    async def _bounded(self, request: Request) -> bytes:
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self._most_bytes:
                raise Refused(413, "LIMIT_EXCEEDED", f"A request has at most {self._most_bytes} bytes.")
            chunks.append(chunk)
        return b"".join(chunks)


def _status(result: ExecutionResult, media: str) -> int | None:
    if result.data is not None:
        return None
    codes = [(error.extensions or {}).get("code") for error in result.errors or ()]
    named = next((_STATUS[code] for code in codes if code in _STATUS), None)
    return 400 if named is None and is_refused(result) and media == GRAPHQL_JSON else named


def _refusal(refusal: Refused, headers: dict[str, str] | None = None) -> Response:
    body = {"errors": [{"message": str(refusal), "extensions": refusal.facts}]}
    return Response(orjson.dumps(body), refusal.status, headers or _HEADERS.get(refusal.status))
