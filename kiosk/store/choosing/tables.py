"""One row per study: what the policy says of it and what becomes of it. One per picture, and one
per wish for pictures that the station's engine is to fulfil."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from kiosk.store.tables import ID, METADATA, PLAIN


def _leased() -> tuple[Column[object], ...]:
    return (
        Column("due", Float, nullable=False, default=0.0),
        Column("lease_owner", String(128), nullable=False, default=""),
        Column("lease_token", String(32), nullable=False, default=""),
        Column("lease_until", Float, nullable=False, default=0.0),
        Column("tries", BigInteger, nullable=False, default=0),
    )


study_choice = Table(
    "study_choice",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("study", ID, ForeignKey("study.id"), nullable=False, unique=True),
    Column("case_id", ID, ForeignKey("patient_case.id"), nullable=False, index=True),
    Column("judged", PLAIN, nullable=False),
    Column("standing", String(16), nullable=False),
    Column("by", Text, nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    Column("at", String(32), nullable=False),
    Column("accepted", Boolean, nullable=False, default=False),
    Column("to", PLAIN, nullable=False),
    Column("released", Boolean, nullable=False, default=False),
    Column("policy_hash", String(64), nullable=False, default=""),
    Column("held_until", Float, nullable=False, default=0.0),
    *_leased(),
    Index(None, "standing", "due"),
)

picture = Table(
    "picture",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("series", ID, ForeignKey("series.id"), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("small", Boolean, nullable=False),
    Column("value", PLAIN, nullable=False),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("series", "position", "small"),
    Index(None, "small", "id"),
)

# A range of a series' frames that somebody wants to see, or (`series` 0) a small one of each
# series of the case.
picture_wish = Table(
    "picture_wish",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("case_id", ID, ForeignKey("patient_case.id"), nullable=False, index=True),
    Column("series", BigInteger, nullable=False, default=0),
    Column("first", Integer, nullable=False, default=0),
    Column("frames", Integer, nullable=False, default=0),
    *_leased(),
)
