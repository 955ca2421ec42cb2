"""Where money can lie: every account code, its side, and the bounds of those whose balance is kept."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from domain.ids import OperatorId, PartyId, WalletId

HOUSE = "house"


class Side(StrEnum):
    """Which way a balance grows for the reader; entries themselves are always credit positive."""

    LIABILITY = "liability"
    ASSET = "asset"
    INCOME = "income"
    EXPENSE = "expense"


class Code(StrEnum):
    """Account codes."""

    WALLET_AVAILABLE = "wallet_available"
    WALLET_HELD = "wallet_held"
    WALLET_PROMO = "wallet_promo"
    WALLET_RECEIVABLE = "wallet_receivable"
    VAT = "vat"
    PSP_CLEARING = "psp_clearing"
    EMSP_RECEIVABLE = "emsp_receivable"
    CHARGING_REVENUE = "charging_revenue"
    IDLE_FEE_REVENUE = "idle_fee_revenue"
    GOODWILL = "goodwill"
    SUSPENSE = "suspense"


SIDES: dict[Code, Side] = {
    Code.WALLET_AVAILABLE: Side.LIABILITY,
    Code.WALLET_HELD: Side.LIABILITY,
    Code.WALLET_PROMO: Side.LIABILITY,
    Code.WALLET_RECEIVABLE: Side.ASSET,
    Code.VAT: Side.LIABILITY,
    Code.PSP_CLEARING: Side.ASSET,
    Code.EMSP_RECEIVABLE: Side.ASSET,
    Code.CHARGING_REVENUE: Side.INCOME,
    Code.IDLE_FEE_REVENUE: Side.INCOME,
    Code.GOODWILL: Side.EXPENSE,
    Code.SUSPENSE: Side.LIABILITY,
}

BOUNDS: dict[Code, tuple[int | None, int | None]] = {
    Code.WALLET_AVAILABLE: (0, None),
    Code.WALLET_HELD: (0, None),
    Code.WALLET_PROMO: (0, None),
    Code.WALLET_RECEIVABLE: (None, 0),
}
"""Floor and ceiling of the accounts that keep a balance; all others are sums of their entries."""


@dataclass(frozen=True, slots=True, order=True)
class Account:
    """One place where money can lie, before its currency: `owner` is opaque to the ledger."""

    code: Code
    owner: str


def available(wallet: WalletId) -> Account:
    """The driver's money, free to spend."""
    return Account(Code.WALLET_AVAILABLE, str(wallet))


def held(wallet: WalletId) -> Account:
    """Reserved for running charging sessions."""
    return Account(Code.WALLET_HELD, str(wallet))


def promo(wallet: WalletId) -> Account:
    """Granted credit: spent first, never paid out."""
    return Account(Code.WALLET_PROMO, str(wallet))


def receivable(wallet: WalletId) -> Account:
    """What the driver owes us; at most zero."""
    return Account(Code.WALLET_RECEIVABLE, str(wallet))


def wallet_accounts(wallet: WalletId) -> tuple[Account, ...]:
    """The four accounts of a wallet."""
    return available(wallet), held(wallet), promo(wallet), receivable(wallet)


def vat(country: str, percent: Decimal) -> Account:
    """Output VAT of one country and rate."""
    return Account(Code.VAT, f"{country}:{percent.normalize():f}")


def psp_clearing(merchant_account: str) -> Account:
    """Captured by the payment provider and not yet paid out."""
    return Account(Code.PSP_CLEARING, merchant_account)


def emsp_receivable(party: PartyId) -> Account:
    """What a roaming partner owes us for its drivers at our chargers."""
    return Account(Code.EMSP_RECEIVABLE, str(party))


def charging_revenue(operator: OperatorId) -> Account:
    """Earned by charging, without tax."""
    return Account(Code.CHARGING_REVENUE, str(operator))


def idle_fee_revenue(operator: OperatorId) -> Account:
    """Earned by parking after charging, without tax."""
    return Account(Code.IDLE_FEE_REVENUE, str(operator))


def goodwill() -> Account:
    """Given away without fault."""
    return Account(Code.GOODWILL, HOUSE)


def suspense() -> Account:
    """Money that we hold and cannot yet explain."""
    return Account(Code.SUSPENSE, HOUSE)
