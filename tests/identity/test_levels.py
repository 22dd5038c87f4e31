"""Each level of comparison, with the pair of names or dates that shows it."""

from __future__ import annotations

import pytest

from kiosk.identity.likeness import date_level
from kiosk.model.patient import Identifier
from tests.identity.people import former, identified, levels, on_disc, registered

FAMILY = [
    ("exact", "GARCÍA LÓPEZ^ANA", "GARCIA-LOPEZ^ANA"),
    ("exact", "DE LA CRUZ^ANA", "DELACRUZ^ANA"),
    ("exact", "VAN DER BERG^ANA", "BERG^ANA"),
    ("exact", "O'BRIEN^ANA", "OBRIEN^ANA"),
    ("exact", "SMITHJONES^ANA", "SMITH-JONES^ANA"),
    ("exact", "LOPEZ GARCIA^ANA", "GARCIA LOPEZ^ANA"),
    ("gendered", "IVANOVA^ANA", "IVANOV^ANA"),
    ("part", "GARCIA^ANA", "GARCIA LOPEZ^ANA"),
    ("part", "MARTINEZ RODRIGUEZ^ANA", "MARTINEZ^ANA"),
    ("different", "JOHNS^ANA", "JOHANNESSEN^ANA"),
    ("truncated", "HERNANDEZSANCHEZ^ANA", "HERNANDEZ^ANA"),
    ("truncated", "VIALL^ANA", "SCHELLINGVIALL^ANA"),
    ("one-of-two", "GARCIA RUIZ^ANA", "GARCIA LOPEZ^ANA"),
    ("one-edit", "MARTINES^ANA", "MARTINEZ^ANA"),
    ("sounds-alike", "SCHMIDT^ANA", "SHMITT^ANA"),
    ("truncated", "WOLFES^ANA", "WOLFESCHLEGELSTEIN^ANA"),
    ("different", "GARCIA^ANA", "WILLIAMS^ANA"),
]
GIVEN = [
    ("exact", "GARCIA^MARY ANN", "GARCIA^MARYANN"),
    ("nickname", "GARCIA^BILL", "GARCIA^WILLIAM"),
    ("nickname", "GARCIA^BOB", "GARCIA^BOBBY"),
    ("nickname", "GARCIA^CHRISSY", "GARCIA^CHRIS"),
    ("nickname", "GARCIA^NAN", "GARCIA^ANNA"),
    ("nickname", "GARCIA^MOHAMED", "GARCIA^MUHAMMAD"),
    ("different", "GARCIA^NELLIE", "GARCIA^NORAH"),
    ("short-form", "GARCIA^SEBBY", "GARCIA^SEBASTIANO"),
    ("one-edit", "GARCIA^JAMSE", "GARCIA^JAMES"),
    ("sounds-alike", "GARCIA^SHAWNDRA", "GARCIA^SHONDRAH"),
    ("initial", "GARCIA^J", "GARCIA^JAMES"),
    ("uses-middle", "GARCIA^PAUL^R", "GARCIA^ROBERT^PAUL"),
    ("crossed-initials", "GARCIA^PAUL^R", "GARCIA^ROBERT^P"),
    ("different", "GARCIA^PAUL^R", "GARCIA^ROBERT^K"),
    ("one-edit", "GARCIA^ARC", "GARCIA^MARC"),
    ("different", "GARCIA^PAUL^R", "GARCIA^KEVIN^PAUL"),
    ("different", "GARCIA^PAUL", "GARCIA^KEVIN"),
    ("different", "GARCIA^GRACIE", "GARCIA^KIYAH^GRACE"),
    ("newborn", "GARCIA^BABYBOY", "GARCIA^KEVIN"),
    ("missing", "GARCIA", "GARCIA^KEVIN"),
]
MIDDLE = [
    ("exact", "GARCIA^PAUL^RAY", "GARCIA^PAUL^RAY"),
    ("initial", "GARCIA^PAUL^R", "GARCIA^PAUL^RAY"),
    ("similar", "GARCIA^PAUL^BILL", "GARCIA^PAUL^WILLIAM"),
    ("conflict", "GARCIA^PAUL^K", "GARCIA^PAUL^RAY"),
    ("missing", "GARCIA^PAUL", "GARCIA^PAUL^RAY"),
]
DATES = [
    ("exact", "19620314", "19620314"),
    ("day-month-swapped", "19620403", "19620304"),
    ("one-digit", "19620314", "19620319"),
    ("transposed", "19620313", "19620331"),
    ("year-off", "19990314", "20000314"),
    ("decade-off", "19620314", "19920314"),
    ("two-parts", "19620314", "19910314"),
    ("rounded", "19620314", "19620101"),
    ("rounded", "19620701", "19620314"),
    ("rounded", "19620314", "19620301"),
    ("same-year", "19620314", "19620501"),
    ("two-parts", "19620314", "19620329"),
    ("same-year", "19620314", "19621129"),
    ("different", "19620314", "19710922"),
    ("missing", "", "19620314"),
]


