"""A real modality worklist, asked whom it has appointments for."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.delivery import PeerProblem, reach, worklist
from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from kiosk.policy.sources import Source
from tests.peers import free_port
from tests.peers.wlmscpfs import scheduled, wlmscpfs

JANE = PatientIdentity(names=(PersonName("DOE", "JANE"),), birth_date="19620314", sex="F")

pytestmark = pytest.mark.peer("wlmscpfs")


def source(port: int, **more: object) -> Source:
    return Source(name="RIS", kind="worklist", port=port, **{"seconds": 10.0, **more})


def test_patients_of_the_name_come_with_their_appointments(tmp_path: Path) -> None:
    """Two steps of one patient are one candidate; others' names are not asked for."""
    items = [
        scheduled("DOE^JANE", "0012", "19620314", "F", day="20261124", at="143000"),
        scheduled("DOE^JANE", "0012", "19620314", "F", accession="ACC2", day="20261130"),
        scheduled("DOÉ^JANET", "0013", "19700101", "F"),
        scheduled("ROE^MARY", "0014", "19880701", "F"),
    ]
    with wlmscpfs(tmp_path, items) as port:
        found = {each.key: each for each in worklist(source(port), "KIOSK", JANE, "HOSP")}
    jane = found["?0012^HOSP"]
    assert "?0014^HOSP" not in found
    assert jane.source == "RIS"
    assert jane.identity.name == PersonName("DOE", "JANE")
    assert (jane.identity.birth_date, jane.identity.sex) == ("19620314", "F")
    assert sorted((v.number, v.starts_at, v.status) for v in jane.visits) == [
        ("ACC0012", "202611241430", "planned"),
        ("ACC2", "202611301430", "planned"),
    ]


def test_another_issuers_number_and_none_are_no_candidates(tmp_path: Path) -> None:
    """A worklist is in-house: a number without issuer is ours, one that states another is not."""
    items = [
        scheduled("DOE^JANE", "5", "19620314", "F", issuer="ELSEWHERE"),
        scheduled("DOE^JANE", "6", "19620314", "F", issuer="HOSP"),
        scheduled("DOE^JANE", "", "19620314", "F"),
    ]
    with wlmscpfs(tmp_path, items) as port:
        found = worklist(source(port), "KIOSK", JANE, "HOSP")
        assert reach(source(port), "KIOSK") == ""
    assert [each.identity.identifier for each in found] == [Identifier("6", "HOSP")]


def test_no_more_are_read_than_were_asked_for(tmp_path: Path) -> None:
    items = [scheduled("DOE^JANE", str(n), "19620314", "F") for n in range(30)]
    with wlmscpfs(tmp_path, items) as port:
        assert len(worklist(source(port, most=5), "KIOSK", JANE, "HOSP")) == 5


def test_a_worklist_that_refuses_or_is_not_there_is_a_problem_in_words(tmp_path: Path) -> None:
    with wlmscpfs(tmp_path, []) as port, pytest.raises(PeerProblem, match="RIS"):
        worklist(source(port, ae_title="NOBODY"), "KIOSK", JANE, "HOSP")
    nobody = source(free_port())
    with pytest.raises(PeerProblem, match="cannot be reached"):
        worklist(nobody, "KIOSK", JANE, "HOSP")
    assert "cannot be reached" in reach(nobody, "KIOSK")
