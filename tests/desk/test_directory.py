"""Signing in with the hospital's directory: a real slapd over TLS, and while it is away."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.desk import Refused, Role
from kiosk.desk.signing import directory
from kiosk.desk.signing.directory import DirectoryAway, Found, ask
from kiosk.desk.snapshots import Asks, SignIn
from kiosk.policy.people import Directory
from tests.desk.conftest import World
from tests.peers.certificates import Authority
from tests.peers.slapd import BASE, READER, READER_SECRET, Slapd, slapd

pytestmark = pytest.mark.peer("slapd")

SECRETS = {"anna": "anna's own secret", "berta": "berta's own secret", "nils": "in no group at all"}
GROUPS = {"him": ("anna", "berta"), "leads": ("berta",), "cleaners": ("nils",)}
ROLES = (("leads", "him-lead"), ("him", "him"))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    with slapd(tmp_path_factory.mktemp("slapd"), SECRETS, GROUPS) as found:
        yield found


def settings_of(folder: Path, found: Slapd, **more: object) -> dict[str, object]:
    secret = folder / "directory.secret"
    secret.write_text(READER_SECRET + "\n")
    groups = [{"dn": f"CN={cn}, ou=Groups,{BASE}", "role": role} for cn, role in ROLES]
    given = {"url": found.url, "ca": found.ca, "bind_dn": READER, "password_file": secret}
    given |= {"base": f"ou=people,{BASE}", "group": groups}
    return given | more


def settings_for(folder: Path, found: Slapd, **more: object) -> Directory:
    return Directory.model_validate(settings_of(folder, found, **more))


@pytest.mark.parametrize("group_base", ["", f"ou=groups,{BASE}"])
def test_the_directory_says_who_it_is_and_the_first_of_its_groups_the_role(
    tmp_path: Path, running: Slapd, group_base: str
) -> None:
    """By `memberOf`, as Active Directory has it, or by asking the groups for their members."""
    settings = settings_for(tmp_path, running, group_base=group_base)
    assert ask(settings, "anna", SECRETS["anna"]) == Found("anna", "Anna Smith", "him")
    assert ask(settings, " BERTA", SECRETS["berta"]) == Found("berta", "Berta Smith", "him-lead")
    assert ask(settings, "nils", SECRETS["nils"]) == Found("nils", "Nils Smith", "")


def test_tls_may_begin_in_the_connection_and_without_it_nothing_is_asked(
    tmp_path: Path, running: Slapd
) -> None:
    """StartTLS (RFC 4511 4.14) at the plain port; the policy takes no other plain address."""
    plain = {"url": f"ldap://127.0.0.1:{running.plain_port}"}
    secured = settings_for(tmp_path, running, **plain, start_tls=True)
    assert ask(secured, "anna", SECRETS["anna"]) == Found("anna", "Anna Smith", "him")
    with pytest.raises(DirectoryAway):
        ask(settings_for(tmp_path, running, **plain), "anna", SECRETS["anna"])
    with pytest.raises(ValueError, match="in the clear"):
        settings_for(tmp_path, running, url="ldap://directory.example.org")


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("anna", SECRETS["berta"]),
        ("anna", ""),  # an anonymous bind, which servers welcome
        ("anna", "\0"),
        ("zoe", "anything"),
        ("", "anything"),
        ("*", SECRETS["anna"]),  # every filter would fit
        ("anna)(uid=*", SECRETS["anna"]),
        ("anna\u200b", SECRETS["anna"]),  # what LDAP ignores, and our lock-out would not
        ("an na", SECRETS["anna"]),
    ],
)
def test_nobody_else_gets_in(tmp_path: Path, running: Slapd, name: str, secret: str) -> None:
    assert ask(settings_for(tmp_path, running), name, secret) is None


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_text_finds_anybody_without_their_password(name: str, secret: str) -> None:
    """What has no form of a name is not even asked: nothing listens at this address."""
    nowhere = Directory.model_validate(
        {
            **{"url": "ldaps://127.0.0.1:1", "bind_dn": "cn=x", "password_file": "/dev/null"},
            **{"base": BASE, "group": [{"dn": "cn=x", "role": "it"}]},
        }
    )
    try:
        assert ask(nowhere, name, secret) is None
    except DirectoryAway:
        assert directory.NAME.fullmatch(directory.login_of(name))


def test_a_closed_account_is_refused_and_no_reason_to_think_that_the_directory_is_away(
    tmp_path: Path,
) -> None:
    """Some servers say 19, 50 or 53 of an account that was closed. Taken for a directory that is
    away, its last yes would open it; 51 and 52 do say that it cannot answer."""
    closed = {"anna": 53, "berta": 19, "nils": 52}
    with slapd(tmp_path, SECRETS, GROUPS, closed) as found:
        settings = settings_for(tmp_path, found)
        assert ask(settings, "anna", SECRETS["anna"]) is None
        assert ask(settings, "berta", SECRETS["berta"]) is None
        with pytest.raises(DirectoryAway):
            ask(settings, "nils", SECRETS["nils"])


def test_a_directory_that_cannot_prove_itself_is_away_and_gets_no_password(
    tmp_path: Path, running: Slapd
) -> None:
    """Another authority's certificate; our own account refused; a name that is not on it."""
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other").ca
    for wrong in (
        {"ca": other},
        {"url": running.url.replace("127.0.0.1", "localhost")},
        {"bind_dn": "cn=nobody"},
    ):
        settings = settings_for(tmp_path, running, **wrong)
        with pytest.raises(DirectoryAway):
            ask(settings, "anna", SECRETS["anna"])
        assert directory.reach(settings)
    assert directory.reach(settings_for(tmp_path, running)) == ""
    assert ssl.create_default_context(cafile=running.ca).check_hostname


