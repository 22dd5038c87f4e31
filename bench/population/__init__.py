"""A town of made-up people, who of them is registered, and the discs they bring: all from a seed.

Households with twins, fathers and sons of one name, names that changed, two family names, single
names and names in their own characters; registrations with duplicates and slips; discs in the
formats of many sites, a seventh of them of people who are not registered. No real person is in it,
and none of its rates were used to fit the matcher.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

MALE = (
    "JAMES ROBERT JOHN MICHAEL DAVID WILLIAM RICHARD JOSEPH THOMAS CHARLES DANIEL MATTHEW ANTHONY"
    " MARK STEVEN PAUL ANDREW KENNETH GEORGE KEVIN BRIAN EDWARD RONALD TIMOTHY JASON JEFFREY RYAN"
    " JACOB GARY NICHOLAS ERIC JONATHAN STEPHEN LARRY JUSTIN SCOTT BENJAMIN SAMUEL FRANK GREGORY"
    " RAYMOND PATRICK ALEXANDER JACK DENNIS JOSE LUIS CARLOS JUAN OMAR ALI IBRAHIM WEI MINH IVAN"
).split()
FEMALE = (
    "MARY PATRICIA JENNIFER LINDA ELIZABETH BARBARA SUSAN JESSICA SARAH KAREN LISA NANCY BETTY"
    " SANDRA MARGARET ASHLEY KIMBERLY EMILY DONNA MICHELLE CAROL AMANDA MELISSA DEBORAH STEPHANIE"
    " REBECCA SHARON LAURA CYNTHIA DOROTHY AMY KATHLEEN ANGELA SHIRLEY EMMA BRENDA PAMELA NICOLE"
    " ANNA SAMANTHA KATHERINE CHRISTINE HELEN DEBRA RACHEL CAROLYN MARIA ANA ROSA FATIMA AMINA MEI"
).split()
EVERYDAY = dict(
    pair.split(":")
    for pair in (
        "JAMES:JIM ROBERT:BOB MICHAEL:MIKE DAVID:DAVE WILLIAM:BILL RICHARD:RICK JOSEPH:JOE"
        " THOMAS:TOM CHARLES:CHUCK DANIEL:DAN MATTHEW:MATT STEVEN:STEVE EDWARD:ED TIMOTHY:TIM"
        " PATRICIA:PAT JENNIFER:JEN ELIZABETH:BETH SUSAN:SUE MARGARET:PEGGY KIMBERLY:KIM"
        " DEBORAH:DEB REBECCA:BECKY CYNTHIA:CINDY KATHERINE:KATE CHRISTINE:CHRIS SAMANTHA:SAM"
    ).split()
)
HAN = dict(
    zip(
        "WANG LI ZHANG CHEN LIU HUANG KIM TANAKA SATO SUZUKI".split(),
        "王李张陈刘黄金田佐铃",
        strict=True,
    )
)
ORIGINS = ("one family name", "two family names", "single name", "own characters")
TODAY = date(2026, 1, 15)
SITES = ("{f}^{g}^{m}", "{f}^{g} {m}", "{f}, {g} {m}", "{g} {m} {f}")
LETTERS = "ABCDEFGHIKLMNOPRSTUVWY"


@dataclass(frozen=True, slots=True)
class Person:
    family: str
    given: str
    middle: str
    sex: str
    born: date
    street: str
    telephone: str
    origin: str
    maiden: str = ""
    suffix: str = ""
    twin: int = -1
    namesake: int = -1  # father or son


@dataclass(frozen=True, slots=True)
class Disc:
    """What a disc says, and who its patient is."""

    owner: int
    name: str
    birth_date: str
    sex: str
    address: str
    telephone: str


class Town:
    """`people`, and for the registered ones `records`: (MRN, person, as registered)."""

    def __init__(self, records: int, seed: int) -> None:
        self.random = random.Random(seed)
        self._families = {
            origin: [self._family() for _ in range(many)]
            for origin, many in zip(ORIGINS, (40_000, 6_000, 400, 0), strict=True)
        } | {"own characters": sorted(HAN)}
        self.people: list[Person] = []
        while len(self.people) < records * 1.2:
            self._household()
        self.records = list(self._registered(records))
        self.mrns: dict[int, list[str]] = {}
        for mrn, owner, _ in self.records:
            self.mrns.setdefault(owner, []).append(mrn)

    def _family(self) -> str:
        r = self.random
        parts = (
            r.choice("BCDFGHKLMNPRSTVW") + r.choice("AEIOU") + r.choice("LMNRST") for _ in "12"
        )
        return "".join(parts) + r.choice(("", "", "SON", "EZ", "ER", "OV", "INI"))

    def _common(self, names: Sequence[str]) -> str:
        """Zipf: the first names are the common ones."""
        return names[int(len(names) ** self.random.random()) - 1]

    def _household(self) -> None:
        r = self.random
        origin = r.choices(ORIGINS, (70, 22, 2, 6))[0]
        family, home = self._name(origin), f"{r.randrange(1, 9900)} {self._family()} ST"
        man = self._person(origin, family, "M", r.randrange(25, 90), home)
        woman = self._person(origin, family, "F", r.randrange(25, 90), home)
        maiden = self._name(origin)
        woman = replace(woman, maiden=maiden, family=family if r.random() < 0.7 else maiden)
        self.people += [man, woman]
        father = len(self.people) - 2
        for _ in range(r.choices((0, 1, 2), (40, 35, 25))[0]):
            self._child(origin, family, father, home)

    def _child(self, origin: str, family: str, father: int, home: str) -> None:
        r, man = self.random, self.people[father]
        child = self._person(origin, family, r.choice("MF"), r.randrange(0, 24), home)
        if child.sex == "M" and r.random() < 0.03 and man.namesake < 0:
            child = replace(child, given=man.given, middle=man.middle, suffix="JR", namesake=father)
            self.people[father] = replace(man, suffix="SR", namesake=len(self.people))
        elif r.random() < 0.017:
            first = len(self.people)
            self.people.append(replace(child, twin=first + 1))
            other = self._person(origin, family, child.sex, 0, home)
            given = other.given if other.given != child.given else child.given + "A"
            child = replace(other, given=given, born=child.born, twin=first)
        self.people.append(child)

    def _name(self, origin: str) -> str:
        name = self._common(self._families[origin])
        double = origin == "two family names" and self.random.random() < 0.6
        return f"{name} {self._common(self._families[origin])}" if double else name

    def _person(self, origin: str, family: str, sex: str, age: int, home: str) -> Person:
        r = self.random
        names = MALE if sex == "M" else FEMALE
        born = TODAY - timedelta(days=int(age * 365.25) + r.randrange(365))
        alone = origin == "single name"
        middle = "" if alone or r.random() < 0.15 else self._common(names)
        given = "" if alone else self._common(names) + self._rare()
        return Person(
            family, given, middle, sex, born, home, f"713{r.randrange(10**7):07d}", origin
        )

    def _rare(self) -> str:
        return self.random.choice(LETTERS) if self.random.random() < 0.15 else ""

    def _registered(self, records: int) -> Iterator[tuple[str, int, Person]]:
        r = self.random
        chosen = r.sample(range(len(self.people)), records - records // 32)
        for number, owner in enumerate(chosen + r.sample(chosen, records // 32)):
            yield f"{100_000 + number}", owner, self._slips(self.people[owner], 0.012)

    def _slips(self, person: Person, often: float) -> Person:
        """As somebody typed it."""
        r = self.random
        if r.random() < often:
            person = replace(person, family=self._typo(person.family))
        if r.random() < often:
            person = replace(person, given=self._typo(person.given))
        if r.random() < often:
            person = replace(person, given=EVERYDAY.get(person.given, person.given))
        if r.random() < often / 2:
            person = replace(person, born=self._wrong(person.born))
        if person.maiden and r.random() < often * 2:
            person = replace(person, family=person.maiden)
        return person

    def _typo(self, name: str) -> str:
        at = self.random.randrange(max(len(name), 1))
        other = self.random.choice(LETTERS)
        return self.random.choice(
            (
                name[:at] + name[at + 1 :],
                name[:at] + other + name[at + 1 :],
                name[:at] + other + name[at:],
            )
        )

    def _wrong(self, born: date) -> date:
        day = born.replace(day=self.random.randrange(1, 29))
        year = born.replace(day=min(born.day, 28), year=max(born.year - 1, 1900))
        return self.random.choice((day, year))

    def discs(self, count: int) -> Iterator[Disc]:
        """A seventh of them of people who are not registered."""
        r, known = self.random, sorted(self.mrns)
        strangers = sorted(set(range(len(self.people))) - self.mrns.keys())
        for _ in range(count):
            yield self._disc(r.choice(strangers if r.random() < 0.15 else known))

    def _disc(self, owner: int) -> Disc:
        r = self.random
        person = self._slips(self.people[owner], 0.015)
        born = "" if r.random() < 0.015 else f"{person.born:%Y%m%d}"
        sex = "" if r.random() < 0.015 else person.sex
        at_home, called = r.random() < 0.05, r.random() < 0.05
        name = self._written(person) if r.random() > 0.009 else "ANONYMOUS"
        return Disc(
            owner,
            name,
            born,
            sex,
            person.street if at_home else "",
            person.telephone if called else "",
        )

    def _written(self, person: Person) -> str:
        r = self.random
        if not person.given:
            return person.family
        if person.origin == "own characters" and r.random() < 0.2:
            return f"{person.family}^{person.given}={HAN.get(person.family, '无')}^明"
        middle = r.choice((person.middle, person.middle[:1], ""))
        site = SITES[0] if r.random() < 0.75 else r.choice(SITES)
        text = " ".join(site.format(f=person.family, g=person.given, m=middle).split())
        return f"{text}^^{person.suffix}" if person.suffix and site is SITES[0] else text


def registration(mrn: str, person: Person, number: int) -> bytes:
    """An ADT^A28 that registers the person."""
    pid = (
        f"PID|1||{mrn}^^^BENCH^MR||{person.family}^{person.given}^{person.middle}^{person.suffix}"
        f"^^^L||{person.born:%Y%m%d}|{person.sex}|||{person.street}^^TOWN^TX^77001||{person.telephone}"
        f"|||||||||||{'Y' if person.twin >= 0 else 'N'}"
    )
    at = f"2026011512{number // 60 % 60:02d}{number % 60:02d}"
    head = f"MSH|^~\\&|REG|BENCH|KIOSK|BENCH|{at}||ADT^A28^ADT_A05|{number:09d}|P|2.5.1"
    return f"{head}\rEVN|A28|{at}\r{pid}\r".encode()
