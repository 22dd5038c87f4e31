"""D1: the next thing that matters, on top."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from kiosk.desk.roles import Doing
from kiosk.desk.snapshots import Mood, WorklistRow, WorklistSnapshot
from kiosk.ui.him.model import COLUMNS, MOOD, SECOND, WorklistModel, matches
from kiosk.ui.parts.cells import MOOD_TOKENS, Button, Line, Look, NoticePanel, across, clear, row
from kiosk.ui.parts.frame import DeskScreen
from kiosk.ui.parts.text import moment

SENT = "sent"
WIDTHS = {
    "due": 20,
    "patient": 26,
    "reason": 24,
    "candidate": 24,
    "scans": 14,
    "site": 15,
    "owner": 14,
}


class TwoLines(QStyledItemDelegate):
    """A cell of two lines: what matters, and below it what explains it."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._theme = look.theme

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        return QSize(80, self._theme.px("base", 3.6))

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        theme = self._theme
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, theme.colour("selected"))
        painter.setPen(theme.colour("line"))
        painter.drawLine(option.rect.bottomLeft(), option.rect.bottomRight())
        pad = theme.px("gap")
        area = option.rect.adjusted(pad, 0, -pad, 0)
        mood = Mood(index.data(MOOD)) if index.data(MOOD) else None
        left = self._icon(painter, area, mood) if mood else area.left()
        first, second = index.data() or "", index.data(SECOND) or ""
        bold = index.column() < 3
        big, small = theme.font("base", bold), theme.font("small")
        tall, low = QFontMetrics(big).height(), QFontMetrics(small).height()
        top = area.top() + (area.height() - tall - (low if second else 0)) // 2
        colour = MOOD_TOKENS[mood] if mood and mood is not Mood.IDLE else "text"
        room = area.right() - left
        _draw(painter, big, theme.colour(colour), QRect(left, top, room, tall), first)
        _draw(painter, small, theme.colour("muted"), QRect(left, top + tall, room, low), second)
        painter.restore()

    def _icon(self, painter: QPainter, area: QRect, mood: Mood) -> int:
        theme = self._theme
        side = theme.px("icon", 0.9)
        name = {Mood.IDLE: "clock"}.get(mood, mood.value)
        picture = theme.pixmap(name, MOOD_TOKENS[mood], 4.1)
        top = area.top() + (area.height() - side) // 2
        painter.drawPixmap(QRect(area.left(), top, side, side), picture)
        return area.left() + side + theme.px("gap", 0.8)


def _draw(painter: QPainter, font: object, colour: object, area: QRect, text: str) -> None:
    painter.setFont(font)
    painter.setPen(colour)
    metrics = QFontMetrics(font)
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, int(Qt.AlignmentFlag.AlignVCenter), shown)


