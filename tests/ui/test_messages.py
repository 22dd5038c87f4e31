"""The words: short, plain, translated, and reached."""

from __future__ import annotations

import re
import string
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.desk.snapshots import Mark, say
from kiosk.model.patient import PersonName
from kiosk.ui.parts.messages import LANGUAGES, Words, entries
from kiosk.ui.parts.text import boxed, date_pieces, date_words, identifier_of, name_of, pieces, safe

ROOT = Path(__file__).resolve().parents[2]
BANNED = {
    "en": ("invalid", "failed", "error", "please wait", "soon", "some", "illegal", "abort"),
    "es": ("inválido", "error", "por favor espere", "pronto", "algunos", "ilegal"),
    "de": ("ungültig", "fehler", "bitte warten", "bald", "einige", "illegal"),
}
MAX_SENTENCES, MAX_WORDS = 3, 30


def sentences(language: str) -> list[tuple[str, str]]:
    """Every text of a language with its id, both forms of a count."""
    found = []
    for key, entry in entries(language).items():
        found += [(key, t) for t in ([entry] if isinstance(entry, str) else entry.values())]
    return found


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_short(language: str) -> None:
    """At most three sentences and thirty words."""
    for key, text in sentences(language):
        assert len(re.findall(r"[.?!](?:\s|$)", text)) <= MAX_SENTENCES, key
        assert len(text.split()) <= MAX_WORDS, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_blames_or_is_vague(language: str) -> None:
    """No "invalid", no "soon", no codes in hex."""
    for key, text in sentences(language):
        for banned in BANNED[language]:
            assert not re.search(rf"\b{banned}\b", text.lower()), f"{key}: {banned}"
        assert not re.search(r"\b0x[0-9a-f]+|\b[0-9A-F]{4}H\b", text), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_id_is_in_every_language_with_the_same_places(language: str) -> None:
    """A translation that forgets a place would hide a name or a number."""
    english, other = entries("en"), entries(language)
    assert english.keys() == other.keys()
    for key, entry in english.items():
        theirs = other[key]
        assert isinstance(entry, str) == isinstance(theirs, str), key
        forms = ("one", "other") if isinstance(entry, dict) else ("",)
        for form in forms:
            mine = entry[form] if isinstance(entry, dict) else entry
            yours = theirs[form] if isinstance(theirs, dict) else theirs
            assert places(mine) == places(yours), key


def test_every_id_that_the_program_uses_is_in_the_catalogue() -> None:
    """Literal ids in `desk` and `ui`; a missing one would be a crash in front of a patient."""
    known = entries("en").keys()
    used = set()
    for path in [*(ROOT / "kiosk/desk").rglob("*.py"), *(ROOT / "kiosk/ui").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        used |= set(re.findall(r'"(KX-\d{3})"', text))
        used |= set(re.findall(r'(?:words|say|button)\(\s*"([a-z-]+\.[A-Za-z0-9_.-]+)"', text))
    assert len(used) > 100
    assert used <= known


def test_a_count_chooses_its_form() -> None:
    """One study, two studies; none is many."""
    words = Words("en")
    assert [words("label.studies", n=n) for n in (0, 1, 2)] == ["0 studies", "1 study", "2 studies"]


def test_values_are_shown_by_their_kind() -> None:
    """Names, days, moments and words of the catalogue, each in the reader's language."""
    message = say("verdict.scans", name=PersonName("DOE", "JANE"), born=date(1962, 3, 14), n=1)
    assert Words("en").say(message) == "Scans of DOE, JANE, born 14 MAR 1962. 1 study."
    assert "14 MÄR 1962" in Words("de").say(message)
    again = say("KX-301", date=date(2026, 11, 12), state=say("stage.checked"))
    assert Words("es").say(again) == "Este disco ya se trajo el 12 NOV 2026 (Comprobado)."
    at = say("KX-402", time=datetime(2026, 11, 24, 10, 42, tzinfo=UTC))
    assert "24 NOV" in Words("en").say(at)


def test_the_pseudo_language_is_forty_percent_longer() -> None:
    """So that a text which clips in German clips in a test first."""
    plain, long = Words("en")("KX-102"), Words("en-XA")("KX-102")
    assert len(long) == len(plain) + 2 + round(len(plain) * 0.4)


@given(st.text(max_size=300))
def test_nothing_hidden_survives_in_a_shown_text(untrusted: str) -> None:
    """No control character, no direction override of theirs, at most 64 characters and ours."""
    shown = safe(untrusted)
    inner = shown.removeprefix("\u2068").removesuffix("\u2069")
    assert len(inner) <= 64
    assert not any(c in inner for c in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\x00\x07\n\r\t")
    assert len(boxed(untrusted)) == len(untrusted)


def test_right_to_left_text_is_isolated() -> None:
    """So that it cannot rearrange the sentence around it."""
    assert safe("سالم") == "\u2068سالم\u2069"
    assert safe("DOE") == "DOE"


@pytest.mark.parametrize(
    ("da", "shown"),
    [("19620314", "14 MAR 1962"), ("1962.03.14", "14 MAR 1962"), ("196203", "196203"), ("", "")],
)
def test_a_date_is_said_in_words_or_as_it_came(da: str, shown: str) -> None:
    """Never 03/04, and never a guess at what is no date."""
    assert date_words(da) == shown


def test_a_name_is_shown_as_desks_write_it() -> None:
    """Family name first; ideographs where there is nothing else."""
    assert name_of(PersonName("DOE", "JANE", "Q")) == "DOE, JANE Q"
    assert name_of(PersonName("DOE")) == "DOE"
    assert name_of(PersonName(ideographic="山田^太郎")) == "山田^太郎"


def test_a_number_is_shown_with_who_gave_it() -> None:
    """A value without its authority proves next to nothing."""
    assert identifier_of("A99^ST MARY") == "A99 (ST MARY)"
    assert identifier_of("A99") == "A99"


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=5))
def test_marked_pieces_are_the_whole_text(text: str, spans: list[tuple[int, int]]) -> None:
    """Cut at the marks, nothing lost, nothing doubled."""
    cut = pieces(text, tuple(Mark(start, length) for start, length in spans), clip=60)
    assert "".join(piece for piece, _ in cut) == boxed(text)


def test_a_differing_year_is_marked_in_the_words_of_a_date() -> None:
    """`14 MAR 1962` with the year on coloured ground."""
    assert date_pieces("19620314", (Mark(0, 4),))[-1] == ("1962", True)
    assert date_pieces("19620314", (Mark(0, 4),))[0] == ("14", False)
