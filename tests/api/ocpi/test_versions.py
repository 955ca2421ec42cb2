"""What we speak, and where."""

from __future__ import annotations

from tests.api.ocpi.partner import PUBLIC_URL, Partner, change


async def test_a_partner_finds_every_module_from_the_versions(cpo: Partner) -> None:
    (version,) = (await cpo.ask("GET", "/ocpi/versions")).data
    assert version == {"version": "2.2.1", "url": f"{PUBLIC_URL}/ocpi/2.2.1"}
    details = (await cpo.ask("GET", version["url"])).data
    assert details["version"] == "2.2.1"
    urls = {(endpoint["identifier"], endpoint["role"]): endpoint["url"] for endpoint in details["endpoints"]}
    assert urls == {
        ("sessions", "RECEIVER"): f"{PUBLIC_URL}/ocpi/2.2.1/receiver/sessions",
        ("cdrs", "RECEIVER"): f"{PUBLIC_URL}/ocpi/2.2.1/receiver/cdrs",
        ("commands", "SENDER"): f"{PUBLIC_URL}/ocpi/2.2.1/sender/commands",
    }
    found = urls["sessions", "RECEIVER"]
    assert (await cpo.ask("PUT", f"{found}/DE/ABC/S-1", cpo.session())).codes == (201, 1000)
    assert (await cpo.ask("PATCH", f"{found}/DE/ABC/S-1", change("08:30:00", kwh=1))).codes == (200, 1000)
    assert (await cpo.ask("POST", urls["cdrs", "RECEIVER"], {})).codes == (200, 2001)
