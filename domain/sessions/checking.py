"""Bills are checked when they are taken: priced again, compared with what was quoted, and with what the meter signed.

A check never changes a bill: what it finds is kept beside the CDR, for support, for disputes and for partners.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import RowMapping, and_, select

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Reader, Transaction
from domain.errors import UnknownTariff
from domain.ids import CdrId, EvseId, OperatorId
from domain.meters import ABSENT, MeterProof, SignatureVerdict, meter_key, prove
from domain.money import Money
from domain.partners import PartnerRounding, PartnerService, Party
from domain.sessions.cdr import CDR, CdrCheck
from domain.sessions.live import fold, points_of
from domain.sessions.models import ChargingSession, MeterReading
from domain.sessions.overlaps import overlaps
from domain.sessions.partner_credits import PartnerCredit
from domain.sessions.push import CdrPush, Declared
from domain.sessions.tariffing import Tariffing
from domain.tariffs import (
    DEFAULT_POLICY,
    ChargingPeriod,
    ChargingRecord,
    Claim,
    Cost,
    Level,
    Part,
    Pricing,
    RecordCode,
    RecordFinding,
    RoundingMode,
    RoundingPoint,
    Tariff,
    Verification,
    cutter,
    price,
    verify,
)

_cdrs = table_of(CDR)
_checks = table_of(CdrCheck)
_credits = table_of(PartnerCredit)
_readings = table_of(MeterReading)
_ROUNDINGS = {
    PartnerRounding.DOCUMENT: DEFAULT_POLICY,
    PartnerRounding.LINE: replace(DEFAULT_POLICY, point=RoundingPoint.LINE),
    PartnerRounding.TRUNCATE: replace(DEFAULT_POLICY, mode=RoundingMode.DOWN),
}
_SIGNED_SLACK = Decimal("0.001")
"""kWh: OCPI counts energy in more digits than many meters show."""


class Checking:
    """Works inside the transaction that makes the bill."""

    def __init__(self, partners: PartnerService, tariffing: Tariffing, clock: Clock) -> None:
        self._partners = partners
        self._tariffing = tariffing
        self._clock = clock

    async def declared(self, tx: Transaction, session: ChargingSession, cdr: CDR, push: CdrPush) -> None:
        """Check the bill of a charge point's operator and keep what was found."""
        place = await self._partners.charge_point_in(tx, session.operator_id, session.connector_id)
        record = await self._record(tx, session, push)
        tariffs, found = await self._verified(tx, session, push, record, place.party, place.connector.max_power_w)
        proof = await self._proof(tx, session.operator_id, session.evse_id, push, found.ours)
        findings = [*found.findings, *await overlaps(tx, session), *_about_signatures(proof, push)]
        if session.quote_id is not None:
            findings += _above_quote(cdr.gross, tariffs, record, ZoneInfo(session.time_zone))
        await self._keep(tx, cdr, found, proof, findings)

    async def ours(self, tx: Transaction, session: ChargingSession, cdr: CDR, pricing: Pricing) -> None:
        """Check a bill of our own pricing: only a tariff beside the quoted one can lead above the quote."""
        findings = await overlaps(tx, session)
        edition = await self._tariffing.quoted(tx, session)
        if session.quote_id is not None and {tariff.edition for tariff in pricing.tariffs} != {edition.edition}:
            record = await self._record(tx, session, None)
            findings += _above_quote(cdr.gross, [edition], record, ZoneInfo(session.time_zone))
        if findings:
            found = Verification(pricing, None, is_accepted=True, findings=())
            await self._keep(tx, cdr, found, ABSENT, findings)

    async def _record(self, tx: Transaction, session: ChargingSession, push: CdrPush | None) -> ChargingRecord:
        """The periods of the CDR; where it has none, those of the session's log."""
        if push is not None and push.periods:
            return ChargingRecord(push.started_at, push.ended_at, push.periods)
        assert session.started_at is not None
        where = (_readings.c.operator_id == session.operator_id, _readings.c.session_id == session.id)
        log = await tx.list(MeterReading, select(_readings).where(*where).order_by(_readings.c.number))
        cut = cutter([await self._tariffing.quoted(tx, session)], session.started_at, ZoneInfo(session.time_zone))
        return fold(session.started_at, session.ended_at, points_of(log), cut).record

    async def _verified(
        self,
        tx: Transaction,
        session: ChargingSession,
        push: CdrPush,
        record: ChargingRecord,
        party: Party,
        connector_w: int,
    ) -> tuple[list[Tariff], Verification]:
        try:
            _, tariffs = await self._tariffing.locked(tx, session, record)
        except UnknownTariff:
            # Priced without it, the engine says which one is missing.
            tariffs = [await self._tariffing.quoted(tx, session)]
        found = verify(
            tariffs,
            record,
            ZoneInfo(session.time_zone),
            _claim(push),
            policy=_ROUNDINGS[party.rounding],
            tolerance_minor=party.tolerance_minor,
            connector_w=connector_w,
        )
        return tariffs, found

    async def _proof(
        self, tx: Transaction, operator: OperatorId, evse: EvseId, push: CdrPush, ours: Pricing | None
    ) -> MeterProof:
        if push.signed is None:
            return ABSENT
        keys = [meter_key(text) for text in await self._partners.meter_keys(tx, operator, evse)]
        bills_time = ours is not None and bool({Part.TIME, Part.PARKING} & ours.parts.keys())
        return prove(push.signed, keys, bills_time=bills_time)

    async def _keep(
        self, tx: Transaction, cdr: CDR, found: Verification, proof: MeterProof, findings: Sequence[RecordFinding]
    ) -> None:
        ours = found.ours
        check = CdrCheck(
            operator_id=cdr.operator_id,
            cdr_id=cdr.id,
            is_accepted=found.is_accepted,
            cause=found.cause,
            net_minor=None if ours is None else ours.net.minor,
            tax_minor=None if ours is None else ours.tax.minor,
            findings=findings_json(findings),
            proof=proof.as_json(),
            checked_at=self._clock.now(),
        )
        await tx.insert(check)


