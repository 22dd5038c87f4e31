"""`kiosk check`: every dependency and peer, pass, warn or fail, and what mends it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kiosk import adt, delivery, identity, media, sandbox
from kiosk.cli.context import Context, open_all
from kiosk.desk.receipts import printer_problem
from kiosk.desk.signing import reach_directory
from kiosk.model.medium import DriveState, MediumKind
from kiosk.policy import Policy, idle_rules
from kiosk.store import StoreUnusable

PASS, WARN, FAIL = "pass", "warn", "fail"
LITTLE_DISK = 20_000_000_000  # two of the largest discs
NO_DISK = 2_000_000_000
PROMPT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, how it is, what that means, what to do about it."""

    name: str
    state: str
    meaning: str
    fix: str = ""


def checks(policy: Policy, config: Path | None) -> list[Check]:
    """All checks; without a database the rest would tell nothing."""
    try:
        context = open_all(policy, config)
    except StoreUnusable as e:
        return [Check("database", FAIL, str(e), "See [database] in the configuration.")]
    try:
        return list(run(context))
    finally:
        context.store.close()


def run(context: Context) -> Iterator[Check]:
    """Each check in turn; none of them changes anything."""
    yield _configuration(context)
    yield from _governance(context)
    yield from _routing(context)
    yield _database(context)
    yield _journal(context)
    yield from _audit(context)
    yield from _receivers_of_notices(context)
    yield _disk(context)
    yield _clock(context)
    yield _sandbox()
    yield from _drives()
    yield _feed(context)
    yield from _sources(context)
    yield from review_only(context)
    yield from _receivers(context)
    yield from _destinations(context)
    yield from _procedure_steps(context)
    yield from _people(context)
    yield from _printer(context)


def report(checks: list[Check]) -> dict[str, Any]:
    """The document of `--json`: the worst state, and every check."""
    states = {check.state for check in checks}
    worst = next(state for state in (FAIL, WARN, PASS) if state in states)
    return {"state": worst, "checks": [asdict(check) for check in checks]}


def _configuration(context: Context) -> Check:
    policy = context.policy
    source = str(context.config) if context.config else "the built-in defaults"
    if not policy.identity.local_issuer:
        return Check(
            "configuration",
            WARN,
            f"{source} does not say who assigns this hospital's patient numbers.",
            'Set identity.local_issuer, for example "HOSP".',
        )
    return Check("configuration", PASS, f"{source}, policy {policy.hash[:12]}")


def _governance(context: Context) -> Iterator[Check]:
    """Whether somebody has to look at the policy again."""
    says, today = context.policy.governance, context.store.now().date()
    who = says.owner or "its owner"
    if says.expires and says.expires < today:
        said = f"The policy ran out on {says.expires}; it stays in force."
        yield Check("policy", FAIL, said, f"Ask {who} to approve it again.")
    elif says.review and says.review < today:
        said = f"The policy was to be reviewed by {says.review}."
        yield Check("policy", WARN, said, f"Ask {who}.")
    elif says.owner:
        yield Check("policy", PASS, f"{says.owner} answers for it")


def _routing(context: Context) -> Iterator[Check]:
    """Which archive gets what. A rule that names an unknown archive is no configuration at all."""
    routing = context.policy.routing
    for number, earlier in idle_rules(routing):
        said = f"Rule {number} can never match: rule {earlier} takes everything that fits it."
        yield Check("routing", WARN, said, "Put it before that rule, or remove it.")
    named = {name for rule in routing.rule for name in rule.to} | set(routing.default)
    unused = [d.name for d in context.policy.destination if d.name not in named]
    if routing.default and unused:
        said = f"Nothing is ever sent to {', '.join(unused)}."
        yield Check("routing", WARN, said, "Name it in a routing rule, or remove it.")
    if routing.rule and not any(True for _ in idle_rules(routing)):
        yield Check("routing", PASS, f"{len(routing.rule)} rules, each can match")


def _database(context: Context) -> Check:
    problem = context.store.problem()
    if problem:
        return Check(
            "database",
            FAIL,
            problem,
            "Stop the engine; restore the newest backup, or mend [database].",
        )
    return Check("database", PASS, context.store.describe())


def _journal(context: Context) -> Check:
    with context.store.read() as tx:
        broken, last = tx.journal.first_broken(), tx.journal.last_id()
    if broken is not None:
        return Check(
            "journal",
            FAIL,
            f"Record {broken} was changed outside the program.",
            "Keep the database as it is and call your security officer.",
        )
    return Check("journal", PASS, f"Unbroken, {last} records")


def _audit(context: Context) -> Iterator[Check]:
    """How far the audit record repository is behind: what waits is kept in the journal."""
    settings = context.policy.audit
    if not settings.host:
        return
    where = f"{settings.host} port {settings.port}"
    yield _behind(context, "audit repository", where, "audit")


