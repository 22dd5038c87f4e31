"""Text as Specific Character Set says, and a visible guess where it is missing or wrong (PS3.3
C.12.1.1.2, PS3.5 6.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydicom.charset import CODES_TO_ENCODINGS, handled_encodings, python_encoding

ESCAPE = 0x1B
_FRAGMENTS = re.compile(b"(^[^\x1b]+|\x1b[^\x1b]*)", re.DOTALL)
_MULTI_BYTE = ("UTF8", "GB18030", "GBK", "euc_kr")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# PS3.5 6.1.2.5.3: code extensions are off again behind these.
_RESETS = re.compile(rb"[\\^=\r\n\f\t]")


@dataclass(frozen=True, slots=True)
class Charset:
    """The codecs to read text with. `guess` is "" while the file's declaration was believed, else
    `missing`, `unknown` or `wrong`: text beyond ASCII is then a guess and must be said."""

    codecs: tuple[str, ...] = ("ascii",)
    guess: str = ""


def charset(declared: bytes, sample: bytes, undeclared: str = "ISO_IR 100") -> Charset:
    """The character set of a data set that declares `declared` (0008,0005), tried on `sample`,
    the bytes of its texts; `undeclared` where that is nothing that fits."""
    terms = [t.strip() for t in declared.decode("latin-1").replace("\0", "").split("\\")]
    codecs = [_codec(term) for term in terms]
    plain = sample.isascii() and ESCAPE not in sample
    if None in codecs:
        return Charset(("ascii",)) if plain else _guess(sample, "unknown", undeclared)
    known = tuple(dict.fromkeys(c for c in codecs if c))
    if plain:
        return Charset(known)
    if not any(terms):
        return _guess(sample, "missing", undeclared)
    believed = Charset(known)
    if _fits(sample, believed) and not _is_really_utf8(sample, known):
        return believed
    for codec in known[1:]:  # named as an extension, used without its escape sequence
        if _fits(sample, Charset((codec, *known))):
            return Charset((codec, *known), "wrong")
    return _guess(sample, "wrong", undeclared)


def decode(raw: bytes, charset: Charset) -> str:
    """`raw` as text without padding and control characters; what no codec knows is U+FFFD."""
    if raw.isascii() and ESCAPE not in raw:
        text = raw.decode("ascii")
    else:
        text = _decode(raw, charset.codecs, "replace")
    return _CONTROL.sub("", text).strip()


def _codec(term: str) -> str | None:
    """The codec of a Defined Term, however it is written (`iso-ir 100`); None if unknown."""
    spelled = re.sub(r"[\s_-]+", " ", term.upper()).strip()
    return _TERMS.get(spelled)


_TERMS = {re.sub(r"[\s_-]+", " ", term): codec for term, codec in python_encoding.items()}
# The default repertoire is ASCII, though pydicom reads more into it.
_TERMS |= dict.fromkeys(("", "ISO IR 6", "ISO 2022 IR 6"), "ascii")
_TERMS |= {"UTF 8": "UTF8", "ISO IR 192": "UTF8", "LATIN1": "latin_1", "ISO 8859 1": "latin_1"}


def name_of(codec: str) -> str:
    """What a codec is called in DICOM, else as the site calls it."""
    return _NAMES.get(codec, codec)


_NAMES = {codec: term for term, codec in python_encoding.items() if term.startswith("ISO_IR")}
_NAMES |= {"utf-8": "UTF-8", "UTF8": "UTF-8", "latin_1": "ISO_IR 100"}


def _guess(sample: bytes, why: str, undeclared: str) -> Charset:
    """UTF-8 where the bytes are lawful UTF-8 (chance text of another set hardly ever is), else what
    the site says that undeclared text mostly is."""
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError:
        return Charset((_codec(undeclared) or undeclared,), why)
    return Charset(("utf-8",), why)


def _is_really_utf8(sample: bytes, codecs: tuple[str, ...]) -> bool:
    """Single-byte sets fit any bytes; text beyond ASCII that is lawful UTF-8 is UTF-8."""
    if ESCAPE in sample or codecs[0] in _MULTI_BYTE:
        return False
    try:
        return bool(sample.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _fits(sample: bytes, charset: Charset) -> bool:
    try:
        _decode(sample, charset.codecs, "strict")
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def _decode(raw: bytes, codecs: tuple[str, ...], errors: str) -> str:
    if ESCAPE not in raw:
        return raw.decode(codecs[0], errors)
    return "".join(_fragment(part, codecs, errors) for part in _FRAGMENTS.findall(raw))


def _fragment(part: bytes, codecs: tuple[str, ...], errors: str) -> str:
    """Text from one escape sequence to the next (ISO 2022)."""
    if part[0] != ESCAPE:
        return part.decode(codecs[0], errors)
    length = 4 if part.startswith((b"\x1b$(", b"\x1b$)")) else 3
    codec = CODES_TO_ENCODINGS.get(part[:length])
    if codec is None:
        return part[length:].decode(codecs[0], errors)
    if codec in handled_encodings:
        return part.decode(codec, errors)
    text, reset = part[length:], _RESETS.search(part, length)
    if reset is None:
        return text.decode(codec, errors)
    split = reset.start() - length
    return text[:split].decode(codec, errors) + text[split:].decode(codecs[0], errors)
