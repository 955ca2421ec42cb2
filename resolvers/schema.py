"""The schema: roots, scalars, refusals, access and checks joined; what the gateway executes and exports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, suppress
from typing import Annotated

import strawberry
from graphql import GraphQLError, MaxIntrospectionDepthRule, NoSchemaIntrospectionCustomRule
from strawberry.extensions import AddValidationRules, MaxTokensLimiter, ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext
from strawberry.types.base import StrawberryObjectDefinition

from domain import errors as refusals
from resolvers import (
    access,
    complaints,
    disputes,
    evidence,
    masking,
    outlook,
    partners,
    payments,
    sessions,
    statements,
    tariffs,
)
from resolvers.checks import MOST_REMEMBERED, MOST_TOKENS, Asked, Checks
from resolvers.connections import After, First
from resolvers.context import Context, Info
from resolvers.errors import HANDLERS
from resolvers.nodes import Node, node_of
from resolvers.partners import EVSE, LocationConnection
from resolvers.principal import Role
from resolvers.revenue import Operator
from resolvers.scalars import SCALARS, CursorText
from resolvers.wallets import Driver

CAPABILITIES = (partners, tariffs, payments, sessions, outlook, evidence, disputes, statements)
"""Whoever is imported here has added its fields to the types below it."""

MOST_NODES = 100
MOST_ERRORS = 5


@strawberry.type(description="Entry points for reading; a field of another role refuses the whole request.")
class Query:
    """Reads."""

    @strawberry.field(description="Any object by its ID; null when missing, hidden or malformed.")
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its global ID.")]
    ) -> Node | None:
        """One object."""
        return await node_of(info, id)

    @strawberry.field(description="Up to 100 objects in the order of `ids`; null where missing, hidden or malformed.")
    async def nodes(
        self, info: Info, ids: Annotated[list[strawberry.ID], strawberry.argument(description="Their global IDs.")]
    ) -> list[Node | None]:
        """Several objects."""
        if len(ids) > MOST_NODES:
            raise refusals.InvalidInput(f"At most {MOST_NODES} objects can be asked for at once.", ("ids",))
        return list(await asyncio.gather(*(node_of(info, each) for each in ids)))

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
    async def locations(self, info: Info, first: First = 20, after: After = None) -> LocationConnection:
        """A page."""
        return await partners.locations_page(info, first, after)

    @strawberry.field(description="An EVSE by the identifier printed on it; null when unknown.")
    async def evse(
        self,
        info: Info,
        evse_id: Annotated[str, strawberry.argument(description="As defined by eMI3, such as `DE*ABC*E1`.")],
    ) -> EVSE | None:
        """As on the sticker."""
        return await partners.evse_by_printed_id(info, evse_id)


WHAT = strawberry.argument(description="What to do.")


@strawberry.type(description="Changes; one per request, each returns the changed object or a refusal.")
class Mutation:
    """Writes."""

    @strawberry.mutation(description="Put money into a wallet.")
    async def top_up_wallet(
        self, info: Info, input: Annotated[payments.TopUpWalletInput, WHAT]
    ) -> payments.TopUpWalletResult:
        """See resolvers.payments."""
        return await payments.top_up_wallet(info, input)

    @strawberry.mutation(description="Ask for a binding price before the start.")
    async def quote_charging(
        self, info: Info, input: Annotated[tariffs.QuoteChargingInput, WHAT]
    ) -> tariffs.QuoteChargingResult:
        """See resolvers.tariffs."""
        return await tariffs.quote_charging(info, input)

    @strawberry.mutation(description="Start a session paid from the wallet.")
    async def start_charging(
        self, info: Info, input: Annotated[sessions.StartChargingInput, WHAT]
    ) -> sessions.StartChargingResult:
        """See resolvers.sessions."""
        return await sessions.start_charging(info, input)

    @strawberry.mutation(description="Stop a session; asking twice is the same as asking once.")
    async def stop_charging(
        self, info: Info, input: Annotated[sessions.StopChargingInput, WHAT]
    ) -> sessions.StopChargingResult:
        """See resolvers.sessions."""
        return await sessions.stop_charging(info, input)

    @strawberry.mutation(description="Open a dispute.")
    async def submit_dispute(
        self, info: Info, input: Annotated[complaints.SubmitDisputeInput, WHAT]
    ) -> complaints.SubmitDisputeResult:
        """See resolvers.complaints."""
        return await complaints.submit_dispute(info, input)

    @strawberry.mutation(description="Decide for the driver; verdict and money go together or not at all.")
    async def uphold_dispute(
        self, info: Info, input: Annotated[complaints.UpholdDisputeInput, WHAT]
    ) -> complaints.UpholdDisputeResult:
        """See resolvers.complaints."""
        return await complaints.uphold_dispute(info, input)

    @strawberry.mutation(description="Decide against the driver.")
    async def reject_dispute(
        self, info: Info, input: Annotated[complaints.RejectDisputeInput, WHAT]
    ) -> complaints.RejectDisputeResult:
        """See resolvers.complaints."""
        return await complaints.reject_dispute(info, input)


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
        async with aclosing(sessions.watch_session(info, id, after)) as updates:
            async for update in updates:
                yield update


class Parsing(ParserCache):
    """Parses a document once; what cannot be parsed is left to the schema, which says so in its own way."""

    def on_parse(self) -> Iterator[None]:
        """Before the schema would parse."""
        with suppress(GraphQLError):
            self.execution_context.graphql_document = self.cached_parse_document(
                self.execution_context.query, **self.execution_context.parse_options
            )
        yield


class Guarding(ValidationCache):
    """Validates a document once, then asks each time whether this caller may run it."""

    def on_validate(self) -> Iterator[None]:
        """Before the schema would validate: what is found here is what counts."""
        context = self.execution_context
        schema, document = context.schema, context.graphql_document
        assert isinstance(schema, GatewaySchema)
        assert document is not None
        errors = self.cached_validate_document(schema._schema, document, context.validation_rules)  # noqa: SLF001
        if not errors:
            asker: Context = context.context
            asked = Asked(context._provided_operation_name, context.variables)  # noqa: SLF001  the other name is a guess
            refusal = schema.checks.refusal(context.query or "", document, asker.principal.role, asked)
            errors = [] if refusal is None else [refusal]
        context.pre_execution_errors = list(errors)
        yield


class GatewaySchema(strawberry.Schema):
    """Strawberry's schema with the product's checks and errors."""

    checks: Checks

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Give every error its code and hide what is not for callers; a few of them tell enough."""
        del execution_context
        for error in errors:
            masking.code(error)
        del errors[MOST_ERRORS:]


def build(*, introspection: bool = True) -> GatewaySchema:
    """The schema of this process, with or without introspection. Raises access.IncompleteTable."""
    rules = [MaxIntrospectionDepthRule, *([] if introspection else [NoSchemaIntrospectionCustomRule])]
    schema = GatewaySchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Role],  # named by directives only; so it stands where every other type does
        extensions=[
            lambda: MaxTokensLimiter(max_token_count=MOST_TOKENS),
            lambda: AddValidationRules(rules),
            lambda: Parsing(maxsize=MOST_REMEMBERED),
            lambda: Guarding(maxsize=MOST_REMEMBERED),
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
