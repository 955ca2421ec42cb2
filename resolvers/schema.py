"""The schema: roots, scalars, refusals, access and checks joined; what the gateway executes and exports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import strawberry
import structlog
from graphql import GraphQLError
from strawberry.extensions import MaxTokensLimiter, ParserCache, SchemaExtension, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext
from strawberry.types.base import StrawberryObjectDefinition

from domain import errors as refusals
from resolvers import access, disputes, partners, payments, sessions, statements, tariffs
from resolvers.checks import MOST_REMEMBERED, MOST_TOKENS, Checks
from resolvers.context import Context, Info
from resolvers.errors import HANDLERS, code_of
from resolvers.nodes import Node, node_of
from resolvers.partners import EVSE, LocationConnection
from resolvers.revenue import Operator
from resolvers.scalars import SCALARS, CursorText
from resolvers.wallets import Driver

_log = structlog.get_logger(__name__)
CAPABILITIES = (partners, tariffs, payments, sessions, disputes, statements)
"""Whoever is imported here has added its fields to the types below it."""

MOST_NODES = 100
MOST_ERRORS = 5


@strawberry.type(description="Entry points for reading; a field of another role refuses the whole request.")
class Query:
    """Reads."""

    @strawberry.field(description="Any object by its ID; null when missing, hidden or malformed.")
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        """One object."""
        return await node_of(info, id)

    @strawberry.field(description="Up to 100 objects in the order of `ids`; null where missing, hidden or malformed.")
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        """Several objects."""
        if len(ids) > MOST_NODES:
            raise refusals.InvalidInput(f"At most {MOST_NODES} objects can be asked for at once.", ("ids",))
        return [await node_of(info, each) for each in ids]

    @strawberry.field(description="The signed-in driver.")
    async def me(self, info: Info) -> Driver | None:
        """The asker."""
        return Driver.of(info.context.me)

    @strawberry.field(description="The operator the caller works for.")
    async def operator(self, info: Info) -> Operator | None:
        """The asker's business."""
        return Operator.of(info.context.operator)

    @strawberry.field(description="The support desk.")
    async def support_desk(self) -> disputes.SupportDesk | None:
        """For agents."""
        return disputes.SupportDesk()

    @strawberry.field(description="Locations to charge at, by name.")
    async def locations(self, info: Info, first: int = 20, after: CursorText | None = None) -> LocationConnection:
        """A page."""
        return await partners.locations_page(info, first, after)

    @strawberry.field(description="An EVSE by the identifier printed on it; null when unknown.")
    async def evse(self, info: Info, evse_id: str) -> EVSE | None:
        """As on the sticker."""
        return await partners.evse_by_printed_id(info, evse_id)


@strawberry.type(description="Changes; one per request, each returns the changed object or a refusal.")
class Mutation:
    """Writes."""

    @strawberry.mutation(description="Put money into a wallet.")
    async def top_up_wallet(self, info: Info, input: payments.TopUpWalletInput) -> payments.TopUpWalletResult:
        """See resolvers.payments."""
        return await payments.top_up_wallet(info, input)

    @strawberry.mutation(description="Ask for a binding price before the start.")
    async def quote_charging(self, info: Info, input: tariffs.QuoteChargingInput) -> tariffs.QuoteChargingResult:
        """See resolvers.tariffs."""
        return await tariffs.quote_charging(info, input)

    @strawberry.mutation(description="Start a session paid from the wallet.")
    async def start_charging(self, info: Info, input: sessions.StartChargingInput) -> sessions.StartChargingResult:
        """See resolvers.sessions."""
        return await sessions.start_charging(info, input)

    @strawberry.mutation(description="Stop a session; asking twice is the same as asking once.")
    async def stop_charging(self, info: Info, input: sessions.StopChargingInput) -> sessions.StopChargingResult:
        """See resolvers.sessions."""
        return await sessions.stop_charging(info, input)

    @strawberry.mutation(description="Open a dispute.")
    async def submit_dispute(self, info: Info, input: disputes.SubmitDisputeInput) -> disputes.SubmitDisputeResult:
        """See resolvers.disputes."""
        return await disputes.submit_dispute(info, input)

    @strawberry.mutation(description="Decide for the driver; verdict and money go together or not at all.")
    async def uphold_dispute(self, info: Info, input: disputes.UpholdDisputeInput) -> disputes.UpholdDisputeResult:
        """See resolvers.disputes."""
        return await disputes.uphold_dispute(info, input)

    @strawberry.mutation(description="Decide against the driver.")
    async def reject_dispute(self, info: Info, input: disputes.RejectDisputeInput) -> disputes.RejectDisputeResult:
        """See resolvers.disputes."""
        return await disputes.reject_dispute(info, input)


