"""From bytes to text. MSH-18 (HL7 table 0211) is a claim; no message is ever lost to it."""

from __future__ import annotations

import codecs

_CODECS = {
    "ASCII": "ascii",
    "8859": "iso8859-1",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE UTF-16": "utf-16",
    "UNICODE UTF-32": "utf-32",
    "ISO IR6": "ascii",
    "ISO IR14": "iso2022_jp_3",
    "ISO IR87": "iso2022_jp_3",
    "ISO IR159": "iso2022_jp_3",
    "GB 18030-2000": "gb18030",
    "GB18030": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "BIG5": "big5",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
}
_SINGLE_BYTE = frozenset(name for name in _CODECS.values() if name.startswith("iso8859"))
_ASCII_BASED = _SINGLE_BYTE | {"", "ascii", "utf-8", "gb18030", "euc_kr", "big5"}


def codec_of(declared: str) -> str:
    """The codec for an MSH-18 value, "" for none or one that is not known."""
    return _CODECS.get(" ".join(declared.upper().split()), "")


def decode(raw: bytes, declared: str, default: str) -> tuple[str, str]:
    """The text and the codec that read it.

    Bytes above 0x7F that form valid UTF-8 are UTF-8 although a one-byte set was declared: in
    practice no other text does. What no codec reads strictly is read as Latin-1, which never
    fails; a wrong letter can be corrected, a lost message cannot."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", errors="replace"), "utf-16"
    named = codec_of(declared)
    if raw.isascii() and named in _ASCII_BASED:  # nearly every message: decided at once
        return raw.decode("ascii"), named or "ascii"
    if named in _SINGLE_BYTE or not named:
        order = ["utf-8", named, default]
    else:
        order = [named, "utf-8", default]
    for codec in order:
        text = _strictly(raw, codec)
        if text is not None:
            return text, codec
    return raw.decode("latin-1"), "latin-1"


def _strictly(raw: bytes, codec: str) -> str | None:
    if not codec:
        return None
    try:
        return raw.decode(codec)
    except (UnicodeError, LookupError):
        return None
