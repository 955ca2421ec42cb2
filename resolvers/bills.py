"""CDRs: the bills of sessions, and what was taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import strawberry

from domain import sessions as domain
from domain.errors import NotFound as NotThere
from domain.ids import CdrId
from resolvers.context import Info
from resolvers.nodes import Node, fetched_as, global_id
from resolvers.scalars import TaxedMoney, Timestamp


@strawberry.type(description="An OCPI CDR: the immutable bill of a session.", name="CDR")
class CDR(Node):
    """A bill or a credit."""

    ocpi_id: str = strawberry.field(description="Identifier in OCPI.")
    issued_at: Timestamp = strawberry.field(description="When it was made.")
    total: TaxedMoney = strawberry.field(description="What is charged; negative on a credit.")
    row: strawberry.Private[domain.CDR]
    others: strawberry.Private[Sequence[domain.CDR]]

    @classmethod
    def of(cls, row: domain.CDR, others: Sequence[domain.CDR]) -> CDR:
        """From the domain; `others` are all CDRs of the session."""
        return cls(
            id=global_id("CDR", row.id),
            ocpi_id=row.ocpi_id,
            issued_at=Timestamp(row.issued_at),
            total=TaxedMoney.of(row.net_minor, row.tax_minor, row.currency),
            row=row,
            others=others,
        )

    @strawberry.field(description="The CDR this one credits in full; null unless it is a credit.")
    def credits(self) -> CDR | None:
        """Backwards."""
        return self._first(lambda other: other.id == self.row.credits_id)

    @strawberry.field(description="The credit that cancels this one; null while it stands.")
    def credited_by(self) -> CDR | None:
        """Forwards."""
        return self._first(lambda other: other.credits_id == self.row.id)

    def _first(self, matches: Callable[[domain.CDR], bool]) -> CDR | None:
        return next((CDR.of(other, self.others) for other in self.others if matches(other)), None)


@fetched_as("CDR")
async def _cdr(info: Info, key: UUID) -> CDR | None:
    context = info.context
    try:
        owner = context.owner
    except NotThere:
        return None
    row = await context.services.sessions.cdr(context.operator_id, CdrId(key), owner)
    return None if row is None else CDR.of(row, await context.loaders.cdrs_of.load(row.session_id))
