"""The machine's hand: claims a row, runs its step outside any transaction, writes the result.

One worker thread per resource: the readers, the processor, each destination. A slow archive holds
up nobody else; a crash leaves leases, which the next start frees.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from kiosk.engine import pipeline
from kiosk.engine.choosing import expire
from kiosk.engine.consulting import consult
from kiosk.engine.drives import Drives
from kiosk.engine.parts import Settlement, Site
from kiosk.engine.pipeline import Step
from kiosk.engine.revisiting import revisit
from kiosk.engine.telling import Auditor, Notifier, started, stopped
from kiosk.engine.telling.pulse import Pulse, seconds_between_beats, tell
from kiosk.policy.sources import Source
from kiosk.store import DatabaseBusy, Lease, LeaseLost

log = logging.getLogger("kiosk.engine")

READERS = 2  # two drives at once; a third disc waits its turn
IDLE_SECONDS = 0.25
KEEP_SECONDS = 15.0
DEFECT_SECONDS = 5.0


class AlreadyRunning(RuntimeError):
    """Another engine works on this state folder."""


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Holds the station: two engines on one vault would read one disc twice. Raises
    AlreadyRunning."""
    with (state / "engine.lock").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning from None
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        yield


class Engine:
    """`run_once()` for tests and single commands, `run()` for the service; `stop()` drains."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._stopping = threading.Event()
        self._held: dict[tuple[str, int], tuple[Step, Lease]] = {}
        self._lock = threading.Lock()
        self._pulse = Pulse()
        self._drives = Drives(site, self._safely)
        release = (pipeline.RELEASE, pipeline.LATE)
        cpu = (pipeline.CATALOG, pipeline.MATCH, *release, pipeline.PURGE)
        self._resources: dict[str, tuple[Step, ...]] = {
            **{f"reader:{n}": (pipeline.READ,) for n in range(READERS)},
            "cpu": cpu,
            "pictures": (pipeline.PICTURE,),
            **{f"destination:{d.name}": pipeline.deliver(d.name) for d in site.policy.destination},
        }
        if site.policy.procedure_step.host:
            self._resources["procedure steps"] = (pipeline.TELL,)

    def recover(self) -> None:
        """Frees what an engine that died here held, mounts too. Only while `alone`."""
        with self.site.store.begin() as tx:
            tx.intakes.free(self.site.station)
            tx.cases.free(self.site.station)
            tx.deliveries.free(self.site.station)
            tx.recalls.free(self.site.station)
            tx.steps.free(self.site.station)
            tx.choices.free(self.site.station)
            tx.pictures.free(self.site.station)
        self.site.mounts.release_left_over()

    def run_once(self) -> bool:
        """Every step at most once, in the caller's thread; whether any had something to do. Nobody
        waits for pictures here: the service makes them."""
        steps = dict.fromkeys(step for steps in self._resources.values() for step in steps)
        del steps[pipeline.PICTURE]
        worked = [revisit(self.site), expire(self.site)]
        worked += [self._take(step) for step in steps]
        worked += [consult(self.site, source) for source in self.site.policy.source]
        return any(worked)

    def picture_once(self) -> bool:
        """Fulfils one wish for pictures; whether there was one."""
        return self._take(pipeline.PICTURE)

    def run(self) -> None:
        """Works until `stop()`; returns when every step at work has ended."""
        threads = [
            threading.Thread(target=self._work, args=(steps,), name=name)
            for name, steps in self._resources.items()
        ]
        threads.append(threading.Thread(target=self._keep_leases, name="leases"))
        threads.append(threading.Thread(target=self._revisit, name="revisit"))
        for source in self.site.policy.source:
            name = f"source:{source.name}"
            threads.append(threading.Thread(target=self._consult, args=(source,), name=name))
        threads.append(threading.Thread(target=self._audit, name="audit"))
        for receiver in self.site.policy.notify:
            notifier = Notifier(self.site, receiver)
            notifier.begin()
            threads.append(
                threading.Thread(
                    target=self._tend, args=(notifier.tend,), name=f"notify:{receiver.name}"
                )
            )
        started(self.site)
        self._drives.start()
        self._pulse.watch(thread.name for thread in threads)
        for thread in threads:
            thread.start()
        tell("READY=1")
        while not self._stopping.wait(seconds_between_beats()):
            self._show_life()
        tell("STOPPING=1", "STATUS=Ending what is at work")
        for thread in threads:
            thread.join()
        self._drives.stop()
        stopped(self.site)

    def stop(self) -> None:
        """Asks every worker to end: a sender after the instance it is at."""
        self._stopping.set()

    def wait(self, seconds: float) -> None:
        """Sleeps, or until `stop()`."""
        self._stopping.wait(seconds)

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def _show_life(self) -> None:
        """The watchdog is fed only while every loop turns."""
        if stuck := self._pulse.stuck():
            log.error("%s does not turn any more: the service manager starts us anew", stuck)
            tell(f"STATUS={stuck} does not turn any more")
        else:
            tell("WATCHDOG=1", f"STATUS={self._pulse.status()}")

    def _work(self, steps: tuple[Step, ...]) -> None:
        while not self._stopping.is_set():
            if not self._safely(lambda: any(self._take(step) for step in steps)):
                self._stopping.wait(IDLE_SECONDS)

    def _revisit(self) -> None:
        while not self._stopping.is_set():
            if not self._safely(self._look_around):
                self._stopping.wait(IDLE_SECONDS)

    def _audit(self) -> None:
        auditor = Auditor(self.site)
        self._tend(auditor.tend)
        auditor.close()

    def _tend(self, work: Callable[[], bool]) -> None:
        while not self._stopping.is_set():
            if not self._safely(work):
                self._stopping.wait(IDLE_SECONDS)

    def _consult(self, source: Source) -> None:
        while not self._stopping.is_set():
            if not self._safely(lambda: consult(self.site, source)):
                self._stopping.wait(IDLE_SECONDS)

    def _look_around(self) -> bool:
        self._drives.tend()
        return revisit(self.site) or expire(self.site)

    def _safely(self, work: Callable[[], bool]) -> bool:
        """A thread of the engine ends when it is told to, never by a defect: what it does not do
        any more nobody would notice."""
        self._pulse.beat()
        try:
            return work()
        except DatabaseBusy:
            return False
        except Exception as e:
            log.error(
                "%s: %s at %s", threading.current_thread().name, type(e).__name__, place_of(e)
            )
            self._stopping.wait(DEFECT_SECONDS)
            return False

    def _take(self, step: Step) -> bool:
        if self._stopping.is_set():
            return False
        try:
            with self.site.store.claiming() as tx:
                claimed = step.claim(tx, self.site.station)
        except DatabaseBusy:
            log.warning("the database is busy: %s is tried again", step.name)
            return False
        if claimed is None:
            return False
        unit, lease = claimed
        with self._keeping(step, lease), self._pulse.at_work(step.name):
            self._run(step, unit, lease)
        return True

    def _run(self, step: Step, unit: object, lease: Lease) -> None:
        try:
            settlement = step.run(self.site, unit, self._stopping.is_set)
            self._settle(step, lease, settlement)
        except LeaseLost:
            log.warning("%s %d: another worker's result counts", step.name, lease.id)
        except DatabaseBusy:
            log.warning("%s %d: the database is busy, tried again later", step.name, lease.id)
        except Exception as e:  # a defect of ours must cost one row, never the engine
            # The text of an exception may quote a header: only its type and place are logged.
            log.error("%s %d: %s at %s", step.name, lease.id, type(e).__name__, place_of(e))
            try:
                self._settle(step, lease, _failed(step, f"defect-{type(e).__name__.lower()}"))
            except (LeaseLost, DatabaseBusy):
                log.warning("%s %d: tried again when its lease ends", step.name, lease.id)

    def _settle(self, step: Step, lease: Lease, settlement: Settlement) -> None:
        with self.site.store.begin() as tx:
            settlement(tx, lease)
        log.info("%s %d done", step.name, lease.id)

    # -- leases of steps that take long --------------------------------------------------------

    @contextmanager
    def _keeping(self, step: Step, lease: Lease) -> Iterator[None]:
        key = (step.name, lease.id)
        with self._lock:
            self._held[key] = (step, lease)
        try:
            yield
        finally:
            with self._lock:
                del self._held[key]

    def _keep_leases(self) -> None:
        while not self._stopping.wait(KEEP_SECONDS) or self._held:
            self._pulse.beat()
            if self._stopping.is_set():
                threading.Event().wait(1.0)  # draining: the last steps still hold their rows
            with self._lock:
                held = tuple(self._held.values())
            for step, lease in held:
                self._safely(partial(self._keep, step, lease))

    def _keep(self, step: Step, lease: Lease) -> bool:
        try:
            with self.site.store.claiming() as tx:
                step.extend(tx, lease)
        except LeaseLost:
            return False  # its own worker notices when it settles
        return True


def _failed(step: Step, code: str) -> Settlement:
    return lambda tx, lease: step.fail(tx, lease, code)


def place_of(error: BaseException) -> str:
    """File and line where it was raised: all that a log may say, the text may quote a header."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
