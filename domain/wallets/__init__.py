"""Prepaid money of drivers: wallets, holds for running sessions, statements. The books themselves are the ledger's."""

from domain.wallets.audit import CHECKS
from domain.wallets.holds import Holds
from domain.wallets.models import LIFE_OF_A_HOLD, Hold, HoldEvent, HoldStatus, Wallet, WalletEntry, WalletEntryKind
from domain.wallets.service import WalletBalance, WalletService

__all__ = [
    "CHECKS",
    "LIFE_OF_A_HOLD",
    "Hold",
    "HoldEvent",
    "HoldStatus",
    "Holds",
    "Wallet",
    "WalletBalance",
    "WalletEntry",
    "WalletEntryKind",
    "WalletService",
]
