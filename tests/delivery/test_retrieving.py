"""Level 3: a sample comes back with the pixel data that were sent, by C-GET and by WADO-RS."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    generate_uid,
)

from kiosk.delivery import compare, send
from kiosk.model.delivery import Outbound, Sample
from kiosk.policy.sections import Destination
from tests.delivery.instances import CALLING, destination, outbound
from tests.peers.dcmqrscp import dcmqrscp
from tests.peers.orthanc import Orthanc
from tests.peers.scripted import Conversation, scripted
from tests.peers.storescp import storescp
from tests.peers.web import Handler, web

SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit)


def sample(item: Outbound, series: str) -> Sample:
    """As it was sent: native value, or the items of a compressed one."""
    coerced = item.coerce()
    tail = coerced.tail.read_bytes()[coerced.tail_offset :]
    implicit = item.transfer_syntax_uid == ImplicitVRLittleEndian
    value = tail[8 if implicit else 12 :]
    if item.transfer_syntax_uid == JPEGBaseline8Bit:
        value = value[:-8]
    return Sample(
        series,
        item.sop_instance_uid,
        item.sop_class_uid,
        item.transfer_syntax_uid,
        len(tail),
        hashlib.sha256(value).hexdigest(),
    )


def sent(
    to: Destination, folder: Path, syntaxes: tuple[str, ...] = SYNTAXES
) -> tuple[str, list[Sample]]:
    study, series = generate_uid(), generate_uid()
    items = [
        outbound(folder, study=study, series=series, syntax=syntax, pixels=70_000)
        for syntax in syntaxes
    ]
    attempt = send(to, CALLING, items, lambda r: None, lambda: False)
    assert {r.answer.value for r in attempt.results} == {"accepted"}
    return study, [sample(item, series) for item in items]


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("s3cret")
    return path


def test_orthanc_gives_back_by_c_get_what_was_sent(archive: Orthanc, tmp_path: Path) -> None:
    to = destination(archive)
    study, samples = sent(to, tmp_path)
    found = compare(to, CALLING, study, samples)
    assert found.problem == ""
    assert found.same == {s.sop_instance_uid for s in samples}
    assert found.other == frozenset()


def test_orthanc_gives_back_by_wado_what_was_sent(
    archive: Orthanc, tmp_path: Path, password: Path
) -> None:
    to = destination(
        archive, kind="stow", url=archive.url, username="kiosk", password_file=password
    )
    study, samples = sent(to, tmp_path)
    found = compare(to, CALLING, study, samples)
    assert found.problem == ""
    assert found.same == {s.sop_instance_uid for s in samples}


def test_dcmqrscp_gives_back_what_was_sent(tmp_path: Path) -> None:
    (tmp_path / "peer").mkdir()
    with dcmqrscp(tmp_path / "peer") as peer:
        to = destination(peer)
        study, samples = sent(to, tmp_path, SYNTAXES[:1])
        found = compare(to, CALLING, study, samples)
    assert found.problem == ""
    assert found.same == {s.sop_instance_uid for s in samples}


@pytest.mark.parametrize("way", ["dicom", "stow"])
def test_other_pixels_are_told_apart(
    archive: Orthanc, tmp_path: Path, password: Path, way: str
) -> None:
    """The archive kept an older version under the UID: the pixels that we sent are not there."""
    to = destination(archive)
    study, samples = sent(to, tmp_path)
    if way == "stow":
        web_of = {"kind": "stow", "url": archive.url, "username": "kiosk"}
        to = destination(archive, **web_of, password_file=password)
    changed = [replace(samples[0], pixels="0" * 64), *samples[1:]]
    found = compare(to, CALLING, study, changed)
    assert found.other == {samples[0].sop_instance_uid}
    assert found.same == {s.sop_instance_uid for s in samples[1:]}


def one(uid: str = "1.2.3") -> Sample:
    return Sample("1.2", uid, CTImageStorage, ExplicitVRLittleEndian, 1000, "0" * 64)


def test_an_archive_without_c_get_is_a_permanent_problem_in_words(tmp_path: Path) -> None:
    with storescp(tmp_path) as peer:
        found = compare(destination(peer), CALLING, "1.2", [one()])
    assert "does not offer Study Root C-GET" in found.problem
    assert not found.retry


def answers_nothing(conversation: Conversation) -> None:
    conversation.hang()


def aborts(conversation: Conversation) -> None:
    conversation.abort()


def floods(conversation: Conversation) -> None:
    conversation.send_pdu(4, b"\0\0\0\x02\x01\x03" * 2000)
    conversation.wait_for_close()


@pytest.mark.parametrize("act", [answers_nothing, aborts, floods])
def test_whatever_a_peer_does_is_a_problem_and_never_an_exception(
    act: Callable[[Conversation], None],
) -> None:
    with scripted(lambda n, c: act(c)) as peer:
        found = compare(destination(peer, answer_seconds=0.5), CALLING, "1.2", [one()])
    assert found.problem.endswith(".")
    assert found.same == found.other == frozenset()


def part(
    content: bytes, kind: str = 'multipart/related; boundary="x"'
) -> Callable[[Handler], None]:
    body = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--x--\r\n"
    return lambda handler: handler.answer(200, body, Content_Type=kind)


@pytest.mark.parametrize(
    "respond",
    [
        lambda h: h.answer(404),
        lambda h: h.answer(500, b"<html>"),
        lambda h: h.answer(200, b"nothing"),
        lambda h: h.answer(200, b"x" * 40_000_000),
        part(b""),
        part(b"no DICOM"),
        part(bytes(128) + b"DICM"),
        part(b"x", kind="multipart/related"),
    ],
)
def test_whatever_a_web_server_gives_back_is_a_problem(
    respond: Callable[[Handler], None],
) -> None:
    with web(respond) as peer:
        to = destination(peer, kind="stow", url=peer.url)
        found = compare(to, CALLING, "1.2", [one()])
    assert found.problem.endswith(".")
    assert found.same == found.other == frozenset()


def test_another_image_than_the_one_asked_for_is_no_comparison(tmp_path: Path) -> None:
    item = outbound(tmp_path)
    coerced = item.coerce()
    content = coerced.meta + coerced.header + coerced.tail.read_bytes()[coerced.tail_offset :]
    (tmp_path / "x.dcm").write_bytes(content)
    assert dcmread(tmp_path / "x.dcm").SOPInstanceUID == item.sop_instance_uid
    with web(part(content)) as peer:
        to = destination(peer, kind="stow", url=peer.url)
        assert not compare(to, CALLING, "1.2", [one("1.2.9")]).retry
        found = compare(to, CALLING, "1.2", [sample(item, "1.2")])
    assert found.same == {item.sop_instance_uid}
