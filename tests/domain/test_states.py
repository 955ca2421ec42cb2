"""A status moves along its table, or not at all."""

from __future__ import annotations

from enum import StrEnum
from itertools import product

import pytest

from domain.states import UnlawfulMove, may_move, move


class Lamp(StrEnum):
    OFF = "OFF"
    ON = "ON"
    BROKEN = "BROKEN"


LIFE_OF_A_LAMP = {
    Lamp.OFF: frozenset({Lamp.ON}),
    Lamp.ON: frozenset({Lamp.OFF, Lamp.BROKEN}),
    Lamp.BROKEN: frozenset[Lamp](),
}
LAWFUL = {(Lamp.OFF, Lamp.ON), (Lamp.ON, Lamp.OFF), (Lamp.ON, Lamp.BROKEN)}


@pytest.mark.parametrize(("now", "to"), sorted(product(Lamp, Lamp)))
def test_only_the_steps_of_the_table_are_taken(now: Lamp, to: Lamp) -> None:
    assert may_move(LIFE_OF_A_LAMP, now, to) is ((now, to) in LAWFUL)
    if (now, to) in LAWFUL:
        assert move(LIFE_OF_A_LAMP, now, to) is to
    else:
        with pytest.raises(UnlawfulMove, match=f"Lamp {now} -> {to}"):
            move(LIFE_OF_A_LAMP, now, to)


def test_an_unlawful_move_is_a_bug_and_not_a_refusal() -> None:
    assert issubclass(UnlawfulMove, AssertionError)
