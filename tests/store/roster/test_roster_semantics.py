"""What a hospital's messages do to the roster, told in messages (IHE ITI-30, HL7 v2 chapter 3)."""

from __future__ import annotations

import pytest

from kiosk.adt import Rejected, parse
from kiosk.model.patient import Identifier, LocalPatient, PatientStatus, PersonName
from kiosk.model.registration import Applied, Disposition
from kiosk.store import Store
from tests.adt.messages import hl7

ANN = "SMITH^ANN^L^^^^L||19700203|F"


class Hospital:
    """A feed that numbers its messages and dates them a day apart."""

    def __init__(self, rows: Store) -> None:
        self.rows = rows
        self.sent = 0

    def send(
        self, trigger: str, pid: str = f"1||{ANN}", *more: str, day: int = 0, **msh: str
    ) -> Applied:
        self.sent += 1
        msh.setdefault("control", f"{self.sent:04d}")
        at = f"202601{day or self.sent:02d}"
        number, _, rest = pid.partition("||")
        raw = hl7(trigger, f"PID|1||{ids(number)}||{rest}", *more, at=at, **msh)
        return self.deliver(raw)

    def deliver(self, raw: bytes) -> Applied:
        with self.rows.begin() as tx:
            try:
                event = parse(raw, default_charset="utf-8", default_authority="")
            except Rejected as e:
                return tx.roster.apply_all([((e.applied, e.trigger, e.control_id), raw)])[0]
            return tx.roster.apply(event, raw)

    def merge(self, old: str, into: str) -> Applied:
        return self.send("A40", f"{into}||{ANN}", f"MRG|{ids(old)}")

    def of(self, number: str) -> LocalPatient:
        with self.rows.read() as tx:
            found = tx.roster.resolve(identifier(number))
        assert found is not None
        return found

    def exceptions(self) -> list[str]:
        with self.rows.read() as tx:
            return [e.code for e in tx.roster.exceptions()][::-1]


def identifier(number: str) -> Identifier:
    """`7` of MERCY, `C:7` of the clinic."""
    issuer, _, value = number.rpartition(":")
    return Identifier(value, {"": "MERCY", "C": "CLINIC"}[issuer])


def ids(numbers: str) -> str:
    every = map(identifier, numbers.split("~"))
    return "~".join(f"{i.value}^^^{i.issuer}^MR" for i in every)


def values(local: LocalPatient) -> tuple[list[str], list[str]]:
    active = [i.value for i in local.identity.identifiers]
    return active, [i.value for i in local.prior_identifiers]


def aliases(local: LocalPatient) -> list[str]:
    return [f"{n.family}^{n.given}" for n in local.former_names]


@pytest.fixture
def hospital(rows: Store) -> Hospital:
    return Hospital(rows)


def test_a_new_name_leaves_the_old_one_searchable(hospital: Hospital) -> None:
    hospital.send("A04")
    hospital.send("A08", "1||JONES^ANN")
    found = hospital.of("1")
    assert found.identity.name == PersonName("JONES", "ANN", "L")
    assert aliases(found) == ["SMITH^ANN"]


def test_silence_keeps_and_two_quotes_delete(hospital: Hospital) -> None:
    hospital.send("A04", f"1||{ANN}|||STREET 1||5551")
    hospital.send("A08", "1||SMITH^ANN")
    assert hospital.of("1").identity.telephone == "5551"
    hospital.send("A08", '1||SMITH^ANN^""||||||""||""')
    identity = hospital.of("1").identity
    assert (identity.telephone, identity.address, identity.name.middle) == ("", "", "")
    assert identity.birth_date == "19700203"


def test_an_older_update_that_comes_late_does_not_win(hospital: Hospital) -> None:
    hospital.send("A04", day=1)
    hospital.send("A08", "1||JONES^ANN", day=10)
    assert hospital.send("A08", "1||SMITHE^ANN", day=5).disposition is Disposition.IGNORED
    assert hospital.of("1").identity.name.family == "JONES"


