"""Signed meter values: whose they are, and whether they can be billed."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.meters import (
    ABSENT,
    IssueCode,
    KeySource,
    MeterProof,
    SignatureVerdict,
    SignedData,
    SignedValue,
    meter_key,
    prove,
    read_ocmf,
)
from tests.domain.meters.signing import CURVES, NAMES, Meter, payload, reading

VERIFIED, FAILED, UNVERIFIABLE = SignatureVerdict.VERIFIED, SignatureVerdict.FAILED, SignatureVerdict.UNVERIFIABLE
METER, STRANGER = Meter(), Meter(seed=8)
BEGIN, END = reading("B", "10.0"), reading("E", "20.5", "13:00:00")


def data(*values: SignedValue, key: str | None = None, method: str = "OCMF") -> SignedData:
    return SignedData(method, key, values)


def whole(meter: Meter = METER, *readings: Mapping[str, object], **more: object) -> SignedValue:
    return SignedValue("End", meter.record(*(readings or (BEGIN, END)), **more))


def codes(proof: MeterProof, *, errors: bool = True) -> list[IssueCode]:
    return [issue.code for issue in proof.issues if issue.is_error is errors]


@pytest.mark.parametrize("digest", ["SHA256", "SHA512"])
@pytest.mark.parametrize("curve", NAMES)
def test_a_signature_on_every_curve_of_the_format_is_verified(curve: str, digest: str) -> None:
    meter, other = Meter(curve), Meter(curve, seed=9)
    signed = SignedValue("End", meter.sign(payload(BEGIN, END), digest))
    proof = prove(data(signed, key=meter.key), [])
    assert (proof.verdict, proof.key_from, proof.kwh, proof.is_verified) == (
        VERIFIED,
        KeySource.RECORD,
        Decimal("10.5"),
        True,
    )
    assert prove(data(signed, key=other.key), []).verdict is FAILED
    forged = SignedValue("End", signed.signed.replace("20.5", "21.5"))
    assert prove(data(forged, key=meter.key), []).verdict is FAILED


def test_the_spelling_of_signature_key_and_record_does_not_matter() -> None:
    text = METER.sign(payload(BEGIN, END), encoding="base64")
    in_base64 = base64.b64encode(bytes.fromhex(METER.key)).decode()
    spaced = " ".join(METER.key[i : i + 4] for i in range(0, len(METER.key), 4)).upper()
    for record in (text, f"\n {text} ", text.encode().hex(), base64.b64encode(text.encode()).decode()):
        for key in (METER.key, in_base64, spaced):
            assert prove(data(SignedValue("End", record), key=key), []).is_verified
    assert prove(data(SignedValue("End", f"{text}|{METER.key}")), []).key_from is KeySource.RECORD
    brainpool = Meter("brainpoolP256r1")
    bare = SignedValue("End", brainpool.sign(payload(BEGIN, END), SA="ECDSA-brainpool256r1-SHA256"))
    assert prove(data(bare, key=brainpool.key), []).is_verified


def test_the_default_method_is_p256_with_sha256_in_hexadecimal_digits() -> None:
    record = METER.record(BEGIN, END)
    head, _, signature = record.rpartition("|")
    digits = signature.rpartition('"SD": "')[2].partition('"')[0]
    assert prove(data(SignedValue("End", f'{head}|{{"SD":"{digits}"}}'), key=METER.key), []).is_verified


def test_a_key_of_the_registry_outranks_the_key_that_came_along() -> None:
    ours = [meter_key(METER.key)]
    assert prove(data(whole(), key=STRANGER.key), ours).key_from is KeySource.REGISTRY
    assert prove(data(whole(), key=STRANGER.key), [meter_key(STRANGER.key), *ours]).is_verified
    forged = whole(STRANGER)
    assert prove(data(forged, key=STRANGER.key), []).is_verified
    assert prove(data(forged, key=STRANGER.key), ours).verdict is FAILED


def test_without_a_key_or_in_another_format_nothing_can_be_said() -> None:
    for key in (None, "", "not a key", "00ff", METER.key[:-2]):
        assert prove(data(whole(), key=key), []).verdict is UNVERIFIABLE
    other = prove(data(whole(), key=METER.key, method="Alfen Eichrecht"), [meter_key(METER.key)])
    assert (other.format, other.verdict, other.kwh) == ("Alfen Eichrecht", UNVERIFIABLE, None)
    assert prove(None, []) == prove(data(), []) == ABSENT


def test_a_key_of_another_curve_than_the_signature_names_fails() -> None:
    for told in ("ECDSA-secp384r1-SHA256", "ECDSA-secp256r1-MD5", "RSA-SHA256", "ECDSA"):
        signed = SignedValue("End", METER.sign(payload(BEGIN, END), SA=told))
        assert prove(data(signed, key=METER.key), []).verdict is FAILED
    unread = SignedValue("End", METER.sign(payload(BEGIN, END), SE="octal"))
    assert prove(data(unread, key=METER.key), []).verdict is FAILED


@given(place=st.integers(0), byte=st.characters(codec="ascii", categories=["L", "N", "P"]))
def test_no_character_of_what_was_signed_can_be_changed(place: int, byte: str) -> None:
    text = METER.record(BEGIN, END)
    signed = read_ocmf(text).signed
    at = place % len(signed)
    forged = signed[:at] + byte + signed[at + 1 :]
    proof = prove(data(SignedValue("End", text.replace(signed, forged)), key=METER.key), [])
    assert proof.verdict is (VERIFIED if forged == signed else FAILED)


def test_begin_and_end_may_be_signed_one_by_one() -> None:
    begin, end = METER.pair("10.0", "20.5")
    between = SignedValue("Intermediate", METER.record(reading("C", "15.0", "12:30:00"), PG="T2"))
    proof = prove(data(begin, between, end, key=METER.key), [])
    assert (proof.kwh, proof.is_verified, len(proof.records)) == (Decimal("10.5"), True, 3)
    assert codes(prove(data(end, key=METER.key), [])) == [IssueCode.BEGIN_TX]
    assert codes(prove(data(begin, key=METER.key), [])) == [IssueCode.END_TX]


def test_one_bad_record_spoils_the_whole() -> None:
    begin, end = METER.pair()
    _, foreign = STRANGER.pair()
    assert prove(data(begin, end, key=METER.key), []).verdict is VERIFIED
    assert prove(data(begin, foreign, key=METER.key), []).verdict is FAILED
    unreadable = prove(data(begin, SignedValue("End", "OCMF|{}"), key=METER.key), [])
    assert (unreadable.verdict, unreadable.kwh) == (FAILED, None)
    assert IssueCode.UNREADABLE in codes(unreadable)


FAULTS: dict[str, tuple[tuple[dict[str, object], dict[str, object]], dict[str, object], IssueCode]] = {
    "another status": ((BEGIN | {"ST": "E"}, END), {}, IssueCode.METER_STATUS),
    "a fault of the energy": ((BEGIN, END | {"EF": "E"}), {}, IssueCode.ERROR_FLAGS),
    "another register": ((BEGIN, END | {"RI": "1-0:B2.8.0"}), {}, IssueCode.OBIS_MISMATCH),
    "another unit": ((BEGIN, END | {"RU": "Wh"}), {}, IssueCode.UNIT_MISMATCH),
    "a fallen meter": ((BEGIN, END | {"RV": 9}), {}, IssueCode.VALUE_REGRESSION),
    "a fallen clock": ((BEGIN, END | {"TM": "2026-03-02T11:59:59,000+0000 S"}), {}, IssueCode.TIME_REGRESSION),
    "relative time at first": ((BEGIN | {"TM": "2026-03-02T12:00:00,000+0000 R"}, END), {}, IssueCode.TIME_SYNC),
    "a driver who was not known": ((BEGIN, END), {"IL": "MISMATCH"}, IssueCode.ID_LEVEL_INVALID),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_readings_with_a_fault_are_not_verified_although_the_signature_is(fault: str) -> None:
    readings, more, expected = FAULTS[fault]
    proof = prove(data(whole(METER, *readings, **more), key=METER.key), [])
    assert proof.verdict is VERIFIED
    assert codes(proof) == [expected]
    assert not proof.is_verified


def test_begin_and_end_belong_to_one_meter_and_one_book() -> None:
    def pair(**end: object) -> MeterProof:
        values = (
            SignedValue("Start", METER.record(BEGIN, PG="T7")),
            SignedValue("End", METER.record(END, **({"PG": "T8"} | end))),
        )
        return prove(data(*values, key=METER.key), [])

    assert pair().issues == ()
    assert codes(pair(MS="M-2")) == codes(pair(GS="G-2")) == [IssueCode.SERIAL_MISMATCH]
    assert codes(pair(PG="F8")) == [IssueCode.PAGINATION_INCONSISTENT]
    for page in ("T7", "T9", "T6"):
        assert codes(pair(PG=page)) == []
        assert codes(pair(PG=page), errors=False) == [IssueCode.PAGINATION_INCONSISTENT]
    assert codes(pair(ID="other"), errors=False) == [IssueCode.ID_MISMATCH]
    assert codes(pair(LC={"LR": 5}), errors=False) == [IssueCode.LOSSES_UNKNOWN]
    assert codes(pair(LC={"LR": 5, "LU": "mOhm"}), errors=False) == []


def test_the_clock_matters_where_time_is_billed() -> None:
    unsure = (BEGIN | {"TM": "2026-03-02T12:00:00,000+0000 I"}, END | {"EF": "t"})
    told = data(whole(METER, *unsure), key=METER.key)
    assert (codes(prove(told, [])), prove(told, []).is_verified) == ([], True)
    assert codes(prove(told, [], bills_time=True)) == [IssueCode.TIME_SYNC, IssueCode.ERROR_FLAGS]


def test_the_register_without_the_losses_of_the_cable_is_billed() -> None:
    gross = (BEGIN, END)
    net = (BEGIN | {"RI": "1-0:98.8.0.FF"}, END | {"RI": "1-0:98.8.0.FF", "RV": 20})
    exported = (BEGIN | {"RI": "1-0:2.8.0"}, END | {"RI": "1-0:2.8.0", "RV": 90})
    seconds = END | {"RI": "01-00:00.08.06.FF", "RU": "sec", "RV": 3600}
    assert prove(data(whole(METER, *gross, *exported, seconds), key=METER.key), []).kwh == Decimal("10.5")
    assert prove(data(whole(METER, *gross, *net), key=METER.key), []).kwh == Decimal(10)


def test_a_reading_takes_over_what_the_one_before_said_and_watt_hours_are_watt_hours() -> None:
    first = reading("B", "1000", RU="Wh")
    second = {"TM": "2026-03-02T13:00:00,000+0000 S", "TX": "L", "RV": " 2500 "}
    proof = prove(data(whole(METER, first, second), key=METER.key), [])
    assert (proof.kwh, proof.issues) == (Decimal("1.5"), ())


UNFIT = (
    "",
    "OCMF|",
    "OCMF|[]|{}",
    'OCMF|{"RD":[]}|{"SD":"00"}',
    'OCMF|{"RD":["x"]}|{"SD":"00"}',
    'OCMF|{"RD":{"a":1}}|{"SD":"00"}',
    'OCMF|{"RD":[{"TM":5}]}|{"SD":"00"}',
    'OCMF|{"RD":[{"TM":"noon"}]}|{"SD":"00"}',
    'OCMF|{"RD":[{"TM":"2026-03-02T12:00:00 S"}]}|{"SD":"00"}',
    'OCMF|{"RD":[{"TM":"2026-03-02T12:00:00Z S","RV":NaN}]}|{"SD":"00"}',
    'OCMF|{"RD":[{"TM":"2026-03-02T12:00:00Z S","RV":1e999999}]}|{"SD":"00"}',
    'OCMF|{"RD":[{"TM":"2026-03-02T12:00:00Z S","RV":"Infinity"}]}|{"SD":"00"}',
    'OCMF|{"RD":[{"TM":"2026-03-02T12:00:00Z S","RV":true}]}|{"SD":"00"}',
    'OCMF|{"RD":[{"TM":"2026-03-02T12:00:00Z S","RV":1,"RV":2}]}|{"SD":"00"}',
    'OCMF|{"RD":[{"TM":"2026-03-02T12:00:00Z S"}]}|{"SD":5}',
    'OCMF|{"RD":[{"TM":"2026-03-02T12:00:00Z S"}]}',
    'OCMF|{"RD":[{"TM":"2026-03-02T12:00:00Z S"}]}|{"SD":"00"} and more',
    'OCMF|{"LC":7,"RD":[{"TM":"2026-03-02T12:00:00Z S"}]}|{"SD":"00"}',
    "OCMF|" + "[" * 15_000,
    "OCMF|" + '{"a":' * 3_000,
    "OCMF|" + "9" * 15_000,
    "O" * 30_000,
)


@pytest.mark.parametrize("text", UNFIT, ids=range(len(UNFIT)))
def test_what_is_no_record_is_refused_and_never_verified(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_ocmf(text)
    assert prove(data(SignedValue("End", text), key=METER.key), []).verdict is FAILED


@given(st.text(max_size=200))
def test_any_text_is_judged_without_an_accident(text: str) -> None:
    for written in (text, f"OCMF|{text}", f'OCMF|{{"RD":[{text}]}}|{{"SD":"00"}}'):
        assert prove(data(SignedValue("End", written), key=text), []).verdict is not VERIFIED


def test_keys_are_equal_however_they_are_spelled() -> None:
    for curve in CURVES:
        key = Meter(curve).key
        assert meter_key(key.upper()).text == meter_key(base64.b64encode(bytes.fromhex(key)).decode()).text == key
    for unfit in ("", "00", "not a key", "0" * 4000, Meter("secp192k1").key[:-2] + "00"):
        with pytest.raises(InvalidInput):
            meter_key(unfit)


def test_a_proof_is_stored_and_read_again_unchanged() -> None:
    begin, _ = METER.pair()
    for proof in (
        ABSENT,
        prove(data(whole(), key=METER.key), []),
        prove(data(begin, SignedValue("End", "?"), key=METER.key), [], bills_time=True),
    ):
        assert MeterProof.of(proof.as_json()) == proof
