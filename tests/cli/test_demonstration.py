"""The world around a kiosk in small: its discs are real, its PACS is honest, its ADT is heard."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pycdlib
import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.presentation import build_context

from kiosk.cli.demonstration import discs, pacs, registration
from kiosk.cli.demonstration.archive import Archive
from tests import discs as made

# -- discs ---------------------------------------------------------------------------------------


def unpack(image: Path, folder: Path) -> Path:
    """A disc's files by its ISO 9660 names, version and empty extension left off."""
    iso = pycdlib.PyCdlib()
    iso.open(str(image))
    for where, _, names in iso.walk(iso_path="/"):
        for name in names:
            target = folder / where.strip("/") / name.split(";")[0].rstrip(".")
            target.parent.mkdir(parents=True, exist_ok=True)
            iso.get_file_from_iso(str(target), iso_path=f"{where.rstrip('/')}/{name}")
    iso.close()
    return folder


@pytest.mark.parametrize(
    ("burn", "patients", "instances", "files"),
    [
        (made.archibald, {"77654033"}, 7, 9),
        (made.marlowe, {"77654033"}, 7, 9),
        (made.peter, {"98890234"}, 24, 26),
        (made.jan, {"12345678"}, 50, 52),
        (made.two_people, {"77654033", "98890234"}, 31, 32),
    ],
)
def test_a_burnt_disc_is_a_file_set_whose_directory_lists_every_instance(
    burn: object, patients: set[str], instances: int, files: int, tmp_path: Path
) -> None:
    disc = unpack(burn(tmp_path), tmp_path / "disc")  # type: ignore[operator]
    assert len([p for p in disc.rglob("*") if p.is_file()]) == files
    records = pydicom.dcmread(disc / "DICOMDIR").DirectoryRecordSequence
    listed = [r for r in records if "ReferencedFileID" in r]
    assert len(listed) == instances
    assert {r.PatientID for r in records if "PatientID" in r} == patients
    for record in listed:
        image = pydicom.dcmread(disc.joinpath(*record.ReferencedFileID))
        assert image.SOPInstanceUID == record.ReferencedSOPInstanceUIDInFile


def test_the_instances_on_a_disc_are_the_wheels_byte_for_byte(tmp_path: Path) -> None:
    disc = unpack(made.archibald(tmp_path), tmp_path / "disc")
    burnt = {hashlib.sha256(p.read_bytes()).digest() for p in disc.rglob("IM*")}
    shipped = {hashlib.sha256(p.read_bytes()).digest() for p in discs.instances_of("77654033")}
    assert burnt == shipped


def test_a_disc_that_states_another_identity_keeps_uids_and_pixels(tmp_path: Path) -> None:
    disc = unpack(made.marlowe(tmp_path), tmp_path / "disc")
    burnt = {d.SOPInstanceUID: d for d in map(pydicom.dcmread, disc.rglob("IM*"))}
    for shipped in map(pydicom.dcmread, discs.instances_of("77654033")):
        there = burnt.pop(shipped.SOPInstanceUID)
        assert there.PixelData == shipped.PixelData
        assert (there.PatientName, there.PatientBirthDate) == ("Marlowe^Archibald", "19480229")
    assert not burnt


def test_every_name_on_a_disc_is_of_iso_9660_level_1(tmp_path: Path) -> None:
    disc = unpack(made.two_people(tmp_path), tmp_path / "disc")
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
    for path in disc.rglob("*"):
        assert set(path.name) <= allowed
        assert len(path.name) <= 8


# -- the PACS ------------------------------------------------------------------------------------


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[pacs.Peer]:
    with pacs.running(tmp_path / "pacs") as running:
        yield running


class Sender:
    """A storage SCU of this test's own, that also hears commitment reports."""

    def __init__(self, peer: pacs.Peer, *abstract: str) -> None:
        self.reports: list[tuple[int, Dataset]] = []
        self.heard = threading.Event()
        ae = AE(ae_title="KIOSK")
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 20
        handlers = [(evt.EVT_N_EVENT_REPORT, self.hear)]
        role = build_role(pacs.COMMITMENT, scp_role=False, scu_role=True)
        self.association = ae.associate(
            peer.host,
            peer.port,
            contexts=[build_context(uid) for uid in abstract],
            ae_title=peer.ae_title,
            evt_handlers=handlers,
            ext_neg=[role] if pacs.COMMITMENT in abstract else None,
        )
        assert self.association.is_established

    def hear(self, event: evt.Event) -> tuple[int, None]:
        self.reports.append((event.event_type, event.event_information))
        self.heard.set()
        return 0x0000, None

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self.association.release()


