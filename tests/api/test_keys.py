from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.keys import Keys, NotSealedByUs

ROOT = b"a root secret that is long enough"
KEYS = Keys(ROOT)


def test_the_same_root_gives_the_same_keys() -> None:
    assert Keys(ROOT).cursor_key() == KEYS.cursor_key()
    assert Keys(ROOT).token_hash("abc") == KEYS.token_hash("abc")
    assert Keys(ROOT).open(KEYS.seal("abc")) == "abc"


def test_another_root_gives_other_keys() -> None:
    other = Keys(b"another root that is long enough too")
    assert other.cursor_key() != KEYS.cursor_key()
    assert other.token_hash("abc") != KEYS.token_hash("abc")
    with pytest.raises(NotSealedByUs):
        other.open(KEYS.seal("abc"))


def test_every_purpose_has_a_key_of_its_own() -> None:
    keys = {KEYS._tokens, KEYS._cursors, KEYS._seals._signing_key + KEYS._seals._encryption_key, ROOT}
    assert len(keys) == 4
    assert len(KEYS.cursor_key()) == 32


def test_keys_stay_what_they_are_from_release_to_release() -> None:
    assert KEYS.token_hash("abc") == "852197d8955de4ebb703c17c355973b3344a39665653b588b4d52123398f9f3a"


@pytest.mark.parametrize("root", [b"", b"short", b"x" * 31])
def test_a_short_root_is_refused(root: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Keys(root)


@given(st.text(st.characters(codec="utf-8")))
def test_what_is_sealed_opens_again(text: str) -> None:
    sealed = KEYS.seal(text)
    assert sealed.isascii()
    assert KEYS.open(sealed) == text


def test_a_seal_is_different_each_time() -> None:
    assert KEYS.seal("abc") != KEYS.seal("abc")
    assert "abc" not in KEYS.seal("abc")


@pytest.mark.parametrize(
    "sealed",
    ["", "x", "é", "\udc80", "gAAAAA", KEYS.seal("abc")[:-4], KEYS.seal("abc")[::-1]],
    ids=["nothing", "a letter", "no base64", "half a character", "a beginning", "cut", "turned round"],
)
def test_what_was_not_sealed_here_does_not_open(sealed: str) -> None:
    with pytest.raises(NotSealedByUs):
        KEYS.open(sealed)


@given(st.text())
def test_every_token_has_a_hash(token: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", KEYS.token_hash(token))


def test_nothing_of_the_root_is_in_what_keys_look_like() -> None:
    assert "root" not in repr(KEYS)
