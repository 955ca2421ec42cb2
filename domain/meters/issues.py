"""What is wrong with the readings of a transaction, whoever signed them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class IssueCode(StrEnum):
    """The rules of the transparency software for calibrated charging, and ours; the list grows."""

    UNREADABLE = "UNREADABLE"
    BEGIN_TX = "BEGIN_TX"
    END_TX = "END_TX"
    MULTIPLE_BEGIN = "MULTIPLE_BEGIN"
    MULTIPLE_END = "MULTIPLE_END"
    METER_STATUS = "METER_STATUS"
    ERROR_FLAGS = "ERROR_FLAGS"
    TIME_SYNC = "TIME_SYNC"
    OBIS_MISMATCH = "OBIS_MISMATCH"
    UNIT_MISMATCH = "UNIT_MISMATCH"
    VALUE_REGRESSION = "VALUE_REGRESSION"
    TIME_REGRESSION = "TIME_REGRESSION"
    SERIAL_MISMATCH = "SERIAL_MISMATCH"
    PAGINATION_INCONSISTENT = "PAGINATION_INCONSISTENT"
    ID_LEVEL_INVALID = "ID_LEVEL_INVALID"
    ID_MISMATCH = "ID_MISMATCH"
    LOSSES_UNKNOWN = "LOSSES_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Issue:
    """One breach. Errors take away the trust in the readings; the others are worth knowing."""

    code: IssueCode
    message: str
    is_error: bool = True
