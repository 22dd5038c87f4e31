"""A disc or stick that goes in becomes an intake; one that comes back goes on where it was.

A drive row tells the screens how each drive is. What was pulled out too early goes on in its old
intake, from whichever drive it is in now; what was never taken out (the engine was restarted) is
not read again. Each drive has a thread of its own: one that hangs holds up no other.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from kiosk import media
from kiosk.engine.drives.trays import asked, open_trays
from kiosk.engine.parts import Site
from kiosk.engine.reaching import Place, reach
from kiosk.model.content import Finding, Severity
from kiosk.model.medium import Drive, DriveState, Medium, MediumKind
from kiosk.model.work import Event, Intake, IntakeState
from kiosk.sandbox import JobFailed
from kiosk.store import Transaction

log = logging.getLogger("kiosk.drives")

HANGS = ("drive-sick", "reader-stalled")
TAKEN_OUT = ("medium-removed", "medium-missing", "medium-swapped")
STOP_SECONDS = 5.0
NOTHING_ON_IT = Finding(
    "medium-unsupported",
    Severity.ERROR,
    detail="Nothing on this stick can be read: it is empty, or written in a way that this computer "
    "does not know. Nothing is lost: copy its files to a plain USB stick, and bring that.",
)

Safely = Callable[[Callable[[], bool]], bool]


class Drives:
    """Watches from `start` to `stop`; `tend` does what the desk and the policy ask for. `safely`
    runs a drive's work so that a defect does not end its thread; False asks for another try."""

    def __init__(self, site: Site, safely: Safely = lambda work: work()) -> None:
        self._site = site
        self._safely = safely
        self._watch: media.Watch | None = None
        self._threads: dict[str, tuple[queue.Queue[Drive | None], threading.Thread]] = {}
        self._seen_again: dict[int, tuple[Drive, Medium]] = {}  # while it was still being read

    def start(self) -> None:
        self._watch = media.watch(self._hand_over)

    def stop(self) -> None:
        if self._watch is not None:
            self._watch.stop()
        for waiting, _ in self._threads.values():
            waiting.put(None)
        for _, thread in self._threads.values():
            thread.join(STOP_SECONDS)  # one that asks a hung drive ends with the process

    def _hand_over(self, drive: Drive) -> None:
        if drive.serial not in self._threads:
            waiting: queue.Queue[Drive | None] = queue.Queue()
            thread = threading.Thread(
                target=self._follow, args=(waiting,), name=f"drive {drive.device}", daemon=True
            )
            self._threads[drive.serial] = (waiting, thread)
            thread.start()
        self._threads[drive.serial][0].put(drive)

    def _follow(self, waiting: queue.Queue[Drive | None]) -> None:
        while (drive := waiting.get()) is not None:
            while not self._safely(partial(self.changed, drive)) and waiting.empty():
                pass  # the database was busy: nothing newer is known of this drive

    def changed(self, drive: Drive) -> bool:
        """A drive changed: shown, and its medium taken in when there is a new one. Always True."""
        with self._site.store.begin() as tx:
            before = {d.serial: d for d in tx.intakes.drives(self._site.station)}
            tx.intakes.set_drive(self._site.station, drive)
            if (earlier := before.get(drive.serial)) and drive.state is not DriveState.DISC_OK:
                self._returned(tx, earlier)
        log.info("drive %s is %s", drive.device, drive.state.value)
        if drive.state is DriveState.DISC_OK:
            earlier = before.get(drive.serial)
            stayed = earlier is not None and earlier.state is DriveState.DISC_OK
            for place in (drive.device,) if drive.kind is MediumKind.OPTICAL else drive.volumes:
                self._take_in(drive, Medium(drive.kind, place), stayed)
            if drive.kind is MediumKind.USB and not drive.volumes:
                self._unreadable(Medium(drive.kind, drive.device), NOTHING_ON_IT, stayed)
        return True

    def _returned(self, tx: Transaction, was: Drive) -> None:
        """What was in the drive is in a hand again. It counts once all of it was copied: what was
        pulled out before is asked for again."""
        if was.state is not DriveState.DISC_OK:
            return
        for place in (was.device,) if was.kind is MediumKind.OPTICAL else was.volumes:
            newest = self._newest_at(tx, place)
            if newest is not None and newest.state not in (
                IntakeState.RECEIVED,
                IntakeState.FAILED,
            ):
                tx.journal.write(Event("intake.returned", intake=newest.id))

    def _take_in(self, drive: Drive, there: Medium, stayed: bool) -> None:
        try:
            medium = reach(self._site.mounts, there, self._identify)
        except JobFailed as e:
            if e.finding.code not in TAKEN_OUT:  # else it was gone before we looked
                self._unreadable(there, e.finding, stayed)
            return
        with self._site.store.begin() as tx:
            known = tx.intakes.of_medium(medium.fingerprint)
            known = tuple(i for i in known if i.station == self._site.station)
            if not known or not self._is(tx, known[0], drive, medium, stayed):
                tx.intakes.create(medium, self._site.station)

    def _identify(self, at: Place) -> Medium:
        return at.named(self._site.identify(at.path, self._site.policy.limits))

    def _unreadable(self, there: Medium, failure: Finding, stayed: bool) -> None:
        """One that stayed in is not counted again each time the engine starts."""
        with self._site.store.begin() as tx:
            newest = self._newest_at(tx, there.location)
            said = newest is not None and newest.failure == failure
            if not (stayed and said):
                tx.intakes.unreadable(there, self._site.station, failure)

    def _is(
        self, tx: Transaction, known: Intake, drive: Drive, medium: Medium, stayed: bool
    ) -> bool:
        """Whether the medium belongs to an intake that is there already."""
        if known.state is IntakeState.FAILED:
            tx.intakes.again(known.id, medium)
            return True
        if known.state is IntakeState.RECEIVED:
            self._seen_again[known.id] = (drive, medium)
            return True
        newest = self._newest_at(tx, medium.location)
        return stayed and newest is not None and newest.id == known.id

    def _newest_at(self, tx: Transaction, location: str) -> Intake | None:
        """What was last put in there."""
        station = self._site.station
        here = (i for i in tx.intakes.recent() if i.station == station)
        return next((i for i in here if i.medium.location == location), None)

    def tend(self) -> None:
        """What was written since the last time: trays to open, and media that were seen again while
        they were read."""
        events = asked(self._site)
        open_trays(self._site, events)
        for event in events:
            if event.kind in ("intake.failed", "intake.read"):
                self._go_on(event)

    def _sick_at(self, intake: int) -> None:
        """The drive in which the intake's medium lies does not answer."""
        with self._site.store.begin() as tx:
            location = tx.intakes.get(intake).medium.location
            for drive in tx.intakes.drives(self._site.station):
                if drive.device == location and drive.state is DriveState.DISC_OK:
                    sick = replace(drive, state=DriveState.SICK)
                    tx.intakes.set_drive(self._site.station, sick)

    def _go_on(self, event: Event) -> None:
        """A medium came back before its reading had noticed that it was gone: read on. It lies in
        two drives at once: the other copy is a stay of its own."""
        id = event.intake or 0
        if event.data.get("code") in HANGS:
            self._sick_at(id)
        drive, medium = self._seen_again.pop(id, (None, None))
        if drive is None or medium is None:
            return
        with self._site.store.begin() as tx:
            now = {d.serial: d for d in tx.intakes.drives(self._site.station)}.get(drive.serial)
            if now is None or (now.device, now.state) != (drive.device, DriveState.DISC_OK):
                return
            intake = tx.intakes.get(id)
            if event.kind == "intake.read" and intake.medium.location != medium.location:
                tx.intakes.create(medium, self._site.station)
            elif intake.state is IntakeState.FAILED and event.data.get("code") in TAKEN_OUT:
                tx.intakes.again(id, medium)
