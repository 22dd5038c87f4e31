"""PDF: whether one may be forwarded as it is, and a plain one made of text."""

from __future__ import annotations

import re
import textwrap
import zlib
from collections.abc import Iterator

from kiosk.coercion.documents.refusal import LeftOut

_ACTIVE = re.compile(
    rb"/(JavaScript|JS|Launch|EmbeddedFiles?|RichMedia|XFA|SubmitForm|ImportData|Rendition|Movie"
    rb"|Sound|GoToE|GoToR)(?![A-Za-z0-9])"
)
_INFLATED = 16_000_000  # of what is looked into in all

COLUMNS, LINES = 90, 66
PAGES = 500


def checked(data: bytes) -> bytes:
    """`data`, when it is a whole PDF that only shows something (ISO 32000-1 12.6). Raises LeftOut.

    Names are looked for outside of streams, and in object streams, which hold objects; a name may
    be written with `#` and two digits for any letter.
    """
    if not data.startswith(b"%PDF-") or b"%%EOF" not in data[-2048:]:
        raise LeftOut("broken")
    streams = list(_streams(data))
    outside = [0, *(end for _, end in streams)]
    until = [*(start for start, _ in streams), len(data)]
    objects = b" ".join(data[a:b] for a, b in zip(outside, until, strict=True))
    if b"/Encrypt" in objects:
        raise LeftOut("locked")
    if _ACTIVE.search(_plain(objects)) or any(
        _ACTIVE.search(_plain(o)) for o in _packed(data, streams)
    ):
        raise LeftOut("active")
    return data


def _streams(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the content of each stream lies: one pass, whatever the file says."""
    at = 0
    while (found := data.find(b"stream", at)) >= 0:
        start = found + len(b"stream")
        line = data[start : start + 2]
        if not line.startswith((b"\n", b"\r\n")):
            at = start
            continue
        end = data.find(b"endstream", start)
        if end < 0:
            raise LeftOut("broken")
        yield start + line.index(b"\n") + 1, end
        at = end + len(b"endstream")


def _plain(objects: bytes) -> bytes:
    return re.sub(rb"#([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), objects)


def _packed(data: bytes, streams: list[tuple[int, int]]) -> list[bytes]:
    """What object streams hold. Raises LeftOut where that cannot be looked into."""
    found, left = [], _INFLATED
    for start, end in streams:
        if b"ObjStm" not in _plain(data[max(0, start - 400) : start].rpartition(b"obj")[2]):
            continue
        inflater = zlib.decompressobj()
        try:
            found.append(inflater.decompress(data[start:end], left) if left else b"")
        except zlib.error:
            raise LeftOut("broken") from None
        left -= len(found[-1])
        if inflater.unconsumed_tail or not left:
            raise LeftOut("too-large")
    return found


def of_text(text: str) -> bytes:
    """A PDF that shows `text` in a fixed type, page by page. Raises LeftOut for characters that
    the type does not have: nothing is shown as something else."""
    lines: list[str] = []
    for line in text.replace("\t", "    ").splitlines():
        lines += textwrap.wrap(line, COLUMNS, replace_whitespace=False) or [""]
    pages = [lines[at : at + LINES] for at in range(0, len(lines), LINES)] or [[]]
    if len(pages) > PAGES:
        raise LeftOut("too-large")
    try:
        return _document([_shown(page) for page in pages])
    except UnicodeEncodeError:
        raise LeftOut("characters") from None


def _shown(lines: list[str]) -> bytes:
    escaped = (re.sub(rb"([()\\])", rb"\\\1", line.encode("cp1252")) for line in lines)
    drawn = b"".join(b"(" + line + b") Tj T*\n" for line in escaped)
    return b"BT /F1 9 Tf 11 TL 50 790 Td\n" + drawn + b"ET"


def _document(contents: list[bytes]) -> bytes:
    """Catalog, pages, one type, and of each page itself and what it shows."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * n) for n in range(len(contents)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(contents), kids),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>",
    ]
    for n, content in enumerate(contents):
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % (5 + 2 * n)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    written, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    head = b"xref\n0 %d\n0000000000 65535 f \n" % size
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(written))
    return written + head + table + end
