"""`kiosk demo`: the whole job in front of the user, in a temporary folder, on real connections.

An engine, an archive and a registration system, each a process of its own; two discs burnt from
the file-sets that pydicom ships. One patient is found, the other must go to HIM. Nothing outside
the folder is touched, nothing of it stays.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kiosk import delivery
from kiosk.cli import importing, service
from kiosk.cli.context import Context, opened, say
from kiosk.cli.demonstration import discs, pacs, registration
from kiosk.desk import Role
from kiosk.model.delivery import Answer, Change
from kiosk.model.matching import Action
from kiosk.model.patient import Identifier
from kiosk.model.work import Case, CaseState
from kiosk.store import Transaction

PATIENCE_SECONDS = 180.0  # two noisy processors need a while for four processes to start
POLL_SECONDS = 0.2

CONFIG = """\
[site]
name = "Demonstration Hospital"
institution = "Demonstration Hospital"
station = "kiosk-demo"
[database]
state = "{state}"
[sign_in]
required = false
[identity]
local_issuer = "HOSP"
[adt]
port = {adt}
default_authority = "HOSP"
[[destination]]
name = "PACS"
host = "{host}"
port = {port}
ae_title = "{ae_title}"
"""


class DemoFailed(RuntimeError):
    """Something of the demonstration did not happen; the text says what."""


@dataclass(frozen=True, slots=True)
class Disc:
    """A disc of the demonstration, and whom the front desk picked for it."""

    label: str
    image: Path
    picked: Identifier | None
    told: str


def run(headless: bool) -> int:
    """The exit code: 0 only when every image is proved to be in the archive under the local
    patient and the ledger balances."""
    seen = not headless and bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    with tempfile.TemporaryDirectory(prefix="kiosk-demo-") as name, ExitStack() as stack:
        folder = Path(name)
        say("Starting an archive (PACS), an engine and a registration system.")
        (folder / "pacs").mkdir()
        peer = stack.enter_context(pacs.running(folder / "pacs"))
        config = _configured(folder, peer)
        context = stack.enter_context(opened(config))
        stack.enter_context(service.engine_beside(context))
        try:
            _register(context)
            tickets = _bring_in(context, _burnt(folder), seen)
            return _closing(context, tickets)
        except DemoFailed as e:
            say(str(e))
            return 1


def _configured(folder: Path, peer: pacs.Peer) -> Path:
    config = folder / "kiosk.toml"
    with socket.create_server(("127.0.0.1", 0)) as free:
        adt = free.getsockname()[1]
    text = CONFIG.format(
        state=folder / "state", adt=adt, host=peer.host, port=peer.port, ae_title=peer.ae_title
    )
    config.write_text(text)
    return config


def _register(context: Context) -> None:
    """The registration system connects as soon as the engine's receiver listens."""
    settings = context.policy.adt
    messages = registration.morning(datetime.now(UTC))
    answers: list[registration.Acknowledged] = []

    def sent() -> bool:
        try:
            answers[:] = registration.send(settings.host, settings.port, messages)
        except ConnectionRefusedError:
            return False
        return True

    _until(sent, "The engine's ADT receiver did not start.")
    refused = [a for a in answers if a.code != "AA"]
    if refused:
        raise DemoFailed(f"{len(refused)} registration messages were not accepted.")
    kinds = ", ".join(f"{sum(a.trigger == t for a in answers)} {t}" for t in ("A04", "A08", "A40"))
    say(f"The registration system sent {len(answers)} messages over MLLP ({kinds}): all AA.")


def _burnt(folder: Path) -> tuple[Disc, ...]:
    """Two discs: the first patient is picked by a wristband whose number was merged meanwhile,
    the second one's disc states no birth date, and two patients of that name are registered."""
    found = registration.ARCHIBALD
    stated = discs.Stated(f"{found.family}^{found.given}", found.birth_date, found.sex)
    first = discs.file_set_of(discs.ARCHIBALD, stated)
    second = discs.file_set_of(discs.PETER)
    at_the_door = Identifier(registration.ARCHIBALD_AT_THE_DOOR.number, registration.AUTHORITY)
    return (
        Disc(
            "first disc",
            discs.burn(first, folder / "first.iso", "ASHBY"),
            at_the_door,
            "the front desk scans the wristband, whose number was merged a minute ago",
        ),
        Disc(
            "second disc",
            discs.burn(second, folder / "second.iso", "ELSEWHERE"),
            None,
            "it states no birth date, and two patients of that name are registered",
        ),
    )


def _bring_in(context: Context, brought: tuple[Disc, ...], seen: bool) -> list[tuple[Disc, str]]:
    with ExitStack() as stack:
        if seen:
            say("The touch screen opens. Close its window when you have seen enough.")
            stack.enter_context(_window(context, "touch"))
        clerk = service.open_desk(context, Role.FRONT_DESK, "clerk")
        tickets = []
        for disc in brought:
            ticket = clerk.bring(disc.image, disc.picked)
            tickets.append((disc, ticket))
            say(f"{ticket}: the {disc.label} goes in; {disc.told}.")
            if not _settled(context, ticket):
                say(f"{ticket}: HIM has to decide: " + "; ".join(_reasons(context, ticket)))
                _decided(context, ticket, stack if seen else None)
            if not _settled(context, ticket):
                raise DemoFailed(f"{ticket}: it waits for a person, and nobody decided.")
            say(f"{ticket}: every image is in the archive, and that was checked.")
        if seen:
            say("Done. The screen stays until you close it.")
    return tickets


