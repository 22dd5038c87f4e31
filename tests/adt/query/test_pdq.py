"""A PDQ supplier is asked over real sockets; whatever it does, the answer is bounded in time and
size, and no more than candidates."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.adt import SourceProblem, ask, reach
from kiosk.adt.mllp import START, wrap
from kiosk.adt.query import pdq
from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from kiosk.policy.sections import Tls
from kiosk.policy.sources import Source
from tests.peers import free_port
from tests.peers.certificates import Authority
from tests.peers.pdq import Respond, answer, naming, supplier

JANE = PatientIdentity(names=(PersonName("DOE", "JANE"),), birth_date="19620314", sex="F")
PID = "PID|1||0012^^^HOSP^MR~77^^^REGION||DOÉ^JANE^Q^^^^L~SMITH^JANE^^^^^M||19620314|F|||1 MILL LN"
ANOTHER = "PID|2||0013^^^HOSP^MR||DOE^JANET||19620314|F"
US = ("KIOSK", "City | Hospital")


def source(port: int, **more: object) -> Source:
    return Source(name="MPI", kind="pdq", port=port, **{"seconds": 5.0, **more})


def problem(respond: Respond, **more: object) -> str:
    with supplier(respond) as mpi, pytest.raises(SourceProblem) as caught:
        ask(source(mpi.port, **more), JANE, US, "HOSP")
    return str(caught.value)


def test_whom_the_supplier_names_is_read_by_position() -> None:
    """Numbers with ours first, names with the former ones apart, birth date, sex, address."""
    with supplier(naming(PID, ANOTHER)) as mpi:
        first, second = ask(source(mpi.port), JANE, US, "HOSP")
    assert first.source == "MPI"
    assert first.key == "?0012^HOSP"
    assert [(i.value, i.issuer) for i in first.identity.identifiers] == [
        ("0012", "HOSP"),
        ("77", "REGION"),
    ]
    assert first.identity.name == PersonName("DOÉ", "JANE", "Q", type="L")
    assert [n.family for n in first.former_names] == ["SMITH"]
    assert (first.identity.birth_date, first.identity.sex) == ("19620314", "F")
    assert first.identity.address == "1 MILL LN"
    assert second.identity.name.given == "JANET"


def test_the_question_is_that_of_the_profile() -> None:
    """QBP^Q22 for family name and birth date, in our numbers' domain, at most so many."""
    with supplier(naming()) as mpi:
        ask(source(mpi.port, most=7, application="MPI", facility="REGION"), JANE, US, "HOSP")
    lines = {line[:3]: line.split("|") for line in mpi.questions[0].split("\r") if line}
    assert lines["MSH"][8] == "QBP^Q22^QBP_Q21"
    assert lines["MSH"][2:6] == ["KIOSK", "City   Hospital", "MPI", "REGION"]
    assert lines["QPD"][1] == "IHE PDQ Query^^IHE"
    assert mpi.asked() == {"@PID.5.1.1": "DOE", "@PID.7": "19620314"}
    assert lines["QPD"][8] == "^^^HOSP"
    assert lines["RCP"][1:] == ["I", "7^RD"]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        (PersonName("DOE", "JANE"), {"@PID.5.1.1": "DOE", "@PID.5.2": "JANE"}),
        (PersonName("DOE JANE"), {"@PID.5.1.1": "DOE", "@PID.5.2": "JANE"}),
        (PersonName("DOE, JANE"), {"@PID.5.1.1": "DOE", "@PID.5.2": "JANE"}),
    ],
)
def test_without_a_birth_date_the_given_name_is_asked_for(
    name: PersonName, asked: dict[str, str]
) -> None:
    """A name in one piece is asked for by its words."""
    with supplier(naming()) as mpi:
        ask(source(mpi.port), PatientIdentity(names=(name,)), US, "HOSP")
    assert mpi.asked() == asked


def test_no_character_of_a_discs_name_becomes_a_separator() -> None:
    hostile = PersonName("DOE~@PID.3^1|X\\&\rQPD|", "JANE")
    with supplier(naming()) as mpi:
        ask(source(mpi.port), PatientIdentity(names=(hostile,)), US, "HOSP")
    assert mpi.asked() == {"@PID.5.1.1": "DOE @PID.3 1 X   QPD", "@PID.5.2": "JANE"}


def test_a_patient_without_a_number_of_ours_is_nobody_to_link_to() -> None:
    """No authority, another hospital's, or no number at all: scans could not be filed."""
    pids = (
        "PID|1||5||A^B",
        "PID|2||5^^^ELSEWHERE||A^B",
        "PID|3||||A^B",
        "PID|4||6^^^HOSP||",
        r"PID|5||7\S\8^^^HOSP||A^B",
        f"PID|6||{'9' * 300}^^^HOSP||A^B",
    )
    with supplier(naming(*pids)) as mpi:
        assert ask(source(mpi.port), JANE, US, "HOSP") == ()
        told = ask(source(mpi.port, authority="HOSP"), JANE, US, "HOSP")
    assert [p.identity.identifier for p in told] == [Identifier("5", "HOSP")]


def test_nobody_found_is_an_answer() -> None:
    def nobody(peer: socket.socket, question: bytes) -> None:
        peer.sendall(wrap(answer(question, status="NF")))

    with supplier(nobody) as mpi:
        assert ask(source(mpi.port), JANE, US, "HOSP") == ()


