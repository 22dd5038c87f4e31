"""What a name, a slip and a birth date are worth, by the counts of the index itself."""

from __future__ import annotations

import pytest

from kiosk.identity import keys_of, name_keys, propose, recompute
from kiosk.model.matching import IndexStatistics, Proposal, Recommendation
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity
from kiosk.model.plain import from_plain, to_plain
from tests.identity.people import BORN, SETTINGS, former, on_disc, registered, why

PICK = Identifier("1", "HOSP")


def index(**counts: int) -> IndexStatistics:
    """100,000 records, and how many of them have these keys: `f_MOREAU=3` is a family name,
    `g_JANE` a given name, `n_JANE_MOREAU` both, `b_19620314` a birth date."""
    named = {k.replace("_", ":", 1).replace("_", "|"): n for k, n in counts.items()}
    return IndexStatistics(100_000, named)


def weight(proposal: Proposal, field: str, place: int = 0) -> float:
    evidence = proposal.candidates[place].comparison.evidence
    return sum(e.weight for e in evidence if e.field == field)


def decided(
    stated: PatientIdentity, statistics: IndexStatistics, *candidates: LocalPatient
) -> Proposal:
    return propose(stated, candidates, statistics, SETTINGS)


def test_a_rare_name_weighs_more_than_a_common_one_though_each_is_borne_once() -> None:
    """Whole names are mostly unique: their parts say how probable a second bearer is."""
    stated, local = on_disc("MOREAU^JANE"), registered("1", "MOREAU^JANE")
    rare = decided(stated, index(f_MOREAU=2, g_JANE=20, n_JANE_MOREAU=1), local)
    common = decided(stated, index(f_MOREAU=900, g_JANE=2_000, n_JANE_MOREAU=1), local)
    gain = sum(weight(rare, f) - weight(common, f) for f in ("family_name", "name"))
    assert gain > 10
    assert rare.candidates[0].probability > common.candidates[0].probability


def test_every_other_bearer_of_the_whole_name_lowers_the_probability() -> None:
    stated, local = on_disc("MOREAU^JANE"), registered("1", "MOREAU^JANE")
    found = [
        decided(stated, index(f_MOREAU=900, g_JANE=2_000, n_JANE_MOREAU=n), local)
        for n in (1, 5, 50, 500)
    ]
    probabilities = [p.candidates[0].probability for p in found]
    assert probabilities == sorted(probabilities, reverse=True)
    assert probabilities[0] > probabilities[-1]
    assert "500 records here share it" in why(found[-1]) or weight(found[-1], "name") < 0


def test_a_slip_makes_a_name_that_nobody_has_and_a_twin_has_a_name_of_its_own() -> None:
    """DARERN is a slip of DARREN; WARREN, born on the same day, may be his brother."""
    statistics = index(f_PETERS=300, g_DARREN=400, g_WARREN=90, g_DARERN=0)
    local = registered("1", "PETERS^DARREN", "20110728")
    slip = decided(on_disc("PETERS^DARERN", "20110728"), statistics, local)
    brother = decided(on_disc("PETERS^WARREN", "20110728"), statistics, local)
    assert slip.recommendation is Recommendation.ACCEPT
    assert brother.recommendation is Recommendation.REVIEW


def test_a_slip_in_the_record_counts_as_one_on_the_disc() -> None:
    statistics = index(f_PETERS=300, g_DARREN=400, g_DARERN=1)
    local = registered("1", "PETERS^DARERN", "20110728")
    proposal = decided(on_disc("PETERS^DARREN", "20110728"), statistics, local)
    assert proposal.recommendation is Recommendation.ACCEPT


def test_a_middle_name_in_use_weighs_by_how_rare_it_is() -> None:
    local = registered("1", "MOREAU^ROBERT^ZEBULON", sex="M")
    stated = on_disc("MOREAU^ZEBULON", sex="M")
    rare = decided(stated, index(f_MOREAU=90, g_ZEBULON=1), local)
    common = decided(stated, index(f_MOREAU=90, g_ZEBULON=3_000), local)
    assert rare.recommendation is Recommendation.ACCEPT
    assert common.recommendation is Recommendation.REVIEW
    assert "rare given name: 1 records here have it" in why(rare)


