"""An account at the stand-in of Adyen, which is started as a process, and checkouts wanted of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from api.adyen import AdyenAccount, AdyenGateway
from domain.money import Money
from domain.payments import CheckoutRequest, Outcome

ROOT = Path(__file__).parents[2]
MERCHANT, API_KEY, HMAC_KEY = "TallywattTest", "a key that nobody logs", "c0ffee" * 10 + "abcd"
USER, PASSWORD = "hook", "pass:word"


@contextmanager
def started(webhook_url: str = "http://127.0.0.1:9") -> Iterator[str]:
    """The address of a stand-in, and where its webhooks go."""
    options = {"bind": "127.0.0.1:0", "webhook-url": webhook_url, "webhook-user": USER, "retry-seconds": "0.05"}
    options |= {"webhook-password": PASSWORD, "hmac-key": HMAC_KEY, "api-key": API_KEY, "merchant-account": MERCHANT}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    command = [sys.executable, "-m", "simulators.adyen", *words]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STANDIN_")}
    with subprocess.Popen(command, cwd=ROOT, env=clean, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().split()[-1]
        process.terminate()


def wanted(minor: int = 2000, currency: str = "EUR") -> CheckoutRequest:
    later = datetime.now(UTC) + timedelta(minutes=30)
    return CheckoutRequest(
        reference=f"topup-{uuid4()}",
        amount=Money(minor, currency),
        return_url="https://app.example/back?a=1",
        country="DE",
        shopper_reference="drv-0123456789abcdef",
        expires_at=later,
    )


def account(base_url: str) -> AdyenAccount:
    return AdyenAccount(API_KEY, MERCHANT, base_url=base_url, timeout_seconds=5)


@contextmanager
def gateway(at: AdyenAccount) -> Iterator[AdyenGateway]:
    opened = AdyenGateway(at)
    yield opened
    opened.close()


async def answer(at: AdyenAccount, request: CheckoutRequest | None = None, key: UUID | None = None) -> Outcome:
    with gateway(at) as asked:
        return await asked.open_checkout(request or wanted(), key or uuid4())
