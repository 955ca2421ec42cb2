"""The environment that settings are read from, and one that is sound for production."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from api.settings import BadSettings, Settings

ROOT = Path(__file__).parents[2]
CANARY = "canary-0123456789-0123456789-0123456789"
SOUND = {
    "TALLYWATT_ENVIRONMENT": "production",
    "TALLYWATT_DATABASE_URL": f"postgresql://tallywatt:{CANARY}@postgres/tallywatt",
    "TALLYWATT_REDIS_URL": f"redis://:{CANARY}@valkey:6379/0",
    "TALLYWATT_PUBLIC_URL": "https://charging.example.com",
    "TALLYWATT_SIGNING_SECRET": CANARY,
    "TALLYWATT_JWKS_URL": "https://login.example.com/jwks.json",
    "TALLYWATT_JWT_ISSUER": "https://login.example.com/",
    "ADYEN_ENVIRONMENT": "live",
    "ADYEN_LIVE_PREFIX": "1797a841fbb37ca7-Tallywatt",
    "ADYEN_API_KEY": CANARY,
    "ADYEN_MERCHANT_ACCOUNT": "TallywattECOM",
    "ADYEN_HMAC_KEY": "ab" * 32,
    "ADYEN_WEBHOOK_USER": "adyen",
    "ADYEN_WEBHOOK_PASSWORD": CANARY,
}


def surrounded_by(monkeypatch: pytest.MonkeyPatch, *, without: str = "", **variables: str) -> Settings:
    for name, value in variables.items():
        if name != without:
            monkeypatch.setenv(name, value)
    return Settings.from_environment()


def refused(monkeypatch: pytest.MonkeyPatch, *, without: str = "", **variables: str) -> str:
    with pytest.raises(BadSettings) as caught:
        surrounded_by(monkeypatch, without=without, **variables)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)
