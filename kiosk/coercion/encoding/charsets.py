"""Text in a header, exactly: decoded and encoded as (0008,0005) says, or not at all (PS3.5 6.1).

pydicom replaces what it cannot convert by `?` with a warning; here that is an error.
"""

from __future__ import annotations

import re

from pydicom.charset import CODES_TO_ENCODINGS, python_encoding

UTF8 = "ISO_IR 192"
TEXT_VRS = frozenset((b"LO", b"LT", b"PN", b"SH", b"ST", b"UC", b"UT"))
_KEPT_ESCAPES = frozenset(("iso2022_jp", "iso2022_jp_2"))  # Python's codecs read these themselves
_DELIMITERS = {b"PN": rb"[\\^=]", b"LT": rb"[\r\n\f\t]", b"ST": rb"[\r\n\f\t]"}
_STANDALONE = ("ISO_IR 192", "GB18030", "GBK")


def terms(specific_character_set: bytes) -> tuple[str, ...]:
    """The defined terms in the value of (0008,0005), common misspellings put right."""
    values = specific_character_set.decode("ascii", "replace").strip(" \0").split("\\")
    found = tuple(_term(v.strip(" \0")) for v in values)
    return found[:1] if found[0] in _STANDALONE else found


def _term(stated: str) -> str:
    if stated in python_encoding or not stated:
        return stated
    match = re.fullmatch(r"ISO.?(2022)?.?(?:IR)?.?(\d{1,3})", stated.upper())
    if match is None:
        return stated
    return f"ISO 2022 IR {match[2]}" if match[1] else f"ISO_IR {match[2]}"


def _codec(term: str) -> str:
    if term in ("", "ISO_IR 6", "ISO 2022 IR 6"):
        return "ascii"
    if term not in python_encoding:
        raise UnicodeError("the character set is not known")
    return python_encoding[term]


def decode(raw: bytes, charset: tuple[str, ...], vr: bytes = b"LO") -> str:
    """The text of a value field. Raises UnicodeError when the bytes are not in `charset`."""
    if b"\x1b" not in raw:
        return raw.decode(_codec(charset[0]))
    return "".join(
        _decode_fragment(fragment, charset, vr)
        for fragment in re.findall(rb"^[^\x1b]+|\x1b[^\x1b]*", raw)
    )


def _decode_fragment(fragment: bytes, charset: tuple[str, ...], vr: bytes) -> str:
    """What stands between two escape sequences. A delimiter ends what an escape began."""
    first = _codec(charset[0])
    if not fragment.startswith(b"\x1b"):
        return fragment.decode(first)
    length = 4 if fragment[:3] in (b"\x1b$(", b"\x1b$)") else 3
    codec = CODES_TO_ENCODINGS.get(fragment[:length])
    if codec is None:
        raise UnicodeError("an escape sequence is not known")
    if codec in _KEPT_ESCAPES:
        return fragment.decode(codec)
    codec = "ascii" if fragment[:length] == b"\x1b(B" else codec
    body = fragment[length:]
    reset = re.search(_DELIMITERS.get(vr, rb"[\\]"), body)
    if reset is None:
        return body.decode(codec)
    return body[: reset.start()].decode(codec) + body[reset.start() :].decode(first)


def encode(text: str, charset: tuple[str, ...]) -> bytes:
    """The bytes of `text`. Raises UnicodeError when `charset` cannot say it without escapes."""
    jis = charset[0] in ("ISO_IR 13", "ISO 2022 IR 13")  # has an overline where ASCII has a tilde
    if text.isascii() and not (jis and "~" in text):
        return text.encode("ascii")
    if len(charset) > 1 or jis:
        raise UnicodeError("code extensions and JIS X 0201 are read, not written")
    raw = text.encode(_codec(charset[0]))
    if decode(raw, charset) != text:
        raise UnicodeError("the character set cannot say it")
    return raw


def read(raw: bytes, charset: tuple[str, ...], vr: bytes = b"LO") -> tuple[str, bool]:
    """The text, and whether it had to be guessed because the bytes are not in the declared set:
    then UTF-8 if they are that, else one character a byte (ISO_IR 100), which loses none."""
    try:
        return decode(raw, charset, vr), False
    except UnicodeError:
        pass
    try:
        return raw.decode("utf-8"), True
    except UnicodeDecodeError:
        return raw.decode("latin-1"), True
