"""Secrets: where they come from, and that nobody sees them."""

from __future__ import annotations

import concurrent.futures
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.settings import Settings
from tests.api.environment import CANARY, ROOT, SOUND, refused, surrounded_by

pytestmark = pytest.mark.usefixtures("empty_environment")


def test_no_secret_is_in_what_settings_look_like(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = surrounded_by(monkeypatch, **SOUND)
    assert not re.search("canary|abab", f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}")


def test_secrets_may_come_in_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{CANARY}\n")
    settings = surrounded_by(monkeypatch, TALLYWATT_SIGNING_SECRET_FILE=str(tmp_path / "secret"))
    assert settings.signing_secret.get_secret_value() == CANARY
    both = surrounded_by(monkeypatch, TALLYWATT_SIGNING_SECRET="x" * 40)
    assert both.signing_secret.get_secret_value() == "x" * 40


def test_a_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    told = refused(monkeypatch, ADYEN_API_KEY_FILE=f"/nowhere/{CANARY}")
    assert told == "ADYEN_API_KEY_FILE names a file that cannot be read"


def test_development_makes_its_secrets_once(tmp_path: Path) -> None:
    first, again = Settings.from_environment(), Settings.from_environment()
    assert first == again
    made = {path.name: path for path in (tmp_path / "var").iterdir()}
    assert made.keys() == {
        "adyen-api-key",
        "adyen-hmac-key",
        "adyen-token-hmac-key",
        "adyen-webhook-password",
        "signing-secret",
    }
    assert {path.stat().st_mode & 0o777 for path in made.values()} == {0o600}
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700
    assert len({path.read_bytes() for path in made.values()}) == len(made)
    assert [len(key) for key in first.adyen_hmac_keys] == [32]


def test_processes_that_start_at_once_make_the_same_secrets(tmp_path: Path) -> None:
    script = "from api.settings import Settings; print(Settings().signing_secret.get_secret_value())"

    def started(_: int) -> str:
        command = [sys.executable, "-c", script]
        environment = {"PYTHONPATH": str(ROOT), "TALLYWATT_VAR": str(tmp_path / "var")}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(started, range(4)))) == 1
    assert not [path for path in (tmp_path / "var").iterdir() if path.name.startswith(".")]


def test_a_key_made_here_goes_to_the_stand_in_only(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Settings.from_environment()
    assert (made.adyen_base_url, made.adyen_merchant_account) == ("http://127.0.0.1:8010", "TallywattDevelopment")
    own = surrounded_by(monkeypatch, ADYEN_API_KEY="AQE-own", ADYEN_MERCHANT_ACCOUNT="Own")
    assert (own.adyen_base_url, own.adyen_merchant_account) == (None, "Own")


def test_a_previous_key_counts_while_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = surrounded_by(monkeypatch, ADYEN_HMAC_KEY="ab" * 32, ADYEN_HMAC_KEY_PREVIOUS="CD" * 32)
    assert settings.adyen_hmac_keys == (b"\xab" * 32, b"\xcd" * 32)


def test_a_secret_is_never_plain_text() -> None:
    telling = re.compile("secret|password|api_key|hmac|database_url|redis_url")
    for name, field in Settings.model_fields.items():
        assert not telling.search(name) or "SecretStr" in str(field.annotation), name
    assert isinstance(Settings.from_environment().signing_secret, SecretStr)
