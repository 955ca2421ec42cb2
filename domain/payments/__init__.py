"""Money into wallets through Adyen: the wish, each request we make, every fact we are told, and what they mean.

Owns top-ups, payments, attempts and the inbox of facts. The provider is behind `PaymentGateway`; what a fact moves is
derived here and posted through wallets and ledger. Knows no HTTP, no signature and no session of charging.
"""

from domain.payments.audit import CHECKS
from domain.payments.gateway import Answered, CheckoutRequest, NotSent, Outcome, PaymentGateway, Refused, Unknown
from domain.payments.inbox import Inbox, SignedItem
from domain.payments.models import (
    LIFE_OF_A_TOP_UP,
    LIFE_OF_AN_ATTEMPT,
    UNFINISHED,
    AttemptState,
    FactState,
    Payment,
    PaymentAttempt,
    PspDelivery,
    PspFact,
    TopUp,
    TopUpStatus,
)
from domain.payments.service import PaymentService

__all__ = [
    "CHECKS",
    "LIFE_OF_AN_ATTEMPT",
    "LIFE_OF_A_TOP_UP",
    "UNFINISHED",
    "Answered",
    "AttemptState",
    "CheckoutRequest",
    "FactState",
    "Inbox",
    "NotSent",
    "Outcome",
    "Payment",
    "PaymentAttempt",
    "PaymentGateway",
    "PaymentService",
    "PspDelivery",
    "PspFact",
    "Refused",
    "SignedItem",
    "TopUp",
    "TopUpStatus",
    "Unknown",
]
