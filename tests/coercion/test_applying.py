"""A coerced file has the local identity, the old values inside it, and the pixels it came with."""

from __future__ import annotations

import hashlib
import struct
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from kiosk.coercion import apply
from kiosk.coercion.encoding.elements import EXPLICIT, Malformed
from kiosk.coercion.preparing.expanding import expanded
from kiosk.coercion.recoding import Privates
from kiosk.coercion.tail import find_tail
from kiosk.model.content import InstanceStatus
from kiosk.model.delivery import CoercionRefused
from kiosk.model.patient import Identifier
from kiosk.policy import Policy
from tests.coercion.build import LOCAL, PIXELS, instance_of, named, plan_for, read, staged, whole

NATIVE = ["CT_small.dcm", "MR_small_implicit.dcm"]
EXPANDED = ["MR_small_bigendian.dcm", "ExplVR_BigEnd.dcm", "image_dfl.dcm"]
ENCAPSULATED = ["JPEG2000.dcm", "MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm", "JPGExtended.dcm"]
WITHOUT_META = ["ExplVR_LitEndNoMeta.dcm", "ExplVR_BigEndNoMeta.dcm"]
OTHERS = ["test-SR.dcm", "rtplan.dcm", "waveform_ecg.dcm", "MR_small_padded.dcm"]
CHANGED = {0x00080050, 0x00100010, 0x00100020, 0x00100030, 0x00100040, 0x00101002}
KEPT = ("SOPInstanceUID", "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "StudyDate",
        "Modality", "InstitutionName", "StudyDescription", "Manufacturer")  # fmt: skip
DROP = Policy.model_validate({"coercion": {"private_elements": "drop"}})


def file(name: str) -> Path:
    return Path(str(get_testdata_file(name)))


def pixels(ds: Dataset) -> list[str]:
    """Of each image: its samples as numbers are compared, whatever the byte order."""
    big = not ds.original_encoding[1]
    values = [ds[t].value for t in PIXELS if t in ds]
    turned = [turn(v) if big and ds[0x7FE00010].VR == "OW" else v for v in values]
    return [hashlib.sha256(value).hexdigest() for value in turned]


def turn(value: bytes) -> bytes:
    return bytes(b for pair in zip(value[1::2], value[::2], strict=True) for b in pair)


def saved(ds: Dataset, folder: Path) -> Path:
    path = folder / "made.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("name", [*NATIVE, *ENCAPSULATED, *WITHOUT_META, *OTHERS, *EXPANDED])
def test_the_identity_is_local_and_the_rest_is_as_it_came(name: str, tmp_path: Path) -> None:
    path = file(name)
    coerced = apply(*staged(path, tmp_path), plan_for(path))
    before, after = dcmread(path, force=True), read(whole(coerced))
    assert (after.PatientName, after.PatientID) == ("Smith^Anna^Maria", "L-4711")
    assert after.IssuerOfPatientID == "HOSP"
    assert after.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityID == "1.2.3.4"
    assert (after.PatientBirthDate, after.PatientSex) == ("19700102", "F")
    assert pixels(after) == pixels(before)
    assert [after.get(k) for k in KEPT] == [before.get(k) for k in KEPT]
    old = after.OriginalAttributesSequence[-1].ModifiedAttributesSequence[0]
    assert old.PatientID == before.get("PatientID", "")
    assert old.PatientName == before.get("PatientName", "")


@pytest.mark.parametrize("name", [*NATIVE, *ENCAPSULATED])
def test_the_original_is_forwarded_verbatim_from_its_pixel_element_on(name: str) -> None:
    path = file(name)
    instance = instance_of(path)
    coerced = apply(path, instance, plan_for(path))
    assert coerced.tail_offset == instance.pixel_offset
    assert coerced.tail_offset + coerced.tail_length == path.stat().st_size


