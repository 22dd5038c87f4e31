"""The receipt before it is printed: the page as it will be, and its code for a phone."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from kiosk.desk.snapshots import Header, Receipt
from kiosk.ui.parts.cells import Button, Card, Line, Look, row
from kiosk.ui.parts.frame import TouchScreen
from kiosk.ui.receipt import page


class ReceiptScreen(TouchScreen):
    def draw(self, snapshot: Any) -> None:
        self._of: Header = snapshot.header
        super().draw(snapshot)

    def fill(self, body: Receipt) -> None:
        look, words = self.look, self.look.words
        self.title.setText(words("title.receipt"))
        both = row(spacing=look.theme.px("pad"))
        both.addWidget(Page(look, self._of, body), 1)
        aside = Card(look)
        aside.inside.addStretch(1)
        aside.inside.addWidget(Code(look, body), 0, Qt.AlignmentFlag.AlignHCenter)
        for text, kind in ((body.ticket, "huge"), (words("label.scan-code"), "small")):
            line = Line(text, kind) if kind == "huge" else Line.wrapped(text, kind)
            line.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            aside.add(line)
        aside.inside.addStretch(1)
        both.addWidget(aside, 1)
        self.body.addLayout(both, 1)
        back = self.button("button.back", "show-touch", icon="back")
        if body.printer:
            text = words("button.print")
            self.foot(back, main=Button(look, text, lambda: self._print(body), "main", "ticket"))
        else:
            self.foot(back)

    def _print(self, body: Receipt) -> None:
        made = page.pdf(self.look, self._of, body)
        self.ask("print-receipt", intake=body.intake, pdf=made)


class Page(QWidget):
    """The receipt as paper has it, as large as there is room."""

    def __init__(self, look: Look, header: Header, body: Receipt) -> None:
        super().__init__()
        self._rows = page.rows(look, header, body)
        self._code = page.code_of(body)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("\n".join(each.text for each in self._rows))

    def paintEvent(self, event: QPaintEvent) -> None:
        tall = page.height(self._rows, page.ROLL, 10.0)
        scale = min(self.width() / page.ROLL, self.height() / tall)
        painter = QPainter(self)
        painter.translate((self.width() - page.ROLL * scale) / 2, 0)
        painter.fillRect(0, 0, round(page.ROLL * scale), round(tall * scale), page.PAPER)
        painter.scale(scale / 10.0, scale / 10.0)
        page.paint(painter, self._rows, self._code, page.ROLL, 10.0)
        painter.end()


class Code(QWidget):
    """The QR code, black on white in every palette."""

    def __init__(self, look: Look, body: Receipt) -> None:
        super().__init__()
        self._code = page.code_of(body)
        self._size = look.theme.px(60.0)
        self.setFixedSize(QSize(self._size, self._size))
        self.setAccessibleName(look.words("label.scan-code"))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        page.paint_code(painter, self._code, 0.0, 0.0, float(self._size))
        painter.end()
