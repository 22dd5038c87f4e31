"""Arrival sessions: what one sender sends without a long pause is one folder of staged files.

A closed session is told to the station until the station has it. After a crash the open and the
closed ones go on where they were; what was not yet promised comes again from its sender.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk.inbound.staging import OPEN, Part, Staging, read_medium, remove
from kiosk.model.medium import Medium
from kiosk.policy.sections import Limits

log = logging.getLogger("kiosk.inbound")

Arrived = Callable[[Medium], bool]
"""A closed session for the station; its folder is the medium's location. Told again after a crash;
and after False: the station cannot take it now."""

_ROOM_LEFT = 256 << 20  # for the database, and for whoever else writes meanwhile
_AGAIN_SECONDS = 5.0


class NotKept(Exception):
    """Our own disk did not take it: nothing is promised, the sender sends it again."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or "no reason given")
        self.full = error.errno in (errno.ENOSPC, errno.EDQUOT)


class _Session:
    def __init__(self, caller: str, staging: Staging) -> None:
        self.caller, self.staging = caller, staging
        self.incoming = 0
        self.last = time.monotonic()


class Incoming:
    """One instance on its way in: written, then kept. Leaving the `with` block drops what was not
    kept. Raises NotKept."""

    def __init__(self, session: _Session, ended: Callable[[_Session], None]) -> None:
        self._session, self._ended = session, ended
        with _disk():
            self._part = Part(session.staging)

    def write(self, data: bytes | memoryview) -> None:
        with _disk():
            self._part.write(data)

    @property
    def bytes(self) -> int:
        return self._part.bytes

    def keep(self, sop_instance_uid: str) -> None:
        """When it returns, the instance survives a power loss."""
        with _disk():
            self._part.keep(sop_instance_uid)

    def __enter__(self) -> Incoming:
        return self

    def __exit__(self, *_: object) -> None:
        self._part.drop()
        self._ended(self._session)


class Sessions:
    """The sessions of one receiver, all below `folder`. `close` leaves the open ones to the next
    start. Raises OSError when the folder cannot be used."""

    def __init__(
        self, folder: Path, way: str, quiet_seconds: float, limits: Limits, arrived: Arrived
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._held = _hold(folder)
        self._folder, self._way, self._quiet = folder, way, quiet_seconds
        self._limits, self._arrived = limits, arrived
        self._changed = threading.Condition()
        self._sessions: list[_Session] = []
        self._attending: Counter[str] = Counter()
        self._untold = [p for p in sorted(folder.iterdir()) if p.suffix != OPEN]
        self._stopping = False
        for path in sorted(folder.glob(f"*{OPEN}")):
            self._resume(path)
        self._thread = threading.Thread(target=self._tend, name="inbound-sessions", daemon=True)
        self._thread.start()

    def _resume(self, path: Path) -> None:
        staging = Staging.resume(path)
        if staging is None:
            remove(path)
        else:
            self._sessions.append(_Session(staging.medium.label, staging))

    @contextmanager
    def attended(self, caller: str) -> Iterator[None]:
        """While a sender is connected its session is not quiet."""
        with self._changed:
            self._attending[caller] += 1
        try:
            yield
        finally:
            with self._changed:
                self._attending[caller] -= 1
                if not self._attending[caller]:
                    del self._attending[caller]
                for session in self._sessions:
                    if session.caller == caller:
                        session.last = time.monotonic()
                self._changed.notify()

    def begin(self, caller: str) -> Incoming:
        """A place for the sender's next instance. Raises NotKept."""
        with _disk():
            room = os.statvfs(self._folder)
            if room.f_bavail * room.f_frsize < _ROOM_LEFT:
                raise OSError(errno.ENOSPC, "no room is left for scans")
            with self._changed:
                session = self._session_of(caller)
                session.incoming += 1
        try:
            return Incoming(session, self._ended)
        except NotKept:
            self._ended(session)
            raise

    def close(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()
        os.close(self._held)

    def _session_of(self, caller: str) -> _Session:
        for session in self._sessions:
            if session.caller == caller and not self._is_full(session):
                return session
        folder = self._folder / f"{secrets.token_hex(8)}{OPEN}"
        session = _Session(caller, Staging.begin(folder, self._way, caller))
        self._sessions.append(session)
        return session

    def _is_full(self, session: _Session) -> bool:
        staging, limits = session.staging, self._limits
        return staging.files >= limits.files or staging.bytes >= limits.medium_bytes

    def _ended(self, session: _Session) -> None:
        with self._changed:
            session.incoming -= 1
            session.last = time.monotonic()
            self._changed.notify()

    # -- closing them ------------------------------------------------------------------------

    def _tend(self) -> None:
        while not self._stopping:
            with self._changed:
                quiet = [s for s in self._sessions if self._left(s) <= 0]
                self._sessions = [s for s in self._sessions if s not in quiet]
            for session in quiet:
                self._seal(session)
            self._untold = [path for path in self._untold if not self._told(path)]
            with self._changed:
                if not self._stopping:
                    self._changed.wait(self._patience())

    def _patience(self) -> float | None:
        waits = [left for s in self._sessions if (left := self._left(s)) < float("inf")]
        if self._untold:
            waits.append(_AGAIN_SECONDS)
        return max(0.0, min(waits)) if waits else None

    def _left(self, session: _Session) -> float:
        """Seconds until it is closed; infinite while somebody is at it."""
        if session.incoming:
            return float("inf")
        if self._is_full(session):
            return 0.0
        if self._attending[session.caller]:
            return float("inf")
        return session.last + self._quiet - time.monotonic()

    def _seal(self, session: _Session) -> None:
        try:
            sealed = session.staging.seal()
        except OSError as e:
            log.error("A session cannot be closed (%s): its scans are kept for later.", e.strerror)
            session.last = time.monotonic()
            with self._changed:
                self._sessions.append(session)
            return
        if sealed is not None:
            log.info("A session ended: %d scans arrived.", session.staging.files)
            self._untold.append(sealed)

    def _told(self, path: Path) -> bool:
        return not path.exists() or self._arrived(read_medium(path))


def _hold(folder: Path) -> int:
    """Two receivers on one folder would clear each other's instances away. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise OSError(errno.EBUSY, "another receiver works in this folder") from None
    return fd


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise NotKept(e) from e
