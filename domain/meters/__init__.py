"""Signed meter values: what a meter said about a session, and whether it was that meter. Pure; keys are handed in.

Owns reading and judging of OCMF (Open Charge Metering Format); other formats are kept and called UNVERIFIABLE.
"""

from domain.meters.issues import Issue, IssueCode
from domain.meters.keys import KeySource, MeterKey, SignatureVerdict, meter_key
from domain.meters.ocmf import MeterValue, Ocmf, read_ocmf
from domain.meters.proof import ABSENT, MeterProof, RecordVerdict, SignedData, SignedValue, prove
from domain.meters.transaction import Transaction, one_record, two_records

__all__ = [
    "ABSENT",
    "Issue",
    "IssueCode",
    "KeySource",
    "MeterKey",
    "MeterProof",
    "MeterValue",
    "Ocmf",
    "RecordVerdict",
    "SignatureVerdict",
    "SignedData",
    "SignedValue",
    "Transaction",
    "meter_key",
    "one_record",
    "prove",
    "read_ocmf",
    "two_records",
]
