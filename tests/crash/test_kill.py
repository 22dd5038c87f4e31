"""The engine is killed in the middle of its work and started again: nothing is lost, nothing is
delivered twice or under two identities (fault matrix 1-6)."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from kiosk.cli.demonstration import discs, registration
from kiosk.model.delivery import Answer
from kiosk.model.medium import read_manifest
from kiosk.model.work import IntakeState
from tests.peers.orthanc import Orthanc, orthanc
from tests.station import Station, dicom, kill, station, until

IMAGES = 400
WHO = registration.ARCHIBALD


@pytest.fixture(scope="module")
def disc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One study of many MR images of one registered patient, without a DICOMDIR."""
    image = dcmread(get_testdata_file("MR_small.dcm"))
    image.PatientName = f"{WHO.family}^{WHO.given}"
    image.PatientBirthDate, image.PatientSex = WHO.birth_date, WHO.sex
    folder = tmp_path_factory.mktemp("disc")
    files: dict[str, bytes | Path] = {}
    for n in range(IMAGES):
        image.SOPInstanceUID = generate_uid(entropy_srcs=["crash", str(n)])
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.InstanceNumber = n
        path = folder / f"{n}.dcm"
        image.save_as(path)
        files[f"IMAGES/IM{n:04d}"] = path
    return discs.burn(files, folder / "disc.iso", "MANY")


def registered(here: Station) -> None:
    """The patient is known before the disc comes."""
    messages = here.folder / "adt.hl7"
    text = "\r".join(m.text for m in registration.morning(datetime.now(UTC)))
    messages.write_text(text, newline="")
    assert here.kiosk("adt", "load", str(messages)).returncode == 0


def arrives_whole(here: Station, archive: Orthanc, id: int) -> None:
    """What must be true in the end, however often the engine died on the way."""
    until(lambda: here.intake(id).state is IntakeState.CLOSED, "the intake is closed")
    instances = archive.json("/instances?expand")
    assert len(instances) == IMAGES
    (patient,) = archive.json("/patients?expand")
    assert patient["MainDicomTags"]["PatientID"] == WHO.number
    (case,) = here.cases(id)
    with here.rows.read() as tx:
        (delivery,) = tx.deliveries.of_case(case.id)
        assert tx.deliveries.counts(delivery.id) == {Answer.VERIFIED: IMAGES}
        ledger = tx.intakes.ledger(id)
        assert ledger is not None
        assert ledger.balances
        assert ledger.ok == IMAGES
        assert tx.journal.first_broken() is None


def staged(here: Station, ticket: str) -> int:
    return sum(1 for _ in read_manifest(here.staging(ticket)))


def test_killed_while_reading_it_goes_on_where_it_stopped(tmp_path: Path, disc: Path) -> None:
    with orthanc_in(tmp_path) as archive, station(tmp_path, dicom_of(archive)) as here:
        registered(here)
        intake = here.insert(disc)
        with here.engine(held_at_rename=IMAGES * 3 // 4) as engine:
            until(lambda: staged(here, intake.ticket) > 0, "some files are staged")
            kill(engine)
        before = staged(here, intake.ticket)
        assert here.intake(intake.id).state is IntakeState.RECEIVED
        assert 0 < before < IMAGES, "it was not killed in the middle"
        with here.engine():
            arrives_whole(here, archive, intake.id)
        assert staged(here, intake.ticket) == IMAGES  # no file was read or entered twice


def test_killed_while_sending_it_sends_the_rest(tmp_path: Path, disc: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    script = tmp_path / "gate.lua"
    script.write_text(
        f"""
        received = 0
        function ReceivedInstanceFilter(dicom, origin, info)
          received = received + 1
          if received == 21 then
            local gate = io.open("{gate}", "r") -- until somebody opens it for writing
            if gate then gate:close() end
          end
          return true
        end
        """
    )
    with (
        orthanc_in(tmp_path, LuaScripts=[str(script)]) as archive,
        station(tmp_path, dicom_of(archive)) as here,
    ):
        registered(here)
        intake = here.insert(disc)
        with here.engine() as engine:
            until(lambda: archive.json("/statistics")["CountInstances"] == 20, "some have arrived")
            kill(engine)
        gate.write_bytes(b"")
        assert here.intake(intake.id).state is IntakeState.CATALOGED
        with here.engine():
            arrives_whole(here, archive, intake.id)


def test_killed_again_and_again_it_still_arrives_whole(tmp_path: Path, disc: Path) -> None:
    """At each state that shows in the rows the engine dies once."""
    with orthanc_in(tmp_path) as archive, station(tmp_path, dicom_of(archive)) as here:
        registered(here)
        intake = here.insert(disc)
        seen: set[str] = set()
        for _ in range(4):
            with here.engine() as engine:
                until(lambda: place(here, intake.id) not in seen, "it comes further")
                kill(engine)
            seen.add(place(here, intake.id))
            if here.intake(intake.id).state is IntakeState.CLOSED:
                break  # it went through more than one of them before we looked
        with here.engine():
            arrives_whole(here, archive, intake.id)


def place(here: Station, id: int) -> str:
    """Where the work is, as the rows tell it."""
    states = [case.state.value for case in here.cases(id)]
    return f"{here.intake(id).state.value} {states}"


def orthanc_in(folder: Path, **settings: Any) -> AbstractContextManager[Orthanc]:
    """An archive that keeps its files apart from the station's."""
    own = folder / "orthanc"
    own.mkdir()
    return orthanc(own, **settings)


def dicom_of(archive: Orthanc) -> str:
    return dicom(archive.port, archive.ae_title)
