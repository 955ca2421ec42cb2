"""What a hold and a capture cost, against PostgreSQL's own TPC-B; and that a long history costs nothing."""

from __future__ import annotations

import asyncio
import statistics
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import pytest

import migrations
from domain.database import Database
from domain.ids import ChargingSessionId, PaymentId
from domain.ledger import Cause, Earned
from domain.money import Money
from domain.wallets import Wallet, WalletService
from tests.bench.rates import per_second, say
from tests.servers import SAFE, Postgres, Servers
from tests.world import MERCHANT, World, build

pytestmark = pytest.mark.bench

ROUNDS = 5
CLIENTS = 8
WALLETS = 200
LONG, SHORT = 1_000_000, 1_000
CAUSE = Cause(actor="bench", request_id="bench")
BILL = Earned("DE", Money(100, "EUR"), Money(0, "EUR"), ((Decimal(19), Money(19, "EUR")),))


@dataclass
class Bench:
    """Wallets with plenty of money in them, and one caller's work: hold 5.00, capture 1.19 of it."""

    database: Database
    wallets: WalletService
    rows: list[Wallet]

    async def charge(self, wallet: Wallet) -> None:
        holds = self.wallets.holds
        async with self.database.transaction() as tx:
            session = ChargingSessionId(uuid.uuid4())
            hold = await holds.open(tx, wallet, session, uuid.uuid4().hex, Money(500, "EUR"), CAUSE)
        async with self.database.transaction() as tx:
            await holds.capture(tx, hold, BILL, CAUSE, datetime.now(UTC))

    async def rate(self, wallets: list[Wallet], clients: int) -> float:
        """Holds and captures a second."""

        async def work(number: int) -> None:
            await self.charge(wallets[number % len(wallets)])

        return 2 * await per_second(work, clients)


@pytest.fixture
def server(servers: Servers) -> Iterator[Postgres]:
    """A server that keeps its promises."""
    server = servers.postgres(f"bench-{uuid.uuid4().hex[:8]}", SAFE)
    yield server
    server.stop()


async def bench(server: Postgres) -> Bench:
    server.sql("CREATE DATABASE bench")
    url = server.url("bench")
    await asyncio.to_thread(migrations.upgrade, url)
    database = Database(url)
    world = await build(database)
    rows = [await funded(world, number) for number in range(WALLETS)]
    server.sql("VACUUM ANALYZE", database="bench")
    return Bench(database, world.services.wallets, rows)


async def funded(world: World, number: int) -> Wallet:
    service, operator = world.services.wallets, world.operator.operator_id
    driver = await service.enrol(operator, f"bench-{number}", "Bench", "EUR")
    (wallet,) = await service.wallets_of(operator, driver.id)
    async with world.services.database.transaction() as tx:
        await service.money.pay_in(tx, wallet, PaymentId(uuid.uuid4()), 1, Money(10**9, "EUR"), MERCHANT, CAUSE)
    return wallet


def pgbench(server: Postgres, *how: str) -> float:
    where = ("-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "tpcb")
    told = server._tools.run("pgbench", "-c", str(CLIENTS), "-j", "2", "-T", "3", *how, *where)
    return float(next(line for line in told.splitlines() if line.startswith("tps")).split()[2])


async def test_holds_and_captures_against_pgbench(server: Postgres) -> None:
    ours = await bench(server)
    server.sql("CREATE DATABASE tpcb")
    server._tools.run(
        "pgbench", "-q", "-i", "-s", "10", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "tpcb"
    )
    rates = [
        (await ours.rate(ours.rows, CLIENTS), pgbench(server), pgbench(server, "-M", "prepared")) for _ in range(ROUNDS)
    ]
    await ours.database.close()
    mine, simple, prepared = (statistics.median(side) for side in zip(*rates, strict=True))
    say("holds + captures/s", mine, "pgbench TPC-B, same server and clients", simple)
    say("holds + captures/s", mine, "the same, statements prepared", prepared)


HISTORY = """
WITH account AS (SELECT * FROM ledger_account WHERE owner = '{wallet}' AND code = 'wallet_available'),
other AS (SELECT * FROM ledger_account WHERE code = 'psp_clearing' LIMIT 1),
written AS (
    INSERT INTO ledger_posting (operator_id, id, reference, kind, subject, content_sha256, effective_at, posted_at,
                                actor, request_id)
    SELECT account.operator_id, gen_random_uuid(), 'history:{wallet}:' || n, 'top_up', 'history:' || n, repeat('0', 64),
           now(), now(), 'bench', 'bench'
    FROM account, generate_series(1, {entries}) n
    RETURNING operator_id, id
), numbered AS (SELECT *, row_number() OVER () AS n FROM written),
there AS (
    INSERT INTO ledger_entry (operator_id, account_id, posting_id, amount_minor)
    SELECT numbered.operator_id, other.id, numbered.id, -1 FROM numbered, other
), transfers AS (
    INSERT INTO ledger_transfer (operator_id, posting_id, leg, source_id, target_id, amount_minor, currency)
    SELECT numbered.operator_id, numbered.id, 1, other.id, account.id, 1, 'EUR' FROM numbered, account, other
)
INSERT INTO ledger_entry (operator_id, account_id, posting_id, amount_minor, account_version, balance_after_minor)
SELECT numbered.operator_id, account.id, numbered.id, 1, account.version + n, account.balance_minor + n
FROM numbered, account;
UPDATE ledger_account SET version = version + {entries}, balance_minor = balance_minor + {entries}
WHERE owner = '{wallet}' AND code = 'wallet_available';
"""


async def test_a_wallet_with_a_long_history_costs_no_more(server: Postgres) -> None:
    ours = await bench(server)
    short, long = ours.rows[:2]
    for wallet, entries in ((short, SHORT), (long, LONG)):
        server.sql(HISTORY.format(wallet=wallet.id, entries=entries), database="bench")
    server.sql("VACUUM ANALYZE", "CHECKPOINT", database="bench")
    rates = [(await ours.rate([short], 1), await ours.rate([long], 1)) for _ in range(ROUNDS)]
    await ours.database.close()
    few, many = (statistics.median(side) for side in zip(*rates, strict=True))
    say(f"holds + captures/s in a wallet of {LONG:,} entries", many, f"one of {SHORT:,}", few)
