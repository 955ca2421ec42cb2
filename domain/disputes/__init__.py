"""Disputes: a driver against a bill. Owns complaint, thread, check and verdict; credits go through wallets and CDRs."""

from domain.disputes.models import LIFE_OF_A_DISPUTE, Actor, Dispute, DisputeEvent, DisputeReason, DisputeStatus
from domain.disputes.reading import DisputeDesk
from domain.disputes.service import DisputeService
from domain.disputes.triage import Finding, Side, findings_of

__all__ = [
    "LIFE_OF_A_DISPUTE",
    "Actor",
    "Dispute",
    "DisputeDesk",
    "DisputeEvent",
    "DisputeReason",
    "DisputeService",
    "DisputeStatus",
    "Finding",
    "Side",
    "findings_of",
]
