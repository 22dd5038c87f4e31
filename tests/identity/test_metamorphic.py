"""What must not change a decision, and what must never raise a probability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.identity import propose, recompute
from kiosk.model.matching import IndexStatistics, Proposal, Recommendation
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity, PersonName
from tests.identity.people import SETTINGS

FAMILIES = ("GARCIA", "MOREAU", "SCHROEDER", "OBRIEN", "NGUYEN", "LINDQVIST")
GIVENS = ("JANE", "ANA", "JOSEPH", "WILLIAM", "ROSE", "MATTHEW")
MIDDLES = ("", "Q", "ELENA", "ROBERT")
DATES = ("19620314", "19620413", "19710922", "")
ACCENTS = str.maketrans("AEIOUN", "ÁÈÏÔÜÑ")

people = st.builds(
    lambda family, given, middle, date, sex: PatientIdentity(
        (Identifier("A99"),), (PersonName(family, given, middle),), date, sex
    ),
    st.sampled_from(FAMILIES),
    st.sampled_from(GIVENS),
    st.sampled_from(MIDDLES),
    st.sampled_from(DATES),
    st.sampled_from(("F", "M", "")),
)
rosters = st.lists(people, max_size=5).map(
    lambda identities: [
        LocalPatient(str(n), replace(identity, identifiers=(Identifier(str(n), "HOSP"),)))
        for n, identity in enumerate(identities)
    ]
)
sizes = st.sampled_from((5, 20_000, 1_000_000))
picks = st.sampled_from((None, Identifier("0", "HOSP")))
PARTS = tuple[str, str, str]


def comma(n: PARTS) -> PersonName:
    return PersonName(f"{n[0]}, {n[1]} {n[2]}")


REWRITTEN: dict[str, Callable[[PARTS], PersonName]] = {
    "lower case": lambda n: PersonName(*(part.lower() for part in n)),
    "title case": lambda n: PersonName(*(part.title() for part in n)),
    "accents": lambda n: PersonName(*(part.translate(ACCENTS) for part in n)),
    "comma": comma,
    "middle name with the given one": lambda n: PersonName(n[0], f"{n[1]} {n[2]}"),
    "trailing separators": lambda n: PersonName.from_dicom("^".join(n) + "^^"),
    "title in its component": lambda n: PersonName(*n, "DR"),
    "title before the given name": lambda n: PersonName(n[0], f"Mrs. {n[1]}", n[2]),
    "degree after the name": lambda n: PersonName(*n, "", "PhD"),
    "double spaces": lambda n: PersonName(f" {n[0]} ", f"{n[1]}  {n[2]}"),
}
UNSEPARATED: dict[str, Callable[[PARTS], str]] = {
    "family first": lambda n: f"{n[0]} {n[1]} {n[2]}",
    "family last": lambda n: f"{n[1]} {n[2]} {n[0]}",
    "family last, titled": lambda n: f"MR {n[1]} {n[2]} {n[0]}",
}


def parts(identity: PatientIdentity) -> PARTS:
    return identity.name.family, identity.name.given, identity.name.middle


def outcome(proposal: Proposal) -> tuple[object, ...]:
    listed = tuple((c.local.key, round(c.probability, 9)) for c in proposal.candidates)
    return proposal.recommendation, listed


@pytest.mark.parametrize("rewrite", REWRITTEN.values(), ids=REWRITTEN)
@settings(max_examples=25, deadline=None)
@given(stated=people, roster=rosters, size=sizes, picked=picks)
def test_the_way_a_name_is_written_changes_nothing(
    rewrite: Callable[[PARTS], PersonName],
    stated: PatientIdentity,
    roster: list[LocalPatient],
    size: int,
    picked: Identifier | None,
) -> None:
    other = replace(stated, names=(rewrite(parts(stated)),))
    statistics = IndexStatistics(size)
    assert outcome(propose(stated, roster, statistics, SETTINGS, picked)) == outcome(
        propose(other, roster, statistics, SETTINGS, picked)
    )


@settings(max_examples=100, deadline=None)
@given(stated=people, roster=rosters, size=sizes, picked=picks)
def test_the_order_of_an_unseparated_name_changes_nothing(
    stated: PatientIdentity, roster: list[LocalPatient], size: int, picked: Identifier | None
) -> None:
    statistics = IndexStatistics(size)
    written = [
        replace(stated, names=(PersonName(text(parts(stated))),)) for text in UNSEPARATED.values()
    ]
    outcomes = {outcome(propose(w, roster, statistics, SETTINGS, picked)) for w in written}
    assert len(outcomes) == 1


@settings(max_examples=100, deadline=None)
@given(stated=people, roster=rosters, size=sizes, picked=picks)
def test_a_name_without_separator_is_decided_like_one_with_it(
    stated: PatientIdentity, roster: list[LocalPatient], size: int, picked: Identifier | None
) -> None:
    statistics = IndexStatistics(size)
    together = replace(stated, names=(PersonName(UNSEPARATED["family first"](parts(stated))),))
    one = propose(stated, roster, statistics, SETTINGS, picked)
    other = propose(together, roster, statistics, SETTINGS, picked)
    assert one.recommendation is other.recommendation


@settings(max_examples=150, deadline=None)
@given(stated=people, roster=rosters, size=sizes, picked=picks, data=st.data())
def test_an_equal_rival_never_raises_a_probability(
    stated: PatientIdentity,
    roster: list[LocalPatient],
    size: int,
    picked: Identifier | None,
    data: st.DataObject,
) -> None:
    """Neither a stranger with the same statements nor the same person registered twice."""
    if not roster:
        return
    model = data.draw(st.sampled_from(roster))
    own = replace(model.identity, identifiers=(Identifier("R", "HOSP"),))
    rival = replace(model, key="R", identity=own)
    statistics = IndexStatistics(size)
    before = propose(stated, roster, statistics, SETTINGS, picked)
    after = propose(stated, [*roster, rival], statistics, SETTINGS, picked)
    was = {c.local.key: c.probability for c in before.candidates}
    for candidate in after.candidates:
        assert candidate.probability <= was.get(candidate.local.key, 1.0) + 1e-12
    if before.recommendation is not Recommendation.ACCEPT:
        assert after.recommendation is not Recommendation.ACCEPT


@settings(max_examples=100, deadline=None)
@given(stated=people, roster=rosters, size=sizes, picked=picks, data=st.data())
def test_the_order_of_the_candidates_changes_no_decision(
    stated: PatientIdentity,
    roster: list[LocalPatient],
    size: int,
    picked: Identifier | None,
    data: st.DataObject,
) -> None:
    shuffled = data.draw(st.permutations(roster))
    statistics = IndexStatistics(size)
    one = propose(stated, roster, statistics, SETTINGS, picked)
    other = propose(stated, shuffled, statistics, SETTINGS, picked)
    assert one.recommendation is other.recommendation
    assert {c.local.key: round(c.probability, 9) for c in one.candidates} == {
        c.local.key: round(c.probability, 9) for c in other.candidates
    }


@settings(max_examples=100, deadline=None)
@given(stated=people, roster=rosters, size=sizes, picked=picks)
def test_every_decision_explains_itself(
    stated: PatientIdentity, roster: list[LocalPatient], size: int, picked: Identifier | None
) -> None:
    proposal = propose(stated, roster, IndexStatistics(size), SETTINGS, picked)
    assert proposal.why
    assert recompute(proposal) == tuple(c.probability for c in proposal.candidates)
    assert 0 <= proposal.nobody <= 1
    assert all(0 <= c.probability <= 1 for c in proposal.candidates)


@settings(max_examples=200, deadline=None)
@given(
    name=st.text(max_size=80),
    date=st.text(max_size=12),
    number=st.text(max_size=20),
    sex=st.sampled_from(("M", "F", "O", "")),
)
def test_whatever_a_disc_says_is_decided_without_a_crash(
    name: str, date: str, number: str, sex: str
) -> None:
    """Hostile text has a bounded number of readings and leads to no exception."""
    untrusted_name = PersonName.from_dicom(name)
    stated = PatientIdentity((Identifier(number, number),), (untrusted_name,), date, sex)
    local = LocalPatient("1", replace(stated, identifiers=(Identifier("1", "HOSP"),)))
    proposal = propose(stated, [local], IndexStatistics(1000), SETTINGS)
    assert recompute(proposal) == tuple(c.probability for c in proposal.candidates)
