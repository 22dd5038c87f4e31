"""`kiosk adt`: registrations from files and from the live feed, and one patient as the roster has
it. Where messages meet rows: parse, apply in one transaction, and only then acknowledge."""

from __future__ import annotations

import gc
import json
import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import IO, Annotated

import typer

from kiosk import adt
from kiosk.cli.context import ConfigOption, JsonOption, fail, opened, say
from kiosk.cli.receiving import until_told
from kiosk.model.patient import Identifier, LocalPatient
from kiosk.model.registration import Applied, Disposition, RegistrationEvent
from kiosk.model.work import Event
from kiosk.policy.sections import Adt
from kiosk.store import Store, StoreUnusable, Transaction

log = logging.getLogger("kiosk.adt")

app = typer.Typer(help="Registrations: HL7 v2 ADT from files and from the live feed.")

GARBAGE = 100_000  # hardly any of it is cyclic: searching cost a tenth of the time
_REASONS = 5  # the commonest reasons of rejected messages are said
_GROUP = 1000  # messages to a transaction when loading: more brings nothing
_AGAIN_SECONDS = 3600.0  # until the same refusal is written once more
_REFUSED_PEERS = 1000  # addresses and reasons in that time, no more are written


class Feed:
    """Messages into the store: the same for the live feed and for files."""

    def __init__(self, rows: Store, settings: Adt) -> None:
        self._rows = rows
        self._settings = settings

    def apply(self, frames: Sequence[bytes]) -> list[Applied]:
        """What came of each message, all in one transaction that is committed on return."""
        read = [(self._read(frame), frame) for frame in frames]
        with self._rows.begin() as tx:
            return tx.roster.apply_all(read)

    def answer(self, frames: Sequence[bytes]) -> list[bytes | None]:
        """The acknowledgements, one batch for a batch; none while the store cannot keep messages:
        they come again."""
        groups = [adt.members(frame) for frame in frames]
        try:
            outcomes = iter(self.apply([message for group in groups for message in group]))
        except StoreUnusable as e:
            log.error("Registrations are not acknowledged: %s", e)
            return [None] * len(frames)
        acks = [[adt.ack(m, done) for m, done in zip(g, outcomes, strict=False)] for g in groups]
        return [
            adt.batch_answer(frame, answers) if adt.is_batch(frame) else answers[0]
            for frame, answers in zip(frames, acks, strict=True)
        ]

    def _read(self, frame: bytes) -> RegistrationEvent | tuple[Applied, str, str]:
        settings = self._settings
        try:
            return adt.parse(
                frame,
                default_charset=settings.default_charset,
                default_authority=settings.default_authority,
            )
        except adt.Rejected as e:
            return e.applied, e.trigger, e.control_id


class Refusals:
    """Who was turned away, into the journal: each address for each reason once an hour, so that a
    port scanner fills nothing."""

    def __init__(self, rows: Store, now: Callable[[], float] = time.monotonic) -> None:
        self._rows = rows
        self._now = now
        self._written: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def __call__(self, peer: str, why: str) -> None:
        if not self._is_news(peer, why):
            return
        try:
            with self._rows.begin() as tx:
                data: dict[str, object] = {"peer": peer, "why": why}
                tx.journal.write(Event("adt.refused", actor="adt", data=data))
        except StoreUnusable as e:
            log.error("A refused connection is not in the journal: %s", e)

    def _is_news(self, peer: str, why: str) -> bool:
        with self._lock:
            now = self._now()
            self._written = {k: at for k, at in self._written.items() if now - at < _AGAIN_SECONDS}
            news = (peer, why) not in self._written and len(self._written) < _REFUSED_PEERS
            if news:
                self._written[peer, why] = now
            return news


