"""Amounts and wallets that cannot be, through GraphQL: refused by the scalar or by the rule, and nothing has moved."""

from __future__ import annotations

from typing import Any

import pytest

from resolvers.principal import Role
from tests.domain.rows import everything
from tests.resolvers.gateway import Gateway, gid
from tests.world import OPERATOR

TOP_UP = "mutation ($i: TopUpWalletInput!) { topUpWallet(input: $i) { __typename } }"
SUBMIT = "mutation ($i: SubmitDisputeInput!) { submitDispute(input: $i) { __typename } }"
UPHOLD = "mutation ($i: UpholdDisputeInput!) { upholdDispute(input: $i) { __typename } }"
KEY = "0123456789abcdef"
BAD = [
    ("0", "EUR", "AmountNotAllowed"),
    ("-2000", "EUR", "BAD_USER_INPUT"),
    ("1000000000001", "EUR", "AmountNotAllowed"),
    ("9223372036854775807", "EUR", "BAD_USER_INPUT"),
    ("9223372036854775808", "EUR", "BAD_USER_INPUT"),
    ("2000", "USD", "CurrencyMismatch"),
    ("2000", "JPY", "CurrencyMismatch"),
    ("1.5", "JPY", "BAD_USER_INPUT"),
    ("15e1", "JPY", "BAD_USER_INPUT"),
    ("2000", "eur", "BAD_USER_INPUT"),
    ("2000", "XXX", "BAD_USER_INPUT"),
    (2000.5, "EUR", "BAD_USER_INPUT"),
    ("", "EUR", "BAD_USER_INPUT"),
]


async def told(gateway: Gateway, mutation: str, role: Role, **given: object) -> str:
    """The type of the refusal, or the code of the error when the input did not come through."""
    answer = await gateway.ask(mutation, role, i={"idempotencyKey": KEY, **given})
    if "errors" in answer.body:
        (code,) = answer.codes
        return str(code)
    (result,) = answer.data.values()
    return str(result["__typename"])


@pytest.mark.parametrize(("minor", "currency", "expected"), BAD)
async def test_an_amount_that_cannot_be_is_refused_by_every_mutation(
    gateway: Gateway, minor: object, currency: str, expected: str
) -> None:
    bad: dict[str, Any] = {"minorUnits": minor, "currency": currency}
    billed = await gateway.billed("S1")
    disputed = await gateway.dispute(gid("ChargingSession", (await gateway.billed("S2")).id))
    before = await everything(gateway.world.services.database)
    wallet = gid("Wallet", gateway.world.wallet.id)
    assert expected == await told(
        gateway, TOP_UP, Role.DRIVER, walletId=wallet, amount=bad, returnUrl="https://app.example/"
    )
    submitted = {"sessionId": gid("ChargingSession", billed.id)}
    statement = "It was too expensive."
    assert expected == await told(
        gateway, SUBMIT, Role.DRIVER, subject=submitted, reason="OTHER", statement=statement, disputedAmount=bad
    )
    decided = {"disputeId": disputed, "expectedRevision": 3, "explanation": "You are right."}
    assert expected == await told(gateway, UPHOLD, Role.SUPPORT, refund=bad, **decided)
    assert await everything(gateway.world.services.database) == before


@pytest.mark.parametrize(
    ("state", "expected"), [("frozen", "WalletFrozen"), ("closed", "WalletClosed"), ("unknown", "NotFound")]
)
async def test_a_wallet_that_cannot_be_filled_says_why(gateway: Gateway, state: str, expected: str) -> None:
    world, services = gateway.world, gateway.world.services
    subject, wallet = "driver-1", world.wallet.id
    if state == "frozen":
        await services.wallets.freeze(OPERATOR, wallet, "audit I2")
    else:
        subject = "driver-2"
        other = await services.wallets.enrol(OPERATOR, subject, "Somebody", "EUR")
        if state == "closed":
            (its,) = await services.wallets.wallets_of(OPERATOR, other.id)
            wallet = its.id
            await services.wallets.close(OPERATOR, wallet)
    given = {
        "idempotencyKey": KEY,
        "walletId": gid("Wallet", wallet),
        "amount": {"minorUnits": "2000", "currency": "EUR"},
        "returnUrl": "https://app.example/",
    }
    before = await everything(services.database)
    answer = await gateway.ask(TOP_UP, Role.DRIVER, subject, i=given)
    assert answer.data["topUpWallet"]["__typename"] == expected
    assert await everything(services.database) == before
    assert world.gateway.requests == []
