"""Prepaid money of drivers: wallets, holds for running sessions, statements. The books themselves are the ledger's."""

from domain.wallets.audit import CHECKS
from domain.wallets.holds import LASTS, Holds
from domain.wallets.models import (
    LIFE_OF_A_GRANT,
    LIFE_OF_A_HOLD,
    Hold,
    HoldEvent,
    HoldStatus,
    PromoGrant,
    PromoStatus,
    Wallet,
    WalletEntry,
    WalletEntryKind,
    usable,
)
from domain.wallets.money import WalletMoney
from domain.wallets.promos import Promos
from domain.wallets.service import EntryFilter, WalletBalance, WalletService

__all__ = [
    "CHECKS",
    "LASTS",
    "LIFE_OF_A_GRANT",
    "LIFE_OF_A_HOLD",
    "EntryFilter",
    "Hold",
    "HoldEvent",
    "HoldStatus",
    "Holds",
    "PromoGrant",
    "PromoStatus",
    "Promos",
    "Wallet",
    "WalletBalance",
    "WalletEntry",
    "WalletEntryKind",
    "WalletMoney",
    "WalletService",
    "usable",
]
