from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import structlog

from api import cli
from api.auth import Verifier
from api.settings import Settings
from resolvers.principal import Role
from tests.api.environment import CANARY, ROOT, SOUND
from tests.servers import Postgres

PRODUCTION = SOUND | {
    "TALLYWATT_DATABASE_URL": f"postgresql://tallywatt:{CANARY}@127.0.0.1:1/tallywatt",
    "TALLYWATT_REDIS_URL": f"redis://:{CANARY}@127.0.0.1:1/0",
}
"""Sound, over servers that are not there."""
Ran = tuple[int, str, str]
Run = Callable[..., Ran]


@contextmanager
def logs_as_before() -> Iterator[None]:
    """What runs in a process of its own sets up its logs."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def run(
    empty_environment: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Run:
    """The command line in this process: exit code, what it printed, what it complained about."""
    monkeypatch.setenv("TALLYWATT_VAR", str(tmp_path / "var"))

    def run(*words: str, **variables: str) -> Ran:
        with monkeypatch.context() as here, logs_as_before():
            for name, value in variables.items():
                here.setenv(name, value)
            code = 0
            try:
                cli.main(list(words))
            except SystemExit as end:
                code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def one_line(ran: Ran, code: int = 1) -> str:
    """What a refused command says: one line on stderr, and no secret in it. An audit that cannot look ends with 2."""
    ended, out, err = ran
    assert (ended, out) == (code, "")
    (line,) = err.splitlines()
    assert line.startswith("tallywatt: ")
    assert CANARY not in line
    return line


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.GUEST])
async def test_a_token_is_one_line_and_taken_by_the_gateway(run: Run, role: Role) -> None:
    code, out, err = run("token", "--role", role.lower(), "--subject", "ada", "--minutes", "5")
    assert (code, err, out.count("\n")) == (0, "", 1)
    verifier = Verifier(Settings.from_environment())
    principal = await verifier.principal(out.strip())
    await verifier.close()
    assert (principal.role, principal.subject) == (role, "ada")


def test_a_token_lives_for_an_hour_at_most(run: Run) -> None:
    assert "at most an hour" in one_line(run("token", "--role", "driver", "--subject", "ada", "--minutes", "61"))


def test_production_issues_no_tokens(run: Run) -> None:
    line = one_line(run("token", "--role", "operator", "--subject", "olga", **PRODUCTION))
    assert "TALLYWATT_JWKS_URL" in line


def test_production_shows_no_demo(run: Run) -> None:
    assert "TALLYWATT_ENVIRONMENT is production" in one_line(run("demo", **PRODUCTION))


def test_the_demo_does_not_pay_with_a_key_of_adyens(run: Run) -> None:
    assert "ADYEN_API_KEY is set" in one_line(run("demo", ADYEN_API_KEY=CANARY))


def test_a_store_of_another_version_is_named_without_its_password(
    run: Run, postgres_url: str, postgres_server: Postgres
) -> None:
    database = postgres_url.rpartition("/")[2]
    postgres_server.sql("UPDATE alembic_version SET version_num = '9999'", database=database)
    for command in ("demo", "serve", "db upgrade"):
        line = one_line(run(*command.split(), TALLYWATT_DATABASE_URL=postgres_url, TALLYWATT_BIND_PORT="0"))
        assert "9999" in line
        assert (urlsplit(postgres_url).password or postgres_url) not in line


def test_schema_graphql_is_the_contract_that_the_code_makes(run: Run) -> None:
    code, out, err = run("schema", "export")
    assert (code, err) == (0, "")
    assert out == (ROOT / "schema.graphql").read_text(), "`make schema` writes it anew"
    assert run("schema", "export") == (code, out, err), "built again in the same process, it is the same"


def test_an_empty_store_is_audited_and_balances(run: Run, database_url: str) -> None:
    code, out, err = run("audit", TALLYWATT_DATABASE_URL=database_url)
    assert (code, err) == (0, "")
    *verdicts, last = out.splitlines()
    assert last == "The books balance."
    assert verdicts
    assert all(verdict.split()[-2:] == ["0", "sound"] for verdict in verdicts)


def test_the_store_is_brought_to_the_newest_revision_once(run: Run, tmp_path: Path) -> None:
    needed = one_line(run("audit"), code=2)
    assert "run `tallywatt db upgrade`" in needed
    assert run("db", "upgrade") == (0, "", "")
    store = tmp_path / "var" / "tallywatt.sqlite3"
    before = store.read_bytes()
    assert run("db", "upgrade") == (0, "", "")
    assert store.read_bytes() == before
    assert run("audit")[0] == 0


@pytest.mark.parametrize("command", ["audit", "db upgrade", "serve", "worker", "replay sessions.csv"])
def test_a_store_that_does_not_answer_is_told_in_one_line(run: Run, command: str) -> None:
    elsewhere = {
        "TALLYWATT_DATABASE_URL": f"postgresql://tallywatt:{CANARY}@127.0.0.1:1/tallywatt",
        "TALLYWATT_BIND_PORT": "0",
        "TALLYWATT_HEALTH_BIND": "127.0.0.1:0",
    }
    assert "TALLYWATT_DATABASE_URL" in one_line(run(*command.split(), **elsewhere), code=2 if command == "audit" else 1)


def test_settings_are_shown_and_secrets_are_not(run: Run) -> None:
    code, out, err = run("settings", **PRODUCTION)
    assert (code, err) == (0, "")
    assert CANARY not in out
    assert "ab" * 32 not in out
    shown = dict(line.split("=", 1) for line in out.splitlines())
    assert shown["TALLYWATT_PUBLIC_URL"] == "https://charging.example.com"
    assert shown["ADYEN_API_KEY"] == "**********"
    assert set(PRODUCTION) <= set(shown)


def test_bad_settings_are_all_named_in_one_line(run: Run) -> None:
    bad = {"TALLYWATT_BIND_PORT": CANARY, "TALLYWATT_DATABASE_URL": f"mysql://u:{CANARY}@h/d"}
    for command in ("serve", "worker", "demo", "audit", "settings", "db upgrade"):
        line = one_line(run(*command.split(), **bad), code=2 if command == "audit" else 1)
        assert all(name in line for name in bad)


def test_an_unknown_command_is_refused(run: Run) -> None:
    code, out, err = run("frobnicate")
    assert code != 0
    assert "frobnicate" in out + err


def test_a_draft_is_simulated_as_tables_or_as_json(run: Run, tmp_path: Path) -> None:
    assert run("db", "upgrade")[0] == 0
    assert run("onboard", str(ROOT / "docs/operator.example.json"))[0] == 0
    draft = tmp_path / "draft.json"
    element = {"price_components": [{"type": "ENERGY", "price": 0.45, "step_size": 1}]}
    draft.write_text(json.dumps({"id": "DRAFT", "currency": "EUR", "elements": [element]}))
    code, printed, _ = run(
        "simulate", "--tariff", str(draft), "--from", "2026-01-01", "--before", "2027-01-01", "--json"
    )
    report = json.loads(printed)
    assert (code, report["tariff"], report["sessions"], report["difference"]) == (0, "DRAFT", 0, {"net": 0, "gross": 0})
    code, printed, _ = run("simulate", "--tariff", str(draft), "--location", "MARKT")
    assert (code, "DRAFT on 0 sessions" in printed) == (0, True)


def test_a_draft_that_cannot_be_tried_is_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    run("db", "upgrade")
    run("onboard", str(ROOT / "docs/operator.example.json"))
    draft = tmp_path / "draft.json"
    element = {"price_components": [{"type": "ENERGY", "price": 0.45, "step_size": 1}]}
    for content, more, words in (
        ("{", (), "cannot be read"),
        ('{"id": "D", "currency": "EUR"}', (), "elements"),
        (json.dumps({"id": "D", "currency": "EUR", "elements": [element]}), ("--location", "NOWHERE"), "NOWHERE"),
    ):
        draft.write_text(content)
        code, printed, complained = run("simulate", "--tariff", str(draft), *more)
        assert (code, printed) == (1, "")
        assert words in complained
