"""What pricing noticed: facts somebody may want to look at, never a change of the amount."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Level(StrEnum):
    """ERROR: no trustworthy amount; WARNING: someone should look; INFO: worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Code(StrEnum):
    """Everything that can be noticed while a tariff and a record are read, priced and compared."""

    UNKNOWN_TARIFF = "unknown_tariff"
    NO_TARIFF = "no_tariff"
    BAD_NUMBER = "bad_number"
    UNKNOWN_TIME_ZONE = "unknown_time_zone"
    CURRENCY_MISMATCH = "currency_mismatch"
    SCHEMA = "schema"
    TIME_ORDER = "time_order"
    FUTURE_SESSION = "future_session"

    PERIOD_SPANS_PRICE_CHANGE = "period_spans_price_change"
    MISSING_DIMENSION = "missing_dimension"
    UNKNOWN_RESTRICTION = "unknown_restriction"
    PERIODS_OUT_OF_ORDER = "periods_out_of_order"
    PERIODS_OUTSIDE_START_END_DATE_TIME = "periods_outside_start_end_date_time"
    TARIFF_NOT_ACTIVE = "tariff_not_active"
    AMBIGUOUS_TARIFF = "ambiguous_tariff"
    TIME_ZONE_GUESSED = "time_zone_guessed"
    BAD_STEP_SIZE = "bad_step_size"
    TAX_INCLUDED_WITHOUT_RATE = "tax_included_without_rate"
    TAX_RATE_IGNORED = "tax_rate_ignored"
    NO_CHARGING_PERIODS = "no_charging_periods"
    TOTAL_COST_MISMATCH = "total_cost_mismatch"
    PART_COST_MISMATCH = "part_cost_mismatch"
    TOTAL_TIME_MISMATCH = "total_time_mismatch"
    PARKING_TOTAL_MISMATCH = "parking_total_mismatch"
    ENERGY_TOTAL_MISMATCH = "energy_total_mismatch"
    IMPLAUSIBLE_POWER = "implausible_power"

    NO_PRICE_COMPONENT = "no_price_component"
    TOTAL_CLAMPED = "total_clamped"
    LIMIT_BREAKS_TAX_RATE = "limit_breaks_tax_rate"
    TARIFF_ID_MISSING = "tariff_id_missing"
    NUMBER_AS_STRING = "number_as_string"
    FIELD_MISSING = "field_missing"
    MISSING_STEP_SIZE = "missing_step_size"
    ENERGY_DERIVED = "energy_derived"
    AVERAGE_USED = "average_used"
    INTERPOLATED = "interpolated"
    SESSION_OPEN = "session_open"
    RESERVATION_OUTCOME_INFERRED = "reservation_outcome_inferred"
    UNKNOWN_DIMENSION = "unknown_dimension"

    @property
    def level(self) -> Level:
        """How much it matters."""
        return _LEVELS[self]


def _levels() -> dict[Code, Level]:
    codes = list(Code)
    warnings, infos = codes.index(Code.PERIOD_SPANS_PRICE_CHANGE), codes.index(Code.NO_PRICE_COMPONENT)
    return (
        dict.fromkeys(codes[:warnings], Level.ERROR)
        | dict.fromkeys(codes[warnings:infos], Level.WARNING)
        | dict.fromkeys(codes[infos:], Level.INFO)
    )


_LEVELS = _levels()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing noticed. `period` counts from 0 as the record lists them; `path` names a place in the input."""

    code: Code
    message: str
    period: int | None = None
    dimension: str | None = None
    path: tuple[str | int, ...] = ()
    detail: Mapping[str, str] = field(default_factory=dict)

    @property
    def level(self) -> Level:
        """How much it matters."""
        return self.code.level

    def __str__(self) -> str:
        return f"{self.code}:{self.dimension}" if self.dimension else self.code.value
