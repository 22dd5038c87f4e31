"""How fast instances leave: coerced and sent by us, against dcmtk's storescu sending the same files
unchanged, in one run, interleaved. Only the ratios mean anything on another machine.

    python -m bench.sending [CT instances, default 200] [MR instances, default 600]

A ratio is our wall time by storescu's (below 1: we are faster): the median of the rounds' own
ratios, then that of each one's best round; the goal is 1.0 at most, and 0.2 of pynetdicom's. Where
others use the machine, the processor's time says more: it is the second figure of each. Ours starts
when `send` is called, in a process that runs already, as the engine does; storescu's is the
whole process. Both read the files from the page cache; ours holds each file against its hash. The
time of pynetdicom's `send_c_store` is that of a few instances, for one.
"""

from __future__ import annotations

import hashlib
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE

from kiosk import coercion, delivery
from kiosk.model.content import Instance, StatedPatient, Study
from kiosk.model.delivery import Answer, Coerced, Outbound, Plan
from kiosk.model.matching import Action, Resolution
from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from kiosk.policy import Policy
from kiosk.policy.sections import Destination

PATIENCE = 5
SOME = 40  # instances by pynetdicom, which takes its time
AT = "2026-01-01T00:00:00Z"
LOCAL = PatientIdentity((Identifier("4711", "HOSP"),), (PersonName("Local", "Anna"),), "19700102")


@dataclass(frozen=True)
class Load:
    """`count` instances: the header of one of pydicom's test files, `rows` x `rows` pixels."""

    name: str
    template: str
    rows: int
    count: int


@dataclass(frozen=True)
class Receiver:
    """How dcmtk is run: options of storescp, and whether Nagle's algorithm is off in both."""

    name: str
    options: tuple[str, ...] = ()
    no_delay: bool = False
    rounds: int = 5


RECEIVERS = (
    Receiver("as Debian ships it (Nagle on), PDU 16 K", rounds=2),  # 40 ms for each instance
    Receiver("TCP_NODELAY on both sides, PDU 16 K", no_delay=True),
    Receiver("TCP_NODELAY on both sides, PDU 128 K", ("-pdu", "131072"), no_delay=True),
)