def test_the_provenance_item_says_who_changed_what_when_and_why() -> None:
    """PS3.3 C.12.1.1.9: one item, one Modified Attributes item, the issuer with the ID."""
    path = file("CT_small.dcm")
    ds = read(whole(apply(path, instance_of(path), plan_for(path))))
    (item,) = ds.OriginalAttributesSequence
    assert item.AttributeModificationDateTime == "20261124080000.000000+0000"
    assert item.ModifyingSystem == "Kiosk kiosk-1"
    assert item.SourceOfPreviousValues == "Elsewhere General"
    assert item.ReasonForTheAttributeModification == "COERCE"
    (old,) = item.ModifiedAttributesSequence
    assert "IssuerOfPatientID" in old
    assert old.IssuerOfPatientID in ("", None)
    assert "AccessionNumber" in old


def test_this_importer_is_named_as_contributing_equipment() -> None:
    path = file("CT_small.dcm")
    item = read(
        whole(apply(path, instance_of(path), plan_for(path)))
    ).ContributingEquipmentSequence[-1]
    purpose = item.PurposeOfReferenceCodeSequence[0]
    assert (purpose.CodeValue, purpose.CodingSchemeDesignator) == ("MEDIM", "DCM")
    assert item.Manufacturer
    assert item.StationName == "kiosk-1"


def test_items_that_were_there_are_kept_before_the_new_ones(tmp_path: Path) -> None:
    path = file("CT_small.dcm")
    first = apply(path, instance_of(path), plan_for(path))
    once = tmp_path / "once.dcm"
    once.write_bytes(whole(first))
    local = replace(LOCAL, identifiers=(Identifier("N-9", "THERE"),))
    twice = read(whole(apply(once, instance_of(once), plan_for(once, local))))
    before = read(whole(first))
    assert len(twice.OriginalAttributesSequence) == 2
    assert twice.OriginalAttributesSequence[0] == before.OriginalAttributesSequence[0]
    assert len(twice.ContributingEquipmentSequence) == 2
    others = [(i.PatientID, i.get("IssuerOfPatientID")) for i in twice.OtherPatientIDsSequence]
    assert others[:2] == [("ABCD1234", None), ("1234ABCD", None)]
    assert others[2:] == [("1CT1", None), ("L-4711", "HOSP")]


def test_applying_a_plan_again_gives_the_same_bytes() -> None:
    path = file("CT_small.dcm")
    made = plan_for(path)
    once, again = (apply(path, instance_of(path), made) for _ in range(2))
    assert once == again


def test_without_any_change_of_identity_no_provenance_is_claimed(tmp_path: Path) -> None:
    ds = dcmread(file("CT_small.dcm"))
    ds.AccessionNumber = ""
    path = saved(ds, tmp_path)
    after = read(whole(apply(path, instance_of(path), plan_for(path, local=None))))
    assert "OriginalAttributesSequence" not in after
    assert after.ContributingEquipmentSequence
    assert after.PatientID == ds.PatientID


def test_a_foreign_order_survives_only_among_the_original_attributes(tmp_path: Path) -> None:
    ds = dcmread(file("CT_small.dcm"))
    request = Dataset()
    request.RequestedProcedureID = "FOREIGN"
    ds.RequestAttributesSequence = Sequence([request])
    ds.AccessionNumber = "FOREIGN-1"
    path = saved(ds, tmp_path)
    after = read(whole(apply(path, instance_of(path), plan_for(path, local=None))))
    assert after.AccessionNumber == ""
    assert "RequestAttributesSequence" not in after
    old = after.OriginalAttributesSequence[-1].ModifiedAttributesSequence[0]
    assert old.AccessionNumber == "FOREIGN-1"
    assert old.RequestAttributesSequence[0].RequestedProcedureID == "FOREIGN"


def test_the_preamble_and_the_meta_group_are_our_own(tmp_path: Path) -> None:
    """A preamble can make the file a program as well (CVE-2019-11687)."""
    data = file("CT_small.dcm").read_bytes()
    path = tmp_path / "polyglot.dcm"
    path.write_bytes(b"MZ" + data[2:])
    coerced = apply(path, instance_of(path), plan_for(path))
    assert coerced.meta.startswith(bytes(128) + b"DICM")
    meta = read(whole(coerced)).file_meta
    assert meta.ImplementationClassUID.startswith("2.25.")
    assert meta.ImplementationVersionName.startswith("KIOSK")
    assert not {0x00020016, 0x00020100, 0x00020102} & {int(e.tag) for e in meta}
    assert meta.TransferSyntaxUID == coerced.transfer_syntax_uid


