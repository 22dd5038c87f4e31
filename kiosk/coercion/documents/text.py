"""The words of a text, HTML or RTF file, without anything that could act."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from kiosk.coercion.documents.refusal import LeftOut

LARGEST = 200_000  # bytes: a hundred pages
_BLOCKS = frozenset(("p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "table", "title"))
_SILENT = frozenset(("script", "style", "template", "noscript", "object", "svg"))
_RTF = re.compile(r"\\([a-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-f]{2})|\\(.)|([{}])|[\r\n]+|(.)", re.S)
_SKIPPED = frozenset(("fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "themedata"))


def decoded(data: bytes) -> str:
    """UTF-8 or UTF-16 where the bytes say so or fit, else Windows' Western European."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "strict")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")


def words_of(data: bytes, kind: str) -> str:
    """The text of a `txt`, `html` or `rtf` file. Raises LeftOut."""
    if len(data) > LARGEST:
        raise LeftOut("too-large")
    try:
        text = decoded(data)
    except UnicodeDecodeError:
        raise LeftOut("characters") from None
    if kind == "html":
        reader = _Words()
        reader.feed(text)
        reader.close()
        text = re.sub(r"\n\s*\n+", "\n\n", "".join(reader.found))
    elif kind == "rtf":
        text = _of_rtf(text)
    kept = "".join(c for c in text if c.isprintable() or c in "\t\n\r\f")
    if not kept.strip():
        raise LeftOut("broken")
    return kept


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _SILENT
        if tag in _BLOCKS:
            self.found.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in _SILENT))
        if tag == "td":
            self.found.append("  ")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.found.append(re.sub(r"\s+", " ", data))


def _of_rtf(text: str) -> str:
    """RTF 1.9: groups, control words, `\\'hh` and `\\uN`; what is no text is passed over."""
    found: list[str] = []
    hidden: list[bool] = [False]
    skip = 0
    for match in _RTF.finditer(text):
        word, number, code, symbol, brace, plain = match.groups()
        if brace == "{":
            hidden.append(hidden[-1])
        elif brace == "}" and len(hidden) > 1:
            hidden.pop()
        elif word in _SKIPPED or symbol == "*":
            hidden[-1] = True
        elif hidden[-1]:
            continue
        elif word == "u" and number:
            found.append(chr(int(number) % 65536))
            skip = 1
        elif word in ("par", "line", "page", "row"):
            found.append("\n")
        elif word in ("tab", "cell"):
            found.append("\t")
        elif skip and (code or plain):
            skip -= 1  # what stands there for readers that know no Unicode
        elif code:
            found.append(bytes([int(code, 16)]).decode("cp1252", "ignore"))
        elif plain or (symbol and symbol in "\\{}~-_"):
            found.append(plain or symbol)
    return "".join(found)
