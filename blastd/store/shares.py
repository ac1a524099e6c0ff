"""The table of links to one search: like tokens, only the SHA-256 of their text is stored."""

import hmac
import sqlite3
from datetime import datetime

from blastd.clock import from_ms, to_ms
from blastd.core.ids import JobId, Owner
from blastd.core.links import Share
from blastd.store.rows import moment
from blastd.store.tokens import NOBODY, TEXT, digest

INSERT = """INSERT INTO share (share_id, job_id, label, made_by, sha256, created_at, expires_at)
            VALUES (:share_id, :job_id, :label, :made_by, :sha256, :now, :expires_at)"""
GET = "SELECT * FROM share WHERE share_id = :share_id"
OF_JOB = "SELECT * FROM share WHERE job_id = :job_id ORDER BY created_at DESC LIMIT :limit"
REVOKE = """UPDATE share SET revoked_at = :now
            WHERE share_id = :share_id AND job_id = :job_id AND revoked_at IS NULL"""


def create(db: sqlite3.Connection, share: Share, text: str) -> None:
    """Store a link; its *text* has the form of a token, and can't be read again later."""
    db.execute(
        INSERT,
        {
            "share_id": share.share_id,
            "job_id": share.job_id,
            "label": share.label,
            "made_by": share.made_by,
            "sha256": digest(text),
            "now": to_ms(share.created_at),
            "expires_at": to_ms(share.expires_at),
        },
    )


def verify(db: sqlite3.Connection, text: str, now: datetime) -> Share | None:
    """Return the link of *text* while it is open; the comparison takes the same time for all."""
    match = TEXT.fullmatch(text)
    row = db.execute(GET, {"share_id": match[1] if match else ""}).fetchone()
    same = hmac.compare_digest(row["sha256"] if row is not None else NOBODY, digest(text))
    share = _share(row) if row is not None and same else None
    return share if share is not None and share.open_at(now) else None


def of_job(db: sqlite3.Connection, job_id: JobId, limit: int = 200) -> list[Share]:
    """Return the links to a search, newest first, those that ended too."""
    return [_share(row) for row in db.execute(OF_JOB, {"job_id": job_id, "limit": limit})]


def revoke(db: sqlite3.Connection, job_id: JobId, share_id: str, now: datetime) -> bool:
    """End a link to a search; False if there is none or it was ended before."""
    return db.execute(REVOKE, {"share_id": share_id, "job_id": job_id, "now": to_ms(now)}).rowcount > 0


def _share(row: sqlite3.Row) -> Share:
    return Share(
        share_id=row["share_id"],
        job_id=JobId(row["job_id"]),
        label=row["label"],
        made_by=Owner(row["made_by"]),
        created_at=from_ms(row["created_at"]),
        expires_at=from_ms(row["expires_at"]),
        revoked_at=moment(row["revoked_at"]),
    )
