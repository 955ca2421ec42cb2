"""The time zone of a charging location: by its name, or guessed where a country has one clock only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from zoneinfo import ZoneInfo

from domain.tariffs.reading import Flaw, Path, refusal

UTC = ZoneInfo("UTC")
_OF_THE_MACHINE = {"localtime", "posixrules"}

# ISO 3166-1 alpha-2, alpha-3 (as `cdr_location.country` has it) and the one zone, after the tz database.
_SINGLE = """
AD AND Europe/Andorra, AE ARE Asia/Dubai, AL ALB Europe/Tirane, AM ARM Asia/Yerevan, AT AUT Europe/Vienna,
AZ AZE Asia/Baku, BA BIH Europe/Sarajevo, BE BEL Europe/Brussels, BG BGR Europe/Sofia, BH BHR Asia/Bahrain,
BY BLR Europe/Minsk, CH CHE Europe/Zurich, CO COL America/Bogota, CR CRI America/Costa_Rica, CZ CZE Europe/Prague,
DE DEU Europe/Berlin, DK DNK Europe/Copenhagen, DZ DZA Africa/Algiers, EE EST Europe/Tallinn, EG EGY Africa/Cairo,
FI FIN Europe/Helsinki, FO FRO Atlantic/Faroe, FR FRA Europe/Paris, GB GBR Europe/London, GE GEO Asia/Tbilisi,
GG GGY Europe/Guernsey, GI GIB Europe/Gibraltar, GR GRC Europe/Athens, HK HKG Asia/Hong_Kong, HR HRV Europe/Zagreb,
HU HUN Europe/Budapest, IE IRL Europe/Dublin, IL ISR Asia/Jerusalem, IM IMN Europe/Isle_of_Man, IN IND Asia/Kolkata,
IS ISL Atlantic/Reykjavik, IT ITA Europe/Rome, JE JEY Europe/Jersey, JO JOR Asia/Amman, JP JPN Asia/Tokyo,
KE KEN Africa/Nairobi, KR KOR Asia/Seoul, KW KWT Asia/Kuwait, LB LBN Asia/Beirut, LI LIE Europe/Vaduz,
LK LKA Asia/Colombo, LT LTU Europe/Vilnius, LU LUX Europe/Luxembourg, LV LVA Europe/Riga, MA MAR Africa/Casablanca,
MC MCO Europe/Monaco, MD MDA Europe/Chisinau, ME MNE Europe/Podgorica, MK MKD Europe/Skopje, MT MLT Europe/Malta,
NG NGA Africa/Lagos, NL NLD Europe/Amsterdam, NO NOR Europe/Oslo, NP NPL Asia/Kathmandu, OM OMN Asia/Muscat,
PE PER America/Lima, PH PHL Asia/Manila, PK PAK Asia/Karachi, PL POL Europe/Warsaw, QA QAT Asia/Qatar,
RO ROU Europe/Bucharest, RS SRB Europe/Belgrade, SA SAU Asia/Riyadh, SE SWE Europe/Stockholm, SG SGP Asia/Singapore,
SI SVN Europe/Ljubljana, SK SVK Europe/Bratislava, SM SMR Europe/San_Marino, TH THA Asia/Bangkok, TN TUN Africa/Tunis,
TR TUR Europe/Istanbul, TW TWN Asia/Taipei, UY URY America/Montevideo, VA VAT Europe/Vatican,
VN VNM Asia/Ho_Chi_Minh, XK XKX Europe/Belgrade, ZA ZAF Africa/Johannesburg
"""


@lru_cache(maxsize=1)
def _zones() -> Mapping[str, str]:
    rows = (row.split() for row in _SINGLE.split(","))
    return {country: zone for two, three, zone in rows for country in (two, three)}


def zone_named(name: object, path: Path = ("time_zone",)) -> ZoneInfo:
    """The zone of an IANA name. Raises `InvalidInput`: the name is no text, or no zone has it."""
    if not isinstance(name, str):
        raise refusal(Flaw.BAD_VALUE, path)
    zone = _known(name)
    if zone is None:
        raise refusal(Flaw.UNKNOWN_TIME_ZONE, path)
    return zone


def guessed_zone(record: Mapping[str, object]) -> ZoneInfo:
    """The zone of the country that a record names, if that has one clock only; else UTC."""
    location = record.get("cdr_location")
    told = [location.get("country")] if isinstance(location, Mapping) else []
    for country in (*told, record.get("country_code")):
        zone = _zones().get(country.upper()) if isinstance(country, str) else None
        if zone is not None:
            return ZoneInfo(zone)
    return UTC


@lru_cache(maxsize=512)
def _known(name: str) -> ZoneInfo | None:
    if name in _OF_THE_MACHINE:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not there; no such path; a folder
        return None
