"""Posts what touches a wallet: the ledger moves, and what changes the wallet's total gets its line."""

from __future__ import annotations

from datetime import datetime

from domain import sql
from domain.database import Transaction
from domain.ids import OperatorId, WalletId
from domain.ledger import Cause, Code, Funds, Journal, Posting, Written, chart
from domain.wallets.models import Wallet, WalletEntry, WalletEntryKind

_TOTAL = frozenset({Code.WALLET_AVAILABLE, Code.WALLET_HELD, Code.WALLET_PROMO})
_KINDS = {
    "top_up": WalletEntryKind.TOP_UP,
    "recaptured": WalletEntryKind.TOP_UP,
    "session_charge": WalletEntryKind.SESSION_CHARGE,
    "credit": WalletEntryKind.REFUND,
    "goodwill": WalletEntryKind.REFUND,
    "refund_asked": WalletEntryKind.WITHDRAWAL,
    "refund_undone": WalletEntryKind.WITHDRAWAL,
    "chargeback": WalletEntryKind.CHARGEBACK,
    "capture_failed": WalletEntryKind.CHARGEBACK,
    "chargeback_reversed": WalletEntryKind.CHARGEBACK_REVERSAL,
    "promotion": WalletEntryKind.PROMOTION,
    "exchange": WalletEntryKind.WITHDRAWAL,
}


async def funds_of(journal: Journal, tx: Transaction, operator: OperatorId, wallet: WalletId, currency: str) -> Funds:
    """What lies in the wallet, locked until the transaction ends."""
    locked = await journal.lock(tx, operator, chart.wallet_accounts(wallet), currency)
    return Funds(
        available=locked[chart.available(wallet)],
        held=locked[chart.held(wallet)],
        promo=locked[chart.promo(wallet)],
        owed=-locked[chart.receivable(wallet)],
    )


async def post(
    journal: Journal,
    tx: Transaction,
    operator: OperatorId,
    wallet: WalletId,
    cause: Cause,
    posting: Posting,
    at: datetime,
) -> Written:
    """Post a fact about one wallet; one that had been posted before changes nothing."""
    (written,) = await journal.post(tx, operator, cause, posting)
    if written.is_new:
        await tx.insert(*await lines(tx, operator, wallet, posting, written, at))
    return written


async def lines(
    tx: Transaction, operator: OperatorId, wallet: WalletId, posting: Posting, written: Written, at: datetime
) -> list[WalletEntry]:
    """The statement's line, counted and still to be inserted; none if the wallet's total has not changed."""
    owner = str(wallet)
    net = sum(
        amount for place, amount in written.net.items() if place.account.code in _TOTAL and place.account.owner == owner
    )
    if not net:
        return []
    where = {"operator_id": operator, "id": wallet}
    counted = await tx.add(Wallet, where, entries=1, total_minor=net)
    return [
        sql.new(
            WalletEntry,
            operator_id=operator,
            wallet_id=wallet,
            sequence=counted.entries,
            posting_id=written.id,
            kind=_KINDS[posting.kind],
            subject=posting.subject,
            amount_minor=net,
            balance_after_minor=counted.total_minor,
            posted_at=at,
        )
    ]
