"""How fast money comes in: webhooks accepted, and top-ups through the whole path against bare postings."""

from __future__ import annotations

import asyncio
import base64
import statistics
import time
import uuid
from pathlib import Path

import httpx2
import orjson
import pytest

from domain.database import Database
from domain.ids import PaymentId
from domain.money import Money
from simulators.adyen_webhooks import Notice, envelope, signed
from tests.bench.rates import per_second, say
from tests.payers import Payer, Wish
from tests.processes import until
from tests.servers import Postgres
from tests.stack import Stack
from tests.world import MERCHANT, SEED, build

pytestmark = pytest.mark.bench

CALLERS = 8
DELIVERIES = 800
DRIVERS, EACH = 16, 10


async def test_webhooks_accepted(postgres_url: str, tmp_path: Path) -> None:
    async with Stack(postgres_url, tmp_path) as stack:
        settings = stack.settings
        password = settings.adyen_webhook_password.get_secret_value()
        credentials = base64.b64encode(f"{settings.adyen_webhook_user}:{password}".encode()).decode()
        bodies = iter([delivery(stack) for _ in range(DELIVERIES)])
        took: list[float] = []
        headers = {"authorization": f"Basic {credentials}", "content-type": "application/json"}

        async def deliver(client: httpx2.AsyncClient) -> None:
            for body in bodies:
                began = time.perf_counter()
                answer = await client.post("/webhooks/adyen", content=body)
                took.append(time.perf_counter() - began)
                assert answer.status_code == 202

        async with httpx2.AsyncClient(base_url=stack.public_url, headers=headers, trust_env=False) as client:
            began = time.perf_counter()
            await asyncio.gather(*(deliver(client) for _ in range(CALLERS)))
            rate = DELIVERIES / (time.perf_counter() - began)
        p99 = statistics.quantiles(took, n=100)[98]
        print(f"\nwebhooks accepted/s: {rate:,.0f}, p99 {p99 * 1000:.1f} ms, {CALLERS} at once")  # noqa: T201  its job


def delivery(stack: Stack) -> bytes:
    """A signed AUTHORISATION that is new each time."""
    code = uuid.uuid4().hex[:16].upper()
    notice = Notice("AUTHORISATION", success=True, psp_reference=code, reference=code, amount_minor=1, currency="EUR")
    settings = stack.settings
    item = notice.item(settings.adyen_merchant_account, time.time())
    return orjson.dumps(envelope(signed(item, settings.adyen_hmac_keys[0])))


async def test_top_ups_against_bare_postings(
    postgres_url: str, postgres_server: Postgres, postgres_template: str, tmp_path: Path
) -> None:
    async with Stack(postgres_url, tmp_path) as stack:
        payers = [Payer(stack.driver(f"driver-{number}")) for number in range(DRIVERS)]
        for payer in payers:
            await payer.opens()

        async def pays_in(payer: Payer) -> Wish:
            wish = await payer.asks(1000, uuid.uuid4().hex)
            assert await payer.looks_for_the_page(wish, seconds=10)
            await payer.presses(wish, "approve", attempt=1)
            return wish

        async def pays_often(payer: Payer) -> None:
            wishes = [await pays_in(payer) for _ in range(EACH)]

            async def there() -> bool:
                return await payer.driver.balance() == 1000 * len(wishes)

            await until(there)

        began = time.perf_counter()
        await asyncio.gather(*map(pays_often, payers))
        whole = DRIVERS * EACH / (time.perf_counter() - began)
    other = f"bare_{uuid.uuid4().hex}"
    postgres_server.sql(f"CREATE DATABASE {other} TEMPLATE {postgres_template} STRATEGY file_copy")
    database = Database(postgres_server.url(other))
    bare = await postings(database)
    await database.close()
    say("top-ups/s, from the mutation to the balance", whole, "bare top-up postings, same server", bare)


async def postings(database: Database) -> float:
    """Top-ups posted a second, each in a transaction of its own, by as many callers as there are drivers."""
    world = await build(database)
    wallets = world.services.wallets
    rows = []
    for number in range(DRIVERS):
        driver = await wallets.enrol(world.operator.operator_id, f"bench-{number}", "Bench", "EUR")
        rows += await wallets.wallets_of(world.operator.operator_id, driver.id)

    async def post(number: int) -> None:
        wallet = rows[number % DRIVERS]
        async with database.transaction() as tx:
            await wallets.money.pay_in(tx, wallet, PaymentId(uuid.uuid4()), 1, Money(1000, "EUR"), MERCHANT, SEED)

    return await per_second(post, callers=DRIVERS)
