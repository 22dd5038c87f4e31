"""The schema: one row per intake, case, study, series, instance and delivery; the journal.

What comes off a disc or from a person is Text and BigInteger: PostgreSQL holds a column to its
length and range, and a hostile header must cost a Finding, never a step. Instants are ISO 8601 UTC
text where people read them and REAL seconds since the epoch where rows are claimed by them. JSON
columns hold model values through `kiosk.model.plain`.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

PLAIN = JSON(none_as_null=True)
ID = BigInteger().with_variant(Integer, "sqlite")  # SQLite autoincrements INTEGER only


def _leased() -> tuple[Column[object], ...]:
    """Who works on the row, until when, and from when it may be claimed."""
    return (
        Column("due", Float, nullable=False, default=0.0),
        Column("lease_owner", String(128), nullable=False, default=""),
        Column("lease_token", String(32), nullable=False, default=""),
        Column("lease_until", Float, nullable=False, default=0.0),
        Column("tries", BigInteger, nullable=False, default=0),
    )


intake = Table(
    "intake",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("ticket", String(32), nullable=False, unique=True),
    Column("station", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("medium", PLAIN, nullable=False),
    Column("fingerprint", Text, nullable=False, index=True),
    Column("operator", Text, nullable=False, default=""),
    Column("picked", PLAIN),
    Column("created_at", String(32), nullable=False),
    Column("patience", Float, nullable=False, default=0.0),
    Column("failure", PLAIN),
    Column("report", PLAIN),
    Column("ledger", PLAIN),
    Column("directory", PLAIN),
    *_leased(),
    Index(None, "state", "due"),
)

finding = Table(
    "finding",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("intake", ID, ForeignKey("intake.id"), nullable=False, index=True),
    Column("code", String(64), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("place", Text, nullable=False),
    Column("detail", Text, nullable=False),
)

progress = Table(
    "progress",
    METADATA,
    Column("intake", ID, ForeignKey("intake.id"), primary_key=True),
    Column("value", PLAIN, nullable=False),
    Column("at", String(32), nullable=False),
)

first_look = Table(
    "first_look",
    METADATA,
    Column("intake", ID, ForeignKey("intake.id"), primary_key=True),
    Column("value", PLAIN, nullable=False),
)

drive = Table(
    "drive",
    METADATA,
    Column("station", String(64), primary_key=True),
    Column("serial", Text, primary_key=True),
    Column("value", PLAIN, nullable=False),
    Column("at", String(32), nullable=False),
)

attachment = Table(
    "attachment",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("intake", ID, ForeignKey("intake.id"), nullable=False, index=True),
    Column("case_id", ID, ForeignKey("patient_case.id")),
    Column("value", PLAIN, nullable=False),
)

patient_case = Table(
    "patient_case",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("intake", ID, ForeignKey("intake.id"), nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("stated", PLAIN, nullable=False),
    Column("variants", PLAIN, nullable=False),
    Column("proposal", PLAIN),
    Column("resolution", PLAIN),
    Column("local_key", String(64), nullable=False, default="", index=True),
    Column("reasons", PLAIN, nullable=False),
    Column("owner", Text, nullable=False, default=""),
    Column("owner_until", Float, nullable=False, default=0.0),
    Column("flagged", Boolean, nullable=False, default=False, index=True),
    Column("rests_on", PLAIN),
    Column("created_at", String(32), nullable=False),
    *_leased(),
    Index(None, "state", "due"),
)

study = Table(
    "study",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("case_id", ID, ForeignKey("patient_case.id"), nullable=False),
    Column("study_instance_uid", Text, nullable=False),
    Column("attributes", PLAIN, nullable=False),
    Column("plan", PLAIN),
    UniqueConstraint("case_id", "study_instance_uid"),
)

series = Table(
    "series",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("study", ID, ForeignKey("study.id"), nullable=False, index=True),
    Column("series_instance_uid", Text, nullable=False),
    Column("attributes", PLAIN, nullable=False),
)

instance = Table(
    "instance",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("series", ID, ForeignKey("series.id"), nullable=False, index=True),
    Column("sop_instance_uid", Text, nullable=False, index=True),
    Column("sop_class_uid", Text, nullable=False),
    Column("transfer_syntax_uid", Text, nullable=False),
    Column("file", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("dataset_offset", BigInteger, nullable=False),
    Column("pixel_offset", BigInteger, nullable=False),
    Column("number", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("columns", BigInteger, nullable=False),
    Column("frames", BigInteger, nullable=False),
    Column("pixels", String(64), nullable=False, default="", index=True),
)

delivery = Table(
    "delivery",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("case_id", ID, ForeignKey("patient_case.id"), nullable=False, index=True),
    Column("study", ID, ForeignKey("study.id"), nullable=False),
    Column("study_instance_uid", Text, nullable=False),
    Column("destination", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("transaction_uid", String(64), nullable=False, default="", index=True),
    Column("asked_at", Float, nullable=False, default=0.0),
    Column("report", PLAIN),
    Column("verify_level", Integer, nullable=False, default=-1),
    Column("problem", Text, nullable=False, default=""),
    Column("because", Text, nullable=False, default=""),
    Column("policy_hash", String(64), nullable=False, default=""),
    Column("withheld", Text, nullable=False, default=""),
    Column("unsure", Boolean, nullable=False, default=False),
    *_leased(),
    Index(None, "study", "destination"),
    Index(None, "state", "destination", "due"),
)

# What a recalled delivery takes back: one rejection note to its destination.
withdrawal = Table(
    "withdrawal",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("case_id", ID, ForeignKey("patient_case.id"), nullable=False, index=True),
    Column("delivery", ID, ForeignKey("delivery.id"), nullable=False, unique=True),
    Column("destination", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("code", String(16), nullable=False),
    Column("sop_instance_uid", Text, nullable=False),
    Column("problem", Text, nullable=False, default=""),
    *_leased(),
    Index(None, "state", "destination", "due"),
)

# What the manager of performed procedure steps was told of a study's import, and what it shall be.
performed_step = Table(
    "performed_step",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("case_id", ID, ForeignKey("patient_case.id"), nullable=False, index=True),
    Column("study", ID, ForeignKey("study.id"), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("wanted", String(16), nullable=False),
    Column("told", String(16), nullable=False, default=""),
    Column("problem", Text, nullable=False, default=""),
    Column("begun_at", String(32), nullable=False),
    Column("ended_at", String(32), nullable=False, default=""),
    *_leased(),
    Index(None, "told", "due"),
)

delivery_instance = Table(
    "delivery_instance",
    METADATA,
    Column("delivery", ID, ForeignKey("delivery.id"), primary_key=True),
    Column("instance", ID, ForeignKey("instance.id"), primary_key=True),
    Column("answer", String(16), nullable=False),
    Column("code", BigInteger, nullable=False, default=-1),
    Column("comment", Text, nullable=False, default=""),
    Column("tries", BigInteger, nullable=False, default=0),
    Column("changes", PLAIN, nullable=False),
    Index(None, "delivery", "answer"),
)

destination = Table(
    "destination",
    METADATA,
    Column("station", String(64), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("paused", Boolean, nullable=False, default=False),
    Column("failing_since", String(32), nullable=False, default=""),
    Column("failures", Integer, nullable=False, default=0),
    Column("problem", Text, nullable=False, default=""),
    Column("due", Float, nullable=False, default=0.0),
)

# How far a reader of a change feed has come.
mark = Table(
    "mark",
    METADATA,
    Column("station", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# Who signs in at the screens. `login` is the name as it is compared; `verified_at` when a directory
# last said yes, in seconds since the epoch.
person = Table(
    "person",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("login", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("full_name", Text, nullable=False, default=""),
    Column("role", String(16), nullable=False),
    Column("origin", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("pin_hash", Text, nullable=False, default=""),
    Column("password_hash", Text, nullable=False, default=""),
    Column("verified_at", Float, nullable=False, default=0.0),
    Column("last_at", String(32), nullable=False, default=""),
    Column("last_how", String(16), nullable=False, default=""),
)

badge = Table(
    "badge",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("person", ID, ForeignKey("person.id"), nullable=False, index=True),
)

# What badge numbers are hashed with: one for the site, since a badge is looked up by its hash.
badge_salt = Table("badge_salt", METADATA, Column("value", String(64), primary_key=True))

# Sign-ins that were refused, by the name that was given (its hash: a password may have been typed
# there), and the boot of the station and its seconds at the last one.
refused_try = Table(
    "refused_try",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("refused", Integer, nullable=False),
    Column("locked", Boolean, nullable=False),
    Column("station", String(64), nullable=False),
    Column("boot", String(64), nullable=False),
    Column("boot_seconds", Float, nullable=False),
    Column("at", Float, nullable=False),
)

journal = Table(
    "journal",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("at", String(32), nullable=False),
    Column("kind", String(48), nullable=False),
    Column("intake", ID, index=True),
    Column("case_id", ID, index=True),
    Column("delivery", ID),
    Column("actor", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
