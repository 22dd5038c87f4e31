"""What goes out is what was chosen and let go; what is not is kept, and known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.desk import Desk, Operator, Refused, Role
from kiosk.desk.snapshots import Choose, Stage
from kiosk.model.matching import Action
from kiosk.model.relevance.choice import Relevance, Standing
from kiosk.model.relevance.picture import PictureKind
from kiosk.model.work import CaseState, IntakeState
from kiosk.policy.sections import Destination, Retention
from tests.engine.conftest import Station, policy_for

NOBODY_ANSWERS = Destination(name="PACS", port=1)
OTHER = Destination(name="OTHER", port=1)
CT_WAITS = {"then": "triage", "name": "outside CT", "when": {"modality": ["CT"]}}
CT_OLDER = {"then": "older", "when": {"modality": ["CT"]}}

Opened = Callable[..., Station]


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Opened]:
    """`station(relevance)`: a kiosk whose two archives answer nobody, with the morning's patients
    registered."""
    opened: list[Station] = []

    def open_(**relevance: object) -> Station:
        folder = tmp_path / "station"
        folder.mkdir()
        policy = policy_for(
            NOBODY_ANSWERS,
            OTHER,
            routing={"default": ["PACS"]},
            relevance=relevance,
            retention=Retention(staged_hours=1.0),
        )
        opened.append(Station(folder, policy))
        opened[-1].register()
        return opened[-1]

    yield open_
    for each in opened:
        each.rows.close()


def desk(station: Station, role: Role = Role.HIM) -> Desk:
    return Desk(station.rows, station.policy, Operator("mara", role), lambda: station.at)


def standings(station: Station, intake: int) -> list[Standing]:
    with station.rows.read() as tx:
        return [c.standing for c in tx.choices.of_case(station.case(intake).id)]


def studies(station: Station, intake: int) -> list[int]:
    with station.rows.read() as tx:
        return [c.study for c in tx.choices.of_case(station.case(intake).id)]


def sent(station: Station, intake: int) -> list[tuple[str, str]]:
    return sorted((d.study_instance_uid, d.destination) for d in station.deliveries(intake))


def kinds(station: Station, intake: int) -> list[str]:
    with station.rows.read() as tx:
        return [e.kind for e in tx.journal.of(intake=intake)]


def test_what_waits_for_triage_does_not_go_out_and_the_rest_does(
    station: Opened, known: Path
) -> None:
    """The disc has a CR and a CT study."""
    here = station(rule=[CT_WAITS])
    intake = here.insert(known)
    here.work()
    assert standings(here, intake) == [Standing.CHOSEN, Standing.TRIAGE]
    assert len(sent(here, intake)) == 1
    assert here.case(intake).state is CaseState.RELEASED


def test_what_triage_lets_go_goes_out_after_the_others(station: Opened, known: Path) -> None:
    here = station(rule=[CT_WAITS])
    intake = here.insert(known)
    here.work()
    waits = studies(here, intake)[1]
    desk(here).accept(waits)
    here.work()
    assert {to for _, to in sent(here, intake)} == {"PACS"}
    assert len(sent(here, intake)) == 2
    with here.rows.read() as tx:
        assert tx.choices.get(waits).by == "mara"
        assert tx.choices.get(waits).released


def test_triage_may_send_elsewhere_only_where_the_policy_allows_it(
    station: Opened, known: Path
) -> None:
    here = station(rule=[CT_WAITS])
    intake = here.insert(known)
    here.work()
    with pytest.raises(Refused):
        desk(here).accept(studies(here, intake)[1], "the heart centre asks", ("OTHER",))
    assert standings(here, intake)[1] is Standing.TRIAGE


def test_an_override_names_who_and_why(station: Opened, known: Path) -> None:
    here = station(rule=[CT_WAITS], override=True)
    intake = here.insert(known)
    here.work()
    with pytest.raises(Refused):
        desk(here).accept(studies(here, intake)[1], "", ("OTHER",))
    desk(here).accept(studies(here, intake)[1], "the heart centre asks", ("OTHER",))
    here.work()
    late = [d for d in here.deliveries(intake) if d.destination == "OTHER"]
    assert [d.because for d in late] == ["triage (mara: the heart centre asks)"]


def test_a_study_for_a_radiologist_is_nobody_elses_to_decide(station: Opened, known: Path) -> None:
    here = station(rule=[CT_WAITS | {"by": "radiologist"}])
    intake = here.insert(known)
    here.work()
    waits = studies(here, intake)[1]
    for role in (Role.HIM, Role.HIM_LEAD, Role.NURSE, Role.FRONT_DESK):
        with pytest.raises(Refused):
            desk(here, role).accept(waits)
    desk(here, Role.RADIOLOGIST).accept(waits)
    assert standings(here, intake)[1] is Standing.CHOSEN


def test_an_older_study_stays_here_is_recorded_and_can_be_chosen_later(
    station: Opened, known: Path
) -> None:
    here = station(rule=[CT_OLDER])
    intake = here.insert(known)
    here.work()
    assert standings(here, intake) == [Standing.CHOSEN, Standing.LEFT]
    (left,) = desk(here).triage().left
    assert left.because == "rule 1 (modality CT)"
    desk(here).want(left.study, "the surgeon asks")
    here.work()
    assert len(sent(here, intake)) == 2
    assert "study.wanted" in kinds(here, intake)


def test_a_disc_of_which_nothing_is_wanted_ends_and_is_kept_for_its_time(
    station: Opened, known: Path
) -> None:
    """And what is purged cannot be wanted any more: said, not tried."""
    here = station(rule=[{"then": "discard"}])
    intake = here.insert(known)
    here.work()
    assert here.case(intake).state is CaseState.DONE
    assert here.intake(intake).state is IntakeState.CLOSED
    assert here.vault.holds(here.intake(intake).ticket)
    wanted = studies(here, intake)[0]
    here.pass_(hours=2)
    here.work()
    assert not here.vault.holds(here.intake(intake).ticket)
    with pytest.raises(Refused) as refusal:
        desk(here).want(wanted, "the surgeon asks")
    assert refusal.value.message.id == "KX-442"
    assert desk(here).triage().left == ()


def test_an_ended_disc_goes_on_when_more_of_it_is_wanted(station: Opened, known: Path) -> None:
    here = station(rule=[{"then": "discard"}])
    intake = here.insert(known)
    here.work()
    desk(here).want(studies(here, intake)[0], "the surgeon asks")
    here.work()
    assert here.case(intake).state is CaseState.RELEASED
    assert here.intake(intake).state is IntakeState.CATALOGED
    assert len(sent(here, intake)) == 1


def test_what_is_wanted_after_all_and_waits_for_triage_keeps_the_bytes_of_an_ended_disc(
    station: Opened, known: Path
) -> None:
    """Also when the disc's other study is discarded a second time meanwhile."""
    here = station(rule=[{"then": "triage"}])
    intake = here.insert(known)
    here.work()
    first, second = studies(here, intake)
    for study in (first, second):
        desk(here).discard(study, "not ours to read")
    assert here.intake(intake).state is IntakeState.CLOSED
    for study in (first, second):
        desk(here).want(study, "the surgeon asks")
    desk(here).discard(second, "not this one")
    here.pass_(hours=2)
    here.work()
    assert standings(here, intake) == [Standing.TRIAGE, Standing.DISCARDED]
    assert here.vault.holds(here.intake(intake).ticket)
    desk(here).accept(first)
    here.work()
    assert len(sent(here, intake)) == 1