@pytest.mark.parametrize("name", EXPANDED)
def test_deflated_and_big_endian_data_sets_are_written_anew_in_little_endian(
    name: str, tmp_path: Path
) -> None:
    """STANDARDS 4.3: lossless, every number in it the same."""
    path = file(name)
    source, instance = staged(path, tmp_path)
    before, after = dcmread(path), read(whole(apply(source, instance, plan_for(path))))
    assert after.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    for element in before:
        if element.tag not in after or element.tag in CHANGED or element.tag in PIXELS:
            continue
        assert after[element.tag].value == element.value, element.tag
    assert pixels(after) == pixels(before)


def test_writing_anew_twice_gives_the_same_file(tmp_path: Path) -> None:
    path = file("MR_small_bigendian.dcm")
    first = staged(path, tmp_path)
    content = first[0].read_bytes()
    assert staged(path, tmp_path) == first
    assert first[0].read_bytes() == content


def test_a_deflate_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path) -> None:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = packer.compress(bytes(5_000_000)) + packer.flush()
    (tmp_path / "00000001").write_bytes(data)
    instance = replace(instance_of(file("image_dfl.dcm")), file=1, dataset_offset=0)
    with pytest.raises(Malformed, match="inflates past"):
        expanded(tmp_path, instance, 2_000_000)
    assert max(each.stat().st_size for each in tmp_path.iterdir()) <= 2_000_000


def test_what_was_not_written_anew_is_refused() -> None:
    path = file("image_dfl.dcm")
    with pytest.raises(CoercionRefused, match="deflated or big endian"):
        apply(path, instance_of(path), plan_for(path))


def test_a_signature_that_no_longer_holds_is_left_off_and_said(tmp_path: Path) -> None:
    ds = dcmread(file("CT_small.dcm"))
    signature = Dataset()
    signature.DigitalSignatureUID = "1.2.3"
    ds.DigitalSignaturesSequence = Sequence([signature])
    ds.MACParametersSequence = Sequence([Dataset()])
    ds.add_new(0xFFFCFFFC, "OB", b"\0\0")
    path = saved(ds, tmp_path)
    coerced = apply(path, instance_of(path), plan_for(path))
    after = read(whole(coerced))
    assert "DigitalSignaturesSequence" not in after
    assert "MACParametersSequence" not in after
    assert pixels(after) == pixels(ds)
    changed = {c.keyword for c in coerced.changes}
    assert {"DigitalSignaturesSequence", "MACParametersSequence"} <= changed


def test_private_elements_are_kept_unless_the_policy_drops_them(tmp_path: Path) -> None:
    ds = dcmread(file("CT_small.dcm"))
    inner = Dataset()
    inner.private_block(0x0029, "ACME", create=True).add_new(1, "LO", "nested")
    inner.StudyDescription = "stays"
    ds.ReferencedStudySequence = Sequence([inner])
    ds.private_block(0x7FE1, "ACME", create=True).add_new(1, "OB", b"\0\1")
    path = saved(ds, tmp_path)
    kept = read(whole(apply(path, instance_of(path), plan_for(path))))
    dropped = read(whole(apply(path, instance_of(path), plan_for(path, policy=DROP))))
    assert kept.ReferencedStudySequence[0] == inner
    assert [e for e in kept.iterall() if e.tag.is_private]
    assert not [e for e in dropped.iterall() if e.tag.is_private]
    assert dropped.ReferencedStudySequence[0].StudyDescription == "stays"
    assert pixels(dropped) == pixels(ds)


@pytest.mark.parametrize("status", [InstanceStatus.DAMAGED, InstanceStatus.UNSUPPORTED])
def test_what_the_catalog_would_not_forward_is_refused(status: InstanceStatus) -> None:
    path = file("CT_small.dcm")
    with pytest.raises(CoercionRefused):
        apply(path, replace(instance_of(path), status=status), plan_for(path))


