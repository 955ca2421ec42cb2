"""Somebody else's bill checked: priced again by their own tariff, and where it differs, most likely why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

from domain.errors import CurrencyMismatch, InvalidInput, UnknownTariff
from domain.money import Money
from domain.tariffs.amounts import Part
from domain.tariffs.causes import Cause, likely_cause
from domain.tariffs.findings import Level
from domain.tariffs.policy import DEFAULT_POLICY, RoundingPolicy
from domain.tariffs.pricing import price
from domain.tariffs.record import ChargingRecord
from domain.tariffs.result import Cost, Pricing
from domain.tariffs.tariff import Tariff

_SLACK = Fraction(60, 3600)
"""Hours: totals of time may differ by a minute."""
_SLACK_KWH = Fraction(1, 1000)
_IMPOSSIBLE_KW = Fraction(1000)


class RecordCode(StrEnum):
    """What can be wrong with a CDR beside its tariff; the list grows."""

    TOTAL_COST_MISMATCH = "total_cost_mismatch"
    PART_COST_MISMATCH = "part_cost_mismatch"
    TOTAL_TIME_MISMATCH = "total_time_mismatch"
    PARKING_TOTAL_MISMATCH = "parking_total_mismatch"
    ENERGY_TOTAL_MISMATCH = "energy_total_mismatch"
    IMPLAUSIBLE_POWER = "implausible_power"
    NOT_PRICED = "not_priced"
    DUPLICATE_CDR = "duplicate_cdr"
    OVERLAPPING_SESSION = "overlapping_session"
    TAKEN_BACK = "taken_back"
    ABOVE_QUOTE = "above_quote"
    SIGNED_DATA_INVALID = "signed_data_invalid"
    SIGNED_DATA_DISAGREES = "signed_data_disagrees"
    SIGNED_DATA_MISSING = "signed_data_missing"
    SIGNED_DATA_UNVERIFIABLE = "signed_data_unverifiable"


@dataclass(frozen=True, slots=True)
class RecordFinding:
    """One of them, in words fit to be shown."""

    code: RecordCode
    level: Level
    message: str
    amount: Money | None = None
    """Money it is about, tax included."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A bill as its maker states it: total, parts, kWh, and hours connected and parked."""

    total: Cost
    parts: Mapping[Part, Cost] = field(default_factory=dict)
    energy_kwh: Decimal | None = None
    connected_hours: Fraction | None = None
    parking_hours: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """`ours` is None where the record could not be priced; `cause` is there when totals differ beyond the tolerance."""

    ours: Pricing | None
    cause: Cause | None
    is_accepted: bool
    findings: tuple[RecordFinding, ...]


def verify(
    tariffs: Sequence[Tariff],
    record: ChargingRecord,
    zone: ZoneInfo,
    claim: Claim,
    *,
    policy: RoundingPolicy = DEFAULT_POLICY,
    tolerance_minor: int = 1,
    connector_w: int | None = None,
) -> Verification:
    """Price the record and compare. Accepted if neither total differs by more than the tolerance. Raises nothing."""
    findings = list(_about_totals(record, claim, connector_w))
    try:
        ours = price(tariffs, record, zone, policy)
    except (InvalidInput, UnknownTariff, CurrencyMismatch) as refusal:
        return _unpriced(findings, str(refusal))
    if not ours.lines and claim.total.gross:
        return _unpriced(findings, "It lists nothing that could be priced.")
    if ours.currency != claim.total.net.currency:
        return _unpriced(findings, f"The tariff counts in {ours.currency}.")
    is_accepted = all(
        abs((theirs - mine).minor) <= tolerance_minor
        for theirs, mine in ((claim.total.net, ours.net), (claim.total.gross, ours.gross))
    )
    cause = None
    if not is_accepted:
        cause = likely_cause(tariffs, record, ours, claim.total, claim.energy_kwh)
        findings.insert(0, _mismatch(claim.total, ours, cause))
    findings += _about_parts(claim, ours, tolerance_minor)
    return Verification(ours, cause, is_accepted, tuple(findings))


