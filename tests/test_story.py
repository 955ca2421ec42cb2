"""The whole story against started processes, over real HTTP and WebSocket: pay in, charge, be billed, complain.

Once on SQLite and once on PostgreSQL, each time in one stack: starting it costs more than all that is asked of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
import websockets

from domain.clock import ManualClock
from resolvers.nodes import global_id
from resolvers.principal import Role
from tests.people import LIVE, MONEY, PROTOCOL, REFUSED, START, STOP, TAXED, TOP_UP, Caller, Driver, gross, minor
from tests.processes import Json
from tests.stack import Stack

TOPPED_UP = 5000
ANYTHING = "query ($id: ID!) { node(id: $id) { __typename id } }"
SUBMIT = f"""mutation ($input: SubmitDisputeInput!) {{ submitDispute(input: $input) {{ __typename
  ... on Dispute {{ id revision status disputedAmount {MONEY} }} {REFUSED} }} }}"""
UPHOLD = f"""mutation ($input: UpholdDisputeInput!) {{ upholdDispute(input: $input) {{ __typename
  ... on Dispute {{ id status resolution {{ refund {MONEY} explanation }} }} {REFUSED} }} }}"""
DESK = f"""{{ supportDesk {{ disputes(first: 10, statuses: [UNDER_REVIEW]) {{ edges {{ node {{
  id revision reason statement disputedAmount {MONEY} subject {{ ... on ChargingSession {{ id }} }}
  findings {{ check favours isCertain creditable {MONEY} }} }} }} }} }} }}"""
MINE = f"{{ me {{ disputes {{ edges {{ node {{ id status resolution {{ refund {MONEY} }} }} }} }} }} }}"
REVENUE = f"""query ($from: Date!, $before: Date!) {{ operator {{
  revenue(from: $from, before: $before, currency: "EUR") {{
    totals {{ sessions energyKwh revenue {TAXED} refunded {TAXED} }}
    timeline(by: DAY) {{ figures {{ sessions revenue {TAXED} refunded {TAXED} }} }}
    locations {{ figures {{ sessions revenue {TAXED} }} }} }} }} }}"""


@dataclass
class Told:
    """What the first half of the story leaves behind for the second."""

    ada: Driver
    session: Json
    bill: int
    ids: dict[str, str] = field(default_factory=dict)


async def test_the_whole_story(database_url: str, tmp_path: Path) -> None:
    async with Stack(database_url, tmp_path) as stack:
        told = await charge(stack)
        await complain(stack, told)
        await see_the_revenue(stack, told)
        await nobody_else_sees_any_of_it(stack, told)
        await credentials_are_checked(stack, told)
        await roles_are_kept_apart(stack, told)
        audit = stack.tallywatt("audit")
        assert (audit.returncode, audit.stdout.splitlines()[-1]) == (0, "The books balance."), audit


async def charge(stack: Stack) -> Told:
    """50.00 in, a session whose cost moves before one's eyes, a bill that is the last of what was shown."""
    ada = stack.driver("ada")
    printed = stack.tallywatt("token", "--role", "driver", "--subject", "ada")
    ada.bearer = printed.stdout.strip()
    top_up = await ada.top_up(TOPPED_UP)
    assert await ada.balance("total") == TOPPED_UP

    quote = await ada.quote()
    started = await ada.start(quote)
    wallet = await ada.wallet()
    (hold,) = wallet["holds"]
    assert (hold["status"], hold["session"]["id"]) == ("OPEN", started["id"])
    assert minor(hold["amount"]) == minor(wallet["balance"]["held"]) >= minor(quote["holdAmount"]) > 0
    assert minor(wallet["balance"]["total"]) == TOPPED_UP

    async with ada.subscribed(LIVE, id=started["id"]) as feed:
        await feed.more_than(3)
        await strangers_stop_nothing(stack, ada, started, quote)
        await feed.more_than(8)
        await ada.wallet()
        stopping = await ada.stop(started)
        assert stopping["id"] == started["id"]
        final = await feed.end()
    assert feed.updates[0]["kind"] == "SNAPSHOT"
    assert {update["kind"] for update in feed.updates[1:-1]} == {"CHANGE"}
    assert final["kind"] == "FINAL"
    the_cost_moved(feed.sessions)

    session = final["session"]
    bill = gross(session["cdr"]["total"])
    assert (session["status"], session["stopReason"]) == ("COMPLETED", "DRIVER")
    assert bill == gross(session["cost"]["ifStoppedNow"]) > 0
    assert await ada.session(session) == session
    (counted,) = await stack.told_by_points()
    assert (counted["status"], Decimal(str(counted["kwh"]))) == ("COMPLETED", Decimal(session["energyKwh"]))

    assert await ada.balance() == await ada.balance("total") == TOPPED_UP - bill
    paid, charged = await ada.entries()
    assert (paid["kind"], minor(paid["amount"])) == ("TOP_UP", TOPPED_UP)
    assert paid["source"] == {"__typename": "TopUp", "id": top_up["id"]}
    assert (charged["kind"], minor(charged["amount"])) == ("SESSION_CHARGE", -bill)
    assert charged["source"] == {"__typename": "ChargingSession", "id": session["id"]}
    wallet = await ada.wallet()
    assert wallet["holds"] == []
    ids = {"ChargingSession": session["id"], "CDR": session["cdr"]["id"], "Wallet": wallet["id"]}
    return Told(ada, session, bill, ids | {"TopUp": top_up["id"], "Quote": quote["id"]})


