"""What can be told to go wrong. Faults live in memory: a restart begins without any."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

_CODES = {409: "704", 422: "704", 503: "703"}


class UnknownFault(ValueError):
    """The fault asked for is none of ours, or is malformed."""


@dataclass
class Failure:
    """The next `times` API calls whose path ends with `path` answer `status` ("*": every path).

    With `after_booking` the call is booked first, and the answer that is kept for its idempotency key is the true one.
    `transient` sends the header `transient-error: true`.
    """

    path: str = "*"
    status: int = 500
    times: int = 1
    after_booking: bool = False
    transient: bool = False
    error_code: str = ""

    def body(self) -> dict[str, Any]:
        """The answer in Adyen's shape."""
        code = self.error_code or _CODES.get(self.status, "000")
        return {"status": self.status, "errorCode": code, "message": "As it was ordered", "errorType": "internal"}


@dataclass
class Faults:
    """All faults, as they stand."""

    duplicate_webhooks: int = 0
    """So many copies follow every webhook."""
    vary_duplicates: bool = False
    """Copies carry a later eventDate."""
    drop_webhooks: int = 0
    """So many of the next webhooks are lost for good."""
    bad_signature: int = 0
    """So many of the next webhooks are signed wrongly."""
    hold_webhooks: bool = False
    """Nothing is delivered until the hold ends or a flush releases what waits."""
    delay_seconds: float = 0.0
    """Every webhook waits so long before its first delivery."""
    out_of_order: bool = False
    """The latest of the webhooks that wait goes first, and none blocks another."""
    answer_delay_seconds: float = 0.0
    """Every API call is answered so long after it was booked."""
    drop_response: int = 0
    """So many of the next API calls are booked, and the connection is cut without an answer."""
    fail_next: list[Failure] = field(default_factory=list)

    def add(self, orders: object) -> None:
        """Set the faults of an object, or of a list of objects. `fail_next` is added to; all others are replaced."""
        for order in orders if isinstance(orders, list) else [orders]:
            if not isinstance(order, dict):
                raise UnknownFault("a fault is an object")
            for name, value in order.items():
                self._set(name, value)

    def clear(self) -> None:
        """No faults."""
        self.__dict__.update(Faults().__dict__)

    def take(self, counter: str) -> bool:
        """Whether one of a counted fault is left; if so it is used up."""
        left = int(getattr(self, counter))
        if left > 0:
            setattr(self, counter, left - 1)
        return left > 0

    def failure(self, path: str, *, after_booking: bool) -> Failure | None:
        """The ordered failure for a call, used up by one."""
        for failure in self.fail_next:
            if failure.after_booking == after_booking and (failure.path == "*" or path.endswith(failure.path)):
                failure.times -= 1
                self.fail_next = [left for left in self.fail_next if left.times > 0]
                return failure
        return None

    def _set(self, name: str, value: object) -> None:
        if name == "fail_next":
            self.fail_next += [_failure(one) for one in (value if isinstance(value, list) else [value])]
            return
        kinds = {field.name: type(field.default) for field in dataclasses.fields(self)}
        kind = kinds.get(name)
        if kind not in (bool, int, float) or type(value) not in ((int, float) if kind is float else (kind,)):
            raise UnknownFault(f"no such fault: {name} = {value!r}")
        setattr(self, name, value)


def _failure(order: object) -> Failure:
    kinds = {field.name: type(field.default) for field in dataclasses.fields(Failure)}
    if not isinstance(order, dict) or any(type(value) is not kinds.get(name) for name, value in order.items()):
        raise UnknownFault(f"no such failure: {order!r}")
    failure = Failure(**order)
    if not 400 <= failure.status <= 599:  # noqa: PLR2004  what HTTP calls an error
        raise UnknownFault(f"not the status of an error: {failure.status}")
    return failure
