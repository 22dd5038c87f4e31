"""Scans that are sent, or put into a watched folder, go the way of a disc: through a running engine
and its receivers to a real archive, under the local patient."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from kiosk.cli.demonstration import discs as burning
from kiosk.cli.demonstration import registration
from kiosk.model.medium import MediumKind
from kiosk.model.work import Intake, IntakeState
from tests.peers import accepts, free_port, require
from tests.peers.orthanc import Orthanc, orthanc
from tests.station import Station, dicom, station, until

WHO = registration.ARCHIBALD

pytestmark = pytest.mark.peer("storescu", "Orthanc")


@dataclass(frozen=True)
class Hospital:
    here: Station
    archive: Orthanc
    dicom_port: int
    web_port: int
    folder: Path

    def held(self) -> dict[str, Dataset]:
        ids = self.archive.json("/instances")
        files = (self.archive.rest(f"/instances/{id}/file") for id in ids)
        return {d.SOPInstanceUID: d for d in (dcmread(BytesIO(f)) for f in files)}

    def intakes(self) -> tuple[Intake, ...]:
        """Those that are there, the newest first."""
        with self.here.rows.read() as tx:
            return tx.intakes.recent()

    def imported(self, count: int) -> Intake:
        """The newest of so many intakes, once all are closed."""

        def closed() -> bool:
            found = self.intakes()
            return len(found) == count and all(i.state is IntakeState.CLOSED for i in found)

        until(closed, f"{count} intakes are closed")
        return self.intakes()[0]


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    folder = tmp_path_factory.mktemp("hospital")
    for name in ("archive", "downloads"):
        (folder / name).mkdir()
    dicom_port, web_port = free_port(), free_port()
    more = f"""
[inbound]
enabled = true
port = {dicom_port}
senders = ["ELSEWHERE"]
quiet_seconds = 1.0
[stow]
enabled = true
port = {web_port}
quiet_seconds = 1.0
[folders]
watched = ["{folder / "downloads"}"]
stable_seconds = 0.5
"""
    with orthanc(folder / "archive") as archive:
        destination = dicom(archive.port, archive.ae_title) + "commitment_wait_seconds = 0.5\n"
        with station(folder, destination, more=more) as here, here.engine():
            ports = (here.adt_port, dicom_port, web_port)
            until(lambda: all(map(accepts, ports)), "every receiver listens")
            sent = registration.morning(datetime.now(UTC))
            answers = registration.send("127.0.0.1", here.adt_port, sent)
            assert {a.code for a in answers} == {"AA"}
            yield Hospital(here, archive, dicom_port, web_port, folder)


def images(folder: Path) -> list[Path]:
    """Marlowe's scans with the demographics of somebody who is registered here."""
    folder.mkdir(exist_ok=True)
    found = []
    for n, source in enumerate(burning.instances_of(burning.ARCHIBALD)):
        image = dcmread(source)
        image.PatientName = f"{WHO.family}^{WHO.given}"
        image.PatientBirthDate, image.PatientSex = WHO.birth_date, WHO.sex
        found.append(folder / f"{n}.dcm")
        image.save_as(found[-1])
    return found


def test_what_storescu_sends_is_in_the_archive_under_the_local_patient(
    hospital: Hospital, tmp_path: Path
) -> None:
    sent = images(tmp_path)
    command = [require("storescu"), "-aet", "ELSEWHERE", "-aec", "KIOSK", "127.0.0.1"]
    for part in (sent[:3], sent[3:]):  # two associations without a pause: one intake
        subprocess.run([*command, str(hospital.dicom_port), *part], check=True, timeout=60)
    intake = hospital.imported(1)
    assert intake.medium.kind is MediumKind.NETWORK
    assert intake.medium.label == "ELSEWHERE (127.0.0.1)"
    held = hospital.held()
    assert held.keys() == {str(dcmread(p).SOPInstanceUID) for p in sent}
    for path in sent:
        original = dcmread(path)
        archived = held[str(original.SOPInstanceUID)]
        assert archived.PatientID == WHO.number
        assert archived.PixelData == original.PixelData
    with hospital.here.rows.read() as tx:
        ledger = tx.intakes.ledger(intake.id)
        assert tx.intakes.newest("kiosk-1") is None  # nothing for the screen at the door
    assert ledger is not None
    assert ledger.balances
    assert ledger.ok == len(sent)


def test_what_is_posted_arrives_too(hospital: Hospital, tmp_path: Path) -> None:
    """The same scans: the archive has each once."""
    body = b"".join(b"\r\n--x\r\n\r\n" + p.read_bytes() for p in images(tmp_path)) + b"\r\n--x--"
    (tmp_path / "body").write_bytes(body)
    command = [require("curl"), "-sS", "--fail", "--noproxy", "*", "--data-binary"]
    command += [f"@{tmp_path / 'body'}", "-H"]
    command += ['Content-Type: multipart/related; type="application/dicom"; boundary=x']
    url = f"http://127.0.0.1:{hospital.web_port}/dicom-web/studies"
    subprocess.run([*command, url], check=True, capture_output=True, timeout=60)
    assert hospital.imported(2).medium.filesystem == "stow"
    assert len(hospital.held()) == len(images(tmp_path))


def test_a_download_in_a_watched_folder_arrives_once_however_often_it_is_put_there(
    hospital: Hospital, tmp_path: Path
) -> None:
    images(tmp_path / "study")
    archive = Path(shutil.make_archive(str(tmp_path / "study"), "zip", tmp_path / "study"))
    downloads = hospital.folder / "downloads"
    shutil.copy(archive, downloads / "first.zip")
    intake = hospital.imported(3)
    assert intake.medium.kind is MediumKind.ZIP
    shutil.copy(archive, downloads / "second.zip")
    until(lambda: _noted(hospital, intake), "the second one is noted")
    assert hospital.imported(3).id == intake.id
    taken = sorted(p.name for p in downloads.rglob("*.zip"))
    assert taken == ["first.zip", "second.zip"]


def _noted(hospital: Hospital, intake: Intake) -> bool:
    with hospital.here.rows.read() as tx:
        return any(e.kind == "intake.same-again" for e in tx.journal.of(intake=intake.id))


def test_a_receiver_that_dies_is_back_and_the_others_did_not_notice(
    hospital: Hospital, tmp_path: Path
) -> None:
    receiver = _process_of(hospital, "inbound", "listen")
    feed = _process_of(hospital, "adt", "listen")
    os.kill(receiver, signal.SIGKILL)
    until(lambda: not accepts(hospital.dicom_port), "its port is closed")
    until(lambda: accepts(hospital.dicom_port), "it listens again")
    assert _process_of(hospital, "inbound", "listen") != receiver
    assert _process_of(hospital, "adt", "listen") == feed


def _process_of(hospital: Hospital, *words: str) -> int:
    """The receiver of this station that runs this command."""
    wanted = [*words, "--config", str(hospital.here.config)]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().rstrip(b"\0").decode().split("\0")
        except OSError:
            continue
        if command[-len(wanted) :] == wanted:
            return int(path.parent.name)
    raise AssertionError(f"no process runs {words}")
