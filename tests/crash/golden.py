"""The golden import: one small disc of a registered patient, all the way to an archive, in one
process and one thread, so that it takes the same durable steps each time.

`python -m tests.crash.golden` waits for lines on its standard input, each a JSON object
`{"state": FOLDER, "port": PORT, "die_at": N}`, and works on that folder in a process of its own,
which dies at its N-th durable step as the power would have it (0: never). It answers with one line
`{"died": BOOL, "steps": [WHAT, ...]}`. Forked from a process that has imported everything: a
Python that starts anew for each step would take seconds.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import signal
import socket
import struct
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from kiosk import adt, coercion, fileset, identity, media, store
from kiosk.cli.demonstration import discs, registration
from kiosk.engine import Engine, Site
from kiosk.model.content import Catalog, Verdict
from kiosk.model.matching import Action, Resolution
from kiosk.model.medium import Medium, MediumKind, Progress, ReadReport
from kiosk.model.patient import Identifier
from kiosk.model.work import CaseState, IntakeState
from kiosk.policy import Policy
from kiosk.policy.sections import Coercion, Limits

WHO = registration.Registered("0071177", "QXZZALDEN", "CANARY", "19610509", "F")
RIGHT = registration.Registered("0082288", "QXZZBERG", "CANARY", "19470130", "F")
CANARY = b"QXZZ"  # must be in no log, no file name, no temporary file
IMAGES = 3
START = datetime(2026, 11, 24, 10, tzinfo=UTC)
OVER = {IntakeState.CLOSED, IntakeState.FAILED, IntakeState.REJECTED}


def disc(folder: Path) -> Path:
    """Two studies, three images, one patient, and a text file."""
    return discs.burn(_files(folder), folder / "golden.iso", "GOLDEN")


def _files(folder: Path) -> dict[str, bytes | Path]:
    image = dcmread(get_testdata_file("MR_small.dcm"))
    image.PatientName = f"{WHO.family}^{WHO.given}"
    image.PatientBirthDate, image.PatientSex = WHO.birth_date, WHO.sex
    files: dict[str, bytes | Path] = {"README.TXT": discs.README}
    for n in range(IMAGES):
        if n == IMAGES - 1:
            image.StudyInstanceUID = generate_uid(entropy_srcs=["golden study"])
            image.SeriesInstanceUID = generate_uid(entropy_srcs=["golden series"])
        image.SOPInstanceUID = generate_uid(entropy_srcs=["golden", str(n)])
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        path = folder / f"{n}.dcm"
        image.save_as(path)
        files[f"IM{n}"] = path
    return files


@functools.cache
def on_disc() -> dict[str, str]:
    """Path on the disc to the SHA-256 of the file."""
    with tempfile.TemporaryDirectory() as folder:
        files = _files(Path(folder))
        return {
            name: hashlib.sha256(f if isinstance(f, bytes) else f.read_bytes()).hexdigest()
            for name, f in files.items()
        }


def part10(data_set: bytes) -> bytes:
    """A data set in Explicit VR Little Endian as a file."""
    syntax = b"1.2.840.10008.1.2.1\0"
    meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(syntax)) + syntax
    length = b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(meta))
    return bytes(128) + b"DICM" + length + meta + data_set


def policy(port: int) -> Policy:
    return Policy.model_validate(
        {
            "site": {"name": "Test Hospital"},
            "identity": {"local_issuer": "HOSP"},
            "media": {"eject_when_copied": False},
            "retry": {"first_seconds": 1.0, "longest_seconds": 4.0},
            # Orthanc would report a commitment on an association of its own, for which one waits.
            "destination": [
                {"name": "PACS", "port": port, "ae_title": "ORTHANC", "commitment": False}
            ],
        }
    )


def opened(state: Path, now: Callable[[], datetime] = lambda: START) -> store.Store:
    url = f"sqlite:///{state / 'kiosk.db'}"
    keys = {"keys_of": identity.keys_of, "name_keys_of": identity.name_keys_of}
    return store.open(url, now=now, **keys)


def begin(state: Path, image: Path) -> None:
    """Two patients are registered and the disc of one is put in; nothing of it is read yet."""
    state.mkdir()
    rows = opened(state)
    with rows.begin() as tx:
        for number, each in enumerate((WHO, RIGHT)):
            text = registration._message("A04", each, "", START, number).text.encode()
            event = adt.parse(text, default_charset="utf-8", default_authority="HOSP")
            assert tx.roster.apply(event, text).ack == "AA"
        tx.intakes.create(Medium(MediumKind.IMAGE, str(image)), "kiosk-1", "tester", None)
    rows.close()


def recall(state: Path) -> None:
    """The import has ended, and it was the wrong patient's."""
    rows = opened(state)
    with rows.begin() as tx:
        (case,) = tx.cases.of_intake(1)
        tx.recall(case, "113037", "lead", {"reason": "the other one's"})
    rows.close()


