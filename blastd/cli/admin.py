"""Commands on the service's own state: migrate, backup, token; and the OpenAPI document."""

import argparse
import json
import os
import secrets
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from sqlite3 import Connection, DatabaseError

from blastd import __version__
from blastd.cli import screen
from blastd.cli.exits import ExitCode
from blastd.cli.listing import Column, print_rows
from blastd.cli.outputs import new_file, writing
from blastd.cli.screen import local_minute
from blastd.cli.settings import existing_store, told_settings
from blastd.clock import SystemClock
from blastd.config import Settings
from blastd.core.ids import Owner
from blastd.errors import NotFound, StoreBroken
from blastd.store import migrate as migrations
from blastd.store import sqlite, tokens
from blastd.store.connect import open_beside
from blastd.store.private import OTHERS

TOKENS = (
    Column(name="token_id", whole=True),
    Column(name="owner"),
    Column(name="role"),
    Column(name="state"),
    Column(name="created_at", show=local_minute),
    Column(name="expires_at", show=local_minute),
    Column(name="last_used_at", show=local_minute),
)
ID_LETTERS = string.digits + string.ascii_lowercase


@contextmanager
def open_store(settings: Settings, open_file: Callable[[Path], Connection] = open_beside) -> Iterator[Connection]:
    """Open the store of *settings* beside the daemon, which may run. Raises NotFound, StoreBroken, SchemaTooNew."""
    path = settings.store.file
    os.umask(OTHERS)
    try:
        db = open_file(path)
    except (OSError, DatabaseError) as error:
        raise StoreBroken(f"The store {path} can't be opened: {error}.") from error
    try:
        yield db
    except DatabaseError as error:
        raise StoreBroken(f"The store {path} can't be used: {error}.") from error
    finally:
        db.close()


def migrate(given: argparse.Namespace) -> int:
    """Bring the store to this version's schema; make it where there is none."""
    with open_store(told_settings(given), sqlite.open_sync) as db:
        screen.say(f"the store has schema {migrations.version(db)}, the newest that blastd {__version__} knows")
    return ExitCode.OK


def backup(given: argparse.Namespace) -> int:
    """Write a consistent copy of the store, of an earlier schema, too."""
    target = new_file(given.target)
    with open_store(existing_store(given), partial(open_beside, older=True)) as db, writing(target):
        sqlite.copy(db, target)
    screen.say(f"{target}: {target.stat().st_size:,} bytes")
    return ExitCode.OK


def create_token(given: argparse.Namespace) -> int:
    """Create a token and print it."""
    now = SystemClock().now()
    expires = None if given.days is None else now + timedelta(days=given.days)
    token_id = "".join(secrets.choice(ID_LETTERS) for _ in range(8))
    with open_store(existing_store(given)) as db:
        text = tokens.create(
            db, token_id, secrets.token_urlsafe(32), Owner(given.owner), given.role, now, expires, given.only
        )
    print(text)
    until = f" until {expires:%Y-%m-%d %H:%M} UTC" if expires else ""
    screen.say(f"token {token_id} of {given.owner} ({given.only or given.role}), valid{until}; it is not shown again")
    return ExitCode.OK


def list_tokens(given: argparse.Namespace) -> int:
    """List tokens without their secrets."""
    with open_store(existing_store(given)) as db:
        found = tokens.list_all(db)
    now = SystemClock().now()
    rows = []
    for token in found:
        state = "valid"
        if token.revoked_at is not None:
            state = "revoked"
        elif token.expires_at is not None and token.expires_at <= now:
            state = "expired"
        times = {
            name: moment and moment.isoformat(timespec="seconds")
            for name, moment in (
                ("created_at", token.created_at),
                ("expires_at", token.expires_at),
                ("last_used_at", token.last_used_at),
            )
        }
        role = token.surface or token.role
        rows.append({"token_id": token.token_id, "owner": token.owner, "role": role, "state": state, **times})
    print_rows(given, rows, TOKENS)
    return ExitCode.OK


def revoke_token(given: argparse.Namespace) -> int:
    """Revoke a token."""
    token_id = given.token_id.removeprefix("blastd_")[:8]
    with open_store(existing_store(given)) as db:
        if not tokens.revoke(db, token_id, SystemClock().now()):
            raise NotFound(f"There is no valid token {token_id}; 'blastd token list' shows them.")
    screen.say(f"token {token_id} is revoked")
    return ExitCode.OK


def openapi(_given: argparse.Namespace) -> int:
    """Print the OpenAPI document."""
    from blastd.web.app import ROUTES  # noqa: PLC0415
    from blastd.web.openapi import document  # noqa: PLC0415

    print(json.dumps(document(ROUTES, __version__, "http://127.0.0.1:8470"), indent=2))
    return ExitCode.OK
