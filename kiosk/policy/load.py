"""Reading `kiosk.toml`: validated whole, errors with file, line and key, hashed for the record."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from kiosk.model.content import Study
from kiosk.model.patient import LocalPatient
from kiosk.model.relevance.choice import Judged
from kiosk.policy.conditions import facts_of
from kiosk.policy.people import Decisions, SignIn
from kiosk.policy.receivers import Receiver
from kiosk.policy.relevance import RelevancePolicy, judge
from kiosk.policy.routing import Route, Routing, routes
from kiosk.policy.sections import (
    Adt,
    Audit,
    Coercion,
    Database,
    Destination,
    Folders,
    Governance,
    Identity,
    Inbound,
    Limits,
    Media,
    ProcedureStep,
    Recall,
    Receipt,
    Retention,
    Retry,
    Section,
    Site,
    Stow,
)
from kiosk.policy.sources import Source


class ConfigError(ValueError):
    """The configuration cannot be used. The text names file, line and key and says what to do."""


class Policy(Section):
    model_config = ConfigDict(frozen=True, extra="forbid")

    site: Site = Site()
    governance: Governance = Governance()
    database: Database = Database()
    adt: Adt = Adt()
    inbound: Inbound = Inbound()
    stow: Stow = Stow()
    folders: Folders = Folders()
    destination: Annotated[tuple[Destination, ...], Field(max_length=32)] = ()
    routing: Routing = Routing()
    relevance: RelevancePolicy = RelevancePolicy()
    source: Annotated[tuple[Source, ...], Field(max_length=8)] = ()
    media: Media = Media()
    identity: Identity = Identity()
    coercion: Coercion = Coercion()
    procedure_step: ProcedureStep = ProcedureStep()
    recall: Recall = Recall()
    limits: Limits = Limits()
    notify: Annotated[tuple[Receiver, ...], Field(max_length=100)] = ()
    audit: Audit = Audit()
    sign_in: SignIn = SignIn()
    decisions: Decisions = Decisions()
    receipt: Receipt = Receipt()
    retention: Retention = Retention()
    retry: Retry = Retry()

    @model_validator(mode="after")
    def _names_differ(self) -> Policy:
        names = [d.name for d in self.destination]
        if len(set(names)) != len(names):
            raise ValueError("two destinations have the same name")
        sources = [s.name for s in self.source]
        if len(set(sources)) != len(sources):
            raise ValueError("two sources have the same name")
        return self

    @model_validator(mode="after")
    def _receivers_differ(self) -> Policy:
        names = [r.name for r in self.notify]
        if len(set(names)) != len(names):
            raise ValueError("two receivers of notices have the same name")
        return self

    @model_validator(mode="after")
    def _routes_lead_somewhere(self) -> Policy:
        """A rule that names an archive which is not there would lose scans: said with its line."""
        known = {d.name for d in self.destination}
        named: list[tuple[tuple[str | int, ...], tuple[str, ...]]] = [
            (("routing", "rule", n, "to"), rule.to) for n, rule in enumerate(self.routing.rule)
        ]
        named.append((("routing", "default"), self.routing.default))
        errors = [
            InitErrorDetails(type=_no_such(unknown), loc=where, input=unknown)
            for where, names in named
            for unknown in names
            if unknown not in known
        ]
        if errors:
            raise ValidationError.from_exception_data("Policy", errors)
        return self

    @property
    def hash(self) -> str:
        """SHA-256 of the policy in force, kept with every decision made under it."""
        plain = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(plain.encode()).hexdigest()

    def routes_of(
        self, study: Study, patient: LocalPatient | None, today: date
    ) -> tuple[Route, ...]:
        """Where a study goes that is filed under this local record (None: under nobody's)."""
        facts = [facts_of(study, each, patient, self.site, today) for each in study.series]
        return routes(self.routing, [d.name for d in self.destination], facts)

    def judge(
        self, studies: Sequence[Study], patient: LocalPatient | None, today: date
    ) -> tuple[Judged, ...]:
        """Which of one patient's studies are wanted, and which somebody must see first."""
        facts = [
            (
                study.date,
                [facts_of(study, each, patient, self.site, today) for each in study.series],
            )
            for study in studies
        ]
        return judge(self.relevance, facts)

    def destination_named(self, name: str) -> Destination | None:
        return next((d for d in self.destination if d.name == name), None)


def state_folder() -> Path:
    """Where the embedded database and the vault live unless the configuration says otherwise."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "kiosk"


def load(path: Path | None) -> Policy:
    """The policy in `path`, or the defaults when there is none. Raises ConfigError."""
    if path is None:
        return Policy()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path}: cannot be read ({_reason(e)}). Check the path.") from e
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{path}: is not valid TOML: {e}.") from e
    try:
        return Policy.model_validate(data)
    except ValidationError as e:
        raise ConfigError("\n".join(_explain(path, text, error) for error in e.errors())) from e


def _no_such(name: str) -> PydanticCustomError:
    said = "names the destination {name}, which is not configured"
    return PydanticCustomError("no_such_destination", said, {"name": name})


def _reason(error: Exception) -> str:
    return error.strerror or "unreadable" if isinstance(error, OSError) else "not UTF-8"


def _explain(path: Path, text: str, error: Any) -> str:
    loc = tuple(part for part in error["loc"])
    key = ".".join(str(part) for part in loc) or "(whole file)"
    said = "is not a known key" if error["type"] == "extra_forbidden" else error["msg"]
    return f"{path}:{line_of(text, loc)}: {key}: {said}. Correct this line."


_HEADER = re.compile(r"^\s*\[(\[?)\s*([A-Za-z0-9_.\-\"' ]+?)\s*\]?\]\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\-\"'.]+)\s*=")


def line_of(text: str, loc: tuple[str | int, ...]) -> int:
    """The line on which the key at `loc` stands, or that of its nearest table; 1 at worst.

    A scan by line: neither tomllib nor pydantic keeps positions."""
    table: tuple[str | int, ...] = ()
    counts: dict[str, int] = {}
    best, best_length = 1, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            name = header.group(2).replace('"', "")
            table = tuple(name.split("."))
            if header.group(1):
                counts[name] = counts.get(name, -1) + 1
                table = (*table, counts[name])
            here = table
        elif key := _KEY.match(line):
            here = (*table, *key.group(1).replace('"', "").split("."))
        else:
            continue
        shared = _shared(here, loc)
        if shared == len(here) and shared > best_length:
            best, best_length = number, shared
    return best


def _shared(a: tuple[str | int, ...], b: tuple[str | int, ...]) -> int:
    count = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        count += 1
    return count