def test_times_are_compared_in_one_zone_and_to_the_coarser_ones_precision(
    hospital: Hospital,
) -> None:
    hospital.send("A04", control="a")
    raw = hl7("A08", "PID|1||1^^^MERCY||JONES^ANN", at="20260301100000+0100", control="b")
    hospital.deliver(raw)
    later = hl7("A08", "PID|1||1^^^MERCY||BROWN^ANN", at="20260301093000+0000", control="c")
    assert hospital.deliver(later).disposition is Disposition.APPLIED
    same_day = hl7("A08", "PID|1||1^^^MERCY||GREEN^ANN", at="20260301", control="d")
    assert hospital.deliver(same_day).disposition is Disposition.APPLIED


def test_a_merge_gives_the_survivor_number_name_and_visits(hospital: Hospital) -> None:
    hospital.send("A04", f"1||{ANN}", "PV1|1|O" + "|" * 17 + "V1")
    hospital.send("A04", "2||SMYTH^ANNE||19700203|F", "PV1|1|O" + "|" * 17 + "V2")
    done = hospital.merge("2", into="1")
    assert (done.ack, done.touched) == ("AA", ("1", "2"))
    found = hospital.of("2")
    assert values(found) == (["1"], ["2"])
    assert aliases(found) == ["SMYTH^ANNE"]
    assert [v.number for v in found.visits] == ["V1", "V2"]


def test_a_merge_sent_again_or_in_reverse_makes_no_cycle(hospital: Hospital) -> None:
    hospital.send("A28", f"1||{ANN}")
    hospital.send("A28", f"2||{ANN}")
    hospital.merge("2", into="1")
    assert hospital.merge("2", into="1").disposition is Disposition.IGNORED
    assert hospital.exceptions() == []
    assert hospital.merge("1", into="2").exception == "merge-target-was-merged"
    assert hospital.of("1") == hospital.of("2")


def test_a_merge_of_an_unknown_number_is_kept_for_what_comes_with_it(hospital: Hospital) -> None:
    hospital.send("A28", day=1)
    hospital.send("A40", f"1||{ANN}", f"MRG|{ids('9')}", day=5)
    assert values(hospital.of("9")) == (["1"], ["9"])
    late = hospital.send("A28", "9||SMYTH^ANNE||19700203|F", day=2)
    assert late.exception == "update-for-merged-id"
    assert aliases(hospital.of("9")) == ["SMYTH^ANNE"]


def test_a_merge_into_an_unknown_number_registers_it(hospital: Hospital) -> None:
    hospital.send("A28", f"2||{ANN}")
    hospital.merge("2", into="1")
    assert values(hospital.of("2")) == (["1"], ["2"])


def test_merging_with_oneself_or_across_authorities_is_refused(hospital: Hospital) -> None:
    hospital.send("A28", f"1||{ANN}")
    hospital.send("A28", "C:1||BROWN^TOM||19500101|M")
    assert hospital.merge("1", into="1").exception == "self-merge"
    assert hospital.merge("C:1", into="1").exception == "cross-authority-merge"
    assert hospital.of("1").key != hospital.of("C:1").key


def test_a_number_that_was_merged_elsewhere_is_not_merged_a_second_time(hospital: Hospital) -> None:
    for number in "123":
        hospital.send("A28", f"{number}||{ANN}")
    hospital.merge("2", into="1")
    assert hospital.merge("2", into="3").exception == "merge-source-was-merged"
    assert hospital.of("2") == hospital.of("1")


def test_an_update_for_a_merged_number_does_not_touch_the_survivor(hospital: Hospital) -> None:
    hospital.send("A28", f"1||{ANN}")
    hospital.send("A28", f"2||{ANN}")
    hospital.merge("2", into="1")
    before = hospital.of("1")
    assert hospital.send("A08", "2||WRONG^ANN").exception == "update-for-merged-id"
    assert hospital.of("1") == before


