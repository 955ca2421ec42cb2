"""The GraphQL door: Strawberry's view with our envelope, our credentials, one context an operation, and clear codes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson
import structlog
from cross_web import HTTPException
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData, process_result
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)
from strawberry.types import ExecutionResult
from strawberry.types.unset import UNSET, UnsetType

from api.askers import Askers
from api.auth import Unauthenticated, bearer_of
from domain.clock import Clock
from resolvers.context import Context
from resolvers.principal import Principal, Role
from resolvers.schema import GatewaySchema

_log = structlog.get_logger(__name__)
INIT_WITHIN = timedelta(seconds=5)
MOST_OPERATIONS = 20
_STATUS = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "LIMIT_EXCEEDED": 400,
    "UNAVAILABLE": 503,
}
_EXPIRED = 4403


class Refused(Exception):
    """A request that never becomes an operation."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass
class Line:
    """What is known of a socket: who opened it. Each operation on it gets a context of its own."""

    connection_params: dict[str, object] = field(default_factory=dict)
    principal: Principal | None = None


class Handler(BaseGraphQLTransportWSHandler[Any, Any]):
    """`graphql-transport-ws` with a fresh context for each operation, and an end when the credential ends."""

    view: Gateway

    async def run_operation(self, operation: Operation[Any, Any]) -> None:
        """Run one operation; a request that is refused is an `error` for its id, its neighbours live on."""
        assert isinstance(self.context, Line)
        assert self.context.principal is not None
        try:
            context = await self.view.askers.context(self.context.principal)
            results = await self.schema.stream(
                operation.query,
                variable_values=operation.variables,
                context_value=context,
                operation_name=operation.operation_name,
            )
            async with aclosing(results):
                await self._send_result_stream(operation, results)
            await operation.send_operation_message({"id": operation.id, "type": "complete"})
        except CannotGetOperationTypeError as error:
            refusal = GraphQLError(error.as_http_error_reason(), extensions={"code": "BAD_REQUEST"})
            await operation.send_initial_errors([refusal])
        finally:
            self.operations.pop(operation.id, None)

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:
        del error
        return None

    async def handle_connection_init(self, message: Any) -> None:
        """Once the caller is known, the socket lives as long as the credential."""
        await super().handle_connection_init(message)
        if self.connection_acknowledged and isinstance(self.context, Line) and self.context.principal is not None:
            left = (self.context.principal.expires_at - self.view.clock.now()).total_seconds()
            self._ending = asyncio.create_task(self._end_after(left))

    async def shutdown(self) -> None:
        """Give back what the socket held."""
        ending: asyncio.Task[None] | None = getattr(self, "_ending", None)
        if ending is not None:
            ending.cancel()
        await super().shutdown()

    async def _end_after(self, seconds: float) -> None:
        await asyncio.sleep(max(0, seconds))
        with suppress(RuntimeError):  # the peer may have gone first
            await self.websocket.close(code=_EXPIRED, reason="Credential expired")


class Gateway(GraphQL[Any, None]):
    """`/graphql` over HTTP and WebSocket."""

    graphql_transport_ws_handler_class = Handler

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
        request = Request(scope, receive)
        try:
            _admit(request)
            request._body = await self._bounded(request)  # noqa: SLF001  read once, within its bound
            response = await self.run(request)
        except Refused as refusal:
            response = _refusal(refusal.status, refusal.code, str(refusal))
        except Unauthenticated as refusal:
            _log.info("credential refused", reason=refusal.reason)
            response = _refusal(401, "UNAUTHENTICATED", "The credential is missing, wrong or expired; sign in again.")
        except HTTPException as refusal:
            response = _refusal(refusal.status_code, "BAD_REQUEST", refusal.reason)
        response.headers["cache-control"] = "no-store"
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context | Line:
        """The context of an HTTP request; of a socket only who opened it, told by `connection_init`."""
        del response
        if isinstance(request, WebSocket):
            return Line()
        return await self.askers.context(await self.askers.principal(bearer_of(request.headers.get("authorization"))))

    async def on_ws_connect(self, context: Any) -> UnsetType | dict[str, object] | None:
        """Check the credential of `connection_init`; sockets need one."""
        given = context.connection_params.get("authorization", context.connection_params.get("Authorization"))
        try:
            bearer = bearer_of(given if isinstance(given, str) else None)
            context.principal = await self.askers.principal(bearer)
        except Unauthenticated as refusal:
            _log.info("credential refused", reason=refusal.reason)
            raise ConnectionRejectionError from None
        if context.principal.role is Role.GUEST:
            raise ConnectionRejectionError
        nothing: UnsetType = UNSET
        return nothing

    async def execute_single(
        self,
        request: Request,
        request_adapter: Any,
        sub_response: Response,
        context: Any,
        root_value: None,
        request_data: GraphQLRequestData,
    ) -> ExecutionResult:
        """Run an operation; some refusals are also a status of HTTP."""
        result = await super().execute_single(request, request_adapter, sub_response, context, root_value, request_data)
        codes = [(error.extensions or {}).get("code") for error in result.errors or ()]
        status = next((_STATUS[code] for code in codes if code in _STATUS), None)
        if status is not None and result.data is None:
            sub_response.status_code = status
        return result

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """A request that never ran has no `data` key."""
        del request
        response = process_result(result)
        if result.data is None and not any(error.path for error in result.errors or ()):
            response.pop("data", None)
        return response

    def decode_json(self, data: str | bytes) -> object:
        """Strict: no NaN, no lone surrogates, no numbers without end."""
        return orjson.loads(data)

    def encode_json(self, data: object) -> str:
        """One encoder for both transports; sockets send text frames."""
        return orjson.dumps(data).decode()

    def _handle_errors(self, errors: list[GraphQLError], response_data: GraphQLHTTPResponse) -> None:
        """The schema has logged what is to be logged."""

    async def _bounded(self, request: Request) -> bytes:
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self._most_bytes:
                raise Refused(413, "LIMIT_EXCEEDED", f"A request has at most {self._most_bytes} bytes.")
            chunks.append(chunk)
        return b"".join(chunks)


def _admit(request: Request) -> None:
    if request.method != "POST":
        raise Refused(405, "BAD_REQUEST", "Send operations by POST.")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refused(415, "BAD_REQUEST", "Send operations as application/json.")


def _refusal(status: int, code: str, message: str) -> Response:
    body: Mapping[str, object] = {"errors": [{"message": message, "extensions": {"code": code}}]}
    headers = {"allow": "POST"} if status == 405 else {}  # noqa: PLR2004  Method Not Allowed
    if status == 401:  # noqa: PLR2004  Unauthorized
        headers["www-authenticate"] = 'Bearer error="invalid_token"'
    return Response(orjson.dumps(body), status, headers, "application/json")
