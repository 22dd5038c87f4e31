"""Other registers in `kiosk.toml`: what cannot work is said before anybody is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.policy import ConfigError, load

PDQ = '[[source]]\nname = "MPI"\nkind = "pdq"\nport = 3600\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "kiosk.toml"
    path.write_text(text)
    return path


def test_nobody_is_asked_unless_the_site_says_so() -> None:
    assert load(None).source == ()


def test_sources_are_asked_by_name(tmp_path: Path) -> None:
    (mpi,) = load(write(tmp_path, PDQ)).source
    assert (mpi.name, mpi.kind, mpi.seconds, mpi.most) == ("MPI", "pdq", 5.0, 20)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PDQ + PDQ, "two sources have the same name"),
        ('[[source]]\nname = "F"\nkind = "fhir"\n', "a FHIR source needs its url"),
        (PDQ + "seconds = 0\n", "greater than 0"),
        (PDQ + "most = 5000\n", "less than or equal to 100"),
        (PDQ.replace("pdq", "xml"), "'pdq', 'fhir' or 'worklist'"),
        (PDQ + "porf = 1\n", "is not a known key"),
        (
            '[[source]]\nname = "F"\nkind = "fhir"\nurl = "http://f/"\ntoken_file = "t"\n',
            "a token is sent over https only",
        ),
    ],
)
def test_what_cannot_work_is_said_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=r"kiosk\.toml:\d+: ") as caught:
        load(write(tmp_path, text))
    assert says in str(caught.value)
