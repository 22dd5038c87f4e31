"""The manager of performed procedure steps is told of each import, and holds up none."""

from __future__ import annotations

from pathlib import Path

from kiosk.model.work import CaseState
from kiosk.policy.sections import Destination, ProcedureStep
from tests.engine.conftest import ARCHIBALD, Station, policy_for
from tests.peers.scripted import Scripted, scripted
from tests.peers.steps import manager


def use(here: Station, archive: Scripted, port: int) -> None:
    target = Destination(
        name="PACS", port=archive.port, ae_title="SCRIPTED", commitment=False, verify_level=0
    )
    settings = ProcedureStep(host="127.0.0.1", port=port, ae_title="STEPS")
    here.use(policy_for(target, procedure_step=settings))
    here.register()


def told(here: Station, intake: int) -> list[str]:
    with here.rows.read() as tx:
        return [step.told for step in tx.steps.of_case(here.case(intake).id)]


def test_the_manager_is_told_when_the_import_of_each_study_begins_and_ends(
    here: Station, known: Path
) -> None:
    """RAD-59 and RAD-60: what was performed, on whom, and which images it gave."""
    with scripted() as archive, manager() as steps:
        use(here, archive, steps.port)
        intake = here.insert(known)
        here.work()
        assert told(here, intake) == ["COMPLETED", "COMPLETED"]
        assert len(steps.created) == 2
        for uid, created in steps.created.items():
            assert created.PatientID == ARCHIBALD.number
            assert created.PerformedProcedureStepStatus == "IN PROGRESS"
            assert created.PerformedProtocolCodeSequence[0].CodeValue == "110024"  # CD Imported
            (changed,) = steps.changed[uid]
            assert changed.PerformedProcedureStepStatus == "COMPLETED"
            assert changed.PerformedProcedureStepEndDate
        images = {
            image.ReferencedSOPInstanceUID
            for (changed,) in steps.changed.values()
            for series in changed.PerformedSeriesSequence
            for image in series.ReferencedImageSequence
        }
        assert images == set(archive.received)


def test_a_manager_that_does_not_answer_holds_up_no_delivery(here: Station, known: Path) -> None:
    """It is told both when it is back, in order."""
    with scripted() as archive:
        use(here, archive, 1)
        intake = here.insert(known)
        here.work()
        assert here.case(intake).state is CaseState.DONE
        assert told(here, intake) == ["", ""]
        with manager() as steps:
            use(here, archive, steps.port)
            here.pass_(minutes=5)
            here.work()
            assert told(here, intake) == ["COMPLETED", "COMPLETED"]
            assert len(steps.created) == len(steps.changed) == 2


def test_a_step_that_was_created_before_we_died_is_not_refused(here: Station, known: Path) -> None:
    """The answer to N-CREATE was lost: the second one is answered with "duplicate"."""
    with scripted() as archive, manager() as steps:
        use(here, archive, steps.port)
        steps.knows_all = True
        intake = here.insert(known)
        here.work()
        assert told(here, intake) == ["COMPLETED", "COMPLETED"]


def test_a_refusal_is_kept_and_not_repeated(here: Station, known: Path) -> None:
    with scripted() as archive, manager() as steps:
        steps.status = 0x0106
        use(here, archive, steps.port)
        intake = here.insert(known)
        here.work()
        assert told(here, intake) == ["REFUSED", "REFUSED"]
        assert here.case(intake).state is CaseState.DONE
        with here.rows.read() as tx:
            (first, _) = tx.steps.of_case(here.case(intake).id)
        assert "0106" in first.problem


def test_a_peer_that_knows_no_procedure_steps_is_told_apart(here: Station, known: Path) -> None:
    """A C-STORE only archive as manager: a matter of configuration, said once."""
    with scripted(on_associate=lambda c: c.accept(lambda sop_class, _: 3)) as wrong:
        with scripted() as archive:
            use(here, archive, wrong.port)
            intake = here.insert(known)
            here.work()
        with here.rows.read() as tx:
            (first, _) = tx.steps.of_case(here.case(intake).id)
        assert "does not take performed procedure steps" in first.problem


def test_a_recall_before_the_end_discontinues_the_step(here: Station, known: Path) -> None:
    """With the reason that the wrong entry was used (CID 9300)."""
    with manager() as steps:
        settings = ProcedureStep(host="127.0.0.1", port=steps.port, ae_title="STEPS")
        here.use(policy_for(Destination(name="PACS", port=1), procedure_step=settings))
        here.register()
        intake = here.insert(known)
        here.work()
        assert told(here, intake) == ["IN PROGRESS", "IN PROGRESS"]
        with here.rows.begin() as tx:
            tx.recall(here.case(intake), "113038", "lead", {"reason": "wrong order"})
        here.work()
        assert told(here, intake) == ["DISCONTINUED", "DISCONTINUED"]
        for (changed,) in steps.changed.values():
            reason = changed.PerformedProcedureStepDiscontinuationReasonCodeSequence[0]
            assert reason.CodeValue == "110514"
            assert not changed.PerformedSeriesSequence


def test_a_site_without_a_manager_keeps_no_steps(here: Station, known: Path) -> None:
    here.register()
    intake = here.insert(known)
    here.work()
    assert told(here, intake) == []