def test_a_hundred_thousand_patients_are_cut_off() -> None:
    """More than can be held is no answer; less than that is read as far as was asked for."""
    many = [f"PID|1||{n}^^^HOSP||DOE^JANE" for n in range(100_000)]
    assert "no end" in problem(naming(*many))
    with supplier(naming(*many[:9_000])) as mpi:
        assert len(ask(source(mpi.port, most=20), JANE, US, "HOSP")) == 20


def test_one_patient_told_twice_is_one_candidate() -> None:
    with supplier(naming(ANOTHER, ANOTHER)) as mpi:
        assert len(ask(source(mpi.port), JANE, US, "HOSP")) == 1


def stall(peer: socket.socket, _question: bytes) -> None:
    """Takes the question and never answers: until whoever asked hangs up."""
    peer.recv(1)


def drip(peer: socket.socket, _question: bytes) -> None:
    """An answer that begins and goes on byte by byte, so that no single wait is long."""
    peer.sendall(START)
    peer.settimeout(0.05)
    while True:
        peer.sendall(b"M")
        try:
            if not peer.recv(1):
                return
        except TimeoutError:
            continue


@pytest.mark.parametrize("respond", [stall, drip])
def test_a_supplier_that_stalls_is_given_up_in_time(respond: Respond) -> None:
    assert "did not answer within 0.5 s" in problem(respond, seconds=0.5)


def test_a_supplier_that_refuses_or_lies_is_a_problem_in_words() -> None:
    """Another question's answer, a refusal, no HL7, a closed connection, a port without anybody:
    the sentence names the source and nothing that it said."""

    def said(text: bytes) -> Respond:
        return lambda peer, question: peer.sendall(wrap(text or answer(question, msa="AE")))

    def other(peer: socket.socket, question: bytes) -> None:
        peer.sendall(wrap(answer(question, PID, control_id="SOMETHINGELSE")))

    def closed(peer: socket.socket, _question: bytes) -> None:
        peer.shutdown(socket.SHUT_RDWR)

    assert "not asked" in problem(other)
    assert "refused the question" in problem(said(b""))
    assert "no HL7 message" in problem(said(b"DOE^JANE secret"))
    assert "secret" not in problem(said(b"DOE^JANE secret"))
    assert "without an answer" in problem(closed)
    nobody = free_port()
    with pytest.raises(SourceProblem, match="cannot be asked"):
        ask(source(nobody), JANE, US, "HOSP")
    assert "cannot be reached" in reach(source(nobody))


@pytest.mark.peer("openssl")
def test_inside_tls_both_sides_are_known(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    with supplier(naming(PID), authority.issue("mpi")) as mpi:
        trusted = source(mpi.port, tls=Tls(ca=authority.ca))
        assert len(ask(trusted, JANE, US, "HOSP")) == 1
        assert reach(trusted) == ""
        with pytest.raises(SourceProblem, match="certificate is not trusted"):
            ask(source(mpi.port, tls=Tls(ca=stranger.ca)), JANE, US, "HOSP")
        with pytest.raises(SourceProblem):
            ask(source(mpi.port, seconds=1.0), JANE, US, "HOSP")


@given(st.binary(max_size=400), st.booleans())
def test_hostile_answers_are_patients_or_a_problem(untrusted: bytes, headed: bool) -> None:
    """Never anything else, whatever stands behind a header that would do."""
    question, control = pdq.question(source(1), JANE, US, "HOSP")
    whole = answer(question) + untrusted if headed else untrusted
    try:
        found, _ = pdq.patients(source(1), whole, control, "HOSP")
    except SourceProblem:
        return
    assert all(p.identity.identifier.issuer == "HOSP" for p in found)


def numbered(start: int, count: int) -> list[str]:
    return [f"PID|1||{n}^^^HOSP^MR||DOE^JANE||19620314|F" for n in range(start, start + count)]


def in_pages(end: int) -> Respond:
    """Two patients an answer, and a pointer to the next two, until `end`."""

    def respond(peer: socket.socket, question: bytes) -> None:
        dsc = next((s for s in question.decode().split("\r") if s.startswith("DSC|")), "DSC|0|I")
        start = int(dsc.split("|")[1])
        more = [f"DSC|{start + 2}|I"] if start + 2 < end else []
        peer.sendall(wrap(answer(question, *numbered(start, 2), *more)))

    return respond


def test_an_answer_in_parts_is_asked_for_to_its_end() -> None:
    """With DSC-1 of the answer before, under the same query tag (IHE ITI TF-2a 3.21.4.1.2)."""
    with supplier(in_pages(6)) as mpi:
        found = ask(source(mpi.port), JANE, US, "HOSP")
    assert [p.identity.identifier.value for p in found] == list("012345")
    sent = [{s[:3]: s.split("|") for s in q.split("\r") if s} for q in mpi.questions]
    assert len({s["QPD"][2] for s in sent}) == 1
    assert len({s["MSH"][9] for s in sent}) == len(sent) == 3
    assert [s["DSC"][1:] for s in sent[1:]] == [["2", "I"], ["4", "I"]]


def test_parts_without_an_end_are_bounded() -> None:
    """By the number of patients that are wanted, and by a part that names nobody new."""
    with supplier(in_pages(10**9)) as mpi:
        assert len(ask(source(mpi.port, most=5), JANE, US, "HOSP")) == 5
    again = numbered(1, 2)
    with supplier(naming(*again, "DSC|round|I")) as mpi:
        assert len(ask(source(mpi.port), JANE, US, "HOSP")) == 2
    assert len(mpi.questions) == 2
