"""A demonstration PACS in a process of its own: storage, commitment, query, echo.

`python -m kiosk.cli.demonstration.pacs --folder DIR` listens on the loopback interface, prints one
JSON line that says where, and ends when its standard input does: with whoever started it.
It takes every storage SOP class and transfer syntax, and commits only what lies on its disk.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import (
    AE,
    ALL_TRANSFER_SYNTAXES,
    AllStoragePresentationContexts,
    _config,
    build_role,
    evt,
)
from pynetdicom.association import Association

from kiosk.cli.demonstration.archive import Archive

LOOPBACK = "127.0.0.1"
ECHO = UID("1.2.840.10008.1.1")
FIND = UID("1.2.840.10008.5.1.4.1.2.2.1")  # Study Root
COMMITMENT = UID("1.2.840.10008.1.20.1")
COMMITMENT_INSTANCE = UID("1.2.840.10008.1.20.1.1")  # well-known (PS3.4 J.3.5)
SUCCESS, PENDING, CANCELLED = 0x0000, 0xFF00, 0xFE00
OUT_OF_RESOURCES, CANNOT_UNDERSTAND, NOT_THE_IDENTIFIER = 0xA700, 0xC000, 0xA900
NO_SUCH_INSTANCE = 0x0112  # Failure Reason (0008,1197)
REPORT_SECONDS = 10.0


@dataclass(frozen=True)
class ReportTo:
    """Where commitment reports go on an association that we open; None: on the asker's own."""

    host: str
    port: int


@dataclass(frozen=True)
class Peer:
    """A PACS that runs: what a destination is configured with, and where its files lie."""

    host: str
    port: int
    ae_title: str
    folder: Path


class Service:
    """The DIMSE services over one Archive, as pynetdicom's event handlers."""

    def __init__(self, archive: Archive, report_to: ReportTo | None) -> None:
        self._archive = archive
        self._report_to = report_to

    def handlers(self) -> list[Any]:
        return [
            (evt.EVT_C_ECHO, lambda event: SUCCESS),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_N_ACTION, self._commit),
        ]

    def _store(self, event: evt.Event) -> int:
        try:
            self._archive.store(event.encoded_dataset())
        except OSError:
            return OUT_OF_RESOURCES
        except ValueError:
            return CANNOT_UNDERSTAND
        return SUCCESS

    def _find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        try:
            for answer in self._archive.find(event.identifier):
                if event.is_cancelled:
                    yield CANCELLED, None
                    return
                yield PENDING, answer
        except ValueError:
            yield NOT_THE_IDENTIFIER, None

    def _commit(self, event: evt.Event) -> tuple[int, None]:
        """Success says that the request was taken (PS3.4 J.3.2). The report follows from a thread
        of its own: pynetdicom lets it go out once this answer has gone."""
        asked = event.action_information
        report = self._report(asked)
        threading.Thread(target=self._send_report, args=(event.assoc, report), daemon=True).start()
        return SUCCESS, None

    def _report(self, asked: Dataset) -> Dataset:
        report = Dataset()
        report.TransactionUID = asked.TransactionUID
        report.ReferencedSOPSequence, failed = [], []
        for item in asked.ReferencedSOPSequence:
            entry = Dataset()
            entry.ReferencedSOPClassUID = item.ReferencedSOPClassUID
            entry.ReferencedSOPInstanceUID = item.ReferencedSOPInstanceUID
            if self._archive.holds(item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID):
                report.ReferencedSOPSequence.append(entry)
            else:
                entry.FailureReason = NO_SUCH_INSTANCE
                failed.append(entry)
        if failed:
            report.FailedSOPSequence = failed
        return report

    def _send_report(self, asker: Association, report: Dataset) -> None:
        what = (report, 2 if "FailedSOPSequence" in report else 1, COMMITMENT, COMMITMENT_INSTANCE)
        if self._report_to is not None:
            asker = self._call_back(asker, self._report_to)
        try:
            asker.send_n_event_report(*what)
        except RuntimeError:
            return  # whoever asked is gone, and will ask again
        if self._report_to is not None:
            asker.release()

    def _call_back(self, asker: Association, to: ReportTo) -> Association:
        """We open this association and are the SCP on it all the same (PS3.7 D.3.3.4)."""
        ae = AE(ae_title=asker.acceptor.ae_title)
        ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = REPORT_SECONDS
        ae.add_requested_context(COMMITMENT)
        role = build_role(COMMITMENT, scp_role=True)
        return ae.associate(to.host, to.port, ae_title=asker.requestor.ae_title, ext_neg=[role])


def listen(archive: Archive, ae_title: str, port: int, report_to: ReportTo | None) -> Any:
    """Starts the acceptor's threads and returns the server; `shutdown()` ends it."""
    _config.UNRESTRICTED_STORAGE_SERVICE = True  # private and future SOP classes as well
    ae = AE(ae_title=ae_title)
    ae.maximum_associations = 16
    ae.maximum_pdu_size = 0  # without limit
    for storage in AllStoragePresentationContexts:
        ae.add_supported_context(storage.abstract_syntax or "", ALL_TRANSFER_SYNTAXES)
    for service in (ECHO, FIND):
        ae.add_supported_context(service)
    ae.add_supported_context(COMMITMENT, scu_role=True, scp_role=True)
    handlers = Service(archive, report_to).handlers()
    return ae.start_server((LOOPBACK, port), block=False, evt_handlers=handlers)


@contextmanager
def running(
    folder: Path, ae_title: str = "PACS", *, port: int = 0, report_port: int = 0
) -> Iterator[Peer]:
    """A PACS as a child process for the length of the block, on `port` or a free one. With
    `report_port` it sends its commitment reports on a new association to that port of the
    loopback interface."""
    command = [sys.executable, "-m", __name__, "--folder", str(folder), "--ae-title", ae_title]
    command += ["--port", str(port)]
    if report_port:
        command += ["--report-to", f"{LOOPBACK}:{report_port}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise RuntimeError("the demonstration PACS did not start")
        said = json.loads(line)
        yield Peer(said["host"], said["port"], said["ae_title"], folder)
        child.stdin.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="where it keeps its files")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--ae-title", default="PACS")
    parser.add_argument("--report-to", default="", metavar="HOST:PORT")
    given = parser.parse_args()
    host, _, port = given.report_to.rpartition(":")
    report_to = ReportTo(host, int(port)) if given.report_to else None
    server = listen(Archive(given.folder), given.ae_title, given.port, report_to)
    where = {"host": LOOPBACK, "port": server.server_address[1], "ae_title": given.ae_title}
    print(json.dumps(where), flush=True)
    try:
        sys.stdin.buffer.read()
    except KeyboardInterrupt:
        pass
    server.shutdown()


if __name__ == "__main__":
    main()
