"""The world outside as a test tells it to be: a line to charge points, and no payments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from domain.payments import CheckoutRequest, NotSent, Outcome
from domain.sessions import Reply, Start, Stop


class Line:
    """A line to charge points that answers as it is told; ACCEPTED where nothing is said."""

    def __init__(self) -> None:
        self.sent: list[Start | Stop] = []
        self.replies: list[Reply] = []
        self.meanwhile: Callable[[Start | Stop], Awaitable[object]] | None = None
        """What happens while an order is under way."""

    async def send(self, order: Start | Stop) -> Reply:
        self.sent.append(order)
        if self.meanwhile is not None:
            await self.meanwhile(order)
        return self.replies.pop(0) if self.replies else Reply.ACCEPTED


class NoGateway:
    """No payment provider takes part."""

    merchant_account = "TestMerchant"

    async def open_checkout(self, request: CheckoutRequest, key: UUID) -> Outcome:
        return NotSent(f"{request.reference} {key}")
