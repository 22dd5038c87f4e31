"""Scans go where the rules say, and each delivery keeps which rule it was."""

from __future__ import annotations

from pathlib import Path

from kiosk.model.work import CaseState
from kiosk.policy import Routing
from kiosk.policy.sections import Destination
from tests.engine.conftest import Station, policy_for
from tests.peers.scripted import Scripted, scripted


def archive(name: str, peer: Scripted) -> Destination:
    return Destination(
        name=name, port=peer.port, ae_title="SCRIPTED", commitment=False, verify_level=0
    )


def test_each_series_goes_where_its_rule_says_and_the_case_ends_when_all_have_arrived(
    here: Station, known: Path
) -> None:
    """The disc has CR and CT series: CT goes to one archive, what no rule takes to another."""
    ways = Routing.model_validate(
        {
            "default": ["ARCHIVE"],
            "rule": [
                {"to": ["CT-ONLY"], "name": "ct", "when": {"modality": ["CT"]}, "whole": "series"}
            ],
        }
    )
    with scripted() as ct, scripted() as other:
        here.use(policy_for(archive("CT-ONLY", ct), archive("ARCHIVE", other), routing=ways))
        here.register()
        intake = here.insert(known)
        here.work()
        assert here.case(intake).state is CaseState.DONE
        with here.rows.read() as tx:
            studies = tx.cases.studies(here.case(intake).id)
        expected: dict[str, set[str]] = {"CT": set(), "CR": set()}
        for _, study in studies:
            for series in study.series:
                expected[series.modality] |= {i.sop_instance_uid for i in series.instances}
        assert set(ct.received) == expected["CT"] != set()
        assert set(other.received) == expected["CR"] != set()
        because = {d.destination: d.because for d in here.deliveries(intake)}
        assert because == {"CT-ONLY": "rule 1 (ct)", "ARCHIVE": "no rule fits: the default"}
        assert {d.policy_hash for d in here.deliveries(intake)} == {here.policy.hash}