def test_a_number_given_up_is_not_revived_by_an_update_that_still_lists_it(
    hospital: Hospital,
) -> None:
    hospital.send("A28", f"1~C:5||{ANN}")
    hospital.merge("9", into="1")
    hospital.send("A08", f"9~C:5||{ANN}")
    assert values(hospital.of("9")) == (["1", "5"], ["9"])


def test_a_changed_number_leads_to_the_same_patient_and_a_taken_one_is_refused(
    hospital: Hospital,
) -> None:
    hospital.send("A01", f"T7||{ANN}")
    hospital.send("A28", "8||BROWN^TOM||19500101|M")
    assert hospital.send("A47", f"8||{ANN}", f"MRG|{ids('T7')}").exception == "new-id-in-use"
    assert hospital.send("A47", f"7||{ANN}", f"MRG|{ids('T7')}").ack == "AA"
    assert hospital.of("T7") == hospital.of("7")
    assert values(hospital.of("7")) == (["7"], ["T7"])


def test_a_moved_number_takes_its_patient_along_only_when_it_was_the_last(
    hospital: Hospital,
) -> None:
    hospital.send("A28", f"1~C:5||{ANN}")
    hospital.send("A28", f"2||{ANN}")
    assert hospital.send("A43", f"2||{ANN}", f"MRG|{ids('C:5')}").exception == "identifier-moved"
    assert hospital.of("C:5").key == hospital.of("2").key != hospital.of("1").key
    hospital.send("A43", f"2||{ANN}", f"MRG|{ids('1')}")
    assert hospital.of("1").key == hospital.of("2").key


def test_a_link_keeps_two_records_and_an_unlink_takes_it_away(hospital: Hospital) -> None:
    hospital.send("A28", f"1||{ANN}")
    second = f"PID|2||{ids('C:5')}||{ANN}"
    hospital.send("A24", f"1||{ANN}", second)
    assert hospital.of("1").linked == (hospital.of("C:5").key,)
    hospital.send("A37", f"1||{ANN}", second)
    assert hospital.of("1").linked == hospital.of("C:5").linked == ()
    assert hospital.send("A37", f"1||{ANN}", second).disposition is Disposition.IGNORED


def test_an_unlink_of_merged_numbers_gives_both_back_and_says_so(hospital: Hospital) -> None:
    hospital.send("A28", f"1||{ANN}")
    hospital.send("A28", "2||SMYTH^JOAN||19691212|F")
    before = hospital.of("1"), hospital.of("2")
    hospital.merge("2", into="1")
    done = hospital.send("A37", f"1||{ANN}", f"PID|2||{ids('2')}||SMYTH^JOAN")
    assert done.exception == "unmerge-review-imports"
    assert done.touched == (before[0].key, before[1].key)
    assert hospital.of("1") == before[0]
    assert hospital.of("2").identity == before[1].identity


def test_an_unlink_of_a_number_merged_unseen_gives_it_a_record(hospital: Hospital) -> None:
    hospital.send("A28", f"1||{ANN}")
    hospital.merge("9", into="1")
    done = hospital.send("A37", f"1||{ANN}", f"PID|2||{ids('9')}||SMYTH^JOAN")
    assert done.exception == "unmerge-review-imports"
    assert hospital.of("9").identity.name.family == "SMYTH"
    assert values(hospital.of("1")) == (["1"], [])


def test_equal_numbers_of_two_authorities_are_two_patients(hospital: Hospital) -> None:
    hospital.send("A04", f"12~C:77||{ANN}")
    hospital.send("A04", "77||BROWN^TOM||19500101|M")
    assert hospital.of("C:77").key == hospital.of("12").key != hospital.of("77").key


def test_numbers_of_two_patients_in_one_message_are_refused(hospital: Hospital) -> None:
    hospital.send("A28", f"1||{ANN}")
    hospital.send("A28", "C:9||BROWN^TOM||19500101|M")
    done = hospital.send("A08", f"1~C:9||{ANN}")
    assert (done.ack, done.error, done.exception) == ("AE", 205, "ids-of-two-patients")


