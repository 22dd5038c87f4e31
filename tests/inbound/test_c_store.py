"""Scans sent by C-STORE, from senders that others wrote: what is staged, and what is refused."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import JPEG2000, ExplicitVRLittleEndian

from kiosk import inbound
from kiosk.delivery.dimse.negotiation import Proposed, encode_request
from kiosk.model.medium import MediumKind
from kiosk.policy.sections import Inbound, Limits, Tls
from tests.inbound.senders import (
    CT,
    J2K,
    MR,
    Sender,
    Station,
    c_store,
    data_set,
    lines,
    made,
    uid_of,
)
from tests.peers import LOOPBACK, require
from tests.peers.certificates import Authority, Issued
from tests.peers.orthanc import orthanc


def receiver(folder: Path, station: Station, settings: Inbound | None = None) -> inbound.Receiver:
    return inbound.listen(settings or c_store(), "KIOSK", Limits(), folder, station)


def storescu(port: int, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [require("storescu"), "-aec", "KIOSK", *map(str, arguments)]
    at = next((n for n, a in enumerate(command) if a.endswith(".dcm")), len(command))
    command[at:at] = [LOOPBACK, str(port)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.peer("storescu")
def test_what_storescu_sends_is_staged_as_files_that_say_what_they_are(tmp_path: Path) -> None:
    """A PS3.10 file each, with preamble and meta group made anew."""
    station = Station()
    with receiver(tmp_path, station) as here:
        assert storescu(here.port, CT, MR).returncode == 0
        files = station.files()
    assert files.keys() == {uid_of(CT), uid_of(MR)}
    for sent in (CT, MR):
        staged = files[uid_of(sent)]
        assert dcmread(staged).PixelData == dcmread(sent).PixelData
        meta, original = dcmread(staged).file_meta, dcmread(sent).file_meta
        assert meta.TransferSyntaxUID == original.TransferSyntaxUID
        assert meta.MediaStorageSOPClassUID == original.MediaStorageSOPClassUID
        assert meta.SourceApplicationEntityTitle == "STORESCU"
        assert staged.read_bytes()[:128] == bytes(128)
    (medium,) = station.arrived
    assert (medium.kind, medium.filesystem) == (MediumKind.NETWORK, "c-store")
    assert medium.label == f"STORESCU ({LOOPBACK})"
    assert medium.bytes == sum(path.stat().st_size for path in files.values())


@pytest.mark.peer("dcmsend")
def test_what_dcmsend_sends_compressed_stays_compressed(tmp_path: Path) -> None:
    station = Station()
    with receiver(tmp_path, station) as here:
        command = [require("dcmsend"), "-aec", "KIOSK", LOOPBACK, str(here.port), str(J2K)]
        subprocess.run(command, check=True, timeout=60)
        (staged,) = station.files().values()
    assert dcmread(staged).PixelData == dcmread(J2K).PixelData
    assert dcmread(staged).file_meta.TransferSyntaxUID == JPEG2000


def test_a_data_set_is_staged_bit_for_bit_however_it_is_cut(tmp_path: Path) -> None:
    station = Station()
    data = data_set(CT.read_bytes())
    with receiver(tmp_path, station) as here, Sender(here.port) as sender:
        sender.order(uid_of(CT))
        sender.data(data[:10], last=False, size=2)
        sender.data(data[10:], size=3)
        assert sender.status() == 0
        assert sender.release() == 6
        (staged,) = station.files().values()
    assert data_set(staged.read_bytes()) == data


@pytest.mark.peer("Orthanc")
def test_what_orthanc_forwards_is_one_session(tmp_path: Path) -> None:
    """Another hospital's archive sends a study on, as it does to any modality."""
    station = Station()
    (tmp_path / "archive").mkdir()
    with (
        receiver(tmp_path / "in", station, c_store(quiet_seconds=1.0)) as here,
        orthanc(
            tmp_path / "archive", DicomModalities={"kiosk": ["KIOSK", LOOPBACK, here.port]}
        ) as archive,
    ):

        def post(path: str, body: bytes) -> None:
            url = f"http://{LOOPBACK}:{archive.http_port}{path}"
            urllib.request.urlopen(urllib.request.Request(url, body), timeout=30).close()

        for path in (CT, MR, J2K):
            post("/instances", path.read_bytes())
        for instance in archive.json("/instances"):
            post("/modalities/kiosk/store", json.dumps([instance]).encode())
        assert station.files().keys() == {uid_of(p) for p in (CT, MR, J2K)}


def test_a_sender_may_ask_whether_we_are_there(tmp_path: Path) -> None:
    with receiver(tmp_path, Station()) as here:
        command = [require("echoscu"), "-aec", "KIOSK", LOOPBACK, str(here.port)]
        assert subprocess.run(command, timeout=60).returncode == 0


@pytest.mark.peer("storescu")
def test_over_tls_only_who_shows_a_certificate_of_our_authority_sends(
    tmp_path: Path, expected_logs: Callable[..., None]
) -> None:
    expected_logs("kiosk.inbound: .*TLS failed")
    authority, other = Authority(tmp_path), Authority(tmp_path, "stranger")
    ours, theirs = authority.issue("receiver"), authority.issue("sender")
    stranger = other.issue("unknown")
    station = Station()
    tls = Tls(ca=authority.ca, certificate=ours.certificate, key=ours.key)
    with receiver(tmp_path / "in", station, c_store(tls=tls)) as here:

        def send(shown: Issued) -> int:
            tls = ("+tls", shown.key, shown.certificate, "+cf", authority.ca)
            return storescu(here.port, *tls, CT).returncode

        assert send(stranger) != 0
        assert storescu(here.port, CT).returncode != 0
        assert send(theirs) == 0
        assert station.files().keys() == {uid_of(CT)}


