"""Who may ask, how much may be said, and what every answer carries."""

from __future__ import annotations

import base64

import httpx2
import structlog
from sqlalchemy import text
from starlette.applications import Starlette

from api.ocpi import routes
from api.ocpi.transport import MOST_BYTES
from domain.database import Database
from domain.ids import Ids, OperatorId
from tests.api.ocpi.partner import PUBLIC_URL, RECEIVER, Partner, Said, change, everything, raw
from tests.world import CPO_TOKEN, KEYS, OPERATOR, World, build

SESSION = f"{RECEIVER}/sessions/DE/ABC/S-1"
ENCODED = base64.b64encode(CPO_TOKEN.encode()).decode()

# --- tokens -------------------------------------------------------------------------------------------------------


RIGHT = (
    f"Token {ENCODED}",
    f"token {ENCODED}",
    f"Token  {ENCODED} ",
    f"Token {CPO_TOKEN}",
    f"Token {base64.b64encode(CPO_TOKEN.encode() + bytes([10])).decode()}",
)
WRONG = (
    "",
    "Token",
    "Token ",
    f"Bearer {ENCODED}",
    ENCODED,
    "Token nonsense",
    f"Token {ENCODED[:-2]}",
    f"Token {CPO_TOKEN} {CPO_TOKEN}",
    "Token " + base64.b64encode(b"\xff\xfe").decode(),
    "Token \u00e9",
)


async def test_a_token_opens_encoded_or_bare(http: httpx2.AsyncClient) -> None:
    for header in RIGHT:
        assert (await http.get("/ocpi/versions", headers={"Authorization": header})).status_code == 200, header


async def test_a_missing_token_opens_nothing(http: httpx2.AsyncClient, cpo: Partner, database: Database) -> None:
    before = await everything(database)
    for method in ("GET", "PUT", "PATCH"):
        said = Said(await http.request(method, SESSION, content=raw(cpo.session())))
        assert said.codes == (401, 2001)
        assert said.response.headers["www-authenticate"] == "Token"
    assert await everything(database) == before


async def test_a_wrong_token_opens_nothing(http: httpx2.AsyncClient, cpo: Partner, database: Database) -> None:
    before = await everything(database)
    for header in WRONG:
        headers = [(b"Authorization", header.encode("latin-1"))]
        for method in ("GET", "PUT", "PATCH"):
            said = Said(await http.request(method, SESSION, headers=headers, content=raw(cpo.session())))
            assert said.codes == (401, 2001), header
    assert await everything(database) == before


async def test_two_tokens_are_none(http: httpx2.AsyncClient) -> None:
    both = [("Authorization", f"Token {ENCODED}"), ("Authorization", f"Token {ENCODED}")]
    assert (await http.get("/ocpi/versions", headers=both)).status_code == 401


async def test_a_party_of_another_operator_is_nobody_here(world: World) -> None:
    other = OperatorId(Ids(world.services.clock).new())
    app = Starlette(routes=routes(world.services, other, KEYS, PUBLIC_URL))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=PUBLIC_URL) as client:
        answer = await client.get("/ocpi/versions", headers={"Authorization": f"Token {ENCODED}"})
    assert answer.status_code == 401


# --- bodies -------------------------------------------------------------------------------------------------------


NOT_JSON = (
    b"",
    b"{",
    b"{'kwh': 1}",
    b'{"kwh": 1,}',
    b'{"kwh": 1} x',
    b'{"kwh": 1, "kwh": 2}',
    b'{"a": {"b": 1, "b": 1}}',
    b'{"id": "\xff"}',
    b'{"id": "\\ud800"}',
    "{}".encode("utf-16"),
    b"\xef\xbb\xbf{}",
    b'{"a":' * 2000 + b"1" + b"}" * 2000,
    b"[" * 2000 + b"]" * 2000,
)


async def test_malformed_json_is_refused(cpo: Partner, database: Database) -> None:
    before = await everything(database)
    for body in NOT_JSON:
        said = await cpo.ask("PUT", SESSION, body)
        assert (said.codes, said.message) == ((400, 2000), "The body is not JSON."), body[:20]
    assert await everything(database) == before


async def test_json_that_is_no_object_is_refused(cpo: Partner, database: Database) -> None:
    before = await everything(database)
    for body in (b"[]", b"null", b'"ACTIVE"', b"1.5", b"true"):
        assert (await cpo.ask("PUT", SESSION, body)).codes == (400, 2001)
    assert (await cpo.ask("PUT", SESSION, b"{}")).codes == (200, 2001)
    assert await everything(database) == before


async def test_json_of_any_depth_is_read_or_refused(cpo: Partner, database: Database) -> None:
    before = await everything(database)
    for depth in range(850, 1030, 10):
        said = await cpo.ask("PUT", SESSION, b'{"a":' * depth + b"1" + b"}" * depth)
        assert said.codes in {(400, 2000), (200, 2001)}
    assert await everything(database) == before


