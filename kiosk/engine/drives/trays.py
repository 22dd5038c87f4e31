"""What the desk and the policy ask of the drives: trays that open."""

from __future__ import annotations

from kiosk import media
from kiosk.engine.parts import Site
from kiosk.model.medium import MediumKind
from kiosk.model.work import Event
from kiosk.store import Transaction

EJECT_ASKED = "drive.eject-asked"  # written by the desk: the hands on the hardware are ours
MARK = "eject requests seen"


def asked(site: Site) -> tuple[Event, ...]:
    """What was written since the last time, each event once."""
    with site.store.read() as tx:
        if tx.mark(site.station, MARK) == tx.journal.last_id():
            return ()
    with site.store.begin() as tx:
        events = tx.journal.since(tx.mark(site.station, MARK))
        tx.set_mark(site.station, MARK, events[-1].id)
    return tuple(events)


def open_trays(site: Site, events: tuple[Event, ...]) -> None:
    """Opens the drives that a person asked for, and those whose disc is copied, if the policy says
    so. One that there was no time to try everywhere stays in: more time can be asked for."""
    copied = site.policy.media.eject_when_copied
    wanted = [e for e in events if e.kind == EJECT_ASKED or (copied and _is_copied(e))]
    with site.store.read() as tx:
        devices = [_device(tx, site, e) for e in wanted]
    for device in dict.fromkeys(filter(None, devices)):
        _open(site, device)


def _is_copied(event: Event) -> bool:
    return event.kind == "intake.read" and not event.data.get("untried")


def _device(tx: Transaction, site: Site, event: Event) -> str:
    """The device node, if it is one of ours: a request from elsewhere opens nothing here."""
    if event.kind == EJECT_ASKED:
        device = str(event.data.get("device", ""))
    else:
        device = tx.intakes.get(event.intake or 0).medium.location
    ours = (d for d in tx.intakes.drives(site.station) if d.kind is MediumKind.OPTICAL)
    return device if device in {d.device for d in ours} else ""


def _open(site: Site, device: str) -> None:
    try:
        media.eject(device)
    except media.MediaError as e:
        with site.store.begin() as tx:
            data: dict[str, object] = {"device": device, "why": e.finding.detail}
            here = (i for i in tx.intakes.recent() if i.station == site.station)
            inside = next((i.id for i in here if i.medium.location == device), None)
            tx.journal.write(Event("drive.eject-failed", intake=inside, data=data))
