"""Files that commands write: new ones, whole ones, and a sentence where one can't be written."""

import asyncio
import os
import secrets
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

from blastd.cli.client import ServiceClient
from blastd.cli.words import say
from blastd.core import tabular
from blastd.errors import BadRequest, Invalid

OF_TARGET = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR})

TABLES = ("tabular", "commented", "csv")
"""Formats whose columns can be chosen."""


def new_file(name: str) -> Path:
    """Return *name* as a file that is not there yet, in a folder that is. Raises BadRequest."""
    target = Path(name).absolute()
    try:
        if target.exists() or target.is_symlink():
            raise BadRequest(f"{target} exists: name a new file.")
        if not target.parent.is_dir():
            raise BadRequest(f"{target.parent} is not a folder.")
    except OSError as error:
        raise unwritable(target, error) from error
    return target


def result_file(name: str | None) -> Path | None:
    """Return the file of a result, None for standard output; refused now rather than after the search. Raises BadRequest."""
    if not name:
        return None
    target = Path(name)
    with writing(target):
        if target.is_dir() or not target.name:
            raise BadRequest(f"{target} is a folder: name a file.")
        if not target.absolute().parent.is_dir():
            raise BadRequest(f"{target.absolute().parent} is not a folder.")
        written = target if target.exists() and not target.is_file() else target.absolute().parent
        if not os.access(written, os.W_OK):
            raise BadRequest(f"{written} can't be written by this user, or at all.")
    return target


def checked_fields(kind: str | None, fields: str | None) -> str | None:
    """Return the columns of a table by blanks, None for BLAST+'s own. Raises Invalid for those that there are not."""
    names = (fields or "").replace(",", " ").split()
    if not names:
        return None
    if kind not in TABLES:
        raise Invalid([("--fields", f"columns are for {', '.join(TABLES)}; {kind} has its own.")])
    tabular.columns(names, "--fields")
    return " ".join(names)


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turn what the operating system, or SQLite, says of *target* into BadRequest."""
    try:
        yield
    except OSError as error:
        raise unwritable(target, error) from error
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in OF_TARGET:
            raise BadRequest(f"{target} can't be written: {error}.") from error
        raise


def unwritable(target: Path, error: OSError) -> BadRequest:
    """Return the error of a file that can't be written."""
    return BadRequest(f"{target} can't be written: {error.strerror or error}.")


async def write_result(client: ServiceClient, job_id: str, params: dict[str, str], out: Path | None) -> None:
    """Write a result; a file appears under its name only when it is whole. What is no file (a device) is written to."""
    async with aclosing(client.download(job_id, params)) as blocks:
        await _write(blocks, out)


async def _write(blocks: AsyncIterator[bytes], out: Path | None) -> None:
    if out is None:
        async for block in blocks:
            sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
        return
    plain = out.is_file() or not out.exists()
    part = out.with_name(f"{out.name}.{secrets.token_hex(4)}.part") if plain else out
    try:
        with writing(out):
            await _fill(part, blocks, "xb" if plain else "wb")
            if plain:
                part.replace(out)
    finally:
        if plain:
            part.unlink(missing_ok=True)
    if plain:
        say(f"{out}: {out.stat().st_size:,} bytes")


async def _fill(part: Path, blocks: AsyncIterator[bytes], mode: str) -> None:
    """Write *blocks* to a file."""
    with part.open(mode) as file:
        async for block in blocks:
            await asyncio.to_thread(file.write, block)
