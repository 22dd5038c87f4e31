"""The numbers, switches and peers of one site, section by section, as `kiosk.toml` has them.

Every default is what a cautious hospital would choose; the reason stands beside the number.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_HOURS = r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$"

Port = Annotated[int, Field(ge=1, le=65535)]
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
AETitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[^\\\s](?:[^\\]*[^\\\s])?$")]


CharacterSet = Literal[
    "ISO_IR 100",
    "ISO_IR 101",
    "ISO_IR 109",
    "ISO_IR 110",
    "ISO_IR 126",
    "ISO_IR 127",
    "ISO_IR 138",
    "ISO_IR 144",
    "ISO_IR 148",
    "ISO_IR 166",
    "GB18030",
    "GBK",
    "Big5",
    "Shift_JIS",
    "EUC-KR",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Site(Section):
    """Who we are: written into every coerced header and every journal line."""

    name: str = "Kiosk"
    institution: str = ""
    station: str = "kiosk-1"
    ae_title: AETitle = "KIOSK"


class Governance(Section):
    """Who answers for this policy, why it is as it is, and until when: `kiosk check` and the IT
    desk say when it is to be looked at again. A policy past its time stays in force: scans must
    not wait for a signature."""

    owner: str = ""
    reason: str = ""
    approved: date | None = None
    review: date | None = None
    expires: date | None = None


class Database(Section):
    """Where rows and bytes live. Empty URL: SQLite in the state folder; empty state folder:
    `$XDG_DATA_HOME/kiosk`. A fleet's: `postgresql://kiosk@db.example.org/kiosk?sslmode=verify-full`,
    its password in a file of its own: this one is shown, copied and hashed."""

    url: str = ""
    password_file: Path | None = None
    state: str = ""

    @field_validator("url")
    @classmethod
    def _no_password(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.password or "password" in parse_qs(parts.query):
            raise ValueError("has a password: put it into database.password_file")
        return url


class Tls(Section):
    """Files in PEM. With `ca` the peer must show a certificate that it signed (PS3.15 B.12)."""

    ca: Path
    certificate: Path | None = None
    key: Path | None = None


class Adt(Section):
    """The live feed of registrations (HL7 v2 over MLLP)."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 2575
    peers: tuple[str, ...] = ()  # addresses that may connect; empty: loopback only
    tls: Tls | None = None
    default_charset: str = "utf-8"  # for messages without MSH-18
    default_authority: str = ""  # for identifiers without CX-4; empty: such messages get AE
    max_message_bytes: int = 4_000_000
    idle_seconds: float = 60.0
    max_age_hours: float = 24.0  # an older roster accepts nobody without a person


class Inbound(Section):
    """Our own DICOM door: scans that others send us by C-STORE, and what archives report to us."""

    enabled: bool = False  # scans
    reports: bool = False  # archives' storage commitment reports, to the AE title that asked
    host: str = "127.0.0.1"
    port: Port = 11112
    ae_title: AETitle | None = None  # None: the site's
    senders: tuple[AETitle, ...] = ()  # AE titles that may send; empty: any of the peers
    peers: tuple[str, ...] = ()  # addresses that may connect; empty: loopback only
    tls: Tls | None = None
    associations: Annotated[int, Field(ge=1, le=100)] = 10
    max_pdu: Annotated[int, Field(ge=4096, le=1_048_576)] = 262_144
    idle_seconds: float = 30.0  # for each PDU; then the association is aborted
    instance_seconds: float = 1800.0  # 4 GB at 2.4 MB/s
    quiet_seconds: float = 30.0  # what a sender sends without such a pause is one intake


class Stow(Section):
    """Scans that others send us by DICOMweb (STOW-RS), to `/dicom-web/studies`."""

    enabled: bool = False
    host: str = "127.0.0.1"
    port: Port = 8143
    peers: tuple[str, ...] = ()  # addresses that may connect; empty: loopback only
    tls: Tls | None = None
    password_file: Path | None = None  # lines of NAME:PASSWORD; None: who may connect may send
    connections: Annotated[int, Field(ge=1, le=100)] = 10
    idle_seconds: float = 30.0
    request_seconds: float = 1800.0
    quiet_seconds: float = 30.0


