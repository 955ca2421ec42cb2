"""`tallywatt adyen-standin` is the stand-in as the settings describe it, and refuses where money is real."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from api.settings import BadSettings, Settings
from api.stand_in import environment
from tests.processes import Process, free_ports, surroundings, tallywatt, until


async def test_it_listens_where_the_settings_say_and_keeps_its_books(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    here = surroundings(TALLYWATT_VAR=str(tmp_path / "var"), ADYEN_BASE_URL=url)
    process = Process(("api.cli", "adyen-standin"), here, tmp_path / "log", f"{url}/healthz")
    process.start()
    await until(process.answers)
    async with httpx2.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.get("/admin/books")).json()["payments"] == []
        assert (await client.post("/v72/payments", json={})).status_code == 401
    process.tell_to_stop()
    assert process.ended() == 0
    assert (tmp_path / "var/adyen-stand-in.sqlite3").exists()


@pytest.mark.parametrize("variables", [{"TALLYWATT_ENVIRONMENT": "production"}, {"ADYEN_API_KEY": "a real one"}])
def test_it_is_refused_in_one_line_where_payments_are_real(tmp_path: Path, variables: dict[str, str]) -> None:
    ran = tallywatt("adyen-standin", environment=surroundings(TALLYWATT_VAR=str(tmp_path), **variables))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("tallywatt: ")
    assert "a real one" not in ran.stderr


def test_its_own_options_outrank_the_settings(tmp_path: Path) -> None:
    here = surroundings(TALLYWATT_VAR=str(tmp_path / "var"))
    ran = tallywatt("adyen-standin", "--", "--bind", "nowhere", environment=here)
    assert ran.returncode == 2
    assert "--bind is HOST:PORT" in ran.stderr


def test_it_knows_the_keys_of_both_kinds_of_webhooks(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path, adyen_hmac_key_previous=SecretStr("ab" * 32))
    told = environment(settings)
    assert bytes.fromhex(told["STANDIN_HMAC_KEY"]) == settings.adyen_hmac_keys[0]
    assert bytes.fromhex(told["STANDIN_HMAC_KEY_PREVIOUS"]) == settings.adyen_hmac_keys[1]
    assert bytes.fromhex(told["STANDIN_TOKEN_HMAC_KEY"]) == settings.adyen_token_hmac_keys[0]
    with pytest.raises(BadSettings):
        environment(settings.model_copy(update={"adyen_base_url": None}))
