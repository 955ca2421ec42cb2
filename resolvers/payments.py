"""Money into wallets."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import strawberry

from domain import payments as domain
from domain.errors import InvalidInput as Invalid
from domain.errors import NotFound as NotThere
from domain.ids import TopUpId, WalletId
from resolvers.context import Info
from resolvers.describing import describe
from resolvers.errors import (
    AmountNotAllowed,
    CurrencyMismatch,
    IdempotencyConflict,
    InvalidInput,
    NotFound,
    PaymentDeclined,
    PaymentServiceUnavailable,
    WalletClosed,
    WalletFrozen,
)
from resolvers.extending import extends
from resolvers.nodes import Node, fetched_as, global_id, key_of
from resolvers.scalars import Key, Money, MoneyInput, Timestamp, Url
from resolvers.wallets import Wallet

describe(
    domain.TopUpStatus,
    "States of a payment; REFUSED and EXPIRED can still become AUTHORISED: the provider's word counts.",
    called="PaymentStatus",
    INITIATED="Noted; the provider has not answered.",
    ACTION_REQUIRED="The driver must do the next step.",
    PENDING="The provider is at work.",
    AUTHORISED="The money is in the wallet.",
    REFUSED="The provider said no.",
    EXPIRED="Nobody paid in time.",
)


@strawberry.type(description="Open a page, then wait for the payment to change.")
class RedirectAction:
    """The one kind of step there is."""

    url: Url = strawberry.field(description="Page to open.")
    expires_at: Timestamp = strawberry.field(description="Useless after this.")


class PaymentFailureReason(StrEnum):
    """Why."""

    REFUSED = "refused"


describe(PaymentFailureReason, "Reasons of failed payments.", REFUSED="The provider or the bank said no.")


@strawberry.type(description="Why a payment failed.")
class PaymentFailure:
    """A failure."""

    reason: PaymentFailureReason = strawberry.field(description="Stable reason.")
    message: str = strawberry.field(description="Text for the driver.")
    is_retryable: bool = strawberry.field(description="Whether trying again with the same method may succeed.")


@strawberry.type(description="A payment into a wallet.")
class TopUp(Node):
    """A top-up."""

    status: domain.TopUpStatus = strawberry.field(description="Where it stands.")
    amount: Money = strawberry.field(description="Amount asked for.")
    created_at: Timestamp = strawberry.field(description="When it was asked for.")
    credited_at: Timestamp | None = strawberry.field(description="When the money became spendable.")
    row: strawberry.Private[domain.TopUp]

    @classmethod
    def of(cls, row: domain.TopUp) -> TopUp:
        """From the domain."""
        return cls(
            id=global_id("TopUp", row.id),
            status=row.status,
            amount=Money.of(row.amount),
            created_at=Timestamp(row.requested_at),
            credited_at=None if row.credited_at is None else Timestamp(row.credited_at),
            row=row,
        )

    @strawberry.field(description="What the app must do next; null when nothing.")
    async def next_action(self, info: Info) -> RedirectAction | None:
        """Where to pay."""
        if self.row.status is not domain.TopUpStatus.ACTION_REQUIRED:
            return None
        _, payment = await info.context.services.payments.top_up_of(
            info.context.operator_id, self.row.id, info.context.me.id
        )
        if payment.checkout_url is None:
            return None
        return RedirectAction(url=Url(payment.checkout_url), expires_at=Timestamp(payment.expires_at))

    @strawberry.field(description="Why it failed; null unless REFUSED.")
    def failure(self) -> PaymentFailure | None:
        """In words."""
        if self.row.status is not domain.TopUpStatus.REFUSED:
            return None
        return PaymentFailure(
            reason=PaymentFailureReason.REFUSED,
            message="The payment was refused; try another way to pay.",
            is_retryable=False,
        )

    @strawberry.field(description="Wallet to fill.")
    async def wallet(self, info: Info) -> Wallet:
        """The driver's own."""
        context = info.context
        return Wallet.of(await context.services.wallets.wallet(context.operator_id, self.row.wallet_id, context.me.id))


@strawberry.input(description="Arguments of `topUpWallet`.")
class TopUpWalletInput:
    """What to do."""

    idempotency_key: Key = strawberry.field(description="Makes retries safe.")
    wallet_id: strawberry.ID = strawberry.field(description="Wallet to fill.")
    amount: MoneyInput = strawberry.field(description="How much.")
    return_url: Url = strawberry.field(description="Where the provider sends the driver back to.")


TopUpWalletResult = Annotated[
    TopUp
    | InvalidInput
    | NotFound
    | IdempotencyConflict
    | AmountNotAllowed
    | CurrencyMismatch
    | WalletFrozen
    | WalletClosed
    | PaymentDeclined
    | PaymentServiceUnavailable,
    strawberry.union("TopUpWalletResult", description="Outcome of `topUpWallet`."),
]


async def top_up_wallet(info: Info, given: TopUpWalletInput) -> TopUpWalletResult:
    """Put money into a wallet."""
    context = info.context
    if not context.may_return_to(given.return_url):
        raise Invalid("Nobody may be sent back to this address after a payment.", ("input", "returnUrl"))
    wish = await context.services.payments.top_up(
        context.operator_id,
        context.me.id,
        WalletId(key_of(given.wallet_id, "Wallet", "input", "walletId")),
        given.amount.to_money(),
        given.idempotency_key,
        given.return_url,
        context.operator.country_code,
    )
    return TopUp.of(wish)


@fetched_as("TopUp")
async def _top_up(info: Info, key: UUID) -> TopUp | None:
    driver = info.context.driver
    if driver is None:
        return None
    try:
        row, _ = await info.context.services.payments.top_up_of(driver.operator_id, TopUpId(key), driver.id)
    except NotThere:
        return None
    return TopUp.of(row)


@extends(Wallet, "Top-ups that are not finished, oldest first.")
async def pending_top_ups(root: strawberry.Parent[Wallet], info: Info) -> list[TopUp]:
    """At most 20."""
    found = await info.context.services.payments.pending(root.row.operator_id, root.row.id)
    return [TopUp.of(row) for row in found]
