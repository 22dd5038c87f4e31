"""`kiosk inbound`: what others send becomes intakes, as discs do; what archives report finds its
delivery. Where arrivals meet rows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import typer

from kiosk import delivery, inbound, sandbox
from kiosk.cli.context import ConfigOption, Context, fail, opened, say
from kiosk.cli.receiving.process import Alone, tend, until_told
from kiosk.engine import take_report
from kiosk.model.medium import Medium, MediumKind
from kiosk.model.work import SENT_HERE, Event, IntakeState
from kiosk.policy.sections import Inbound, Stow
from kiosk.store import StoreUnusable

log = logging.getLogger("kiosk.inbound")

app = typer.Typer(help="Electronic arrivals: C-STORE, STOW-RS and watched folders.")

_MAY_COME_AGAIN = {IntakeState.FAILED, IntakeState.REJECTED, IntakeState.ABORTED}


class Arrivals:
    """Arrivals into the store. Each is taken in once, however often it is told of."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def session(self, medium: Medium) -> bool:
        """What came over the wire is an intake whose bytes are staged already."""
        return self._kept(lambda: self._create(medium))

    def item(self, path: Path) -> bool:
        """What lay in a watched folder is read as any medium is. One with the fingerprint of an
        earlier intake is the same download once more: noted, not read again."""
        try:
            medium = sandbox.identify(path, self._context.policy.limits)
        except sandbox.JobFailed:  # the reading will say why
            medium = Medium(MediumKind.FOLDER if path.is_dir() else MediumKind.IMAGE, str(path))
        return self._kept(lambda: self._create_once(medium))

    def report(self, untrusted: bytes, implicit: bool) -> bool:
        """An archive's commitment report. One that belongs to nothing is answered all the same:
        it would only come again."""
        report = delivery.read_report(untrusted, implicit)
        if report is None:
            log.warning("A commitment report cannot be read. See the archive's log.")
            return False

        def take() -> None:
            with self._context.store.begin() as tx:
                if not take_report(tx, report):
                    log.info("A commitment report belongs to no open request.")

        return self._kept(take)

    def _kept(self, create: Callable[[], None]) -> bool:
        try:
            create()
        except StoreUnusable as e:
            log.error("The database cannot take what arrives: %s", e)
            return False
        return True

    def _create(self, medium: Medium) -> None:
        with self._context.store.begin() as tx:
            known = tx.intakes.of_medium(medium.fingerprint)
            if not any(intake.medium.location == medium.location for intake in known):
                tx.intakes.create(medium, self._context.policy.site.station, SENT_HERE)

    def _create_once(self, medium: Medium) -> None:
        if medium.fingerprint:
            with self._context.store.begin() as tx:
                for intake in tx.intakes.of_medium(medium.fingerprint):
                    if intake.state not in _MAY_COME_AGAIN:
                        tx.journal.write(Event("intake.same-again", intake=intake.id))
                        return
        self._create(medium)


@app.command()
def serve(config: ConfigOption = None) -> None:
    """All receivers that are switched on, registrations too, each in a process of its own, until
    SIGTERM. For an engine that was started with --receivers-apart."""
    with opened(config) as context:
        told = until_told()
        threads = tend(Alone(told), context.policy, context.config)
    say(f"{len(threads)} receivers are kept running." if threads else "No receiver is switched on.")
    told.wait()
    for thread in threads:
        thread.join()


@app.command()
def listen(config: ConfigOption = None) -> None:
    """Receive scans by DICOM C-STORE, and archives' commitment reports, until SIGTERM."""
    with opened(config) as context:
        settings = context.policy.inbound
        title = settings.ae_title or context.policy.site.ae_title
        _receive(context, settings, f"by DICOM as {title}", "inbound")


@app.command()
def stow(config: ConfigOption = None) -> None:
    """Receive scans by DICOMweb (STOW-RS) until SIGTERM."""
    with opened(config) as context:
        _receive(context, context.policy.stow, "by STOW-RS", "stow")


def _receive(context: Context, settings: Inbound | Stow, how: str, section: str) -> None:
    ended = until_told()
    policy = context.policy
    folder = context.state / "arrivals" / section  # beside the vault: it is moved there, not copied
    arrivals = Arrivals(context)
    took, told = arrivals.session, arrivals.report
    try:
        receiver = inbound.listen(settings, policy.site.ae_title, policy.limits, folder, took, told)
    except (OSError, ValueError) as e:
        reason = getattr(e, "strerror", None) or e
        fail(f"Scans cannot be received on port {settings.port}: {reason}. See [{section}].")
    with receiver:
        say(f"Receiving scans {how} on {settings.host} port {receiver.port}.")
        ended.wait()


@app.command()
def watch(config: ConfigOption = None) -> None:
    """Watch folders for ISO files, ZIP files and folders until SIGTERM."""
    with opened(config) as context:
        settings = context.policy.folders
        if not settings.watched:
            fail("No folder is watched. See [folders] in the configuration.", code=2)
        ended = until_told()
        try:
            watched = inbound.Watched(settings, Arrivals(context).item)
        except OSError as e:
            fail(f"A folder cannot be watched ({e.strerror}): {e.filename}. See [folders].")
        with watched:
            say(f"Watching {len(settings.watched)} folders.")
            ended.wait()
