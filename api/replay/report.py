"""What became of a replay: every row carried or refused, with the reason and where it first stood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from api.replay.recorded import CURRENCY, Recorded
from domain.money import Money

FIRST_LINES = 5
MOST_REASONS = 50
"""A gateway may word each refusal differently; beyond so many all are counted as one."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How often something was met, and the first lines of the file where it was."""

    count: int
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: `done` of `total` rows, `refused` among them."""

    done: int
    total: int
    refused: int


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """`rows` = `carried` + all of `refused`. `billed` is what all accepted CDRs add up to, tax included."""

    rows: int
    carried: int
    sessions_created: int
    sessions_known: int
    cdrs_created: int
    cdrs_known: int
    billed: Money
    refused: Mapping[str, Counted]
    quirks: Mapping[str, Counted]
    messages: int
    retries: int
    milliseconds: int

    @property
    def seconds(self) -> Decimal:
        """How long it took."""
        return Decimal(self.milliseconds).scaleb(-3)

    @property
    def sessions_per_second(self) -> Decimal:
        """Sessions told in a second, to a tenth."""
        sessions = self.sessions_created + self.sessions_known
        return (Decimal(sessions * 1000) / max(self.milliseconds, 1)).quantize(Decimal("0.1"))

    def as_json(self) -> dict[str, object]:
        """The same as plain values; amounts and seconds are decimal text."""
        return {
            "rows": self.rows,
            "carried": self.carried,
            "sessions": {"created": self.sessions_created, "known": self.sessions_known},
            "cdrs": {"created": self.cdrs_created, "known": self.cdrs_known},
            "billed": {"amount": str(self.billed.major), "currency": self.billed.currency},
            "refused": _plain(self.refused),
            "quirks": _plain(self.quirks),
            "messages": self.messages,
            "retries": self.retries,
            "seconds": str(self.seconds),
            "sessions_per_second": str(self.sessions_per_second),
        }


def report_text(report: ReplayReport) -> str:
    """The report for people, several lines."""
    refused = sum(counted.count for counted in report.refused.values())
    lines = [
        f"{report.rows:,} rows: {report.carried:,} carried, {refused:,} refused",
        f"  sessions  {report.sessions_created:,} created, {report.sessions_known:,} known before",
        f"  CDRs      {report.cdrs_created:,} created, {report.cdrs_known:,} known before",
        f"  billed    {report.billed.major:,} {report.billed.currency} with tax",
        *_told("carried", report.quirks),
        *_told("refused", report.refused),
        f"{report.seconds} s: {report.sessions_per_second} sessions a second",
        f"{report.messages:,} messages taken, {report.retries:,} told again",
    ]
    return "\n".join(lines)


@dataclass(slots=True)
class Tally:
    """Counts while a replay runs. Each row ends in `carry` or `refuse`, once."""

    total: int
    rows: int = 0
    carried: int = 0
    sessions_created: int = 0
    sessions_known: int = 0
    cdrs_created: int = 0
    cdrs_known: int = 0
    billed: Money = field(default_factory=lambda: Money.zero(CURRENCY))
    messages: int = 0
    _refused: dict[str, Counted] = field(default_factory=dict)
    _quirks: dict[str, Counted] = field(default_factory=dict)

    def session(self, *, created: bool) -> None:
        """The gateway has the session."""
        self.sessions_created += created
        self.sessions_known += not created

    def cdr(self, total: Money, *, created: bool) -> None:
        """The gateway has the CDR."""
        self.cdrs_created += created
        self.cdrs_known += not created
        self.billed += total

    def carry(self, row: Recorded) -> None:
        """Everything about this row was taken."""
        self.rows += 1
        self.carried += 1
        for quirk in row.quirks:
            _note(self._quirks, quirk.value, row.line)

    def refuse(self, line: int, reason: str) -> None:
        """The gateway has not everything about a row."""
        self.rows += 1
        is_new = reason not in self._refused and len(self._refused) >= MOST_REASONS
        _note(self._refused, "something else" if is_new else reason, line)

    def progress(self) -> Progress:
        """How far it is."""
        return Progress(self.rows, self.total, self.rows - self.carried)

    def report(self, *, retries: int, milliseconds: int) -> ReplayReport:
        """The end of it."""
        return ReplayReport(
            rows=self.rows,
            carried=self.carried,
            sessions_created=self.sessions_created,
            sessions_known=self.sessions_known,
            cdrs_created=self.cdrs_created,
            cdrs_known=self.cdrs_known,
            billed=self.billed,
            refused=_ranked(self._refused),
            quirks=_ranked(self._quirks),
            messages=self.messages,
            retries=retries,
            milliseconds=milliseconds,
        )


def _note(notes: dict[str, Counted], reason: str, line: int) -> None:
    """A reason once more; rows end in another order than they stand in."""
    before = notes.get(reason, Counted(0, ()))
    lines = before.lines
    if len(lines) < FIRST_LINES or line < lines[-1]:
        lines = tuple(sorted((*lines, line))[:FIRST_LINES])
    notes[reason] = Counted(before.count + 1, lines)


def _ranked(notes: Mapping[str, Counted]) -> dict[str, Counted]:
    """The most frequent first."""
    return dict(sorted(notes.items(), key=lambda item: (-item[1].count, item[0])))


def _plain(counts: Mapping[str, Counted]) -> dict[str, object]:
    return {reason: {"count": counted.count, "lines": list(counted.lines)} for reason, counted in counts.items()}


def _told(what: str, counts: Mapping[str, Counted]) -> list[str]:
    return [
        f"  {what}  {counted.count:>6,}  {reason} (line {', '.join(map(str, counted.lines))}"
        f"{' …' if counted.count > len(counted.lines) else ''})"
        for reason, counted in counts.items()
    ]
