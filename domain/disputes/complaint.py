"""What a driver complains about, and whether the same key means the same complaint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from domain.disputes.models import Dispute, DisputeReason
from domain.errors import IdempotencyConflict
from domain.ids import ChargingSessionId, DriverId, OperatorId
from domain.money import Money
from domain.refusals import same_wish


@dataclass(frozen=True, slots=True)
class Complaint:
    """The wish of a driver, and the key that names it; no amount means all of the bill."""

    operator: OperatorId
    driver: DriverId
    session: ChargingSessionId
    reason: DisputeReason
    statement: str
    amount: Money | None
    key: str

    @property
    def fingerprint(self) -> str:
        """Equal for equal wishes."""
        return hashlib.sha256(f"{self.session}|{self.reason}|{self.amount}|{self.statement}".encode()).hexdigest()

    def same_as(self, dispute: Dispute) -> None:
        """Raise IdempotencyConflict, naming what differs, unless the dispute is what this wish has become."""
        if dispute.fingerprint == self.fingerprint:
            return
        then = {"session": str(dispute.session_id), "reason": dispute.reason.value, "statement": dispute.statement}
        same_wish(then, {"session": str(self.session), "reason": self.reason.value, "statement": self.statement})
        raise IdempotencyConflict("amount")
