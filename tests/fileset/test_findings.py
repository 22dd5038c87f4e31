"""Every finding says what happened, what it means for the scans, and what to do about it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import kiosk
from kiosk.fileset.findings import TO_DO, Findings
from kiosk.media import refusals
from kiosk.model.content import Severity

ROOT = Path(kiosk.__file__).parent
TO_DO_IN_WORDS = re.compile(
    r"\b(ask|bring|check|clean|close|compare|copy|do the same|download|fetch|give|insert|look|open"
    r"|make room|put|raise|read (it|the|them)|send|start|take|tell|try|unpack|wait)\b"
    r"|nothing needs to be done|no scan is lost|nothing is (missing|lost)|where it lies|as usual",
    re.IGNORECASE,
)


def modules() -> list[Path]:
    rooms = ("media", "sandbox", "engine", "inbound", "fileset")
    return [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]


def text_of(node: ast.AST | None, names: dict[str, ast.AST]) -> str | None:
    """What a message says, figures left out; None where only running the program tells."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part, names) or "N" for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return text_of(node.value, names) or "N"
    if isinstance(node, ast.Name):
        found = names.get(node.id)
        return None if found is None else text_of(found, {**names, node.id: ast.Constant("")})
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return text_of(node.func.value, names)
    if isinstance(node, ast.BinOp):
        both = text_of(node.left, names), text_of(node.right, names)
        return None if None in both else "".join(t for t in both if t)
    return None


def said(path: Path) -> Iterator[tuple[int, str]]:
    """The sentences of the findings and refusals that a module makes, with their lines."""
    tree = ast.parse(path.read_text())
    names = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        name = getattr(getattr(node, "func", None), "id", "")
        if not isinstance(node, ast.Call) or name not in ("Finding", "MediaError"):
            continue
        place = 3 if name == "Finding" else 1
        named = [k.value for k in node.keywords if k.arg == "detail"]
        detail = named[0] if named else node.args[place] if len(node.args) > place else None
        text = text_of(detail, names)
        if text:
            yield node.lineno, text


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_finding_has_what_it_means_and_what_to_do(path: Path) -> None:
    for line, text in said(path):
        if path.parent.name == "fileset":
            continue  # they are put together in Findings.add, and looked at below
        sentences = re.findall(r"[.:;?!](?:\s|$)", text)
        assert len(sentences) >= 2, f"{path.name}:{line} says too little: {text}"
        assert TO_DO_IN_WORDS.search(text), f"{path.name}:{line} does not say what to do: {text}"


def test_the_findings_of_reading_are_found_by_this_test() -> None:
    """It would say nothing if it found none."""
    assert sum(len(list(said(path))) for path in modules()) > 25


def test_what_lies_in_tables_says_it_too() -> None:
    for _, _, detail in refusals._KINDS.values():
        assert TO_DO_IN_WORDS.search(detail), detail
    for code, sentence in TO_DO.items():
        assert TO_DO_IN_WORDS.search(sentence), code


def test_every_code_of_the_catalog_has_its_sentence_and_no_other_has() -> None:
    """`add`, `flaw`, `_hold` and `_say` are the only ways in."""
    used: set[str] = set()
    for path in (ROOT / "fileset").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            place = {"add": 0, "flaw": 0, "_hold": 1, "_say": 1, "Finding": 0}.get(name)
            if place is not None and len(node.args) > place:
                code = node.args[place]
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    used.add(code.value)
    assert used == set(TO_DO)


def test_what_is_only_counted_says_what_to_do_as_well() -> None:
    findings = Findings()
    for number in range(25):
        findings.add("not-importable", Severity.INFO, f"F{number}", "Neither.")
    assert findings.all()[-1].detail == (
        "5 more files like these, which are not named. It is left out. Nothing needs to be done."
    )
