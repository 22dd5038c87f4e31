"""A hospital that imported our images gives them back under UIDs and a name of its own: they are
known by their pixels, and that is said before they are sent again."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.filewriter import dcmwrite
from pydicom.uid import generate_uid

from kiosk.cli.demonstration import discs
from kiosk.model.work import CaseState, DeliveryState
from kiosk.policy.sections import Destination
from tests.engine.conftest import ARCHIBALD, Station, policy_for
from tests.peers.scripted import Scripted, scripted


def target(peer: Scripted) -> Destination:
    return Destination(
        name="PACS", port=peer.port, ae_title="ORTHANC", verify_level=0, commitment=False
    )


def given_back(image: Path, *, changed: int = 0) -> Path:
    """The known disc as another archive would burn it; `changed` of them with other pixels."""
    stated = discs.Stated(
        f"{ARCHIBALD.family}^{ARCHIBALD.given}^J.", ARCHIBALD.birth_date, ARCHIBALD.sex
    )
    uids: dict[str, str] = {}
    files = {}
    named = [n for n in discs.file_set_of(discs.ARCHIBALD) if n not in ("DICOMDIR", "README.TXT")]
    content = discs.file_set_of(discs.ARCHIBALD, stated)
    for number, name in enumerate(named):
        ds = dcmread(BytesIO(content[name]))
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            new = uids.setdefault(str(ds.get(keyword)), generate_uid())
            setattr(ds, keyword, new)
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.PatientID = "GIVEN-BACK"
        ds.InstitutionName = "Another Hospital"
        if number < changed:
            ds.PixelData = bytes((ds.PixelData[0] ^ 1,)) + ds.PixelData[1:]
        buffer = BytesIO()
        dcmwrite(buffer, ds)
        files[name] = buffer.getvalue()
    return discs.burn(files, image, "GIVENBACK")


def test_our_own_images_under_other_uids_are_a_persons_matter_before_they_are_sent(
    here: Station, known: Path, tmp_path: Path
) -> None:
    with scripted() as peer:
        here.use(policy_for(target(peer)))
        here.register()
        first = here.insert(known)
        here.work()
        assert here.case(first).state is CaseState.DONE
        sent = len(peer.received)
        here.pass_(hours=100)  # the first disc's bytes are purged, its hashes are not
        here.register()
        here.work()
        again = here.insert(given_back(tmp_path / "back.iso"))
        here.work()
        case = here.case(again)
        assert case.state is CaseState.AWAITING
        assert any("7 of 7 images were sent from here before" in r for r in case.reasons)
        with here.rows.read() as tx:
            ticket = tx.intakes.get(first).ticket
        assert any(ticket in reason for reason in case.reasons)
        assert len(peer.received) == sent
        here.decide(again, ARCHIBALD.number)  # a person may want them all the same
        here.work()
        assert {d.state for d in here.deliveries(again)} == {DeliveryState.COMMITTED}


def test_an_image_or_two_alike_are_no_reason(here: Station, known: Path, tmp_path: Path) -> None:
    """A logo, a blank frame: fewer than a quarter."""
    with scripted() as peer:
        here.use(policy_for(target(peer)))
        here.register()
        here.insert(known)
        here.work()
        again = here.insert(given_back(tmp_path / "other.iso", changed=6))
        here.work()
        assert not any("sent from here before" in r for r in here.case(again).reasons)
