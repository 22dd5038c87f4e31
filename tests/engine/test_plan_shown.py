"""What HIM is shown before the decision is what lies in the archive after it, byte for byte."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from pydicom import Dataset, config, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataelem import RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import data_element_generator
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from kiosk.cli.demonstration import discs
from kiosk.desk import Desk, Operator, Role
from kiosk.model.delivery import Change
from kiosk.model.matching import Action
from kiosk.model.work import CaseState, DeliveryState
from kiosk.policy.sections import Coercion, Destination
from kiosk.policy.sections import Identity as IdentityPolicy
from tests.engine.conftest import ARCHIBALD, Station, policy_for
from tests.peers.orthanc import Orthanc, orthanc

SOP_INSTANCE = "(0008,0018)"
APPENDED = {"(0018,a001)", "(0400,0561)", "(0010,1002)"}


@pytest.fixture(autouse=True)
def _pydicom_writes_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The values are wrong on purpose."""
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
    monkeypatch.setattr(config.settings, "writing_validation_mode", config.IGNORE)


def broken(folder: Path) -> Path:
    """A disc as they come: dates with dashes, a UID that is none and references to it, private
    elements, a value too long, an odd length, and an image in another spelling of the name."""
    base = dcmread(get_testdata_file("MR_small.dcm"))
    base.PatientName = f"{ARCHIBALD.family}^{ARCHIBALD.given}"
    base.PatientBirthDate, base.PatientSex = ARCHIBALD.birth_date, ARCHIBALD.sex
    base.private_block(0x0029, "ACME", create=True).add_new(1, "LO", "secret")
    files: dict[str, bytes | Path] = {}
    for number in range(3):
        ds = dcmread(get_testdata_file("MR_small.dcm"))
        ds.update(base)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        ds.StudyInstanceUID = "1.2.OLD.7"
        referred = Dataset()
        referred.ReferencedSOPClassUID = ds.SOPClassUID
        referred.ReferencedSOPInstanceUID = "1.2.3.01"
        ds.ReferencedImageSequence = Sequence([referred])
        ds.SeriesDate = "2004-01-19" if number else "20040119"
        ds.AccessionNumber = "FOREIGN"
        if number == 2:
            ds.PatientName = f"{ARCHIBALD.family}^{ARCHIBALD.given}^X"
            ds.StationName = "a station name too long"
        path = folder / f"{number}.dcm"
        ds.save_as(path)
        files[f"IM{number}"] = path
    return discs.burn(files, folder / "broken.iso", "BROKEN")


def elements(data: bytes) -> dict[int, bytes]:
    """The top-level elements of an Explicit VR Little Endian data set, as bytes."""
    f = DicomBytesIO(data)
    found = {}
    for each in data_element_generator(f, is_implicit_VR=False, is_little_endian=True):
        assert isinstance(each, RawDataElement) or each.VR == "SQ"
        value = each.value if isinstance(each, RawDataElement) else None
        found[int(each.tag)] = value if value is not None else repr(each.value).encode()
    return found


def differences(before: bytes, after: bytes) -> set[int]:
    old, new = elements(before), elements(after)
    return {tag for tag in old.keys() | new.keys() if old.get(tag) != new.get(tag)}


def shown(here: Station, intake: int, action: Action) -> tuple[Change, ...]:
    desk = Desk(here.rows, here.policy, Operator("him", Role.HIM), lambda: here.at)
    snapshot = desk.compare(here.case(intake).id)
    if action is Action.IMPORT_ONLY:
        return snapshot.import_only
    ours = [c for c in snapshot.candidates if ARCHIBALD.number in str(c.local.identity.identifier)]
    return ours[0].writes


@pytest.mark.peer("Orthanc")
@pytest.mark.parametrize("action", [Action.LINK, Action.IMPORT_ONLY])
def test_the_plan_that_is_shown_is_what_the_archive_has(
    here: Station, tmp_path: Path, action: Action
) -> None:
    (tmp_path / "archive").mkdir()
    with orthanc(tmp_path / "archive") as archive:
        target = Destination(name="PACS", host=archive.host, port=archive.port, ae_title="ORTHANC")
        here.use(waiting(target))
        here.register()
        intake = here.insert(broken(tmp_path))
        here.work()
        assert here.case(intake).state is CaseState.AWAITING
        rows = shown(here, intake, action)
        desk = Desk(here.rows, here.policy, Operator("him", Role.HIM), lambda: here.at)
        key = next(c.local.key for c in desk.compare(here.case(intake).id).candidates)
        desk.resolve(here.case(intake).id, action, key if action is Action.LINK else "", "seen")
        here.work()
        assert {d.state for d in here.deliveries(intake)} == {DeliveryState.COMMITTED}
        assert_told(rows, originals(tmp_path), archived(archive))


def waiting(target: Destination) -> object:
    policy = policy_for(target)
    changed = {
        "identity": IdentityPolicy(local_issuer="HOSP", review_only=True),
        "coercion": Coercion(private_elements="drop"),
    }
    return policy.model_copy(update=changed)


def originals(folder: Path) -> dict[str, bytes]:
    found = {}
    for number in range(3):
        data = (folder / f"{number}.dcm").read_bytes()
        length = int.from_bytes(data[140:144], "little")
        found[f"1.2.3.{number}"] = data[144 + length :]
    return found


def archived(archive: Orthanc) -> dict[str, bytes]:
    return archive.data_sets()


def assert_told(
    rows: tuple[Change, ...], before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    """Each difference is a row, in as many images as it says; each row is a difference."""
    assert before.keys() == after.keys()
    counted: Counter[str] = Counter()
    for uid, data in before.items():
        changed = differences(data, after[uid])
        counted.update(f"({t >> 16:04x},{t & 0xFFFF:04x})" for t in changed if not t >> 16 & 1)
        assert not [t for t in elements(after[uid]) if t >> 16 & 1]
        old, new = elements(data), elements(after[uid])
        for row in rows:
            if len(row.tag) == 11 and row.tag not in APPENDED and row.tag != SOP_INSTANCE:
                tag = int(Tag(int(row.tag[1:5], 16), int(row.tag[6:10], 16)))
                if old.get(tag, b"").strip(b" \0").decode("latin-1") == row.was:
                    assert new[tag].strip(b" \0").decode("latin-1") == row.now, row.keyword
    told: Counter[str] = Counter()
    for row in rows:
        if row.tag != "private":
            told[row.tag[:11]] += row.instances
    assert {"(0008,1140)", "(0020,000d)", "(0008,0021)", "(0008,1010)"} <= told.keys()
    assert told == counted
    assert [(r.keyword, r.was) for r in rows if r.tag == "private"] == [("ACME", "2 elements")]