def make(load: Load, folder: Path) -> list[tuple[Path, Instance]]:
    source = get_testdata_file(load.template)
    assert source is not None
    ds = dcmread(source)
    for element in ds[0x7FE00010:]:
        del ds[element.tag]
    ds.Rows = ds.Columns = load.rows
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    pixels = bytes(range(256)) * (load.rows * load.rows * 2 // 256)
    element = b"\xe0\x7f\x10\x00OW\0\0" + len(pixels).to_bytes(4, "little") + pixels
    made = []
    for number in range(load.count):
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        path = folder / f"{number:06d}"
        dcmwrite(path, ds, enforce_file_format=True)
        made.append((path, _instance(path, str(ds.SOPClassUID), str(ds.SOPInstanceUID))))
        with path.open("ab") as f:
            f.write(element)
    return made


def _instance(path: Path, sop_class: str, uid: str) -> Instance:
    header = path.read_bytes()
    return Instance(
        sop_instance_uid=uid,
        sop_class_uid=sop_class,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        file=1,
        path=path.name,
        bytes=len(header),
        sha256="",
        dataset_offset=144 + int.from_bytes(header[140:144], "little"),
        pixel_offset=len(header),
    )


def outbounds(made: Sequence[tuple[Path, Instance]], plan: Plan) -> list[Outbound]:
    return [
        Outbound(
            instance.sop_instance_uid,
            instance.sop_class_uid,
            instance.transfer_syntax_uid,
            partial(coercion.apply, path, instance, plan),
            sha256(path),
        )
        for path, instance in made
    ]


def sha256(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def plan_for(path: Path) -> Plan:
    ds = dcmread(path, stop_before_pixels=True)
    study = Study(str(ds.StudyInstanceUID))
    stated = StatedPatient(PatientIdentity((Identifier(str(ds.PatientID)),)), (study,))
    resolution = Resolution(Action.LINK, "bench", AT, local=LOCAL)
    return coercion.plan(stated, study, resolution, Policy(), AT)


@contextmanager
def storescp(receiver: Receiver) -> Iterator[int]:
    """A storescp that ignores what it takes, on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    command = ["storescp", "--ignore", *receiver.options, str(port)]
    process = subprocess.Popen(command, env=environment(receiver), stderr=subprocess.DEVNULL)
    try:
        while subprocess.run(["echoscu", "127.0.0.1", str(port)], capture_output=True).returncode:
            assert process.poll() is None, "storescp did not start"
        yield port
    finally:
        process.terminate()
        process.wait()


def environment(receiver: Receiver) -> dict[str, str]:
    """For both of dcmtk's programs: storescu stalls on its own Nagle as well."""
    return os.environ | ({"TCP_NODELAY": "1"} if receiver.no_delay else {})


def by_storescu(port: int, receiver: Receiver, folder: Path) -> None:
    command = ["storescu", "--scan-directories", "127.0.0.1", str(port), str(folder)]
    subprocess.run(command, check=True, capture_output=True, env=environment(receiver))


def by_us(port: int, items: Sequence[Outbound]) -> None:
    to = Destination(name="bench", port=port, ae_title="ANY-SCP")
    attempt = delivery.send(to, "KIOSK", items, lambda result: None, lambda: False)
    assert {result.answer for result in attempt.results} == {Answer.ACCEPTED}, attempt.problem


def by_pynetdicom(port: int, paths: Sequence[Path]) -> None:
    """pynetdicom's own sender, unchanged files, as its documentation shows it. Raises NoAnswer."""
    ae = AE("KIOSK")
    ae.dimse_timeout = 5
    ae.add_requested_context(dcmread(paths[0], stop_before_pixels=True).SOPClassUID)
    association = ae.associate("127.0.0.1", port)
    for path in paths:
        if not association.send_c_store(dcmread(path)):
            association.abort()
            raise NoAnswer
    association.release()


class NoAnswer(Exception):
    """Under load pynetdicom's reactor takes an answer from its own sender: measured again."""


def slowly(port: int, paths: Sequence[Path]) -> Cost:
    for _ in range(PATIENCE):
        try:
            return cost(partial(by_pynetdicom, port, paths))
        except NoAnswer:
            continue
    return Cost(float("inf"), float("inf"))


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float


def cost(work: Callable[[], None]) -> Cost:
    """Seconds of the clock, and of the processor in this process or those it waited for."""
    wall, cpu = time.perf_counter(), _processor()
    work()
    return Cost(time.perf_counter() - wall, _processor() - cpu)


def _processor() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def ratio(ours: Sequence[Cost], theirs: Sequence[Cost]) -> str:
    wall = statistics.median(a.wall / b.wall for a, b in zip(ours, theirs, strict=True))
    best = min(one.wall for one in ours) / min(one.wall for one in theirs)
    cpu = statistics.median(a.cpu / b.cpu for a, b in zip(ours, theirs, strict=True))
    return f"{wall:.2f} (best rounds {best:.2f}, processor {cpu:.2f})"


def measure(load: Load) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = make(load, folder)
        coerced = outbounds(made, plan_for(made[0][0]))
        ready = [replace(item, coerce=partial(_same, item.coerce())) for item in coerced]
        megabytes = sum(path.stat().st_size for path, _ in made) / 1e6
        for receiver in RECEIVERS:
            with storescp(receiver) as port:
                theirs, ours, sending = [], [], []
                for _ in range(receiver.rounds):
                    theirs.append(cost(partial(by_storescu, port, receiver, folder)))
                    ours.append(cost(partial(by_us, port, coerced)))
                    sending.append(cost(partial(by_us, port, ready)))
                some = [path for path, _ in made[:SOME]]
                slow = slowly(port, some)
            best = min(one.wall for one in ours)
            wall, cpu = (
                statistics.median(getattr(one, what) for one in ours)
                / load.count
                / (getattr(slow, what) / len(some))
                for what in ("wall", "cpu")
            )
            yield (
                f"{load.count} {load.name}, {receiver.name}: coerced and sent in "
                f"{ratio(ours, theirs)} x storescu's time, only sent {ratio(sending, theirs)}; "
                f"{wall:.3f} x pynetdicom's (processor {cpu:.3f}); "
                f"at best {megabytes / best:.0f} MB/s, {load.count / best:.0f} instances/s"
            )


def _same(coerced: Coerced) -> Coerced:
    return coerced


def main(arguments: Sequence[str]) -> None:
    ct, mr = map(int, arguments or ("200", "600"))
    for load in (Load("CT", "CT_small.dcm", 512, ct), Load("MR", "MR_small.dcm", 256, mr)):
        for line in measure(load):
            print(line, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the sending process: {peak:.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