def _decide(tx: store.Transaction) -> bool:
    """HIM's part after a recall: it is the other patient. Whether there was anything to decide."""
    waiting = tx.cases.in_state(CaseState.AWAITING)
    local = tx.roster.resolve(Identifier(RIGHT.number, "HOSP"))
    assert local is not None
    for case in waiting:
        at = START.isoformat()
        link = Resolution(Action.LINK, "him", at, "asked her", local.identity, local.key)
        tx.cases.resolve(case.id, link)
    return bool(waiting)


def _read(
    location: Path,
    into: Path,
    limits: Limits,
    _report: Callable[[Progress], None],
    expected: Medium | None,
) -> ReadReport:
    """Without progress, which comes by the clock: the steps would not be the same each time."""
    return media.read(location, into, limits, lambda progress: None, expected)


def _look(location: Path, limits: Limits) -> Verdict:
    with media.glimpse(location, limits) as seen:
        return fileset.first_look(seen.files, seen.start, limits, seen.whole)


def _catalog(
    folder: Path, limits: Limits, wanted: Coercion, report: Callable[[Progress], None]
) -> Catalog:
    return coercion.prepare(folder, fileset.read(folder, limits), wanted, limits)


def work(state: Path, port: int) -> None:
    """An engine starts on the folder and works until the disc is done. Its clock goes on only
    where it would wait, so that nothing waits."""
    at = [START]
    rows = opened(state, lambda: at[0])
    vault = store.Vault(state / "vault")
    here = Site(
        rows,
        vault,
        policy(port),
        lambda: at[0],
        read=_read,
        identify=media.identify,
        look=_look,
        catalog=_catalog,
    )
    engine = Engine(here)
    engine.recover()
    for _ in range(500):
        if not engine.run_once():
            with rows.begin() as tx:
                if tx.intakes.get(1).state in OVER:
                    break
                if _decide(tx):
                    continue
            at[0] += timedelta(seconds=5)
    else:
        raise RuntimeError("the work has no end")
    rows.close()


# -- dying ----------------------------------------------------------------------------------------


class Steps:
    """Counts what changes the world durably or tells it something: each is a step before it and
    a step after it. At the chosen one the process is killed."""

    def __init__(self, die_at: int) -> None:
        self.die_at = die_at
        self.seen: list[str] = []

    def step(self, what: str) -> None:
        self.seen.append(what)
        if len(self.seen) == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, holder: Any, name: str) -> None:
        original = getattr(holder, name)

        @functools.wraps(original)
        def stepped(*arguments: Any, **named: Any) -> Any:
            place = _place()
            if "database.read" in place:  # ends a look, and changes nothing
                return original(*arguments, **named)
            self.step(f"before {name} in {place}")
            result = original(*arguments, **named)
            self.step(f"after {name} in {place}")
            return result

        setattr(holder, name, stepped)

    def watch(self) -> None:
        """Every way in which this program makes something last, or says it to a peer."""
        for name in ("fsync", "rename", "replace", "unlink", "mkdir", "truncate"):
            self.around(os, name)
        for name in ("sendall", "sendmsg", "send"):
            self.around(socket.socket, name)
        original = store.open

        def watched(*arguments: Any, **named: Any) -> store.Store:
            rows = original(*arguments, **named)
            self.around(rows.engine.dialect, "do_commit")
            return rows

        store.open = watched


def _place() -> str:
    """The pipeline's step that is at work and our innermost functions: what tells two steps
    apart."""
    frame, inside, step = sys._getframe(2), [], ""
    while frame is not None:
        code = frame.f_code
        if "/kiosk/" in code.co_filename:
            inside.append(f"{Path(code.co_filename).stem}.{code.co_name}")
            if code.co_name == "_take":
                step = frame.f_locals["step"].name
        frame = frame.f_back
    return f"{step}: {' < '.join(inside[:2])}"


def _child(asked: dict[str, Any], out: int) -> None:
    steps = Steps(asked["die_at"])
    steps.watch()
    work(Path(asked["state"]), asked["port"])
    os.write(out, json.dumps(steps.seen).encode())


def _serve(line: str) -> dict[str, Any]:
    asked = json.loads(line)
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(readable)
        try:
            _child(asked, writable)
            os._exit(0)
        finally:  # only after an exception: the copied process must not go on as its parent
            traceback.print_exc()
            os._exit(1)
    os.close(writable)
    with os.fdopen(readable, "rb") as answer:
        said = answer.read()
    _, status = os.waitpid(child, 0)
    died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if not died and status:
        raise SystemExit("the work failed, see above")
    return {"died": died, "steps": json.loads(said) if said else []}


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(_serve(line)), flush=True)


if __name__ == "__main__":
    main()
