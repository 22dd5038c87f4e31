"""What each screen shows: frozen values, whole and ready.

A screen is a pure function of one of these. Times are ISO 8601 UTC, birth dates DICOM DA, texts
from a disc or a wire are raw (the screen clips and isolates them). Words are message ids with
their values: the desk decides which, the screen says them in the reader's language.
"""

from kiosk.desk.snapshots.him import (
    CandidateColumn,
    CompareSnapshot,
    Earlier,
    WorklistRow,
    WorklistSnapshot,
)
from kiosk.desk.snapshots.it import (
    DeliveriesSnapshot,
    DeliveryRow,
    DestinationLine,
    HealthLine,
    HealthSnapshot,
)
from kiosk.desk.snapshots.shared import (
    FieldLine,
    Header,
    Mark,
    Message,
    Mood,
    Notice,
    Outcome,
    Stage,
    StudyLine,
    Value,
    say,
)
from kiosk.desk.snapshots.touch import (
    DriveLine,
    Find,
    Grade,
    HimFinishes,
    Idle,
    LeftOut,
    PatientCard,
    PatientLine,
    Phase,
    Problem,
    ProblemKind,
    Reading,
    ReadOn,
    Result,
    SamePerson,
    TouchBody,
    TouchSnapshot,
)

__all__ = [
    "CandidateColumn",
    "CompareSnapshot",
    "DeliveriesSnapshot",
    "DeliveryRow",
    "DestinationLine",
    "DriveLine",
    "Earlier",
    "FieldLine",
    "Find",
    "Grade",
    "Header",
    "HealthLine",
    "HealthSnapshot",
    "HimFinishes",
    "Idle",
    "LeftOut",
    "Mark",
    "Message",
    "Mood",
    "Notice",
    "Outcome",
    "PatientCard",
    "PatientLine",
    "Phase",
    "Problem",
    "ProblemKind",
    "ReadOn",
    "Reading",
    "Result",
    "SamePerson",
    "Stage",
    "StudyLine",
    "TouchBody",
    "TouchSnapshot",
    "Value",
    "WorklistRow",
    "WorklistSnapshot",
    "say",
]