@dataclass(frozen=True, slots=True)
class Checked:
    """A check as it is read; `ours` is what our engine makes of the same record, None where it could not."""

    cdr_id: CdrId
    is_accepted: bool
    ours: Cost | None
    findings: tuple[RecordFinding, ...]
    proof: MeterProof


async def checks_of(reader: Reader, operator: OperatorId, cdrs: Sequence[CdrId]) -> list[Checked]:
    """What was found about these CDRs, and whether their operators have taken them back since."""
    same = and_(_cdrs.c.operator_id == _checks.c.operator_id, _cdrs.c.id == _checks.c.cdr_id)
    taken_back = and_(
        _credits.c.operator_id == _cdrs.c.operator_id,
        _credits.c.party_id == _cdrs.c.party_id,
        _credits.c.credits_ocpi_id == _cdrs.c.ocpi_id,
    )
    billed = (_cdrs.c.net_minor + _cdrs.c.tax_minor).label("billed_minor")
    statement = (
        select(*_checks.c, _cdrs.c.currency, billed, _credits.c.ocpi_id.label("credit"))
        .join(_cdrs, same)
        .outerjoin(_credits, taken_back)
        .where(_checks.c.operator_id == operator, _checks.c.cdr_id.in_(cdrs))
    )
    return [_checked(row) for row in await reader.rows(statement)]


def _checked(row: RowMapping) -> Checked:
    currency, net, tax = row["currency"], row["net_minor"], row["tax_minor"]
    ours = None if net is None else Cost(Money(net, currency), Money(net + tax, currency))
    items: list[dict[str, Any]] = orjson.loads(row["findings"])
    findings = [_finding(one, currency) for one in items]
    if row["credit"] is not None:
        words = f"The operator of the charge point has taken this bill back (credit CDR {row['credit']})."
        amount = Money(row["billed_minor"], currency)
        findings.append(RecordFinding(RecordCode.TAKEN_BACK, Level.WARNING, words, amount))
    return Checked(row["cdr_id"], row["is_accepted"], ours, tuple(findings), MeterProof.of(row["proof"]))