def test_what_waits_keeps_its_bytes_however_long_and_what_is_held_too_long_is_left(
    station: Opened, known: Path
) -> None:
    """Nothing that nobody saw is ever left out by time."""
    here = station(rule=[{"then": "triage"}], held_days=3)
    intake = here.insert(known)
    here.work()
    first, second = studies(here, intake)
    desk(here).hold(first, "ask the sender")
    here.pass_(days=4)
    here.work()
    assert standings(here, intake) == [Standing.LEFT, Standing.TRIAGE]
    assert here.vault.holds(here.intake(intake).ticket)
    assert "study.expired" in kinds(here, intake)
    desk(here).discard(second, "a holiday photo")
    assert here.case(intake).state is CaseState.DONE


def test_where_the_front_desk_chooses_nothing_goes_out_before(station: Opened, known: Path) -> None:
    """K6 shows what the policy suggests; what was not ticked is left, and named in the journal."""
    here = station(ask="choice", rule=[CT_OLDER])
    intake = here.insert(known)
    here.work()
    assert sent(here, intake) == []
    front = desk(here, Role.FRONT_DESK)
    body = front.touch().body
    assert isinstance(body, Choose)
    (group,) = body.groups
    assert [s.ticked for s in group.studies] == [True, False]
    assert sum(count for _, count in body.ledger) == body.files
    front.choose(intake, tuple(s.study for s in group.studies if s.ticked))
    here.work()
    assert standings(here, intake) == [Standing.CHOSEN, Standing.LEFT]
    assert len(sent(here, intake)) == 1
    with here.rows.read() as tx:
        (line,) = [e for e in tx.journal.of(intake=intake) if e.kind == "case.chosen"]
    assert line.data["left"] == [group.studies[1].line.study_instance_uid]
    stages = [s.stage for p in front.touch().body.patients for s in p.studies]  # type: ignore[union-attr]
    assert stages[1] is Stage.LEFT


