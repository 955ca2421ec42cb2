"""A charge point operator in small, and a look at everything that is stored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx2
from sqlalchemy import select
from sqlmodel import SQLModel

from api.ocpi.wire import authorization, encoded
from domain.database import Database
from tests.world import World

PUBLIC_URL = "https://tallywatt.example"
RECEIVER = "/ocpi/2.2.1/receiver"
SENDER = "/ocpi/2.2.1/sender/commands"


@dataclass
class Said:
    """An answer: HTTP status, OCPI code, message and data."""

    response: httpx2.Response

    @property
    def envelope(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.response.content, parse_float=Decimal)
        assert read["timestamp"].endswith("Z")
        return read

    @property
    def codes(self) -> tuple[int, int]:
        return self.response.status_code, self.envelope["status_code"]

    @property
    def message(self) -> str:
        return str(self.envelope.get("status_message", ""))

    @property
    def data(self) -> Any:  # noqa: ANN401 - what JSON can say
        return self.envelope["data"]


@dataclass
class Partner:
    """Speaks with one token; `body` builds what a charge point operator sends."""

    http: httpx2.AsyncClient
    party_id: str
    token: str
    location: str
    world: World

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Said:
        content = body if isinstance(body, bytes) else b"" if body is None else encoded(body)
        named = {"Authorization": authorization(self.token), **{k.replace("_", "-"): v for k, v in headers.items()}}
        return Said(await self.http.request(method, path, content=content, headers=named))

    def address(self, session: str = "S-1") -> str:
        return f"{RECEIVER}/sessions/DE/{self.party_id}/{session}"

    async def put(self, body: object, session: str = "S-1") -> Said:
        return await self.ask("PUT", self.address(session), body)

    async def patch(self, body: object, session: str = "S-1") -> Said:
        return await self.ask("PATCH", self.address(session), body)

    async def get(self, session: str = "S-1") -> Said:
        return await self.ask("GET", self.address(session))

    async def post_cdr(self, body: object) -> Said:
        return await self.ask("POST", f"{RECEIVER}/cdrs", body)

    def session(self, name: str = "S-1", /, **changed: object) -> dict[str, Any]:
        """A Session just begun by the driver's Token; `changed` None leaves a field out."""
        token = self.world.token
        body: dict[str, Any] = {
            "country_code": "DE",
            "party_id": self.party_id,
            "id": name,
            "start_date_time": "2026-05-04T08:00:00Z",
            "kwh": 0,
            "cdr_token": {
                "country_code": "DE",
                "party_id": "TWT",
                "uid": token.uid,
                "type": "APP_USER",
                "contract_id": token.contract_id,
            },
            "auth_method": "WHITELIST",
            "location_id": self.location,
            "evse_uid": "EVSE-1",
            "connector_id": "1",
            "currency": "EUR",
            "status": "ACTIVE",
            "last_updated": "2026-05-04T08:00:00Z",
        }
        return {field: value for field, value in (body | changed).items() if value is not None}

    def cdr(self, name: str = "C-1", /, **changed: object) -> dict[str, Any]:
        """The CDR of a session of one hour, half of it parked; `changed` None leaves a field out."""
        body: dict[str, Any] = {
            "country_code": "DE",
            "party_id": self.party_id,
            "id": name,
            "session_id": "S-1",
            "start_date_time": "2026-05-04T08:00:00Z",
            "end_date_time": "2026-05-04T09:00:00Z",
            "currency": "EUR",
            "total_cost": {"excl_vat": Decimal("7.00"), "incl_vat": Decimal("8.33")},
            "total_energy": Decimal("10.5"),
            "total_energy_cost": {"excl_vat": Decimal("4.00"), "incl_vat": Decimal("4.76")},
            "total_time": 1,
            "total_parking_time": Decimal("0.5"),
            "total_parking_cost": {"excl_vat": Decimal("3.00"), "incl_vat": Decimal("3.57")},
            "last_updated": "2026-05-04T09:01:00Z",
        }
        return {field: value for field, value in (body | changed).items() if value is not None}


def change(clock: str, **fields: object) -> dict[str, Any]:
    """What a PATCH carries; `clock` is when it was updated, such as "08:30:00"."""
    return {"last_updated": f"2026-05-04T{clock}Z", **fields}


def period(clock: str, **volumes: object) -> dict[str, Any]:
    """A charging period: `period("08:00:00", ENERGY=5, TIME="0.5")`."""
    dimensions = [{"type": name, "volume": volume} for name, volume in volumes.items()]
    return {"start_date_time": f"2026-05-04T{clock}Z", "dimensions": dimensions}


async def everything(database: Database) -> dict[str, list[str]]:
    """All rows of all tables, to be compared."""
    async with database.read() as reader:
        return {
            table.name: sorted(repr(dict(row)) for row in await reader.rows(select(table)))
            for table in SQLModel.metadata.sorted_tables
        }


def raw(body: dict[str, Any], **texts: str) -> bytes:
    """JSON with some fields as they are written here: `raw(session, kwh="NaN")`."""
    marked = {name: f"@{name}@" for name in texts}
    text = encoded({**body, **marked}).decode()
    for name, written in texts.items():
        text = text.replace(f'"@{name}@"', written)
    return text.encode()