@strawberry.type(description="Live feeds of whole states; the newest state contains everything that was skipped.")
class Subscription:
    """Feeds."""

    @strawberry.subscription(description="One session until it is final.")
    async def charging_session(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Which session.")],
        after: Annotated[
            CursorText | None,
            strawberry.argument(description="Last cursor seen; omit to begin with a snapshot."),
        ] = None,
    ) -> AsyncIterator[sessions.ChargingSessionUpdate]:
        """See resolvers.sessions."""
        async for update in sessions.watch_session(info, id, after):
            yield update


class Guard(SchemaExtension):
    """Refuses a validated document that this caller may not run."""

    def on_validate(self) -> Iterator[None]:
        """After the rules of GraphQL have held."""
        yield
        context = self.execution_context
        if context.pre_execution_errors or context.graphql_document is None:
            return
        asker: Context = context.context
        schema = context.schema
        assert isinstance(schema, GatewaySchema)
        text = context.query or ""
        refusal = schema.checks.refusal(text, context.graphql_document, asker.principal.role)
        if refusal is not None:
            context.pre_execution_errors = [refusal]


class GatewaySchema(strawberry.Schema):
    """Strawberry's schema with the product's errors: each has a code, a bug's own words never leave the process."""

    checks: Checks

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Give every error its code and hide what is not for callers; only bugs are logged with a stack."""
        for error in errors:
            _coded(error, execution_context)
        del errors[MOST_ERRORS:]


_CODES = {"GRAPHQL_PARSE_FAILED": "Syntax Error", "BAD_USER_INPUT": "Variable "}


def _coded(error: GraphQLError, context: ExecutionContext | None) -> None:
    if error.extensions and "code" in error.extensions:
        return
    cause = error.original_error
    if isinstance(cause, GraphQLError):
        error.extensions = dict(cause.extensions or {}) or {"code": "BAD_USER_INPUT"}
    elif cause is None:
        starts = (code for code, words in _CODES.items() if error.message.startswith(words))
        error.extensions = {"code": next(starts, "GRAPHQL_VALIDATION_FAILED")}
        error.message = error.message.split(" Did you mean")[0]
    elif isinstance(cause, refusals.TryAgain):
        error.extensions = {"code": "UNAVAILABLE"}
    elif isinstance(cause, refusals.InvalidInput):
        error.extensions = {"code": "BAD_USER_INPUT", "argument": ".".join(cause.path)}
    elif isinstance(cause, refusals.DomainError):
        error.extensions = {"code": code_of(type(cause))}
    else:
        asker = None if context is None else context.context
        correlation = getattr(asker, "request_id", "")
        _log.error("field failed", exc_info=cause, correlation_id=correlation, path=error.path)
        error.message = "Something went wrong on our side; quote the correlation id when you report it."
        error.extensions = {"code": "INTERNAL", "correlationId": correlation}


def build() -> GatewaySchema:
    """The schema of this process. Raises access.IncompleteTable."""
    schema = GatewaySchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        extensions=[
            Guard,
            lambda: MaxTokensLimiter(max_token_count=MOST_TOKENS),
            lambda: ParserCache(maxsize=MOST_REMEMBERED),
            lambda: ValidationCache(maxsize=MOST_REMEMBERED),
        ],
        exception_handlers=HANDLERS,
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
    )
    access.attach(
        {
            name: concrete.definition
            for name, concrete in schema.schema_converter.type_map.items()
            if isinstance(concrete.definition, StrawberryObjectDefinition) and _is_object(concrete.definition)
        }
    )
    schema.checks = Checks(schema._schema)  # noqa: SLF001  Strawberry has no other name for it
    return schema


def _is_object(definition: StrawberryObjectDefinition) -> bool:
    return not definition.is_input and not definition.is_interface
