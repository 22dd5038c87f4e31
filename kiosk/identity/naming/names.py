"""A person name as the matcher reads it: folded, titles and suffix lifted out, every plausible
division into family and given names.

Discs write one name in many ways (`DOE^JANE`, `Doe, Jane`, `JANE DOE` in one component), so a name
without separator has several readings and the comparison takes the one that fits best.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from kiosk.model.patient import PersonName

_MAX_TOKENS = 6  # a longer name is cut: the number of readings stays bounded
_LETTERS = str.maketrans(
    {
        "Ø": "O", "Æ": "AE", "Œ": "OE", "Ł": "L", "Đ": "D", "Ð": "D", "Þ": "TH", "ı": "I",
        "ة": "ه", "ى": "ي", "ی": "ي", "ک": "ك", "ـ": None,
        "'": None, "’": None, "ʼ": None, "`": None, "´": None, "‘": None,
    }
)  # fmt: skip
_KATAKANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
_VOICING = "\u3099\u309a"  # combining marks that change a kana, unlike an accent
_WORD = re.compile(r"[^\W_]+")
_SUFFIXES = {
    "JR": "JR", "JNR": "JR", "JUNIOR": "JR", "SR": "SR", "SNR": "SR", "SENIOR": "SR",
    "II": "II", "2ND": "II", "III": "III", "3RD": "III", "IV": "IV", "4TH": "IV",
}  # fmt: skip
_TITLES = frozenset(
    "MR MRS MS MISS MX DR PROF REV SIR DAME HERR FRAU SRA SRTA MME MLLE PHD RN DDS DMD ESQ".split()
)
_PARTICLES = frozenset(
    "DE LA LAS LOS DEL DELA DA DAS DO DOS DI DU LE VAN VON DER DEN TER TEN ZU AF AV EL AL BIN IBN"
    " BINT BEN ABU MC MAC ST SAN SANTA O Y E".split()
)
_BABY = r"(?:BABY ?(?:BOY|GIRL)?|BB|BG|NEW ?BORN(?: ?(?:BOY|GIRL))?|BOY|GIRL)"
_NEWBORN = re.compile(rf"^{_BABY}(?: ([A-D1-4]))?\b|\b{_BABY}(?: ([A-D1-4]))?$")
_PLACEHOLDERS = frozenset(
    "ANON PATIENT UNKNOWN TRAUMA EMERGENCY UNIDENTIFIED NONAME NN TEST ZZTEST ZZZTEST PHANTOM QC"
    " DEIDENTIFIED DUMMY SERVICE NOBODY XX XXX XXXX X".split()
)
_PLACEHOLDER_STEMS = ("ANONYM", "DEIDENT", "DEPERSONAL", "PSEUDONYM")


@dataclass(frozen=True, slots=True)
class Reading:
    """One division of a name. `family` holds the words without particles, `whole` all of them
    joined; the first of `given` is the given name, the others are middle names."""

    family: tuple[str, ...]
    given: tuple[str, ...]
    whole: str


@dataclass(frozen=True, slots=True)
class Name:
    """A name ready to be compared. `newborn` is the temporary name's letter (or "-") of an unnamed
    baby, "" for a named person; `placeholder` says that it names nobody."""

    readings: tuple[Reading, ...] = ()
    suffix: str = ""
    ideographic: str = ""
    newborn: str = ""
    placeholder: bool = False


@lru_cache(maxsize=1 << 16)
def fold(text: str) -> str:
    """Upper case without accents; scripts that have no case keep their letters."""
    if text.isascii():
        return text.upper().translate(_LETTERS)
    marked = unicodedata.normalize("NFKD", text.upper().translate(_LETTERS).casefold().upper())
    bare = "".join(c for c in marked if unicodedata.category(c) != "Mn" or c in _VOICING)
    return unicodedata.normalize("NFC", bare).translate(_LETTERS)


def words(text: str) -> list[str]:
    """The folded words of one component; numbers are no part of a name."""
    return [w for w in _WORD.findall(fold(text)) if not w.isdigit()]


@lru_cache(maxsize=1 << 16)
def parse(name: PersonName) -> Name:
    """Every way to read a name (PS3.5 6.2.1.1), bounded whatever the disc says."""
    family_text, given_text = _alphabetic(name)
    suffixes = [_SUFFIXES[w] for w in words(name.suffix) if w in _SUFFIXES]
    given_text, newborn = _without_newborn(given_text)
    if not given_text and not newborn:
        family_text, newborn = _without_newborn(family_text)
    family, of_family = _lift(family_text)
    given, of_given = _lift(given_text)
    suffixes += of_family + of_given
    return Name(
        readings=_readings(family, given),
        suffix=suffixes[0] if suffixes else "",
        ideographic=_ideographic(name),
        newborn=newborn,
        placeholder=_is_placeholder(family + given),
    )


def _alphabetic(name: PersonName) -> tuple[str, str]:
    """Family and given text; a lone component with a comma is `LAST, FIRST MIDDLE`."""
    given = f"{name.given} {name.middle}".strip()
    if given or "," not in name.family:
        return name.family, given
    family, _, rest = name.family.partition(",")
    return family, rest


@lru_cache(maxsize=1 << 16)
def _lift(text: str) -> tuple[list[str], list[str]]:
    """The words of a component that name the person, and the suffixes found on the way. The lists
    are kept for the next one: they are read only."""
    group = words(text)
    kept = [w for w in group if w not in _TITLES and not (w == "MD" and w != group[0])] or group
    suffixes = [_SUFFIXES[w] for w in kept[1:] if w in _SUFFIXES]
    named = [w for i, w in enumerate(kept) if i == 0 or w not in _SUFFIXES]
    return named[:_MAX_TOKENS], suffixes


@lru_cache(maxsize=1 << 16)
def _without_newborn(given: str) -> tuple[str, str]:
    """A given component without `BABYBOY B` and the like, and the letter in it: "-" when it has
    none, "" for a named person. What is left is a name of the mother."""
    plain = " ".join(_WORD.findall(fold(given)))
    found = _NEWBORN.search(plain)
    if not found:
        return given, ""
    return plain[: found.start()] + plain[found.end() :], found[1] or found[2] or "-"


def _is_placeholder(tokens: list[str]) -> bool:
    stems = [t.rstrip("0123456789") for t in tokens]
    if not any(len(t) > 1 or not t.isascii() for t in stems):
        return True
    return stems[0] in _PLACEHOLDERS or any(t.startswith(_PLACEHOLDER_STEMS) for t in stems)


def _readings(family: list[str], given: list[str]) -> tuple[Reading, ...]:
    if family and given:
        return (_reading(family, given),)
    alone = family or given
    if len(alone) < 2:
        return (_reading(alone, []),) if alone else ()
    turned = [alone[i:] + alone[:i] for i in range(len(alone))]
    lengths = range(1, min(3, len(alone) - 1) + 1)
    found = [_reading(order[:k], order[k:]) for k in lengths for order in turned]
    spelt = [r for r in found if all(len(w) > 1 for w in (*r.family, r.given[0]))]
    return tuple(spelt or found)  # a lone letter is the initial of a middle name


def _reading(family: list[str], given: list[str]) -> Reading:
    core = [w for w in family[:-1] if w not in _PARTICLES] + family[-1:]
    return Reading(tuple(core), tuple(given), "".join(family))


def _ideographic(name: PersonName) -> str:
    """The ideographic group, or an alphabetic group that is written in such characters."""
    text = name.ideographic or f"{name.family}{name.given}"
    if text.isascii():
        return ""
    plain = fold(text).translate(_KATAKANA)
    found = "".join(c for c in plain if ord(c) >= 0x3040 and c.isalpha())
    return found


@lru_cache(maxsize=1 << 16)
def sound(word: str) -> str:
    """How a word sounds, roughly, in at most five letters; equal codes are worth a closer look."""
    if not word.isascii():
        return word
    code = word
    for pattern, replacement in _SOUNDS:
        code = pattern.sub(replacement, code)
    first = "A" if code[:1] in "AEIOUY" else code[:1]
    rest = re.sub(r"[AEIOUYHW]", "", code[1:])
    return re.sub(r"(.)\1+", r"\1", first + rest)[:5]


_SOUNDS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^(?:KN|GN|PN)", "N"),
        (r"^WR", "R"),
        (r"^(?:X|PS)", "S"),
        (r"PH", "F"),
        (r"GH(?![AEIOU])", ""),
        (r"(?:SCH|SH|TCH|CH|CZ)", "5"),
        (r"(?:CK|Q|C(?=[AOULRKT]|$))", "K"),
        (r"C(?=[EIY])", "S"),
        (r"X", "KS"),
        (r"Z", "S"),
        (r"(?:TH|DT)", "T"),
        (r"(?:DG|G(?=[EIY]))", "J"),
        (r"V", "F"),
    )
)
