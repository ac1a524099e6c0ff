"""The table of access tokens: only their SHA-256 is stored.

A token reads `blastd_<id>_<secret>`; the secret has 256 random bits, so a plain SHA-256 suffices (there is nothing to
guess that a slow hash would protect).
"""

import hashlib
import hmac
import re
import sqlite3
from datetime import datetime

from blastd.clock import from_ms, to_ms
from blastd.core.ids import Owner
from blastd.core.model import Frozen
from blastd.store.rows import moment, ms

TEXT = re.compile(r"blastd_([0-9a-z]{8})_([0-9A-Za-z_-]{43})")
INSERT = """INSERT INTO token (token_id, owner, role, sha256, created_at, expires_at, surface)
            VALUES (:token_id, :owner, :role, :sha256, :now, :expires_at, :surface)"""
GET = "SELECT * FROM token WHERE token_id = :token_id"
ALL = "SELECT * FROM token ORDER BY created_at LIMIT :limit"
REVOKE = "UPDATE token SET revoked_at = :now WHERE token_id = :token_id AND revoked_at IS NULL"
USED = "UPDATE token SET last_used_at = :now WHERE token_id = :token_id"
NOBODY = hashlib.sha256(b"").hexdigest()


class Token(Frozen, frozen=True, kw_only=True):
    """An access token as the store knows it."""

    token_id: str
    owner: Owner
    role: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    surface: str | None = None
    """The one surface that the token is good for, None for all."""


def create(
    db: sqlite3.Connection,
    token_id: str,
    secret: str,
    owner: Owner,
    role: str,
    now: datetime,
    expires_at: datetime | None,
    surface: str | None = None,
) -> str:
    """Store a token and return its text, which can't be read again later."""
    text = f"blastd_{token_id}_{secret}"
    if not TEXT.fullmatch(text):
        raise ValueError("a token has an id of 8 and a secret of 43 characters")
    db.execute(
        INSERT,
        {
            "token_id": token_id,
            "owner": owner,
            "role": role,
            "sha256": digest(text),
            "now": to_ms(now),
            "expires_at": ms(expires_at),
            "surface": surface,
        },
    )
    return text


def digest(text: str) -> str:
    """Return the stored form of a token; a header may hold bytes that are no UTF-8, which come as surrogates."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def verify(db: sqlite3.Connection, text: str, now: datetime) -> Token | None:
    """Return the valid token of *text*, None for any other text; the comparison takes the same time for all."""
    match = TEXT.fullmatch(text)
    row = db.execute(GET, {"token_id": match[1] if match else ""}).fetchone()
    same = hmac.compare_digest(row["sha256"] if row is not None else NOBODY, digest(text))
    if row is None or not same:
        return None
    token = token_from(row)
    over = token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= now)
    return None if over else token


def used(db: sqlite3.Connection, token_id: str, now: datetime) -> None:
    """Note when a token was last used."""
    db.execute(USED, {"token_id": token_id, "now": to_ms(now)})


def list_all(db: sqlite3.Connection, limit: int = 10_000) -> list[Token]:
    """Return all tokens, oldest first, the revoked ones too."""
    return [token_from(row) for row in db.execute(ALL, {"limit": limit})]


def revoke(db: sqlite3.Connection, token_id: str, now: datetime) -> bool:
    """Revoke a token; False if there is none or it was revoked before."""
    return db.execute(REVOKE, {"token_id": token_id, "now": to_ms(now)}).rowcount > 0


def token_from(row: sqlite3.Row) -> Token:
    """Return the token of a row."""
    return Token(
        token_id=row["token_id"],
        owner=Owner(row["owner"]),
        role=row["role"],
        created_at=from_ms(row["created_at"]),
        expires_at=moment(row["expires_at"]),
        revoked_at=moment(row["revoked_at"]),
        last_used_at=moment(row["last_used_at"]),
        surface=row["surface"],
    )
