"""The receipt (UX K8, K9): what a patient takes home. It names no patient, it matches what is true
at its moment and says which moment that is."""

from __future__ import annotations

import os
import subprocess
from abc import abstractmethod
from collections.abc import Iterator

from kiosk.desk.acting import Acting
from kiosk.desk.refusal import Refused
from kiosk.desk.roles import Doing
from kiosk.desk.snapshots import (
    HimFinishes,
    Message,
    PatientLine,
    Problem,
    Receipt,
    Result,
    Stage,
    StudyLine,
    TouchSnapshot,
    say,
)
from kiosk.desk.views import touch
from kiosk.model.patient import PersonName
from kiosk.model.work import Event
from kiosk.store import Transaction

PRINT_SECONDS = 20.0
LARGEST = 5_000_000  # bytes of a page: a receipt has some kilobytes
MISSING = frozenset({"damaged", "unreadable", "unsupported", "refused"})
Ended = Result | HimFinishes | Problem


class Receipts(Acting):
    """Commands of the desk."""

    @abstractmethod
    def touch(self) -> TouchSnapshot:
        """What the front desk's screen shows now."""

    def receipt(self, intake: int) -> TouchSnapshot:
        """The receipt as long as the medium is this station's newest and nothing is asked of the
        front desk about it; then what `touch` shows."""
        self._allow(Doing.BRING)
        with self._reading() as tx:
            found = self._receipt_of(tx, intake)
        return TouchSnapshot(self._header(), found) if found else self.touch()

    def print_receipt(self, intake: int, pdf: bytes) -> None:
        """Hands a page to the print queue of the policy. Raises Refused when it does not take it:
        the number is said, so that it can be written down."""
        self._allow(Doing.BRING)
        with self._reading() as tx:
            shown = self._receipt_of(tx, intake)
        if shown is None:
            raise Refused(say("KX-161"))
        printer = self._policy.receipt.printer
        if not printer or len(pdf) > LARGEST or not _printed(printer, shown.ticket, pdf):
            raise Refused(say("KX-160", ticket=shown.ticket))
        with self._writing() as tx:
            event = Event("intake.receipt-printed", intake=intake, actor=self.operator.name)
            tx.journal.write(event)

    def _receipt_of(self, tx: Transaction, intake: int) -> Receipt | None:
        now = self._now()
        body = touch.body(tx, self._policy.site.station, now)
        if not isinstance(body, Ended) or body.intake != intake:
            return None
        link = self._policy.receipt.link.replace("{ticket}", body.ticket)
        return Receipt(
            ticket=body.ticket,
            intake=intake,
            at=now.isoformat(timespec="seconds"),
            initials=_initials(tx, intake),
            studies=_studies(body),
            lines=tuple(line for line in _lines(body) if not _names_somebody(line)),
            link=link,
            printer=bool(self._policy.receipt.printer),
            paper=self._policy.receipt.paper,
        )


def _printed(printer: str, ticket: str, pdf: bytes) -> bool:
    """Whether CUPS took it. The title is the ticket: a queue's list is for everybody to see."""
    command = ["lp", "-s", "-d", printer, "-t", ticket, "-"]
    try:
        done = subprocess.run(command, input=pdf, capture_output=True, timeout=PRINT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def printer_problem(printer: str) -> str:
    """What keeps the queue from printing, in CUPS's words; "" when nothing does."""
    for asked, well in (("-a", "accepting"), ("-p", "enabled")):
        command = ["lpstat", asked, printer]
        plain = {**os.environ, "LC_ALL": "C"}
        try:
            done = subprocess.run(
                command, env=plain, capture_output=True, text=True, timeout=PRINT_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired):
            return "CUPS does not answer."
        if done.returncode or f" not {well}" in done.stdout or well not in done.stdout:
            return " ".join((done.stdout or done.stderr).split())[:200]
    return ""


def _initials(tx: Transaction, intake: int) -> str:
    """Of the one patient on it; of several, or of nobody, none."""
    cases = tx.cases.of_intake(intake)
    if len(cases) != 1:
        return ""
    name = cases[0].stated.name
    return "".join(f"{part[0]}." for part in (name.given, name.family) if part)


def _studies(body: Ended) -> tuple[StudyLine, ...]:
    match body:
        case Result():
            return tuple(study for patient in body.patients for study in patient.studies)
        case Problem():
            return body.studies
        case _:
            return ()


def _lines(body: Ended) -> Iterator[Message]:
    """What became of it, what is missing and why, and who has the next step."""
    match body:
        case Result():
            yield body.headline.message
            yield from (notice.message for notice in body.notices)
            for part in body.left_out:
                if part.bucket in MISSING:
                    yield say("receipt.left-out", what=say(f"left.{part.bucket}", n=part.count))
            yield say("receipt.us" if _open(body.patients) else "receipt.nothing-to-do")
        case HimFinishes():
            yield say("label.safe-here", n=body.images)
            yield body.notice
            yield from (notice.message for notice in body.notices)
            yield say("receipt.us")
        case Problem():
            yield body.message
            yield from body.facts
            yield say("receipt.sender")


def _names_somebody(line: Message) -> bool:
    """What the screen tells whoever signed in (KX-105: whose scans these are) is not for paper."""
    return any(
        isinstance(value, PersonName) or (isinstance(value, Message) and _names_somebody(value))
        for value in line.values.values()
    )


def _open(patients: tuple[PatientLine, ...]) -> bool:
    """Whether any study still needs something of us."""
    return any(s.stage is not Stage.CHECKED for patient in patients for s in patient.studies)
