"""A disc goes in, registrations arrive over MLLP, and real archives hold the scans under the local
patient: read back by their own means, never by ours."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from kiosk.cli.context import opened
from kiosk.cli.demonstration import discs as burning
from kiosk.cli.demonstration import registration
from kiosk.cli.service import open_desk
from kiosk.desk import Role
from kiosk.model.matching import Action
from kiosk.model.work import CaseState, IntakeState
from tests import discs
from tests.peers import accepts
from tests.peers.dcmqrscp import dcmqrscp
from tests.peers.orthanc import Orthanc, orthanc
from tests.station import Station, dicom, station, until

WHO = registration.ARCHIBALD


@dataclass(frozen=True)
class Arrived:
    """What `kiosk import` reported, and what the archive has by SOP Instance UID."""

    code: int
    report: dict[str, Any]
    held: dict[str, Dataset]


def held_by_orthanc(archive: Orthanc) -> dict[str, Dataset]:
    files = (archive.rest(f"/instances/{id}/file") for id in archive.json("/instances"))
    return {d.SOPInstanceUID: d for d in (dcmread(BytesIO(f)) for f in files)}


def held_in_folder(folder: Path) -> dict[str, Dataset]:
    """dcmqrscp keeps one file an instance beside its index."""
    files = [p for p in folder.rglob("*") if p.is_file() and p.name != "index.dat"]
    return {d.SOPInstanceUID: d for d in (dcmread(p, force=True) for p in files)}


def table_of(archive: Orthanc) -> str:
    """Orthanc reports commitment on an association that it opens itself: the query proves it, and
    nobody waits here for the report."""
    return dicom(archive.port, archive.ae_title) + "commitment_wait_seconds = 0.5\n"


@contextmanager
def orthanc_over_dicom(folder: Path) -> Iterator[tuple[str, Callable[[], dict[str, Dataset]]]]:
    with orthanc(folder) as archive:
        yield table_of(archive), lambda: held_by_orthanc(archive)


@contextmanager
def orthanc_over_stow(folder: Path) -> Iterator[tuple[str, Callable[[], dict[str, Dataset]]]]:
    with orthanc(folder) as archive:
        table = f'name = "WEB"\nkind = "stow"\nurl = "{archive.url}"\n'
        yield table, lambda: held_by_orthanc(archive)


@contextmanager
def dcmtk_archive(folder: Path) -> Iterator[tuple[str, Callable[[], dict[str, Dataset]]]]:
    with dcmqrscp(folder) as archive:
        table = dicom(archive.port, archive.ae_title) + "commitment = false\n"
        yield table, lambda: held_in_folder(archive.folder)


def register(here: Station) -> None:
    """The hospital's morning, over a real MLLP connection to the running engine's receiver."""
    until(lambda: accepts(here.adt_port), "the ADT receiver listens")
    sent = registration.morning(datetime.now(UTC))
    answers = registration.send("127.0.0.1", here.adt_port, sent)
    assert {a.code for a in answers} == {"AA"}


ARCHIVES = {
    "orthanc": orthanc_over_dicom,
    "orthanc-stow": orthanc_over_stow,
    "dcmqrscp": dcmtk_archive,
}
Archive = Callable[[Path], AbstractContextManager[tuple[str, Callable[[], dict[str, Dataset]]]]]


@pytest.fixture(scope="module", params=ARCHIVES.values(), ids=ARCHIVES.keys())
def arrived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    """Marlowe's disc, brought by somebody whose wristband still has the merged number."""
    folder = tmp_path_factory.mktemp("journey")
    (folder / "archive").mkdir()
    archive: Archive = request.param
    with (
        archive(folder / "archive") as (destination, held),
        station(folder, destination) as here,
        here.engine(),
    ):
        register(here)
        picked = f"{registration.ARCHIBALD_AT_THE_DOOR.number}^HOSP"
        disc = str(discs.marlowe(folder))
        ended = here.kiosk("import", disc, "--patient", picked, "--wait", "120", "--json")
        return Arrived(ended.returncode, json.loads(ended.stdout), held())


def originals() -> dict[str, Dataset]:
    return {d.SOPInstanceUID: d for d in map(dcmread, burning.instances_of(burning.ARCHIBALD))}


def pixels(instance: Dataset) -> str:
    return hashlib.sha256(instance.PixelData).hexdigest()


def test_the_import_reports_every_instance_delivered_and_verified(arrived: Arrived) -> None:
    assert arrived.code == 0
    assert arrived.report["state"] == "CLOSED"
    (case,) = arrived.report["cases"]
    assert case["decision"] == "accept"
    assert case["local"] == {"value": WHO.number, "issuer": "HOSP"}
    assert sorted(s["instances"] for s in case["studies"]) == [3, 4]
    for study in case["studies"]:
        assert study["instances"] == study["delivered"] == study["verified"]
        assert [d["verify_level"] for d in study["destinations"]] == [2]
    ledger = arrived.report["ledger"]
    assert (ledger["files"], ledger["ok"], ledger["dicomdir"], ledger["report"]) == (9, 7, 1, 1)


