"""When the readings of a transaction can be billed: the same meter, in order, without faults. Pure.

The rules are those of the SAFE transparency software; what it only warns of is no error here either. Errors are: not
exactly one begin (TX B) and one end (E, L, R, A, P) in the register that counts, a status other than G, a fault of the
energy, another register or unit, values or times that fall, other serial numbers, pages of two kinds, and where time is
billed a clock that is not right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.meters.issues import Issue, IssueCode
from domain.meters.ocmf import MeterValue, Ocmf

_BEGIN, _ENDS = "B", frozenset("ELRAP")
_SYNCHRONISED, _RELATIVE = "S", "R"
_BAD_LEVELS = frozenset({"MISMATCH", "INVALID", "OUTDATED", "UNKNOWN"})
_OBIS = re.compile(
    r"(?P<a>[0-9a-f]{1,2})-[0-9a-f]{1,2}:(?P<c>[0-9a-f]{1,2})\.(?P<d>[0-9a-f]{1,2})\.[0-9a-f]{1,2}(?:[.*](?P<f>[0-9a-f]{1,8}))?",
    re.ASCII | re.IGNORECASE,
)
_COUNTS = frozenset({0x01, 0x98, 0x9E, *range(0xB0, 0xC8)})
"""OBIS value group C of energy that is billed: import, and those that OCMF reserves."""
_COMPENSATED = frozenset({0x98, 0xB1, 0xB3, 0xC1, 0xC3})
"""Of these the losses of the cable are taken off; where a meter has them, they are what is billed."""
_WHOLE = frozenset({None, 0x00, 0xFF, 0x200, 0x255})
_CUMULATIVE, _ELECTRICITY = 0x08, 0x01


@dataclass(frozen=True, slots=True)
class Transaction:
    """What the readings say: energy between begin and end in kWh, None where that cannot be said, and the breaches."""

    kwh: Decimal | None
    issues: tuple[Issue, ...]

    @property
    def holds(self) -> bool:
        """Whether there is no error."""
        return not any(issue.is_error for issue in self.issues)


def is_complete(record: Ocmf) -> bool:
    """Whether one record tells a transaction from begin to end."""
    reasons = {reading.reason for reading in record.readings}
    return (record.page or "").startswith("T") and _BEGIN in reasons and bool(reasons & _ENDS)


def one_record(record: Ocmf, *, bills_time: bool = False) -> Transaction:
    """A transaction in one record; a record that has only a part of one is judged reading by reading."""
    if is_complete(record):
        return _judged(record, record, record.readings, bills_time=bills_time)
    readings = _relevant(record.readings)
    found = [issue for reading in readings for issue in _about_reading(reading, bills_time=bills_time)]
    return Transaction(None, tuple(found))


def two_records(begin: Ocmf, end: Ocmf, *, bills_time: bool = False) -> Transaction:
    """A transaction whose begin and end were signed one by one."""
    return _judged(begin, end, (*begin.readings, *end.readings), bills_time=bills_time)


def _judged(begin: Ocmf, end: Ocmf, readings: Sequence[MeterValue], *, bills_time: bool) -> Transaction:
    relevant = _relevant(readings)
    begins = [reading for reading in relevant if reading.reason == _BEGIN]
    ends = [reading for reading in relevant if reading.reason in _ENDS]
    issues = list(_about_number(begins, IssueCode.BEGIN_TX, IssueCode.MULTIPLE_BEGIN, "begin"))
    issues += _about_number(ends, IssueCode.END_TX, IssueCode.MULTIPLE_END, "end")
    for reading in (*begins[:1], *ends[-1:]):
        issues += _about_reading(reading, bills_time=bills_time)
    kwh = None
    if begins and ends:
        first, last = begins[0], ends[-1]
        issues += _about_pair(first, last)
        if first.kwh is not None and last.kwh is not None:
            kwh = last.kwh - first.kwh
    issues += _about_records(begin, end)
    return Transaction(kwh if begins[1:] == ends[1:] == [] else None, tuple(issues))


def _relevant(readings: Sequence[MeterValue]) -> list[MeterValue]:
    counted = [(reading, group) for reading in readings if (group := _group(reading.register)) in _COUNTS]
    compensated = [reading for reading, group in counted if group in _COMPENSATED]
    return compensated or [reading for reading, _ in counted]


def _group(register: str | None) -> int | None:
    """Value group C of an OBIS code that counts electric energy as a whole; None of any other."""
    found = _OBIS.fullmatch((register or "").strip())
    if found is None or (int(found["a"], 16), int(found["d"], 16)) != (_ELECTRICITY, _CUMULATIVE):
        return None
    whole = None if found["f"] is None else int(found["f"], 16)
    return int(found["c"], 16) if whole in _WHOLE else None


def _about_number(found: Sequence[MeterValue], none: IssueCode, many: IssueCode, name: str) -> Iterator[Issue]:
    if not found:
        yield Issue(none, f"There is no {name} reading of a register that is billed.")
    if len(found) > 1:
        yield Issue(many, f"There are {len(found)} {name} readings; one was expected.")


def _about_reading(reading: MeterValue, *, bills_time: bool) -> Iterator[Issue]:
    if reading.status != "G":
        yield Issue(IssueCode.METER_STATUS, f"The meter's status was {reading.status}, not G.")
    if "E" in reading.flags:
        yield Issue(IssueCode.ERROR_FLAGS, "The meter flagged its energy as faulty.")
    if "t" in reading.flags:
        yield Issue(IssueCode.ERROR_FLAGS, "The meter flagged its time as faulty.", is_error=bills_time)
    if reading.clock != _SYNCHRONISED:
        message = f"The meter's clock was not synchronised ({reading.clock})."
        yield Issue(IssueCode.TIME_SYNC, message, is_error=bills_time)


def _about_pair(begin: MeterValue, end: MeterValue) -> Iterator[Issue]:
    if (begin.register or "").strip() != (end.register or "").strip():
        yield Issue(IssueCode.OBIS_MISMATCH, f"Begin is of register {begin.register}, end of {end.register}.")
    if begin.unit != end.unit:
        yield Issue(IssueCode.UNIT_MISMATCH, f"Begin is in {begin.unit}, end in {end.unit}.")
    if begin.value is not None and end.value is not None and end.value < begin.value:
        yield Issue(IssueCode.VALUE_REGRESSION, f"The meter fell from {begin.value} to {end.value}.")
    if end.at < begin.at:
        yield Issue(IssueCode.TIME_REGRESSION, "The end is earlier than the begin.")
    if begin.clock == _RELATIVE and end.clock != _RELATIVE:
        yield Issue(IssueCode.TIME_SYNC, "The begin counts seconds from somewhere, the end does not.")


def _about_records(begin: Ocmf, end: Ocmf) -> Iterator[Issue]:
    if (begin.gateway, begin.meter) != (end.gateway, end.meter):
        yield Issue(IssueCode.SERIAL_MISMATCH, "Begin and end come from different gateways or meters.")
    if any(record.level in _BAD_LEVELS for record in (begin, end)):
        yield Issue(IssueCode.ID_LEVEL_INVALID, "The driver was not identified well enough to be billed.")
    if begin.identification != end.identification:
        message = "Begin and end name different drivers."
        yield Issue(IssueCode.ID_MISMATCH, message, is_error=False)
    if begin is not end and begin.place is not None and end.place is not None:
        (kind, number), (last_kind, last) = begin.place, end.place
        if kind != last_kind:
            message = f"Begin is page {begin.page}, end page {end.page}: of different books."
            yield Issue(IssueCode.PAGINATION_INCONSISTENT, message)
        elif last != number + 1:
            # Records between begin and end take pages too, so a gap alone proves nothing.
            message = f"Page {end.page} does not follow page {begin.page}."
            yield Issue(IssueCode.PAGINATION_INCONSISTENT, message, is_error=False)
    if any(record.has_losses and not record.knows_losses for record in (begin, end)):
        message = "Losses of the cable are taken off, and nobody says how much."
        yield Issue(IssueCode.LOSSES_UNKNOWN, message, is_error=False)
