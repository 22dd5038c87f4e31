"""One message to one event: every version and habit of senders, read by position."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.adt import Rejected
from kiosk.adt.mllp import Cut
from kiosk.model.patient import Identifier, PersonName, Visit
from kiosk.model.registration import NULL, Effect, Kept
from tests.adt.messages import hl7, parse, patient


def rejected(raw: bytes, **settings: str) -> tuple[str, int, str]:
    with pytest.raises(Rejected) as caught:
        parse(raw, **settings)
    applied = caught.value.applied
    return applied.ack, applied.error, applied.location


def test_a_message_of_today_becomes_its_event() -> None:
    event = parse(hl7("A28", at="20260102", control="X1"))
    assert (event.trigger, event.effect, event.control_id) == ("A28", Effect.UPSERT, "X1")
    assert (event.sender, event.recorded_at, event.version) == ("ADT|MERCY", "20260102", "2.5.1")
    fields = event.patients[0]
    assert fields.identifiers == (Identifier("1", "MERCY", "MR"),)
    assert fields.names == (PersonName("SMITH", "ANN", "L", type="L"),)
    assert (fields.birth_date, fields.sex) == ("19700203", "F")


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_segments_may_end_with_cr_or_lf_or_both(end: bytes) -> None:
    raw = hl7().replace(b"\r", end)
    assert patient(raw).birth_date == "19700203"


def test_separators_are_those_that_the_header_names() -> None:
    raw = b"MSH#*~\\&#A#B###20260101##ADT*A04#1#P#2.3\rPID#1##1***MERCY##SMITH*ANN\r"
    assert patient(raw).names == (PersonName("SMITH", "ANN"),)


def test_a_letter_is_never_taken_for_a_separator() -> None:
    raw = b"MSH|^~y&|A|B|||20260101||ADT^A04|1|P|2.7\rPID|1||1^^^M||GREYy^MARY\r"
    assert patient(raw).names == (PersonName("GREYy", "MARY"),)


def test_older_senders_put_the_trigger_into_evn_and_the_number_into_pid_2() -> None:
    raw = b"MSH|^~\\&|A|B|||19990101||ADT|7|P|2.1\rEVN|A08|19990101\rPID||42||OLD7|DOE^JO\r"
    event = parse(raw, default_authority="HOSP")
    assert event.trigger == "A08"
    assert event.patients[0].identifiers == (Identifier("42", "HOSP"),)


def test_the_time_is_evn_2_and_else_msh_7() -> None:
    assert parse(hl7(at="2026")).recorded_at == "2026"
    raw = hl7(f7="20260105").replace(b"EVN|A04|202601010900", b"EVN|A04")
    assert parse(raw).recorded_at == "20260105"


def test_an_empty_field_changes_nothing_and_two_quotes_delete() -> None:
    silent = patient(hl7(pid="PID|1||1^^^M||"))
    assert (silent.names, silent.sex, silent.telephone) == (Kept.UNCHANGED,) * 3
    deleted = patient(hl7(pid='PID|1||1^^^M||A^B^""||""|""|||""||""'))
    assert isinstance(deleted.names, tuple)
    assert deleted.names[0].middle == NULL
    assert (deleted.birth_date, deleted.sex, deleted.address, deleted.telephone) == (
        Kept.DELETED,
    ) * 4


def test_an_authority_is_a_namespace_or_an_oid_or_the_configured_one() -> None:
    raw = hl7(pid="PID|1||1^^^M&1.2.3&ISO^MR~2^^^&1.9&ISO")
    assert patient(raw).identifiers == (
        Identifier("1", "M", "MR", "1.2.3", "ISO"),
        Identifier("2", "", "", "1.9", "ISO"),
    )
    assert patient(hl7(pid="PID|1||1"), default_authority="H").identifiers[0].issuer == "H"


def test_a_number_without_authority_is_left_out_beside_one_that_has_it() -> None:
    assert patient(hl7(pid="PID|1||1^^^M^MR~999")).identifiers == (Identifier("1", "M", "MR"),)


def test_without_any_authority_the_message_is_refused_as_a_content_error() -> None:
    with pytest.raises(Rejected) as caught:
        parse(hl7(pid="PID|1||33||SMITH^ANN"))
    assert caught.value.applied.exception == "no-authority"
    assert rejected(hl7(pid="PID|1||33||SMITH^ANN")) == ("AE", 101, "PID^1^3^1^4")


def test_the_legal_name_comes_first_and_aliases_stay() -> None:
    raw = hl7(pid="PID|1||1^^^M||JO^A^^^^^N~JONES^ANN^^JR^DR^^L~SMITH^ANN^^^^^M||||OLD^ANN")
    assert patient(raw).names == (
        PersonName("JONES", "ANN", "", "DR", "JR", type="L"),
        PersonName("JO", "A", type="N"),
        PersonName("SMITH", "ANN", type="M"),
        PersonName("OLD", "ANN", type="A"),
    )


def test_three_writings_of_one_name_are_the_three_groups_of_a_dicom_name() -> None:
    pid = "PID|1||1^^^M||Yamada^Tarou^^^^^L^A~山田^太郎^^^^^L^I~やまだ^たろう^^^^^L^P"
    assert patient(hl7(pid=pid)).names == (
        PersonName("Yamada", "Tarou", ideographic="山田^太郎", phonetic="やまだ^たろう", type="L"),
    )


def test_a_family_name_may_come_in_its_parts() -> None:
    assert patient(hl7(pid="PID|1||1^^^M||van Gogh&van&Gogh^V")).names[0].family == "van Gogh"
    assert patient(hl7(pid="PID|1||1^^^M||&van&Gogh^V")).names[0].family == "van Gogh"


def test_escapes_are_resolved_after_splitting() -> None:
    pid = r"PID|1||1^^^M||O\S\NEIL\T\CO^A\F\B^\X4A\\R\\E\\.br\x"
    assert patient(hl7(pid=pid)).names == (PersonName("O^NEIL&CO", "A|B", "J~\\ x"),)


def test_control_characters_are_no_part_of_a_name() -> None:
    names = patient(hl7(pid="PID|1||1^^^M||SM\x00I\x1bTH^A\\X00\\N\\X0D\\B")).names
    assert names == (PersonName("SMITH", "A N B"),)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("19700203", "19700203"),
        ("197002031530", "19700203"),
        ("1970", Kept.UNCHANGED),
        ("197002", Kept.UNCHANGED),
        ("19701340", Kept.UNCHANGED),
        ("1970-2-3", Kept.UNCHANGED),
    ],
)
def test_a_birth_date_is_eight_digits_that_are_a_day_or_it_is_nothing(
    sent: str, kept: object
) -> None:
    assert patient(hl7(pid=f"PID|1||1^^^M||A^B||{sent}")).birth_date == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("M", "M"), ("f", "F"), ("O", "O"), ("U", ""), ("N", ""), ("A", ""), ("?", Kept.UNCHANGED)],
)
def test_sex_is_dicoms_or_empty(sent: str, kept: object) -> None:
    assert patient(hl7(pid=f"PID|1||1^^^M||A^B|||{sent}")).sex == kept


def test_vip_protection_death_and_twins_are_told_apart_from_silence() -> None:
    pid = "PID|1||1^^^M||A^B" + "|" * 19 + "Y|" + "|" * 5 + "Y"
    raw = hl7("A04", pid, "PD1" + "|" * 12 + "Y", "PV1|1|O" + "|" * 14 + "V")
    told = patient(raw)
    assert (told.multiple_birth, told.deceased, told.protected, told.vip) == (True,) * 4
    silent = patient(hl7("A04", "PID|1||1^^^M||A^B", "PD1|", "PV1|1|O"))
    assert (silent.multiple_birth, silent.deceased, silent.protected, silent.vip) == (
        Kept.UNCHANGED,
    ) * 4
    cleared = hl7("A04", "PID|1||1^^^M||A^B", "PV1|1|O" + "|" * 14 + '""')
    assert patient(cleared).vip is False


def test_a_visit_has_number_class_place_start_and_what_became_of_it() -> None:
    pv1 = "PV1|1|I|WARD^101|" + "|" * 15 + "V7^^^H|" + "|" * 24 + "202601010800"
    assert patient(hl7("A01", "PID|1||1^^^M", pv1)).visit == Visit(
        "V7", "I", "WARD", "202601010800", "active"
    )
    for trigger, status in {"A03": "finished", "A11": "cancelled", "A05": "planned"}.items():
        visit = patient(hl7(trigger, "PID|1||1^^^M", pv1)).visit
        assert visit is not None
        assert visit.status == status
    assert patient(hl7("A31", "PID|1||1^^^M", "PV1|1|N" + "|" * 17 + "V7")).visit is None


def test_an_appointment_and_an_import_order_are_visits_to_come() -> None:
    siu = hl7(f9="SIU^S12").replace(b"EVN|A04", b"SCH|P1|F2" + b"|" * 9 + b"^^^20260301\rEVN|S12")
    assert patient(siu).visit == Visit("F2", "", "", "20260301", "planned")
    omi = hl7("O23", "PID|1||1^^^M", "ORC|NW|P1|F1|||||", "IPC|ACC9", f9="OMI^O23^OMI_O23")
    assert patient(omi).visit == Visit("ACC9", "", "", "", "planned")
    gone = hl7("O01", "PID|1||1^^^M", "ORC|CA|P1", f9="ORM^O01")
    assert patient(gone).visit == Visit("P1", "", "", "", "cancelled")


def test_a_merge_of_several_patients_keeps_each_with_its_prior_number() -> None:
    event = parse(
        hl7("A40", "PID|1||1^^^M", "MRG|2^^^M||||V5||OLD^A", "PID|2||3^^^M", "MRG||||4^^^M")
    )
    assert [(p.identifiers[0].value, p.prior[0].value) for p in event.patients] == [
        ("1", "2"),
        ("3", "4"),
    ]
    assert event.patients[0].prior_names == (PersonName("OLD", "A"),)
    assert event.patients[0].prior_visit == "V5"


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (b"", ("AR", 100, "MSH^1")),
        (b"PID|1||1", ("AR", 100, "MSH^1")),
        (b"MSHA^~", ("AR", 100, "MSH^1")),
        (hl7(f9="ORU^R01"), ("AR", 200, "MSH^1^9^1^1")),
        (hl7("A99"), ("AR", 201, "MSH^1^9^1^2")),
        (hl7(f9="ADT^S12"), ("AR", 201, "MSH^1^9^1^2")),
        (hl7(f11="T"), ("AR", 202, "MSH^1^11")),
        (hl7(f11="D"), ("AR", 202, "MSH^1^11")),
        (hl7(pid=""), ("AE", 100, "PID^1")),
        (hl7(pid="PID|1||"), ("AE", 101, "PID^1^3")),
        (hl7("A40"), ("AE", 101, "MRG^1^1")),
        (hl7("A24"), ("AE", 100, "PID^2")),
        (hl7(pid="PID|1||" + "~".join(["1^^^M"] * 20_000)), ("AE", 102, "PID^1^3")),
        (Cut(hl7()), ("AE", 102, "MSH^1")),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_error_and_its_place(
    raw: bytes, answer: tuple[str, int, str]
) -> None:
    assert rejected(raw) == answer


def test_a_refusal_names_no_patient() -> None:
    with pytest.raises(Rejected) as caught:
        parse(hl7(pid="PID|1||77||SECRET^NAME"))
    assert "SECRET" not in str(caught.value)
    assert "77" not in str(caught.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_an_event_or_a_refusal(raw: bytes) -> None:
    for frame in (raw, b"MSH|^~\\&|" + raw, hl7().replace(b"SMITH", raw)):
        acks = {"AE", "AR"}
        try:
            parse(frame, default_authority="H")
        except Rejected as e:
            acks.remove(e.applied.ack)
