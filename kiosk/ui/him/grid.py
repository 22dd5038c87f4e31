"""D2's table: disc, candidates with their evidence, and what will be written, row by row."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QWidget

from kiosk.desk.snapshots import (
    CandidateColumn,
    CompareSnapshot,
    Earlier,
    FieldLine,
    Mood,
    Outcome,
)
from kiosk.model.matching import Action, Evidence
from kiosk.ui.parts.cells import Button, Card, Chip, Line, Look, Marked, across, column, row
from kiosk.ui.parts.text import date_words, field_pieces, identifier_of, safe

Choose = Callable[[str], None]
REFUSE, REVOKE = "refuse:", "revoke:"  # choices about one candidate, or one earlier judgement
FULL = 15.0  # bits at which the bar of an evidence is full
LIKELY = ((0.999, "certain", Mood.GOOD), (0.9, "likely", Mood.GOOD), (0.1, "possible", Mood.CARE))


class WeightBar(QWidget):
    """How strongly a field speaks for (right, green) or against (left, red) the same person. The
    words beside it say the same."""

    def __init__(self, look: Look, weight: float, words: str) -> None:
        super().__init__()
        self._theme, self._weight = look.theme, weight
        self.setFixedSize(look.theme.px(11.0), look.theme.px(1.6))
        self.setAccessibleName(words)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        middle, tall = self.width() / 2, self.height()
        painter.fillRect(QRectF(0, 0, self.width(), tall), self._theme.colour("track"))
        share = max(-1.0, min(1.0, self._weight / FULL)) * middle
        colour = self._theme.colour("good" if share > 0 else "stop")
        painter.fillRect(QRectF(min(middle, middle + share), 0, abs(share), tall), colour)
        painter.fillRect(QRectF(middle - 1, 0, 2, tall), self._theme.colour("text"))


class CompareGrid(Card):
    """One row a field. `first` is the first candidate shown, `chosen` the decision in the making:
    a candidate's number, an action, or "" as long as none is. `choose` makes another choice."""

    choose = Signal(str)

    def __init__(
        self, look: Look, snapshot: CompareSnapshot, first: int, fit: int, chosen: str
    ) -> None:
        super().__init__(look)
        self._look, self._snapshot = look, snapshot
        self._shown = snapshot.candidates[first : first + fit]
        self._chosen = chosen
        grid = QGridLayout()
        grid.setHorizontalSpacing(look.theme.px("pad"))
        grid.setVerticalSpacing(look.theme.px("gap", 0.6))
        self._heads(grid)
        for number, (field, raw) in enumerate(snapshot.disc):
            rule = QFrame()
            rule.setProperty("role", "rule")
            grid.addWidget(rule, 2 * number + 1, 0, 1, len(self._shown) + 3)
            self._row(grid, 2 * number + 2, field, raw)
        self._others(grid, 2 * len(snapshot.disc) + 1)
        self.add(grid)

    def _heads(self, grid: QGridLayout) -> None:
        look, words = self._look, self._look.words
        top = Qt.AlignmentFlag.AlignTop
        grid.addWidget(Line(words("column.field"), "smallstrong"), 0, 0, top)
        grid.addWidget(self._disc_head(), 0, 1, top)
        for number, candidate in enumerate(self._shown):
            head = _candidate_head(look, candidate, self.choose.emit)
            grid.addWidget(head, 0, 2 + number, top)
            grid.setColumnStretch(2 + number, 5)
        last = 2 + len(self._shown)
        written = Line.wrapped(words("column.written"), "strong")
        grid.addWidget(written, 0, last, top)
        grid.setColumnStretch(1, 4)
        grid.setColumnStretch(last, 4)

    def _disc_head(self) -> QWidget:
        look, snapshot = self._look, self._snapshot
        studies, images = len(snapshot.studies), sum(s.images for s in snapshot.studies)
        facts = f"{look.words('label.studies', n=studies)}, {look.words('label.images', n=images)}"
        return _stack(Line(look.words("label.disc"), "strong"), Line(facts, "small"))

    def _row(self, grid: QGridLayout, number: int, field: str, raw: str) -> None:
        look, top = self._look, Qt.AlignmentFlag.AlignTop
        grid.addWidget(Line(look.words(f"field.{field}"), "muted"), number, 0, top)
        disc = _value(look, field, raw, ())
        grid.addWidget(disc, number, 1, top)
        for place, candidate in enumerate(self._shown):
            line = next((f for f in candidate.fields if f.field == field), None)
            if line is not None:
                grid.addWidget(_cell(look, line), number, 2 + place, top)
        grid.addWidget(self._written(field, raw), number, 2 + len(self._shown), top)

    def _others(self, grid: QGridLayout, number: int) -> None:
        """What counts beside the fields: how rare the name is, a former name, a suffix."""
        if not any(candidate.others for candidate in self._shown):
            return
        top = Qt.AlignmentFlag.AlignTop
        grid.addWidget(Line(self._look.words("field.others"), "muted"), number, 0, top)
        for place, candidate in enumerate(self._shown):
            holder = _stack()
            for evidence in candidate.others:
                holder.layout().addLayout(_evidence(self._look, evidence, ""))
            grid.addWidget(holder, number, 2 + place, top)

    def _written(self, field: str, raw: str) -> QWidget:
        """The value after the decision; what changes is marked by a word, not by colour alone."""
        look, words = self._look, self._look.words
        if not self._chosen or ":" in self._chosen:
            return Line(words("label.no-decision"), "small")
        if self._chosen == Action.NOT_OURS:
            return Line(words("label.nothing"), "muted")
        if self._chosen == Action.IMPORT_ONLY:
            made = _made_number(self._snapshot) if field == "identifier" else ""
            note = Line(words("label.changes" if made else "label.kept"), "small")
            return _stack(_value(look, field, made or raw, ()), note)
        candidate = self._snapshot.candidates[int(self._chosen) - 1]
        line = next((f for f in candidate.fields if f.field == field), None)
        if line is None or field in ("address", "telephone"):
            return Line(words("label.not-written"), "small")
        if not line.ours:  # of a name every part is replaced, of the rest what is known here
            emptied = raw and field in ("family", "given", "middle")
            return Line(words("label.nothing" if emptied else "label.unchanged"), "small")
        same = line.ours == raw
        note = Line(words("label.unchanged" if same else "label.changes"), "small")
        note.set_mood("" if same else "care")
        return _stack(_value(look, field, line.ours, ()), note)


