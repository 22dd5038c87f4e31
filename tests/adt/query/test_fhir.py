"""A FHIR server is asked over real HTTP and HTTPS (PDQm): bounded, typed, and no more than
candidates."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.adt import SourceProblem, ask, reach
from kiosk.adt.query import fhir
from kiosk.model.patient import PatientIdentity, PersonName
from kiosk.policy.sections import Tls
from kiosk.policy.sources import Source
from tests.peers.certificates import Authority
from tests.peers.web import Handler, web

JANE = PatientIdentity(names=(PersonName("DOE", "JANE", "Q"),), birth_date="19620314", sex="F")
OURS = "https://hospital.example/mrn"
US = ("KIOSK", "HOSP")


def patient(number: str, given: str = "Jane", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [
            {"system": "urn:oid:1.2.3", "value": "R1"},
            {"system": OURS, "value": number},
        ],
        "name": [
            {"use": "maiden", "family": "Smith", "given": ["Jane"]},
            {"use": "official", "family": "Doe", "given": [given, "Q", "R"], "suffix": ["Jr"]},
        ],
        "birthDate": "1962-03-14",
        "gender": "female",
        "telecom": [{"system": "phone", "value": "555-0100"}],
        "address": [{"line": ["1 Mill Lane"], "city": "Springfield"}],
        **more,
    }


def bundle(*patients: dict[str, Any], grade: str = "probable") -> dict[str, Any]:
    extension = {
        "url": "http://hl7.org/fhir/StructureDefinition/match-grade",
        "valueCode": grade,
    }
    search = {"score": 0.9, "extension": [extension]}
    entries = [{"resource": each, "search": search} for each in patients]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


def saying(body: Any, status: int = 200) -> Callable[[Handler], None]:
    return lambda handler: handler.answer_json(status, body)


def source(url: str, **more: object) -> Source:
    return Source(name="MPI", kind="fhir", url=url, system=OURS, **{"seconds": 5.0, **more})


def problem(respond: Callable[[Handler], None], **more: object) -> str:
    with web(respond) as server, pytest.raises(SourceProblem) as caught:
        ask(source(server.url, **more), JANE, US, "HOSP")
    return str(caught.value)


def test_match_is_asked_with_the_stated_patient() -> None:
    """ITI-119: Parameters with the patient, how many, and that the uncertain are wanted too."""
    with web(saying(bundle())) as server:
        ask(source(server.url, most=7), JANE, US, "HOSP")
    ((method, path, body),) = server.requests
    assert (method, path) == ("POST", "/dicom-web/Patient/$match")
    sent = {p["name"]: p for p in json.loads(body)["parameter"]}
    assert sent["resource"]["resource"] == {
        "resourceType": "Patient",
        "name": [{"family": "DOE", "given": ["JANE", "Q"]}],
        "birthDate": "1962-03-14",
        "gender": "female",
    }
    assert sent["count"]["valueInteger"] == 7
    assert sent["onlyCertainMatches"]["valueBoolean"] is False


def test_search_is_asked_for_family_name_and_birth_date() -> None:
    """ITI-78, for servers that do not know `$match`."""
    with web(saying(bundle(patient("0012")))) as server:
        (found,) = ask(source(server.url, operation="search"), JANE, US, "HOSP")
    ((method, path, _),) = server.requests
    assert (method, urlsplit(path).path) == ("GET", "/dicom-web/Patient")
    assert parse_qs(urlsplit(path).query) == {
        "family": ["DOE"],
        "birthdate": ["1962-03-14"],
        "_count": ["20"],
    }
    assert found.key == "?0012^HOSP"


def test_a_patient_is_read_by_the_types_of_its_elements() -> None:
    """The official name is the current one, the number in our system the first."""
    with web(saying(bundle(patient("0012")))) as server:
        (found,) = ask(source(server.url), JANE, US, "HOSP")
    who = found.identity
    assert [(i.value, i.issuer, i.universal_id) for i in who.identifiers] == [
        ("0012", "HOSP", ""),
        ("R1", "", "1.2.3"),
    ]
    assert who.name == PersonName("Doe", "Jane", "Q R", "", "Jr")
    assert [n.family for n in found.former_names] == ["Smith"]
    assert (who.birth_date, who.sex) == ("19620314", "F")
    assert (who.address, who.telephone) == ("1 Mill Lane, Springfield", "555-0100")
    assert found.source == "MPI"


@pytest.mark.parametrize(
    "one",
    [
        bundle(patient("1", active=False)),
        bundle(patient("1", link=[{"type": "replaced-by", "other": {}}])),
        bundle(patient("1"), grade="certainly-not"),
        bundle(patient("1", identifier=[{"value": "1"}])),
        bundle(patient("1", identifier=[{"system": "urn:oid:9.9", "value": "1"}])),
        bundle(patient("1", name=[])),
        bundle({"resourceType": "OperationOutcome"}),
    ],
)
def test_who_is_out_of_use_or_has_no_number_of_ours_is_no_candidate(one: dict[str, Any]) -> None:
    with web(saying(one)) as server:
        assert ask(source(server.url), JANE, US, "HOSP") == ()


def test_a_hundred_thousand_patients_are_cut_off() -> None:
    many = [patient(str(n)) for n in range(300)]
    with web(saying(bundle(*many))) as server:
        assert len(ask(source(server.url, most=20), JANE, US, "HOSP")) == 20
    text = json.dumps(bundle(many[0])["entry"][0])
    whole = f'{{"resourceType": "Bundle", "entry": [{",".join([text] * 100_000)}]}}'.encode()
    assert "no end" in problem(lambda handler: handler.answer(200, whole))


def test_a_server_that_stalls_is_given_up_in_time() -> None:
    """Before the first byte, and byte by byte."""

    def stall(handler: Handler) -> None:
        handler.web.over.wait(10)

    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not handler.web.over.wait(0.05):
            handler.wfile.write(b" ")

    for respond in (stall, drip):
        assert "did not answer within 0.5 s" in problem(respond, seconds=0.5)


def test_what_is_no_answer_is_a_problem_in_words() -> None:
    def elsewhere(handler: Handler) -> None:
        handler.answer(302, Location="http://127.0.0.1:1/")

    assert "HTTP status 302" in problem(elsewhere)
    assert "HTTP status 500" in problem(saying({}, 500))
    assert "no FHIR bundle" in problem(saying([1]))
    assert "no FHIR bundle" in problem(lambda handler: handler.answer(200, b"<html>DOE"))
    with pytest.raises(SourceProblem, match="cannot be asked"):
        ask(source("http://127.0.0.1:1/fhir"), JANE, US, "HOSP")
    with pytest.raises(SourceProblem, match="over https only"):
        ask(source("http://192.0.2.1/fhir"), JANE, US, "HOSP")


@pytest.mark.peer("openssl")
def test_over_tls_the_server_is_known_and_gets_the_token(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    seen: list[str] = []

    def respond(handler: Handler) -> None:
        seen.append(handler.headers["Authorization"])
        handler.answer_json(200, bundle(patient("0012")))

    with web(respond, authority.issue("mpi")) as server:
        trusted = source(server.url, tls=Tls(ca=authority.ca), token_file=token)
        assert len(ask(trusted, JANE, US, "HOSP")) == 1
        assert reach(trusted) == ""
        with pytest.raises(SourceProblem, match="certificate is not trusted"):
            ask(source(server.url, tls=Tls(ca=stranger.ca)), JANE, US, "HOSP")
    assert seen == ["Bearer s3cret"] * 2


def test_a_token_is_never_sent_in_the_clear(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="over https only"):
        source("http://127.0.0.1:1/fhir", token_file=tmp_path / "token")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["identifier", "name", "given", "family", "system", "value", "link", "type", "line"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=30)
@given(JSON, JSON)
def test_hostile_resources_are_candidates_of_ours_or_nobody(search: Any, inside: Any) -> None:
    """Every element of another type than the profile says."""
    resource = inside if isinstance(inside, dict) else {"name": inside, "identifier": inside}
    entry = {"resource": {**resource, "resourceType": "Patient"}, "search": search}
    found = fhir.patients(
        source("http://127.0.0.1:1/"), {"resourceType": "Bundle", "entry": [entry, inside]}, "HOSP"
    )
    assert all(p.identity.identifier.issuer == "HOSP" for p in found)


def paged(handler: Handler) -> None:
    """Two patients a page; the third page is the last."""
    page = int(parse_qs(urlsplit(handler.path).query).get("page", ["1"])[0])
    made = bundle(patient(f"{page}A"), patient(f"{page}B"))
    on = {"relation": "next", "url": f"{handler.web.url}?page={page + 1}"}
    handler.answer_json(200, {**made, "link": [{"relation": "self", "url": "x"}, on][: 4 - page]})


def test_the_pages_of_a_search_are_read_to_the_end() -> None:
    with web(paged) as server:
        found = ask(source(server.url, operation="search"), JANE, US, "HOSP")
        assert [p.key for p in found] == [
            f"?{n}^HOSP" for n in ("1A", "1B", "2A", "2B", "3A", "3B")
        ]
        assert len(ask(source(server.url, operation="search", most=3), JANE, US, "HOSP")) == 3


@pytest.mark.parametrize(
    "url", ["https://elsewhere.example/Patient", "//elsewhere/x", "http://[", 7]
)
def test_a_next_page_on_another_server_is_not_gone_to(url: object) -> None:
    """The token would go with it."""
    here = source("https://mpi.example/fhir")
    assert fhir.next_page(here, {"link": [{"relation": "next", "url": url}]}) == ""
    assert fhir.next_page(here, {"link": [{"relation": "next", "url": "?p=2"}]}).endswith("/?p=2")
