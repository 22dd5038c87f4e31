"""The answer: which code, which error, which of the two modes, and nothing of the patient."""

from __future__ import annotations

import pytest
from hl7apy.parser import parse_message

from kiosk.adt import ack
from kiosk.adt.mllp import frames
from kiosk.model.registration import Applied, Disposition
from tests.adt.messages import hl7

GOOD = Applied(Disposition.APPLIED)
BAD = Applied(Disposition.REJECTED, "AE", 204, "MRG^1^1^4", "The authorities differ.")
UNABLE = Applied(Disposition.REJECTED, "AR", 201, "MSH^1^9^1^2", "Not supported.")


def answers(raw: bytes, applied: Applied = GOOD) -> list[list[str]]:
    return [f.decode("latin-1").rstrip("\r").split("\r") for f in frames(ack(raw, applied))]


def test_an_acknowledgement_goes_back_to_its_sender_with_the_control_id() -> None:
    header, msa = answers(hl7("A08", control="77", f3="A", f4="B", f5="C", f6="D"))[0]
    fields = header.split("|")
    assert fields[2:6] == ["C", "D", "A", "B"]
    assert fields[8] == "ACK^A08^ACK"
    assert fields[10:12] == ["P", "2.5.1"]
    assert msa == "MSA|AA|77"


def test_a_content_error_names_place_and_code() -> None:
    _, msa, err = answers(hl7("A40", control="9"), BAD)[0]
    assert msa == "MSA|AE|9|The authorities differ."
    assert err.split("|")[2:5] == ["MRG^1^1^4", "204^Unknown key identifier^HL70357", "E"]


def test_hl7apy_reads_what_we_answer() -> None:
    for applied in (GOOD, BAD, UNABLE):
        text = "\r".join(answers(hl7("A08"), applied)[0]) + "\r"
        message = parse_message(text, find_groups=False)
        assert message.msa.msa_1.to_er7() == applied.ack
        assert message.msa.msa_2.to_er7() == "0001"


def test_odd_separators_and_character_sets_come_back_as_they_were_sent() -> None:
    raw = b"MSH#*~\\&#A#\xdc###1##ADT*A08#7#P#2.3######8859/1\r"
    header, msa = answers(raw)[0]
    assert header.startswith("MSH#*~\\&###A#\xdc#")
    assert header.endswith("#8859/1")
    assert msa == "MSA#AA#7"


def test_what_has_no_header_is_answered_all_the_same() -> None:
    header, msa, err = answers(
        b"rubbish", Applied(Disposition.REJECTED, "AR", 100, "MSH^1", "No.")
    )[0]
    assert header.startswith("MSH|^~\\&|")
    assert msa == "MSA|AR||No."
    assert err.startswith("ERR||MSH^1|100^")


@pytest.mark.parametrize(
    ("accept", "application", "applied", "codes"),
    [
        ("AL", "NE", GOOD, ["CA"]),
        ("AL", "NE", BAD, ["CE"]),
        ("AL", "NE", UNABLE, ["CR"]),
        ("NE", "AL", GOOD, ["AA"]),
        ("AL", "AL", GOOD, ["CA", "AA"]),
        ("AL", "AL", BAD, ["CE"]),
        ("NE", "NE", GOOD, []),
        ("NE", "NE", BAD, []),
        ("ER", "NE", GOOD, []),
        ("ER", "NE", BAD, ["CE"]),
        ("SU", "", GOOD, ["CA"]),
        ("", "AL", BAD, ["AE"]),
    ],
)
def test_enhanced_mode_answers_what_was_asked_for(
    accept: str, application: str, applied: Applied, codes: list[str]
) -> None:
    got = answers(hl7(f15=accept, f16=application), applied)
    assert [segments[1].split("|")[1] for segments in got] == codes


def test_every_acknowledgement_has_a_control_id_of_its_own() -> None:
    ids = {answers(hl7())[0][0].split("|")[9] for _ in range(200)}
    assert len(ids) == 200
    assert all(len(i) <= 20 for i in ids)
