"""Any order of registrations, merges, changes, moves, links and un-merges leaves a roster without
cycles, in which every number ever accepted leads to one patient."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kiosk.model.patient import Identifier, PersonName
from kiosk.model.registration import Applied, PatientFields, RegistrationEvent
from kiosk.store.roster import rules
from kiosk.store.roster.record import Record, decode, encode, numbers, view
from kiosk.store.roster.sheet import Sheet

changes = st.sampled_from(["A40", "A47", "A43", "A18"])
numbers_ = st.sampled_from("123456").map(lambda v: Identifier(v, "M", "MR"))
clinic = st.sampled_from("12").map(lambda v: Identifier(v, "C", "PI"))
names = st.sampled_from(["SMITH", "JONES", "BROWN"])
times = st.integers(1, 28).map(lambda day: f"202601{day:02d}")


class Roster(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.sheet = Sheet()
        self.seen: set[Identifier] = set()
        self.count = 0

    def send(self, trigger: str, at: str, *patients: PatientFields) -> Applied:
        self.count += 1
        before = dict(self.sheet.records)
        event = RegistrationEvent(trigger, str(self.count), "S", at, patients)
        applied = rules.apply(self.sheet, event)
        if applied.ack == "AA":
            for p in patients:
                self.seen |= {*p.identifiers, *p.prior}
        elif applied.exception != "possible-overlay":
            assert self.sheet.records == before, "a refused event changed something"
        return applied

    @rule(trigger=st.sampled_from(["A01", "A08", "A28", "A31"]), at=times, who=numbers_, name=names)
    def register(self, trigger: str, at: str, who: Identifier, name: str) -> None:
        said = PatientFields((who,), (PersonName(name, "ANN"),), birth_date="19700203")
        self.send(trigger, at, said)

    @rule(at=times, who=numbers_, also=clinic)
    def two_authorities(self, at: str, who: Identifier, also: Identifier) -> None:
        self.send("A08", at, PatientFields((who, also)))

    @rule(
        trigger=st.sampled_from(["A40", "A47", "A43", "A18"]), at=times, to=numbers_, old=numbers_
    )
    def merge_or_change(self, trigger: str, at: str, to: Identifier, old: Identifier) -> None:
        self.send(trigger, at, PatientFields((to,), prior=(old,)))

    @rule(trigger=st.sampled_from(["A24", "A37"]), a=numbers_, b=numbers_)
    def link_or_unlink(self, trigger: str, a: Identifier, b: Identifier) -> None:
        applied = self.send(trigger, "20260115", PatientFields((a,)), PatientFields((b,)))
        if trigger == "A37" and applied.disposition.value == "ignored":
            self.seen -= {a, b} - set(self.owned())

    @rule(at=times, who=numbers_)
    def remove(self, at: str, who: Identifier) -> None:
        applied = self.send("A29", at, PatientFields((who,)))
        if applied.disposition.value == "ignored":
            self.seen -= {who} - set(self.owned())

    def owned(self) -> list[Identifier]:
        return [i for i in self.seen if self.sheet.owner(i) is not None]

    @invariant()
    def every_number_accepted_leads_to_one_survivor(self) -> None:
        for identifier in self.seen:
            owner = self.sheet.owner(identifier)
            assert owner is not None
            assert not self.sheet.root(owner).merged_into

    @invariant()
    def no_number_belongs_to_two_records(self) -> None:
        every = [n for r in self.sheet.records.values() for n in numbers(r)]
        assert len(every) == len(set(every))
        assert self.sheet.owners.keys() == set(every)

    @invariant()
    def no_record_is_merged_into_itself_by_any_way(self) -> None:
        for record in self.sheet.records.values():
            steps = 0
            while record.merged_into:
                record = self.sheet.records[record.merged_into]
                steps += 1
                assert steps <= len(self.sheet.records)

    @invariant()
    def a_survivor_shows_every_number_of_those_below_it(self) -> None:
        for record in self.sheet.records.values():
            below = list(self.sheet.below(record))
            shown = {(i.value, i.issuer) for i, _ in view(record, below).prior}
            assert {n for child in below for n in numbers(child)} <= shown

    @invariant()
    def every_record_comes_back_from_its_text(self) -> None:
        for key, record in self.sheet.records.items():
            assert decode(key, encode(record)) == record


TestRoster = Roster.TestCase
TestRoster.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@given(st.permutations(["2>1", "3>2", "4>3"]))
def test_a_chain_of_merges_ends_at_the_same_survivor_in_any_order(order: list[str]) -> None:
    sheet = Sheet()
    for value in "1234":
        said = PatientFields((Identifier(value, "M"),), (PersonName("SMITH", "ANN"),))
        rules.apply(sheet, RegistrationEvent("A28", value, "S", "20260101", (said,)))
    for merge in order:
        old, _, to = merge.partition(">")
        said = PatientFields((Identifier(to, "M"),), prior=(Identifier(old, "M"),))
        rules.apply(sheet, RegistrationEvent("A40", merge, "S", "20260102", (said,)))
    survivors = {sheet.root(r).key for r in sheet.records.values()}
    assert survivors == {1}


def test_un_merging_gives_both_records_back_as_they_were() -> None:
    sheet = Sheet()
    people = [
        PatientFields((Identifier("1", "M"),), (PersonName("SMITH", "ANN"),), "19700203"),
        PatientFields((Identifier("2", "M"),), (PersonName("SMYTH", "JOAN"),), "19691212"),
    ]
    for number, said in enumerate(people):
        rules.apply(sheet, RegistrationEvent("A28", str(number), "S", "20260101", (said,)))
    before = {k: plain(r) for k, r in sheet.records.items()}
    merge = replace(people[0], prior=people[1].identifiers)
    rules.apply(sheet, RegistrationEvent("A40", "m", "S", "20260102", (merge,)))
    assert {plain(r) == before[k] for k, r in sheet.records.items()} == {True, False}
    done = rules.apply(sheet, RegistrationEvent("A37", "u", "S", "20260103", tuple(people)))
    assert done.exception == "unmerge-review-imports"
    assert done.touched == ("1", "2")
    assert {k: plain(r) for k, r in sheet.records.items()} == before


def plain(record: Record) -> Record:
    return replace(record, last_event="")
