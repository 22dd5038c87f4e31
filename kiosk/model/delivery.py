"""What is changed, where it goes, and what proves that it arrived."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from kiosk import __version__
from kiosk.model.content import Instance, Study
from kiosk.model.patient import PatientIdentity

# Who wrote a file or opened an association (PS3.7 D.3.3.2). A UUID-derived root (PS3.5 B.2): ours
# without asking anybody.
IMPLEMENTATION_CLASS_UID = "2.25.8494875212058759064958857104684364726"
IMPLEMENTATION_VERSION_NAME = f"KIOSK_{__version__.replace('.', '')}"[:16]


@dataclass(frozen=True, slots=True)
class Change:
    """One attribute before and after, as text for people. `tag` is `(gggg,eeee)`, in a sequence
    the path to it, or `private`; `now` is "" when the attribute was removed or emptied."""

    tag: str
    keyword: str
    was: str
    now: str
    instances: int = 1  # of how many it is said


@dataclass(frozen=True, slots=True)
class Code:
    """A coded entry (PS3.3 8): value, the scheme that defines it, what it means in words."""

    value: str
    scheme: str
    meaning: str


REJECTED = {
    "113037": Code("113037", "DCM", "Rejected for Patient Safety Reasons"),
    "113038": Code("113038", "DCM", "Incorrect Modality Worklist Entry"),
    "113001": Code("113001", "DCM", "Rejected for Quality Reasons"),
}
"""Why images are taken back: titles of a rejection note (PS3.16 CID 7011, IHE RAD IOCM)."""


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """The local order under which a study from outside is imported, as the worklist or HL7 states
    it. `study_instance_uid` is the order's own; it never becomes the imported study's."""

    accession_number: str = ""
    study_instance_uid: str = ""
    requested_procedure_id: str = ""
    requested_procedure_description: str = ""
    scheduled_step_id: str = ""
    scheduled_step_description: str = ""
    procedure_codes: tuple[Code, ...] = ()
    referenced_studies: tuple[tuple[str, str], ...] = ()  # (SOP class UID, SOP instance UID)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute as a Plan has it: `value` (several separated by a backslash) or, for VR SQ,
    `items`. Without either the attribute is written empty, a sequence is left out."""

    tag: int
    vr: str
    value: str = ""
    items: tuple[tuple[Attribute, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of every header of one study: decided once, shown, stored, then applied.

    `attributes` replace what a header has; `appended` are sequences that get one more item (in
    (0400,0561) the old values join it); `keep_stated_id` adds the header's own Patient ID to the
    Other Patient IDs. `drop_private` leaves out private elements but those of `private_creators`.
    `uids` are replaced wherever a header states them, `mend` puts right what breaks its VR's rules.
    `changes` says all that to people, and how many of the study's instances each is for.
    """

    study_instance_uid: str
    attributes: tuple[Attribute, ...]
    appended: tuple[Attribute, ...]
    keep_stated_id: bool = False
    drop_private: bool = False
    private_creators: tuple[str, ...] = ()
    uids: tuple[tuple[str, str], ...] = ()
    mend: bool = False
    changes: tuple[Change, ...] = ()

    def __hash__(self) -> int:
        """Asked for each image: a study has one plan, and that may name thousands of UIDs."""
        return hash(self.study_instance_uid)


@dataclass(frozen=True, slots=True)
class Coerced:
    """A coerced instance, ready to send or to write: new meta group, new header, and where the
    original's bytes go on. The data set is `header + original[tail_offset:tail_offset +
    tail_length]`; `meta` is preamble, `DICM` and group 0002 (PS3.10 7.1)."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    meta: bytes
    header: bytes
    tail: Path
    tail_offset: int
    tail_length: int
    changes: tuple[Change, ...] = ()
    # What the sender holds the bytes against while they go out: the SHA-256 (hex) of the pixel
    # data's value as the medium had it, and where in the tail it lies. "": nothing to hold against.
    pixels: str = ""
    pixels_at: int = 0
    pixels_length: int = 0
    # The file of `tail` where that was made for this sending: whoever opens the tail closes it.
    made: IO[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Outbound:
    """One instance to send. `coerce` makes its bytes when the sender is ready for them, so that
    no study is ever in memory; it raises `CoercionRefused` when it cannot be done safely. `sha256`
    (hex) is of the whole file that it is made from, "" where that is not known. `transcode` makes
    of what `coerce` made the same in another transfer syntax without loss, or raises."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    coerce: Callable[[], Coerced]
    sha256: str = ""
    transcode: Callable[[Coerced, str], Coerced] | None = None


@dataclass(frozen=True, slots=True)
class RejectionNote:
    """What a rejection note says: why, of which patient's study as the archive has it, and which
    instances: (Series Instance UID, instance) each."""

    sop_instance_uid: str
    title: Code
    station: str
    study: Study
    attributes: tuple[Attribute, ...]  # the patient as written
    stated: PatientIdentity  # what was not written stayed as it came
    instances: tuple[tuple[str, Instance], ...]


class StepStatus(StrEnum):
    """How a performed procedure step stands (0040,0252)."""

    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"


IMPORTED = {
    "cd": Code("110024", "DCM", "CD Imported"),
    "dvd": Code("110025", "DCM", "DVD Imported"),
    "other": Code("110027", "DCM", "Studies Imported"),
}
"""What was performed (PS3.16 CID 7008)."""
WRONG_ENTRY = Code("110514", "DCM", "Incorrect worklist entry selected")  # CID 9300


@dataclass(frozen=True, slots=True)
class PerformedStep:
    """The import of one study as a performed procedure step (IHE RAD-59, RAD-60). `study` has the
    instances that were imported, `patient` is whom they are filed under."""

    sop_instance_uid: str
    step_id: str  # SH: at most 16 characters
    status: StepStatus
    patient: PatientIdentity
    study: Study
    performed: Code
    station: str
    begun_at: str  # ISO 8601 UTC
    ended_at: str = ""


@dataclass(frozen=True, slots=True)
class StepAnswer:
    """What the manager said of it: `problem` is "" when it took it, `retry` whether trying again
    can help."""

    problem: str = ""
    retry: bool = False


class CoercionRefused(Exception):
    """The instance cannot be coerced without loss or risk. The text has no patient data."""


class Answer(StrEnum):
    """What became of one instance at one destination."""

    PENDING = "pending"
    ACCEPTED = "accepted"  # the peer said yes; nothing is proved yet
    VERIFIED = "verified"  # proved to the destination's verification level
    RETRY = "retry"  # refused for now, or the outcome is unknown
    REFUSED = "refused"  # the peer will not take it: held for a person
    HELD = "held"  # we will not send it: damaged, unsupported, unsafe, another version there


@dataclass(frozen=True, slots=True)
class InstanceResult:
    """`code` is the DIMSE or HTTP status, -1 when there was no answer; `comment` the peer's
    Error Comment (0000,0902), clipped."""

    sop_instance_uid: str
    answer: Answer
    code: int = -1
    comment: str = ""
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a destination. `problem` is "" when the association ended in order, else one
    sentence for IT; `retry` says whether trying again later can help; `pause` that the whole
    destination should wait, `wait_seconds` for how long if the peer said so (HTTP Retry-After)."""

    results: tuple[InstanceResult, ...]
    problem: str = ""
    retry: bool = False
    pause: bool = False
    seconds: float = 0.0
    bytes: int = 0
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """The answer to one storage commitment request (PS3.4 J.3.3). `failed` maps to the reason."""

    transaction_uid: str
    committed: frozenset[str] = frozenset()
    failed: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """What a query of the archive showed for one study: which SOP Instance UIDs it has, and where
    its identity attributes differ from what we sent (attribute keyword, expected, found). With a
    `problem` nothing was shown; `retry` says whether asking later can help."""

    present: frozenset[str] = frozenset()
    differences: tuple[tuple[str, str, str], ...] = ()
    problem: str = ""
    retry: bool = True


@dataclass(frozen=True, slots=True)
class Sample:
    """One instance to be fetched back: where an archive finds it, how long its file is, and the
    SHA-256 (hex) of its pixel data's value as it was sent."""

    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    bytes: int
    pixels: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which of the sampled instances came back with the same pixel data, and which with other. With
    a `problem` nothing was shown of the rest; `retry` says whether asking later can help."""

    same: frozenset[str] = frozenset()
    other: frozenset[str] = frozenset()
    problem: str = ""
    retry: bool = True


class DestinationKind(StrEnum):
    DICOM = "dicom"
    STOW = "stow"
