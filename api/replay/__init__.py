"""Recorded charging sessions, told again to a gateway as the operator of their charge points would have.

Owns the reading of such a file, the onboarding of its operator and the telling over HTTP; knows nothing of how a
gateway takes what it is told.
"""

from api.replay.gateway_line import GatewayAway, PushRefused
from api.replay.recording_file import BadFile
from api.replay.report import Counted, Progress, ReplayReport, report_text
from api.replay.run import ReplayOptions, replay

__all__ = [
    "BadFile",
    "Counted",
    "GatewayAway",
    "Progress",
    "PushRefused",
    "ReplayOptions",
    "ReplayReport",
    "replay",
    "report_text",
]
