"""A real desk on a real SQLite file: the rows are written by the store's own functions, the
matching is the matcher's, and the clock is the test's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from kiosk import identity
from kiosk import store as rooms
from kiosk.desk import NOBODY, Desk, Operator, Role
from kiosk.desk.signing import Boot
from kiosk.desk.signing.secrets import hashed
from kiosk.desk.snapshots import HealthLine, Mood
from kiosk.model.content import Catalog, Finding, Instance, Ledger, Series, StatedPatient, Study
from kiosk.model.delivery import Answer, InstanceResult
from kiosk.model.matching import Action, Recommendation, Resolution
from kiosk.model.medium import Drive, DriveState, Medium, MediumKind, Progress, ReadReport
from kiosk.model.patient import Identifier, PatientIdentity, PersonName, Visit
from kiosk.model.registration import PatientFields, RegistrationEvent
from kiosk.model.work import CaseState, DeliveryState, IntakeState
from kiosk.policy import Policy
from kiosk.policy.people import SignIn as SignInPolicy
from kiosk.store import Origin

STATION = "kiosk-1"
DISC = Medium(MediumKind.OPTICAL, "/dev/sr0", "SCANS", "iso9660", fingerprint="sha256:1")
JANE = PatientIdentity(
    (Identifier("A99", "ST MARY"),), (PersonName("DOE", "JANE"),), "19620314", "F"
)
JON = PatientIdentity(
    (Identifier("A100", "ST MARY"),), (PersonName("DOE", "JON"),), "19620314", "M"
)
MARY = PatientIdentity(
    (Identifier("77", "ST MARY"),), (PersonName("ROE", "MARY"),), "19880701", "F"
)


hash_of = cache(hashed)  # a third of a second each


def study(uid: str, images: int, modality: str = "CT") -> Study:
    instances = tuple(
        Instance(
            f"{uid}.{n}", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", n, f"IM{n}", 9, ""
        )
        for n in range(images)
    )
    series = Series(f"{uid}.1", modality, "CHEST", instances=instances)
    return Study(uid, "20250502", description="CT CHEST", institution="St. Mary", series=(series,))


class World:
    """What the engine, the registration system and the archive would do, step by step."""

    report = ReadReport(DISC, 10, 1, 1000)

    def __init__(self, store: rooms.Store) -> None:
        self.at = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
        self.store = store
        self.policy = Policy.model_validate(
            {
                "site": {"name": "City Hospital", "station": STATION},
                "identity": {"local_issuer": "HOSP"},
                "destination": [{"name": "PACS"}],
            }
        )
        self._control = 0
        self.boot = Boot("first", 1000.0)

    def __call__(self) -> datetime:
        return self.at

    def wait(self, **span: float) -> None:
        """Time passes for the wall clock and for the machine."""
        self.at += timedelta(**span)
        self.boot = replace(
            self.boot, seconds=self.boot.seconds + timedelta(**span).total_seconds()
        )

    def desk(self, role: Role = Role.FRONT_DESK, name: str = "anna") -> Desk:
        line = HealthLine("disk", Mood.CARE, "14 GB free", "Make room.")
        checks = (HealthLine("database", Mood.GOOD, "well"), line)
        return Desk(self.store, self.policy, Operator(name, role), self, lambda: checks)

    def closed_desk(self, station: str = STATION) -> Desk:
        """A desk at which nobody has signed in."""
        policy = self.policy.model_copy(
            update={"site": self.policy.site.model_copy(update={"station": station})}
        )
        return Desk(self.store, policy, NOBODY, self, tuple, lambda: self.boot)

    def set(self, **sign_in: object) -> None:
        """The policy's section on signing in."""
        given = SignInPolicy.model_validate(sign_in)
        self.policy = self.policy.model_copy(update={"sign_in": given})

    def person(self, name: str, role: Role, **given: str) -> int:
        """Somebody whom IT added, with what they sign in with: `pin` and `badge`, `password`."""
        it = self.desk(Role.IT, "root")
        number = it.add_person(name, role, "", "new here")
        if badge := given.pop("badge", ""):
            it.set_badge(number, badge, "new here")
        with self.store.begin() as tx:
            person = tx.people.get(number)
            assert person is not None
            hashes = {f"{kind}_hash": hash_of(secret) for kind, secret in given.items()}
            if hashes:
                tx.people.set_secret(person, "root", **hashes)
        return number

    def signed_in(self, role: Role | None) -> Desk:
        """A desk at which somebody of that role has signed in, by the row and without argon2."""
        desk = self.closed_desk()
        if role is not None:
            with self.store.begin() as tx:
                name = f"a-{role.value}"
                tx.people.add(name, role.value, Origin.LOCAL, "root")
                added = tx.people.named(name)
                assert added is not None
                desk._admit(tx, added, "name")
        return desk

    def lines(self, *kinds: str) -> list[tuple[str, str, dict[str, object]]]:
        """Kind, actor and data of the journal's lines that begin so."""
        with self.store.read() as tx:
            return [
                (e.kind, e.actor, e.data) for e in tx.journal.since(0) if e.kind.startswith(kinds)
            ]

    def register(
        self, number: str, name: PersonName, born: str, sex: str, starts_at: str = ""
    ) -> str:
        """A04 for a patient; the roster's key of it."""
        self._control += 1
        visit = Visit(f"V{number}", "O", "CLINIC", starts_at, "planned") if starts_at else None
        stamp = f"{self.at:%Y%m%d%H%M%S}"
        fields = PatientFields((Identifier(number, "HOSP", "MR"),), (name,), born, sex, visit=visit)
        event = RegistrationEvent("A04", str(self._control), "ADT|HOSP", stamp, patients=(fields,))
        with self.store.begin() as tx:
            tx.roster.apply(event, b"")
            found = tx.roster.resolve(Identifier(number, "HOSP"))
        assert found is not None
        return found.key

    def insert(self, medium: Medium = DISC, picked: Identifier | None = None) -> int:
        with self.store.begin() as tx:
            return tx.intakes.create(medium, STATION, "anna", picked).id

    def progress(self, intake: int, done: int, total: int, phase: str = "copying") -> None:
        with self.store.begin() as tx:
            tx.intakes.set_progress(intake, Progress(phase, done, total, done // 10, total // 10))

    def drive(self, state: DriveState = DriveState.NO_DISC) -> None:
        with self.store.begin() as tx:
            tx.intakes.set_drive(STATION, Drive("A1", "/dev/sr0", "Left drive", state))

    def read(self) -> None:
        with self.store.begin() as tx:
            claimed = tx.intakes.claim(IntakeState.RECEIVED, STATION, 60)
            assert claimed is not None
            tx.intakes.read(claimed[1], self.report)

    def fail(self, finding: Finding) -> None:
        with self.store.begin() as tx:
            claimed = tx.intakes.claim(IntakeState.RECEIVED, STATION, 60)
            assert claimed is not None
            tx.intakes.fail(claimed[1], finding)

    def reject(self, finding: Finding, ledger: Ledger) -> None:
        self.read()
        with self.store.begin() as tx:
            claimed = tx.intakes.claim(IntakeState.READ, STATION, 60)
            assert claimed is not None
            tx.intakes.reject(claimed[1], Catalog(ledger=ledger), finding)

    def catalog(self, *patients: StatedPatient, ledger: Ledger | None = None) -> tuple[int, ...]:
        """READ to CATALOGED: the ids of the cases."""
        self.read()
        images = sum(len(p.instances) for p in patients)
        found = Catalog(
            patients, ledger or Ledger(files=images + 3, ok=images, viewer=2, dicomdir=1)
        )
        with self.store.begin() as tx:
            claimed = tx.intakes.claim(IntakeState.READ, STATION, 60)
            assert claimed is not None
            tx.intakes.cataloged(claimed[1], found)
            return tuple(tx.cases.open(claimed[1].id, p) for p in patients)

    def match(self, review_only: bool = False) -> None:
        """OPEN to RESOLVED or AWAITING, as the matcher says, for every case; with `review_only`
        (a new site's switch) every case waits."""
        while self._match_one(review_only):
            pass

    def _match_one(self, review_only: bool) -> bool:
        with self.store.begin() as tx:
            claimed = tx.cases.claim(CaseState.OPEN, STATION, 60)
            if claimed is None:
                return False
            case, held = claimed
            found = tx.roster.candidates(identity.keys(case.stated))
            if case.picked and (picked := tx.roster.resolve(case.picked)):
                found = (picked, *(each for each in found if each.key != picked.key))
            names = identity.name_keys(case.stated).union(*map(identity.name_keys_of, found))
            settings = self.policy.identity
            statistics = tx.roster.statistics(names)
            proposal = identity.propose(case.stated, found, statistics, settings, case.picked)
            sure = proposal.recommendation is Recommendation.ACCEPT and not review_only
            at = self.at.isoformat()
            resolution = identity.resolve(proposal, at, self.policy.hash) if sure else None
            tx.cases.matched(
                held, proposal, resolution, () if sure else proposal.why or ("New site.",)
            )
        return True

    def release(self) -> tuple[int, ...]:
        """RESOLVED to RELEASED: the ids of the deliveries."""
        with self.store.begin() as tx:
            claimed = tx.cases.claim(CaseState.RESOLVED, STATION, 60)
            assert claimed is not None
            case, held = claimed
            assert case.resolution is not None
            ids = tuple(
                tx.deliveries.queue(case.id, row, each.study_instance_uid, "PACS")
                for row, each in tx.cases.studies(case.id)
            )
            tx.cases.released(held, len(ids), case.resolution)
        return ids

    def answer(self, delivery: int, answer: Answer, images: int, comment: str = "") -> None:
        """The archive says so of the first `images` instances."""
        with self.store.begin() as tx:
            lines = tx.deliveries.results(delivery)
            results = [InstanceResult(i.sop_instance_uid, answer, 0, comment) for i, _ in lines]
            tx.deliveries.record(delivery, results[:images])

    def move(self, to: DeliveryState, problem: str = "") -> None:
        """The delivery that is due goes one step on."""
        with self.store.begin() as tx:
            before = DeliveryState.SENT if to is DeliveryState.COMMITTED else DeliveryState.QUEUED
            claimed = tx.deliveries.claim(before, "PACS", STATION, 60)
            assert claimed is not None
            tx.deliveries.begin_attempt(claimed[1].id)
            tx.deliveries.move(claimed[1], to, problem=problem)

    def case_state(self, case: int) -> CaseState:
        with self.store.read() as tx:
            return tx.cases.get(case).state

    def resolution(self, case: int) -> Resolution | None:
        with self.store.read() as tx:
            return tx.cases.get(case).resolution

    def events(self, kind: str) -> int:
        with self.store.read() as tx:
            return sum(e.kind == kind for e in tx.journal.since(0))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world: World
    store = rooms.open(
        f"sqlite:///{tmp_path / 'kiosk.db'}",
        keys_of=identity.keys_of,
        name_keys_of=identity.name_keys_of,
        now=lambda: world.at,
    )
    world = World(store)
    yield world
    store.close()


@pytest.fixture
def awaiting(world: World) -> int:
    """A case that waits for HIM: one letter of the given name differs."""
    world.register("0012346", PersonName("DOE", "JOHN"), "19620314", "M")
    world.register("0088812", PersonName("DOE-SMITH", "JON"), "19260314", "M")
    world.insert()
    (case,) = world.catalog(StatedPatient(JON, (study("1.2.3", 3),)))
    world.match(review_only=True)
    assert world.case_state(case) is CaseState.AWAITING
    return case


LINK, IMPORT_ONLY, NOT_OURS = Action.LINK, Action.IMPORT_ONLY, Action.NOT_OURS
