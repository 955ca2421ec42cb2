from __future__ import annotations

import base64

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from resolvers.cursors import BadCursor, Cursors

KEY = b"k" * 32
POSITIONS = st.lists(st.one_of(st.text(max_size=40), st.integers(-(2**53), 2**53)), max_size=3)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


@given(NAMES, NAMES, POSITIONS)
def test_a_cursor_is_read_as_it_was_made(viewer: str, scope: str, keys: list[str | int]) -> None:
    cursors = Cursors(KEY, viewer)
    assume(all(not isinstance(key, str) or key.isprintable() for key in keys))
    assert cursors.read(scope, cursors.make(scope, keys)) == keys


@given(POSITIONS, st.data())
def test_a_damaged_cursor_is_refused(keys: list[str | int], data: st.DataObject) -> None:
    assume(all(not isinstance(key, str) or key.isprintable() for key in keys))
    cursors = Cursors(KEY, "op:DRIVER:ada")
    raw = bytearray(base64.urlsafe_b64decode((made := cursors.make("sessions", keys)) + "=" * (-len(made) % 4)))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    damaged = base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()
    with pytest.raises(BadCursor):
        cursors.read("sessions", damaged)
    with pytest.raises(BadCursor):
        cursors.read("sessions", made[: data.draw(st.integers(0, len(made) - 2))])


@given(st.text(max_size=200))
def test_what_nobody_made_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        Cursors(KEY, "op:DRIVER:ada").read("sessions", text)


@given(st.tuples(NAMES, NAMES), st.tuples(NAMES, NAMES), POSITIONS)
def test_a_cursor_is_of_one_viewer_one_list_and_one_key(
    one: tuple[str, str], other: tuple[str, str], keys: list[str | int]
) -> None:
    assume(all(not isinstance(key, str) or key.isprintable() for key in keys))
    made = Cursors(KEY, one[0]).make(one[1], keys)
    if one != other:
        with pytest.raises(BadCursor):
            Cursors(KEY, other[0]).read(other[1], made)
    with pytest.raises(BadCursor):
        Cursors(b"x" * 32, one[0]).read(one[1], made)
