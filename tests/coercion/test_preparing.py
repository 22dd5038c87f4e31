"""What a medium's headers break is found once, mended in every header, and kept; UIDs that cannot
stay are replaced everywhere; the pixel data have a hash before anything is sent."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.sequence import Sequence
from pydicom.uid import KeyObjectSelectionDocumentStorage

from kiosk import fileset
from kiosk.coercion import apply, plan, prepare
from kiosk.coercion.encoding.elements import EXPLICIT, encode
from kiosk.coercion.encoding.mending import LEGAL, is_legal, mended, mended_text
from kiosk.media import read as read_medium
from kiosk.model.content import Catalog, Instance, StatedPatient
from kiosk.model.delivery import Coerced
from kiosk.model.matching import Action, Resolution
from kiosk.model.medium import staged_name
from kiosk.policy import Policy
from kiosk.policy.sections import Limits
from tests.coercion.build import AT, LOCAL, read, whole

CT, SR = (str(get_testdata_file(name)) for name in ("CT_small.dcm", "test-SR.dcm"))


class Medium:
    """Files on a medium, staged and prepared as the engine does it."""

    def __init__(self, folder: Path, **policy: Any) -> None:
        self._folder, self._policy = folder, Policy.model_validate({"coercion": policy})
        (folder / "medium").mkdir()

    def put(self, name: str, ds: Dataset) -> None:
        ds.save_as(self._folder / "medium" / name)

    def put_bytes(self, name: str, data: bytes) -> None:
        (self._folder / "medium" / name).write_bytes(data)

    def prepared(self, name: str = "staged") -> Catalog:
        self._staged = self._folder / name
        read_medium(self._folder / "medium", self._staged, Limits(), lambda _: None)
        found = fileset.read(self._staged, Limits())
        return prepare(self._staged, found, self._policy.coercion, Limits())

    def coerced(self, catalog: Catalog) -> dict[str, Coerced]:
        """By path: every instance as it would be sent."""
        return {
            i.path: apply(self._staged / staged_name(i.file), i, made)
            for patient in catalog.patients
            for study in patient.studies
            for made in [self.plan(patient, study)]
            for i in study.instances
        }

    def plan(self, patient: StatedPatient, study: Any) -> Any:
        decided = Resolution(Action.LINK, "someone", AT, local=LOCAL)
        return plan(patient, study, decided, self._policy, AT)


def ct(number: int = 1, **values: Any) -> Dataset:
    ds = dcmread(CT)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def instances(catalog: Catalog) -> list[Instance]:
    return [i for patient in catalog.patients for i in patient.instances]


WRONG = [
    ("StudyDate", "2004-01-19", "20040119"),
    ("SeriesDate", "20040230", ""),
    ("StudyTime", "07:27:30", "072730"),
    ("PatientAge", "45", "045Y"),
    ("InstanceNumber", "7.0", "7"),
    ("SliceThickness", "5,000000000000000001", "5"),
    ("BodyPartExamined", "chest-pa", "CHEST_PA"),
    ("StationName", "a station name too long", "a station name t"),
    ("StudyDescription", "line\x01break", "line break"),
]


@pytest.mark.parametrize(("keyword", "was", "now"), WRONG, ids=[w[0] for w in WRONG])
def test_a_value_that_breaks_its_vr_is_mended_kept_and_said(
    tmp_path: Path, keyword: str, was: str, now: str
) -> None:
    medium = Medium(tmp_path)
    ds = ct(**{keyword: ""})
    ds[keyword]._value = was
    medium.put("A", ds)
    catalog = medium.prepared()
    (coerced,) = medium.coerced(catalog).values()
    after = read(whole(coerced))
    assert str(after.get_item(keyword).value.decode() if now else "").strip() == now
    assert [(c.was, c.now) for c in coerced.changes if c.keyword == keyword] == [(was, now)]
    (study,) = catalog.patients[0].studies
    assert [(m.was, m.now) for m in study.mended if m.keyword == keyword] == [(was, now)]
    kept = after.OriginalAttributesSequence[0]
    assert kept.ReasonForTheAttributeModification == "CORRECT"
    (value,) = kept.NonconformingModifiedAttributesSequence
    assert value.NonconformingDataElementValue.rstrip(b" \0") == was.encode()


def test_what_is_mended_inside_a_sequence_is_kept_in_its_place(tmp_path: Path) -> None:
    medium, inner = Medium(tmp_path), Dataset()
    inner.add_new("StudyDate", "DA", "")
    inner["StudyDate"]._value = "1999.01.02"
    medium.put("A", ct(ReferencedStudySequence=Sequence([inner])))
    (coerced,) = medium.coerced(medium.prepared()).values()
    after = read(whole(coerced))
    assert after.ReferencedStudySequence[0].StudyDate == "19990102"
    old = after.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert old.ReferencedStudySequence[0].get_item("StudyDate").value.strip() == b"1999.01.02"
    (row,) = [c for c in coerced.changes if c.keyword == "StudyDate"]
    assert row.tag == "(0008,1110)[1]>(0008,0020)"


def test_unknown_vrs_odd_lengths_and_group_lengths_are_put_right(tmp_path: Path) -> None:
    """PS3.5 6.2.2, 7.1.1, 7.2: the value stays, only its form is mended."""
    medium = Medium(tmp_path)
    ds = ct(ProtocolName="P")
    del ds.SoftwareVersions
    medium.put("A", ds)
    data = (tmp_path / "medium" / "A").read_bytes()
    right = encode(0x00181030, b"LO", b"P", EXPLICIT)
    assert right in data
    unknown = encode(0x00181030, b"UN", b"P ", EXPLICIT)
    odd = b"\x18\0\x20\x10LO\x03\0abc"  # (0018,1020), three bytes
    length = encode(0x00180000, b"UL", bytes(4), EXPLICIT)
    first = data.index(b"\x18\0\x22\0")
    data = data[:first] + length + data[first:].replace(right, odd + unknown, 1)
    medium.put_bytes("A", data)
    (coerced,) = medium.coerced(medium.prepared()).values()
    after = read(whole(coerced))
    assert after["ProtocolName"].VR == "LO"
    assert after.ProtocolName == "P"
    assert after.SoftwareVersions == "abc"
    assert (0x0018, 0x0000) not in after
    said = {(c.tag, c.was, c.now) for c in coerced.changes}
    assert ("(0018,1030)", "VR UN", "VR LO") in said
    assert ("(0018,1020)", "3 bytes", "padded") in said
    assert ("(gggg,0000)", "present", "") in said


def test_what_is_no_uid_gets_the_same_new_one_in_every_reference_of_the_case(
    tmp_path: Path,
) -> None:
    """An image, a presentation of it, a report and a key object note, in two studies."""
    medium, bad = Medium(tmp_path), "1.2.840.IMAGE.7"
    image = ct()
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = bad
    medium.put("IMAGE", image)
    for name, sop_class, study in (
        ("NOTE", KeyObjectSelectionDocumentStorage, str(image.StudyInstanceUID)),
        ("PRESENT", "1.2.840.10008.5.1.4.1.1.11.1", "1.9.9"),
    ):
        other = ct(2, StudyInstanceUID=study, SOPClassUID=sop_class, SeriesInstanceUID="1.8" + name)
        other.SOPInstanceUID = f"1.2.9.{len(name)}"
        other.SeriesInstanceUID = f"1.8.{len(name)}"
        series, reference = Dataset(), Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = "1.2.840.1", bad
        series.ReferencedSOPSequence = Sequence([reference])
        other.CurrentRequestedProcedureEvidenceSequence = Sequence([series])
        del other.PixelData
        medium.put(name, other)
    report = dcmread(SR)
    report.PatientID, report.PatientName = image.PatientID, image.PatientName
    report.ContentSequence[0].ReferencedSOPSequence = Sequence([reference])
    medium.put("REPORT", report)
    catalog = medium.prepared()
    sent = {path: read(whole(c)) for path, c in medium.coerced(catalog).items()}
    new = str(sent["IMAGE"].SOPInstanceUID)
    assert new.startswith("2.25.")
    assert sent["IMAGE"].file_meta.MediaStorageSOPInstanceUID == new
    assert new in {i.sop_instance_uid for i in instances(catalog)}
    for name in ("NOTE", "PRESENT"):
        (item,) = sent[name].CurrentRequestedProcedureEvidenceSequence
        assert item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == new
    item = sent["REPORT"].ContentSequence[0].ReferencedSOPSequence[0]
    assert item.ReferencedSOPInstanceUID == new
    assert item.ReferencedSOPClassUID == "1.2.840.1"
    old = sent["IMAGE"].OriginalAttributesSequence[0]
    (kept,) = old.NonconformingModifiedAttributesSequence
    assert kept.NonconformingDataElementValue.rstrip(b"\0 ") == bad.encode()
    assert sent["NOTE"].StudyInstanceUID == image.StudyInstanceUID


def test_the_same_disc_again_gets_the_same_new_uids(tmp_path: Path) -> None:
    medium = Medium(tmp_path)
    medium.put("A", ct(StudyInstanceUID="7", SeriesInstanceUID=""))
    first, again = medium.prepared("one"), medium.prepared("two")
    assert first == again
    (study,) = first.patients[0].studies
    assert study.study_instance_uid.startswith("2.25.")
    (coerced,) = medium.coerced(again).values()
    after = read(whole(coerced))
    assert after.StudyInstanceUID == study.study_instance_uid
    assert after.SeriesInstanceUID == study.series[0].series_instance_uid


def test_short_names_that_are_no_uids_differ_from_patient_to_patient(tmp_path: Path) -> None:
    medium = Medium(tmp_path)
    medium.put("A", ct(1, StudyInstanceUID="x", PatientID="A"))
    medium.put("B", ct(2, StudyInstanceUID="x", PatientID="B", PatientName="OTHER^ONE"))
    catalog = medium.prepared()
    uids = {s.study_instance_uid for p in catalog.patients for s in p.studies}
    assert len(uids) == 2


def test_of_two_images_under_one_uid_the_second_gets_another(tmp_path: Path) -> None:
    """References stay with the first; which one that is does not depend on the order."""
    medium = Medium(tmp_path)
    one, other = ct(), ct(InstanceNumber="9")
    medium.put("A", one)
    medium.put("B", other)
    catalog = medium.prepared()
    sent = {path: str(read(whole(c)).SOPInstanceUID) for path, c in medium.coerced(catalog).items()}
    assert sorted(sent.values())[0] == "1.2.3.1"
    assert len(set(sent.values())) == 2
    (study,) = catalog.patients[0].studies
    assert [u.why for u in study.uids] == ["conflict"]
    (row,) = [m for m in study.mended if m.keyword == "SOPInstanceUID"]
    assert (row.was, row.instances) == ("1.2.3.1", 1)


def test_valid_uids_are_never_changed(tmp_path: Path) -> None:
    medium = Medium(tmp_path)
    medium.put("A", ct())
    catalog = medium.prepared()
    (study,) = catalog.patients[0].studies
    assert not study.uids
    assert not study.mended


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("CT_small.dcm", lambda ds: ds.PixelData),
        ("MR_small_implicit.dcm", lambda ds: ds.PixelData),
        ("JPEG2000.dcm", lambda ds: ds.PixelData),
        ("test-SR.dcm", lambda ds: None),
    ],
)
def test_the_hash_of_the_pixel_data_is_known_before_anything_is_sent(
    tmp_path: Path, name: str, what: Any
) -> None:
    medium, path = Medium(tmp_path), Path(str(get_testdata_file(name)))
    medium.put_bytes("A", path.read_bytes())
    catalog = medium.prepared()
    (instance,) = instances(catalog)
    value = what(dcmread(path))
    assert instance.pixels == (hashlib.sha256(value).hexdigest() if value is not None else "")
    (coerced,) = medium.coerced(catalog).values()
    tail = whole(coerced)[len(coerced.meta) + len(coerced.header) :]
    pixels = tail[coerced.pixels_at : coerced.pixels_at + coerced.pixels_length]
    assert coerced.pixels == (hashlib.sha256(pixels).hexdigest() if pixels else "")


def test_a_copy_with_new_uids_and_another_name_has_the_same_pixel_hash(tmp_path: Path) -> None:
    medium = Medium(tmp_path)
    medium.put("A", ct())
    medium.put("B", ct(5, StudyInstanceUID="1.5", PatientName="ELSE^ANYBODY", PatientID="E"))
    first, second = instances(medium.prepared())
    assert first.pixels == second.pixels != ""


def test_listed_creators_keep_their_private_elements(tmp_path: Path) -> None:
    medium = Medium(tmp_path, private_elements="listed", private_creators=["KEEP ME"])
    ds = ct()
    for element in [e for e in ds if e.tag.is_private]:
        del ds[element.tag]
    for creator, tag in (("KEEP ME", 0x0029), ("DROP ME", 0x0029), ("KEEP ME", 0x7FE1)):
        ds.private_block(tag, creator, create=True).add_new(1, "LO", creator)
    medium.put("A", ds)
    catalog = medium.prepared()
    (coerced,) = medium.coerced(catalog).values()
    after = read(whole(coerced))
    private = [str(e.value) for e in after if e.tag.is_private]
    assert private == ["KEEP ME", "KEEP ME", "KEEP ME", "KEEP ME"]
    (row,) = [c for c in coerced.changes if c.tag == "private"]
    assert (row.keyword, row.was, row.now) == ("DROP ME", "2 elements", "")


ASCII_VRS = sorted(LEGAL)


@given(st.binary(max_size=40), st.sampled_from(ASCII_VRS))
def test_whatever_stands_there_becomes_legal_or_empty(raw: bytes, vr: bytes) -> None:
    if is_legal(raw, vr) or vr == b"UI":
        return
    assert is_legal(mended(raw, vr, EXPLICIT), vr)


@given(st.text(max_size=200), st.sampled_from([b"LO", b"SH", b"PN", b"ST", b"LT", b"UT", b"UC"]))
def test_text_is_mended_once_and_for_all(text: str, vr: bytes) -> None:
    once = mended_text(text, vr)
    assert mended_text(once, vr) == once
