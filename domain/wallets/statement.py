"""Posts what touches a wallet: the ledger moves, the wallet's revision grows, and the statement gets its line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import update

from domain.columns import table_of
from domain.database import Transaction
from domain.ids import OperatorId, WalletId
from domain.ledger import Account, Cause, Code, Journal, Posting
from domain.money import Money
from domain.wallets.models import Wallet, WalletEntry, WalletEntryKind

_wallets = table_of(Wallet)
_TOTAL = frozenset({Code.WALLET_AVAILABLE, Code.WALLET_HELD, Code.WALLET_PROMO})
_KINDS = {
    "top_up": WalletEntryKind.TOP_UP,
    "session_charge": WalletEntryKind.SESSION_CHARGE,
    "credit": WalletEntryKind.REFUND,
}


async def post(
    journal: Journal,
    tx: Transaction,
    operator: OperatorId,
    wallet: WalletId,
    cause: Cause,
    posting: Posting,
    at: datetime,
) -> bool:
    """Post a fact about one wallet. False if it had been posted before; then nothing changes."""
    (written,) = await journal.post(tx, operator, cause, posting)
    if not written.is_new:
        return False
    net = _total(written.net, posting)
    changed = await tx.row(
        update(_wallets)
        .where(_wallets.c.operator_id == operator, _wallets.c.id == wallet)
        .values(
            revision=_wallets.c.revision + 1,
            entries=_wallets.c.entries + (1 if net else 0),
            total_minor=_wallets.c.total_minor + net.minor,
        )
        .returning(_wallets.c.entries, _wallets.c.total_minor)
    )
    assert changed is not None
    if net:
        await tx.insert(
            WalletEntry(
                operator_id=operator,
                wallet_id=wallet,
                sequence=changed["entries"],
                posting_id=written.id,
                kind=_KINDS[posting.kind],
                subject=posting.subject,
                amount_minor=net.minor,
                balance_after_minor=changed["total_minor"],
                posted_at=at,
            )
        )
    return True


def _total(net: Mapping[Account, Money], posting: Posting) -> Money:
    zero = Money.zero(posting.legs[0].amount.currency)
    return sum((amount for account, amount in net.items() if account.code in _TOTAL), zero)
