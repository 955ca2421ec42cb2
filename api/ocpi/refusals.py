"""The one table from a refusal of the domain to HTTP status and OCPI code.

OCPI wants no HTTP error once its layer is reached: a wrong meaning is 200 with a code of 2xxx. An object that the
address itself names and that is not there, or not this partner's, is 404. What may succeed later is 503 with 3000.
"""

from __future__ import annotations

from api.ocpi.wire import Answer, Code
from domain.errors import DomainError, InvalidInput, NotFound, TryAgain

RETRY_AFTER_SECONDS = 1
MOST_CHARACTERS = 255
_MISSING = {"location": Code.UNKNOWN_LOCATION, "token": Code.UNKNOWN_TOKEN}


def answer_to(refusal: DomainError) -> Answer:
    """How a partner is told."""
    if isinstance(refusal, TryAgain):
        again = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return Answer(message=str(refusal), http=503, code=Code.SERVER_ERROR, headers=again)
    if isinstance(refusal, NotFound):
        if not refusal.path:
            return Answer(message=str(refusal), http=404, code=Code.CLIENT_ERROR)
        message = _named(refusal.path, str(refusal))
        return Answer(message=message, code=_MISSING.get(refusal.what, Code.INVALID))
    if isinstance(refusal, InvalidInput):
        return Answer(message=_named(refusal.path, refusal.reason), code=Code.INVALID)
    return Answer(message=str(refusal)[:MOST_CHARACTERS], code=Code.INVALID)


def _named(path: tuple[str, ...], reason: str) -> str:
    return (f"{'.'.join(path)}: {reason}" if path else reason)[:MOST_CHARACTERS]