@app.command()
def load(
    files: Annotated[list[str], typer.Argument(help="Files of HL7 v2 messages; - is stdin.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Load messages from files, as if they had come over the wire. Exit 4 when some of them could
    not be read; what the roster refuses by its rules is raised for HIM and is no failure."""
    began = time.monotonic()
    gc.set_threshold(GARBAGE)
    with opened(config) as context:
        feed = Feed(context.store, context.policy.adt)
        counts = Counter(applied=0, ignored=0, rejected=0)
        refused: Counter[str] = Counter()
        unreadable = False
        for name in files:
            for frames in _groups(name):
                done = feed.apply(frames)
                counts.update(each.disposition.value for each in done)
                unreadable |= any(_unreadable(each) for each in done)
                refused.update(e.reason for e in done if e.disposition is Disposition.REJECTED)
        with context.store.read() as tx:
            patients = tx.roster.size()
    seconds = round(time.monotonic() - began, 3)
    report = {"messages": counts.total(), **counts, "patients": patients, "seconds": seconds}
    if as_json:
        typer.echo(json.dumps(report))
    else:
        say(
            f"{counts.total()} messages in {seconds:.1f} s: {counts['applied']} applied, "
            f"{counts['ignored']} ignored, {counts['rejected']} rejected. "
            f"The roster has {patients} patients."
        )
    for reason, times in refused.most_common(_REASONS):
        say(f"Rejected ({times}): {reason}")
    if unreadable:
        raise typer.Exit(4)


def _unreadable(done: Applied) -> bool:
    return done.disposition is Disposition.REJECTED and not done.exception


def _groups(name: str) -> Iterator[list[bytes]]:
    try:
        with _stream(name) as stream:
            messages = adt.messages(stream)
            while group := list(islice(messages, _GROUP)):
                yield group
    except OSError as e:
        fail(f"{name}: cannot be read ({e.strerror}). What was loaded before it is kept.")


def _stream(name: str) -> IO[bytes] | nullcontext[IO[bytes]]:
    return nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb")


@app.command()
def listen(config: ConfigOption = None) -> None:
    """Receive the live feed (MLLP) until SIGTERM; what is being handled is still answered."""
    gc.set_threshold(GARBAGE)
    with opened(config) as context:
        settings = context.policy.adt
        ended = until_told()
        try:
            answer = Feed(context.store, settings).answer
            listener = adt.listen(settings, answer, Refusals(context.store))
        except (OSError, ValueError) as e:
            reason = getattr(e, "strerror", None) or e
            fail(f"Registrations cannot be received on port {settings.port}: {reason}. See [adt].")
        with listener:
            say(f"Receiving registrations on {settings.host} port {listener.port}.")
            ended.wait()


@app.command()
def show(
    patient: Annotated[str, typer.Argument(metavar="ID[^ISSUER]")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one patient's record as the roster has it."""
    with opened(config) as context, context.store.read() as tx:
        local = tx.roster.owner(_issued(tx, patient, context.policy.adt.default_authority))
        if local is None:
            fail("Nobody is registered under this number. Check number and issuer.")
        report = _report(tx, local)
    typer.echo(json.dumps(report) if as_json else json.dumps(report, indent=1, ensure_ascii=False))


def _issued(tx: Transaction, text: str, default: str) -> Identifier:
    """The identifier with its issuer; a bare number means the only one who has it."""
    asked = Identifier.parse(text)
    if asked.issuer:
        return asked
    issuers = tx.roster.issuers(asked.value)
    if len(issuers) > 1 and default not in issuers:
        fail(f"Several authorities gave this number: {', '.join(issuers)}. Say NUMBER^ISSUER.", 2)
    return Identifier(asked.value, default if default in issuers else next(iter(issuers), ""))


def _report(tx: Transaction, local: LocalPatient) -> dict[str, object]:
    identity = local.identity
    survivor = tx.roster.get(local.merged_into) if local.merged_into else None
    return {
        "key": local.key,
        "status": local.status.value,
        "identifiers": [
            *(_identifier(i, "active") for i in identity.identifiers),
            *(_identifier(i, "prior") for i in local.prior_identifiers),
        ],
        "accounts": [
            *(_identifier(i, "active") for i in local.accounts),
            *(_identifier(i, "prior") for i in local.prior_accounts),
        ],
        "names": [n.to_dicom() for n in identity.names],
        "former_names": [n.to_dicom() for n in local.former_names],
        "birth_date": identity.birth_date,
        "sex": identity.sex,
        "address": identity.address,
        "telephone": identity.telephone,
        "mother_birth_name": identity.mother_birth_name,
        "deceased": local.deceased,
        "confidential": local.confidential,
        "multiple_birth": local.multiple_birth,
        "merged_into": _first(survivor) if survivor else None,
        "merged_from": [_first(record) for record in tx.roster.merged_from(local.key)],
        "linked": [_first(other) for key in local.linked if (other := tx.roster.get(key))],
        "visits": [
            {
                "number": v.number,
                "class": v.patient_class,
                "location": v.location,
                "starts_at": v.starts_at,
                "status": v.status,
            }
            for v in local.visits
        ],
        "last_event": local.last_event,
        "updated_at": local.updated_at,
    }


def _first(local: LocalPatient) -> dict[str, str]:
    first = local.identity.identifier
    return {"value": first.value, "issuer": first.issuer}


def _identifier(identifier: Identifier, status: str) -> dict[str, str]:
    return {
        "value": identifier.value,
        "issuer": identifier.issuer,
        "type": identifier.type,
        "status": status,
    }
