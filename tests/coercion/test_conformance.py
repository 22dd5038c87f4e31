"""A coerced file breaks no rule of the Standard that the original did not break (dciodvfy), on
files that pydicom ships and, where the corpus is, on every disc and file-set in it."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from kiosk import fileset
from kiosk.coercion import apply, plan, prepare
from kiosk.media import read as read_medium
from kiosk.model.content import Catalog, Instance, InstanceStatus, StatedPatient, Study
from kiosk.model.delivery import Coerced, Plan
from kiosk.model.matching import Action, Resolution
from kiosk.model.medium import MADE, staged_name
from kiosk.model.patient import PatientIdentity
from kiosk.policy import Policy
from kiosk.policy.sections import Limits
from tests.coercion.build import AT, LOCAL, PIXELS, named, plan_for, read, staged, whole
from tests.conftest import CORPUS

WHEEL = ["CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "JPEG2000.dcm",
         "MR_small_RLE.dcm", "rtplan.dcm", "rtdose.dcm", "reportsi.dcm", "waveform_ecg.dcm",
         "liver_1frame.dcm", "examples_overlay.dcm"]  # fmt: skip
MEDIA = sorted([*CORPUS.glob("discs/out/*.iso"), *CORPUS.glob("media/*/*")])
SLOW = ("D09d_manyfiles",)  # ten thousand files, one of them DICOM
DEFLATED = "1.2.840.10008.1.2.1.99"
# Implicit VR in a file that declares a compressed syntax: refused, see `apply`.
CONTRADICTS_ITSELF = "SC_rgb_jpeg.dcm"


def errors(path: Path) -> Counter[str]:
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, check=False).stderr
    lines = said.decode("utf-8", "replace").splitlines()
    found = (line for line in lines if line.startswith("Error"))
    return Counter(re.sub(r"\d+(\.\d+)*", "N", line) for line in found)  # some get new ones


def assert_no_new_error(before: Path, coerced: Coerced, folder: Path) -> None:
    after = folder / "coerced.dcm"
    after.write_bytes(whole(coerced))
    assert not errors(after) - errors(before)


@pytest.mark.peer("dciodvfy")
@pytest.mark.parametrize("local", [LOCAL, named("Иванов^Пётр"), None], ids=["a", "utf8", "only"])
@pytest.mark.parametrize("name", WHEEL)
def test_no_error_that_the_original_did_not_have(
    name: str, local: PatientIdentity | None, tmp_path: Path
) -> None:
    path = Path(str(get_testdata_file(name)))
    assert_no_new_error(path, apply(*staged(path, tmp_path), plan_for(path, local)), tmp_path)


@pytest.mark.corpus
@pytest.mark.peer("dciodvfy")
@pytest.mark.parametrize("medium", [m for m in MEDIA if m.stem not in SLOW], ids=lambda m: m.stem)
def test_every_instance_of_real_media_is_coerced_with_its_pixels_untouched(
    medium: Path, tmp_path: Path
) -> None:
    staged = tmp_path / "staged"
    read_medium(medium, staged, Limits(), lambda _: None)
    catalog = prepare(staged, fileset.read(staged, Limits()), Policy().coercion, Limits())
    for stated, study, instance in instances(catalog):
        resolution = Resolution(Action.LINK, "someone", AT, local=LOCAL)
        made = plan(stated, study, resolution, Policy(), AT)
        source = staged / staged_name(instance.file)
        if instance.path.endswith(CONTRADICTS_ITSELF):
            continue
        coerced = apply(source, instance, made)
        assert_rightly_coerced(source, instance, coerced, made)
        original = staged / staged_name(instance.file % MADE)
        if not is_deflated(original):
            assert_no_new_error(original, coerced, tmp_path)


def is_deflated(path: Path) -> bool:
    """dciodvfy reads nothing of such a file, so there is nothing to compare with."""
    meta = dcmread(path, force=True, specific_tags=["SOPClassUID"]).file_meta
    return meta.get("TransferSyntaxUID") == DEFLATED


def instances(catalog: Catalog) -> list[tuple[StatedPatient, Study, Instance]]:
    return [
        (stated, study, instance)
        for stated in catalog.patients
        for study in stated.studies
        for instance in study.instances
        if instance.status is InstanceStatus.OK
    ]


def assert_rightly_coerced(source: Path, instance: Instance, coerced: Coerced, made: Plan) -> None:
    before, after = dcmread(source, force=True), read(whole(coerced))
    assert (after.PatientName, after.PatientID) == ("Smith^Anna^Maria", "L-4711")
    new = dict(made.uids)
    assert after.SOPInstanceUID == instance.sop_instance_uid
    for uid in ("SeriesInstanceUID", "StudyInstanceUID"):
        stated = str(before.get(uid, ""))
        assert after[uid].value == new.get(stated, stated) or not stated
    held = [tag for tag in PIXELS if tag in before]
    assert [after[tag].value for tag in held] == [before[tag].value for tag in held]
    old = after.OriginalAttributesSequence[-1].ModifiedAttributesSequence[0]
    assert str(old.PatientName) == str(before.get("PatientName", ""))
    assert (old.PatientID or "") == (before.get("PatientID") or "")
