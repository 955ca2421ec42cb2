"""The books are looked at: all agree, and whoever tampers with them is found."""

from __future__ import annotations

from sqlalchemy import text

from domain.auditing import CHECKS, audit
from domain.database import Database
from domain.ledger import REPLAYED
from tests.domain.crimes import judged
from tests.domain.sessions.stage import Stage


async def test_the_books_of_an_empty_store_agree(database: Database) -> None:
    async with database.snapshot() as reader:
        verdicts = await audit(reader)
    assert [verdict.broken for verdict in verdicts] == [None] * len(CHECKS)


TAMPERED = [
    ("postings_sum_to_zero", "UPDATE ledger_entry SET amount_minor = amount_minor * 2 WHERE account_version IS NULL"),
    ("postings_sum_to_zero", "UPDATE ledger_transfer SET amount_minor = amount_minor + 1"),
    ("postings_sum_to_zero", "DELETE FROM ledger_entry WHERE account_version IS NULL"),
    (
        "balances_are_sums",
        "UPDATE ledger_account SET balance_minor = balance_minor + 1 WHERE code = 'wallet_available'",
    ),
    ("balances_are_sums", "UPDATE ledger_entry SET balance_after_minor = balance_after_minor + 1"),
    ("balances_are_sums", "UPDATE ledger_entry SET account_version = account_version + 7"),
    ("balances_are_sums", "UPDATE ledger_account SET version = version + 1 WHERE code = 'wallet_held'"),
    ("balances_are_sums", "DELETE FROM ledger_entry WHERE account_version > 1"),
    (
        "balances_are_in_bounds",
        "UPDATE ledger_account SET floor_minor = NULL, balance_minor = -1 WHERE code = 'wallet_available'",
    ),
    (
        "balances_are_in_bounds",
        "UPDATE ledger_account SET ceiling_minor = NULL, balance_minor = 1 WHERE code = 'wallet_receivable'",
    ),
    ("transfers_keep_their_currency", "UPDATE ledger_transfer SET currency = 'SEK' WHERE leg = 1"),
    ("checkpoints_are_sums", "UPDATE ledger_checkpoint SET balance_minor = balance_minor + 1"),
    ("postings_are_caused", "DELETE FROM ledger_transfer WHERE leg = 1"),
    ("the_chain_holds", "UPDATE ledger_seal SET hash = previous_hash WHERE number = 2"),
    ("the_chain_holds", "UPDATE ledger_seal SET previous_hash = hash WHERE number = 2"),
    ("the_chain_holds", "UPDATE ledger_seal SET number = number + 10 WHERE number > 3"),
    ("the_chain_holds", "UPDATE ledger_seal SET sealed_at = (SELECT max(expires_at) FROM hold) WHERE number = 2"),
    ("the_chain_holds", "UPDATE ledger_posting SET note = 'x' WHERE kind = 'credit'"),
    ("the_chain_holds", "UPDATE ledger_entry SET amount_minor = amount_minor + 1 WHERE account_version IS NULL"),
    (
        "sessions_hold_once",
        "UPDATE hold SET status = 'open', charging_session_id = (SELECT id FROM charging_session ORDER BY id LIMIT 1)",
    ),
    ("payments_are_credited_once", "UPDATE payment SET captured_minor = captured_minor + 1"),
    ("balances_can_be_rebuilt", "UPDATE ledger_transfer SET amount_minor = amount_minor + 1"),
    ("documents_are_whole", "UPDATE document SET number = number + 10"),
    ("documents_are_whole", "UPDATE document SET content = content || ' '"),
    ("held_is_what_holds_hold", "UPDATE hold SET raised_minor = raised_minor + 1 WHERE status = 'open'"),
    ("holds_are_what_their_events_say", "UPDATE hold_event SET amount_minor = amount_minor + 1 WHERE kind = 'open'"),
    ("holds_are_what_their_events_say", "UPDATE hold_event SET amount_minor = amount_minor + 1 WHERE kind = 'capture'"),
    ("holds_are_what_their_events_say", "UPDATE hold SET version = version + 1"),
    ("holds_are_what_their_events_say", "DELETE FROM hold_event WHERE kind = 'capture'"),
    ("holds_are_what_their_events_say", "DELETE FROM hold_event"),
    ("held_promo_is_what_was_posted", "UPDATE hold SET promo_minor = promo_minor + 1"),
    ("statements_chain", "UPDATE wallet_entry SET amount_minor = amount_minor - 1"),
    ("statements_chain", "UPDATE wallet_entry SET sequence = sequence + 10 WHERE sequence > 2"),
    ("statements_chain", "DELETE FROM wallet_entry WHERE sequence = 1"),
    ("totals_are_balances", "UPDATE wallet SET total_minor = total_minor + 1"),
    ("earned_is_billed", "UPDATE cdr SET net_minor = net_minor + 1"),
    ("earned_is_billed", "UPDATE cdr SET tax_minor = tax_minor - 1 WHERE kind = 'credit'"),
    ("earned_is_billed", "DELETE FROM cdr WHERE kind <> 'original'"),
    ("earned_is_billed", "UPDATE ledger_entry SET amount_minor = amount_minor + 1 WHERE account_version IS NULL"),
    ("earned_is_billed", "UPDATE cdr SET currency = 'SEK'"),
    ("completed_is_billed", "UPDATE charging_session SET net_minor = net_minor + 1 WHERE status = 'completed'"),
    ("completed_is_billed", "UPDATE charging_session SET status = 'failed' WHERE status = 'completed'"),
    ("completed_is_billed", "UPDATE charging_session SET status = 'completed' WHERE status = 'charging'"),
    ("completed_is_billed", "UPDATE cdr SET kind = 'replacement' WHERE kind = 'original'"),
]


async def test_whoever_tampers_is_found(lived_in: Stage) -> None:
    checks = {check.__name__: check for check in (*CHECKS, *REPLAYED)}
    assert {check for check, _ in TAMPERED} == checks.keys()
    told = [(crime, (await judged(lived_in, [checks[check]], text(crime)))[0]) for check, crime in TAMPERED]
    assert [crime for crime, verdict in told if verdict.broken is None] == []
    for crime, verdict in told:
        assert verdict.broken is not None
        assert verdict.broken.expected != verdict.broken.found, crime
    await lived_in.audited()