def _settled(context: Context, ticket: str) -> bool:
    """Waits until the disc is through, or needs a person: whether it is through."""
    states: set[CaseState] = set()

    def ended() -> bool:
        with context.store.read() as tx:
            intake = tx.intakes.by_ticket(ticket)
            assert intake is not None
            if intake.failure is not None:
                raise DemoFailed(f"{ticket}: {intake.failure.detail}")
            states.clear()
            states.update(case.state for case in tx.cases.of_intake(intake.id))
        return bool(states) and states <= {CaseState.DONE, CaseState.AWAITING}

    _until(ended, f"{ticket}: the engine did not get it through in time.")
    return states == {CaseState.DONE}


def _decided(context: Context, ticket: str, stack: ExitStack | None) -> None:
    """HIM decides: by hand in a window of its own, or (headless) as this script has it."""
    if stack is not None:
        say("The HIM desk opens: decide whose scans these are.")
        with _window(context, "him") as window:
            _until(
                lambda: window.poll() is not None or not _waiting(context, ticket),
                "Nobody decided.",
                patience=3600.0,
            )
        return
    him = service.open_desk(context, Role.HIM, "him (scripted)")
    for case in _waiting(context, ticket):
        assert case.proposal is not None
        chosen = _numbered(case, registration.PETER.number)
        reason = "Asked the patient: born 4 DEC 1953 (this decision is scripted)"
        him.resolve(case.id, Action.LINK, chosen, reason)
        say(f"{ticket}: HIM (scripted) says: same person as {registration.PETER.number}.")


def _numbered(case: Case, number: str) -> str:
    """The key of the candidate who has this number."""
    candidates = case.proposal.candidates if case.proposal else ()
    for candidate in candidates:
        if any(i.value == number for i in candidate.local.identity.identifiers):
            return candidate.local.key
    raise DemoFailed(f"The patient {number} is not among the candidates.")


def _waiting(context: Context, ticket: str) -> list[Case]:
    with context.store.read() as tx:
        intake = tx.intakes.by_ticket(ticket)
        cases = tx.cases.of_intake(intake.id) if intake else ()
    return [case for case in cases if case.state is CaseState.AWAITING]


def _reasons(context: Context, ticket: str) -> list[str]:
    return [reason for case in _waiting(context, ticket) for reason in case.reasons]


@contextmanager
def _window(context: Context, which: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "kiosk", "ui", "--desk", which, "--config"]
    with subprocess.Popen([*command, str(context.config)]) as window:
        yield window
        if which == "him":
            window.terminate()


def _until(done: Callable[[], bool], otherwise: str, patience: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + patience
    while not done():
        if time.monotonic() > deadline:
            raise DemoFailed(otherwise)
        time.sleep(POLL_SECONDS)


# -- the closing table ------------------------------------------------------------------------


def _closing(context: Context, tickets: list[tuple[Disc, str]]) -> int:
    """One line a disc, and whether all of it is true of the archive."""
    whole = True
    say(f"\n{'':14}{'files':>7}{'images':>8}{'delivered':>11}{'committed':>11}  filed under")
    for disc, ticket in tickets:
        with context.store.read() as tx:
            intake = tx.intakes.by_ticket(ticket)
            assert intake is not None
            ledger = tx.intakes.ledger(intake.id)
            cases = tx.cases.of_intake(intake.id)
            images = sum(len(tx.cases.patient(case).instances) for case in cases)
            committed, changes = _proved(tx, cases)
        report = importing.report(context, intake.id)
        studies = [study for case in report["cases"] for study in case["studies"]]
        delivered = sum(study["delivered"] for study in studies)
        under = ", ".join(_filed_under(case) for case in cases)
        assert ledger is not None
        say(f"{disc.label:14}{ledger.files:7}{images:8}{delivered:11}{committed:11}  {under}")
        for change in changes:
            say(f"{'':14}{change.keyword}: {change.was or '(empty)'} -> {change.now or '(empty)'}")
        held = _archive_agrees(context, cases)
        whole &= images == delivered == committed > 0 and ledger.balances and held
    say("\nEvery image is accounted for." if whole else "\nSomething is missing: see above.")
    return 0 if whole else 1


def _proved(tx: Transaction, cases: tuple[Case, ...]) -> tuple[int, tuple[Change, ...]]:
    """How many images were verified in the archive, and what was changed in the first of them."""
    committed = 0
    changes: tuple[Change, ...] = ()
    for case in cases:
        for each in tx.deliveries.of_case(case.id):
            results = tx.deliveries.results(each.id, Answer.VERIFIED)
            committed += len(results)
            changes = changes or (results[0][1].changes if results else ())
    return committed, changes


def _filed_under(case: Case) -> str:
    local = case.resolution.local if case.resolution else None
    return f"{local.name.to_dicom()} {local.identifier}" if local else "nobody"


def _archive_agrees(context: Context, cases: tuple[Case, ...]) -> bool:
    """Asks the archive itself once more, study by study, under whom it has them."""
    (target,) = context.policy.destination
    for case in cases:
        local = case.resolution.local if case.resolution else None
        if local is None:
            return False
        expected = {"PatientID": local.identifier.value, "PatientName": local.name.to_dicom()}
        with context.store.read() as tx:
            studies = tx.cases.patient(case).studies
        for study in studies:
            uid = study.study_instance_uid
            found = delivery.verify(target, context.policy.site.ae_title, uid, expected)
            images = {i.sop_instance_uid for i in study.instances}
            if found.problem or found.differences or images - found.present:
                return False
    return True
