from __future__ import annotations

from decimal import Decimal

from simulators.ocpi_wire import authorization, encoded, opens


def test_numbers_go_out_digit_for_digit() -> None:
    assert (
        encoded({"kwh": Decimal("0.000"), "volumes": [Decimal("0.00000028")]})
        == b'{"kwh":0.000,"volumes":[0.00000028]}'
    )


def test_a_token_opens_encoded_or_bare_and_nothing_else_does() -> None:
    assert authorization("secret") == "Token c2VjcmV0"
    assert all(opens(header, "secret") for header in ("Token c2VjcmV0", "token secret"))
    assert not any(opens(header, "secret") for header in ("", "Token", "Token ", "Bearer secret", "secret", "Token öh"))