CT = "1.2.840.10008.5.1.4.1.1.2"


def ct_images() -> list[Path]:
    return [p for p in discs.instances_of("77654033") if pydicom.dcmread(p).Modality == "CT"]


def commit_request(*uids: str) -> Dataset:
    asked = Dataset()
    asked.TransactionUID = pydicom.uid.generate_uid()
    asked.ReferencedSOPSequence = []
    for uid in uids:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, uid
        asked.ReferencedSOPSequence.append(item)
    return asked


def ask_commitment(sender: Sender, *uids: str) -> Dataset:
    asked = commit_request(*uids)
    status, _ = sender.association.send_n_action(
        asked, 1, pacs.COMMITMENT, pacs.COMMITMENT_INSTANCE
    )
    assert status.Status == 0x0000
    return asked


def test_the_pacs_keeps_an_instance_byte_for_byte_under_a_name_of_its_own(
    peer: pacs.Peer,
) -> None:
    original = ct_images()[0]
    with Sender(peer, CT) as sender:
        assert sender.association.send_c_store(original).Status == 0x0000
    (kept,) = peer.folder.iterdir()
    sent, held = pydicom.dcmread(original), pydicom.dcmread(kept)
    assert held.PixelData == sent.PixelData
    assert held.SOPInstanceUID == sent.SOPInstanceUID
    assert sent.SOPInstanceUID not in kept.name


def test_a_sop_instance_uid_that_is_a_path_stays_below_the_pacs_folder(
    tmp_path: Path, expected_logs: Callable[..., None]
) -> None:
    expected_logs("pydicom: Invalid value for VR UI")
    held = Archive(tmp_path / "pacs" / "files")
    uid = str(pydicom.dcmread(ct_images()[0]).SOPInstanceUID)
    hostile = "../../../x".ljust(len(uid), "/")
    untrusted_file = ct_images()[0].read_bytes().replace(uid.encode(), hostile.encode())
    with pytest.warns(UserWarning, match="Invalid value for VR UI"):
        held.store(untrusted_file)
    assert held.holds(CT, hostile)
    (kept,) = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert kept.parent == tmp_path / "pacs" / "files"


def test_commitment_is_reported_for_what_is_held_and_refused_for_what_is_not(
    peer: pacs.Peer,
) -> None:
    held, never_sent = ct_images()[:2]
    uids = [pydicom.dcmread(p).SOPInstanceUID for p in (held, never_sent)]
    with Sender(peer, CT, pacs.COMMITMENT) as sender:
        sender.association.send_c_store(held)
        asked = ask_commitment(sender, *uids)
        assert sender.heard.wait(20)
    ((kind, report),) = sender.reports
    assert kind == 2
    assert report.TransactionUID == asked.TransactionUID
    assert [i.ReferencedSOPInstanceUID for i in report.ReferencedSOPSequence] == [uids[0]]
    (failed,) = report.FailedSOPSequence
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == (uids[1], 0x0112)


def test_commitment_is_reported_on_a_new_association_where_that_is_asked_for(
    tmp_path: Path,
) -> None:
    reports: list[int] = []
    heard = threading.Event()

    def hear(event: evt.Event) -> tuple[int, None]:
        reports.append(event.event_type)
        heard.set()
        return 0x0000, None

    ae = AE(ae_title="KIOSK")
    ae.add_supported_context(pacs.COMMITMENT, scu_role=False, scp_role=True)
    listener = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, hear)]
    )
    port = listener.server_address[1]
    image = ct_images()[0]
    with (
        pacs.running(tmp_path / "pacs", report_port=port) as peer,
        Sender(peer, CT, pacs.COMMITMENT) as sender,
    ):
        sender.association.send_c_store(image)
        ask_commitment(sender, pydicom.dcmread(image).SOPInstanceUID)
        assert heard.wait(20)
    listener.shutdown()
    assert reports == [1]
    assert sender.reports == []


def query(sender: Sender, level: str, **keys: object) -> list[Dataset]:
    asked = Dataset()
    asked.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    answers = list(sender.association.send_c_find(asked, pacs.FIND))
    assert answers[-1][0].Status == 0x0000
    return [answer for _, answer in answers[:-1] if answer is not None]


