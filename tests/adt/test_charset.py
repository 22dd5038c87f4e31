"""MSH-18 is a claim: the text comes out right where it can be known, and always comes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.adt.charset import decode
from tests.adt.messages import hl7, parse, patient


def named(name: str, codec: str, declared: str, default: str = "utf-8") -> str:
    raw = hl7(pid="PID|1||1^^^M||NAME^X", f18=declared).replace(b"NAME", name.encode(codec))
    names = patient(raw, default_charset=default).names
    assert isinstance(names, tuple)
    return names[0].family


@pytest.mark.parametrize(
    ("name", "codec", "declared"),
    [
        ("MÜLLER", "latin-1", "8859/1"),
        ("MÜLLER", "utf-8", "UNICODE UTF-8"),
        ("MÜLLER", "utf-8", "unicode utf-8"),
        ("ŁUKASZ", "iso8859-2", "8859/2"),
        ("ИВАНОВ", "iso8859-5", "8859/5"),
        ("ΠΑΠΑΣ", "iso8859-7", "8859/7"),
        ("山田", "iso2022_jp", "~ISO IR87"),
        ("山田", "iso2022_jp", "ASCII~ISO IR87"),
        ("王小明", "gb18030", "GB 18030-2000"),
        ("김철수", "euc_kr", "KS X 1001"),
        ("王小東", "big5", "BIG-5"),
    ],
)
def test_a_declared_character_set_is_read(name: str, codec: str, declared: str) -> None:
    assert named(name, codec, declared) == name


def test_without_a_declaration_the_feeds_own_character_set_is_read() -> None:
    assert named("MÜLLER", "latin-1", "", "iso8859-1") == "MÜLLER"
    assert named("MÜLLER", "utf-8", "", "iso8859-1") == "MÜLLER"


def test_utf_8_under_a_wrong_declaration_is_still_utf_8() -> None:
    for declared in ("8859/1", "ASCII", "wrong", ""):
        assert named("MÜLLER", "utf-8", declared) == "MÜLLER"


def test_bytes_that_fit_no_declaration_lose_no_message() -> None:
    assert named("MÜLLER", "latin-1", "UNICODE UTF-8") == "MÜLLER"
    assert named("MÜLLER", "latin-1", "ASCII", "ascii") == "MÜLLER"


def test_the_event_says_what_it_was_read_with() -> None:
    assert parse(hl7(f18="8859/1")).charset == "iso8859-1"
    assert parse(hl7().replace(b"SMITH", b"\xdc")).charset == "latin-1"


@given(st.binary(max_size=80), st.sampled_from(["", "8859/1", "UNICODE UTF-8", "ISO IR87", "x"]))
def test_any_bytes_become_text(raw: bytes, declared: str) -> None:
    text, codec = decode(raw, declared, "utf-8")
    assert isinstance(text, str)
    assert codec
