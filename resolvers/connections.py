"""Pages of lists: keyset over a unique order, forward only, one row more than asked tells whether more follow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import strawberry
from graphql import GraphQLError

from resolvers.context import Info
from resolvers.cursors import BadCursor
from resolvers.principal import Role
from resolvers.scalars import CursorText

LARGEST_PAGE, LARGEST_PAGE_OF_A_GUEST = 100, 20
T = TypeVar("T")
First = Annotated[int, strawberry.argument(description="Items of the page: 1 to 100, for guests 1 to 20.")]
After = Annotated[
    CursorText | None, strawberry.argument(description="`endCursor` of the page before; omit for the first page.")
]


@strawberry.type(description="Position of a page in its list.")
class PageInfo:
    """Relay's page info, forward only."""

    has_next_page: bool = strawberry.field(description="More items follow.")
    has_previous_page: bool = strawberry.field(description="True exactly when `after` was given.")
    start_cursor: CursorText | None = strawberry.field(description="Cursor of the first edge; null on an empty page.")
    end_cursor: CursorText | None = strawberry.field(description="Cursor of the last edge; null on an empty page.")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows with their cursors."""

    rows: Sequence[tuple[CursorText, T]]
    info: PageInfo


Keys = Sequence[str | int]


def refused(argument: str, reason: str) -> GraphQLError:
    """An argument that is out of its range, as a request error."""
    return GraphQLError(f"{argument}: {reason}", extensions={"code": "BAD_USER_INPUT", "argument": argument})


async def page_of(
    info: Info,
    scope: str,
    first: int,
    after: str | None,
    rows: Callable[[Keys | None, int], Awaitable[Sequence[T]]],
    keys: Callable[[T], Keys],
) -> Page[T]:
    """Up to `first` rows behind `after`; `rows` reads behind keys, `keys` says what a row is behind of."""
    largest = LARGEST_PAGE_OF_A_GUEST if info.context.principal.role is Role.GUEST else LARGEST_PAGE
    if not 1 <= first <= largest:
        raise refused("first", f"a page has 1 to {largest} items.")
    cursors = info.context.cursors
    try:
        behind = None if after is None else cursors.read(scope, after)
    except BadCursor:
        raise refused("after", "this is no cursor of this list.") from None
    found = await rows(behind, first + 1)
    shown = [(CursorText(cursors.make(scope, keys(row))), row) for row in found[:first]]
    return Page(
        shown,
        PageInfo(
            has_next_page=len(found) > first,
            has_previous_page=after is not None,
            start_cursor=shown[0][0] if shown else None,
            end_cursor=shown[-1][0] if shown else None,
        ),
    )
