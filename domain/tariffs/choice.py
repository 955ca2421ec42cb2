"""Which tariff prices a period (OCPI, Tariffs and CDRs modules); where they are silent, the record's start rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from domain.errors import CurrencyMismatch, UnknownTariff
from domain.tariffs.findings import Code, Finding
from domain.tariffs.policy import RoundingPolicy
from domain.tariffs.reading import Flaw, refusal
from domain.tariffs.record import ChargingRecord
from domain.tariffs.tariff import Tariff

_REGULAR = "REGULAR"


class Choice:
    """Answers per period, and remembers: the tariff is locked at the start of the record.

    Raises `InvalidInput` when there is no tariff at all, `UnknownTariff` for an id that nobody supplied and
    `CurrencyMismatch` when the tariffs of one record count in different currencies.
    """

    def __init__(
        self, tariffs: Sequence[Tariff], record: ChargingRecord, findings: list[Finding], policy: RoundingPolicy
    ) -> None:
        if not tariffs:
            raise refusal(Flaw.NO_TARIFF, ("tariffs",))
        self.policy = policy
        self.tariffs = tariffs
        self._record = record
        self._findings = findings
        self._chosen: dict[object, Tariff] = {}

    def twin(self, findings: list[Finding]) -> Choice:
        """What was chosen stays chosen; either goes on alone."""
        twin = Choice(self.tariffs, self._record, findings, self.policy)
        twin._chosen.update(self._chosen)
        return twin

    def of(self, tariff_id: str | None, at: datetime) -> Tariff:
        """The tariff of a period that names this id, or none, and starts at this instant."""
        if self.policy.switch_mid_session and tariff_id is None:
            fitting = self._fitting(at)
            return self._chosen.get(id(fitting)) or self._chose(id(fitting), fitting)
        chosen = self._chosen.get(tariff_id)
        if chosen is None:
            start = self._record.started_at
            found = self._fitting(start) if tariff_id is None else self._named(tariff_id)
            chosen = self._chose(tariff_id, found)
        return chosen

    def _chose(self, why: object, tariff: Tariff) -> Tariff:
        self._chosen[why] = tariff
        _one_currency(self._chosen.values())
        return tariff

    @property
    def used(self) -> list[Tariff]:
        """The tariffs that priced something, in the order of their first use."""
        return list({id(tariff): tariff for tariff in self._chosen.values()}.values())

    def _named(self, tariff_id: str) -> Tariff:
        wanted = tariff_id.casefold()
        named = [tariff for tariff in self.tariffs if tariff.id.casefold() == wanted]
        if not named:
            raise UnknownTariff(tariff_id)
        if len({(tariff.edition, _owner(tariff)) for tariff in named}) > 1:
            self._findings.append(Finding(Code.AMBIGUOUS_TARIFF, f"Several tariffs are called {tariff_id}."))
        owner = ((self._record.country_code or "").casefold(), (self._record.party_id or "").casefold())
        named.sort(key=lambda tariff: (_owner(tariff) != owner, not tariff.is_active(self._record.started_at)))
        return named[0]

    def _fitting(self, at: datetime) -> Tariff:
        self._find(Code.TARIFF_ID_MISSING, "A period names no tariff; one was chosen.")
        active = [tariff for tariff in self.tariffs if tariff.is_active(at)]
        if not active:
            first = self.tariffs[0]
            self._find(Code.TARIFF_NOT_ACTIVE, f"Tariff {first.id} does not hold at the start.")
            return first
        wishes = [self._record.tariff_type, None, _REGULAR]
        if self._record.tariff_type is None:
            del wishes[0]
        return min(active, key=lambda tariff: wishes.index(tariff.type) if tariff.type in wishes else len(wishes))

    def _find(self, code: Code, message: str) -> None:
        if all(finding.code is not code for finding in self._findings):
            self._findings.append(Finding(code, message))


def _owner(tariff: Tariff) -> tuple[str, str]:
    return tariff.country_code.casefold(), tariff.party_id.casefold()


def _one_currency(tariffs: Iterable[Tariff]) -> None:
    currencies = [tariff.currency for tariff in tariffs]
    if len(set(currencies)) > 1:
        raise CurrencyMismatch(currencies[0])
