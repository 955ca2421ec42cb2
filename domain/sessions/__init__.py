"""Charging sessions from the quote to the bill: what operators push, what it costs by now, what was billed.

Owns sessions, their log, quotes, orders to charge points and CDRs; the money lies in the ledger, set aside by wallets.
"""

from domain.sessions.arriving import Arriving
from domain.sessions.audit import CHECKS
from domain.sessions.billing import Billing, tax_rates
from domain.sessions.cdr import CDR, CdrCheck, CdrKind
from domain.sessions.charging import ChargingService
from domain.sessions.checking import Checked, Checking, packets_of
from domain.sessions.control import ChargerControl, Reply, Start, Stop
from domain.sessions.costs import CostLine, CostLineKind, Explanation, lines_of
from domain.sessions.crediting import credit, share_of
from domain.sessions.feed import Feed, InProcessFeed, Mailbox
from domain.sessions.guarding import Guarding
from domain.sessions.live import declared_periods, points_of
from domain.sessions.models import (
    FINAL,
    LIFE_OF_A_CHARGING_SESSION,
    LIFE_OF_A_COMMAND,
    ChargerCommand,
    ChargingSession,
    ChargingSessionStatus,
    CommandKind,
    CommandState,
    MeterReading,
    Quote,
    SessionChannel,
    StopReason,
)
from domain.sessions.ordering import OrderService
from domain.sessions.outlook import FORESEEN, course_of
from domain.sessions.partner_credits import CreditPush, PartnerCreditService
from domain.sessions.push import CdrPush, Declared, SessionPush, TheirStatus, TokenName
from domain.sessions.quoting import Expectation, QuoteService, ceilings_shown, shown
from domain.sessions.recording import Recorded, RecordingService
from domain.sessions.securing import Securing
from domain.sessions.service import SessionService, UpdateKind, standing
from domain.sessions.tariffing import Tariffing
from domain.tariffs import Course, Evidence

__all__ = [
    "CDR",
    "CHECKS",
    "FINAL",
    "FORESEEN",
    "LIFE_OF_A_CHARGING_SESSION",
    "LIFE_OF_A_COMMAND",
    "Arriving",
    "Billing",
    "CdrCheck",
    "CdrKind",
    "CdrPush",
    "ChargerCommand",
    "ChargerControl",
    "ChargingService",
    "ChargingSession",
    "ChargingSessionStatus",
    "Checked",
    "Checking",
    "CommandKind",
    "CommandState",
    "CostLine",
    "CostLineKind",
    "Course",
    "CreditPush",
    "Declared",
    "Evidence",
    "Expectation",
    "Explanation",
    "Feed",
    "Guarding",
    "InProcessFeed",
    "Mailbox",
    "MeterReading",
    "OrderService",
    "PartnerCreditService",
    "Quote",
    "QuoteService",
    "Recorded",
    "RecordingService",
    "Reply",
    "Securing",
    "SessionChannel",
    "SessionPush",
    "SessionService",
    "Start",
    "Stop",
    "StopReason",
    "Tariffing",
    "TheirStatus",
    "TokenName",
    "UpdateKind",
    "ceilings_shown",
    "course_of",
    "credit",
    "declared_periods",
    "lines_of",
    "packets_of",
    "points_of",
    "share_of",
    "shown",
    "standing",
    "tax_rates",
]
