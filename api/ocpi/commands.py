"""Results of the commands that we sent (OCPI 2.2.1, Commands, Sender interface): the end of every `response_url`."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from starlette.routing import Route

from api.ocpi.reading import Fields
from api.ocpi.transport import Asked, Door
from api.ocpi.wire import VERSION, Answer
from domain.errors import NotFound
from domain.services import Services
from domain.sessions import CommandKind

NAMES = {CommandKind.START: "START_SESSION", CommandKind.STOP: "STOP_SESSION"}


class Result(StrEnum):
    """`CommandResultType`."""

    ACCEPTED = "ACCEPTED"
    CANCELED_RESERVATION = "CANCELED_RESERVATION"
    EVSE_OCCUPIED = "EVSE_OCCUPIED"
    EVSE_INOPERATIVE = "EVSE_INOPERATIVE"
    FAILED = "FAILED"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    REJECTED = "REJECTED"
    TIMEOUT = "TIMEOUT"
    UNKNOWN_RESERVATION = "UNKNOWN_RESERVATION"


def response_url(public_url: str, kind: CommandKind, command: UUID) -> str:
    """Where the result of a command goes; its random id is what admits it, beside the party's token."""
    return f"{public_url}/ocpi/{VERSION}/sender/commands/{NAMES[kind]}/{command}"


def routes(door: Door, services: Services) -> list[Route]:
    """`POST /2.2.1/sender/commands/{kind}/{command_id}`."""

    async def conclude(asked: Asked) -> Answer:
        if asked.names["kind"] not in NAMES.values():
            raise NotFound("command")
        fields = Fields(asked.body)
        result = fields.needed("result", fields.word("result", Result))
        await services.orders.conclude(asked.party, _command(asked.names["command_id"]), result)
        return Answer()

    return [door.route(f"/{VERSION}/sender/commands/{{kind}}/{{command_id}}", POST=conclude)]


def _command(said: str) -> UUID:
    try:
        return UUID(said)
    except ValueError:
        raise NotFound("command") from None
