"""What can be told to go wrong. Faults live in memory: a restart begins without any.

A rule names a fault, and whom it strikes: a `reference` (of the payment, with * and ?), an `operation` (the last word
of a path, or the code of a webhook), the next so many `times`, so many `percent` of all. The same seed strikes the
same.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

_CODES = {409: "704", 422: "704", 503: "703"}


class UnknownFault(ValueError):
    """The fault asked for is none of ours, or is malformed."""


@dataclass(frozen=True)
class Failure:
    """How a call fails: booked or not, answered with an error, cut off (`drop`), never answered (`hang`) or `late`."""

    after_booking: bool = False
    how: str = "error"
    status: int = 500
    error_code: str = ""
    transient: bool = False

    def body(self) -> dict[str, Any]:
        """The answer in Adyen's shape."""
        code = self.error_code or _CODES.get(self.status, "000")
        return {"status": self.status, "errorCode": code, "message": "As it was ordered", "errorType": "internal"}


ANSWERS = {
    "charge_then_drop": Failure(after_booking=True, how="drop"),
    "charge_then_hang": Failure(after_booking=True, how="hang"),
    "charge_then_500": Failure(after_booking=True),
    "charge_then_slow": Failure(after_booking=True, how="late"),
    "webhook_before_answer": Failure(after_booking=True, how="told"),
    "drop": Failure(how="drop"),
    "hang": Failure(how="hang"),
    "slow": Failure(how="late"),
    "500": Failure(),
    "502_html": Failure(status=502),
    "503_703": Failure(status=503),
    "429": Failure(status=429),
    "409_704": Failure(status=409, transient=True),
    "422_704_transient": Failure(status=422, transient=True),
    "422_704_final": Failure(status=422),
    "error": Failure(),
}
"""`slow` and `charge_then_slow` take milliseconds (slow:3000); `error` takes the fields of a Failure."""
DELIVERIES = {
    "duplicate": "so many copies follow (duplicate:2)",
    "vary_duplicate": "so many copies follow, with a later eventDate",
    "delay": "so many seconds late, out of line (delay:5)",
    "shuffle": "out of line, up to a second late",
    "batch": "waits until so many can go in one delivery (batch:5), or for a flush",
    "withhold": "waits for a flush",
    "drop": "lost for good",
    "bad_signature": "a copy with a wrong signature goes before it",
    "forged_second_item": "a copy goes before it, with a second item that nobody signed",
    "wrong_account": "a copy for another merchant account, rightly signed, goes before it",
    "wrong_live": "a copy that says to be live goes before it",
    "no_original_reference": "without originalReference",
    "old_key": "signed with the key before this one",
}
BOOKS = {
    "refuse": "a modification is refused",
    "decline": "a payment is refused, with this code if it is one (decline:12)",
    "capture_fails_later": "captured, and after so many seconds it has failed (capture_fails_later:1)",
    "recapture": "the same, and a second later it is captured after all",
    "refund_fails_later": "refunded, and after so many seconds the refund has failed",
    "refund_reversed": "the same, told as REFUNDED_REVERSED",
    "second_payment": "a page is paid twice",
    "expire": "an authorisation lapses after so many seconds",
}


@dataclass
class Rule:
    """One fault and whom it strikes. `number` is what stands after the colon of its name."""

    fault: str
    reference: str = "*"
    operation: str = "*"
    times: int | None = None
    percent: int = 100
    status: int = 500
    error_code: str = ""
    transient: bool = False
    after_booking: bool = False
    number: int = 1
    asked: dict[str, int] = field(default_factory=dict)
    """How often, for each reference and operation."""

    def failure(self) -> Failure:
        """What an answer becomes."""
        if self.fault == "error":
            return Failure(self.after_booking, "error", self.status, self.error_code, self.transient)
        return ANSWERS[self.fault]