def _unpriced(findings: list[RecordFinding], why: str) -> Verification:
    unpriced = RecordFinding(RecordCode.NOT_PRICED, Level.WARNING, f"It could not be priced again. {why}")
    return Verification(None, None, is_accepted=False, findings=(unpriced, *findings))


_WORDS = {
    Cause.TRUNCATION: "amounts were cut off instead of rounded",
    Cause.LINE_ROUNDING: "every line was rounded on its own",
    Cause.TIME_ZONE: "times were read as UTC instead of the location's",
    Cause.STEP_PER_PERIOD: "steps were applied to every period instead of once",
    Cause.NO_STEP: "steps were not applied",
    Cause.WALL_CLOCK_TIME: "time was counted by the clock instead of while charging",
    Cause.VAT: "tax was computed otherwise",
    Cause.PRICE_LIMIT_IGNORED: "the least or highest price of the tariff was ignored",
    Cause.RESTRICTION_IGNORED: "a restriction of the tariff was ignored",
    Cause.ENERGY: "another energy was billed than the periods list",
    Cause.UNKNOWN: "the cause is not known",
}


def _mismatch(theirs: Cost, ours: Pricing, cause: Cause) -> RecordFinding:
    message = (
        f"{theirs.gross} is asked for where the tariff gives {ours.gross} ({theirs.net} and {ours.net} before tax)"
    )
    return RecordFinding(RecordCode.TOTAL_COST_MISMATCH, Level.WARNING, f"{message}: {_WORDS[cause]}.")


def _about_parts(claim: Claim, ours: Pricing, tolerance_minor: int) -> Iterator[RecordFinding]:
    for part, theirs in claim.parts.items():
        mine = ours.parts.get(part)
        gap = theirs.net if mine is None else theirs.net - mine.net
        if abs(gap.minor) > tolerance_minor:
            words = "nothing" if mine is None else str(mine.net)
            message = f"The part for {part.value} is {theirs.net} before tax where the tariff gives {words}."
            yield RecordFinding(RecordCode.PART_COST_MISMATCH, Level.WARNING, message)


def _about_totals(record: ChargingRecord, claim: Claim, connector_w: int | None) -> Iterator[RecordFinding]:
    sums = _sums(record)
    connected = _hours(record)
    for code, told, found, slack, words in (
        (RecordCode.TOTAL_TIME_MISMATCH, claim.connected_hours, connected, _SLACK, "The total time"),
        (RecordCode.PARKING_TOTAL_MISMATCH, claim.parking_hours, sums.get("PARKING_TIME"), _SLACK, "The time parked"),
        (RecordCode.ENERGY_TOTAL_MISMATCH, claim.energy_kwh, sums.get("ENERGY"), _SLACK_KWH, "The energy"),
    ):
        if told is not None and found is not None and abs(Fraction(told) - found) > slack:
            yield RecordFinding(code, Level.WARNING, f"{words} is not what the periods of the record add up to.")
    if claim.energy_kwh is not None and connected > 0:
        most = _IMPOSSIBLE_KW if connector_w is None else min(_IMPOSSIBLE_KW, Fraction(connector_w * 11, 10_000))
        if Fraction(claim.energy_kwh) / connected > most:
            message = "So much energy in so little time exceeds the power of the connector."
            yield RecordFinding(RecordCode.IMPLAUSIBLE_POWER, Level.WARNING, message)


def _hours(record: ChargingRecord) -> Fraction:
    span = record.ended_at - record.started_at
    return Fraction(span.days * 86_400 + span.seconds, 3600)


def _sums(record: ChargingRecord) -> dict[str, Fraction]:
    sums: dict[str, Fraction] = {}
    for period in record.periods:
        for kind, volume in period.dimensions:
            sums[kind.value] = sums.get(kind.value, Fraction(0)) + Fraction(volume)
    return sums