async def test_a_body_that_is_too_large_is_not_read(cpo: Partner, database: Database) -> None:
    before = await everything(database)
    large = raw(cpo.session()) + b" " * MOST_BYTES
    assert (await cpo.ask("PUT", SESSION, large)).codes == (413, 2000)
    assert (await cpo.ask("PUT", SESSION, large, Content_Length="5")).codes == (413, 2000)
    assert await everything(database) == before
    exactly = raw(cpo.session()).ljust(MOST_BYTES)
    assert (await cpo.ask("PUT", SESSION, exactly)).codes == (201, 1000)


# --- answers ------------------------------------------------------------------------------------------------------


async def test_names_of_request_and_chain_come_back(cpo: Partner) -> None:
    said = await cpo.ask("GET", SESSION, X_Request_ID="request-1", X_Correlation_ID="chain-1")
    headers = said.response.headers
    assert (headers["x-request-id"], headers["x-correlation-id"]) == ("request-1", "chain-1")


async def test_a_name_that_is_unfit_is_replaced(http: httpx2.AsyncClient) -> None:
    for unfit in (b"", b"x" * 65, b"two words", b"\xe9"):
        given = [(b"X-Request-ID", unfit), (b"X-Correlation-ID", unfit)]
        headers = (await http.get("/ocpi/versions", headers=given)).headers
        assert headers["x-request-id"] == headers["x-correlation-id"]
        assert len(headers["x-request-id"]) == 36


async def test_a_request_without_a_name_takes_the_one_of_our_logs(http: httpx2.AsyncClient) -> None:
    with structlog.contextvars.bound_contextvars(request_id="name-of-our-logs"):
        answer = await http.get("/ocpi/versions")
    assert answer.headers["x-request-id"] == "name-of-our-logs"


async def test_routing_comes_back_swapped(cpo: Partner) -> None:
    route = {"OCPI_from_country_code": "DE", "OCPI_from_party_id": "ABC", "OCPI_to_country_code": "DE"}
    headers = (await cpo.ask("GET", SESSION, **route, OCPI_to_party_id="TWT")).response.headers
    swapped = [headers[f"ocpi-{end}-{part}"] for end in ("from", "to") for part in ("country-code", "party-id")]
    assert swapped == ["DE", "TWT", "DE", "ABC"]
    assert not [name for name in (await cpo.ask("GET", SESSION)).response.headers if name.startswith("ocpi-")]


async def test_a_posting_names_the_party_and_the_request(cpo: Partner, world: World) -> None:
    await cpo.ask("PUT", SESSION, cpo.session(), X_Request_ID="request-7")
    async with world.services.database.transaction() as tx:
        row = await tx.row(text("SELECT actor, request_id FROM ledger_posting WHERE actor LIKE 'ocpi:%'"))
    assert row is not None
    assert tuple(row.values()) == ("ocpi:DE*ABC", "request-7")


async def test_an_unknown_address_and_a_wrong_method_are_told_in_the_envelope(cpo: Partner) -> None:
    assert (await cpo.ask("GET", "/ocpi/2.2.1/receiver/cats")).codes == (404, 2000)
    assert (await cpo.ask("GET", "/ocpi/versions/")).codes == (404, 2000)
    said = await cpo.ask("DELETE", SESSION)
    assert said.codes == (405, 2000)
    assert set(said.response.headers["allow"].split(", ")) >= {"GET", "PUT", "PATCH"}
    assert (await cpo.ask("HEAD", "/ocpi/versions")).response.status_code == 200


# --- when we fail -------------------------------------------------------------------------------------------------


async def test_a_failure_of_ours_is_masked_and_logged(cpo: Partner, database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("ALTER TABLE meter_reading RENAME TO lost"))
    with structlog.testing.capture_logs() as events:
        said = await cpo.ask("PUT", SESSION, cpo.session(), X_Request_ID="request-9")
    assert said.codes == (500, 3000)
    assert said.message == "Something went wrong here; it is logged as request-9."
    (failure,) = [event for event in events if event["log_level"] == "error"]
    assert failure["request_id"] == "request-9"
    assert "meter_reading" in str(failure["exc_info"])


async def test_while_the_store_is_busy_partners_are_asked_to_come_back(postgres_url: str) -> None:
    database = Database(postgres_url, pool_size=1)
    world = await build(database)
    app = Starlette(routes=routes(world.services, OPERATOR, KEYS, PUBLIC_URL))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=PUBLIC_URL) as client:
        partner = Partner(client, "ABC", CPO_TOKEN, "LOC-1", world)
        async with database.transaction():
            said = await partner.patch(change("08:00:00"))
    await database.close()
    assert said.codes == (503, 3000)
    assert said.response.headers["retry-after"] == "1"
