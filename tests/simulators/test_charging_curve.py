from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulators.charging_curve import WS_PER_WH, Battery, Stretch

LONG = 10**9

batteries = st.builds(Battery, capacity_wh=st.integers(1, 8000), power_w=st.integers(2000, 350_000))
spans = st.integers(0, 6000)


@st.composite
def charged(draw: st.DrawFn) -> tuple[Battery, int]:
    battery = draw(batteries)
    return battery, draw(st.integers(0, battery.capacity_ws))


@given(charged(), spans, spans)
def test_two_stretches_are_one_long_stretch(state: tuple[Battery, int], first: int, second: int) -> None:
    battery, stored_ws = state
    one = battery.charge(stored_ws, first)
    two = battery.charge(stored_ws + one.energy_ws, second)
    assert battery.charge(stored_ws, first + second) == Stretch(
        one.energy_ws + two.energy_ws, one.seconds + two.seconds
    )


@given(charged(), spans)
def test_nothing_flows_faster_than_the_outlet_gives_nor_beyond_full(state: tuple[Battery, int], seconds: int) -> None:
    battery, stored_ws = state
    stretch = battery.charge(stored_ws, seconds)
    assert 0 <= stretch.energy_ws <= battery.power_w * stretch.seconds
    assert stored_ws + stretch.energy_ws <= battery.capacity_ws
    assert stretch.seconds <= seconds
    assert stretch.seconds == seconds or battery.is_full(stored_ws + stretch.energy_ws)


@given(charged())
def test_every_car_gets_full_exactly(state: tuple[Battery, int]) -> None:
    battery, stored_ws = state
    assert stored_ws + battery.charge(stored_ws, LONG).energy_ws == battery.capacity_ws
    assert battery.charge(battery.capacity_ws, LONG) == Stretch(0, 0)


@given(batteries, st.data())
def test_the_fuller_the_less_power(battery: Battery, data: st.DataObject) -> None:
    less, more = sorted(data.draw(st.tuples(*[st.integers(0, battery.capacity_ws)] * 2)))
    assert battery.power_w >= battery.power_at(less) >= battery.power_at(more) >= 0
    assert (battery.power_at(more) == 0) == battery.is_full(more)


@given(batteries)
def test_full_power_holds_up_to_four_fifths_and_ends_at_a_tenth(battery: Battery) -> None:
    assert battery.power_at(battery.capacity_ws * 4 // 5) == battery.power_w
    assert battery.power_at(battery.capacity_ws * 9 // 10) < battery.power_w
    assert battery.power_w // 10 <= battery.power_at(battery.capacity_ws - 1) <= battery.power_w // 10 + battery.power_w


def test_a_night_at_eleven_kilowatts() -> None:
    battery = Battery(58_000, 11_000)
    stored_ws = 58_000 * WS_PER_WH // 5
    to_the_knee = battery.charge(stored_ws, 3 * 3600)
    assert to_the_knee == Stretch(33_000 * WS_PER_WH, 3 * 3600)
    hours = battery.charge(stored_ws, LONG).seconds / 3600
    assert 5.5 < hours < 6.5  # 3.2 h to four fifths, about 2.7 h for the rest
