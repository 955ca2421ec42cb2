"""What callers are told of errors: each has a code of a closed list, and a bug's own words never leave the process."""

from __future__ import annotations

import re
from collections.abc import Mapping

import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from domain import errors as refusals
from resolvers.checks import DEEPEST, MOST_TOKENS, over
from resolvers.errors import code_of, told

_log = structlog.get_logger(__name__)
MASK = "Something went wrong on our side; quote the correlation id when you report it."
_UNFIT = re.compile(
    r"Variable '\$\w+' has invalid |Variable values are |Too many errors processing variables|Argument '"
)
_NO_OPERATION = (CannotGetOperationTypeError, InvalidOperationTypeError, MissingQueryError)


def code(error: GraphQLError) -> None:
    """Give an error its code, drop what it suggests, and hide it if it is a bug; only bugs are logged, with a stack."""
    error.message = error.message.split(" Did you mean")[0]
    if error.extensions and "code" in error.extensions:
        return
    found = _known(error)
    if found is None:
        found = _bug(error)
    error.extensions = dict(found)


def _known(error: GraphQLError) -> Mapping[str, object] | None:
    cause = _cause(error)
    if isinstance(cause, GraphQLError):
        return _of_graphql(error, cause)
    if isinstance(cause, refusals.TryAgain):
        return {"code": "UNAVAILABLE"}
    if isinstance(cause, refusals.InvalidInput):
        return {"code": "BAD_USER_INPUT", "argument": ".".join(cause.path)}
    if isinstance(cause, refusals.DomainError):
        error.message = told(cause)
        return {"code": code_of(type(cause))}
    return {"code": "BAD_REQUEST"} if isinstance(cause, _NO_OPERATION) else None


def _of_graphql(error: GraphQLError, cause: GraphQLError) -> Mapping[str, object] | None:
    if cause.extensions and "code" in cause.extensions:
        return cause.extensions
    if isinstance(cause, GraphQLSyntaxError):
        if "more than" in cause.message and "tokens" in cause.message:
            return over("tokens", MOST_TOKENS)
        return over("depth", DEEPEST) if "too deeply" in cause.message else {"code": "GRAPHQL_PARSE_FAILED"}
    if _UNFIT.match(error.message):
        return {"code": "BAD_USER_INPUT"}
    # Once it runs, GraphQL itself complains only of values that our own code has given it.
    return {"code": "GRAPHQL_VALIDATION_FAILED"} if error.path is None else None


def _cause(error: GraphQLError) -> Exception:
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _bug(error: GraphQLError) -> Mapping[str, object]:
    correlation = str(structlog.contextvars.get_contextvars().get("request_id", ""))
    _log.error("field failed", exc_info=_cause(error), correlation_id=correlation, path=error.path)
    error.message = MASK
    return {"code": "INTERNAL", "correlationId": correlation}
