"""QIDO-RS: asking what an archive holds, over HTTP (PS3.18 10.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx2
from pydicom.datadict import tag_for_keyword

from kiosk.delivery.dicomweb.exchange import client, exchange, name, value
from kiosk.delivery.dimse import PeerProblem
from kiosk.delivery.identity import Match
from kiosk.policy.sections import Destination

_PAGE = 1000
_MAX_PAGES = 1000


def find(
    destination: Destination, study: str, keywords: Sequence[str]
) -> tuple[list[Match], frozenset[str]]:
    """The study's entries with `keywords`, and the UIDs of its instances. Raises PeerProblem."""
    with client(destination) as http:
        query = {"StudyInstanceUID": study, "includefield": ",".join(keywords)}
        studies = [_match(s, keywords) for s in _pages(destination, http, "studies", query)]
        images = _pages(
            destination, http, f"studies/{study}/instances", {"includefield": "SOPInstanceUID"}
        )
        present = [value(image, "00080018") for image in images]
    if not all(isinstance(uid, str) and uid for uid in present):
        raise PeerProblem(f"{name(destination)} lists instances without a UID. See its log.")
    return studies, frozenset(present)


def echo(destination: Destination) -> None:
    """Raises PeerProblem unless QIDO-RS answers there."""
    with client(destination) as http:
        _get(destination, http, "studies", {"limit": "1"})


def _pages(
    destination: Destination, http: httpx2.Client, path: str, query: Mapping[str, str]
) -> Iterator[Any]:
    """Every match, page by page: servers cut long answers (PS3.18 8.3.4.4). One that ignores
    `offset` gives the same page again, which ends it."""
    before: list[Any] = []
    for number in range(_MAX_PAGES):
        paging = {"limit": str(_PAGE), "offset": str(number * _PAGE)}
        page = _get(destination, http, path, {**query, **paging})
        if not page or page == before:
            return
        yield from page
        if len(page) < _PAGE:
            return
        before = page
    raise PeerProblem(f"The answer of {name(destination)} to a query has no end. See its log.")


def _get(
    destination: Destination, http: httpx2.Client, path: str, query: Mapping[str, str]
) -> list[Any]:
    request = http.build_request("GET", path, params=query)
    reply = exchange(destination, http, request, destination.answer_seconds)
    if reply.status == 204 or (reply.status == 404 and path != "studies"):
        return []  # nothing matches; a 404 for `studies` itself is a wrong URL
    if reply.status != 200 or not isinstance(reply.untrusted, list):
        raise PeerProblem(
            f"{name(destination)} answered a query with {reply.status}"
            f"{'' if reply.status != 200 else ' and nothing that can be read'}. "
            "Check url, user name and password.",
            retry=reply.status >= 500,
        )
    return reply.untrusted


def _match(untrusted: Any, keywords: Sequence[str]) -> Match:
    return {keyword: _text(untrusted, keyword) for keyword in keywords}


def _text(untrusted: Any, keyword: str) -> str | None:
    """The attribute's first value as text, a PN as DICOM writes it (PS3.18 F.2)."""
    tag = f"{tag_for_keyword(keyword):08X}"
    if not isinstance(untrusted, dict) or tag not in untrusted:
        return None
    found = value(untrusted, tag)
    if isinstance(found, dict):
        groups = ("Alphabetic", "Ideographic", "Phonetic")
        return "=".join(str(found.get(group, "")) for group in groups).rstrip("=")
    return "" if found is None else str(found)
