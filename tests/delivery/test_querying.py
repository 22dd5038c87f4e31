"""What an archive has, asked of the archive: C-ECHO, C-FIND, QIDO-RS."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import generate_uid

from kiosk.delivery import commit, echo, send, verify
from kiosk.delivery.identity import differences, same_name
from kiosk.model.delivery import Answer, Outbound
from kiosk.policy.sections import Destination
from tests.delivery.instances import CALLING, EXPECTED, destination, outbound
from tests.peers.dcmqrscp import dcmqrscp
from tests.peers.orthanc import Orthanc
from tests.peers.scripted import Conversation, scripted
from tests.peers.storescp import storescp


def sent(to: Destination, items: list[Outbound]) -> None:
    attempt = send(to, CALLING, items, lambda r: None, lambda: False)
    assert {r.answer for r in attempt.results} == {Answer.ACCEPTED}


def uids(items: list[Outbound]) -> frozenset[str]:
    return frozenset(item.sop_instance_uid for item in items)


@pytest.fixture(params=["dicom", "stow"])
def to(request: pytest.FixtureRequest, archive: Orthanc, tmp_path: Path) -> Destination:
    """The same archive, reached in both ways."""
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    web = {"url": archive.url, "username": "kiosk", "password_file": password}
    return destination(archive, kind=request.param, **web)


def test_an_archive_that_works_is_silent(to: Destination) -> None:
    assert echo(to, CALLING) == ""


def test_every_instance_of_every_series_is_found(to: Destination, tmp_path: Path) -> None:
    study, series = generate_uid(), generate_uid()
    items = [outbound(tmp_path, study=study, series=series) for _ in range(3)]
    items += [outbound(tmp_path, study=study) for _ in range(2)]
    sent(to, [*items, outbound(tmp_path)])
    found = verify(to, CALLING, study, EXPECTED)
    assert found.problem == ""
    assert found.present == uids(items)
    assert found.differences == ()


def test_a_study_that_is_not_there_has_no_instances_and_is_no_problem(to: Destination) -> None:
    found = verify(to, CALLING, generate_uid(), EXPECTED)
    assert (found.present, found.differences, found.problem) == (frozenset(), (), "")


def test_another_identity_is_named_attribute_by_attribute(to: Destination, tmp_path: Path) -> None:
    study = generate_uid()
    items = [outbound(tmp_path, study=study)]
    sent(to, items)
    other = {"PatientID": "9", "PatientName": "Other^Name", "PatientBirthDate": "19700103"}
    found = verify(to, CALLING, study, other)
    assert found.present == uids(items)
    assert found.differences == (
        ("PatientBirthDate", "19700103", "19700102"),
        ("PatientID", "9", "4711"),
        ("PatientName", "Other^Name", "Probe^Anna"),
    )


def test_one_study_under_two_patients_is_a_difference(to: Destination, tmp_path: Path) -> None:
    """An older import of the same study under another number must not stay unseen."""
    study = generate_uid()
    sent(to, [outbound(tmp_path, study=study, PatientID="1"), outbound(tmp_path, study=study)])
    found = verify(to, CALLING, study, EXPECTED)
    assert ("PatientID", "4711", "1") in found.differences


def test_old_content_that_was_kept_is_found_out(to: Destination, tmp_path: Path) -> None:
    """Orthanc answers 0000 to the same UIDs with other content, and keeps the old."""
    study = generate_uid()
    old = outbound(tmp_path, study=study, PatientName="Older^Name")
    sent(to, [old])
    header = old.coerce().header.replace(b"Older^Name", b"Probe^Anna")
    coerced = replace(old.coerce(), header=header)
    sent(to, [replace(old, coerce=lambda: coerced)])
    found = verify(to, CALLING, study, EXPECTED)
    assert found.present == {old.sop_instance_uid}
    assert found.differences == (("PatientName", "Probe^Anna", "Older^Name"),)


def test_no_patient_is_named_in_a_log_line_or_a_problem(
    to: Destination, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    study = generate_uid()
    canary = {"PatientName": "ZZQX^CANARY", "PatientID": "ZZQX-1", "PatientBirthDate": "19000101"}
    item = outbound(tmp_path, study=study, **canary)
    sent(to, [item])
    found = verify(to, CALLING, study, {"PatientName": "ZZQX^OTHER"})
    commit(to, CALLING, [(item.sop_class_uid, item.sop_instance_uid)], generate_uid(), 0.1)
    assert found.differences
    with scripted(lambda n, c: c.answer(0xA900, "ZZQX^CANARY")) as peer:
        refused = send(destination(peer), CALLING, [item], lambda r: None, lambda: False)
    assert "ZZQX" not in caplog.text + found.problem + refused.problem


def test_a_name_in_any_script_is_recognised(to: Destination, tmp_path: Path) -> None:
    study = generate_uid()
    name = "Müller-Łukasz^Zoë"
    sent(to, [outbound(tmp_path, study=study, PatientName=name)])
    found = verify(to, CALLING, study, EXPECTED | {"PatientName": name})
    assert found.differences == ()
    assert verify(to, CALLING, study, EXPECTED).differences != ()


def test_dcmqrscp_is_asked_in_the_same_way(tmp_path: Path) -> None:
    study = generate_uid()
    items = [outbound(tmp_path, study=study) for _ in range(3)]
    with dcmqrscp(tmp_path) as peer:
        assert echo(destination(peer), CALLING) == ""
        sent(destination(peer), items)
        found = verify(destination(peer), CALLING, study, EXPECTED)
        assert found.present == uids(items)
        assert found.differences == ()
        other = verify(destination(peer), CALLING, study, EXPECTED | {"PatientID": "1"})
        assert other.differences == (("PatientID", "1", "4711"),)


def test_an_archive_without_queries_is_a_problem_in_words(tmp_path: Path) -> None:
    with storescp(tmp_path) as peer:
        found = verify(destination(peer), CALLING, generate_uid(), EXPECTED)
    assert "does not offer Study Root C-FIND" in found.problem
    assert found.present == frozenset()


def find_answer(status: int) -> dict[int, bytes]:
    return {
        0x0100: struct.pack("<H", 0x8020),
        0x0120: struct.pack("<H", 1),
        0x0800: struct.pack("<H", 0x0001 if status & 0xFF00 == 0xFF00 else 0x0101),
        0x0900: struct.pack("<H", status),
    }


def refuse(n: int, conversation: Conversation) -> None:
    conversation.send_command(find_answer(0xA700))


def nonsense(n: int, conversation: Conversation) -> None:
    conversation.send_command(find_answer(0xFF00), b"\x08\x00\x52")
    conversation.send_command(find_answer(0x0000))


def silence(n: int, conversation: Conversation) -> None:
    conversation.hang()


def flood(n: int, conversation: Conversation) -> None:
    piece = struct.pack(">IBB", 16_002, conversation.context_id, 0) + bytes(16_000)
    conversation.send_command(find_answer(0xFF00))
    while True:
        conversation.send_pdu(4, piece)


@pytest.mark.parametrize("behaviour", [refuse, nonsense, silence, flood])
def test_a_query_that_fails_is_a_problem_and_never_an_exception(
    behaviour: Callable[[int, Conversation], None],
) -> None:
    with scripted(behaviour) as peer:
        to = destination(peer, answer_seconds=1.0)
        found = verify(to, CALLING, generate_uid(), EXPECTED)
    assert found.problem
    assert found.present == frozenset()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Doe^Jane", "Doe^Jane^^^"),
        ("Doe^Jane", "DOE^JANE"),
        ("Doe^Jane ", "Doe ^Jane"),
        ("Müller^Zoë", "M?ller^Zo?"),
        ("Müller^Zoë", "M??ller^Zo??"),
        ("Müller^Zoë", "M\ufffdller^Zo\ufffd"),
        ("Müller^Zoë", "MÃ¼ller^ZoÃ«"),
        ("Müller^Zoë", "Mu\u0308ller^Zoe\u0308"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou"),
        ("Yamada^Tarou=山田^太郎", "Yamada^Tarou=??^??"),
        ("Łukasz^Jan", "ukasz^Jan"),
        ("Διονυσιος", ""),
        ("שרון^דבורה", "^"),
        ("ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎", "^=^"),
        ("", ""),
    ],
)
def test_one_name_written_by_two_systems_is_the_same(ours: str, theirs: str) -> None:
    assert same_name(ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Doe^Jane", "Doe^Janet"),
        ("Doe^Jane", "Jane^Doe"),
        ("Doe^Jane", "Doe"),
        ("Doe^Jane", ""),
        ("山田^Tarou", ""),
        ("山田^太郎", "Doe^Jane"),
        ("", "Doe^Jane"),
        ("Doe^Jane", "?"),
        ("Doe^Jane", "D?e^Jane"),
        ("Müller^Zoë", "Muller^Zoe"),
        ("Müller^Zoë", "Möller^Zoë"),
        ("Yamada^Tarou=山田^太郎", "Yamada^Tarou=山本^太郎"),
    ],
)
def test_two_names_are_not_the_same(ours: str, theirs: str) -> None:
    assert not same_name(ours, theirs)


@given(st.text(max_size=30))
def test_every_name_is_the_same_as_itself(name: str) -> None:
    assert same_name(name, name)


@given(st.text(max_size=30), st.text(max_size=30))
def test_comparing_names_never_raises(ours: str, theirs: str) -> None:
    assert same_name(ours, theirs) in (True, False)


def test_what_an_archive_need_not_return_is_no_difference() -> None:
    """Patient's Birth Date is optional at STUDY level (PS3.4 table C.6-5), Patient ID is not."""
    expected = {"PatientID": "1", "PatientBirthDate": "19700101"}
    assert differences(expected, [{"PatientID": "1", "PatientBirthDate": None}]) == ()
    assert differences(expected, [{"PatientID": "1", "PatientBirthDate": ""}]) == ()
    assert differences(expected, [{"PatientID": None}]) == (("PatientID", "1", ""),)
