"""Performed procedure steps: N-CREATE when an import begins, N-SET when it ends (PS3.4 F.7)."""

from __future__ import annotations

from datetime import datetime

from pydicom.dataset import Dataset
from pynetdicom.dsutils import encode

from kiosk.delivery.dimse import (
    Command,
    Element,
    PeerProblem,
    Proposed,
    associate,
    encode_command,
    where,
)
from kiosk.model.content import Series
from kiosk.model.delivery import (
    WRONG_ENTRY,
    Code,
    PerformedStep,
    StepAnswer,
    StepStatus,
)
from kiosk.policy.sections import Destination

PERFORMED_STEP = "1.2.840.10008.3.1.2.3.3"
_IMPLICIT, _EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_DUPLICATE = 0x0111  # it took it before we died
_LATER = (0x0213,)


def report_step(manager: Destination, calling_ae_title: str, step: PerformedStep) -> StepAnswer:
    """Tells the manager how the step stands. Nothing is raised for what it does."""
    try:
        proposed = [Proposed(PERFORMED_STEP, (_EXPLICIT, _IMPLICIT))]
        with associate(manager, calling_ae_title, proposed) as association:
            context = association.accepted(PERFORMED_STEP)
            if context is None:
                said = f"{where(manager)} does not take performed procedure steps."
                return StepAnswer(f"{said} Switch them on there, or leave procedure_step.host out.")
            begins = step.status is StepStatus.IN_PROGRESS
            data = _created(step, calling_ae_title) if begins else _ended(step, manager)
            implicit = context.transfer_syntax == _IMPLICIT
            request = _request(step.sop_instance_uid, begins)
            association.send_whole(context.context_id, request, encode(data, implicit, True) or b"")
            answer = Command.N_CREATE_RSP if begins else Command.N_SET_RSP
            message = association.response(answer, 1)
            status = message.number(Element.STATUS)
            return _judged(status, message.text(Element.ERROR_COMMENT), begins)
    except PeerProblem as e:
        return StepAnswer(str(e), retry=True)


def _request(sop_instance_uid: str, begins: bool) -> bytes:
    if begins:
        command, sop_class = Command.N_CREATE_RQ, Element.AFFECTED_SOP_CLASS_UID
        instance = Element.AFFECTED_SOP_INSTANCE_UID
    else:
        command, sop_class = Command.N_SET_RQ, Element.REQUESTED_SOP_CLASS_UID
        instance = Element.REQUESTED_SOP_INSTANCE_UID
    return encode_command(
        {
            sop_class: PERFORMED_STEP,
            Element.COMMAND_FIELD: command,
            Element.MESSAGE_ID: 1,
            Element.DATA_SET_TYPE: 0x0001,
            instance: sop_instance_uid,
        }
    )


def _judged(status: int, comment: str, begins: bool) -> StepAnswer:
    warned = status in (0x0001, 0x0107, 0x0116) or status & 0xF000 == 0xB000
    if status == 0 or warned or (begins and status == _DUPLICATE):
        return StepAnswer()
    said = f"The manager of procedure steps refused ({status:04X} {comment}).".replace(" )", ")")
    return StepAnswer(f"{said} See its log.", retry=status in _LATER)


def _created(step: PerformedStep, ae_title: str) -> Dataset:
    """N-CREATE (PS3.4 Table F.7.2-1): every attribute of type 2 is there, empty where unknown."""
    patient, study = step.patient, step.study
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.ScheduledStepAttributesSequence = [_scheduled(step)]
    data.PatientName, data.PatientID = patient.name.to_dicom(), patient.identifier.value
    data.IssuerOfPatientID = patient.identifier.issuer
    data.PatientBirthDate, data.PatientSex = patient.birth_date, patient.sex
    data.ReferencedPatientSequence = []
    data.PerformedProcedureStepID = step.step_id
    data.PerformedStationAETitle, data.PerformedStationName = ae_title, step.station[:16]
    data.PerformedLocation = ""
    data.PerformedProcedureStepStartDate, data.PerformedProcedureStepStartTime = _moment(
        step.begun_at
    )
    data.PerformedProcedureStepStatus = step.status.value
    data.PerformedProcedureStepDescription = "Import of a study from outside"
    data.PerformedProcedureTypeDescription = ""
    data.ProcedureCodeSequence = []
    data.PerformedProcedureStepEndDate = data.PerformedProcedureStepEndTime = ""
    data.Modality = next((s.modality for s in study.series if s.modality), "OT")
    data.StudyID = study.study_id[:16]
    data.PerformedProtocolCodeSequence = [_code(step.performed)]
    data.PerformedSeriesSequence = []
    return data


def _scheduled(step: PerformedStep) -> Dataset:
    """The import was not scheduled: its study is named, nothing is referred to."""
    data = Dataset()
    data.StudyInstanceUID = step.study.study_instance_uid
    data.ReferencedStudySequence = []
    data.AccessionNumber = data.RequestedProcedureID = data.RequestedProcedureDescription = ""
    data.ScheduledProcedureStepID = data.ScheduledProcedureStepDescription = ""
    data.ScheduledProtocolCodeSequence = []
    return data


def _ended(step: PerformedStep, manager: Destination) -> Dataset:
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.PerformedProcedureStepStatus = step.status.value
    data.PerformedProcedureStepEndDate, data.PerformedProcedureStepEndTime = _moment(step.ended_at)
    if step.status is StepStatus.DISCONTINUED:
        data.PerformedProcedureStepDiscontinuationReasonCodeSequence = [_code(WRONG_ENTRY)]
    data.PerformedSeriesSequence = [_series(each) for each in step.study.series if each.instances]
    return data


def _series(series: Series) -> Dataset:
    data = Dataset()
    data.PerformingPhysicianName = data.OperatorsName = ""
    data.ProtocolName = series.description[:64] or series.modality or "Import"
    data.SeriesInstanceUID, data.SeriesDescription = (
        series.series_instance_uid,
        series.description[:64],
    )
    data.RetrieveAETitle = ""
    data.ReferencedImageSequence, data.ReferencedNonImageCompositeSOPInstanceSequence = [], []
    for each in series.instances:
        item = Dataset()
        item.ReferencedSOPClassUID = each.sop_class_uid
        item.ReferencedSOPInstanceUID = each.sop_instance_uid
        images = data.ReferencedImageSequence
        others = data.ReferencedNonImageCompositeSOPInstanceSequence
        (images if each.rows else others).append(item)
    return data


def _code(code: Code) -> Dataset:
    data = Dataset()
    data.CodeValue, data.CodingSchemeDesignator = code.value, code.scheme
    data.CodeMeaning = code.meaning
    return data


def _moment(at: str) -> tuple[str, str]:
    """DA and TM of the local clock, as modalities state them."""
    moment = datetime.fromisoformat(at).astimezone()
    return moment.strftime("%Y%m%d"), moment.strftime("%H%M%S")
