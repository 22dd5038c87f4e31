"""Accounts (PID-18, MRG-3): merged, renamed and moved, and no patient with them (HL7 v2 chapter 3:
A35, A36, A41, A44, A49)."""

from __future__ import annotations

import pytest

from kiosk.model.registration import Disposition
from kiosk.store import Store
from tests.store.roster.test_roster_semantics import ANN, Hospital, ids, values

PETE = "BROWN^PETER||19450501|M"


@pytest.fixture
def hospital(rows: Store) -> Hospital:
    made = Hospital(rows)
    made.send("A04", f"1||{_with(ANN, 'ACC1')}")
    made.send("A04", f"2||{_with(PETE, 'ACC2')}")
    return made


def _with(person: str, account: str) -> str:
    """Fields from PID-5: name, mother, birth date, sex, then the account in PID-18."""
    return f"{person}||||||||||{account}^^^MERCY^AN"


def _mrg(patient: str, account: str) -> str:
    return f"MRG|{ids(patient)}||{account}^^^MERCY^AN"


def accounts(hospital: Hospital, number: str) -> tuple[list[str], list[str]]:
    local = hospital.of(number)
    return [a.value for a in local.accounts], [a.value for a in local.prior_accounts]


def found(hospital: Hospital, text: str) -> list[str]:
    with hospital.rows.read() as tx:
        return [p.identity.identifier.value for p in tx.roster.search(text)]


def test_an_account_leads_people_to_its_patient_and_is_no_number_of_the_patient(
    hospital: Hospital,
) -> None:
    assert found(hospital, "ACC1") == found(hospital, "ACC1^MERCY") == ["1"]
    assert found(hospital, "ACC1^CLINIC") == []
    assert values(hospital.of("1")) == (["1"], [])


@pytest.mark.parametrize("trigger", ["A35", "A41", "A49"])
def test_an_account_given_up_for_another_still_leads_to_the_patient(
    hospital: Hospital, trigger: str
) -> None:
    """Nobody is merged, the reason is kept with the message, and again it has no effect."""
    done = hospital.send(trigger, f"1||{_with(ANN, 'ACC9')}", _mrg("1", "ACC1"))
    assert (done.ack, done.disposition, done.touched) == ("AA", Disposition.APPLIED, ())
    assert "no patient was" in done.reason
    assert accounts(hospital, "1") == (["ACC9"], ["ACC1"])
    hospital.send(trigger, f"1||{_with(ANN, 'ACC9')}", _mrg("1", "ACC1"))
    assert accounts(hospital, "1") == (["ACC9"], ["ACC1"])
    assert found(hospital, "ACC1") == found(hospital, "ACC9") == ["1"]
    assert values(hospital.of("2")) == (["2"], [])


def test_an_account_given_up_is_not_revived_by_an_update_that_still_names_it(
    hospital: Hospital,
) -> None:
    hospital.send("A41", f"1||{_with(ANN, 'ACC9')}", _mrg("1", "ACC1"))
    hospital.send("A08", f"1||{_with(ANN, 'ACC1')}")
    assert accounts(hospital, "1") == (["ACC9"], ["ACC1"])


def test_an_account_of_somebody_else_is_not_merged(hospital: Hospital) -> None:
    """Refused as a content error and raised for HIM; a move is another message."""
    done = hospital.send("A41", f"1||{_with(ANN, 'ACC1')}", _mrg("1", "ACC2"))
    assert (done.ack, done.error, done.location) == ("AE", 205, "MRG^1^3")
    done = hospital.send("A49", f"1||{_with(ANN, 'ACC2')}", _mrg("1", "ACC1"))
    assert (done.ack, done.error, done.location) == ("AE", 205, "PID^1^18")
    assert accounts(hospital, "1") == (["ACC1"], [])
    assert accounts(hospital, "2") == (["ACC2"], [])
    assert hospital.exceptions() == ["account-of-another-patient"] * 2


def test_an_account_that_nobody_has_is_kept_as_given_up(hospital: Hospital) -> None:
    hospital.send("A41", f"1||{_with(ANN, 'ACC1')}", _mrg("1", "ACC0"))
    assert accounts(hospital, "1") == (["ACC1"], ["ACC0"])
    assert found(hospital, "ACC0") == ["1"]


def test_a_merge_that_names_accounts_only_is_of_whoever_has_them(hospital: Hospital) -> None:
    merge = b"PID|1||||SMITH^ANN|||||||||||||%b^^^MERCY^AN\rMRG|||%b^^^MERCY^AN\r"
    head = b"MSH|^~\\&|EPIC|MERCY|||202601%b||ADT^A41|ONLY%b|P|2.5\r"
    done = hospital.deliver(head % (b"20", b"1") + merge % (b"ACC9", b"ACC1"))
    assert done.disposition is Disposition.APPLIED
    assert accounts(hospital, "1") == (["ACC9"], ["ACC1"])
    done = hospital.deliver(head % (b"21", b"2") + merge % (b"ACC2", b"ACC1"))
    assert (done.ack, done.location) == ("AE", "MRG^1^3")
    done = hospital.deliver(head % (b"22", b"3") + merge % (b"X1", b"X2"))
    assert (done.ack, done.reason) == ("AA", "Nobody has the account.")


def test_a_moved_account_is_the_other_patients_and_nobody_is_merged(hospital: Hospital) -> None:
    done = hospital.send("A44", f"2||{_with(PETE, 'ACC1')}", _mrg("1", "ACC1"))
    assert (done.ack, done.touched) == ("AA", ())
    assert "moved to another patient" in done.reason
    assert accounts(hospital, "1") == ([], [])
    assert accounts(hospital, "2") == (["ACC2", "ACC1"], [])
    assert found(hospital, "ACC1") == ["2"]
    again = hospital.send("A44", f"2||{_with(PETE, 'ACC1')}", _mrg("1", "ACC1"))
    assert again.disposition is Disposition.IGNORED


def test_a36_merges_the_patients_and_their_accounts(hospital: Hospital) -> None:
    hospital.send("A36", f"2||{_with(PETE, 'ACC2')}", _mrg("1", "ACC1"))
    assert values(hospital.of("1")) == (["2"], ["1"])
    assert accounts(hospital, "1") == (["ACC2"], ["ACC1"])
    assert found(hospital, "ACC1") == ["2"]


def test_merged_patients_bring_their_accounts_and_take_them_back(hospital: Hospital) -> None:
    hospital.merge("1", into="2")
    assert found(hospital, "ACC1") == ["2"]
    assert accounts(hospital, "2") == (["ACC2", "ACC1"], [])
    hospital.send("A37", f"1||{ANN}", f"PID|2||{ids('2')}||{PETE}")
    assert found(hospital, "ACC1") == ["1"]
    assert accounts(hospital, "2") == (["ACC2"], [])


def test_an_event_that_names_no_account_is_ignored_with_the_reason(hospital: Hospital) -> None:
    for trigger in ("A35", "A41", "A44", "A49"):
        done = hospital.send(trigger, f"1||{ANN}", f"MRG|{ids('1')}")
        assert (done.ack, done.disposition) == ("AA", Disposition.IGNORED)
        assert done.reason == "The event names no account."