def the_cost_moved(sessions: Sequence[Json]) -> None:
    """Every state is whole and adds up, and no state goes back behind the one before."""
    accrued = [gross(session["cost"]["accrued"]) for session in sessions]
    stopped = [gross(session["cost"]["ifStoppedNow"]) for session in sessions]
    revisions = [session["revision"] for session in sessions]
    assert accrued == sorted(accrued)
    assert revisions == sorted(set(revisions))
    assert len(set(stopped)) > 5, "the cost did not move"
    for session, earned, bill in zip(sessions, accrued, stopped, strict=True):
        assert earned <= bill
        for part in ("net", "tax", "gross"):
            lines = sum(minor(line["amount"][part]) for line in session["cost"]["lines"])
            assert lines == minor(session["cost"]["ifStoppedNow"][part])
        assert (session["cdr"] is None) == (session["status"] != "COMPLETED")


async def complain(stack: Stack, told: Told) -> None:
    """The check says that the bill is right, the agent is kind, and the driver gets a part of it back."""
    ada, support = told.ada, stack.caller(Role.SUPPORT, "sam")
    about = {"sessionId": told.session["id"]}
    words = "I think that I was charged for more than I got."
    given = {"subject": about, "reason": "WRONG_ENERGY", "statement": words}
    submitted = await ada.do(SUBMIT, idempotencyKey=uuid.uuid4().hex, **given)
    assert (submitted["__typename"], submitted["status"]) == ("Dispute", "UNDER_REVIEW"), submitted
    assert minor(submitted["disputedAmount"]) == told.bill
    assert await ada.balance() == TOPPED_UP - told.bill

    (edge,) = (await support.ask(DESK))["supportDesk"]["disputes"]["edges"]
    dispute = edge["node"]
    assert (dispute["id"], dispute["subject"]["id"]) == (submitted["id"], told.session["id"])
    assert (dispute["reason"], dispute["statement"]) == ("WRONG_ENERGY", words)
    reprice = {"check": "reprice", "favours": "BILL", "isCertain": True, "creditable": None}
    assert reprice in dispute["findings"]

    part = told.bill // 3 or 1
    verdict = {
        "idempotencyKey": uuid.uuid4().hex,
        "disputeId": dispute["id"],
        "expectedRevision": dispute["revision"],
        "refund": {"minorUnits": str(part), "currency": "EUR"},
        "explanation": "Nothing is wrong with the bill; please accept this.",
    }
    upheld = await support.do(UPHOLD, **verdict)
    assert (upheld["__typename"], upheld["status"]) == ("Dispute", "PARTLY_UPHELD"), upheld
    assert minor(upheld["resolution"]["refund"]) == part
    assert await support.do(UPHOLD, **verdict) == upheld
    (edge,) = (await ada.ask(MINE))["me"]["disputes"]["edges"]
    assert (edge["node"]["id"], minor(edge["node"]["resolution"]["refund"])) == (dispute["id"], part)

    assert await ada.balance() == await ada.balance("total") == TOPPED_UP - told.bill + part
    *_, credited = entries = await ada.entries()
    assert [entry["kind"] for entry in entries] == ["TOP_UP", "SESSION_CHARGE", "REFUND"]
    assert minor(credited["amount"]) == part
    assert credited["source"] == {"__typename": "Dispute", "id": dispute["id"]}
    told.ids["Dispute"] = dispute["id"]


async def see_the_revenue(stack: Stack, told: Told) -> None:
    today = datetime.now(UTC).date()
    days = {"from": str(today - timedelta(days=2)), "before": str(today + timedelta(days=3))}
    report = (await stack.caller(Role.OPERATOR, "olga").ask(REVENUE, **days))["operator"]["revenue"]
    totals, part = report["totals"], told.bill // 3 or 1
    assert (totals["sessions"], totals["energyKwh"]) == (1, told.session["energyKwh"])
    assert (gross(totals["revenue"]), gross(totals["refunded"])) == (told.bill, part)
    assert totals["revenue"] == told.session["cdr"]["total"]
    days_of = [day["figures"] for day in report["timeline"]]
    assert len(days_of) == 5
    assert [sum(gross(day[name]) for day in days_of) for name in ("revenue", "refunded")] == [told.bill, part]
    (place,) = report["locations"]
    assert (place["figures"]["sessions"], gross(place["figures"]["revenue"])) == (1, told.bill)


