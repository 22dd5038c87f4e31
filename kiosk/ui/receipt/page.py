"""The receipt's page: laid out in millimetres, painted on a screen or into a PDF."""

from __future__ import annotations

from dataclasses import dataclass

import segno
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMarginsF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPageLayout, QPageSize, QPainter, QPdfWriter

from kiosk.desk.snapshots import Header, Receipt
from kiosk.ui.parts.cells import Look
from kiosk.ui.parts.text import date_words, moment, safe

INK, PAPER = QColor("#000000"), QColor("#ffffff")
MARGIN = 5.0  # mm
QR = 28.0  # mm across; a module of half a millimetre is read by any phone
QUIET = 4  # modules of white around it (ISO/IEC 18004)
ROLL, SHEET = 80.0, 120.0  # mm: the page's width, and the block's on a sheet of A4


@dataclass(frozen=True, slots=True)
class Row:
    """One paragraph: its text, height of letters in mm, bold, and room above it in mm."""

    text: str
    size: float = 3.2
    bold: bool = False
    above: float = 1.2


def rows(look: Look, header: Header, receipt: Receipt) -> list[Row]:
    """Every word of the receipt, in order. Nothing in it names a patient."""
    words = look.words
    found = [
        Row(safe(header.site, 60), 4.2, bold=True, above=0.0),
        Row(safe(header.station, 40)),
        Row(words("label.ticket"), above=3.0),
        Row(safe(receipt.ticket, 24), 7.0, bold=True, above=0.2),
        Row(words("label.as-of", t=moment(receipt.at, words.language))),
    ]
    if receipt.initials:
        found.append(Row(words("label.patient-initials", who=receipt.initials)))
    for study in receipt.studies:
        kind = words.either(f"modality.{study.modality}", study.modality or "?")
        day = date_words(study.date, words.language) if study.date else ""
        found.append(Row("  ".join(filter(None, (kind, day))), bold=True, above=2.2))
        stage = words(f"stage.{study.stage.value}")
        read = max(0, study.images - study.damaged)
        found.append(Row(words("receipt.study", n=read, m=study.images, stage=stage), above=0.3))
    found += [Row(words.say(line), above=2.2) for line in receipt.lines]
    found += [Row(words("label.take-home"), bold=True, above=2.2)]
    return [*found, Row(words("label.electronic"))]


def code_of(receipt: Receipt) -> segno.QRCode:
    """The ticket, or the site's page about it: no patient data (UX K9)."""
    return segno.make(receipt.link or receipt.ticket, error="m", micro=False)


def height(all_rows: list[Row], width: float, scale: float) -> float:
    """Of the page in mm, at `scale` dots to the millimetre."""
    return _run(None, all_rows, None, width, scale)


def paint(
    painter: QPainter, all_rows: list[Row], code: segno.QRCode, width: float, scale: float
) -> None:
    """The page from the painter's origin on, `width` mm wide."""
    _run(painter, all_rows, code, width, scale)


def _run(
    painter: QPainter | None,
    all_rows: list[Row],
    code: segno.QRCode | None,
    width: float,
    scale: float,
) -> float:
    """One walk measures and paints, so that both always agree."""
    room, at = (width - 2 * MARGIN) * scale, MARGIN * scale
    flags = int(Qt.TextFlag.TextWordWrap) | int(Qt.AlignmentFlag.AlignLeft)
    for each in all_rows:
        font = _font(each, scale)
        at += each.above * scale
        box = QFontMetricsF(font).boundingRect(QRectF(0, 0, room, 1e6), flags, each.text)
        if painter is not None:
            painter.setFont(font)
            painter.setPen(INK)
            painter.drawText(QRectF(MARGIN * scale, at, room, box.height()), flags, each.text)
        at += box.height()
    at += 3.0 * scale
    if painter is not None and code is not None:
        paint_code(painter, code, MARGIN * scale, at, QR * scale)
    return at / scale + QR + MARGIN


def _font(each: Row, scale: float) -> QFont:
    font = QFont("DejaVu Sans")
    font.setPixelSize(max(1, round(each.size * scale)))
    font.setBold(each.bold)
    return font


def paint_code(painter: QPainter, code: segno.QRCode, left: float, top: float, size: float) -> None:
    matrix = tuple(code.matrix)
    module = size / (len(matrix) + 2 * QUIET)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.fillRect(QRectF(left, top, size, size), PAPER)
    for y, line in enumerate(matrix):
        for x, dark in enumerate(line):
            if dark:
                corner = left + (x + QUIET) * module, top + (y + QUIET) * module
                painter.fillRect(QRectF(*corner, module, module).toAlignedRect(), INK)
    painter.restore()


def pdf(look: Look, header: Header, receipt: Receipt) -> bytes:
    """The page as a PDF in memory: 80 mm wide and as long as it is, or on a sheet of A4."""
    all_rows = rows(look, header, receipt)
    width = ROLL if receipt.paper == "roll" else SHEET
    held = QByteArray()
    buffer = QBuffer(held)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    writer.setTitle(receipt.ticket)
    scale = writer.resolution() / 25.4
    size = QPageSize(QPageSize.PageSizeId.A4)
    if receipt.paper == "roll":
        long = QSizeF(ROLL, height(all_rows, width, scale))
        size = QPageSize(long, QPageSize.Unit.Millimeter, "receipt", QPageSize.ExactMatch)
    writer.setPageLayout(QPageLayout(size, QPageLayout.Orientation.Portrait, QMarginsF()))
    painter = QPainter(writer)
    paint(painter, all_rows, code_of(receipt), width, scale)
    painter.end()
    buffer.close()
    return bytes(held.data())
