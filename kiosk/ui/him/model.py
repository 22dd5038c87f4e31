"""The worklist as a table model: frozen rows, diffed by key so that the selection stays."""

from __future__ import annotations

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from kiosk.desk.snapshots import Mood, WorklistRow
from kiosk.ui.parts.cells import Look
from kiosk.ui.parts.text import date_words, moment, name_of, safe, who

COLUMNS = ("due", "patient", "reason", "candidate", "scans", "site", "owner")
SECOND = Qt.ItemDataRole.UserRole + 1
MOOD = Qt.ItemDataRole.UserRole + 2
ROW = Qt.ItemDataRole.UserRole + 3
Index = QModelIndex | QPersistentModelIndex


def due_mood(minutes: int) -> Mood:
    if minutes < 0:
        return Mood.STOP
    return Mood.CARE if minutes <= 60 else Mood.IDLE


def due_words(look: Look, due_minutes: int, appointment: str = "") -> str:
    """`Clinic in 12 min`, `Late by 2 h`, `Due in 3 h`."""
    minutes = abs(due_minutes)
    span = look.words("span.minutes", n=minutes)
    if minutes >= 90:
        span = look.words("span.hours", n=round(minutes / 60))
    if due_minutes < 0:
        return look.words("due.late", span=span)
    return look.words("due.clinic" if appointment else "due.in", span=span)


class WorklistModel(QAbstractTableModel):
    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self.rows: list[WorklistRow] = []

    def set_rows(self, new: tuple[WorklistRow, ...]) -> None:
        """Removes, moves, inserts and changes what differs, and nothing else: a row keeps its
        identity (its case) and with it the selection."""
        wanted = {row.case for row in new}
        for number in range(len(self.rows) - 1, -1, -1):
            if self.rows[number].case not in wanted:
                self.beginRemoveRows(QModelIndex(), number, number)
                del self.rows[number]
                self.endRemoveRows()
        for number, row in enumerate(new):
            self._place(number, row)

    def _place(self, number: int, row: WorklistRow) -> None:
        here = next((i for i, old in enumerate(self.rows) if old.case == row.case), -1)
        if here < 0:
            self.beginInsertRows(QModelIndex(), number, number)
            self.rows.insert(number, row)
            self.endInsertRows()
            return
        if here != number:
            self.beginMoveRows(QModelIndex(), here, here, QModelIndex(), number)
            self.rows.insert(number, self.rows.pop(here))
            self.endMoveRows()
        if self.rows[number] != row:
            self.rows[number] = row
            last = self.index(number, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(number, 0), last)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if role != Qt.ItemDataRole.DisplayRole or orientation != Qt.Orientation.Horizontal:
            return None
        return self._look.words(f"column.{COLUMNS[section]}")

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row, column = self.rows[index.row()], COLUMNS[index.column()]
        first, second, mood = getattr(self, f"_{column}")(row)
        if role == Qt.ItemDataRole.DisplayRole:
            return first
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{first}, {second}" if second else first
        return {SECOND: second, MOOD: mood, ROW: row}.get(Qt.ItemDataRole(role))

    def _due(self, row: WorklistRow) -> tuple[str, str, Mood | None]:
        if not row.due_at:  # it went out
            return "–", row.ticket, None
        due = due_words(self._look, row.due_minutes, row.appointment)
        return due, row.ticket, due_mood(row.due_minutes)

    def _patient(self, row: WorklistRow) -> tuple[str, str, Mood | None]:
        born = date_words(row.stated.birth_date, self._look.words.language)
        second = "  ·  ".join(part for part in (born, safe(row.stated.sex, 8)) if part)
        return who(row.stated) or self._look.words("label.no-name"), second, None

    def _reason(self, row: WorklistRow) -> tuple[str, str, Mood | None]:
        said = [self._look.words.either(f"reason.{code}", code) for code in row.reasons]
        return (said or [""])[0], "  ·  ".join(said[1:]), Mood.CARE

    def _candidate(self, row: WorklistRow) -> tuple[str, str, Mood | None]:
        words = self._look.words
        if not row.due_at and row.chosen is not None:
            return who(row.chosen), safe(str(row.chosen.identifier), 32), None
        if row.chosen is not None:
            return who(row.chosen), words("label.picked-at-desk"), None
        if not row.candidates:
            return "–", words("label.no-candidate"), None
        from_pn = safe(row.best.split("=")[0].replace("^", ", ", 1).replace("^", " ").strip())
        return from_pn, words("label.candidates", n=row.candidates), None

    def _scans(self, row: WorklistRow) -> tuple[str, str, Mood | None]:
        words = self._look.words
        return words("label.studies", n=row.studies), words("label.images", n=row.images), None

    def _site(self, row: WorklistRow) -> tuple[str, str, Mood | None]:
        received = moment(row.created_at, self._look.words.language) if row.created_at else ""
        return safe(row.station, 20), received, None

    def _owner(self, row: WorklistRow) -> tuple[str, str, Mood | None]:
        return (safe(row.owner, 20), "", None) if row.owner else ("–", "", None)


def matches(row: WorklistRow, text: str) -> bool:
    """Whether a search text occurs in what the row shows."""
    shown = " ".join(
        (
            row.ticket,
            name_of(row.stated.name),
            row.best.replace("^", " "),
            row.station,
            row.owner,
            *(str(i) for i in row.stated.identifiers),
        )
    )
    return text.casefold() in shown.casefold()
