"""What caused the lines of a wallet's statement."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry

from domain.ids import ChargingSessionId, DocumentId, PaymentId
from resolvers.context import Info
from resolvers.disputes import Dispute
from resolvers.extending import extends
from resolvers.payments import TopUp
from resolvers.sessions import ChargingSession
from resolvers.wallets import LedgerEntry

LedgerEntrySource = Annotated[
    TopUp | ChargingSession | Dispute,
    strawberry.union("LedgerEntrySource", description="What can cause a ledger entry."),
]


@extends(LedgerEntry, "What caused it; null when the caller may not see that.")
async def source(root: strawberry.Parent[LedgerEntry], info: Info) -> LedgerEntrySource | None:
    """The top-up, session or dispute behind a line of one's own statement."""
    kind, _, text = root.subject.partition(":")
    loaders, key = info.context.loaders, UUID(text)
    if kind == "charging_session":
        session = await loaders.sessions.load(ChargingSessionId(key))
        return None if session is None else ChargingSession.of(session)
    if kind == "payment":
        wish = await loaders.top_ups.load(PaymentId(key))
        return None if wish is None else TopUp.of(wish)
    dispute = await loaders.credited.load(DocumentId(key)) if kind == "credit_note" else None
    return None if dispute is None else Dispute.of(dispute)
