"""Money: whole minor units of one ISO 4217 currency, exact, never a float."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Self

_DIGITS_0 = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_DIGITS_3 = "BHD IQD JOD KWD LYD OMR TND"
_DIGITS_2 = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP"
    " CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR"
    " JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN"
    " NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP"
    " SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW"
)
DIGITS: dict[str, int] = {
    code: digits for digits, codes in ((0, _DIGITS_0), (2, _DIGITS_2), (3, _DIGITS_3)) for code in codes.split()
}
"""Decimals of every currency we count in, after ISO 4217; a currency that is not here is not money to us."""


class MixedCurrencies(TypeError):
    """Two amounts of different currencies met in one sum: always a bug of the caller."""


def rounded(exact: Fraction | Decimal) -> int:
    """The nearest integer, halves away from zero: 2.5 -> 3, -2.5 -> -3."""
    value = Fraction(exact)
    magnitude = (abs(value) * 2 + 1) // 2
    return int(magnitude) if value >= 0 else -int(magnitude)


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount: `minor` whole units of the smallest coin of `currency`."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        assert type(self.minor) is int, "minor units are integers"
        assert self.currency in DIGITS, f"not a currency: {self.currency!r}"

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Nothing, in this currency."""
        return cls(0, currency)

    @classmethod
    def rounded(cls, major: Fraction | Decimal, currency: str) -> Self:
        """The one rounding: an exact amount of major units to the nearest coin, halves away from zero."""
        return cls(rounded(Fraction(major) * 10 ** DIGITS[currency]), currency)

    @property
    def major(self) -> Decimal:
        """Major units with exactly the decimals of the currency: `Money(1230, "EUR").major == Decimal("12.30")`."""
        return Decimal(self.minor).scaleb(-DIGITS[self.currency])

    def split(self, weights: Sequence[int | Fraction]) -> list[Money]:
        """Shares in proportion to `weights` (none negative, not all zero); they add up to this amount exactly.

        Largest remainder: each magnitude is floored, missing units go to the largest remainders (ties: the larger
        weight, then the earlier).
        """
        assert all(weight >= 0 for weight in weights), "no share is negative"
        whole = sum(Fraction(weight) for weight in weights)
        assert whole > 0, "shares need a positive weight"
        exact = [abs(self.minor) * Fraction(weight) / whole for weight in weights]
        shares = [int(value) for value in exact]
        order = sorted(range(len(exact)), key=lambda i: (shares[i] - exact[i], -Fraction(weights[i]), i))
        for i in order[: abs(self.minor) - sum(shares)]:
            shares[i] += 1
        sign = -1 if self.minor < 0 else 1
        return [Money(sign * share, self.currency) for share in shares]

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __str__(self) -> str:
        return f"{self.major} {self.currency}"

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise MixedCurrencies(f"{self} and {other}")
        return other.minor
