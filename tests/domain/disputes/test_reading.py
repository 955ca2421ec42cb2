"""Who sees which disputes, and in what order."""

from __future__ import annotations

from datetime import timedelta

from domain.disputes import Dispute, DisputeReason, DisputeStatus
from domain.ids import DisputeId, OperatorId
from tests.domain.disputes.case import WORDS, reject, submit
from tests.domain.sessions.ocpi_objects import card
from tests.domain.sessions.stage import Stage


async def test_disputes_are_read_by_owner_in_pages_newest_first(stage: Stage) -> None:
    desk, other = stage.services.dispute_desk, await stage.rich_driver("other", 5000)
    mine = []
    for number in range(5):
        stage.clock.advance(timedelta(minutes=number % 2))
        mine.append(await submit(stage, await stage.charged(f"S{number}"), key=f"d{number}"))
    await reject(stage, mine[0])
    theirs = await stage.charged("S9", token=card("other"))
    await stage.services.disputes.submit(stage.operator, other.id, theirs.id, DisputeReason.OTHER, WORDS, None, "d0")
    found: list[Dispute] = []
    before = None
    while page := await desk.disputes(stage.operator, stage.driver.id, before=before, statuses=None, limit=2):
        found += page
        before = page[-1].opened_at, page[-1].id
    assert {dispute.id for dispute in found} == {dispute.id for dispute in mine}
    keys = [(dispute.opened_at, dispute.id) for dispute in found]
    assert keys == sorted(set(keys), reverse=True)
    everybody = await desk.disputes(stage.operator, None, before=None, statuses=None, limit=99)
    rejected = await desk.disputes(stage.operator, None, before=None, statuses=[DisputeStatus.REJECTED], limit=99)
    assert (len(everybody), [dispute.id for dispute in rejected]) == (6, [mine[0].id])
    assert await desk.dispute(stage.operator, mine[0].id, other.id) is None
    assert await desk.dispute(stage.operator, DisputeId(other.id), None) is None
    assert (await desk.dispute(stage.operator, mine[1].id, stage.driver.id)) == mine[1]
    about = await desk.disputes_of(stage.operator, [mine[1].session_id, theirs.id])
    assert {dispute.session_id for dispute in about} == {mine[1].session_id, theirs.id}
    assert await desk.disputes_of(OperatorId(other.id), [theirs.id]) == []
