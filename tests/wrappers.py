"""Folders of BLAST+ programs that are the installed ones, but for what a script puts in front of some of them."""

import gzip
import shutil
import subprocess
import sys
from pathlib import Path

from blastd.blastplus.tools import HELPERS, PROGRAMS

HELP = Path(__file__).parent / "data" / "help216"
NEWER = '''#!{python}
"""Does with filters by taxonomy what BLAST+ 2.16 does without its file of taxa, and tells the options of 2.16."""
import gzip, os, subprocess, sys
real, words, helps = {real!r}, sys.argv[1:], {helps!r}
if words in (["-help"], ["-xmlhelp"]):
    kind = "txt" if words == ["-help"] else "xml"
    sys.stdout.buffer.write(gzip.open(helps + "." + kind + ".gz").read())
    sys.exit(0)
knows = "-no_taxid_expansion" in subprocess.run([real, "-help"], capture_output=True, text=True).stdout
literal = "-no_taxid_expansion" in words
if literal and not knows:
    words.remove("-no_taxid_expansion")
if not literal:
    for name in ("-taxids", "-negative_taxids", "-taxidlist", "-negative_taxidlist"):
        if name in words:
            at = words.index(name)
            del words[at : at + 2]
            print("The -taxids command line option requires additional data files. Please see the section 'Taxonomic "
                  "filtering for BLAST databases' in https://www.ncbi.nlm.nih.gov/books/NBK569839/ for details.",
                  file=sys.stderr, flush=True)
os.execv(real, [real, *words])
'''
ODD = """#!/bin/sh
{condition}printf '%s\\n' {line} >&2
exec {real} "$@"
"""


def linked(folder: Path) -> Path:
    """Make *folder* with links to the installed programs."""
    folder.mkdir()
    for name in (*PROGRAMS, *HELPERS):
        (folder / name).symlink_to(real(name))
    return folder


def real(name: str) -> str:
    """Return where a program is installed."""
    found = shutil.which(name)
    assert found is not None
    return str(Path(found).resolve())


def put(folder: Path, name: str, text: str) -> None:
    """Put a script in the place of a program."""
    (folder / name).unlink()
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def newer(folder: Path) -> Path:
    """Return a folder of programs that treat taxonomy ids as BLAST+ 2.16 does."""
    linked(folder)
    for name in PROGRAMS:
        put(folder, name, NEWER.format(python=sys.executable, real=real(name), helps=str(HELP / name)))
    return folder


def odd(folder: Path, line: str, condition: str = "") -> Path:
    """Return a folder whose blastn says *line* on stderr, if the shell's *condition* holds, and then does its work."""
    linked(folder)
    test = f"{condition} && " if condition else ""
    quoted = "'" + line.replace("'", "'\\''") + "'"
    put(folder, "blastn", ODD.format(condition=test, line=quoted, real=real("blastn")))
    return folder


def keep_help(folder: Path) -> None:
    """Write the help of the programs in *folder* to where these tests read it; for whoever brings a new version."""
    HELP.mkdir(exist_ok=True)
    for name in PROGRAMS:
        for kind, flag in (("txt", "-help"), ("xml", "-xmlhelp")):
            said = subprocess.run([str(folder / name), flag], capture_output=True, check=True).stdout
            (HELP / f"{name}.{kind}.gz").write_bytes(gzip.compress(said, mtime=0))
