"""What speaks for a bill or against it: signed meter readings, and what was found when a CDR was taken."""

from __future__ import annotations

import strawberry

from domain import meters, sessions, tariffs
from domain.money import Money as Amount
from resolvers.bills import CDR
from resolvers.context import Info
from resolvers.describing import describe
from resolvers.extending import extends
from resolvers.scalars import Exact, TaxedMoney

describe(
    meters.SignatureVerdict,
    "What became of the signatures of a meter.",
    called="MeterVerdict",
    VERIFIED="They are those of the meter.",
    FAILED="At least one is not that of the meter.",
    UNVERIFIABLE="Nobody knows the key of the meter, or the format cannot be read here.",
    ABSENT="Nothing was signed.",
)
describe(
    meters.KeySource,
    "Whose word it is that a key is that of the meter.",
    called="MeterKeySource",
    REGISTRY="Ours: it is registered for the EVSE.",
    RECORD="It came with the record.",
)
describe(
    tariffs.Level,
    "Weights of a finding.",
    called="FindingLevel",
    ERROR="It cannot be trusted.",
    WARNING="Somebody should look.",
    INFO="Worth knowing.",
)


@strawberry.type(description="Signed meter readings of a bill.")
class MeterProof:
    """A proof."""

    format: str = strawberry.field(description="Format, such as `OCMF`.")
    is_verified: bool = strawberry.field(description="Whether the signature and the readings are right.")
    verdict: meters.SignatureVerdict = strawberry.field(description="What became of the signatures.")
    key_from: meters.KeySource | None = strawberry.field(
        description="Whose word it is that the key is that of the meter; null without one."
    )
    energy_kwh: Exact | None = strawberry.field(
        description="Energy between the signed readings; null when they do not tell a whole session."
    )
    issues: list[str] = strawberry.field(
        description="What is wrong with the readings, in words; empty when all is well."
    )
    packets: list[str] = strawberry.field(
        description="The signed packets as they came, for checking with other software."
    )


@strawberry.type(description="One thing found when a CDR was taken.", name="CDRFinding")
class CDRFinding:
    """A finding."""

    code: str = strawberry.field(
        description="Stable code, such as `total_cost_mismatch` or `signed_data_disagrees`; the list grows."
    )
    level: tariffs.Level = strawberry.field(description="Weight.")
    message: str = strawberry.field(description="In words.")


@extends(CDR, "Signed meter readings; null when the meter does not sign.")
async def meter_proof(root: strawberry.Parent[CDR], info: Info) -> MeterProof | None:
    """Of the CDR as it was taken."""
    found = await _checked(root, info)
    if found is None or found.proof.verdict is meters.SignatureVerdict.ABSENT:
        return None
    proof = found.proof
    return MeterProof(
        format=proof.format,
        is_verified=proof.is_verified,
        verdict=proof.verdict,
        key_from=proof.key_from,
        energy_kwh=None if proof.kwh is None else Exact(proof.kwh),
        issues=[issue.message for issue in proof.issues],
        packets=sessions.packets_of(root.row),
    )


@extends(CDR, "What was found when it was taken, worst first; empty when all was well.")
async def findings(root: strawberry.Parent[CDR], info: Info) -> list[CDRFinding]:
    """Priced again, compared with quote and signed readings."""
    found = await _checked(root, info)
    listed = () if found is None else sorted(found.findings, key=lambda one: list(tariffs.Level).index(one.level))
    return [CDRFinding(code=one.code.value, level=one.level, message=one.message) for one in listed]


@extends(CDR, "What our own pricing makes of it; null when it made it, or when it cannot be priced.")
async def expected(root: strawberry.Parent[CDR], info: Info) -> TaxedMoney | None:
    """For CDRs of somebody else."""
    found = await _checked(root, info)
    if found is None or found.ours is None or not root.row.is_declared:
        return None
    net: Amount = found.ours.net
    return TaxedMoney.of(net.minor, (found.ours.gross - net).minor, net.currency)


async def _checked(root: CDR, info: Info) -> sessions.Checked | None:
    return await info.context.loaders.checks.load(root.row.id)
