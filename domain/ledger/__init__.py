"""Double-entry books: where money lies, how it moves, how we know.

Owns accounts, postings, documents and their audit. Knows no driver, card or tariff: owners and subjects are opaque.
"""

from domain.ledger import chart
from domain.ledger.audit import CHECKS, Broken, Check, Verdict
from domain.ledger.chart import Account, Code
from domain.ledger.documents import Draft, issue
from domain.ledger.journal import Cause, Journal, Written, balance
from domain.ledger.models import (
    Document,
    DocumentKind,
    DocumentSeries,
    LedgerAccount,
    LedgerEntry,
    LedgerPosting,
    LedgerTransfer,
    subject,
)
from domain.ledger.postings import (
    Earned,
    Funds,
    Leg,
    Posting,
    dispute_credited,
    hold_moved,
    hold_released,
    partner_billed,
    session_captured,
    surplus_captured,
    top_up_captured,
)

__all__ = [
    "CHECKS",
    "Account",
    "Broken",
    "Cause",
    "Check",
    "Code",
    "Document",
    "DocumentKind",
    "DocumentSeries",
    "Draft",
    "Earned",
    "Funds",
    "Journal",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerPosting",
    "LedgerTransfer",
    "Leg",
    "Posting",
    "Verdict",
    "Written",
    "balance",
    "chart",
    "dispute_credited",
    "hold_moved",
    "hold_released",
    "issue",
    "partner_billed",
    "session_captured",
    "subject",
    "surplus_captured",
    "top_up_captured",
]
