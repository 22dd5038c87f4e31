"""A structured report as text for people, and what a document is (PS3.3 C.17.3, C.24)."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from pydicom.dataset import Dataset

from kiosk.model.relevance.picture import Asked, Picture, PictureKind

LINES, DEPTH = 2000, 24
LONGEST_LINE = 2000
PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
PACKED = 32_000_000


def text(dataset: Dataset, asked: Asked) -> Picture:
    """UTF-8: a heading, then a line for each item, deeper ones further in. A document is its title
    and how many pages it has: there is no renderer that may come along."""
    is_document = "EncapsulatedDocument" in dataset
    lines = [_of_document(dataset)] if is_document else _of_report(dataset)
    data = zlib.compress("\n".join(lines).encode()[:500_000], 1)
    return Picture(PictureKind.TEXT, asked.position, data=data)


def _of_document(dataset: Dataset) -> str:
    data = bytes(dataset.EncapsulatedDocument)
    title = str(dataset.get("DocumentTitle") or "")
    kind = str(dataset.get("MIMETypeOfEncapsulatedDocument") or "")
    pages = _pages(data) if data[:1024].find(b"%PDF-") >= 0 else 0
    said = f"PDF, {pages} page{'s' if pages != 1 else ''}" if pages else kind or "document"
    return f"{title}\n{said}".strip()


def _pages(data: bytes) -> int:
    """Page objects, those in packed object streams too (ISO 32000-1 7.5.7)."""
    count, room = len(PAGE.findall(data)), PACKED
    for found in re.finditer(rb"/ObjStm.{0,400}?stream\r?\n", data, re.DOTALL):
        inflater = zlib.decompressobj()
        try:
            packed = inflater.decompress(data[found.end() : found.end() + room], room)
        except zlib.error:
            continue
        room -= len(packed)
        count += len(PAGE.findall(packed))
        if room <= 0:
            break
    return count


def _of_report(dataset: Dataset) -> list[str]:
    found = [_meaning(dataset, "ConceptNameCodeSequence") or "Report", ""]
    for line in _items(dataset, 0):
        found.append(line[:LONGEST_LINE])
        if len(found) >= LINES:
            break
    return found


def _items(dataset: Dataset, depth: int) -> Iterator[str]:
    if depth > DEPTH:
        return
    for item in dataset.get("ContentSequence") or ():
        name, value = _meaning(item, "ConceptNameCodeSequence"), _value(item)
        if name or value:
            joined = f"{name}: {value}" if name and value else name or value
            yield "    " * depth + joined
        yield from _items(item, depth + 1)


def _meaning(item: Dataset, sequence: str) -> str:
    codes = item.get(sequence) or ()
    return str(codes[0].get("CodeMeaning") or "") if codes else ""


def _value(item: Dataset) -> str:
    for keyword in ("TextValue", "PersonName", "Date", "Time", "DateTime", "UID"):
        if (value := item.get(keyword)) not in (None, ""):
            return str(value)
    if measured := item.get("MeasuredValueSequence"):
        units = _meaning(measured[0], "MeasurementUnitsCodeSequence")
        return f"{measured[0].get('NumericValue')} {units}".strip()
    if item.get("ReferencedSOPSequence"):
        return "(image)"
    return _meaning(item, "ConceptCodeSequence")