class Table(QTableView):
    """Letters belong to the screen's keys, not to a search by first letter."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.text().isprintable() and event.text().strip():
            event.ignore()
        else:
            super().keyPressEvent(event)


class WorklistScreen(DeskScreen):
    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._reason = ""
        self._snapshot: WorklistSnapshot | None = None
        self.model = WorklistModel(look)
        self.table = self._table()
        self.search = QLineEdit()
        self.search.setPlaceholderText(look.words("label.search"))
        self.search.setAccessibleName(look.words("label.search"))
        self.search.setMaximumWidth(look.theme.px(80))
        self.search.setMaxLength(64)
        self.search.textChanged.connect(self._filter)
        self._notices = row(spacing=look.theme.px("gap"))
        self._chips = row(spacing=look.theme.px("gap", 0.7))
        self.empty = Line.wrapped("", "title")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.body.addLayout(self._notices)
        self.body.addLayout(across(look, self._chips, None, self.search))
        self.body.addWidget(self.table, 1)
        self.body.addWidget(self.empty, 1)
        self._buttons()

    def _table(self) -> QTableView:
        table = Table()
        table.setModel(self.model)
        table.setItemDelegate(TwoLines(self.look))
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.setAccessibleName(self.look.words("title.worklist"))
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(self.look.theme.px("base", 3.6))
        head = table.horizontalHeader()
        head.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        head.setHighlightSections(False)
        head.setSectionsClickable(False)
        table.doubleClicked.connect(lambda index: self._open(index.row()))
        return table

    def _buttons(self) -> None:
        words = self.look.words
        self.take = Button(self.look, words("button.assign"), lambda: self._on_row("assign"))
        self.give = Button(self.look, words("button.unassign"), lambda: self._on_row("unassign"))
        self.open = Button(
            self.look,
            words("button.open-next"),
            lambda: self._open(self._current()),
            "main",
            "next",
        )
        self.main = self.open
        self.foot(self.take, self.give, main=self.open)
        self.table.selectionModel().currentRowChanged.connect(lambda *_: self._enable())

    def draw_desk(self, snapshot: WorklistSnapshot) -> None:
        look, words = self.look, self.look.words
        self._snapshot = snapshot
        self.head(words("title.worklist"), snapshot.header)
        clear(self._notices)
        for notice in snapshot.notices:
            self._notices.addWidget(NoticePanel(look, notice))
        self._draw_chips(snapshot)
        last = snapshot.last_done_at
        text = words("label.nothing-to-do")
        if last:
            text = words("label.nothing-to-do-since", t=moment(last, words.language))
        self.empty.setText(text)
        self._filter()

    def _draw_chips(self, snapshot: WorklistSnapshot) -> None:
        clear(self._chips)
        counts = (("", len(snapshot.rows)), *snapshot.counts, (SENT, len(snapshot.sent)))
        for code, count in counts:
            name = self.look.words.either(f"reason.{code}", code) if code else ""
            text = f"{name or self.look.words('label.all')}  {count}"
            chip = Button(self.look, text, lambda c=code: self._pick_reason(c), "filter")
            chip.setCheckable(True)
            chip.setChecked(code == self._reason)
            self._chips.addWidget(chip)

    def _pick_reason(self, code: str) -> None:
        self._reason = code
        if self._snapshot is not None:
            self._draw_chips(self._snapshot)
        self._filter()

    def _filter(self) -> None:
        if self._snapshot is None:
            return
        text = self.search.text().strip()
        rows = tuple(r for r in self._listed() if not text or matches(r, text))
        self.model.set_rows(rows)
        self._widths()
        nothing = not self._snapshot.rows and self._reason != SENT
        self.empty.setVisible(nothing)
        self.table.setVisible(not nothing)
        if rows and self._current() < 0:
            self.table.selectRow(0)
        self._enable()

    def _listed(self) -> tuple[WorklistRow, ...]:
        """What waits, or what waits for one reason, or what went out lately."""
        assert self._snapshot is not None
        if self._reason == SENT:
            return self._snapshot.sent
        rows = self._snapshot.rows
        return tuple(r for r in rows if not self._reason or self._reason in r.reasons)

    def _widths(self) -> None:
        """Columns by share of the width; those that say least go first where it is narrow."""
        narrow = self.width() < self.look.theme.px(330)
        self.table.setColumnHidden(COLUMNS.index("site"), narrow)
        self.table.setColumnHidden(COLUMNS.index("scans"), self.width() < self.look.theme.px(250))
        head = self.table.horizontalHeader()
        head.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        shown = [c for n, c in enumerate(COLUMNS) if not self.table.isColumnHidden(n)]
        room = self.table.viewport().width() / sum(WIDTHS[c] for c in shown)
        for name in shown:
            self.table.setColumnWidth(COLUMNS.index(name), int(WIDTHS[name] * room))

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._widths()

    def _current(self) -> int:
        index = self.table.selectionModel().currentIndex()
        return index.row() if index.isValid() else -1

    def selected(self) -> WorklistRow | None:
        number = self._current()
        return self.model.rows[number] if 0 <= number < len(self.model.rows) else None

    def _enable(self) -> None:
        assert self._snapshot is not None
        chosen = self.selected() is not None
        header = self._snapshot.header
        assign = Doing.ASSIGN in header.may
        self.take.setEnabled(chosen and assign)
        mine = chosen and self.selected().owner == header.operator  # type: ignore[union-attr]
        self.give.setEnabled(mine and assign)
        self.open.setEnabled(chosen)

    def _on_row(self, command: str) -> None:
        if (chosen := self.selected()) is not None:
            self.ask(command, case=chosen.case)

    def _open(self, number: int) -> None:
        if 0 <= number < len(self.model.rows):
            self.ask("open-case", case=self.model.rows[number].case)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """A and U assign, J and K walk, / searches (UX 9)."""
        key = event.text().lower()
        walk = {"j": 1, "k": -1}
        if key in walk:
            last = len(self.model.rows) - 1
            self.table.selectRow(min(max(self._current() + walk[key], 0), last))
        elif key == "a" and self.take.isEnabled():
            self._on_row("assign")
        elif key == "u" and self.give.isEnabled():
            self._on_row("unassign")
        elif key == "/":
            self.search.setFocus()
        else:
            super().keyPressEvent(event)
