"""The OCPI 2.2.1 door: charge point operators push sessions, CDRs and results of commands; we send them commands.

    transport.py   who asks, how much may be said, and the envelope around every answer
    reading.py     strict JSON and the fields of strangers, exact or refused with their path
    refusals.py    the one table from a refusal of the domain to HTTP status and OCPI code
    sessions.py cdrs.py commands.py versions.py    one module of OCPI each
    client.py      OcpiControl: START_SESSION and STOP_SESSION to the operator of a charge point

Holds no rule: what it reads is handed to the domain, what the domain says is put on the wire.
"""

from __future__ import annotations

from starlette.routing import BaseRoute

from api.keys import Keys
from api.ocpi import cdrs, commands, sessions, versions
from api.ocpi.client import OcpiControl
from api.ocpi.transport import Door
from domain.ids import OperatorId
from domain.services import Services

__all__ = ["OcpiControl", "routes"]


def routes(services: Services, operator: OperatorId, keys: Keys, public_url: str) -> list[BaseRoute]:
    """Everything below `/ocpi`, for the parties of one operator; `public_url` begins every address that is sent out."""
    door = Door(services, operator, keys)
    return [
        door.mount(
            [
                *versions.routes(door, public_url),
                *sessions.routes(door, services),
                *cdrs.routes(door, services, public_url),
                *commands.routes(door, services),
            ]
        )
    ]
