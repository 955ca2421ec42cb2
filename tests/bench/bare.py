"""The least that can answer the home query: Starlette, asyncpg, orjson. No token, no roles, no GraphQL."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import asyncpg
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

WALLET = """
SELECT d.display_name, w.id, w.revision, a.code, a.balance_minor
FROM driver d JOIN wallet w ON w.operator_id = d.operator_id AND w.driver_id = d.id
JOIN ledger_account a ON a.operator_id = w.operator_id AND a.owner = w.id::text AND a.currency = w.currency
WHERE d.subject = $1
"""
SESSIONS = """
SELECT s.id, s.status, s.energy_wh, s.net_minor, s.tax_minor
FROM charging_session s JOIN driver d ON d.operator_id = s.operator_id AND d.id = s.driver_id
WHERE d.subject = $1 ORDER BY s.requested_at DESC, s.id DESC LIMIT 21
"""


def global_id(kind: str, key: object) -> str:
    return base64.b64encode(f"{kind}:{key}".encode()).decode()


def money(minor: int, *, currency: bool = False) -> dict[str, str]:
    amount = {"amount": str(Decimal(minor).scaleb(-2))}
    return amount | {"currency": "EUR"} if currency else amount


async def home(request: Request) -> Response:
    await request.body()
    pool: asyncpg.Pool[Any] = request.app.state.pool
    async with pool.acquire() as connection:
        accounts = await connection.fetch(WALLET, os.environ["BENCH_SUBJECT"])
        rows = await connection.fetch(SESSIONS, os.environ["BENCH_SUBJECT"])
    balances = {row["code"]: row["balance_minor"] for row in accounts}
    available, held = balances["wallet_available"], balances["wallet_held"]
    wallet = {
        "id": global_id("Wallet", accounts[0]["id"]),
        "revision": accounts[0]["revision"],
        "balance": {
            "available": money(available),
            "held": money(held),
            "total": money(available + held + balances["wallet_promo"], currency=True),
        },
    }
    nodes = [
        {
            "id": global_id("ChargingSession", row["id"]),
            "status": row["status"].upper(),
            "energyKwh": str(Decimal(row["energy_wh"]).scaleb(-3)),
            "cost": {"ifStoppedNow": {"gross": money(row["net_minor"] + row["tax_minor"])}},
        }
        for row in rows[:20]
    ]
    sessions = {"edges": [{"node": node} for node in nodes], "pageInfo": {"hasNextPage": len(rows) > 20}}
    me = {"displayName": accounts[0]["display_name"], "wallet": wallet, "sessions": sessions}
    return Response(orjson.dumps({"data": {"me": me}}), media_type="application/json")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["BENCH_DSN"], min_size=10, max_size=10) as app.state.pool:
        yield


if __name__ == "__main__":
    app = Starlette(routes=[Route("/graphql", home, methods=["POST"])], lifespan=lifespan)
    uvicorn.run(app, port=int(sys.argv[1]), http="httptools", access_log=False, log_level="warning")
