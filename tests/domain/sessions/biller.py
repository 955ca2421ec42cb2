"""An operator of charge points that bills its sessions itself, by CDRs."""

from __future__ import annotations

import orjson

from domain.sessions import ChargingSession, CreditPush, Declared
from tests.domain.sessions.ocpi_objects import after
from tests.domain.sessions.stage import ACTIVE, CAUSE, COMPLETED, Stage, euro


async def billed(stage: Stage, name: str = "S1", net: int = 500, gross: int = 595, **more: object) -> ChargingSession:
    """A session at the biller's connector from noon to one o'clock, 10 kWh, billed by its CDR `C-name`."""
    await stage.record(stage.push(name, ACTIVE, 0, 0, location="L9"), stage.biller)
    await stage.record(stage.patch(name, COMPLETED, 60, 10_000, ended_at=after(60)), stage.biller)
    bill = stage.bill(f"C-{name}", name, net, gross, **more)
    session, _ = await stage.services.recording.bill(stage.biller, bill, CAUSE)
    return session


async def take_back(stage: Stage, name: str, net: int = -500, gross: int = -595, credit: str = "") -> bool:
    """A credit CDR of the biller for its CDR of this name."""
    total, ocpi_id = Declared(euro(net), euro(gross)), credit or f"{name}-C"
    push = CreditPush(ocpi_id, name, total, orjson.dumps({"id": ocpi_id, "net": net}).decode())
    return await stage.services.partner_credits.take(stage.biller, push)