def _made_number(snapshot: CompareSnapshot) -> str:
    """The number under which scans of nobody registered are kept."""
    return next((c.now for c in snapshot.import_only if c.keyword == "PatientID"), "")


def likelihood(look: Look, probability: float) -> tuple[str, Mood]:
    """A probability as a word: a bare score invites to trust it."""
    for least, word, mood in LIKELY:
        if probability >= least:
            return look.words(f"likely.{word}"), mood
    return look.words("likely.unlikely"), Mood.IDLE


def _candidate_head(look: Look, candidate: CandidateColumn, choose: Choose) -> QWidget:
    words = look.words
    word, mood = likelihood(look, candidate.probability)
    title = Line(words("label.candidate", n=candidate.number), "strong")
    top = across(look, title, Chip(look, mood, word), None)
    holder = _stack()
    holder.layout().addLayout(top)
    evidence = words("label.evidence", w=f"{candidate.weight:+.1f}")
    holder.layout().addWidget(Line(evidence, "small", elide=True))
    if candidate.capped_by:
        capped = words.either(f"capped.{candidate.capped_by}", candidate.capped_by)
        text = words("label.capped", why=capped)
        holder.layout().addWidget(Line.wrapped(text, "smallstrong", "care"))
    for earlier in candidate.earlier:
        holder.layout().addWidget(earlier_line(look, earlier, choose))
    for code in _flags(candidate):
        holder.layout().addWidget(Chip(look, Mood.CARE, words(f"flag.{code}")))
    if not any(earlier.against for earlier in candidate.earlier):
        refused = f"{REFUSE}{candidate.number}"
        button = Button(look, words("button.not-this"), lambda: choose(refused))
        holder.layout().addLayout(across(look, button, None))
    return holder