def test_a_card_number_shared_in_a_family_joins_nobody(hospital: Hospital) -> None:
    for number, name in (("1", "SMITH^ANN"), ("2", "SMITH^BOB")):
        pid = f"PID|1||{number}^^^MERCY^MR~X99^^^INSURER^HC||{name}"
        assert hospital.deliver(hl7("A28", pid, control=number)).ack == "AA"
    assert hospital.of("1").key != hospital.of("2").key


def test_an_update_that_describes_somebody_else_holds_the_record(
    hospital: Hospital, rows: Store
) -> None:
    hospital.send("A04")
    done = hospital.send("A08", "1||NGUYEN^PETER||19451111|M")
    assert (done.ack, done.exception, done.touched) == ("AE", "possible-overlay", ("1",))
    found = hospital.of("1")
    assert found.status is PatientStatus.HELD
    assert found.identity.name.family == "SMITH"
    with rows.begin() as tx:
        tx.roster.clear_hold(found.key)
    assert hospital.of("1").status is PatientStatus.ACTIVE


@pytest.mark.parametrize(
    "update",
    [
        "JONES^ANN||19700203|F",  # married
        "ANN^SMITH||19700302|F",  # family and given name swapped
        "SMYTH^ANNE||19700302|F",  # misspelt, and a birth date corrected
        "LEE^KIM||19700203|F",  # another name altogether, born on the same day
    ],
)
def test_a_correction_is_no_overlay(hospital: Hospital, update: str) -> None:
    hospital.send("A04")
    assert hospital.send("A08", f"1||{update}").ack == "AA"


def test_naming_an_unidentified_patient_is_no_overlay_and_its_placeholder_no_alias(
    hospital: Hospital,
) -> None:
    hospital.send("A28", f"1||{ANN}")
    hospital.send("A01", "50||DOE^JANE||19000101|F", "PV1|1|E" + "|" * 17 + "V9")
    assert hospital.send("A08", "50||SMITH^ANN||19700203|F").ack == "AA"
    hospital.merge("50", into="1")
    found = hospital.of("50")
    assert aliases(found) == []
    assert [v.number for v in found.visits] == ["V9"]


def test_vip_and_protection_outlast_silence_and_merge_and_death_ends_only_by_no(
    hospital: Hospital,
) -> None:
    hospital.send("A04", f"2||{ANN}", "PV1|1|O" + "|" * 14 + "V")
    hospital.send("A28", f"1||{ANN}" + "|" * 22 + "Y")
    hospital.send("A08", f"2||{ANN}", "PV1|1|O")
    hospital.merge("2", into="1")
    assert hospital.of("1").confidential
    assert hospital.of("1").deceased
    hospital.send("A31", f"1||{ANN}")
    assert hospital.of("1").deceased
    hospital.send("A31", f"1||{ANN}" + "|" * 22 + "N")
    assert not hospital.of("1").deceased
    assert hospital.of("1").confidential


def test_cancelling_an_admission_cancels_the_visit_and_keeps_the_patient(
    hospital: Hospital,
) -> None:
    visit = "PV1|1|I" + "|" * 17 + "V1"
    hospital.send("A01", f"1||{ANN}", visit)
    hospital.send("A11", "1||OTHER^NAME", visit)
    found = hospital.of("1")
    assert found.identity.name.family == "SMITH"
    assert [(v.number, v.status) for v in found.visits] == [("V1", "cancelled")]


def test_a_visit_moves_to_the_patient_it_belongs_to(hospital: Hospital) -> None:
    hospital.send("A01", f"1||{ANN}", "PV1|1|I" + "|" * 17 + "V1")
    hospital.send("A28", f"2||{ANN}")
    hospital.send("A45", f"2||{ANN}", f"MRG|{ids('1')}||||V1")
    assert [v.number for v in hospital.of("1").visits] == []
    assert [(v.number, v.status) for v in hospital.of("2").visits] == [("V1", "active")]


