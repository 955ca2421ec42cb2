"""In production nothing is left to chance: every problem is told before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.settings import BadSettings, Settings
from tests.api.environment import ROOT, SOUND, refused, surrounded_by

pytestmark = pytest.mark.usefixtures("empty_environment")


def test_sound_settings_of_production_are_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = surrounded_by(monkeypatch, **SOUND)
    assert settings.is_production
    assert not settings.graphiql
    assert settings.return_urls == ("https://charging.example.com/",)
    assert settings.adyen_base_url is None
    assert settings.adyen_token_hmac_keys == ()
    assert list(tmp_path.iterdir()) == [], "production makes no secrets"


def test_every_problem_of_production_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = refused(
        monkeypatch,
        TALLYWATT_ENVIRONMENT="production",
        TALLYWATT_REDIS_URL="redis://valkey",
        TALLYWATT_GRAPHIQL="true",
        TALLYWATT_PUBLIC_URL="http://charging.example.com",
        ADYEN_BASE_URL="http://127.0.0.1:8010",
    )
    assert told.split("; ") == [
        "TALLYWATT_SIGNING_SECRET is missing",
        "ADYEN_API_KEY is missing",
        "ADYEN_HMAC_KEY is missing",
        "ADYEN_WEBHOOK_USER is missing",
        "ADYEN_WEBHOOK_PASSWORD is missing",
        "TALLYWATT_JWKS_URL is missing: tokens would be signed by a development key",
        "TALLYWATT_JWT_ISSUER must be an https URL",
        "TALLYWATT_PUBLIC_URL must be an https URL",
        "TALLYWATT_RETURN_URLS must be https URLs, or schemes of apps",
        "ADYEN_BASE_URL names the stand-in, which takes no money",
        "TALLYWATT_GRAPHIQL must be off",
        "TALLYWATT_DATABASE_URL is SQLite, and TALLYWATT_REDIS_URL is for several processes",
    ]


NEEDED = SOUND.keys() - {"TALLYWATT_ENVIRONMENT", "TALLYWATT_REDIS_URL", "ADYEN_ENVIRONMENT"}


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_production_needs(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert name in refused(monkeypatch, without=name, **SOUND)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TALLYWATT_SIGNING_SECRET", "short"),
        ("TALLYWATT_SIGNING_SECRET", "development-only-" + "0" * 64),
        ("ADYEN_API_KEY", "development-only-" + "0" * 64),
        ("ADYEN_WEBHOOK_PASSWORD", "short"),
        ("ADYEN_BASE_URL", "http://127.0.0.1:8010"),
        ("TALLYWATT_GRAPHIQL", "true"),
        ("TALLYWATT_PUBLIC_URL", "http://charging.example.com"),
        ("TALLYWATT_JWT_ISSUER", "http://login.example.com"),
        ("TALLYWATT_RETURN_URLS", "tallywatt:// http://127.0.0.1/"),
        ("TALLYWATT_DATABASE_URL", "sqlite:///var/tallywatt.sqlite3"),
    ],
)
def test_production_refuses(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert refused(monkeypatch, **SOUND | {name: value}).startswith(name)


def test_one_process_may_run_on_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = SOUND | {"TALLYWATT_DATABASE_URL": "sqlite:////data/tallywatt.sqlite3"}
    assert surrounded_by(monkeypatch, without="TALLYWATT_REDIS_URL", **variables).is_production


def test_adyen_test_may_run_in_production_as_rehearsal(monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsal = SOUND | {"ADYEN_ENVIRONMENT": "test"}
    assert surrounded_by(monkeypatch, without="ADYEN_LIVE_PREFIX", **rehearsal).adyen_base_url is None


def test_real_money_is_for_production_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ADYEN_ENVIRONMENT" in refused(monkeypatch, without="TALLYWATT_ENVIRONMENT", **SOUND)


def test_the_example_filled_in_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    pairs = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    database = {"TALLYWATT_DATABASE_URL": SOUND["TALLYWATT_DATABASE_URL"]}
    filled = {name: value or SOUND.get(name, "") for name, value in pairs.items()}
    assert surrounded_by(monkeypatch, **filled | database).is_production
    for name, value in pairs.items():
        if not value and name in SOUND:
            monkeypatch.delenv(name)
    with pytest.raises(BadSettings):
        Settings.from_environment()
