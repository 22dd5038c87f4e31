"""What HIM and the front desk may decide: one transaction each, with its reason and its journal
line, and a refusal in words for everything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk import identity, store
from kiosk.desk import Desk, Operator, Refused, Role
from kiosk.desk.snapshots import Find, HimFinishes, Outcome, PatientCard, Reading
from kiosk.model.content import StatedPatient
from kiosk.model.matching import Action
from kiosk.model.medium import MediumKind
from kiosk.model.patient import Identifier, PersonName
from kiosk.model.registration import PatientFields, RegistrationEvent
from kiosk.model.work import CaseState, IntakeState
from tests.desk.conftest import IMPORT_ONLY, JANE, JON, LINK, NOT_OURS, World, study


def refusal(do: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        do()
    return caught.value.message.id


def candidates(world: World, case: int) -> list[tuple[str, str]]:
    """Key and family name of each candidate, as D2 lists them."""
    shown = world.desk(Role.HIM).compare(case)
    return [(c.local.key, c.local.identity.name.family) for c in shown.candidates]


def test_same_person_as_a_candidate_resolves_the_case(world: World, awaiting: int) -> None:
    """Who, why, whom and under which policy are kept with it."""
    key = candidates(world, awaiting)[0][0]
    world.desk(Role.HIM, "berta").resolve(awaiting, LINK, key, "typed-wrong")
    decided = world.resolution(awaiting)
    assert world.case_state(awaiting) is CaseState.RESOLVED
    assert decided is not None
    assert (decided.action, decided.by, decided.local_key) == (LINK, "berta", key)
    assert decided.local is not None
    assert decided.local.name.given == "JOHN"
    assert (decided.reason, decided.policy_hash) == ("typed-wrong", world.policy.hash)
    assert world.events("case.decided") == 1


def test_import_only_needs_no_candidate(world: World, awaiting: int) -> None:
    """The scans keep the name that the disc gives them."""
    world.desk(Role.HIM).resolve(awaiting, IMPORT_ONLY, "", "not-registered")
    decided = world.resolution(awaiting)
    assert decided is not None
    assert (decided.action, decided.local) == (Action.IMPORT_ONLY, None)


def test_not_ours_ends_the_case_and_its_disc(world: World, awaiting: int) -> None:
    """Nothing is sent, and the intake is closed."""
    world.desk(Role.HIM).resolve(awaiting, NOT_OURS, "", "wrong-disc")
    assert world.case_state(awaiting) is CaseState.REJECTED
    with world.store.read() as tx:
        assert tx.intakes.get(tx.cases.get(awaiting).intake).state is IntakeState.CLOSED


def test_no_decision_without_a_reason(world: World, awaiting: int) -> None:
    """Blanks are no reason either."""
    key = candidates(world, awaiting)[0][0]
    assert refusal(lambda: world.desk(Role.HIM).resolve(awaiting, LINK, key, "  ")) == "KX-422"
    assert world.case_state(awaiting) is CaseState.AWAITING


def test_a_case_is_decided_once(world: World, awaiting: int) -> None:
    """The second of two is told so, and changes nothing."""
    world.desk(Role.HIM, "berta").resolve(awaiting, NOT_OURS, "", "wrong-disc")
    again = world.desk(Role.HIM, "carla")
    assert refusal(lambda: again.resolve(awaiting, IMPORT_ONLY, "", "other")) == "KX-421"
    decided = world.resolution(awaiting)
    assert decided is not None
    assert decided.by == "berta"


def test_a_patient_who_is_no_candidate_cannot_be_linked(world: World, awaiting: int) -> None:
    """Nobody is linked to whom nobody compared."""
    stranger = world.register("0099999", PersonName("KLEIN", "ANNA"), "19500101", "F")
    desk = world.desk(Role.HIM)
    for key in (stranger, "", "x'; drop table"):
        assert refusal(lambda k=key: desk.resolve(awaiting, LINK, k, "other")) == "KX-423"


def test_a_candidate_merged_meanwhile_is_refused(world: World, awaiting: int) -> None:
    """The list that was looked at no longer holds."""
    key = candidates(world, awaiting)[0][0]
    survivor = Identifier("0077777", "HOSP", "MR")
    world.register("0077777", PersonName("DOE", "JOHN"), "19620314", "M")
    fields = PatientFields(
        (survivor,), (PersonName("DOE", "JOHN"),), prior=(Identifier("0012346", "HOSP", "MR"),)
    )
    merge = RegistrationEvent("A40", "m1", "ADT|HOSP", "20261124100500", patients=(fields,))
    with world.store.begin() as tx:
        tx.roster.apply(merge, b"")
    assert refusal(lambda: world.desk(Role.HIM).resolve(awaiting, LINK, key, "other")) == "KX-423"
    shown = world.desk(Role.HIM).compare(awaiting)
    assert "KX-430" in [n.message.id for n in shown.notices]


def test_a_name_that_changed_since_the_list_was_made_is_not_approved_unseen(
    world: World, awaiting: int
) -> None:
    key = candidates(world, awaiting)[0][0]
    fields = PatientFields((Identifier("0012346", "HOSP", "MR"),), (PersonName("DOE", "JOHANNES"),))
    update = RegistrationEvent("A08", "u1", "ADT|HOSP", "20261124100500", patients=(fields,))
    with world.store.begin() as tx:
        tx.roster.apply(update, b"")
        assert tx.roster.get(key).identity.name.given == "JOHANNES"
    assert refusal(lambda: world.desk(Role.HIM).resolve(awaiting, LINK, key, "other")) == "KX-423"


def test_a_case_taken_by_another_cannot_be_decided(world: World, awaiting: int) -> None:
    """Two users never decide one case; who has it is said."""
    world.desk(Role.HIM, "berta").assign(awaiting)
    carla = world.desk(Role.HIM, "carla")
    assert refusal(lambda: carla.assign(awaiting)) == "KX-420"
    assert refusal(lambda: carla.resolve(awaiting, NOT_OURS, "", "other")) == "KX-420"
    blocked = carla.compare(awaiting).blocked
    assert blocked is not None
    assert blocked.values == {"owner": "berta"}
    world.desk(Role.HIM, "berta").unassign(awaiting)
    carla.assign(awaiting)


def test_a_case_is_free_again_after_a_quarter_of_an_hour(world: World, awaiting: int) -> None:
    """A forgotten case blocks nobody for long."""
    world.desk(Role.HIM, "berta").assign(awaiting)
    world.wait(minutes=16)
    carla = world.desk(Role.HIM, "carla")
    assert carla.worklist().rows[0].owner == ""
    assert carla.compare(awaiting).blocked is None
    carla.resolve(awaiting, NOT_OURS, "", "wrong-disc")


def test_the_front_desk_confirms_only_with_the_right_to_it(world: World) -> None:
    """K7 in amber: HIM may say "same person" at the kiosk, the front desk may not."""
    key = world.register("0012346", PersonName("DOE", "JOHN"), "19620314", "F")
    world.insert(picked=Identifier("0012346", "HOSP"))
    (case,) = world.catalog(StatedPatient(JON, (study("1.2.3", 3),)))
    world.match()
    assert refusal(lambda: world.desk(Role.FRONT_DESK).confirm(case, key)) == "KX-410"
    older = replace(JANE, birth_date="19000101")
    assert refusal(lambda: world.desk(Role.HIM).confirm(case, key, older)) == "KX-423"
    world.desk(Role.HIM).confirm(case, key)
    assert world.case_state(case) is CaseState.RESOLVED


def test_picking_another_patient_asks_the_matcher_again(world: World) -> None:
    """From red to the right patient; what waited is matched with the new choice."""
    world.register("0012345", PersonName("DOE", "JANE"), "19620314", "F")
    world.register("0050000", PersonName("ROE", "MARY"), "19880701", "F")
    intake = world.insert(picked=Identifier("0050000", "HOSP"))
    (case,) = world.catalog(StatedPatient(JANE, (study("1.2.3", 3),)))
    world.match()
    assert world.case_state(case) is CaseState.AWAITING
    world.desk().pick(intake, Identifier("0012345", "HOSP"))
    assert isinstance(world.desk().touch().body, Reading)
    world.match()
    assert world.case_state(case) is CaseState.RESOLVED


def test_an_unknown_number_cannot_be_picked(world: World) -> None:
    """The clerk is told to check it with the patient."""
    intake = world.insert()
    assert refusal(lambda: world.desk().pick(intake, Identifier("1", "HOSP"))) == "KX-424"


def test_a_folder_or_an_image_can_be_brought_in(world: World, tmp_path: Path) -> None:
    """The engine finds out what it is; the desk only says where."""
    image = tmp_path / "disc.iso"
    image.write_bytes(b"")
    tickets = {world.desk().bring(tmp_path), world.desk().bring(image)}
    assert len(tickets) == 2
    with world.store.read() as tx:
        kinds = {intake.medium.kind for intake in tx.intakes.recent()}
    assert kinds == {MediumKind.FOLDER, MediumKind.IMAGE}
    assert refusal(lambda: world.desk().bring(tmp_path / "nothing")) == "KX-425"


def test_opening_a_drive_is_asked_of_the_engine(world: World) -> None:
    """A journal line: the desk has no hands on hardware."""
    world.desk().eject("/dev/sr0")
    assert world.events("drive.eject-asked") == 1


def test_finding_a_patient_by_name_or_number(world: World) -> None:
    """K3: at most six, by what a name begins with or by the whole number."""
    for number in range(9):
        world.register(f"00{number}", PersonName("DOE", f"J{number}"), "19620314", "F")
    assert len(found(world, "doe")) == 6
    assert [p.identity.name.given for p in found(world, "003")] == ["J3"]
    assert found(world, "") == found(world, "klein") == ()


def test_look_alikes_are_flagged(world: World) -> None:
    """The same name twice, or family name and birth date: the birth date has to be read."""
    world.register("001", PersonName("DOE", "JANE"), "19620314", "F")
    world.register("002", PersonName("DOE", "JANE"), "19910101", "F")
    world.register("003", PersonName("DOE", "ROSA"), "19330303", "F")
    assert [p.alike for p in found(world, "doe")] == [True, True, False]


def test_todays_appointment_stands_on_the_card(world: World) -> None:
    """It tells two people of one name apart."""
    world.register("001", PersonName("DOE", "JANE"), "19620314", "F", "202611241100+0000")
    assert found(world, "doe")[0].appointment == "2026-11-24T11:00:00+00:00"


def found(world: World, text: str) -> tuple[PatientCard, ...]:
    shown = world.desk().find(1, text).body
    assert isinstance(shown, Find)
    return shown.patients


def test_a_case_that_is_not_there_is_refused_in_words(world: World) -> None:
    """Not with a trace."""
    assert refusal(lambda: world.desk(Role.HIM).compare(4711)) == "KX-427"


# -- what HIM sees ---------------------------------------------------------------------------


def test_the_compare_view_shows_evidence_and_what_will_be_written(
    world: World, awaiting: int
) -> None:
    """Field by field, with the weights that the matcher gave and the attributes it would write."""
    shown = world.desk(Role.HIM).compare(awaiting)
    first = next(c for c in shown.candidates if c.local.identity.name.given == "JOHN")
    fields = {f.field: f for f in first.fields}
    assert fields["given"].outcome is Outcome.SIMILAR
    assert fields["birth_date"].evidence is not None
    assert fields["birth_date"].evidence.weight > 10
    assert sum(e.weight for e in first.others) + sum(
        f.evidence.weight for f in first.fields if f.evidence
    ) == pytest.approx(first.weight, abs=0.3)
    written = {change.keyword: (change.was, change.now) for change in first.writes}
    assert written["PatientName"] == ("DOE^JON", "DOE^JOHN")
    assert written["PatientID"] == ("A100", "0012346")
    assert "PatientBirthDate" not in written
    assert shown.why


def test_the_worklist_is_in_the_order_of_due(world: World) -> None:
    """The earlier of appointment minus 15 minutes and four hours after it came."""
    world.register("0012346", PersonName("DOE", "JOHN"), "19620314", "M", "20261124110000+0000")
    for who, uid in ((MARY_UNKNOWN, "1.2.3"), (JON, "1.2.4")):
        world.insert()
        world.catalog(StatedPatient(who, (study(uid, 2),)))
        world.match(review_only=True)
        world.wait(minutes=1)
    rows = world.desk(Role.HIM).worklist().rows
    assert [r.stated.name.family for r in rows] == ["DOE", "KLEIN"]
    assert rows[0].appointment == "2026-11-24T11:00:00+00:00"
    assert rows[0].due_minutes == 43  # 10:45, at 10:02
    assert rows[1].reasons == ("no-patient",)
    assert rows[1].due_minutes == 238


MARY_UNKNOWN = StatedPatient(JANE).identity.__class__(
    (Identifier("5", "ST MARY"),), (PersonName("KLEIN", "ROSA"),), "19330303", "F"
)


def test_an_old_list_of_patients_is_said(world: World, awaiting: int) -> None:
    """KX-502 with the hours; KX-504 where none ever came."""
    assert world.desk(Role.HIM).worklist().notices == ()
    world.wait(hours=31)
    (notice,) = world.desk(Role.HIM).worklist().notices
    assert (notice.message.id, notice.message.values) == ("KX-502", {"n": 31})


def test_the_last_decision_is_told_when_nothing_waits(world: World, awaiting: int) -> None:
    """ "Nothing to do. Last item 10:00." """
    world.desk(Role.HIM).resolve(awaiting, NOT_OURS, "", "wrong-disc")
    shown = world.desk(Role.HIM).worklist()
    assert (shown.rows, shown.last_done_at[:16]) == ((), "2026-11-24T10:00")


def test_the_touch_desk_follows_hims_decision(world: World, awaiting: int) -> None:
    """The same rows, another face."""
    assert isinstance(world.desk().touch().body, HimFinishes)
    world.desk(Role.HIM).resolve(awaiting, IMPORT_ONLY, "", "cannot-tell")
    assert not isinstance(world.desk().touch().body, HimFinishes)


def test_a_busy_database_is_said_and_nothing_is_half_done(
    world: World, awaiting: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """KX-503: press again. Somebody else holds the write lock."""
    monkeypatch.setattr("kiosk.store.databases.BUSY_SECONDS", 0.05)
    hasty = store.open(
        f"sqlite:///{tmp_path / 'kiosk.db'}",
        keys_of=identity.keys_of,
        name_keys_of=identity.name_keys_of,
        now=world,
    )
    desk = Desk(hasty, world.policy, Operator("berta", Role.HIM), world)
    with world.store.begin():
        assert refusal(lambda: desk.resolve(awaiting, NOT_OURS, "", "wrong-disc")) == "KX-503"
    assert world.case_state(awaiting) is CaseState.AWAITING
    hasty.close()


def test_what_the_screen_did_not_show_is_not_decided(world: World, awaiting: int) -> None:
    """The registration changed and the case was matched again between drawing and deciding: the
    list and the record agree, and yet the person saw another one."""
    him = world.desk(Role.HIM)
    shown = him.compare(awaiting).candidates[0].local
    stale = replace(shown.identity, birth_date="19010101")
    with pytest.raises(Refused) as refused:
        him.resolve(awaiting, LINK, shown.key, "asked the patient", stale)
    assert refused.value.message.id == "KX-423"
    him.resolve(awaiting, LINK, shown.key, "asked the patient", shown.identity)
    assert world.case_state(awaiting) is CaseState.RESOLVED