def test_a_removed_person_is_out_of_search_and_still_resolves_and_may_come_back(
    hospital: Hospital, rows: Store
) -> None:
    hospital.send("A04")
    hospital.send("A29")
    assert hospital.of("1").status is PatientStatus.INACTIVE
    with rows.read() as tx:
        assert tx.roster.search("smith") == ()
        assert tx.roster.size() == 0
    hospital.send("A28")
    with rows.read() as tx:
        assert [p.key for p in tx.roster.search("smith")] == ["1"]
        assert tx.roster.size() == 1


def test_training_messages_are_refused_and_leave_no_patient(
    hospital: Hospital, rows: Store
) -> None:
    assert hospital.send("A04", f11="T").ack == "AR"
    with rows.read() as tx:
        assert tx.roster.size() == 0


def test_a_test_patient_is_marked(hospital: Hospital) -> None:
    hospital.send("A04", "1||ZZTEST^RADIOLOGY||19700101|M")
    assert hospital.of("1").status is PatientStatus.TEST


def test_an_order_or_appointment_adds_a_visit_and_changes_no_name(hospital: Hospital) -> None:
    hospital.send("A04")
    hospital.send("S12", "1||SMITH^A", f9="SIU^S12")
    order = hl7("O23", f"PID|1||{ids('1')}||S^A", "IPC|ACC9", f9="OMI^O23", control="o")
    hospital.deliver(order)
    found = hospital.of("1")
    assert found.identity.name == PersonName("SMITH", "ANN", "L", type="L")
    assert [(v.number, v.status) for v in found.visits] == [("ACC9", "planned")]


def test_a_registration_after_an_order_fills_what_the_order_left_out(hospital: Hospital) -> None:
    order = hl7("O23", f"PID|1||{ids('1')}||SMITH", f9="OMI^O23", control="o", at="20260110")
    hospital.deliver(order)
    hospital.send("A04", f"1||{ANN}", day=5)
    assert hospital.of("1").identity.birth_date == "19700203"


@pytest.mark.parametrize("again", [hl7("A08", control="X1"), hl7("A31", control="X1")])
def test_a_control_id_used_for_another_content_is_refused(hospital: Hospital, again: bytes) -> None:
    hospital.deliver(hl7("A04", control="X1"))
    done = hospital.deliver(again)
    assert (done.ack, done.error, done.location) == ("AE", 205, "MSH^1^10")
    assert hospital.exceptions() == ["control-id-reused"]


def test_a_message_from_the_future_does_not_freeze_what_is_true_until_then(
    hospital: Hospital,
) -> None:
    """A sender with its clock years ahead: the next update still counts, and somebody is told."""
    pid = "PID|1||1^^^MERCY||JONES^ANN||19700203|F"
    odd = hospital.deliver(hl7("A04", pid, at="20991231", control="a"))
    assert (odd.disposition, odd.exception) == (Disposition.APPLIED, "recorded-in-the-future")
    assert hospital.of("1").updated_at < "2099"
    now = hospital.rows.now().strftime("%Y%m%d%H%M%S+0000")
    later = hl7("A08", pid.replace("JONES", "GREEN"), at=now, control="b")
    assert hospital.deliver(later).disposition is Disposition.APPLIED
    assert hospital.of("1").identity.name.family == "GREEN"
    assert hospital.exceptions() == ["recorded-in-the-future"]


def test_a_merge_from_the_future_is_done_and_later_updates_still_count(
    hospital: Hospital,
) -> None:
    hospital.send("A28", f"1||{ANN}")
    hospital.send("A28", f"2||{ANN}")
    hospital.deliver(hl7("A40", "PID|1||1^^^MERCY", "MRG|2^^^MERCY", at="20990101", control="m"))
    assert hospital.of("2") == hospital.of("1")
    now = hospital.rows.now().strftime("%Y%m%d%H%M%S+0000")
    hospital.deliver(hl7("A08", "PID|1||1^^^MERCY||GREEN^ANN", at=now, control="n"))
    assert hospital.of("1").identity.name.family == "GREEN"