def test_its_people_sign_in_get_their_role_and_ask_for_their_password_after_a_badge(
    tmp_path: Path, running: Slapd, world: World
) -> None:
    world.set(directory=settings_of(tmp_path, running))
    desk = world.closed_desk()
    desk.sign_in(SECRETS["berta"], "berta")
    assert desk.worklist().header.role is Role.HIM_LEAD
    desk.sign_out()
    it = world.desk(Role.IT, "root")
    (row,) = it.people().rows
    assert (row.name, row.full_name, row.origin, row.password) == (
        *("berta", "Berta Smith", "directory"),
        False,
    )
    it.set_badge(row.person, "04A1B2C3", "her badge")
    with pytest.raises(Refused) as refusal:
        it.set_secret(row.person, "pin", "908172", "wants one")
    assert refusal.value.message.id == "KX-434"
    desk.badge("04A1B2C3")
    body = desk.entrance().body
    assert isinstance(body, SignIn)
    assert body.asks is Asks.PASSWORD
    desk.sign_in(SECRETS["berta"])
    assert desk.operator.name == "berta"


def test_without_a_role_or_locked_here_the_right_password_is_not_enough(
    tmp_path: Path, running: Slapd, world: World
) -> None:
    world.set(directory=settings_of(tmp_path, running))
    desk = world.closed_desk()
    with pytest.raises(Refused) as refusal:
        desk.sign_in(SECRETS["nils"], "nils")
    assert refusal.value.message.id == "KX-406"
    desk.sign_in(SECRETS["anna"], "anna")
    desk.sign_out()
    it = world.desk(Role.IT, "root")
    (row,) = it.people().rows
    it.set_standing(row.person, "locked", "on leave")
    with pytest.raises(Refused) as refusal:
        desk.sign_in(SECRETS["anna"], "anna")
    assert refusal.value.message.id == "KX-407"


def test_too_many_tries_stop_before_the_directory_is_asked(
    tmp_path: Path, running: Slapd, world: World
) -> None:
    """The kiosk is no place to try out its passwords, for a name that is not here either."""
    world.set(directory=settings_of(tmp_path, running), tries=3)
    desk = world.closed_desk()
    for left in ("KX-414", "KX-414", "KX-402", "KX-402"):
        with pytest.raises(Refused) as refusal:
            desk.sign_in("a guess", "anna")
        assert refusal.value.message.id == left
    with pytest.raises(Refused) as refusal:
        desk.sign_in(SECRETS["anna"], "anna")
    assert refusal.value.message.id == "KX-402"


def away_after_anna_was_here(folder: Path, world: World, cache_hours: float) -> None:
    """The directory said yes to anna once, and has stopped."""
    (folder / "slapd").mkdir()
    with slapd(folder / "slapd", SECRETS, GROUPS) as found:
        world.set(directory=settings_of(folder, found, cache_hours=cache_hours), tries=3)
        desk = world.closed_desk()
        desk.sign_in(SECRETS["anna"], "anna")
        desk.sign_out()


def test_while_it_is_away_nobody_is_let_in(tmp_path: Path, world: World) -> None:
    """Nor is anybody locked for it: it is not their fault."""
    away_after_anna_was_here(tmp_path, world, cache_hours=0)
    desk = world.closed_desk()
    for name in ("anna", "anna", "anna", "anna", "zoe"):
        with pytest.raises(Refused) as refusal:
            desk.sign_in(SECRETS["anna"], name)
        assert refusal.value.message.id == "KX-405"
    codes = {data["code"] for _, _, data in world.lines("access.refused")}
    assert codes == {"directory-away"}


def test_where_the_policy_allows_it_the_last_yes_counts_for_so_long(
    tmp_path: Path, world: World
) -> None:
    """Its age is shown; another password, another person, an older yes, or a clock that was set
    back do not get in."""
    away_after_anna_was_here(tmp_path, world, cache_hours=12)
    world.wait(hours=11)
    desk = world.closed_desk()
    desk.sign_in(SECRETS["anna"], "anna")
    caution = desk.worklist().header.caution
    assert caution is not None
    assert (caution.id, caution.values["n"]) == ("caution.cached", 11)
    desk.sign_out()
    said = []
    for name, secret in (("anna", "a guess"), ("berta", SECRETS["berta"])):
        with pytest.raises(Refused) as refusal:
            desk.sign_in(secret, name)
        said.append(refusal.value.message.id)
    assert said == ["KX-414", "KX-405"]
    for hours in (2, -24):
        world.wait(hours=hours)
        with pytest.raises(Refused) as refusal:
            desk.sign_in(SECRETS["anna"], "anna")
        assert refusal.value.message.id == "KX-405"


def test_a_password_that_the_directory_has_refused_since_is_remembered_no_longer(
    tmp_path: Path, world: World
) -> None:
    """Whoever was dismissed and pulls the network's cable does not get in by yesterday's yes."""
    away_after_anna_was_here(tmp_path, world, cache_hours=12)
    (tmp_path / "later").mkdir()
    with slapd(tmp_path / "later", SECRETS | {"anna": "another one"}, GROUPS) as found:
        world.set(directory=settings_of(tmp_path, found, cache_hours=12))
        with pytest.raises(Refused, match="KX-414"):
            world.closed_desk().sign_in(SECRETS["anna"], "anna")
    with pytest.raises(Refused, match="KX-405"):
        world.closed_desk().sign_in(SECRETS["anna"], "anna")