@pytest.mark.parametrize(("level", "disc", "local"), FAMILY)
def test_family_names_are_compared_by_level(level: str, disc: str, local: str) -> None:
    assert levels(identified(on_disc(disc), registered("1", local)))["family"] == level


@pytest.mark.parametrize(("level", "disc", "local"), GIVEN)
def test_given_names_are_compared_by_level(level: str, disc: str, local: str) -> None:
    assert levels(identified(on_disc(disc), registered("1", local)))["given"] == level


@pytest.mark.parametrize(("level", "disc", "local"), MIDDLE)
def test_middle_names_are_compared_by_level(level: str, disc: str, local: str) -> None:
    assert levels(identified(on_disc(disc), registered("1", local)))["middle"] == level


@pytest.mark.parametrize(("level", "one", "other"), DATES)
def test_birth_dates_are_compared_by_level(level: str, one: str, other: str) -> None:
    """More than a decade apart is no slip, but a father and his son, unless they share a birthday;
    a date may say no more than its year or its month."""
    assert date_level(one, other) == date_level(other, one) == level


def test_better_levels_weigh_more() -> None:
    """For every field the ranking of levels is the ranking of their weights."""
    for table in (FAMILY, GIVEN[:2] + GIVEN[5:7], MIDDLE):
        weights = [
            identified(on_disc(disc), registered("1", local)).candidates[0].comparison.weight
            for _, disc, local in table
        ]
        assert weights[0] == max(weights)


def test_a_lone_letter_of_an_unseparated_name_is_a_middle_initial() -> None:
    """CHARLES C LAPHAM is no Mr. Charles-Lapham whose given name begins with C."""
    found = levels(identified(on_disc("CHARLES C LAPHAM"), registered("1", "LAPHAM^CHRIS^J")))
    assert (found["family"], found["given"]) == ("exact", "different")


def test_a_swapped_name_costs_once_and_is_said() -> None:
    found = levels(identified(on_disc("NAM^TRAN"), registered("1", "TRAN^NAM")))
    assert (found["family"], found["given"], found["order"]) == ("exact", "exact", "swapped")


def test_missing_fields_weigh_nothing() -> None:
    proposal = identified(on_disc("GARCIA^ANA", "", ""), registered("1", "GARCIA^ANA"))
    missing = [e for e in proposal.candidates[0].comparison.evidence if e.level == "missing"]
    assert {e.field for e in missing} >= {"birth_date", "sex", "middle", "address"}
    assert all(e.weight == 0 for e in missing)


def test_default_birth_dates_count_as_missing() -> None:
    for text in ("19000101", "18000101", "18581117", "11111111", "19621341", "unknown"):
        found = levels(identified(on_disc("GARCIA^ANA", text), registered("1", "GARCIA^ANA")))
        assert found["birth_date"] == "missing"