async def strangers_stop_nothing(stack: Stack, ada: Driver, session: Json, quote: Json) -> None:
    """Somebody else's running session is one that does not exist, to whoever is not concerned with it."""
    eve = stack.driver("eve")
    unknown = global_id("ChargingSession", uuid.uuid4())
    for stolen in (session["id"], unknown):
        refused = await eve.do(STOP, sessionId=stolen)
        assert (refused["__typename"], refused["code"]) == ("NotFound", "NOT_FOUND")
        async with eve.subscribed(LIVE, id=stolen) as feed:
            await feed.closed()
        assert (feed.updates, [error["extensions"]["code"] for error in feed.errors]) == ([], ["NOT_FOUND"])
    taken = await eve.do(START, idempotencyKey=uuid.uuid4().hex, quoteId=quote["id"])
    assert taken["__typename"] == "NotFound"
    assert (await ada.session(session))["status"] in {"PENDING", "CHARGING"}


async def nobody_else_sees_any_of_it(stack: Stack, told: Told) -> None:
    eve, guest = stack.driver("eve"), stack.with_bearer(None)
    for kind, owned in told.ids.items():
        assert (await told.ada.ask(ANYTHING, id=owned))["node"] == {"__typename": kind, "id": owned}
        for other in (eve, guest, stack.caller(Role.OPERATOR, "olga"), stack.caller(Role.PARTNER, "paul")):
            assert (await other.post(ANYTHING, id=owned)).json() == {"data": {"node": None}}, kind
    before = await told.ada.wallet()
    key, amount = uuid.uuid4().hex, {"minorUnits": "1000", "currency": "EUR"}
    for wallet in (told.ids["Wallet"], global_id("Wallet", uuid.uuid4())):
        given = {"walletId": wallet, "amount": amount, "returnUrl": f"{stack.public_url}/"}
        refused = await eve.do(TOP_UP, idempotencyKey=key, **given)
        assert (refused["__typename"], refused["code"]) == ("NotFound", "NOT_FOUND")
    answers = []
    for session in (told.session["id"], global_id("ChargingSession", uuid.uuid4())):
        given = {"subject": {"sessionId": session}, "reason": "OTHER", "statement": "This was not me, I believe."}
        answers.append(await eve.do(SUBMIT, idempotencyKey=key, **given))
    assert answers[0] == answers[1], "an answer tells whether somebody else's object exists"
    assert answers[0]["__typename"] == "NotFound"
    assert (await eve.ask(MINE))["me"]["disputes"]["edges"] == []
    assert (await eve.wallet())["id"] != before["id"]
    assert await told.ada.wallet() == before


async def credentials_are_checked(stack: Stack, told: Told) -> None:
    long_ago = ManualClock(datetime.now(UTC) - timedelta(hours=2))
    expired = stack.bearer(Role.DRIVER, "ada", clock=long_ago)
    head, claims, signature = stack.bearer(Role.DRIVER, "eve").split(".")
    forged = ".".join((head, told.ada.bearer.split(".")[1] if told.ada.bearer else "", signature))
    for bearer in (None, expired, "garbage", f"{head}.{claims}.", forged):
        caller = stack.with_bearer(bearer)
        answer = await caller.post("{ me { displayName wallet { id } } }")
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["extensions"]["code"]) == (401, "UNAUTHENTICATED")
        assert "data" not in answer.json()
        assert "ada" not in answer.text
        assert await closed_with(caller) == 4403
    assert (await stack.with_bearer(None).ask("{ locations { edges { node { name } } } }"))["locations"]["edges"]


async def closed_with(caller: Caller) -> int | None:
    """How a socket that presents this credential is closed."""
    credential = {} if caller.bearer is None else {"authorization": f"Bearer {caller.bearer}"}
    async with websockets.connect(caller.url.replace("http", "ws", 1) + "/graphql", subprotocols=[PROTOCOL]) as line:
        await line.send(orjson.dumps({"type": "connection_init", "payload": credential}).decode())
        with pytest.raises(websockets.ConnectionClosedError):
            await line.recv()
        return line.close_code


async def roles_are_kept_apart(stack: Stack, told: Told) -> None:
    """One field of another role refuses the whole document, and nothing of it runs."""
    ada = told.ada
    before = await ada.wallet()
    answer = await ada.post("{ me { displayName } operator { name } }")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["extensions"]["code"]) == (403, "FORBIDDEN")
    assert "data" not in answer.json()
    assert "displayName" not in answer.text

    pay = """mutation ($input: TopUpWalletInput!) { topUpWallet(input: $input) { ... on TopUp { wallet { entries {
      edges { node { source { ... on Dispute { findings { check } } } } } } } } } }"""
    amount = {"minorUnits": "1000", "currency": "EUR"}
    key, back = uuid.uuid4().hex, f"{stack.public_url}/"
    given = {"idempotencyKey": key, "walletId": before["id"], "amount": amount, "returnUrl": back}
    answer = await ada.post(pay, input=given)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["extensions"]["code"], "data" in answer.json()) == (403, "FORBIDDEN", False)
    assert (await ada.ask("{ me { wallet { pendingTopUps { id } } } }"))["me"]["wallet"]["pendingTopUps"] == []
    assert await ada.wallet() == before

    for role, query in ((Role.OPERATOR, "{ supportDesk { __typename } }"), (Role.SUPPORT, "{ me { id } }")):
        answer = await stack.caller(role, "somebody").post(query)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")
