"""Who asks: the one fact about a caller that every field may rely on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.ids import OperatorId


class Role(StrEnum):
    """What a caller may be; the words are those of the token's `role` claim."""

    GUEST = "GUEST"
    DRIVER = "DRIVER"
    PARTNER = "PARTNER"
    SUPPORT = "SUPPORT"
    FINANCE = "FINANCE"
    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose credential was checked, or the guest who showed none. Counts until `expires_at`."""

    subject: str
    role: Role
    operator_id: OperatorId
    expires_at: datetime
    display_name: str