def test_the_archive_holds_exactly_the_discs_instances_under_their_own_uids(
    arrived: Arrived,
) -> None:
    shipped = originals()
    assert arrived.held.keys() == shipped.keys()
    for uid, instance in arrived.held.items():
        assert instance.StudyInstanceUID == shipped[uid].StudyInstanceUID
        assert instance.SeriesInstanceUID == shipped[uid].SeriesInstanceUID


def test_the_archive_holds_the_discs_pixels_bit_by_bit(arrived: Arrived) -> None:
    shipped = originals()
    assert {u: pixels(d) for u, d in arrived.held.items()} == {
        u: pixels(d) for u, d in shipped.items()
    }


def test_every_header_has_the_survivors_identity_and_none_of_the_merged_number(
    arrived: Arrived,
) -> None:
    for instance in arrived.held.values():
        assert instance.PatientID == WHO.number
        assert instance.IssuerOfPatientID == "HOSP"
        assert str(instance.PatientName) == f"{WHO.family}^{WHO.given}"
        assert instance.PatientBirthDate == WHO.birth_date
        assert instance.PatientSex == WHO.sex
        assert registration.ARCHIBALD_AT_THE_DOOR.number not in str(instance)


def test_every_header_says_what_it_replaced_and_who_did_it(arrived: Arrived) -> None:
    for instance in arrived.held.values():
        original = instance.OriginalAttributesSequence[-1]
        (replaced,) = original.ModifiedAttributesSequence
        assert replaced.PatientID == burning.ARCHIBALD
        assert original.ReasonForTheAttributeModification == "COERCE"
        assert "Test Hospital" in original.ModifyingSystem
        assert instance.ContributingEquipmentSequence[-1].Manufacturer
        assert burning.ARCHIBALD in {i.PatientID for i in instance.OtherPatientIDsSequence}


@pytest.mark.peer("dciodvfy")
def test_dciodvfy_finds_no_error_that_the_disc_did_not_have(
    arrived: Arrived, tmp_path: Path
) -> None:
    shipped = originals()
    for uid, instance in arrived.held.items():
        assert _errors(instance, tmp_path) <= _errors(shipped[uid], tmp_path)


def _errors(instance: Dataset, folder: Path) -> set[str]:
    instance.save_as(folder / "one.dcm", enforce_file_format=True)
    said = subprocess.run(["dciodvfy", folder / "one.dcm"], capture_output=True, text=True)
    return {line for line in said.stderr.splitlines() if line.startswith("Error")}


# -- the ones that a person decides --------------------------------------------------------------


def test_a_disc_of_two_people_waits_for_him_and_arrives_under_each_once_decided(
    tmp_path: Path,
) -> None:
    """One case a patient: each is decided, delivered and filed on its own."""
    (tmp_path / "archive").mkdir()
    with orthanc(tmp_path / "archive") as archive:
        with (
            station(tmp_path, table_of(archive)) as here,
            here.engine(),
        ):
            register(here)
            disc = str(discs.two_people(tmp_path))
            ended = here.kiosk("import", disc, "--wait", "120", "--json")
            assert ended.returncode == 3
            report = json.loads(ended.stdout)
            assert report["state"] == "AWAITING"
            assert {c["on_disc"]["name"] for c in report["cases"]} == {
                "Doe^Archibald",
                "Doe^Peter",
            }
            assert all(c["local"] is None and c["why"] for c in report["cases"])
            assert archive.json("/instances") == []
            peter, rest = _decide(here, report["intake"])
            until(lambda: _closed(here, report["intake"]), "the intake is closed")
            assert rest == [CaseState.REJECTED]
        held = held_by_orthanc(archive)
    assert {str(d.PatientID) for d in held.values()} == {peter}
    assert held.keys() == {dcmread(p).SOPInstanceUID for p in burning.instances_of(burning.PETER)}


def _decide(here: Station, ticket: str) -> tuple[str, list[CaseState]]:
    """Peter is the one that HIM finds; the other person on the disc is not ours."""
    number = registration.PETER.number
    others = []
    with opened(here.config) as context:
        with context.store.read() as tx:
            intake = tx.intakes.by_ticket(ticket)
            assert intake is not None
            cases = tx.cases.of_intake(intake.id)
        him = open_desk(context, Role.HIM, "him")
        for case in cases:
            if case.stated.name.given.lower() == "peter":
                assert case.proposal is not None
                (key,) = (
                    c.local.key
                    for c in case.proposal.candidates
                    if c.local.identity.identifier.value == number
                )
                him.resolve(case.id, Action.LINK, key, "born 1953, says the patient")
            else:
                him.resolve(case.id, Action.NOT_OURS, "", "never a patient here")
                with context.store.read() as tx:
                    others.append(tx.cases.get(case.id).state)
    return number, others


def _closed(here: Station, ticket: str) -> bool:
    with here.rows.read() as tx:
        intake = tx.intakes.by_ticket(ticket)
    return intake is not None and intake.state is IntakeState.CLOSED
