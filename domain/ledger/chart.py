"""Where money can lie: every account code, its side, and the bounds of those whose balance is kept."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from domain.ids import OperatorId, PartyId, WalletId
from domain.money import Money

HOUSE = "house"


class Side(StrEnum):
    """Which way a balance grows for the reader; entries themselves are always credit positive."""

    LIABILITY = "liability"
    ASSET = "asset"
    INCOME = "income"
    EXPENSE = "expense"
    MEMO = "memo"


class Code(StrEnum):
    """Account codes."""

    WALLET_AVAILABLE = "wallet_available"
    WALLET_HELD = "wallet_held"
    WALLET_PROMO = "wallet_promo"
    WALLET_RECEIVABLE = "wallet_receivable"
    REFUNDS_IN_FLIGHT = "refunds_in_flight"
    SUSPENSE = "suspense"
    VAT = "vat"
    CPO_PAYABLE = "cpo_payable"
    CPO_CLAIM = "cpo_claim"
    PSP_CLEARING = "psp_clearing"
    BANK = "bank"
    CARD_RECEIVABLE = "card_receivable"
    EMSP_RECEIVABLE = "emsp_receivable"
    INPUT_VAT = "input_vat"
    CHARGING_REVENUE = "charging_revenue"
    IDLE_FEE_REVENUE = "idle_fee_revenue"
    ROAMING_MARGIN = "roaming_margin"
    BREAKAGE = "breakage"
    PSP_FEES = "psp_fees"
    SCHEME_FEES = "scheme_fees"
    CHARGEBACK_LOSSES = "chargeback_losses"
    GOODWILL = "goodwill"
    PROMOTIONS = "promotions"
    BAD_DEBT = "bad_debt"
    ROUNDING = "rounding"
    CARD_AUTH_OPEN = "card_auth_open"
    CARD_AUTH_CONTRA = "card_auth_contra"
    FX = "fx"


_CODES: dict[Side, tuple[Code, ...]] = {
    Side.LIABILITY: (
        Code.WALLET_AVAILABLE,
        Code.WALLET_HELD,
        Code.WALLET_PROMO,
        Code.REFUNDS_IN_FLIGHT,
        Code.SUSPENSE,
        Code.VAT,
        Code.CPO_PAYABLE,
    ),
    Side.ASSET: (
        Code.WALLET_RECEIVABLE,
        Code.CPO_CLAIM,
        Code.PSP_CLEARING,
        Code.BANK,
        Code.CARD_RECEIVABLE,
        Code.EMSP_RECEIVABLE,
        Code.INPUT_VAT,
        Code.FX,
    ),
    Side.INCOME: (Code.CHARGING_REVENUE, Code.IDLE_FEE_REVENUE, Code.ROAMING_MARGIN, Code.BREAKAGE),
    Side.EXPENSE: (
        Code.PSP_FEES,
        Code.SCHEME_FEES,
        Code.CHARGEBACK_LOSSES,
        Code.GOODWILL,
        Code.PROMOTIONS,
        Code.BAD_DEBT,
        Code.ROUNDING,
    ),
    Side.MEMO: (Code.CARD_AUTH_OPEN, Code.CARD_AUTH_CONTRA),
}
SIDES: dict[Code, Side] = {code: side for side, codes in _CODES.items() for code in codes}

BOUNDS: dict[Code, tuple[int | None, int | None]] = {
    Code.WALLET_AVAILABLE: (0, None),
    Code.WALLET_HELD: (0, None),
    Code.WALLET_PROMO: (0, None),
    Code.WALLET_RECEIVABLE: (None, 0),
}
"""Floor and ceiling of the accounts that keep a balance; all others are sums of their entries."""


def natural(code: Code, balance: Money) -> Money:
    """A balance as its reader expects it: what we own, spend or note is positive. The one place that flips a sign."""
    return -balance if SIDES[code] in (Side.ASSET, Side.EXPENSE) else balance


@dataclass(frozen=True, slots=True, order=True)
class Account:
    """One place where money can lie, before its currency: `owner` is opaque to the ledger."""

    code: Code
    owner: str


REFUNDS_IN_FLIGHT = Account(Code.REFUNDS_IN_FLIGHT, HOUSE)
"""Left a wallet, not yet confirmed by the payment provider."""
SUSPENSE = Account(Code.SUSPENSE, HOUSE)
"""Money that we hold and cannot yet explain."""
CARD_RECEIVABLE = Account(Code.CARD_RECEIVABLE, HOUSE)
"""Bills of drivers without an account that are not yet captured."""
BREAKAGE = Account(Code.BREAKAGE, HOUSE)
"""Granted credit that ran out."""
PSP_FEES = Account(Code.PSP_FEES, HOUSE)
SCHEME_FEES = Account(Code.SCHEME_FEES, HOUSE)
CHARGEBACK_LOSSES = Account(Code.CHARGEBACK_LOSSES, HOUSE)
GOODWILL = Account(Code.GOODWILL, HOUSE)
"""Given away without fault."""
PROMOTIONS = Account(Code.PROMOTIONS, HOUSE)
"""Granted credit."""
BAD_DEBT = Account(Code.BAD_DEBT, HOUSE)
"""Debts that nobody will pay any more."""
CARD_AUTH_OPEN = Account(Code.CARD_AUTH_OPEN, HOUSE)
"""Open pre-authorisations of cards; a note, not money."""
CARD_AUTH_CONTRA = Account(Code.CARD_AUTH_CONTRA, HOUSE)
FX = Account(Code.FX, HOUSE)
"""The open position of each currency."""


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


def input_vat(country: str) -> Account:
    """VAT that we may reclaim in a country."""
    return Account(Code.INPUT_VAT, country)


def psp_clearing(merchant_account: str) -> Account:
    """Captured by the payment provider and not yet paid out; tends to zero."""
    return Account(Code.PSP_CLEARING, merchant_account)


def bank(name: str) -> Account:
    """Paid out by the payment provider."""
    return Account(Code.BANK, name)


def emsp_receivable(party: PartyId) -> Account:
    """What a roaming partner owes us for its drivers at our chargers."""
    return Account(Code.EMSP_RECEIVABLE, str(party))


def cpo_payable(party: PartyId) -> Account:
    """What we owe a foreign operator for our drivers at its chargers."""
    return Account(Code.CPO_PAYABLE, str(party))


def cpo_claim(party: PartyId) -> Account:
    """What we claim back from a foreign operator."""
    return Account(Code.CPO_CLAIM, str(party))


def roaming_margin(party: PartyId) -> Account:
    """Earned, or lost, by selling a foreign operator's charging."""
    return Account(Code.ROAMING_MARGIN, str(party))


def charging_revenue(operator: OperatorId) -> Account:
    """Earned by charging, without tax."""
    return Account(Code.CHARGING_REVENUE, str(operator))


def idle_fee_revenue(operator: OperatorId) -> Account:
    """Earned by parking after charging, without tax."""
    return Account(Code.IDLE_FEE_REVENUE, str(operator))