def test_a_tick_does_not_get_round_triage(station: Opened, known: Path) -> None:
    here = station(ask="always", rule=[CT_WAITS])
    intake = here.insert(known)
    here.work()
    desk(here, Role.FRONT_DESK).choose(intake, tuple(studies(here, intake)))
    here.work()
    assert standings(here, intake) == [Standing.CHOSEN, Standing.TRIAGE]
    assert len(sent(here, intake)) == 1


def test_of_scans_that_are_not_ours_nothing_waits(station: Opened, unsure: Path) -> None:
    """HIM said so before the front desk ticked anything: K6 does not come up again."""
    here = station(ask="always")
    intake = here.insert(unsure)
    here.work()
    assert isinstance(desk(here, Role.FRONT_DESK).touch().body, Choose)
    desk(here).resolve(here.case(intake).id, Action.NOT_OURS, "", "another hospital's")
    assert desk(here).triage().rows == ()
    assert not isinstance(desk(here, Role.FRONT_DESK).touch().body, Choose)


def test_every_decision_keeps_the_policys_hash(station: Opened, known: Path) -> None:
    here = station(rule=[CT_OLDER])
    intake = here.insert(known)
    here.work()
    with here.rows.read() as tx:
        found = tx.choices.of_case(here.case(intake).id)
    assert {c.policy_hash for c in found} == {here.policy.hash}
    assert found[1].judged.relevance is Relevance.OLDER


# -- pictures ----------------------------------------------------------------------------------


def test_each_series_gets_a_small_picture_and_a_desk_its_frames(
    station: Opened, known: Path
) -> None:
    """Asked for by a command, made by the engine, dropped after the decision."""
    here = station(rule=[{"then": "triage"}])
    intake = here.insert(known)
    here.work()
    assert here.engine.picture_once()
    looks = desk(here, Role.RADIOLOGIST)
    study = studies(here, intake)[0]
    shown = looks.view(study)
    assert all(s.picture is not None and s.picture.kind is PictureKind.SHOWN for s in shown.series)
    series = shown.series[0]
    assert looks.frames(study, series.series, 0, series.frames) == ()
    assert looks.frames(study, series.series, 0, series.frames) == ()  # asking twice is asking once
    assert here.engine.picture_once()
    assert not here.engine.picture_once()
    frames = looks.frames(study, series.series, 0, series.frames)
    assert [f.position for f in frames] == list(range(series.frames))
    assert all(f.bytes() for f in frames)
    looks.accept(study)
    with here.rows.read() as tx:
        assert tx.pictures.frames(series.series, 0, series.frames) == ()
        assert len(tx.pictures.small(here.case(intake).id)) == 4


def test_three_crashes_end_the_pictures_of_a_disc_and_nothing_else(
    station: Opened, known: Path
) -> None:
    """A child that ends before it answers is one that died: here it gets no processor time."""
    here = station(rule=[{"then": "triage"}])
    intake = here.insert(known)
    here.work()
    starved = here.policy.limits.model_copy(update={"child_cpu_seconds": -5})
    here.use(here.policy.model_copy(update={"limits": starved}))
    assert here.engine.picture_once()
    with here.rows.read() as tx:
        small = tx.pictures.small(here.case(intake).id)
        assert tx.pictures.crashes(intake) == 3
    assert sorted(p.problem for p in small.values()) == ["crashed", "crashed", "crashed", "stopped"]
    study = studies(here, intake)[0]
    assert [n.message.id for n in desk(here).view(study).notices] in ([], ["KX-445"])
    desk(here).accept(study)
    here.work()
    assert len(sent(here, intake)) == 1