# -- who may come in -----------------------------------------------------------------------------


def answer_to(port: int, called: str = "KIOSK", calling: str = "SENDER") -> tuple[int, bytes]:
    with Sender(port, associate=False) as sender:
        contexts = [Proposed("1.2.840.10008.1.1", (ExplicitVRLittleEndian,))]
        sender.send(encode_request(contexts, called, calling, 16384))
        return sender.pdu()


def test_another_called_title_and_an_unknown_sender_are_rejected_for_good(tmp_path: Path) -> None:
    with receiver(tmp_path, Station(), c_store(senders=("FRIEND",))) as here:
        assert answer_to(here.port, called="PACS", calling="FRIEND") == (3, bytes((0, 1, 1, 7)))
        assert answer_to(here.port, calling="SENDER") == (3, bytes((0, 1, 1, 3)))
        assert answer_to(here.port, calling="FRIEND")[0] == 2


def test_an_address_that_is_not_configured_is_not_answered(
    tmp_path: Path, expected_logs: Callable[..., None]
) -> None:
    expected_logs("not among the configured peers")
    with (
        receiver(tmp_path, Station(), c_store(peers=("192.0.2.0/24",))) as here,
        Sender(here.port, associate=False) as sender,
    ):
        assert sender.pdu() == (0, b"")


def test_one_association_too_many_is_rejected_for_now(tmp_path: Path) -> None:
    with (
        receiver(tmp_path, Station(), c_store(associations=2)) as here,
        Sender(here.port),
        Sender(here.port) as second,
    ):
        assert answer_to(here.port) == (3, bytes((0, 2, 3, 2)))
        assert second.release() == 6
        assert second.pdu() == (0, b"")


# -- what is one session -------------------------------------------------------------------------


def test_an_association_with_pauses_is_one_session(tmp_path: Path) -> None:
    """It is not quiet while somebody is there, however long the quiet time has passed."""
    station = Station()
    with receiver(tmp_path, station, c_store(quiet_seconds=0.0)) as here:
        with Sender(here.port) as sender, Sender(here.port) as other:
            for uid in ("1.2.3.1", "1.2.3.2"):
                assert sender.store(uid, data_set(made(tmp_path, 100).read_bytes())) == 0
                assert other.status_of_echo() == 0
            assert not station.arrived
        (medium,) = station.sessions()
    assert [f.untrusted_path for f in lines(Path(medium.location))] == [
        "1.2.3.1.dcm",
        "1.2.3.2.dcm",
    ]


def test_the_same_instance_sent_again_is_kept_once(tmp_path: Path) -> None:
    station = Station()
    data = data_set(CT.read_bytes())
    with receiver(tmp_path, station) as here:
        with Sender(here.port) as sender:
            assert [sender.store(uid_of(CT), data) for _ in range(3)] == [0, 0, 0]
            assert sender.release() == 6
        assert len(station.files()) == 1


def test_a_session_that_the_station_cannot_take_now_is_told_again(tmp_path: Path) -> None:
    unable, able = Station(able=False), Station()
    with receiver(tmp_path, unable) as here:
        with Sender(here.port) as sender:
            assert sender.store(uid_of(CT), data_set(CT.read_bytes())) == 0
        (medium,) = unable.sessions()
    with receiver(tmp_path, able):
        assert able.sessions() == [medium]
        assert able.files().keys() == {uid_of(CT)}


def test_a_full_session_is_followed_by_another(tmp_path: Path) -> None:
    station = Station()
    limits = Limits(files=2)
    with inbound.listen(c_store(), "KIOSK", limits, tmp_path, station) as here:
        with Sender(here.port) as sender:
            for n in range(5):
                assert sender.store(f"1.2.{n}", f"{n}".encode() * 100) == 0
        sessions = station.sessions(3)
    assert sorted(len(lines(Path(m.location))) for m in sessions) == [1, 2, 2]


# -- what cannot be stored -----------------------------------------------------------------------


def test_an_instance_that_is_named_by_no_uid_is_refused_and_the_next_one_taken(
    tmp_path: Path,
) -> None:
    station = Station()
    with receiver(tmp_path, station) as here, Sender(here.port) as sender:
        for name in ("../../etc/passwd", "", "1.2." + "3" * 70):
            assert sender.store(name, b"\0" * 100) == 0x0117
        sender.order("1.2.3", sop_class="1.2.840.10008.5.1.4.1.1.4")
        sender.data(b"\0" * 100)
        assert sender.status() == 0xA900
        assert sender.store(uid_of(CT), data_set(CT.read_bytes())) == 0
        assert sender.release() == 6
        assert station.files().keys() == {uid_of(CT)}


def test_a_disk_that_takes_nothing_is_said_and_not_hidden(
    tmp_path: Path, expected_logs: Callable[..., None]
) -> None:
    """Out of resources (A700) tells the sender to try again; once there is room it works."""
    expected_logs("cannot be kept")
    station = Station()
    with receiver(tmp_path / "in", station) as here, Sender(here.port) as sender:
        away = tmp_path / "away"
        (tmp_path / "in").rename(away)
        assert sender.store(uid_of(CT), data_set(CT.read_bytes())) == 0xA700
        away.rename(tmp_path / "in")
        assert sender.store(uid_of(CT), data_set(CT.read_bytes())) == 0
        assert sender.release() == 6
        assert station.files().keys() == {uid_of(CT)}