def test_names_in_their_own_characters_are_compared() -> None:
    """Ideographic groups agree though one side has no alphabetic one (PS3.5 6.2.1.2)."""
    local = registered("1", "Yamada^Tarou=山田^太郎=やまだ^たろう")
    assert levels(identified(on_disc("山田^太郎"), local))["name"] == "ideographic"
    assert levels(identified(on_disc("=山田^太郎"), local))["name"] == "ideographic"
    assert levels(identified(on_disc("YAMADA^TAROU"), local))["family"] == "exact"


@pytest.mark.parametrize(
    ("stated", "local", "same"),
    [
        ("김^희호", "Gim^Hyi-Ho=金^희호=김^희호", False),  # Hanja is another spelling
        ("=김^희호", "Gim^Hyi-Ho=김^희호", True),
        ("ヤマダ^タロウ", "やまだ^たろう", True),  # the two kana are one
        ("王^小明", "Wang^Xiaoming=王小明", True),
        ("王^明", "Wang^Fang=王^芳", False),
    ],
)
def test_characters_agree_or_not(stated: str, local: str, same: bool) -> None:
    """PS3.5 annexes H and I: the second group as the alphabetic one, divided or not."""
    found = levels(identified(on_disc(stated), registered("1", local)))
    assert (found.get("name") == "ideographic") is same


def test_a_spanish_double_name_is_recognised_by_either_half_and_in_either_order() -> None:
    """The paternal name alone, the maternal one alone, both exchanged, a new second name."""
    expected = {
        "GARCIA": "part",
        "LOPEZ": "part",
        "LOPEZ GARCIA": "exact",
        "GARCIA-LOPEZ": "exact",
        "GARCIA RUIZ": "one-of-two",
        "RUIZ": "different",
    }
    for family, level in expected.items():
        local = registered("1", "GARCIA LOPEZ^ANA")
        assert levels(identified(on_disc(f"{family}^ANA"), local))["family"] == level, family


def test_a_name_in_another_script_is_missing_not_different() -> None:
    found = levels(identified(on_disc("محمد^علي"), registered("1", "ALI^MOHAMED")))
    assert found["family"] == "missing"


def test_arabic_spellings_of_one_name_agree() -> None:
    """Hamza, taa marbuta and vowel marks are written or left out at will."""
    found = levels(identified(on_disc("أحمد^فاطمة"), registered("1", "احمد^فاطِمه")))
    assert (found["family"], found["given"]) == ("exact", "exact")


def test_a_single_name_agrees_with_the_same_single_name() -> None:
    proposal = identified(on_disc("SUHARTO"), registered("1", "SUHARTO"))
    assert levels(proposal)["family"] == "exact"
    assert proposal.candidates[0].comparison.capped_by == ""


def test_a_patronymic_is_a_middle_name() -> None:
    found = levels(identified(on_disc("IVANOV^IVAN"), registered("1", "IVANOV^IVAN^PETROVICH")))
    assert (found["given"], found["middle"]) == ("exact", "missing")


def test_an_alias_of_the_record_is_compared_like_its_name() -> None:
    local = registered("1", "MOREAU^ANA", former_names=former("GARCIA^ANA"))
    found = levels(identified(on_disc("GARCIA^ANA"), local))
    assert (found["family"], found["former"]) == ("exact", "former")


@pytest.mark.parametrize(
    ("level", "stated"),
    [
        ("ours", Identifier("0001", "hosp")),
        ("ours", Identifier("1", "HOSP&1.2.3&ISO")),
        ("contradicts", Identifier("2", "HOSP")),
        ("number-only", Identifier("1")),
        ("missing", Identifier("1", "ELSEWHERE")),
        ("missing", Identifier("7")),
    ],
)
def test_identifiers_are_compared_with_their_issuer(level: str, stated: Identifier) -> None:
    proposal = identified(
        on_disc("GARCIA^ANA", identifiers=(stated,)), registered("1", "GARCIA^ANA")
    )
    assert levels(proposal)["identifier"] == level