def test_queries_answer_by_study_series_and_image_what_was_stored(peer: pacs.Peer) -> None:
    images = ct_images()
    with Sender(peer, CT, pacs.FIND) as sender:
        for image in images:
            sender.association.send_c_store(image)
        (study,) = query(
            sender,
            "STUDY",
            PatientName="doe^arch*",
            StudyInstanceUID="",
            NumberOfStudyRelatedInstances=None,
            AccessionNumber="",
            IssuerOfPatientID="",
        )
        (series,) = query(
            sender, "SERIES", StudyInstanceUID=study.StudyInstanceUID, SeriesInstanceUID=""
        )
        found = query(
            sender,
            "IMAGE",
            StudyInstanceUID=study.StudyInstanceUID,
            SeriesInstanceUID=series.SeriesInstanceUID,
            SOPInstanceUID="",
        )
        assert query(sender, "STUDY", PatientID="nobody") == []
        assert query(sender, "STUDY", StudyDate="20240101-") == []
        assert len(query(sender, "STUDY", StudyDate="19950101-19951231")) == 1
    assert study.NumberOfStudyRelatedInstances == 4
    assert str(study.PatientName) == "Doe^Archibald"
    assert {i.SOPInstanceUID for i in found} == {pydicom.dcmread(p).SOPInstanceUID for p in images}


def test_a_restarted_pacs_still_holds_what_it_committed(tmp_path: Path) -> None:
    image = ct_images()[0]
    uid = pydicom.dcmread(image).SOPInstanceUID
    with pacs.running(tmp_path / "pacs") as peer, Sender(peer, CT) as sender:
        sender.association.send_c_store(image)
    with pacs.running(tmp_path / "pacs") as peer, Sender(peer, pacs.COMMITMENT) as sender:
        ask_commitment(sender, uid)
        assert sender.heard.wait(20)
    assert [kind for kind, _ in sender.reports] == [1]


@pytest.mark.peer("dcmsend", "findscu")
def test_dcmtk_stores_to_the_pacs_and_finds_it_there(peer: pacs.Peer) -> None:
    where = ["-aec", peer.ae_title, peer.host, str(peer.port)]
    files = [str(p) for p in discs.instances_of("77654033")]
    subprocess.run(["dcmsend", *where, *files], check=True, capture_output=True)
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID=77654033", "-k", "StudyInstanceUID"]
    found = subprocess.run(
        ["findscu", "-v", "-S", *keys, *where], check=True, capture_output=True, text=True
    )
    assert len(list(peer.folder.glob("*.dcm"))) == len(files) == 7
    assert (found.stdout + found.stderr).count("StudyInstanceUID") >= 3  # asked once, found twice


# -- registration --------------------------------------------------------------------------------


def answering(answer_of: object) -> tuple[int, threading.Thread, list[bytes]]:
    """A receiver on a free port for one connection: (port, thread, what it heard)."""
    server = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        with server, server.accept()[0] as peer:
            data = b""
            while chunk := peer.recv(4096):
                data += chunk
                if not data.endswith(b"\x1c\r"):
                    continue
                heard.append(data.strip(b"\x0b\x1c\r") + b"\r")
                data = b""
                if (answer := answer_of(heard[-1])) is None:  # type: ignore[operator]
                    return
                peer.sendall(b"\x0b" + answer + b"\x1c\r")

    thread = threading.Thread(target=serve)
    thread.start()
    return server.getsockname()[1], thread, heard


def control_id(frame: bytes) -> bytes:
    return frame.split(b"\r")[0].split(b"|")[9]


def test_a_morning_is_sent_message_by_message_and_every_one_acknowledged() -> None:
    port, thread, heard = answering(
        lambda frame: b"MSH|^~\\&|K\rMSA|AA|" + control_id(frame) + b"\r"
    )
    sent = registration.morning(datetime(2026, 11, 24, 9, 0, tzinfo=UTC))
    answers = registration.send("127.0.0.1", port, sent)
    thread.join()
    assert [a.code for a in answers] == ["AA"] * len(sent)
    assert [m.trigger for m in sent].count("A04") == 8
    assert [m.trigger for m in sent][-1] == "A40"
    assert heard == [m.text.encode() for m in sent]
    assert len({m.control_id for m in sent}) == len(sent)


def test_an_answer_to_another_message_is_no_acknowledgment() -> None:
    port, thread, _ = answering(lambda frame: b"MSH|^~\\&|K\rMSA|AA|ANOTHER\r")
    with pytest.raises(registration.NoAnswer):
        registration.send("127.0.0.1", port, registration.morning(datetime.now(UTC))[:1])
    thread.join()


def test_a_receiver_that_hangs_up_is_no_acknowledgment() -> None:
    port, thread, _ = answering(lambda frame: None)
    with pytest.raises(registration.NoAnswer):
        registration.send("127.0.0.1", port, registration.morning(datetime.now(UTC))[:1])
    thread.join()