def test_a_birth_date_that_many_have_weighs_less() -> None:
    """Whatever the local sentinel is: the index's own counts tell."""
    stated, local = on_disc("MOREAU^JANE"), registered("1", "MOREAU^JANE")
    usual = decided(stated, IndexStatistics(100_000, {f"b:{BORN}": 4}), local)
    crowded = decided(stated, IndexStatistics(100_000, {f"b:{BORN}": 900}), local)
    assert weight(usual, "birth_date") - weight(crowded, "birth_date") > 6
    said = {e.field: e.words for e in crowded.candidates[0].comparison.evidence}
    assert said["birth_date"] == "birth date agrees, but 900 records here have it"


def test_first_of_january_of_two_years_is_no_slip_of_one_digit() -> None:
    """It is given to people whose birthday nobody knows."""
    stated = on_disc("MOREAU^JANE", "19880101")
    other = decided(stated, index(), registered("1", "MOREAU^JANE", "19860101"))
    slip = decided(
        on_disc("MOREAU^JANE", "19880102"), index(), registered("1", "MOREAU^JANE", "19860102")
    )
    assert weight(other, "birth_date") < 0 < weight(slip, "birth_date")
    pick = propose(stated, [registered("1", "MOREAU^JANE", "19860101")], index(), SETTINGS, PICK)
    assert why(pick) == "birth dates differ", "the front desk may have picked a namesake"


def test_a_third_family_name_weighs_less_than_a_second_one() -> None:
    """Whose former name is known and who comes with yet another one."""
    once = decided(on_disc("LINDQVIST^JANE^Q"), index(), registered("1", "MOREAU^JANE^Q"))
    known = registered("1", "MOREAU^JANE^Q", former_names=former("GARCIA^JANE"))
    twice = decided(on_disc("LINDQVIST^JANE^Q"), index(), known)
    assert twice.candidates[0].probability < once.candidates[0].probability
    said = [e.words for e in twice.candidates[0].comparison.evidence]
    assert "a former name is known, but not this" in said


def test_a_second_record_of_the_person_makes_the_name_no_more_common() -> None:
    pair = [registered(n, "PLANTIN^CINDY", telephone="7135550101") for n in ("1", "2")]
    statistics = index(f_PLANTIN=2, g_CINDY=90, n_CINDY_PLANTIN=2)
    proposal = decided(on_disc("PLANTIN^CINDY"), statistics, *pair)
    assert proposal.recommendation is Recommendation.ACCEPT
    assert "nobody else here has this name" in why(proposal)


def test_a_rare_name_alone_tells_a_duplicate_and_a_common_one_does_not() -> None:
    """Two records with the same name, birth date and sex, and nothing else in common."""
    pair = [registered(n, "PLANTIN^CINDY") for n in ("1", "2")]
    rare = index(f_PLANTIN=2, g_CINDY=20, n_CINDY_PLANTIN=2)
    assert decided(on_disc("PLANTIN^CINDY"), rare, *pair).recommendation is Recommendation.ACCEPT
    common = index(f_PLANTIN=900, g_CINDY=900, n_CINDY_PLANTIN=20)
    proposal = decided(on_disc("PLANTIN^CINDY"), common, *pair)
    assert "another registered person fits equally well" in why(proposal)


def test_two_of_one_name_who_live_elsewhere_are_two_people() -> None:
    """Twins of one name exist, and a rare name then proves nothing."""
    one = registered("1", "PATTY^GEORGE", address="8573 OWEN AVE", telephone="7134355248")
    other = registered("2", "PATTY^GEORGE", address="3144 AKERS TER", telephone="7134144620")
    rare = index(f_PATTY=2, g_GEORGE=20, n_GEORGE_PATTY=2)
    proposal = decided(on_disc("PATTY^GEORGE"), rare, one, other)
    assert "another registered person fits equally well" in why(proposal)


def test_a_record_of_a_multiple_birth_has_no_duplicate() -> None:
    home = {"address": "12 ELM ST", "telephone": "7135550101"}
    pair = [registered(n, "PLANTIN^CINDY", multiple_birth=True, **home) for n in ("1", "2")]
    rare = index(f_PLANTIN=2, g_CINDY=20, n_CINDY_PLANTIN=2)
    assert "another registered person fits" in why(decided(on_disc("PLANTIN^CINDY"), rare, *pair))


