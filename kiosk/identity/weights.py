"""What each outcome of a comparison is worth, in bits: log2 of how much more often it happens when
both records are of one person than when they are of two people drawn at random.

The shares for one person were counted on labelled synthetic discs (100,000 patients, one seed, US
name mix) and rounded; those for two people follow from how many names and birth dates there are.
A site without labels starts from these. Missing is 0 everywhere: no evidence, not disagreement.
"""

from __future__ import annotations

from typing import Final

MODEL: Final = "seeded-1"

# A family name is worth 10 bits and a given name 7.5 when nothing more is known; the joint
# frequency in the index then corrects the sum (`name` in the evidence).
FAMILY_BITS: Final = 10.0
GIVEN_BITS: Final = 7.5
# The index's own counts are trusted as if that many records had been seen with typical names.
PSEUDO_RECORDS: Final = 50_000

FAMILY: Final = {
    "exact": 9.9,
    "gendered": 7.0,
    "part": 4.6,
    "one-edit": 3.8,
    "sounds-alike": 3.0,
    "truncated": 1.6,
    "one-of-two": 0.0,
    "different": -5.0,
    "missing": 0.0,
}
FAMILY_CHANGED: Final = {"F": -4.2, "M": -7.1}  # a marriage explains it for some

GIVEN: Final = {
    "exact": 7.3,
    "initial": 3.3,
    "nickname": 1.5,
    "one-edit": 1.7,
    "short-form": 0.5,
    "sounds-alike": 0.5,
    "uses-middle": -0.5,
    "crossed-initials": -2.0,
    "different": -8.0,
    "newborn": 0.0,
    "missing": 0.0,
}
# The same outcomes when the disc belongs to an unregistered twin of the candidate: twins never
# have the same given name, often alike ones.
TWIN_GIVEN: Final = {
    "exact": -5.0,
    "initial": 2.0,
    "one-edit": 2.0,
    "sounds-alike": 2.0,
    "short-form": 1.0,
}

MIDDLE: Final = {"exact": 5.5, "initial": 3.3, "similar": 2.0, "conflict": -6.0, "missing": 0.0}
SWAPPED: Final = -6.5
FORMER: Final = -2.0

BIRTH_DATE: Final = {
    "exact": 14.6,
    "day-month-swapped": 6.0,
    "one-digit": 3.2,
    "year-off": 2.0,
    "transposed": 1.0,
    "two-parts": -1.0,
    "same-year": -5.0,
    "different": -11.0,
    "missing": 0.0,
}
NEW_YEAR: Final = -4.0  # 1 January is given to people whose birthday nobody knows

SEX: Final = {"same": 1.0, "conflict": -6.5, "missing": 0.0}
SUFFIX: Final = {"same": 4.0, "conflict": -6.0, "missing": 0.0}
IDENTIFIER: Final = {"ours": 18.0, "number-only": 2.0, "contradicts": -4.0, "missing": 0.0}
ADDRESS: Final = {"same": 6.0, "different": 0.0, "missing": 0.0}
TELEPHONE: Final = {"same": 6.0, "different": 0.0, "missing": 0.0}
MOTHER: Final = {"same": 5.0, "different": 0.0, "missing": 0.0}

# Prior odds.
REGISTERED: Final = 0.85  # of the discs that reach a desk, whose owner is registered
TWINS: Final = 0.03  # of people who are a twin
DUPLICATES: Final = 0.03  # of records that have an open duplicate
PICKED: Final = 0.998  # of picks that are right (IDENTITY 3.5 assumes 0.21 % mistakes)
