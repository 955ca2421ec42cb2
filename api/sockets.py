"""`graphql-transport-ws`: frames are checked, an operation that fails harms nobody, an ended credential ends it all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass

import structlog
from graphql import GraphQLError
from starlette.websockets import WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    PingMessage,
    PongMessage,
    SubscribeMessage,
)
from strawberry.types import ExecutionResult

from api.askers import Askers
from api.auth import Unauthenticated, bearer_of
from api.front import Refused, flaw_of_frame, operation_of
from domain.clock import Clock
from domain.errors import TryAgain
from resolvers.checks import over
from resolvers.principal import Principal, Role
from resolvers.schema import GatewaySchema

_log = structlog.get_logger(__name__)
_BAD_FRAME, _NOT_BEFORE_INIT, _FORBIDDEN, _ID_IN_USE, _INIT_TWICE, _TRY_LATER = 4400, 4401, 4403, 4409, 4429, 1013


@dataclass
class Line:
    """What is known of a socket: who opened it. Each operation on it gets a context of its own."""

    askers: Askers
    clock: Clock
    principal: Principal | None = None

    async def admit(self, payload: dict[str, object]) -> Principal:
        """Who this credential speaks for; sockets need one. Raises Unauthenticated, TryAgain."""
        given = payload.get("authorization", payload.get("Authorization"))
        principal = await self.askers.principal(bearer_of(given if isinstance(given, str) else None))
        if principal.role is Role.GUEST:
            raise Unauthenticated("missing")
        await self.askers.context(principal)  # an operator who is not here, a store that is away: known before the ack
        self.principal = principal
        return principal


class Wire(ASGIWebSocketAdapter):
    """A socket that may be gone at any time."""

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Raises WebSocketDisconnected once it is gone."""
        if self._is_gone:
            raise WebSocketDisconnected
        await super().send_json(message)

    async def close(self, code: int, reason: str) -> None:
        """Once; the peer may have been faster."""
        if not self._is_gone:
            with suppress(WebSocketDisconnect):
                await super().close(code, reason)

    @property
    def _is_gone(self) -> bool:
        return WebSocketState.DISCONNECTED in {self.ws.application_state, self.ws.client_state}


class Handler(BaseGraphQLTransportWSHandler[Line, None]):
    """One socket: a fresh context for each operation, and an end when the credential ends."""

    _ending: asyncio.Task[None] | None = None

    async def handle_message(self, message: Message) -> None:
        """Take a frame, or close on what is none."""
        flaw = flaw_of_frame(message)
        if flaw is None:
            await super().handle_message(message)
        else:
            await self.handle_invalid_message(flaw)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """Once the caller is known, the socket lives as long as the credential."""
        if self.connection_init_timeout_task:
            self.connection_init_timeout_task.cancel()
        if self.connection_init_received:
            await self.websocket.close(_INIT_TWICE, "Too many initialisation requests")
            return
        self.connection_init_received = True
        try:
            principal = await self.context.admit(message.get("payload") or {})
        except Unauthenticated as refusal:
            _log.info("credential refused", reason=refusal.reason)
            await self.websocket.close(_FORBIDDEN, "Forbidden")
            return
        except TryAgain:
            await self.websocket.close(_TRY_LATER, "Try again later")
            return
        await self.send_message({"type": "connection_ack"})
        self.connection_acknowledged = True
        left = (principal.expires_at - self.context.clock.now()).total_seconds()
        self._ending = asyncio.create_task(self._end_after(left))

    async def handle_ping(self, message: PingMessage) -> None:
        """The same payload comes back."""
        answer: PongMessage = {"type": "pong"}
        if message.get("payload") is not None:
            answer["payload"] = message["payload"]
        await self.send_message(answer)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Begin an operation; one that may not begin is an `error` for its id."""
        name = message["id"]
        if not self.connection_acknowledged:
            await self.websocket.close(_NOT_BEFORE_INIT, "Unauthorized")
        elif name in self.operations:
            await self.websocket.close(_ID_IN_USE, f"Subscriber for {name} already exists")
        elif len(self.operations) >= (self.max_subscriptions_per_connection or 0):
            facts = over("operations", self.max_subscriptions_per_connection or 0)
            await self._refuse(name, "This socket runs as many operations as it may.", facts)
        else:
            try:
                asked = operation_of(message["payload"])
            except Refused as refusal:
                await self._refuse(name, str(refusal), refusal.facts)
                return
            operation = Operation(self, name, asked.query or "", asked.variables, asked.operation_name)
            self.operations[name] = operation
            operation.task = asyncio.create_task(self.run_operation(operation))

    async def run_operation(self, operation: Operation[Line, None]) -> None:
        """Run one operation to its end; whatever it fails with is an `error` for its id, its neighbours live on."""
        (failure,) = await asyncio.gather(self._stream(operation), return_exceptions=True)
        if isinstance(failure, Exception) and not isinstance(failure, WebSocketDisconnected):
            error = GraphQLError(str(failure), original_error=failure)
            self.schema.process_errors([error])
            with suppress(WebSocketDisconnected):
                await operation.send_initial_errors([error])

    async def shutdown(self) -> None:
        """Give back what the socket held."""
        if self._ending is not None:
            self._ending.cancel()
        await super().shutdown()

    def forget_id(self, id: str) -> None:  # noqa: A002  Strawberry's name
        """An id that is free again."""
        self.operations.pop(id, None)

    async def _stream(self, operation: Operation[Line, None]) -> None:
        assert self.context.principal is not None
        assert isinstance(self.schema, GatewaySchema)
        results = await self.schema.stream(
            operation.query,
            variable_values=operation.variables,
            context_value=await self.context.askers.context(self.context.principal),
            operation_name=operation.operation_name,
        )
        async with aclosing(results):
            async for result in results:
                assert isinstance(result, ExecutionResult), "there is no incremental delivery"
                if is_refused(result):
                    await operation.send_initial_errors(result.errors or [])
                    return
                await operation.send_next(result)
        await operation.send_operation_message({"id": operation.id, "type": "complete"})

    async def _refuse(self, name: str, message: str, facts: dict[str, object]) -> None:
        payload = [GraphQLError(message, extensions=facts).formatted]
        await self.send_message({"id": name, "type": "error", "payload": payload})

    async def _end_after(self, seconds: float) -> None:
        await asyncio.sleep(max(0, seconds))
        for name in list(self.operations):
            await self.cleanup_operation(name)
        await self.websocket.close(_FORBIDDEN, "Credential expired")


def is_refused(result: ExecutionResult) -> bool:
    """Whether an operation was refused as a whole: no field of it has run."""
    return result.data is None and not any(error.path for error in result.errors or ())
