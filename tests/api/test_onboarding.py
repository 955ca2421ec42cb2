"""One file registers a business: told twice it is there once, told wrongly nothing of it is."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from api.keys import Keys
from api.onboarding import BadOnboarding, checked, onboard, read
from domain.database import Database
from tests.api.ocpi.partner import everything
from tests.domain.meters.signing import Meter
from tests.world import KEYS, OPERATOR, TARIFF, build

ROOT = Path(__file__).parents[2]
FILE: dict[str, Any] = {
    "operator": {
        "name": "Stadtwerke",
        "country_code": "DE",
        "party_id": "STW",
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "opening_hold": 2500,
    },
    "parties": [
        {
            "country_code": "DE",
            "party_id": "NEW",
            "name": "New charge points",
            "token": "a token of theirs that is long",
            "commands_url": "https://points.example/ocpi/2.2.1/commands",
            "commands_token": "a token of ours that is long",
            "tariffs": [{**TARIFF, "party_id": "NEW", "last_updated": "2026-01-01T00:00:00Z"}],
            "locations": [
                {
                    "id": "MARKT",
                    "name": "Markt",
                    "address": "Markt 1, Bonn",
                    "country": "DE",
                    "time_zone": "Europe/Berlin",
                    "evses": [
                        {
                            "uid": "1",
                            "evse_id": "DE*NEW*E1",
                            "meter_keys": [Meter().key.upper()],
                            "connectors": [
                                {
                                    "id": "1",
                                    "standard": "IEC_62196_T2",
                                    "max_electric_power": 22000,
                                    "tariff_ids": ["CITY"],
                                }
                            ],
                        }
                    ],
                }
            ],
        }
    ],
}


async def test_a_file_told_twice_is_registered_once(database: Database) -> None:
    world = await build(database)
    told = checked(FILE)
    await onboard(world.services, KEYS, OPERATOR, told)
    before = await everything(database)
    await onboard(world.services, KEYS, OPERATOR, told)
    after = await everything(database)
    assert {name: len(rows) for name, rows in after.items()} == {name: len(rows) for name, rows in before.items()}
    party = await world.services.partners.party_by_token(KEYS.token_hash("a token of theirs that is long"))
    assert party is not None
    assert party.name == "New charge points"
    assert party.commands_token_sealed is not None
    assert KEYS.open(party.commands_token_sealed) == "a token of ours that is long"
    async with database.read() as reader:
        place = await world.services.partners.charge_point_at(reader, OPERATOR, party.id, "MARKT", "1", "1")
        assert place is not None
        offer = await world.services.tariffs.offered(reader, OPERATOR, party.id, place.connector.tariff_ocpi_id)
        assert await world.services.partners.meter_keys(reader, OPERATOR, place.evse.id) == [Meter().key]
    assert offer.ocpi_id == "CITY"


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (("operator", "currency"), "XXX", "operator.currency"),
        (("operator", "time_zone"), "Mars/Olympus", "operator.time_zone"),
        (("operator", "opening_hold"), 0, "operator.opening_hold"),
        (("operator", "name"), None, "operator.name"),
        (("parties", 0, "country_code"), "deu", "parties.0.country_code"),
        (("parties", 0, "token"), "short", "parties.0.token"),
        (("parties", 0, "unknown"), "x", "parties.0.unknown"),
        (("parties", 0, "rounding"), "up", "parties.0.rounding"),
        (("parties", 0, "tolerance_minor_units"), -1, "parties.0.tolerance_minor_units"),
        (("parties", 0, "locations", 0, "evses", 0, "meter_keys"), ["00"], "evses.0.meter_keys.0"),
        (("parties", 0, "locations", 0, "evses", 0, "connectors", 0, "max_electric_power"), "x", "max_electric_power"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(path: tuple[str | int, ...], value: object, place: str) -> None:
    content: Any = copy.deepcopy(FILE)
    inner = content
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(BadOnboarding) as refusal:
        checked(content)
    assert place in str(refusal.value)
    assert "short" not in str(refusal.value).replace("shorter", "")


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"operator": ')
    for path in (broken, tmp_path / "missing.json", tmp_path):
        with pytest.raises(BadOnboarding, match="cannot be read"):
            read(path)


async def test_a_tariff_that_cannot_be_read_is_named(database: Database) -> None:
    world = await build(database)
    content = json.loads(json.dumps(FILE, default=str))
    content["parties"][0]["tariffs"][0]["elements"][0]["price_components"][0]["price"] = "many"
    with pytest.raises(BadOnboarding, match="tariff 'CITY'"):
        await onboard(world.services, Keys(b"k" * 32), OPERATOR, checked(content))


async def test_the_example_in_the_papers_can_be_registered(database: Database) -> None:
    world = await build(database)
    await onboard(world.services, KEYS, OPERATOR, read(ROOT / "docs/operator.example.json"))
    evse = await world.services.partners.evse_by_printed_id(OPERATOR, "DE*ABC*EMARKT1")
    assert evse is not None
