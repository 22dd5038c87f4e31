"""An archive that takes nothing compressed gets what was compressed without loss as it was before,
and a person is told of the rest."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from kiosk.cli.demonstration import discs
from kiosk.model.delivery import Answer
from kiosk.model.work import CaseState, DeliveryState
from kiosk.policy.sections import Destination
from tests.engine.conftest import ARCHIBALD, Station, policy_for
from tests.peers.orthanc import orthanc
from tests.peers.storescp import storescp

LOSSLESS = {
    "MR_small_RLE.dcm": "MR_small.dcm",
    "MR_small_jpeg_ls_lossless.dcm": "MR_small.dcm",
    "MR_small_jp2klossless.dcm": "MR_small.dcm",
}
LOSSY = "JPEG2000.dcm"


def shipped(name: str) -> Dataset:
    return dcmread(str(get_testdata_file(name)))


def stating(name: str, number: int) -> bytes:
    """One of pydicom's files as an image of the registered man, with a UID of its own."""
    ds, out = shipped(name), BytesIO()
    ds.PatientName = f"{ARCHIBALD.family}^{ARCHIBALD.given}"
    ds.PatientID = "AWAY"
    ds.PatientBirthDate, ds.PatientSex = ARCHIBALD.birth_date, ARCHIBALD.sex
    ds.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.77"
    ds.SeriesInstanceUID = f"1.2.826.0.1.3680043.8.498.77.{number}"
    ds.SOPInstanceUID = f"{ds.SeriesInstanceUID}.1"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(out)
    return out.getvalue()


def test_what_an_archive_does_not_take_compressed_arrives_without(
    here: Station, tmp_path: Path
) -> None:
    names = [*LOSSLESS, LOSSY]
    files: dict[str, bytes | Path] = {
        f"IMAGE{n}": stating(name, n) for n, name in enumerate(names, 1)
    }
    image = discs.burn(files, tmp_path / "compressed.iso", "PACKED")
    (tmp_path / "archive").mkdir()
    with storescp(tmp_path / "archive", "+xe") as archive:
        peer = Destination(
            name="PACS", port=archive.port, ae_title="STORESCP", verify_level=0, commitment=False
        )
        here.use(policy_for(peer))
        here.register()
        intake = here.insert(image)
        here.work()
        arrived = [dcmread(path) for path in archive.files().values()]
    (work,) = here.deliveries(intake)
    results = here.results(work)
    (refused,) = (r for r in results if r.answer is Answer.REFUSED)
    assert refused.comment == (
        "the archive does not take Secondary Capture Image Storage encoded as "
        "JPEG 2000 Image Compression"
    )
    pixels = shipped("MR_small.dcm").PixelData
    assert [ds.PixelData == pixels for ds in arrived] == [True] * len(LOSSLESS)
    assert all(ds.PatientID == ARCHIBALD.number for ds in arrived)
    changed = [r for r in results if "TransferSyntaxUID" in {c.keyword for c in r.changes}]
    assert len(changed) == len(LOSSLESS)
    assert here.case(intake).state is not CaseState.FAILED


def test_it_is_proved_in_an_orthanc_that_takes_nothing_compressed(
    here: Station, tmp_path: Path
) -> None:
    """Level 2: by commitment and by what a query shows."""
    files: dict[str, bytes | Path] = {"IMAGE1": stating("MR_small_RLE.dcm", 1)}
    image = discs.burn(files, tmp_path / "compressed.iso", "PACKED")
    (tmp_path / "archive").mkdir()
    native = {"AcceptedTransferSyntaxes": ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"]}
    with orthanc(tmp_path / "archive", **native) as archive:
        here.use(policy_for(Destination(name="PACS", port=archive.port, ae_title="ORTHANC")))
        here.register()
        intake = here.insert(image)
        here.work()
        (arrived,) = archive.data_sets().values()
    assert {d.state for d in here.deliveries(intake)} == {DeliveryState.COMMITTED}
    assert shipped("MR_small.dcm").PixelData in arrived
