"""Reports beside the images arrive in the archive, in their study, under the right patient."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from kiosk.cli.demonstration import discs, registration
from kiosk.coercion.documents import paper
from kiosk.desk import Desk, Operator, Role
from kiosk.model.work import DeliveryState
from kiosk.policy.sections import Coercion, Destination
from tests.engine.conftest import ARCHIBALD, Station, policy_for
from tests.peers.orthanc import orthanc

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
PDF = paper.of_text("The heart is where it should be.")


def burnt(folder: Path, **files: bytes) -> Path:
    image = dcmread(get_testdata_file("MR_small.dcm"))
    image.PatientName = f"{ARCHIBALD.family}^{ARCHIBALD.given}"
    image.PatientBirthDate, image.PatientSex = ARCHIBALD.birth_date, ARCHIBALD.sex
    image.save_as(folder / "image.dcm")
    content: dict[str, bytes | Path] = {"IM1": folder / "image.dcm"}
    content |= {name.replace("_", "."): data for name, data in files.items()}
    return discs.burn(content, folder / "reports.iso", "REPORTS")


@pytest.mark.peer("Orthanc")
def test_a_report_arrives_as_an_object_of_the_study_and_is_sent_once(
    here: Station, tmp_path: Path
) -> None:
    active = PDF.replace(b"/Pages 2 0 R", b"/OpenAction << /S /JavaScript >> /Pages 2 0 R")
    image = burnt(tmp_path, REPORT_PDF=PDF, OTHER_PDF=active)
    (tmp_path / "archive").mkdir()
    with orthanc(tmp_path / "archive") as archive:
        target = Destination(name="PACS", host=archive.host, port=archive.port, ae_title="ORTHANC")
        here.use(policy_for(target))
        here.register()
        intake = here.insert(image)
        here.work()
        assert {d.state for d in here.deliveries(intake)} == {DeliveryState.COMMITTED}
        (study,) = archive.json("/studies?expand")
        kept = archive.json(f"/studies/{study['ID']}/instances")
        assert len(kept) == 2
        tags = [archive.json(f"/instances/{i['ID']}/simplified-tags") for i in kept]
        (report,) = [t for t in tags if t["SOPClassUID"] == ENCAPSULATED_PDF]
        assert report["PatientID"] == ARCHIBALD.number
        assert report["DocumentTitle"] == "REPORT"
        (id,) = [i["ID"] for i in kept if i["MainDicomTags"]["SOPInstanceUID"]
                 == report["SOPInstanceUID"]]  # fmt: skip
        assert archive.rest(f"/instances/{id}/content/0042-0011").rstrip(b"\0") == PDF
        again = here.insert(image)
        here.work()
        assert len(archive.json("/instances")) == 2
        assert {d.state for d in here.deliveries(again)} == {DeliveryState.COMMITTED}
    with here.rows.read() as tx:
        said = {a.path: (bool(a.study), a.why) for a in tx.intakes.attachments(intake)}
    assert said == {"REPORT.PDF": (True, ""), "OTHER.PDF": (False, "active")}


def test_the_import_order_is_in_the_plan_that_is_applied(here: Station, tmp_path: Path) -> None:
    here.use(policy_for(coercion=Coercion(import_procedures=("IMP",))))
    order = (
        f"MSH|^~\\&|RIS|HOSP|K|K|{here.at:%Y%m%d%H%M%S}||OMI^O23|77|P|2.5\r"
        f"PID|1||{ARCHIBALD.number}^^^HOSP^MR||{ARCHIBALD.family}^{ARCHIBALD.given}\r"
        "ORC|NW|P1|F1\rOBR|1|P1|F1|IMP^Outside images^99X\rIPC|ACC77|RP1|1.2.3|SPS1\r"
    )
    here.register(*(m.text for m in registration.morning(here.at)), order)
    intake = here.insert(burnt(tmp_path))
    here.work()
    with here.rows.read() as tx:
        ((row, _),) = tx.cases.studies(here.case(intake).id)
        plan = tx.cases.plan(row)
    assert plan is not None
    values = {a["tag"]: a["value"] for a in plan["attributes"]}
    assert values[0x00080050] == "ACC77"
    desk = Desk(here.rows, here.policy, Operator("him", Role.HIM), lambda: here.at)
    shown = {c.keyword: c.now for c in desk.compare(here.case(intake).id).candidates[0].writes}
    assert shown["AccessionNumber"] == "ACC77"
