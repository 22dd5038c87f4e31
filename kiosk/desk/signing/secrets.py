"""PINs, passwords and badges as hashes: argon2id (RFC 9106), so that a stolen database gives none
of them back. One check takes a third of a second and 64 MB, on purpose."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argon2 import PasswordHasher

LONGEST = 256


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher  # takes a tenth of a second to load

    return PasswordHasher()


@cache
def _nobodys() -> str:
    return _hasher().hash("nobody has this")


def hashed(secret: str) -> str:
    return _hasher().hash(_bytes(secret))


def fits(hash: str, secret: str) -> bool:
    """Whether it is the secret of this hash; "" is nobody's, and takes as long to find out."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(hash or _nobodys(), _bytes(secret)) and bool(hash)
    except (VerificationError, InvalidHashError):
        return False


def badge_digest(number: str, salt: str) -> str:
    """A badge is looked up by this. Its few digits could be tried out, so each try is made dear."""
    from argon2.low_level import Type, hash_secret_raw

    raw = hash_secret_raw(_bytes(number.strip()), bytes.fromhex(salt), 2, 19456, 1, 32, Type.ID)
    return raw.hex()


def _bytes(secret: str) -> bytes:
    return secret[:LONGEST].encode("utf-8", "surrogatepass")


def weak_pin(pin: str, digits: int) -> bool:
    """Too short, no number, one digit again and again, or digits in a row."""
    if len(pin) < digits or len(pin) > 12 or not (pin.isascii() and pin.isdigit()):
        return True
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(pin)}
    return len(steps) == 1 and steps <= {0, 1, 9}


def weak_password(password: str, letters: int, name: str) -> bool:
    """Too short or too long, the person's own name, or a few letters again and again."""
    fold = password.casefold()
    too_plain = len(set(fold)) < 5 or fold in (name.casefold(), name.casefold() * 2)
    return not letters <= len(password) <= LONGEST or too_plain
