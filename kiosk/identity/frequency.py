"""How common names and birth dates are in the index: what it is worth that they agree.

The frequency of a whole name is estimated from the other records that carry it and, as most whole
names are borne by one record only, from those that carry its family name and those that carry its
given name. Family and given names go together (origin, generation), so the product of the two is
taken several times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from kiosk.identity import odds
from kiosk.identity.blocking import (
    date_key,
    family_key,
    given_key,
    name_keys_of,
    new_year_key,
    pair_key,
)
from kiosk.identity.likeness import known_date
from kiosk.model.matching import IndexStatistics
from kiosk.model.patient import LocalPatient

# Fitted on 100,000 labelled synthetic records (seed 7, US mix): four fifths foretell the last one.
_REACH = 100_000  # records of typical names with which the index's own whole names are averaged
_TOGETHER = 4.0  # how much more often a family and a given name meet than by chance
_UNSEEN = 0.3  # bearers that a name is taken to have which no other record carries
_DAY = 3.0  # the same for a birth date
_DAYS = 29_200  # birth dates of 80 years
_RAREST = 2.0**-30
_CROWD = 30.0  # people born on 1 January with typical names, averaged with those of the index


@dataclass(frozen=True, slots=True)
class Worth:
    """Bits that a name or date adds to what such are usually worth, and how many records bear it
    (None: nobody counted them)."""

    bits: float
    bearers: int | None


def without(statistics: IndexStatistics, local: LocalPatient) -> IndexStatistics:
    """The index as it would be without a record."""
    own = name_keys_of(local)
    date = known_date(local.identity.birth_date)
    own |= {date_key(date)} if date else set()
    counts = {k: n - 1 if k in own and n > 0 else n for k, n in statistics.counts.items()}
    return IndexStatistics(statistics.size, counts)


def whole_name(
    statistics: IndexStatistics, family: str, given: str, carried: int
) -> tuple[Worth, Worth]:
    """Of a family name, and of a given name beside it. `carried` is 1 where the record compared is
    itself one of the bearers."""
    of_family = _share(statistics, family_key(family), carried, odds.FAMILY_BITS)
    of_given = _share(statistics, given_key(given), carried, odds.GIVEN_BITS)
    bearers = statistics.counts.get(pair_key(family, given), carried)
    met = max(bearers - carried, 0) + _REACH * _TOGETHER * of_family * of_given
    whole = max(met / (statistics.size + _REACH), _RAREST)
    beside = round(math.log2(of_family / whole) - odds.GIVEN_BITS, 3)
    return family_name(statistics, family, carried), Worth(beside, bearers)


def family_name(statistics: IndexStatistics, family: str, carried: int) -> Worth:
    return _alone(statistics, family_key(family), carried, odds.FAMILY_BITS)


def given_name(statistics: IndexStatistics, given: str) -> Worth:
    return _alone(statistics, given_key(given), 1, odds.GIVEN_BITS)


def birth_date(statistics: IndexStatistics, date: str) -> Worth:
    bearers = statistics.counts.get(date_key(date))
    if bearers is None:
        return Worth(0.0, None)
    share = (max(bearers - 1, 0) + _DAY) / (statistics.size + _DAY * _DAYS)
    return Worth(round(-math.log2(share * _DAYS), 3), bearers)


def new_year_name(statistics: IndexStatistics, family: str, given: str) -> Worth:
    """Of a family and a given name together, to people born on 1 January."""
    bits = 0.0
    crowd = statistics.counts.get(new_year_key())
    if not crowd:
        return Worth(0.0, None)
    for key, name, usual in (
        (family_key, family, odds.FAMILY_BITS),
        (given_key, given, odds.GIVEN_BITS),
    ):
        among = max(statistics.counts.get(new_year_key(name), 0) - 1, 0)
        usually = _share(statistics, key(name), 1, usual)
        bits -= math.log2((among + _CROWD * usually) / (crowd + _CROWD))
    return Worth(
        round(bits - odds.FAMILY_BITS - odds.GIVEN_BITS, 3),
        statistics.counts.get(new_year_key(family)),
    )


def _alone(statistics: IndexStatistics, key: str, carried: int, usual: float) -> Worth:
    bits = -math.log2(_share(statistics, key, carried, usual)) - usual
    return Worth(round(bits, 3), statistics.counts.get(key))


def _share(statistics: IndexStatistics, key: str, carried: int, usual: float) -> float:
    """The share of other records that bear a name; the usual one where nobody counted them."""
    bearers = statistics.counts.get(key)
    if bearers is None:
        return math.exp2(-usual)
    return min((max(bearers - carried, 0) + _UNSEEN) / (statistics.size + 1), 0.5)