def packets_of(cdr: CDR) -> list[str]:
    """The signed records that came with a CDR, as they came."""
    if not cdr.is_declared:
        return []
    told = orjson.loads(cdr.content).get("signed_data") or {}
    return [value["signed_data"] for value in told.get("signed_values") or ()]


def findings_json(findings: Sequence[RecordFinding]) -> str:
    """Findings as they lie in the table."""
    content = [
        {
            "code": one.code.value,
            "level": one.level.value,
            "message": one.message,
            "minor": None if one.amount is None else one.amount.minor,
        }
        for one in findings
    ]
    return orjson.dumps(content).decode()


def _finding(raw: dict[str, Any], currency: str) -> RecordFinding:
    amount = None if raw["minor"] is None else Money(raw["minor"], currency)
    return RecordFinding(RecordCode(raw["code"]), Level(raw["level"]), raw["message"], amount)


def _claim(push: CdrPush) -> Claim:
    told = (
        (Part.ENERGY, push.energy_cost),
        (Part.TIME, push.time_cost),
        (Part.PARKING, push.parking_cost),
        (Part.FIXED, push.fixed_cost),
    )
    return Claim(
        total=_cost(push.total),
        parts={part: _cost(amount) for part, amount in told if amount is not None},
        energy_kwh=push.energy.kwh,
        connected_hours=push.connected_hours,
        parking_hours=push.parking_hours or None,
    )


def _cost(amount: Declared) -> Cost:
    return Cost(amount.net, amount.gross)


def _above_quote(
    billed: Money, tariffs: Sequence[Tariff], record: ChargingRecord, zone: ZoneInfo
) -> Iterator[RecordFinding]:
    """Whether more is billed than the quoted tariff, the first of these, gives for the same record."""
    quoted = tariffs[0]
    periods = tuple(ChargingPeriod(period.start_at, period.dimensions) for period in record.periods)
    shown = price([quoted], replace(record, periods=periods), zone).gross
    if shown.currency == billed.currency and billed > shown:
        message = f"{billed} was billed; the prices that were shown before the start give {shown}."
        yield RecordFinding(RecordCode.ABOVE_QUOTE, Level.WARNING, message, billed - shown)


def _about_signatures(proof: MeterProof, push: CdrPush) -> Iterator[RecordFinding]:
    verdict = proof.verdict
    if verdict is SignatureVerdict.ABSENT:
        yield RecordFinding(RecordCode.SIGNED_DATA_MISSING, Level.INFO, "The meter signed nothing.")
    if verdict is SignatureVerdict.UNVERIFIABLE:
        message = "Nobody here knows the key of the meter, or reads the format it signs."
        yield RecordFinding(RecordCode.SIGNED_DATA_UNVERIFIABLE, Level.INFO, message)
    if verdict is SignatureVerdict.FAILED:
        message = "A signature is not that of the meter."
        yield RecordFinding(RecordCode.SIGNED_DATA_INVALID, Level.ERROR, message)
    for issue in (issue for issue in proof.issues if issue.is_error and verdict is SignatureVerdict.VERIFIED):
        yield RecordFinding(RecordCode.SIGNED_DATA_INVALID, Level.ERROR, issue.message)
    signed = proof.kwh
    if signed is not None and abs(push.energy.kwh - signed) > _SIGNED_SLACK:
        message = f"{push.energy.kwh} kWh were billed; the signed readings are {signed.normalize():f} kWh apart."
        yield RecordFinding(RecordCode.SIGNED_DATA_DISAGREES, Level.ERROR, message)