@dataclass
class Faults:
    """All faults, as they stand."""

    answers: list[Rule] = field(default_factory=list)
    deliveries: list[Rule] = field(default_factory=list)
    books: list[Rule] = field(default_factory=list)
    hold_webhooks: bool = False
    """Nothing is delivered until the hold ends or a flush releases what waits."""
    out_of_order: bool = False
    """The latest of the webhooks that wait goes first, and none blocks another."""
    seed: int = 0
    """What chance is made of."""

    def add(self, orders: object) -> None:
        """Set the faults of an object, or of a list of objects. Rules are added, all others are replaced."""
        for order in orders if isinstance(orders, list) else [orders]:
            if not isinstance(order, dict):
                raise UnknownFault("a fault is an object")
            for name, value in order.items():
                self._set(name, value)

    def clear(self) -> None:
        """No faults."""
        self.__dict__.update(Faults().__dict__)

    def answer(self, reference: str, operation: str) -> Rule | None:
        """What goes wrong with a call; the first rule that strikes."""
        return next(iter(self._striking(self.answers, reference, operation, first=True)), None)

    def delivery(self, reference: str, event_code: str) -> dict[str, int]:
        """What goes wrong with a webhook, each with its number."""
        return {rule.fault: rule.number for rule in self._striking(self.deliveries, reference, event_code)}

    def booking(self, reference: str, operation: str, *faults: str) -> Rule | None:
        """Which of these strikes what is being booked."""
        rules = [rule for rule in self.books if rule.fault in faults]
        return next(iter(self._striking(rules, reference, operation, first=True)), None)

    def _striking(self, rules: list[Rule], reference: str, operation: str, *, first: bool = False) -> list[Rule]:
        found: list[Rule] = []
        for place, rule in enumerate(rules):
            meant = fnmatchcase(reference, rule.reference) and fnmatchcase(operation, rule.operation)
            if meant and rule.times != 0 and self._by_chance(place, rule, reference, operation):
                rule.times = rule.times and rule.times - 1
                found.append(rule)
                if first:
                    break
        return found

    def _by_chance(self, place: int, rule: Rule, reference: str, operation: str) -> bool:
        about = f"{reference}:{operation}"
        rule.asked[about] = rule.asked.get(about, 0) + 1
        said = f"{self.seed}:{place}:{rule.fault}:{about}:{rule.asked[about]}"
        return int.from_bytes(hashlib.sha256(said.encode()).digest()[:4], "big") % 100 < rule.percent

    def _set(self, name: str, value: object) -> None:
        known: dict[str, dict[str, Any]] = {"answers": ANSWERS, "deliveries": DELIVERIES, "books": BOOKS}
        if name in known:
            rules = [_rule(one, known[name]) for one in (value if isinstance(value, list) else [value])]
            getattr(self, name).extend(rules)
            return
        kind = {"hold_webhooks": bool, "out_of_order": bool, "seed": int}.get(name)
        if kind is None or type(value) is not kind:
            raise UnknownFault(f"no such fault: {name} = {value!r}")
        setattr(self, name, value)


def _rule(order: object, known: dict[str, Any]) -> Rule:
    """A rule as it was written: an object, or the name of its fault alone."""
    given = {"fault": order} if isinstance(order, str) else order
    if not isinstance(given, dict) or not isinstance(given.get("fault"), str):
        raise UnknownFault(f"no such rule: {order!r}")
    fault, _, number = given["fault"].partition(":")
    kinds = {one.name: type(one.default) for one in dataclasses.fields(Rule)} | {"fault": str, "times": int}
    odd = [name for name, value in given.items() if type(value) is not kinds.get(name)]
    if fault not in known or odd or (number and not number.isdecimal()):
        raise UnknownFault(f"no such rule: {order!r}")
    rule = Rule(**given | {"fault": fault} | ({"number": int(number)} if number else {}))
    if not 400 <= rule.status <= 599:  # noqa: PLR2004  what HTTP calls an error
        raise UnknownFault(f"not the status of an error: {rule.status}")
    return rule
