"""An engine on a real store, driven step by step in the test's own thread."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk import adt, identity, store
from kiosk.cli.demonstration import discs, registration
from kiosk.engine import Engine, Site
from kiosk.model.delivery import InstanceResult
from kiosk.model.matching import Action, Resolution
from kiosk.model.medium import Medium, MediumKind
from kiosk.model.patient import Identifier
from kiosk.model.work import Case, Delivery, Intake, Withdrawal
from kiosk.policy import Policy
from kiosk.policy.sections import Destination, Retry
from kiosk.policy.sections import Identity as IdentityPolicy
from kiosk.policy.sections import Site as SitePolicy

ARCHIBALD, PETER = registration.ARCHIBALD, registration.PETER


class Station:
    """One kiosk: `clock` moves only when the test moves it."""

    def __init__(self, folder: Path, policy: Policy) -> None:
        self.folder = folder
        self.at = datetime.now(UTC)
        self.rows = store.open(
            f"sqlite:///{folder / 'kiosk.db'}",
            keys_of=identity.keys_of,
            name_keys_of=identity.name_keys_of,
            now=lambda: self.at,
        )
        self.vault = store.Vault(folder / "vault")
        self.use(policy)

    def use(self, policy: Policy) -> None:
        self.policy = policy
        self.engine = Engine(Site(self.rows, self.vault, policy, lambda: self.at))

    def register(self, *messages: str) -> None:
        """Registration messages, the demonstration's morning when none are given."""
        texts = messages or tuple(m.text for m in registration.morning(self.at))
        with self.rows.begin() as tx:
            for text in texts:
                raw = text.encode()
                event = adt.parse(raw, default_charset="utf-8", default_authority="HOSP")
                assert tx.roster.apply(event, raw).ack == "AA"

    def insert(self, image: Path, picked: Identifier | None = None) -> int:
        with self.rows.begin() as tx:
            medium = Medium(MediumKind.IMAGE, str(image))
            return tx.intakes.create(medium, self.policy.site.station, "tester", picked).id

    def work(self) -> None:
        """Until nothing is due."""
        while self.engine.run_once():
            pass

    def pass_(self, **time: float) -> None:
        self.at += timedelta(**time)

    def case(self, intake: int) -> Case:
        with self.rows.read() as tx:
            (case,) = tx.cases.of_intake(intake)
        return case

    def intake(self, intake: int) -> Intake:
        with self.rows.read() as tx:
            return tx.intakes.get(intake)

    def withdrawals(self, intake: int) -> tuple[Withdrawal, ...]:
        with self.rows.read() as tx:
            return tx.recalls.of_case(self.case(intake).id)

    def deliveries(self, intake: int) -> tuple[Delivery, ...]:
        with self.rows.read() as tx:
            return tx.deliveries.of_case(self.case(intake).id)

    def results(self, delivery: Delivery) -> list[InstanceResult]:
        with self.rows.read() as tx:
            return [result for _, result in tx.deliveries.results(delivery.id)]

    def decide(self, intake: int, number: str) -> None:
        """HIM says: same person as the patient of this number."""
        case = self.case(intake)
        with self.rows.begin() as tx:
            local = tx.roster.resolve(Identifier(number, "HOSP"))
            assert local is not None
            link = Resolution(Action.LINK, "him", "2026-11-24", "asked", local.identity, local.key)
            tx.cases.resolve(case.id, link)


def policy_for(*destinations: Destination, **sections: object) -> Policy:
    return Policy(
        site=SitePolicy(name="Test Hospital"),
        identity=IdentityPolicy(local_issuer="HOSP"),
        retry=Retry(first_seconds=1.0, longest_seconds=60.0),
        destination=destinations,
        **sections,
    )


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Station]:
    """A kiosk with one destination that nobody answers at."""
    folder = tmp_path / "station"
    folder.mkdir()
    opened = Station(folder, policy_for(Destination(name="PACS", port=1)))
    yield opened
    opened.rows.close()


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disc whose patient is registered, with birth date and sex: 7 images of 2 studies."""
    stated = discs.Stated(
        f"{ARCHIBALD.family}^{ARCHIBALD.given}", ARCHIBALD.birth_date, ARCHIBALD.sex
    )
    image = tmp_path_factory.mktemp("discs") / "known.iso"
    return discs.burn(discs.file_set_of(discs.ARCHIBALD, stated), image, "KNOWN")


@pytest.fixture(scope="session")
def unsure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disc without a birth date; two of that name are registered: 24 images of 4 studies."""
    image = tmp_path_factory.mktemp("discs") / "unsure.iso"
    return discs.burn(discs.file_set_of(discs.PETER), image, "UNSURE")
