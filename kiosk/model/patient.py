"""Who a patient is said to be: identifiers, names and demographics, as DICOM and HL7 carry them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Identifier:
    """One patient identifier and who assigned it (DICOM 0010,0020/0021/0024; HL7 CX).

    `issuer` is the assigning authority's namespace, "" when nobody said. Two identifiers name the
    same patient only when value and issuer agree: a value without issuer proves next to nothing.
    """

    value: str
    issuer: str = ""
    type: str = ""  # HL7 table 0203: MR, PI, SS ...
    universal_id: str = ""  # CX-4.2, DICOM (0040,0032)
    universal_id_type: str = ""  # CX-4.3, DICOM (0040,0033): ISO, DNS, UUID ...

    @classmethod
    def parse(cls, text: str) -> Identifier:
        """`VALUE` or `VALUE^ISSUER`, as the command line takes it."""
        value, _, issuer = text.partition("^")
        return cls(value.strip(), issuer.strip())

    def __str__(self) -> str:
        return f"{self.value}^{self.issuer}" if self.issuer else self.value


@dataclass(frozen=True, slots=True)
class PersonName:
    """A person name: the five alphabetic components, and the other two groups as raw text.

    The order is DICOM's (PS3.5 6.2.1.1): family^given^middle^prefix^suffix. HL7's XPN swaps the
    last two. `type` is HL7 table 0200 (L legal, M maiden, A alias ...), "" for a DICOM name.
    """

    family: str = ""
    given: str = ""
    middle: str = ""
    prefix: str = ""
    suffix: str = ""
    ideographic: str = ""
    phonetic: str = ""
    type: str = ""

    @classmethod
    def from_dicom(cls, text: str) -> PersonName:
        """Decoded PN text, components by `^`, groups by `=`; more of either is kept in the last."""
        groups = ([*text.split("=", 2), "", ""])[:3]
        parts = [part.strip() for part in groups[0].split("^", 4)]
        family, given, middle, prefix, suffix = (parts + [""] * 5)[:5]
        return cls(family, given, middle, prefix, suffix, groups[1].strip(), groups[2].strip())

    def to_dicom(self) -> str:
        """PN text without trailing empty components or groups."""
        parts = (self.family, self.given, self.middle, self.prefix, self.suffix)
        alphabetic = "^".join(parts).rstrip("^")
        return "=".join((alphabetic, self.ideographic, self.phonetic)).rstrip("=")

    def __bool__(self) -> bool:
        return bool(
            self.family
            or self.given
            or self.middle
            or self.prefix
            or self.suffix
            or self.ideographic
            or self.phonetic
        )


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """What one source states of a patient. Empty means unknown, never "no".

    `birth_date` is a DICOM DA (`YYYYMMDD`) or "". `sex` is M, F, O or "". The first identifier and
    the first name are the ones to show.
    """

    identifiers: tuple[Identifier, ...] = ()
    names: tuple[PersonName, ...] = ()
    birth_date: str = ""
    sex: str = ""
    address: str = ""
    telephone: str = ""
    mother_birth_name: str = ""

    @property
    def identifier(self) -> Identifier:
        return self.identifiers[0] if self.identifiers else Identifier("")

    @property
    def name(self) -> PersonName:
        return self.names[0] if self.names else PersonName()

    @property
    def foreign(self) -> frozenset[tuple[str, str]]:
        """The identifiers that name one record of somebody's: value and issuer. A number that
        nobody says who issued names none."""
        known = ((i.value, i.universal_id or i.issuer) for i in self.identifiers)
        return frozenset((value, issuer) for value, issuer in known if value and issuer)


class PatientStatus(StrEnum):
    """What the hospital's registration says of its own record."""

    ACTIVE = "active"
    INACTIVE = "inactive"  # A29: hidden from search, still resolvable
    MERGED = "merged"  # a prior record; `merged_into` names the survivor
    HELD = "held"  # possible overlay: nothing is linked to it until HIM clears it
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Order:
    """What an order asks for (OBR, IPC): its procedure as code, meaning and coding scheme."""

    accession_number: str = ""  # IPC-1, OBR-18
    procedure: tuple[str, str, str] = ("", "", "")  # OBR-4
    requested_procedure_id: str = ""  # IPC-2, OBR-19
    scheduled_step_id: str = ""  # IPC-4, OBR-20
    study_instance_uid: str = ""  # IPC-3, ZDS-1


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit or appointment, used to rank candidates and to order the worklist; or an order."""

    number: str
    patient_class: str = ""  # PV1-2
    location: str = ""  # PV1-3
    starts_at: str = ""  # HL7 DTM, as sent
    status: str = ""  # planned, active, finished, cancelled
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class LocalPatient:
    """One record of the roster: a patient that this hospital has registered.

    `identity.identifiers` are the active ones, the local authority's first; `identity.names` the
    current name first. Old numbers and old names stay searchable in `prior_identifiers` and
    `former_names`.
    """

    key: str
    identity: PatientIdentity
    prior_identifiers: tuple[Identifier, ...] = ()
    former_names: tuple[PersonName, ...] = ()
    status: PatientStatus = PatientStatus.ACTIVE
    merged_into: str = ""
    linked: tuple[str, ...] = ()  # keys of records linked by A24: never merged
    deceased: bool = False
    confidential: bool = False
    multiple_birth: bool = False
    visits: tuple[Visit, ...] = ()
    last_event: str = ""  # trigger and control id of the newest message applied
    updated_at: str = ""  # EVN-2 of it, HL7 DTM
    # The other register that named this patient, who is no record of the roster; its key is then
    # `?` and the number: `?0012345^HOSP`.
    source: str = ""
    # Of this patient, in use and given up: for people to search by. They name no patient.
    accounts: tuple[Identifier, ...] = ()
    prior_accounts: tuple[Identifier, ...] = ()
