"""Only what Adyen's own library would sign is believed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.adyen_webhooks import Rejected, Signed, verified
from tests.api.adyen_items import KEY, OTHER, item, signed

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["true", "EUR", ":"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
names = ["pspReference", "originalReference", "merchantAccountCode", "merchantReference", "eventCode", "success"]
names += ["amount", "additionalData"]


@given(anything | st.dictionaries(st.sampled_from(names), anything))
def test_verifying_returns_whatever_comes_in(found: object) -> None:
    assert isinstance(verified(found, [b"key"]), Rejected)


@given(st.fixed_dictionaries({name: st.text().filter(lambda text: ":" not in text) for name in names[:3]}), st.text())
def test_whatever_the_official_library_signs_is_verified(texts: dict[str, str], reference: str) -> None:
    found = signed(item(**texts, merchantReference=reference))
    keys = [bytes.fromhex(KEY)]
    assert isinstance(verified(found, keys), Signed)
    assert verified(found, [bytes.fromhex(OTHER)]) == verified(found, []) == Rejected("signature")
    assert verified(found | {"merchantReference": reference + "x"}, keys) == Rejected("signature")
