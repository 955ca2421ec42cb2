"""What a push means for the session it is about: pure, decided before anything is written."""

from __future__ import annotations

from datetime import datetime

from domain.errors import InvalidInput
from domain.sessions.costs import cost_lines, lines_json
from domain.sessions.following import Following, Standing
from domain.sessions.live import periods_json
from domain.sessions.models import LIFE_OF_A_CHARGING_SESSION, ChargingSession, ChargingSessionStatus, MeterReading
from domain.sessions.push import SessionPush, TheirStatus
from domain.states import may_move
from domain.tariffs import Pricing

_Status = ChargingSessionStatus


def is_older(session: ChargingSession, push: SessionPush) -> bool:
    """Whether a newer push was taken before."""
    return session.ocpi_last_updated is not None and push.last_updated < session.ocpi_last_updated


def still_counts(session: ChargingSession, push: SessionPush) -> SessionPush | None:
    """What still counts of a push that others have overtaken: its meter value, and the periods that a PATCH adds.

    Where things stand is told by the newest; and who says more than was counted since then is not believed.
    """
    energy, periods = push.energy, None if push.replaces else push.periods
    if (energy is None and not periods) or (energy is not None and energy.wh > session.energy_wh):
        return None
    return SessionPush(push.ocpi_id, replaces=False, last_updated=push.last_updated, energy=energy, periods=periods)


def reading_of(session: ChargingSession, push: SessionPush, now: datetime) -> MeterReading:
    """The next row of the log. Raises InvalidInput when the meter runs backwards."""
    energy_wh = session.energy_wh if push.energy is None else push.energy.wh
    if energy_wh < session.energy_wh and not is_older(session, push):
        raise InvalidInput("The meter runs backwards: this is less energy than was counted before.", ("kwh",))
    return MeterReading(
        operator_id=session.operator_id,
        session_id=session.id,
        number=session.readings + 1,
        at=push.ended_at or push.last_updated,
        energy_wh=energy_wh,
        status="" if push.status is None else push.status.value,
        replaces=push.replaces,
        periods=periods_json(push.periods),
        received_at=now,
    )


def says_nothing_new(session: ChargingSession, reading: MeterReading, push: SessionPush, known: Following) -> bool:
    """Whether a push repeats what was told of the same instant: operators retry."""
    if not known.readings or not known.knows(push.periods or ()):
        return False
    if is_older(session, push):
        return known.has_read(reading)
    is_same = session.ocpi_last_updated == push.last_updated and reading.energy_wh == session.energy_wh
    return is_same and reading.status in ("", known.status)


def status_after(
    now: ChargingSessionStatus, theirs: TheirStatus | None, standing: Standing, *, bills_itself: bool
) -> ChargingSessionStatus:
    """Where a session stands after a push; while we wait for it to stop, it stays STOPPING."""
    is_active = theirs is TheirStatus.ACTIVE and now is not _Status.STOPPING
    stays_active = theirs is None and now in (_Status.CHARGING, _Status.PARKED, _Status.SUSPENDED)
    if theirs is TheirStatus.COMPLETED:
        to = _Status.STOPPING if bills_itself else _Status.COMPLETED
    elif theirs is TheirStatus.INVALID:
        to = _Status.FAILED
    elif is_active or stays_active:
        to = _seen(standing)
    else:
        to = now
    assert to is now or may_move(LIFE_OF_A_CHARGING_SESSION, now, to)
    return to


def _seen(standing: Standing) -> ChargingSessionStatus:
    if standing.is_paused:
        return _Status.SUSPENDED
    return _Status.PARKED if standing.is_parked else _Status.CHARGING


def cost_columns(pricing: Pricing) -> dict[str, object]:
    """A price as it lies in the row of its session."""
    return {
        "accrued_net_minor": pricing.accrued_net.minor,
        "accrued_tax_minor": (pricing.accrued_gross - pricing.accrued_net).minor,
        "net_minor": pricing.net.minor,
        "tax_minor": pricing.tax.minor,
        "lines": lines_json(cost_lines(pricing)),
    }
