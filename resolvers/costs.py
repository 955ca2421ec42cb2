"""The cost of a session, line by line."""

from __future__ import annotations

from datetime import datetime

import strawberry

from domain import sessions as domain
from resolvers.context import Info
from resolvers.describing import describe
from resolvers.explanations import LineDetails
from resolvers.scalars import Exact, TaxedMoney, Timestamp, UnitPrice

describe(
    domain.Evidence,
    "Where a quantity comes from.",
    called="QuantityEvidence",
    SIGNED="Signed meter readings.",
    METERED="Read from the meter.",
    INTERPOLATED="Computed between two readings of the meter.",
    DECLARED="Said by the operator of the charge point, without readings.",
)
describe(
    domain.CostLineKind,
    "What a cost line charges.",
    ENERGY="Energy delivered.",
    TIME="Time charging.",
    PARKING_TIME="Time plugged in without charging.",
    FLAT="A fee for the session.",
    RESERVATION="A reservation.",
    MIN_PRICE="What is missing to the least a session costs.",
    MAX_PRICE="What exceeds the most a session costs; negative.",
    ROUNDING="Fractions of the smallest unit.",
)


@strawberry.type(description="One explained line of a cost.")
class CostLine:
    """A line."""

    kind: domain.CostLineKind = strawberry.field(description="What is charged.")
    measured: Exact | None = strawberry.field(
        description="Measured, in the unit of the price; null for lines that adjust others."
    )
    billed: Exact | None = strawberry.field(
        description="Billed, after rounding up to the step; null for lines that adjust others."
    )
    unit_price: UnitPrice | None = strawberry.field(
        description="Price of one unit; null for lines that adjust others or were billed by somebody else."
    )
    amount: TaxedMoney = strawberry.field(description="Amount of the line.")
    explanation: str = strawberry.field(description="Which rule applied and why, in one sentence.")
    evidence: domain.Evidence | None = strawberry.field(
        description="Where the quantity comes from; null for lines without one."
    )
    from_: Timestamp | None = strawberry.field(
        name="from", description="Start of the time it covers; null for the whole session."
    )
    before: Timestamp | None = strawberry.field(description="End of the time it covers; null for the whole session.")
    place: strawberry.Private[int]
    row: strawberry.Private[domain.ChargingSession]

    @classmethod
    def of(cls, line: domain.CostLine, place: int, row: domain.ChargingSession) -> CostLine:
        """From the domain: the line at this place of a session's cost."""
        price = None
        if line.price_net is not None and line.price_gross is not None:
            price = UnitPrice.of(line.price_net, line.price_gross, line.vat_percent)
        return cls(
            kind=line.kind,
            measured=None if line.measured is None else Exact(line.measured),
            billed=None if line.billed is None else Exact(line.billed),
            unit_price=price,
            amount=TaxedMoney.of(line.net_minor, line.tax_minor, row.currency),
            explanation=line.explanation,
            evidence=line.evidence,
            from_=_instant(line.start_at),
            before=_instant(line.end_at),
            place=place,
            row=row,
        )

    @strawberry.field(
        description="The same in full; null for lines that adjust others or were billed by somebody else."
    )
    async def details(self, info: Info) -> LineDetails | None:
        """From the bill, or worked out anew while there is none."""
        told = await info.context.loaders.explanations.load(self.row)
        return LineDetails.of(told[self.place]) if self.place < len(told) else None


@strawberry.type(description="Cost of a session so far, from the same code as the bill.")
class SessionCost:
    """Two figures, and the lines of the second."""

    accrued: TaxedMoney = strawberry.field(description="Earned so far, without steps and minimum price; never falls.")
    if_stopped_now: TaxedMoney = strawberry.field(
        description="What the bill would say if it ended now, and says once COMPLETED; never below `accrued`."
    )
    as_of: Timestamp = strawberry.field(description="Metered up to this instant.")
    row: strawberry.Private[domain.ChargingSession]

    @classmethod
    def of(cls, row: domain.ChargingSession) -> SessionCost:
        """From the row of the session."""
        return cls(
            accrued=TaxedMoney.of(row.accrued_net_minor, row.accrued_tax_minor, row.currency),
            if_stopped_now=TaxedMoney.of(row.net_minor, row.tax_minor, row.currency),
            as_of=Timestamp(row.metered_at),
            row=row,
        )

    @strawberry.field(description="Lines that add up to `ifStoppedNow`, exactly.")
    def lines(self) -> list[CostLine]:
        """Read only when asked for."""
        return [CostLine.of(line, place, self.row) for place, line in enumerate(domain.lines_of(self.row.lines))]


def _instant(at: datetime | None) -> Timestamp | None:
    return None if at is None else Timestamp(at)
