"""A tariff, a session and a question about them, the command line to put it to, and how much memory that took."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TARIFF: dict[str, Any] = {
    "country_code": "NL",
    "party_id": "TLY",
    "id": "TOWN",
    "currency": "EUR",
    "elements": [
        {
            "price_components": [{"type": "ENERGY", "price": 0.24, "vat": 21, "step_size": 250}],
            "restrictions": {"end_time": "17:00"},
        },
        {"price_components": [{"type": "ENERGY", "price": 0.29, "vat": 21, "step_size": 250}]},
    ],
    "last_updated": "2026-01-01T00:00:00Z",
}
SESSION: dict[str, Any] = {
    "start_date_time": "2026-03-10T15:00:00Z",
    "end_date_time": "2026-03-10T17:00:00Z",
    "charging_periods": [
        {"start_date_time": "2026-03-10T15:00:00Z", "dimensions": [{"type": "ENERGY", "volume": 3.1}]},
        {"start_date_time": "2026-03-10T16:00:00Z", "dimensions": [{"type": "ENERGY", "volume": 2.6}]},
    ],
}
ASKED = {"tariffs": [TARIFF], "time_zone": "Europe/Amsterdam", "session": SESSION}
LINE = json.dumps(ASKED).encode()


def run(*words: str, given: bytes = b"", at: Path = ROOT) -> tuple[int, Any, str]:
    """Exit code, what was printed, what was complained about."""
    ran = subprocess.run(
        [sys.executable, "-m", "api.cli", *words],
        input=given,
        capture_output=True,
        check=False,
        cwd=at,
        env={"PYTHONPATH": str(ROOT)},
    )
    return ran.returncode, json.loads(ran.stdout) if ran.stdout else None, ran.stderr.decode()


def write(path: Path, content: object) -> str:
    path.write_text(json.dumps(content))
    return str(path)


def peak_mb(process: subprocess.Popen[bytes]) -> float:
    """The most memory that a process needed until it ended, as Linux counts it from its own start."""
    peak = 0.0
    while process.poll() is None:
        with suppress(OSError, StopIteration):
            status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            peak = max(peak, int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024)
        time.sleep(0.05)
    return peak
