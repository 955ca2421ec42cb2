"""UUIDv7 as RFC 9562 §5.7 lays it out: time first, so that keys grow with the rows."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import RFC_4122

from hypothesis import given
from hypothesis import strategies as st

from domain import ids as page
from domain.clock import ManualClock
from domain.ids import Ids

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
instants = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  aware by strategy


@given(instants, st.integers(0, 2**32))
def test_an_id_is_a_uuid_of_version_seven_that_tells_its_millisecond(instant: datetime, seed: int) -> None:
    made = Ids(ManualClock(instant), random.Random(seed).getrandbits).new()
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def test_the_vector_of_the_standard() -> None:
    """RFC 9562, appendix A.6."""
    instant = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    chance = {12: 0xCC3, 62: 0x18C4DC0C0C07398F}
    assert str(Ids(ManualClock(instant), chance.__getitem__).new()) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_every_bit_that_may_be_random_is() -> None:
    ones = Ids(ManualClock(NOON), lambda bits: 2**bits - 1).new().int
    zeros = Ids(ManualClock(NOON), lambda bits: bits >> bits).new().int
    assert (ones ^ zeros).bit_count() == 74


@given(instants, st.lists(st.integers(1, 10**9), min_size=1, max_size=20))
def test_later_ids_sort_later_as_numbers_as_text_and_as_bytes(start: datetime, steps: list[int]) -> None:
    clock = ManualClock(min(start, datetime(9000, 1, 1, tzinfo=UTC)))
    ids = Ids(clock)
    made = [ids.new()]
    for milliseconds in steps:
        clock.advance(timedelta(milliseconds=milliseconds))
        made.append(ids.new())
    assert all(earlier < later for earlier, later in pairwise(made))
    assert all(str(earlier) < str(later) for earlier, later in pairwise(made))
    assert all(earlier.bytes < later.bytes for earlier, later in pairwise(made))


def test_one_millisecond_has_room_for_everybody() -> None:
    ids = Ids(ManualClock(NOON))
    assert len({ids.new() for _ in range(10_000)}) == 10_000


def test_the_same_clock_and_chance_give_the_same_ids() -> None:
    one, other = (Ids(ManualClock(NOON), random.Random(7).getrandbits) for _ in range(2))
    assert [one.new() for _ in range(5)] == [other.new() for _ in range(5)]


def test_every_kind_of_id_has_a_name_of_its_own() -> None:
    kinds = {name: kind for name, kind in vars(page).items() if name.endswith("Id")}
    assert {name: kind.__name__ for name, kind in kinds.items()} == {name: name for name in kinds}