def _receivers_of_notices(context: Context) -> Iterator[Check]:
    for receiver in context.policy.notify:
        where = receiver.url or f"{receiver.host} port {receiver.port}"
        yield _behind(context, f"notices to {receiver.name}", where, f"notify:{receiver.name}")


def _behind(context: Context, name: str, where: str, mark: str) -> Check:
    """How old the oldest line of the journal is that was not passed on yet."""
    with context.store.read() as tx:
        waiting = tx.journal.since(tx.mark(context.policy.site.station, mark), 1)
    if not waiting:
        return Check(name, PASS, f"{where} has everything")
    age = context.store.now() - datetime.fromisoformat(waiting[0].at)
    said = f"The oldest record that {where} does not have is {_minutes(age)} old."
    state = PASS if age < PROMPT else WARN if age < timedelta(days=1) else FAIL
    return Check(name, state, said, "" if state == PASS else f"Ask who keeps {where}.")


def _minutes(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"


def _disk(context: Context) -> Check:
    free = context.vault.free_bytes()
    said = f"{free / 1e9:.0f} GB free for scans"
    if free < NO_DISK:
        return Check("disk", FAIL, said, "Make room: no disc can be read.")
    if free < LITTLE_DISK:
        return Check("disk", WARN, said, "Make room: a DVD or two still fit.")
    return Check("disk", PASS, said)


def _clock(context: Context) -> Check:
    with context.store.read() as tx:
        events = tx.journal.since(tx.journal.last_id() - 1)
    now = context.store.now().isoformat()
    if events and events[-1].at > now:
        return Check(
            "clock",
            WARN,
            "The clock is behind the newest journal record.",
            "Check time synchronisation (timedatectl).",
        )
    return Check("clock", PASS, now[:19] + " UTC")


def _sandbox() -> Check:
    abi = sandbox.landlock_abi()
    if abi == 0:
        return Check(
            "sandbox",
            WARN,
            f"No Landlock: what reads discs {_still_held()}.",
            "Use a kernel with Landlock (5.13 or newer) and lsm=landlock.",
        )
    python = f"Python {sys.version.split()[0]}"
    if not sandbox.seccomp_works():
        return Check(
            "sandbox",
            WARN,
            f"Landlock ABI {abi}, no filter of system calls; {python}",
            "Use a kernel with seccomp on x86-64 or ARM64.",
        )
    return Check("sandbox", PASS, f"Landlock ABI {abi}, seccomp allow-list; {python}")


def _still_held() -> str:
    """What a kernel without Landlock holds a reader to."""
    if sandbox.seccomp_works():
        return "can make no connection and run nothing, but reads what this account may read"
    return "is limited in memory and time only"


def _drives() -> Iterator[Check]:
    drives = [d for d in media.drives() if d.kind is MediumKind.OPTICAL]
    if not drives:
        yield Check(
            "drives",
            WARN,
            "No optical drive was found: discs can be read from image files and folders only.",
            "Connect a drive, and give this user the group cdrom.",
        )
    for drive in drives:
        sick = drive.state is DriveState.SICK
        name = f"drive {drive.device}"
        said = f"{drive.name or 'optical drive'}: {drive.state.value}"
        yield Check(name, FAIL if sick else PASS, said, "Replace it." if sick else "")
    yield _disk_service()


def _disk_service() -> Check:
    if why := media.cannot_mount():
        return Check(
            "disk service",
            WARN,
            f"{why}: USB sticks and discs in other formats cannot be read.",
            "Install udisks2, and let this account mount by polkit (installer/50-kiosk.rules).",
        )
    return Check("disk service", PASS, "UDisks2 mounts sticks and other formats for this account")


def _feed(context: Context) -> Check:
    if not context.policy.adt.enabled:
        return Check("registration feed", WARN, "Switched off: nobody is matched.", "adt.enabled")
    with context.store.read() as tx:
        last, size = tx.roster.last_message_at(), tx.roster.size()
    if not last:
        return Check(
            "registration feed",
            WARN,
            "No registration message has arrived yet: every disc waits for a person.",
            f"Point the HL7 ADT feed at port {context.policy.adt.port} of this kiosk.",
        )
    age = context.store.now() - datetime.fromisoformat(last)
    said = f"{size} patients; the newest message is {age.total_seconds() / 60:.0f} minutes old"
    if age > timedelta(hours=context.policy.adt.max_age_hours):
        return Check("registration feed", FAIL, said, "Ask the interface team why it is silent.")
    return Check("registration feed", PASS, said)


def review_only(context: Context) -> Iterator[Check]:
    """A new site's mode, and when its own figures allow more."""
    if not context.policy.identity.review_only:
        return
    with context.store.read() as tx:
        found = identity.agreement(tx.cases.judged())
    said = (
        "Nobody is linked without a person (identity.review_only). Where the matcher would have "
        f"linked by itself, people agreed {found.agreed} times and differed {found.differed} times."
    )
    if found.enough:
        said += " Your own figures allow more: fewer than 1 in 100 can be wrong."
        yield Check("review-only mode", PASS, said, "Set identity.review_only = false.")
    else:
        said += f" {identity.ENOUGH} times without a difference allow more."
        yield Check("review-only mode", PASS, said)


def _sources(context: Context) -> Iterator[Check]:
    """Other registers: without one everything goes on, so its absence is no failure."""
    calling = context.policy.site.ae_title
    for source in context.policy.source:
        if source.kind == "worklist":
            problem = delivery.reach(source, source.calling_ae_title or calling)
        else:
            problem = adt.reach(source)
        name = f"source {source.name}"
        if problem:
            fix = "Our own list is used without it. Check its address and who may ask there."
            yield Check(name, WARN, problem, fix)
        else:
            yield Check(name, PASS, f"{source.url or f'{source.host}:{source.port}'} answers")


def _receivers(context: Context) -> Iterator[Check]:
    """Whether what others send can arrive; folders have no door to knock at."""
    policy = context.policy
    dicom = policy.inbound.enabled or policy.inbound.reports
    doors = (("DICOM", policy.inbound, dicom), ("STOW-RS", policy.stow, policy.stow.enabled))
    for name, settings, enabled in doors:
        if not enabled:
            continue
        where = f"{settings.host} port {settings.port}"
        try:
            socket.create_connection((settings.host, settings.port), 2.0).close()
        except OSError:
            fix = "Start the engine; it says why a receiver does not start."
            yield Check(f"receiver {name}", WARN, f"Nobody listens on {where}.", fix)
        else:
            yield Check(f"receiver {name}", PASS, f"Listens on {where}")
    for folder in policy.folders.watched:
        if not (folder.is_dir() and os.access(folder, os.W_OK)):
            fix = "Create the folder, and let this user write in it: items are moved aside."
            yield Check(f"folder {folder}", FAIL, "It cannot be watched.", fix)


def _destinations(context: Context) -> Iterator[Check]:
    if not context.policy.destination:
        yield Check("destinations", FAIL, "No archive is configured.", "Add a [[destination]].")
    for target in context.policy.destination:
        calling = target.calling_ae_title or context.policy.site.ae_title
        problem = delivery.echo(target, calling)
        name = f"destination {target.name}"
        where = target.url or f"{target.ae_title} at {target.host}:{target.port}"
        if problem:
            yield Check(name, FAIL, problem, f"Check that {where} runs and knows {calling}.")
        else:
            yield Check(name, PASS, f"{where} answers")


def _people(context: Context) -> Iterator[Check]:
    """Who can sign in at the screens."""
    policy = context.policy.sign_in
    if not policy.required:
        said = "Nobody signs in: whoever stands at a screen acts under its desk's role."
        yield Check("sign-in", WARN, said, "Set sign_in.required = true.")
        return
    with context.store.read() as tx:
        count = len(tx.people.all())
    if count or policy.directory:
        yield Check("sign-in", PASS, f"{count} people have an account here")
    else:
        fix = "Add the first account: kiosk people add NAME --role it"
        yield Check("sign-in", WARN, "Nobody can sign in at the screens yet.", fix)
    if policy.directory is not None:
        if problem := reach_directory(policy.directory):
            said = f"The staff directory does not help: {problem}."
            yield Check("directory", WARN, said, "See [sign_in.directory] in the configuration.")
        else:
            yield Check("directory", PASS, f"{policy.directory.url} knows our account")


def _procedure_steps(context: Context) -> Iterator[Check]:
    settings = context.policy.procedure_step
    if not settings.host:
        return
    calling = settings.calling_ae_title or context.policy.site.ae_title
    where = f"{settings.ae_title} at {settings.host}:{settings.port}"
    if problem := delivery.echo(settings.peer, calling):
        yield Check("procedure steps", WARN, problem, "No delivery waits for it. Check the peer.")
    else:
        yield Check("procedure steps", PASS, f"{where} answers")


def _printer(context: Context) -> Iterator[Check]:
    if not (printer := context.policy.receipt.printer):
        return
    if problem := printer_problem(printer):
        fix = f"Receipts are shown meanwhile. Try: lpstat -t; cupsenable {printer}"
        yield Check(f"printer {printer}", WARN, problem, fix)
    else:
        yield Check(f"printer {printer}", PASS, "Takes receipts")