def earlier_line(look: Look, earlier: Earlier, choose: Choose) -> QWidget:
    """What was said before of the same foreign identity, and the way to take it back."""
    mood = "stop" if earlier.against else ""
    said = Line.wrapped(look.words.say(earlier.message), "smallstrong", mood)
    if not earlier.revocable:
        return _stack(said)
    holder = _stack(said)
    revoked = f"{REVOKE}{earlier.id}"
    back = Button(look, look.words("button.take-back"), lambda: choose(revoked))
    holder.layout().addLayout(across(look, back, None))
    return holder


def _flags(candidate: CandidateColumn) -> tuple[str, ...]:
    local = candidate.local
    flags = {
        "deceased": local.deceased,
        "multiple-birth": local.multiple_birth,
        "confidential": local.confidential,
        "former-name": bool(local.former_names),
    }
    return tuple(code for code, holds in flags.items() if holds)


def _cell(look: Look, line: FieldLine) -> QWidget:
    """The candidate's value with its marks; below it the evidence: bar, weight and words."""
    holder = _stack(_value(look, line.field, line.ours, line.ours_marks))
    if line.evidence is None:
        return holder
    mood = "stop" if line.outcome is Outcome.DIFFERENT else ""
    holder.layout().addLayout(_evidence(look, line.evidence, mood))
    return holder


def _evidence(look: Look, evidence: Evidence, mood: str) -> QHBoxLayout:
    said = look.words.either(f"evidence.{evidence.level}", evidence.words or evidence.level)
    line = row(spacing=look.theme.px("gap", 0.8))
    if evidence.weight:  # nothing said is no evidence either way
        line.addWidget(WeightBar(look, evidence.weight, f"{evidence.weight:+.1f}"))
        line.addWidget(Line(f"{evidence.weight:+.1f}", "smallstrong"))
    line.addWidget(Line(said, "small", mood, elide=True), 1)
    return line


def _value(look: Look, field: str, raw: str, marks: tuple) -> QWidget:
    if not raw:
        return Line(look.words("label.unknown"), "muted")
    return Marked(look, field_pieces(field, raw, marks, look.words.language))


def _stack(*widgets: QWidget) -> QWidget:
    holder = QWidget()
    holder.setProperty("role", "plain")
    layout = column(holder, spacing=2)
    for widget in widgets:
        layout.addWidget(widget)
    return holder


def summary(look: Look, snapshot: CompareSnapshot, chosen: str) -> str:
    """One sentence on what Decide will do, with the name and number it will be done under."""
    images = sum(study.images for study in snapshot.studies)
    if not chosen:
        return look.words("decide.choose")
    if chosen.startswith(REVOKE):
        earlier = earlier_of(snapshot, int(chosen.removeprefix(REVOKE)))
        return look.words("decide.then-revoke", said=earlier.message) if earlier else ""
    if chosen.startswith(REFUSE):
        local = snapshot.candidates[int(chosen.removeprefix(REFUSE)) - 1].local.identity
        number = identifier_of(str(local.identifier))
        return look.words("decide.then-refuse", name=local.name, id=number)
    if chosen in (Action.IMPORT_ONLY, Action.NOT_OURS):
        return look.words(f"decide.then-{chosen}", n=images)
    local = snapshot.candidates[int(chosen) - 1].local.identity
    born = date_words(local.birth_date, look.words.language) or look.words("label.unknown")
    return look.words(
        "decide.then-link",
        n=images,
        name=local.name,
        id=identifier_of(str(local.identifier)),
        born=safe(born, 24),
    )


def earlier_of(snapshot: CompareSnapshot, id: int) -> Earlier | None:
    """The earlier judgement of that id, wherever it stands."""
    everywhere = [*snapshot.earlier, *(e for c in snapshot.candidates for e in c.earlier)]
    return next((e for e in everywhere if e.id == id), None)


def minimum(look: Look) -> QSize:
    """What a candidate's column needs to be read."""
    return QSize(look.theme.px(46), 0)