class Folders(Section):
    """Folders where downloads are put: each ISO, ZIP or folder in them becomes an intake."""

    watched: tuple[Path, ...] = ()
    stable_seconds: float = 10.0  # unchanged for so long: it is whole


class OAuth(Section):
    """Client credentials of OAuth 2.0 (RFC 6749 4.4): a token is fetched before it is needed."""

    token_url: str
    client_id: str
    secret_file: Path
    scope: str = ""


class Destination(Section):
    """One archive. `verify_level` 0-3 as in the receipt's words: 2 = "checked" (RELIABILITY 3)."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    kind: Literal["dicom", "stow"] = "dicom"
    host: str = "127.0.0.1"
    port: Port = 104
    ae_title: AETitle = "PACS"
    calling_ae_title: AETitle | None = None  # None: the site's
    url: str = ""  # STOW-RS service root
    verify_level: Literal[0, 1, 2, 3] = 2
    commitment: bool = True  # ask for storage commitment
    commitment_wait_seconds: float = 5.0  # so long is the asking association kept open for it
    # With verify_level 1 a report to [inbound] is waited for so long, then the archive is queried.
    commitment_hours: float = 1.0
    associations: Annotated[int, Field(ge=1, le=8)] = 1
    megabits: Annotated[float, Field(ge=0)] = 0.0  # in a second at most; 0: as fast as it goes
    # Local time in which the line belongs to others and no image is sent: "07:00-18:00".
    busy_hours: Annotated[str, Field(pattern=_HOURS)] = ""
    max_pdu: Annotated[int, Field(ge=4096, le=1_048_576)] = 1_048_576
    connect_seconds: float = 10.0
    answer_seconds: float = 60.0
    tls: Tls | None = None
    username: str = ""
    password_file: Path | None = None
    token_file: Path | None = None  # a bearer token, read anew for each attempt
    oauth: OAuth | None = None

    @model_validator(mode="after")
    def _one_way_in(self) -> Destination:
        if sum(map(bool, (self.username, self.token_file, self.oauth))) > 1:
            raise ValueError("has several of username, token_file and oauth: keep one")
        return self


class Media(Section):
    """What happens at the drives."""

    eject_when_copied: bool = True  # the patient gets the disc back as soon as it was read


class Identity(Section):
    """When a person must look. Probabilities are of being the same person.

    `local_issuer` is our assigning authority: an identifier that states it is one of ours. The
    thresholds were fixed on labelled synthetic discs for 100,000 patients (US names, seed 2301;
    42 % Hispanic names, seed 2302). At `identify_accept` none of 19,950 discs was linked wrongly,
    and the probabilities themselves foretell 6 wrong links in 150,000, of 8 that are tolerable; at
    0.99 they foretell 10 to 12. `verify_accept` keeps the wrong imports of picks below 3 in a
    million discs. At `none_below` less than 0.2 % of the registered were missed. Seeds that nobody
    looked at are in bench/matching.py.
    """

    local_issuer: str = ""
    review_only: bool = False  # a new site's switch: nobody is linked without a person
    identify_accept: float = 0.995
    verify_accept: float = 0.999
    none_below: float = 0.03  # less than that for somebody registered: nobody is
    candidates: Annotated[int, Field(ge=1, le=10)] = 10


class Coercion(Section):
    """What else may be changed in a header besides the identity (STANDARDS 2.2)."""

    modifying_system: str = ""  # empty: "<site name> <station>"
    # Who assigns the number that scans get whose patient is not registered here: the disc's own
    # number must never be taken for one of ours by an archive that looks at no issuer.
    import_only_issuer: str = "UNVERIFIED"
    # Private elements may hold what a header elsewhere no longer says; some viewers need them.
    # "listed": those of `private_creators` stay, the others are left out.
    private_elements: Literal["keep", "drop", "listed"] = "keep"
    private_creators: tuple[str, ...] = ()
    # Codes of OBR-4 that order an import of outside scans: the patient's only open order of such a
    # procedure gives the study its accession number and procedure. With several none is used.
    import_procedures: tuple[str, ...] = ()
    # Which reports beside the images are put into their study: a PDF as Encapsulated PDF, a JPEG as
    # Secondary Capture, text as a PDF of that text. Text files are mostly about the disc, and HTML
    # and RTF lose their layout: a hospital has to ask for them. Active content is never taken.
    attachments: tuple[Literal["pdf", "jpeg", "txt", "html", "rtf"], ...] = ("pdf", "jpeg")


class ProcedureStep(Section):
    """The manager of performed procedure steps (IHE RAD-59 and RAD-60), where the site has one: it
    is told when the import of a study begins and how it ended. No delivery waits for it."""

    host: str = ""  # empty: there is none
    port: Port = 104
    ae_title: AETitle = "MPPS"
    calling_ae_title: AETitle | None = None  # None: the site's
    connect_seconds: float = 10.0
    answer_seconds: float = 30.0
    tls: Tls | None = None

    @property
    def peer(self) -> Destination:
        """As what an association is opened to."""
        return Destination(name="procedure-steps", **self.model_dump())


class Recall(Section):
    """Undoing a wrong import. Most archives refuse a UID that was rejected: what is sent again gets
    new ones, unless `uids` says that ours takes the old."""

    uids: Literal["new", "keep"] = "new"
    two_persons: bool = False  # one proposes it, another one does it


class Limits(Section):
    """Bounds on what a medium may ask of us (RELIABILITY 5), past them: exit 6; and what is guessed
    of one that does not say."""

    files: int = 50_000
    depth: int = 16
    name_bytes: int = 255
    medium_bytes: int = 9_000_000_000
    file_bytes: int = 4_294_967_296
    directory_records: int = 200_000
    sequence_depth: int = 32
    stall_seconds: float = 120.0
    read_seconds: float = 3600.0
    patience_seconds: float = 300.0  # with damage, at each visit; a person may ask for more
    child_memory_bytes: int = 2_000_000_000
    child_cpu_seconds: int = 120
    # The character set of texts that name none, or one that does not fit, and are no UTF-8. What
    # the old systems of a region write: ISO_IR 100 in the West, ISO_IR 144 or windows-1251 for
    # Cyrillic, ISO_IR 101 or windows-1250 in Central Europe. Each such file is said.
    undeclared_charset: CharacterSet = "ISO_IR 100"


class Audit(Section):
    """The hospital's audit record repository (IHE ATNA): syslog over TLS, RFC 5425. Without a host
    the journal alone keeps what happened. Station and institution come from [site]."""

    host: str = ""
    port: Port = 6514
    tls: Tls | None = None  # None only for a relay on this machine: what is sent names patients
    message_id: Literal["DICOM+RFC3881", "IHE+RFC-3881"] = "DICOM+RFC3881"  # PS3.15 A.6; ITI-20

    @model_validator(mode="after")
    def _never_in_the_clear(self) -> Audit:
        if self.host and self.tls is None and self.host not in LOOPBACK:
            raise ValueError(f"sends patient numbers to {self.host} without tls")
        return self


class Receipt(Section):
    """What a patient takes home. `printer` is a CUPS queue of this kiosk ("": the receipt is shown
    with its QR code only); `link` a page of the hospital about such scans, in which `{ticket}`
    is replaced; it goes into the QR code."""

    printer: Annotated[str, Field(max_length=127, pattern=r"^[^\s/#-][^\s/#]*$|^$")] = ""
    paper: Literal["roll", "a4"] = "roll"  # 80 mm, or a sheet
    link: Annotated[str, Field(max_length=200, pattern=r"^https://\S+$|^$")] = ""


class Retention(Section):
    """How long staged originals stay after the last delivery was proved."""

    staged_hours: float = 72.0


class Retry(Section):
    """Back-off of a destination that does not answer: doubled from first to longest."""

    first_seconds: float = 5.0
    longest_seconds: float = 900.0
    tries_for_one_instance: int = 3
