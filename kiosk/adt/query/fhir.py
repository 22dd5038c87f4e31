"""Patient Demographics Query for Mobile over FHIR R4, without I/O (IHE PDQm 3.2: ITI-119 `$match`,
ITI-78 search)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import urljoin, urlsplit

from kiosk.adt.query.exchange import SourceProblem, where
from kiosk.adt.query.naming import named
from kiosk.adt.query.pdq import asked_name
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity, PersonName
from kiosk.policy.sources import Source

HEADERS = {"Content-Type": "application/fhir+json"}

_GENDER = {"M": "male", "F": "female", "O": "other"}
_SEX = {name: code for code, name in _GENDER.items()}
_FORMER = ("old", "maiden", "nickname", "anonymous")
_MATCH_GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
_OID = "urn:oid:"
_LONGEST_URL = 4096


def parameters(source: Source, stated: PatientIdentity) -> dict[str, Any]:
    """The body of `$match`: the stated patient as far as it is known."""
    name = stated.name
    family, given = asked_name(stated)
    forenames = [text for text in (given, name.middle) if text]
    patient: dict[str, Any] = {"resourceType": "Patient"}
    patient["name"] = [{"family": family, **({"given": forenames} if forenames else {})}]
    if born := _dashed(stated.birth_date):
        patient["birthDate"] = born
    if stated.sex in _GENDER:
        patient["gender"] = _GENDER[stated.sex]
    return {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "resource", "resource": patient},
            {"name": "count", "valueInteger": source.most},
            {"name": "onlyCertainMatches", "valueBoolean": False},
        ],
    }


def search(source: Source, stated: PatientIdentity) -> dict[str, str]:
    """The search parameters: family name with the birth date, else with the given name."""
    family, given = asked_name(stated)
    query = {"family": family, "_count": str(source.most)}
    if born := _dashed(stated.birth_date):
        query["birthdate"] = born
    elif given:
        query["given"] = given
    return query


def _dashed(da: str) -> str:
    return f"{da[:4]}-{da[4:6]}-{da[6:]}" if len(da) == 8 and da.isdecimal() else ""


def patients(source: Source, untrusted_bundle: Any, issuer: str) -> tuple[LocalPatient, ...]:
    """Those that the bundle names. Its own grades are no evidence here: who is certainly not the
    one is left out, the rest the matcher weighs. Raises SourceProblem for what is no bundle."""
    if not isinstance(untrusted_bundle, dict) or untrusted_bundle.get("resourceType") != "Bundle":
        raise SourceProblem(f"{where(source)}: its answer is no FHIR bundle.")
    found: dict[str, LocalPatient] = {}
    for entry in _dicts(untrusted_bundle.get("entry")):
        resource = entry.get("resource")
        if not isinstance(resource, dict) or len(found) >= source.most:
            continue
        if _is_candidate(entry, resource):
            local = _local(source, resource, issuer)
            if local is not None:
                found.setdefault(local.key, local)
    return tuple(found.values())


def next_page(source: Source, untrusted_bundle: dict[str, Any]) -> str:
    """The address of the page after this one (FHIR R4 3.1.1.4.4), "" at the end; another server's
    is not gone to."""
    links = [
        link for link in _dicts(untrusted_bundle.get("link")) if link.get("relation") == "next"
    ]
    said = next((link["url"] for link in links if isinstance(link.get("url"), str)), "")
    try:
        url = urljoin(source.url.rstrip("/") + "/", said)
        there, here = urlsplit(url), urlsplit(source.url)
        same = (there.scheme, there.netloc) == (here.scheme, here.netloc)
    except ValueError:
        return ""
    return url if said and same and len(url) <= _LONGEST_URL else ""


def _is_candidate(entry: dict[str, Any], resource: dict[str, Any]) -> bool:
    """A patient in use, not replaced by another, and not graded `certainly-not`."""
    replaced = any(link.get("type") == "replaced-by" for link in _dicts(resource.get("link")))
    scored = entry.get("search")
    extensions = _dicts(scored.get("extension")) if isinstance(scored, dict) else ()
    grades = [e.get("valueCode") for e in extensions if e.get("url") == _MATCH_GRADE]
    used = resource.get("resourceType") == "Patient" and resource.get("active") is not False
    return used and not replaced and "certainly-not" not in grades


def _local(source: Source, resource: dict[str, Any], issuer: str) -> LocalPatient | None:
    names = [(_name(n), n.get("use")) for n in _dicts(resource.get("name"))]
    current = [n for n, use in names if n and use not in _FORMER]
    former = tuple(n for n, use in names if n and use in _FORMER)
    identity = PatientIdentity(
        tuple(_identifiers(source, resource, issuer)),
        tuple(current[:1]),
        _birth_date(_text(resource, "birthDate")),
        _SEX.get(_text(resource, "gender"), ""),
        _address(resource),
        next((_text(t, "value") for t in _dicts(resource.get("telecom"))), ""),
    )
    deceased = resource.get("deceasedBoolean") is True or "deceasedDateTime" in resource
    return named(source, identity, issuer, (*current[1:], *former), deceased)


def _identifiers(source: Source, resource: dict[str, Any], issuer: str) -> Iterator[Identifier]:
    for each in _dicts(resource.get("identifier")):
        system, value = _text(each, "system"), _text(each, "value")
        if source.system and system == source.system:
            yield Identifier(value, issuer)
        elif system.startswith(_OID):
            yield Identifier(value, "", "", system.removeprefix(_OID), "ISO")
        else:
            yield Identifier(value, system or source.authority)


def _name(untrusted: dict[str, Any]) -> PersonName:
    given, prefix, suffix = (_texts(untrusted.get(key)) for key in ("given", "prefix", "suffix"))
    return PersonName(
        _text(untrusted, "family"), given[0], " ".join(given[1:]).strip(), prefix[0], suffix[0]
    )


def _birth_date(text: str) -> str:
    try:
        return date.fromisoformat(text).strftime("%Y%m%d") if len(text) == 10 else ""
    except ValueError:
        return ""


def _address(resource: dict[str, Any]) -> str:
    for each in _dicts(resource.get("address")):
        parts = [*_texts(each.get("line")), _text(each, "city"), _text(each, "postalCode")]
        if text := ", ".join(part for part in parts if part) or _text(each, "text"):
            return text[:250]
    return ""


def _dicts(untrusted: Any) -> tuple[dict[str, Any], ...]:
    """The objects of a list that may be anything, the first hundred or so."""
    items = untrusted[:200] if isinstance(untrusted, list) else ()
    return tuple(item for item in items if isinstance(item, dict))


def _text(untrusted: dict[str, Any], key: str) -> str:
    return _texts([untrusted.get(key)])[0]


def _texts(untrusted: Any) -> list[str]:
    """The texts of a list that may be anything, clipped and printable; "" when it has none."""
    found = (
        [x[:250] for x in untrusted[:20] if isinstance(x, str)]
        if isinstance(untrusted, list)
        else []
    )
    return ["".join(c for c in text if c.isprintable()).strip() for text in found] or [""]
