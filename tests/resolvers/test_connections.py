"""Pages of every list: bounds, order, and what paging sees while others write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from domain.ids import PaymentId
from domain.money import Money
from domain.sessions import TheirStatus
from resolvers.principal import Role
from tests.resolvers.gateway import Gateway, gid
from tests.world import MERCHANT, OPERATOR, SEED, add_place

PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id } }"
LISTS = {
    "locations": ("query ($f: Int!, $a: Cursor) { list: locations(first: $f, after: $a) { %s } }", Role.DRIVER),
    "operator": (
        "query ($f: Int!, $a: Cursor) { operator { list: locations(first: $f, after: $a) { %s } } }",
        Role.OPERATOR,
    ),
    "sessions": ("query ($f: Int!, $a: Cursor) { me { list: sessions(first: $f, after: $a) { %s } } }", Role.DRIVER),
    "disputes": ("query ($f: Int!, $a: Cursor) { me { list: disputes(first: $f, after: $a) { %s } } }", Role.DRIVER),
    "desk": (
        "query ($f: Int!, $a: Cursor) { supportDesk { list: disputes(first: $f, after: $a) { %s } } }",
        Role.SUPPORT,
    ),
    "entries": (
        "query ($f: Int!, $a: Cursor) { me { wallet { list: entries(first: $f, after: $a) { %s } } } }",
        Role.DRIVER,
    ),
}


async def page(gateway: Gateway, name: str, first: int, after: str | None = None) -> dict[str, Any]:
    query, role = LISTS[name]
    found = (await gateway.ask(query % PAGE, role, f=first, a=after)).data
    while "list" not in found:
        (found,) = found.values()
    listed: dict[str, Any] = found["list"]
    return listed


async def walk(
    gateway: Gateway, name: str, size: int, between: Callable[[], Awaitable[object]] | None = None
) -> list[str]:
    """Ids of a whole list, page by page, with something going on in between."""
    ids: list[str] = []
    after: str | None = None
    while True:
        shown = await page(gateway, name, size, after)
        edges, info = shown["edges"], shown["pageInfo"]
        assert info["hasPreviousPage"] is (after is not None)
        assert info["startCursor"] == (edges[0]["cursor"] if edges else None)
        assert info["endCursor"] == (edges[-1]["cursor"] if edges else None)
        ids += [edge["node"]["id"] for edge in edges]
        if not info["hasNextPage"]:
            return ids
        assert len(edges) == size
        after = info["endCursor"]
        if between is not None:
            await between()


async def filled(gateway: Gateway, sessions: int = 5) -> list[str]:
    """Some of everything; the ids of the sessions, oldest first."""
    ids = []
    for number in range(sessions):
        session = await gateway.billed(f"S-{number}", str(1 + number))
        ids.append(gid("ChargingSession", session.id))
        await gateway.dispute(ids[-1])
    for number in range(4):
        await add_place(gateway.world.services, gateway.world.party, f"LOC-{number}0")
    return ids


async def test_lists_are_walked_whole_and_in_order(gateway: Gateway) -> None:
    await filled(gateway)
    for name in LISTS:
        whole = [edge["node"]["id"] for edge in (await page(gateway, name, 100))["edges"]]
        assert len(whole) == len(set(whole)) >= 5
        for size in (1, 2, len(whole)):
            assert await walk(gateway, name, size) == whole, (name, size)


async def test_newest_first_does_not_see_what_comes_later(gateway: Gateway) -> None:
    await filled(gateway)
    numbers = iter(range(100, 200))

    async def meanwhile() -> None:
        number = next(numbers)
        session = await gateway.billed(f"S-{number}")
        await gateway.dispute(gid("ChargingSession", session.id))
        world = gateway.world
        async with world.services.database.transaction() as tx:
            paid = PaymentId(world.services.partners.new_party_id())
            await world.services.wallets.money.pay_in(tx, world.wallet, paid, 1, Money(100, "EUR"), MERCHANT, SEED)

    for name in ("sessions", "disputes", "desk", "entries"):
        before = [edge["node"]["id"] for edge in (await page(gateway, name, 100))["edges"]]
        assert await walk(gateway, name, 2, meanwhile) == before, name


async def test_by_name_neither_repeats_nor_skips_what_was_there(gateway: Gateway) -> None:
    await filled(gateway, sessions=0)
    before = await walk(gateway, "locations", 100)
    numbers = iter(range(3))

    async def meanwhile() -> None:
        if (number := next(numbers, None)) is not None:
            await add_place(gateway.world.services, gateway.world.biller, f"NEW-{number}")

    seen = await walk(gateway, "locations", 1, meanwhile)
    assert len(seen) == len(set(seen))
    assert [each for each in seen if each in before] == before


@pytest.mark.parametrize("first", [-1, 0, 101, 2**31 - 1])
async def test_a_page_has_bounds(small: Gateway, first: int) -> None:
    for query, role in LISTS.values():
        answer = await small.ask(query % PAGE, role, f=first)
        assert answer.codes == ["BAD_USER_INPUT"]
        assert answer.errors[0]["extensions"]["argument"] == "first"


async def test_a_page_of_a_guest_is_smaller(small: Gateway) -> None:
    query = "query ($f: Int!) { locations(first: $f) { pageInfo { hasNextPage } } }"
    assert (await small.ask(query, Role.GUEST, f=20)).data
    assert (await small.ask(query, Role.GUEST, f=21)).codes == ["BAD_USER_INPUT"]
    assert (await small.ask(query, Role.DRIVER, f=100)).data


async def test_a_cursor_of_another_list_or_caller_is_refused(small: Gateway) -> None:
    await filled(small)
    stranger_query, role = LISTS["sessions"]
    made = {name: (await page(small, name, 1))["pageInfo"]["endCursor"] for name in LISTS}
    for name, (query, role_of_list) in LISTS.items():
        for other, cursor in made.items():
            answer = await small.ask(query % PAGE, role_of_list, f=1, a=cursor)
            assert ("errors" in answer.body) is (name != other), (name, other)
            if name != other:
                assert answer.codes == ["BAD_USER_INPUT"]
    answer = await small.ask(stranger_query % PAGE, role, "driver-9", f=1, a=made["sessions"])
    assert answer.codes == ["BAD_USER_INPUT"]
    assert answer.errors[0]["extensions"]["argument"] == "after"
    for damaged in ("garbage", made["sessions"][:-1], "A" + made["sessions"][1:], made["sessions"] + "A"):
        assert (await small.ask(stranger_query % PAGE, role, None, f=1, a=damaged)).codes == ["BAD_USER_INPUT"]


async def test_a_filter_is_part_of_its_list(small: Gateway) -> None:
    await filled(small, 3)
    query = (
        "query ($a: Cursor, $s: [DisputeStatus!]) { supportDesk { disputes(first: 1, after: $a, statuses: $s) {"
        " pageInfo { endCursor } } } }"
    )
    seen = (await small.ask(query, Role.SUPPORT, s=["UNDER_REVIEW", "TRIAGE"])).data
    cursor = seen["supportDesk"]["disputes"]["pageInfo"]["endCursor"]
    assert (await small.ask(query, Role.SUPPORT, s=["TRIAGE", "UNDER_REVIEW"], a=cursor)).data
    assert (await small.ask(query, Role.SUPPORT, s=["TRIAGE"], a=cursor)).codes == ["BAD_USER_INPUT"]
    assert (await small.ask(query, Role.SUPPORT, a=cursor)).codes == ["BAD_USER_INPUT"]


async def test_long_names_can_be_paged_through(small: Gateway) -> None:
    services, party = small.world.services, small.world.party
    for number in range(3):
        place = await add_place(services, party, f"LONG-{number}")
        async with services.database.transaction() as tx:
            where = {"operator_id": OPERATOR, "id": place.id}
            await tx.change(type(place), where, name=f"{number}" + "\N{CAT FACE}" * 250)
    assert len(await walk(small, "locations", 1)) == 5


async def test_sessions_that_have_not_ended_are_listed_apart(small: Gateway) -> None:
    await small.billed("S-1")
    running = await small.push("S-2", TheirStatus.ACTIVE, 60, "1", evse="EVSE-2")
    found = (await small.ask("{ me { activeSessions { id } } }")).data["me"]["activeSessions"]
    assert found == [{"id": gid("ChargingSession", running.id)}]
    assert running.requested_at - running.updated_at <= timedelta(0)
