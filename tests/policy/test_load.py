"""A configuration is used whole or not at all, and its errors name file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.policy import ConfigError, Policy, load

GOOD = """\
[site]
name = "City Hospital"
ae_title = "KIOSK"

[identity]
local_issuer = "HOSP"

[[destination]]
name = "PACS"
port = 104

[[destination]]
name = "VNA"
port = 105
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "kiosk.toml"
    path.write_text(text)
    return path


def test_a_file_is_read_into_one_frozen_policy(tmp_path: Path) -> None:
    policy = load(write(tmp_path, GOOD))
    assert [d.name for d in policy.destination] == ["PACS", "VNA"]
    assert policy.destination_named("VNA").port == 105
    assert policy.destination_named("NONE") is None


def test_without_a_file_the_defaults_hold() -> None:
    assert load(None) == Policy()


def test_the_hash_changes_with_every_value(tmp_path: Path) -> None:
    before = load(write(tmp_path, GOOD)).hash
    assert load(write(tmp_path, GOOD)).hash == before
    assert load(write(tmp_path, GOOD.replace("105", "106"))).hash != before


@pytest.mark.parametrize(
    ("wrong", "line", "key"),
    [
        (GOOD.replace("ae_title", "aetitle"), 3, "site.aetitle"),
        (GOOD.replace("port = 105", "port = 0"), 14, "destination.1.port"),
        (GOOD.replace('name = "VNA"', ""), 12, "destination.1.name"),
        (GOOD + "\n[unknown]\nx = 1\n", 16, "unknown"),
        (GOOD.replace('"VNA"', '"a b"'), 13, "destination.1.name"),
        (GOOD.replace("ae_title = ", 'ae_title = "FAR-TOO-LONG-FOR-AN-AE-TITLE" #'), 3, "site.ae"),
    ],
)
def test_an_error_names_file_line_and_key(tmp_path: Path, wrong: str, line: int, key: str) -> None:
    path = write(tmp_path, wrong)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:{line}: {key}")


def test_two_destinations_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="same name"):
        load(write(tmp_path, GOOD.replace("VNA", "PACS")))


@pytest.mark.parametrize("text", ["[site\nname = 1", "[site]\nname = 'x'\nname = 'y'\n"])
def test_what_is_no_toml_is_refused_with_the_place(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"not valid TOML.*line \d"):
        load(write(tmp_path, text))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "url", ["postgresql://kiosk:hush@db/kiosk", "postgresql://db/kiosk?password=hush"]
)
def test_a_password_in_the_databases_address_is_refused_and_not_repeated(
    tmp_path: Path, url: str
) -> None:
    path = write(tmp_path, f'[site]\nname = "X"\n[database]\nurl = "{url}"\n')
    with pytest.raises(ConfigError, match=r":4: database\.url: .*password_file") as refused:
        load(path)
    assert "hush" not in str(refused.value)
