"""A spliced header is byte for byte what pydicom would have written after the same edits."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.data import get_testdata_file

from kiosk.coercion import plan as make_plan
from kiosk.coercion.encoding.elements import Encoding
from kiosk.coercion.rewriting import rewrite
from kiosk.model.content import StatedPatient, Study
from kiosk.model.delivery import Code, ImportOrder, Plan
from kiosk.model.matching import Action, Resolution
from kiosk.model.patient import PatientIdentity
from kiosk.policy import Policy
from tests.coercion.build import AT, LOCAL, instance_of, named, plan_for
from tests.coercion.oracle import coerced_by_pydicom, written

ORDER = ImportOrder(
    accession_number="A100",
    requested_procedure_id="RP1",
    scheduled_step_id="S1",
    procedure_codes=(Code("IMPORT", "99LOCAL", "Import of outside images"),),
    referenced_studies=(("1.2.840.10008.3.1.2.3.1", "1.2.3.9"),),
)

ORDINARY = [
    "CT_small.dcm", "MR_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm",
    "JPEG2000.dcm", "MR_small_RLE.dcm", "rtdose.dcm", "ExplVR_BigEnd.dcm", "liver_1frame.dcm",
    "examples_palette.dcm", "examples_overlay.dcm", "examples_jpeg2k.dcm", "test-SR.dcm",
    "rtplan.dcm", "rtstruct.dcm", "reportsi.dcm", "priv_SQ.dcm", "SC_rgb_jpeg_gdcm.dcm",
]  # fmt: skip


def header_of(path: Path) -> tuple[bytes, bool, bool]:
    instance = instance_of(path)
    syntax = instance.transfer_syntax_uid
    header = path.read_bytes()[instance.dataset_offset : instance.pixel_offset]
    return header, syntax == "1.2.840.10008.1.2", syntax != "1.2.840.10008.1.2.2"


def assert_same(header: bytes, implicit: bool, little: bool, plan: Plan) -> None:
    new, _ = rewrite(header, Encoding(implicit, little), plan)
    assert new == coerced_by_pydicom(header, implicit, little, plan)


@pytest.mark.parametrize("order", [None, ORDER], ids=["unscheduled", "scheduled"])
@pytest.mark.parametrize("name", ORDINARY)
def test_real_headers_become_what_pydicom_writes(name: str, order: ImportOrder | None) -> None:
    path = Path(str(get_testdata_file(name)))
    assert_same(*header_of(path), plan_for(path, order=order))


letters = st.text(string.ascii_letters + "^ -äöüßé", min_size=1, max_size=12).map(str.strip)
ascii_text = st.text(string.ascii_letters + string.digits + " -", max_size=12).map(str.strip)


@st.composite
def data_sets(draw: st.DrawFn) -> Dataset:
    """Headers with everything that a splice has to get past: other charsets, nested and private
    sequences, defined and undefined lengths, existing items in what is appended to."""
    ds = Dataset()
    charset = draw(st.sampled_from([None, "ISO_IR 100", "ISO_IR 192"]))
    text = letters if charset else ascii_text
    if charset:
        ds.SpecificCharacterSet = charset
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    for keyword in ("PatientName", "PatientID", "IssuerOfPatientID", "AccessionNumber",
                    "InstitutionName", "StudyDescription"):  # fmt: skip
        if draw(st.booleans()):
            setattr(ds, keyword, draw(text)[:16])
    if draw(st.booleans()):
        ds.PatientSex = draw(st.sampled_from(["M", "F", ""]))
    for keyword in ("RequestAttributesSequence", "OriginalAttributesSequence",
                    "OtherPatientIDsSequence", "ContributingEquipmentSequence",
                    "ProcedureCodeSequence"):  # fmt: skip
        if draw(st.booleans()):
            setattr(ds, keyword, draw(st.lists(items(text), max_size=2)))
            ds[keyword].is_undefined_length = draw(st.booleans())
    if draw(st.booleans()):
        block = ds.private_block(0x0029, "ACME 1", create=True)
        block.add_new(1, "LO", draw(text))
        block.add_new(2, "OB", draw(st.binary(max_size=9).filter(lambda b: len(b) % 2 == 0)))
    ds.Rows, ds.Columns = 1, 2
    return ds


@st.composite
def items(draw: st.DrawFn, text: st.SearchStrategy[str]) -> Dataset:
    item = Dataset()
    item.InstitutionName = draw(text)
    if draw(st.booleans()):
        inner = Dataset()
        inner.PatientName = draw(text)
        item.ReferencedStudySequence = [inner]
        item["ReferencedStudySequence"].is_undefined_length = draw(st.booleans())
    item.is_undefined_length_sequence_item = draw(st.booleans())
    return item


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    local: PatientIdentity | None = draw(
        st.sampled_from([LOCAL, named("Müller^Jürgen"), named("Иванов^Пётр"), None])
    )
    order = draw(st.sampled_from([None, ORDER]))
    action = Action.LINK if local else Action.IMPORT_ONLY
    study = Study("1.2.3", institution=draw(st.sampled_from(["", "Klinik"])))
    resolution = Resolution(action, "x", AT, local=local)
    stated = StatedPatient(PatientIdentity(), (study,))
    return make_plan(stated, study, resolution, Policy(), AT, order)


@given(data_sets(), plans(), st.sampled_from([(True, True), (False, True), (False, False)]))
def test_any_well_formed_header_becomes_what_pydicom_writes(
    ds: Dataset, plan: Plan, encoding: tuple[bool, bool]
) -> None:
    header = written(ds, *encoding)
    assert_same(header, *encoding, plan)
