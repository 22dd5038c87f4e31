"""What will be written is decided once, in full, before a header is opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from kiosk.coercion import apply, import_order, plan
from kiosk.coercion.wording import person_name
from kiosk.model.content import StatedPatient, Study
from kiosk.model.delivery import CoercionRefused, ImportOrder, Plan
from kiosk.model.matching import Action, Resolution
from kiosk.model.patient import Identifier, Order, PatientIdentity, PersonName, Visit
from kiosk.model.plain import from_plain, to_plain
from kiosk.policy import Policy
from tests.coercion.build import AT, LOCAL, instance_of, plan_for

STUDY = Study("1.2.3", accession_number="F-1", institution="Elsewhere")
STATED = StatedPatient(
    PatientIdentity(
        (Identifier("X1", "FAR"),), (PersonName.from_dicom("SMITH^ANN"),), "19700102", "F"
    ),
    (STUDY,),
)
CT = Path(str(get_testdata_file("CT_small.dcm")))


def decided(action: Action = Action.LINK, local: PatientIdentity | None = LOCAL) -> Resolution:
    return Resolution(action, "someone", AT, local=local)


def written(made: Plan) -> dict[int, str]:
    return {a.tag: a.value for a in made.attributes}


def test_a_linked_study_gets_the_local_identity_and_loses_its_accession_number() -> None:
    made = plan(STATED, STUDY, decided(), Policy(), AT)
    values = written(made)
    assert values[0x00100010] == "Smith^Anna^Maria"
    assert values[0x00100020] == "L-4711"
    assert values[0x00100021] == "HOSP"
    assert values[0x00080050] == ""
    assert {c.keyword: (c.was, c.now) for c in made.changes}["AccessionNumber"] == ("F-1", "")


def test_no_unique_identifier_is_ever_planned() -> None:
    """IHE RAD-61: a valid UID set is used and not changed."""
    made = plan(STATED, STUDY, decided(), Policy(), AT, ImportOrder(study_instance_uid="1.9"))
    assert not {0x0020000D, 0x0020000E, 0x00080018} & written(made).keys()


def test_an_import_only_study_keeps_the_stated_identity_with_its_issuer() -> None:
    made = plan(STATED, STUDY, decided(Action.IMPORT_ONLY, None), Policy(), AT)
    assert all(tag >> 16 != 0x0010 for tag in written(made))
    assert not made.keep_stated_id
    assert 0x00080050 in written(made)


def test_what_the_hospital_does_not_know_stays_as_the_disc_has_it() -> None:
    local = replace(LOCAL, names=(), birth_date="", sex="")
    made = plan(STATED, STUDY, decided(local=local), Policy(), AT)
    assert not {0x00100010, 0x00100030, 0x00100040} & written(made).keys()


def test_an_issuer_that_the_record_lacks_is_the_sites_own() -> None:
    local = replace(LOCAL, identifiers=(Identifier("L-1"),))
    policy = Policy.model_validate({"identity": {"local_issuer": "OURS"}})
    assert written(plan(STATED, STUDY, decided(local=local), policy, AT))[0x00100021] == "OURS"


def test_an_order_gives_its_accession_number_and_procedure() -> None:
    order = ImportOrder("A7", requested_procedure_id="RP", scheduled_step_id="S")
    made = plan(STATED, STUDY, decided(), Policy(), AT, order)
    assert written(made)[0x00080050] == "A7"
    (request,) = [a for a in made.attributes if a.tag == 0x00400275]
    assert {a.value for a in request.items[0]} == {"RP", "S"}


def test_what_is_shown_is_what_is_applied_after_storing_it() -> None:
    made = plan_for(CT)
    again = from_plain(Plan, to_plain(made))
    assert again == made
    instance = instance_of(CT)
    assert apply(CT, instance, again).header == apply(CT, instance, made).header


@pytest.mark.parametrize(
    ("action", "local"),
    [
        (Action.NOT_OURS, None),
        (Action.LINK, None),
        (Action.LINK, PatientIdentity()),
        (Action.LINK, replace(LOCAL, identifiers=(Identifier("9" * 65),))),
        (Action.LINK, replace(LOCAL, identifiers=(Identifier("1\\2"),))),
    ],
    ids=["not-ours", "nobody", "no-number", "too-long", "backslash"],
)
def test_a_decision_that_cannot_be_written_exactly_is_refused(
    action: Action, local: PatientIdentity | None
) -> None:
    with pytest.raises(CoercionRefused) as refusal:
        plan(STATED, STUDY, decided(action, local), Policy(), AT)
    assert "999" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (PersonName("O'Neil", "Jo", "", "Dr", "Jr"), "O'Neil^Jo^^Dr^Jr"),
        (PersonName("A" * 40, "B" * 20, "C" * 20, "Dr", "Jr"), f"{'A' * 40}^{'B' * 20}"),
        (PersonName("A" * 40, "B" * 20, "", "Dr"), f"{'A' * 40}^{'B' * 20}"),
        (PersonName("A" * 80, "B"), "A" * 64),
        (PersonName("A^B=C\\D\x1b", "E\n"), "A B C D^E"),
        (PersonName("Yamada", "Tarou", ideographic="山田^太郎"), "Yamada^Tarou=山田^太郎"),
    ],
)
def test_a_name_keeps_to_what_dicom_allows_giving_up_the_least_first(
    name: PersonName, text: str
) -> None:
    assert person_name(name) == text


def an_order(number: str, code: str = "IMPORT", status: str = "active") -> Visit:
    asked = Order("A7", (code, "Import of outside images", "99LOCAL"), "RP7", "S7")
    return Visit(number, status=status, order=asked)


IMPORTS = Policy.model_validate({"coercion": {"import_procedures": ["IMPORT"]}})


def test_the_only_open_import_order_gives_accession_and_procedure() -> None:
    visits = [
        Visit("V1"),
        an_order("1"),
        an_order("2", "CHEST"),
        an_order("3", status="cancelled"),
    ]
    order = import_order(visits, IMPORTS)
    assert order is not None
    made = plan(STATED, STUDY, decided(), IMPORTS, AT, order)
    assert written(made)[0x00080050] == "A7"
    (codes,) = [a for a in made.attributes if a.tag == 0x00081032]
    assert [a.value for a in codes.items[0]] == ["IMPORT", "99LOCAL", "Import of outside images"]
    (request,) = [a for a in made.attributes if a.tag == 0x00400275]
    assert {"RP7", "S7"} <= {a.value for a in request.items[0]}
    assert {c.keyword: c.now for c in made.changes}["AccessionNumber"] == "A7"


def test_of_several_import_orders_none_is_taken_and_without_the_policy_neither() -> None:
    assert import_order([an_order("1"), an_order("2")], IMPORTS) is None
    assert import_order([an_order("1")], Policy()) is None
