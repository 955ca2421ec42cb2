"""Versions of OCPI: which one we speak, and where its modules are."""

from __future__ import annotations

from starlette.routing import Route

from api.ocpi.transport import Asked, Door
from api.ocpi.wire import VERSION, Answer

_ENDPOINTS = (("sessions", "RECEIVER"), ("cdrs", "RECEIVER"), ("commands", "SENDER"))


def routes(door: Door, public_url: str) -> list[Route]:
    """`GET /versions` and `GET /2.2.1`."""
    home = f"{public_url}/ocpi/{VERSION}"

    async def versions(asked: Asked) -> Answer:
        del asked
        return Answer([{"version": VERSION, "url": home}])

    async def details(asked: Asked) -> Answer:
        del asked
        endpoints = [
            {"identifier": module, "role": role, "url": f"{home}/{role.lower()}/{module}"}
            for module, role in _ENDPOINTS
        ]
        return Answer({"version": VERSION, "endpoints": endpoints})

    return [door.route("/versions", GET=versions), door.route(f"/{VERSION}", GET=details)]
