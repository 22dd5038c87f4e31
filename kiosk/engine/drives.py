"""The optical drives: a disc that goes in becomes an intake, a drive that is asked to open opens.

A drive row tells the screens how each drive is. A disc that comes back after it was pulled out too
early goes on in its old intake; one that was never taken out (the engine was restarted) is not
read again.
"""

from __future__ import annotations

import logging
from pathlib import Path

from kiosk import media
from kiosk.engine.parts import Site
from kiosk.model.medium import Drive, DriveState, Medium
from kiosk.model.work import Event, Intake, IntakeState
from kiosk.sandbox import JobFailed
from kiosk.store import Transaction

log = logging.getLogger("kiosk.drives")

EJECT_ASKED = "drive.eject-asked"  # written by the desk: the hands on the hardware are ours
MARK = "eject requests seen"


class Drives:
    """Watches from `start` to `stop`; `tend` does what the desk and the policy ask for."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._watch: media.Watch | None = None

    def start(self) -> None:
        self._watch = media.watch(self.changed)

    def stop(self) -> None:
        if self._watch is not None:
            self._watch.stop()

    def changed(self, drive: Drive) -> None:
        """A drive changed: shown, and its disc taken in when there is a new one."""
        with self._site.store.begin() as tx:
            before = {d.serial: d for d in tx.intakes.drives(self._site.station)}
            tx.intakes.set_drive(self._site.station, drive)
        log.info("drive %s is %s", drive.device, drive.state.value)
        if drive.state is DriveState.DISC_OK:
            stayed = drive.serial in before and before[drive.serial].state is DriveState.DISC_OK
            self._take_in(drive, stayed)

    def _take_in(self, drive: Drive, stayed: bool) -> None:
        try:
            medium = self._site.identify(Path(drive.device), self._site.policy.limits)
        except JobFailed as e:
            if e.finding.code == "medium-missing":
                return  # gone again before we looked
            failure = e.finding
            with self._site.store.begin() as tx:
                tx.intakes.unreadable(drive, self._site.station, failure)
            return
        with self._site.store.begin() as tx:
            known = tx.intakes.of_medium(medium.fingerprint)
            if known and known[0].station == self._site.station and self._is(tx, known[0], stayed):
                return
            tx.intakes.create(medium, self._site.station)

    def _is(self, tx: Transaction, known: Intake, stayed: bool) -> bool:
        """Whether the disc belongs to an intake that is there already."""
        if known.state is IntakeState.FAILED:
            tx.intakes.again(known.id)
            return True
        return known.state is IntakeState.RECEIVED or stayed

    def tend(self) -> None:
        """Opens the drives that were asked for since the last time, and those whose disc is
        copied, if the policy says so."""
        for device in self._asked():
            self._open(device)

    def _asked(self) -> list[str]:
        wanted = {EJECT_ASKED}
        if self._site.policy.media.eject_when_copied:
            wanted.add("intake.read")
        with self._site.store.read() as tx:
            if tx.mark(self._site.station, MARK) == tx.journal.last_id():
                return []
        with self._site.store.begin() as tx:
            last = tx.mark(self._site.station, MARK)
            events = tx.journal.since(last)
            tx.set_mark(self._site.station, MARK, events[-1].id)
            asked = [e for e in events if e.kind in wanted]
            devices = [device for e in asked if (device := self._device(tx, e))]
        return list(dict.fromkeys(devices))

    def _device(self, tx: Transaction, event: Event) -> str:
        """The device node, if it is one of ours: a request from elsewhere opens nothing here."""
        if event.kind == EJECT_ASKED:
            device = str(event.data.get("device", ""))
        else:
            medium: Medium = tx.intakes.get(event.intake or 0).medium
            device = medium.location
        return device if device in {d.device for d in tx.intakes.drives(self._site.station)} else ""

    def _open(self, device: str) -> None:
        try:
            media.eject(device)
        except media.MediaError as e:
            with self._site.store.begin() as tx:
                data: dict[str, object] = {"device": device, "why": e.finding.detail}
                tx.journal.write(Event("drive.eject-failed", data=data))