def test_a_header_in_another_encoding_than_it_declares_is_refused() -> None:
    path = file("CT_small.dcm")
    instance = replace(instance_of(path), transfer_syntax_uid="1.2.840.10008.1.2")
    with pytest.raises(CoercionRefused):
        apply(path, instance, plan_for(path))


def test_a_staged_file_that_is_gone_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = file("CT_small.dcm")
    with pytest.raises(CoercionRefused, match="read the disc again"):
        apply(tmp_path / "00000001", instance_of(path), plan_for(path))


def test_group_lengths_are_not_written_since_they_would_lie() -> None:
    path = file("ExplVR_LitEndNoMeta.dcm")
    coerced = apply(path, instance_of(path), plan_for(path, named("Smith")))
    assert not [e for e in read(whole(coerced)) if e.tag.element == 0]


def test_old_values_that_break_the_rules_are_kept_apart_as_bytes(tmp_path: Path) -> None:
    """PS3.3 C.12.1.1.9: what its VR does not allow may not stand among the Modified Attributes."""
    ds = dcmread(file("CT_small.dcm"))
    ds.PatientSex, ds.PatientBirthDate, ds.PatientID = "weiblich", "1970-01-02", "x" * 70
    path = saved(ds, tmp_path)
    after = read(whole(apply(path, instance_of(path), plan_for(path))))
    old = after.OriginalAttributesSequence[-1].ModifiedAttributesSequence[0]
    assert old.PatientName == ds.PatientName
    assert not any((old.PatientSex, old.PatientBirthDate, old.PatientID))
    apart = {}
    for item in after.OriginalAttributesSequence:
        (value,) = item.NonconformingModifiedAttributesSequence
        assert int(value.SelectorAttribute) in item.ModifiedAttributesSequence[0]
        apart[int(value.SelectorAttribute)] = value.NonconformingDataElementValue
    assert apart == {0x00100020: b"x" * 70, 0x00100030: b"1970-01-02", 0x00100040: b"weiblich"}
    assert "x" * 70 not in [i.PatientID for i in after.get("OtherPatientIDsSequence", [])]


def test_an_icon_with_compressed_pixels_of_its_own_survives_in_depth(tmp_path: Path) -> None:
    ds = dcmread(file("JPEG2000.dcm"))
    icon = Dataset()
    icon.Rows = icon.Columns = 1
    icon.add_new(0x7FE00010, "OB", encapsulate([b"\1\2\3\4"]))
    icon["PixelData"].is_undefined_length = True
    ds.IconImageSequence = Sequence([icon])
    path = saved(ds, tmp_path)
    made = plan_for(path, named("山田"), policy=DROP)
    after = read(whole(apply(path, instance_of(path), made)))
    assert after.IconImageSequence[0].PixelData == icon.PixelData
    assert after.SpecificCharacterSet == "ISO_IR 192"


def test_four_gigabytes_of_pixels_are_neither_read_nor_held(tmp_path: Path) -> None:
    source = file("CT_small.dcm")
    instance, made = instance_of(source), plan_for(source)
    path = tmp_path / "large.dcm"
    length = 0xFFFFFFF0
    with path.open("wb") as f:
        f.write(source.read_bytes()[: instance.pixel_offset])
        f.write(struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, length))
        f.truncate(instance.pixel_offset + 12 + length)
    tracemalloc.start()
    coerced = apply(path, instance, made)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert coerced.tail_length == 12 + length
    assert peak < 1_000_000


@pytest.mark.parametrize(
    "behind", [b"\xfd\x8a rubbish \x9e\0\1\2\3", b"\xfa\xff\xfa\xffSQ\0\0\xff\xff\0\0"]
)
def test_what_is_no_whole_element_behind_the_image_is_not_sent(
    tmp_path: Path, behind: bytes
) -> None:
    """A receiver would stumble over it; every byte of the image goes out."""
    pixels = b"\xe0\x7f\x10\0OW\0\0\4\0\0\0abcd"
    file = tmp_path / "image"
    file.write_bytes(pixels + behind)
    with file.open("rb") as source:
        size = len(pixels + behind)
        tail = find_tail(source.fileno(), 0, size, EXPLICIT, Privates())
    assert (tail.offset, tail.length, tail.pixels_length) == (0, len(pixels), 4)
