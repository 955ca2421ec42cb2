"""The checks of the books that every audit makes, in the order in which they are printed."""

from __future__ import annotations

from domain.ledger.audit import (
    Check,
    balances_are_in_bounds,
    documents_are_whole,
    postings_are_caused,
    postings_sum_to_zero,
    transfers_keep_their_currency,
)
from domain.ledger.audit_balances import balances_are_sums, balances_can_be_rebuilt, checkpoints_are_sums
from domain.ledger.audit_seals import the_chain_holds

CHECKS: tuple[Check, ...] = (
    postings_sum_to_zero,
    transfers_keep_their_currency,
    balances_are_sums,
    checkpoints_are_sums,
    balances_are_in_bounds,
    the_chain_holds,
    postings_are_caused,
    documents_are_whole,
)
REPLAYED: tuple[Check, ...] = (balances_can_be_rebuilt,)
"""What is made again from nothing, and compared."""