def test_a_birthday_on_1_january_is_worth_the_year() -> None:
    stated, local = on_disc("YUSUF^OMAR", "19760101"), registered("1", "YUSUF^OMAR", "19760101")
    proposal = decided(stated, index(f_YUSUF=400, g_OMAR=200, n_OMAR_YUSUF=30), local)
    assert 5 < weight(proposal, "birth_date") < 6.5
    assert proposal.recommendation is Recommendation.REVIEW


def test_names_that_many_born_on_1_january_share_weigh_what_they_do_among_those() -> None:
    """OMAR YUSUF may be rare in the town and common among those whose birthday nobody knew."""
    stated, local = on_disc("YUSUF^OMAR", "19760101"), registered("1", "YUSUF^OMAR", "19760101")
    town = {"f_YUSUF": 40, "g_OMAR": 90, "n_OMAR_YUSUF": 3}
    rare = decided(stated, index(**town, j_=700, j_YUSUF=1, j_OMAR=1), local)
    shared = decided(stated, index(**town, j_=700, j_YUSUF=35, j_OMAR=50), local)
    assert weight(rare, "new_year") == 0 > weight(shared, "new_year")
    assert shared.recommendation is Recommendation.REVIEW
    said = {e.field: e.words for e in shared.candidates[0].comparison.evidence}
    assert said["new_year"] == "many born on 1 January have these names"
    otherwise = decided(on_disc("YUSUF^OMAR"), index(**town, j_=700), registered("1", "YUSUF^OMAR"))
    assert weight(otherwise, "new_year") == 0


def test_brothers_of_one_name_both_born_on_1_january_are_no_duplicates() -> None:
    home = {"address": "5089 COLBERT RD", "telephone": "7134259589", "sex": "M"}
    pair = [registered(n, "ALI^YUSUF", "20100101", **home) for n in ("1", "2")]
    common = index(f_ALI=300, g_YUSUF=90, n_ALI_YUSUF=6)
    stated = on_disc("ALI^YUSUF", "20100101", "M")
    for pick in (None, PICK):
        proposal = propose(stated, pair, common, SETTINGS, pick)
        assert "another registered person fits equally well" in why(proposal)


def test_relatives_at_one_address_are_no_duplicates() -> None:
    """Sisters of one name, both born on some 1 January."""
    home = {"address": "12 ELM ST"}
    one = registered("1", "LANG^KHADIJA", "20020101", **home)
    other = registered("2", "LANG^KHADIJA", "20040101", **home)
    stated = on_disc("LANG^KHADIJA", "20020101", **home)
    proposal = propose(
        stated, [one, other], index(f_LANG=3, g_KHADIJA=9), SETTINGS, Identifier("2", "HOSP")
    )
    assert proposal.recommendation is Recommendation.REVIEW


@pytest.mark.parametrize(
    ("name", "date", "sex"),
    [
        ("MOREAU^JANE^Q", BORN, "F"),
        ("MOREAU^JNAE", BORN, "F"),
        ("MORAEU^JANE", BORN, ""),
        ("MOREAU^QUEENIE", BORN, "F"),
        ("MOREAU^QUEENIE^J", BORN, "F"),
        ("LINDQVIST^JANE", BORN, "F"),
        ("MOREAU^BABYGIRL", BORN, "F"),
        ("MOREAU^JANE", "", "M"),
        ("JANE Q MOREAU", "19630314", "F"),
    ],
)
@pytest.mark.parametrize("picked", [None, PICK])
def test_evidence_by_the_index_is_said_and_recomputes_from_the_stored_record(
    name: str, date: str, sex: str, picked: Identifier | None
) -> None:
    """Counts go into the evidence: a decision is replayed without the index it was made with."""
    contact = {"telephone": "7135550101"}
    records = [
        registered("1", "MOREAU^JANE^Q", former_names=former("GARCIA^JANE"), **contact),
        registered("2", "MOREAU^JANE^QUEENIE", **contact),
        registered("3", "MOREAU^JAYNE", sex="M"),
    ]
    counts = dict.fromkeys(name_keys(on_disc(name, date)) | keys_of(records[0]), 3)
    stated = on_disc(name, date, sex)
    proposal = propose(stated, records, IndexStatistics(100_000, counts), SETTINGS, picked)
    stored = from_plain(Proposal, to_plain(proposal))
    assert recompute(stored) == tuple(c.probability for c in proposal.candidates)
    for candidate in proposal.candidates:
        assert all(e.words for e in candidate.comparison.evidence if e.weight)
