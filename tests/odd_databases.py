"""Folders of databases as nobody would make them on purpose, beside one good database of each kind.

Each odd thing has a name; what the catalogue has to say of it is in `ODD`: listed as broken, or not listed at all. Things
that this user can't make (device nodes) are left out of the corpus, and said so.
"""

import os
import shutil
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from tests.databases import DB, make

NUCLEOTIDE, PROTEIN = "good", "goodaa"
BROKEN, LEFT_OUT, READY = "broken", "left out", "ready"
SUFFIXES = ("nin", "nhr", "nsq", "ndb", "nog", "nos", "not", "ntf", "nto")


class Corpus:
    """Makes odd things in a folder that holds the good databases."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.expected: dict[str, str] = {}
        self.impossible: list[str] = []

    def copy(self, name: str) -> None:
        """Copy the good nucleotide database under another name."""
        for suffix in SUFFIXES:
            shutil.copyfile(self.folder / f"{NUCLEOTIDE}.{suffix}", self.folder / f"{name}.{suffix}")

    def alias(self, name: str, text: str | bytes) -> None:
        """Write an alias file."""
        self.bytes(f"{name}.nal", text.encode() if isinstance(text, str) else text)

    def bytes(self, name: str, data: bytes) -> None:
        """Write a file."""
        (self.folder / name).write_bytes(data)

    def path(self, name: str) -> Path:
        """Return a path in the folder."""
        return self.folder / name


Odd = Callable[[Corpus], object]


def _index(corpus: Corpus, name: str, change: Callable[[bytes], bytes]) -> None:
    corpus.copy(name)
    index = corpus.path(f"{name}.nin")
    index.write_bytes(change(index.read_bytes()))


def _sparse(corpus: Corpus, name: str, size: int) -> None:
    with corpus.path(name).open("wb") as file:
        file.truncate(size)


def _fifo(corpus: Corpus, name: str) -> None:
    os.mkfifo(corpus.path(name))


def _fifo_part(corpus: Corpus) -> None:
    corpus.copy("fifopart")
    corpus.path("fifopart.nsq").unlink()
    _fifo(corpus, "fifopart.nsq")


def _fifo_list(corpus: Corpus) -> None:
    _fifo(corpus, "fifo.txt")
    corpus.alias("fifolist", f"TITLE x\nDBLIST {NUCLEOTIDE}\nSEQIDLIST fifo.txt\n")


def _socket(corpus: Corpus) -> None:
    here = os.getcwd()  # noqa: PTH109  # a path of a socket has 108 letters at most
    os.chdir(corpus.folder)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("sock.nin")
    finally:
        os.chdir(here)


def _device(corpus: Corpus) -> None:
    try:
        os.mknod(corpus.path("device.nin"), 0o600 | 0o020000, os.makedev(1, 5))
    except OSError:
        corpus.impossible.append("device")


def _unreadable(corpus: Corpus) -> None:
    corpus.copy("closed")
    corpus.path("closed.nsq").chmod(0)


def _unreadable_index(corpus: Corpus) -> None:
    corpus.copy("closedindex")
    corpus.path("closedindex.nin").chmod(0)


def _unreadable_folder(corpus: Corpus) -> None:
    folder = corpus.path("closedfolder")
    folder.mkdir()
    (folder / "x.nin").write_bytes(b"")
    folder.chmod(0)


def _closed_child(corpus: Corpus) -> None:
    _unreadable_folder(corpus)
    corpus.alias("closedchild", "TITLE x\nDBLIST closedfolder/x\n")


def _loop_of_links(corpus: Corpus) -> None:
    corpus.path("loop").symlink_to(corpus.folder)
    corpus.path("l1").symlink_to(corpus.path("l2"))
    corpus.path("l2").symlink_to(corpus.path("l1"))
    corpus.path("looped.nin").symlink_to(corpus.path("looped.nin"))


def _deep(corpus: Corpus) -> None:
    folder = corpus.folder
    for _ in range(60):
        folder /= "deep"
        folder.mkdir()
    corpus.path("deep/deep/deep/deep/deep/x.nin").write_bytes(b"")


def _crowd(corpus: Corpus) -> None:
    folder = corpus.path("crowd")
    folder.mkdir()
    for number in range(3000):
        (folder / f"{number}.txt").write_bytes(b"")
        if number < 300:
            (folder / f"c{number}.nin").write_bytes(b"")


def _crosswise(corpus: Corpus) -> None:
    for level in range(12):
        corpus.alias(f"cross{level}", "TITLE x\nDBLIST " + f"cross{level + 1} " * 300 + "\n")
    corpus.alias("cross12", f"TITLE x\nDBLIST {NUCLEOTIDE}\n")


def _many_names(corpus: Corpus) -> None:
    corpus.alias("manynames", "TITLE x\nDBLIST " + " ".join(f"no{number}" for number in range(4000)) + "\n")


def _chain(corpus: Corpus) -> None:
    for number in range(200):
        corpus.alias(f"chain{number}", f"TITLE x\nDBLIST chain{number + 1}\n")


ODD: dict[str, tuple[str, Odd]] = {
    "nulname": (BROKEN, lambda c: c.alias("nulname", b"TITLE x\nDBLIST go\0od\n")),
    "nultitle": (BROKEN, lambda c: c.alias("nultitle", b"TITLE a\0b\nDBLIST good\n")),
    "nullist": (BROKEN, lambda c: c.alias("nullist", b"TITLE x\nDBLIST good\nGILIST a\0b\n")),
    "latintitle": (READY, lambda c: c.alias("latintitle", b"TITLE caf\xe9 \x1b[31m\nDBLIST good\n")),
    "latinname": (BROKEN, lambda c: c.alias("latinname", b"TITLE x\nDBLIST caf\xe9\n")),
    "cyclea": (BROKEN, lambda c: c.alias("cyclea", "DBLIST cycleb\n")),
    "cycleb": (BROKEN, lambda c: c.alias("cycleb", "DBLIST cyclea\n")),
    "itself": (BROKEN, lambda c: c.alias("itself", "TITLE x\nDBLIST itself\n")),
    "zero": (BROKEN, lambda c: c.alias("zero", "TITLE x\nDBLIST /dev/zero\n")),
    "zerolist": (BROKEN, lambda c: c.alias("zerolist", f"TITLE x\nDBLIST {NUCLEOTIDE}\nSEQIDLIST /dev/zero\n")),
    "zeroalias": (BROKEN, lambda c: c.path("zeroalias.nal").symlink_to("/dev/zero")),
    "zeroindex": (BROKEN, lambda c: c.path("zeroindex.nin").symlink_to("/dev/zero")),
    "emptyalias": (BROKEN, lambda c: c.alias("emptyalias", "")),
    "noname": (BROKEN, lambda c: c.alias("noname", "TITLE only\n")),
    "quotes": (BROKEN, lambda c: c.alias("quotes", 'TITLE x\nDBLIST "unclosed\n')),
    "hugealias": (BROKEN, lambda c: c.alias("hugealias", "DBLIST " + "x " * (4 << 20))),
    "sparsealias": (BROKEN, lambda c: _sparse(c, "sparsealias.nal", 1 << 40)),
    "manynames": (BROKEN, _many_names),
    "cross0": (READY, _crosswise),
    "chain0": (BROKEN, _chain),
    "fifo": (BROKEN, lambda c: _fifo(c, "fifo.nin")),
    "fifoalias": (BROKEN, lambda c: _fifo(c, "fifoalias.nal")),
    "fifopart": (BROKEN, _fifo_part),
    "fifolist": (BROKEN, _fifo_list),
    "sock": (BROKEN, _socket),
    "device": (BROKEN, _device),
    "dangling": (BROKEN, lambda c: c.path("dangling.nin").symlink_to("nowhere")),
    "looped": (BROKEN, _loop_of_links),
    "folder": (BROKEN, lambda c: c.path("folder.nin").mkdir()),
    "closed": (BROKEN, _unreadable),
    "closedindex": (BROKEN, _unreadable_index),
    "closedchild": (BROKEN, _closed_child),
    "empty": (BROKEN, lambda c: c.bytes("empty.nin", b"")),
    "short": (BROKEN, lambda c: _index(c, "short", lambda data: data[:50])),
    "counts": (BROKEN, lambda c: _index(c, "counts", lambda d: d[:12] + struct.pack(">i", 0x7FFFFFFF) + d[16:])),
    "noise": (BROKEN, lambda c: c.bytes("noise.nin", b"\0\0\0\5" + b"\0" * 4 + os.urandom(5000))),
    "sequences": (BROKEN, lambda c: _index(c, "sequences", lambda d: d.replace(b"\0\0\0\x1e", b"\x7f\xff\xff\xf0"))),
    "hugepin": (BROKEN, lambda c: _sparse(c, "hugepin.pin", 1 << 42)),
    "mixed": (BROKEN, lambda c: _index(c, "mixed", lambda _: c.path("goodaa.pin").read_bytes())),
    "": (LEFT_OUT, lambda c: c.bytes(".nin", b"")),
    "two\nlines": (LEFT_OUT, lambda c: c.bytes("two\nlines.nin", b"")),
    'quo"ted': (LEFT_OUT, lambda c: c.bytes('quo"ted.nin', b"")),
    "-entry": (LEFT_OUT, lambda c: c.bytes("-entry.nin", b"")),
    "latin": (LEFT_OUT, lambda c: (c.folder / os.fsdecode(b"lat\xffin.nin")).write_bytes(b"")),
    "with blank": (READY, lambda c: c.alias("with blank", f"TITLE a blank\nDBLIST {NUCLEOTIDE}\n")),
    "don't": (READY, lambda c: c.alias("don't", f"TITLE a quote\nDBLIST {NUCLEOTIDE}\n")),
    "deep": (LEFT_OUT, _deep),
    "crowd/c7": (BROKEN, _crowd),
}


def build(folder: Path) -> Corpus:
    """Make the good databases and every odd thing in *folder*."""
    make(folder, DB / "nt.fa", NUCLEOTIDE, "nucl", "-parse_seqids", "-title", "good")
    make(folder, DB / "aa.fa", PROTEIN, "prot", "-parse_seqids", "-title", "goodaa")
    corpus = Corpus(folder)
    for name, (said, odd) in ODD.items():
        odd(corpus)
        corpus.expected[name] = said
    for name in corpus.impossible:
        del corpus.expected[name]
    return corpus


def open_again(folder: Path) -> None:
    """Give back the rights that were taken, so that the folder can be removed."""
    for path in (folder / "closedfolder", folder / "closed.nsq", folder / "closedindex.nin"):
        if path.exists():
            path.chmod(0o700)
