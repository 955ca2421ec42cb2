"""Who may select what: the one table. A type or root field that has no row here stops the start.

`EVERYBODY` is open to guests. A row of a field narrows the row of its type. The exported `@access` directives are made
from this table, and `checks.py` enforces the same rows before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import strawberry
from strawberry.schema_directive import Location
from strawberry.types.base import StrawberryObjectDefinition

from resolvers.describing import describe
from resolvers.principal import Role

EVERYBODY = frozenset(Role)
_DRIVER, _SUPPORT, _FINANCE, _OPERATOR = Role.DRIVER, Role.SUPPORT, Role.FINANCE, Role.OPERATOR
STAFF = frozenset({_SUPPORT, _FINANCE})
OWNER = frozenset({_DRIVER})
OWNER_OR_STAFF = OWNER | STAFF
EARNER = frozenset({_OPERATOR})

TABLE: Mapping[str, frozenset[Role]] = {
    "Query.node": EVERYBODY,
    "Query.nodes": EVERYBODY,
    "Query.locations": EVERYBODY,
    "Query.evse": EVERYBODY,
    "Query.me": OWNER,
    "Query.operator": EARNER,
    "Query.supportDesk": frozenset({_SUPPORT}),
    "Mutation.topUpWallet": OWNER,
    "Mutation.quoteCharging": OWNER,
    "Mutation.startCharging": OWNER,
    "Mutation.stopCharging": OWNER | {_SUPPORT},
    "Mutation.submitDispute": OWNER,
    "Mutation.upholdDispute": STAFF,
    "Mutation.rejectDispute": STAFF,
    "Subscription.chargingSession": OWNER | {_SUPPORT},
    # values without a secret of their own: guarded by whatever returns them
    "Money": EVERYBODY,
    "TaxedMoney": EVERYBODY,
    "UnitPrice": EVERYBODY,
    "PageInfo": EVERYBODY,
    # places and prices are public
    "Location": EVERYBODY,
    "LocationConnection": EVERYBODY,
    "LocationEdge": EVERYBODY,
    "EVSE": EVERYBODY,
    "Connector": EVERYBODY,
    "Tariff": EVERYBODY,
    "QuoteComponent": EVERYBODY,
    "PriceCeiling": EVERYBODY,
    # a driver's own
    "Driver": OWNER,
    "Wallet": OWNER,
    "WalletBalance": OWNER,
    "Hold": OWNER,
    "LedgerEntry": OWNER,
    "LedgerEntryConnection": OWNER,
    "LedgerEntryEdge": OWNER,
    "TopUp": OWNER,
    "RedirectAction": OWNER,
    "PaymentFailure": OWNER,
    "Quote": OWNER_OR_STAFF,
    "ChargingSession": OWNER_OR_STAFF,
    "ChargingSession.ocpiId": STAFF,
    "ChargingSessionConnection": OWNER,
    "ChargingSessionEdge": OWNER,
    "ChargingSessionUpdate": OWNER_OR_STAFF,
    "SessionCost": OWNER_OR_STAFF,
    "CostLine": OWNER_OR_STAFF,
    "LineDetails": OWNER_OR_STAFF,
    "TariffEditionName": OWNER_OR_STAFF,
    "ElementChoice": OWNER_OR_STAFF,
    "RestrictionTest": OWNER_OR_STAFF,
    "BillingStep": OWNER_OR_STAFF,
    "LineTax": OWNER_OR_STAFF,
    "ExactAmount": OWNER_OR_STAFF,
    "StateChange": OWNER_OR_STAFF,
    "CDR": OWNER_OR_STAFF,
    "CDR.findings": STAFF,
    "CDR.expected": STAFF,
    "CDRFinding": STAFF,
    "MeterProof": OWNER_OR_STAFF,
    # disputes
    "Dispute": OWNER_OR_STAFF,
    "Dispute.findings": STAFF,
    "DisputeConnection": OWNER_OR_STAFF,
    "DisputeEdge": OWNER_OR_STAFF,
    "DisputeEvent": OWNER_OR_STAFF,
    "DisputeEventConnection": OWNER_OR_STAFF,
    "DisputeEventEdge": OWNER_OR_STAFF,
    "DisputeResolution": OWNER_OR_STAFF,
    "TriageFinding": STAFF,
    "SupportDesk": frozenset({_SUPPORT}),
    # an operator's own
    "Operator": EARNER,
    "RevenueReport": EARNER,
    "RevenueFigures": EARNER,
    "RevenueSlice": EARNER,
    "LocationRevenue": EARNER,
    # refusals tell the caller about the caller's own request
    "InvalidInput": EVERYBODY,
    "NotFound": EVERYBODY,
    "StateConflict": EVERYBODY,
    "IdempotencyConflict": EVERYBODY,
    "AmountNotAllowed": EVERYBODY,
    "CurrencyMismatch": EVERYBODY,
    "InsufficientFunds": EVERYBODY,
    "WalletFrozen": EVERYBODY,
    "WalletClosed": EVERYBODY,
    "WalletInDebt": EVERYBODY,
    "PaymentDeclined": EVERYBODY,
    "PaymentServiceUnavailable": EVERYBODY,
    "DeadlinePassed": EVERYBODY,
    "EvseUnavailable": EVERYBODY,
    "StationUnreachable": EVERYBODY,
    "DisputeWindowClosed": EVERYBODY,
    "NothingLeftToCredit": EVERYBODY,
    "SelfDecision": EVERYBODY,
    "CardDataRefused": EVERYBODY,
}

ROOTS = ("Query", "Mutation", "Subscription")

describe(
    Role,
    "Kinds of caller.",
    GUEST="Anybody; no credential is shown.",
    DRIVER="A person who charges vehicles.",
    PARTNER="A system of a company that operators work with.",
    SUPPORT="An agent who helps drivers.",
    FINANCE="Somebody who looks after money.",
    OPERATOR="Somebody who runs charge points.",
)


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION, Location.OBJECT],
    description="Roles that may select a field or reach a type; the exported contract and the guard read one table.",
)
class Access:
    """`@access(anyOf: [DRIVER])`."""

    any_of: list[Role] = strawberry.directive_field(name="anyOf")


class IncompleteTable(Exception):
    """A type or root field without a row, or a row without a member: the process does not start."""


def attach(definitions: Mapping[str, StrawberryObjectDefinition]) -> None:
    """Write the table into the types of a schema as directives. Raises IncompleteTable."""
    missing = set(_needed(definitions)) - TABLE.keys()
    idle = TABLE.keys() - set(_members(definitions))
    if missing or idle:
        raise IncompleteTable(f"without a row: {sorted(missing)}; without a member: {sorted(idle)}")
    for name, definition in definitions.items():
        definition.directives = _directives(TABLE.get(name, EVERYBODY))
        for field in definition.fields:
            field.directives = _directives(TABLE.get(f"{name}.{_called(field)}", EVERYBODY))


def _directives(roles: frozenset[Role]) -> list[object]:
    return [] if roles == EVERYBODY else [Access(any_of=[role for role in Role if role in roles])]


def _called(field: object) -> str:
    graphql_name = getattr(field, "graphql_name", None)
    words = str(getattr(field, "python_name", "")).split("_")
    return str(graphql_name or words[0] + "".join(word.capitalize() for word in words[1:]))


def _needed(definitions: Mapping[str, StrawberryObjectDefinition]) -> Iterator[str]:
    for name, definition in definitions.items():
        if name in ROOTS:
            yield from (f"{name}.{_called(field)}" for field in definition.fields)
        else:
            yield name


def _members(definitions: Mapping[str, StrawberryObjectDefinition]) -> Iterator[str]:
    for name, definition in definitions.items():
        yield name
        yield from (f"{name}.{_called(field)}" for field in definition.fields)
