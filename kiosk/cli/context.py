"""What every command opens first: the policy, the database and the vault it names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from kiosk import identity
from kiosk.engine import place_of
from kiosk.policy import ConfigError, Policy, load, state_folder
from kiosk.store import Store, StoreUnusable, Vault
from kiosk.store import open as open_store

SYSTEM_CONFIG = Path("/etc/kiosk/kiosk.toml")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="The configuration; default $KIOSK_CONFIG, then /etc/kiosk."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@dataclass(frozen=True)
class Context:
    policy: Policy
    config: Path | None
    state: Path
    store: Store
    vault: Vault


def config_path(given: Path | None) -> Path | None:
    """The file that is in force: given, $KIOSK_CONFIG, the system's; None for the defaults."""
    if given is not None:
        return given
    if named := os.environ.get("KIOSK_CONFIG"):
        return Path(named)
    return SYSTEM_CONFIG if SYSTEM_CONFIG.exists() else None


def read_policy(given: Path | None) -> Policy:
    """The policy in force. Ends the program with exit 2 when it cannot be used."""
    try:
        return load(config_path(given))
    except ConfigError as e:
        fail(str(e), code=2)


@contextmanager
def opened(given: Path | None) -> Iterator[Context]:
    """Policy, database and vault; ends the program with exit 2 or 1 when they cannot be used."""
    policy = read_policy(given)
    try:
        context = open_all(policy, config_path(given))
    except StoreUnusable as e:
        fail(str(e))
    try:
        yield context
    finally:
        context.store.close()


def state_of(policy: Policy) -> Path:
    """Where the vault is, and a kiosk's own database."""
    return Path(policy.database.state) if policy.database.state else state_folder()


def open_all(policy: Policy, config: Path | None) -> Context:
    """Database and vault of the policy. Raises StoreUnusable, which says what to do."""
    state = state_of(policy)
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        rows = open_store(
            policy.database.url or f"sqlite:///{state / 'kiosk.db'}",
            keys_of=identity.keys_of,
            name_keys_of=identity.name_keys_of,
            password=_password(policy.database.password_file),
        )
        return Context(policy, config, state, rows, Vault(state / "vault"))
    except OSError as e:
        said = f"{state}: cannot be used ({e.strerror}). Check the path and its permissions."
        raise StoreUnusable(said) from e


def _password(file: Path | None) -> str:
    """The first line of the file. Raises StoreUnusable."""
    try:
        return file.read_text().partition("\n")[0] if file else ""
    except (OSError, UnicodeDecodeError) as e:
        raise StoreUnusable(f"{file}: the database's password cannot be read from it.") from e


def say(text: str) -> None:
    """Words for people go to standard error: standard output is for what was asked for."""
    typer.echo(text, err=True)


def fail(text: str, code: int = 1) -> NoReturn:
    """One sentence that says what to do, and the contract's exit code."""
    say(text)
    raise typer.Exit(code)


def fail_unexpectedly(error: Exception) -> NoReturn:
    """A defect of ours, at the program's last line: what it means, a code for IT, exit 1."""
    say(
        "Something went wrong in this program. What was read and queued before is kept. "
        f"Tell IT this code: KX-599-{type(error).__name__} at {place_of(error)}."
    )
    raise SystemExit(1)
