"""What the failure of a BLAST+ process means: exit code, signal and stderr to code, cause and remedy. Pure.

What a run with exit code 0 says is heard by `remarks`.

Exit codes are those of the BLAST+ manual (https://www.ncbi.nlm.nih.gov/books/NBK279684, "exit codes"): 1 query or
options, 2 database, 3 engine, 4 out of memory, 5 network, 6 output. Others were seen with 2.12: 127 a library that did
not load, 134 abort (a full disk in every format but pairwise), 135 a memory-mapped database file that shrank, 139 a
truncated one, 153 the limit of file sizes, 255 an exception of its C++ code.
"""

import re
from collections.abc import Mapping

from blastd.blastplus.remarks import cut
from blastd.core.engine import Trouble

SIGABRT, SIGBUS, SIGKILL, SIGSEGV, SIGXCPU, SIGXFSZ = 6, 7, 9, 11, 24, 25

MEMORY_WORDS = (
    "bad_alloc",
    "out of memory",
    "memory allocation",
    "cannot allocate",
    "zero-fill pages",
    "enomem",
    "failed to map segment",
)
DISK_WORDS = ("no space left", "failed to write", "write failed", "disk quota", "ios_failure", "iostream error")
# What 2.12 says, with exit code 3, when a memory limit stops it while it prepares a search.
VAGUE = "Unknown error code -1"

SAID = re.compile(r"^(?:BLAST [\w/ ]*?error|Error|Critical|Fatal): ?", re.IGNORECASE)
CLASS = re.compile(r"^(?:Error: *)?\(C\w+::\w+\) *")
PLACE = re.compile(r'^T\d+ ".*?", line \d+: *')
MANUAL = "Please refer to the BLAST+ user manual."


# ---------------------------------------------------------------- failures


def cause(stderr: str) -> str:
    """Return why it failed, in BLAST+'s words: the message that begins "BLAST ... error:", else the last telling line.

    A page of USAGE has its cause in the last line; a C++ exception in the first line that names a place.
    """
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and line.strip() != MANUAL]
    for number, line in enumerate(lines):
        if re.match(r"BLAST [\w/ ]*error:", line):
            told = " ".join([SAID.sub("", line), *lines[number + 1 :]])
            return cut(_once(told))
    if places := [line for line in lines if PLACE.match(line)]:
        return cut(CLASS.sub("", PLACE.sub("", places[0])))
    for line in reversed(lines):
        text = SAID.sub("", CLASS.sub("", line)).strip()
        if text and not text.startswith("==="):
            return cut(text)
    return ""


def _once(text: str) -> str:
    """Return a message that BLAST+ repeats for each query ("Error: x Error: x") once."""
    parts = [part.strip() for part in re.split(r"\b(?:Error|Warning): ", text)]
    return "; ".join(dict.fromkeys(part for part in parts if part))


def explain(
    *,
    exit_code: int | None,
    signal: int | None,
    stderr: str,
    program: str,
    timed_out: bool = False,
    time_limit_seconds: float | None = None,
    memory_limit_bytes: int | None = None,
) -> Trouble:
    """Return the failure of a unit; a shell's 128 + n counts as signal n."""
    if timed_out:
        limit = f" of {time_limit_seconds:g} s" if time_limit_seconds else ""
        return Trouble(
            code="time_limit",
            sentence=f"{program} was stopped at its time limit{limit}.",
            remedy="Search fewer sequences or a smaller database at once, or ask for a longer limit, within the operator's.",
        )
    if signal is None and exit_code is not None and 128 < exit_code < 192:
        signal = exit_code - 128
    # a warning repeats the title of a query, whose words must not choose the code
    serious = "\n".join(line for line in stderr.splitlines() if not line.startswith("Warning:"))
    said, low = cause(serious), serious.lower()
    if exit_code == 6 or any(word in low for word in DISK_WORDS):
        return no_room(program, said)
    vague = exit_code == 3 and said == VAGUE and memory_limit_bytes is not None
    if exit_code == 4 or vague or any(word in low for word in MEMORY_WORDS):
        return _memory(program, memory_limit_bytes)
    if signal is not None:
        return _signal(signal, program, said, memory_limit_bytes)
    return _code(exit_code, program, said)


CODES: Mapping[int, tuple[str, str, str, bool]] = {
    1: ("bad_input", "refused the query or an option", "Correct it and submit again.", False),
    2: (
        "database_error",
        "could not use the database",
        "See the catalogue for its state; it may have been removed or damaged.",
        False,
    ),
    3: ("engine_error", "could not do this search", "Change the options or queries that it names.", False),
    5: ("network_error", "failed on the network", "Retry.", True),
    127: ("not_installed", "could not be started", "Install NCBI BLAST+ again; 'blastd doctor' checks it.", False),
    255: ("crashed", "crashed", "Retry; if it happens again, report the query, the options and this message.", False),
}
"""By exit code: error code, what happened, remedy, whether a retry may help."""


def _code(exit_code: int | None, program: str, said: str) -> Trouble:
    named = said or f"it said nothing and ended with exit code {exit_code}"
    unknown = ("crashed", f"ended with exit code {exit_code}", "Retry; see the log of the job.", False)
    code, happened, remedy, retryable = CODES.get(exit_code or 0, unknown)
    return Trouble(code=code, sentence=f"{program} {happened}: {named}", remedy=remedy, retryable=retryable)


SIGNALS: Mapping[int, tuple[str, str, str, bool]] = {
    SIGBUS: (
        "database_changed",
        "lost a database file that became shorter while it was read.",
        "Submit again; replace databases with makeblastdb or by renaming, not with cp.",
        False,
    ),
    SIGSEGV: (
        "crashed",
        "crashed (SIGSEGV), as it does on a truncated database.",
        "Rescan the databases and see whether one is broken; else report the query and the options.",
        False,
    ),
    SIGXFSZ: ("output_limit", "reached the limit of file sizes.", "Raise the limit, or ask for fewer hits.", False),
    SIGXCPU: ("time_limit", "used up its CPU time.", "Search less at once, or raise the limit.", False),
    SIGKILL: (
        "killed",
        "was killed from outside (SIGKILL), often by the system when memory runs out.",
        "Retry with fewer sequences at once or when the machine is less busy; the system's log says who killed it.",
        True,
    ),
}
"""By signal: error code, what happened, remedy, whether a retry may help."""


def _signal(signal: int, program: str, said: str, memory_limit_bytes: int | None) -> Trouble:
    if signal == SIGABRT and "allocat" in said.lower():
        return _memory(program, memory_limit_bytes)
    named = f": {said}" if said else "."
    unknown = ("killed", f"was ended by signal {signal}{named}", "Retry.", True)
    if signal == SIGABRT:
        unknown = ("crashed", f"ended itself (SIGABRT){named}", "Retry; see the log of the job.", False)
    code, happened, remedy, retryable = SIGNALS.get(signal, unknown)
    return Trouble(code=code, sentence=f"{program} {happened}", remedy=remedy, retryable=retryable)


def _memory(program: str, limit: int | None) -> Trouble:
    return Trouble(
        code="out_of_memory",
        sentence=f"{program} ran out of memory{f' at its limit of {limit:,} bytes' if limit else ''}.",
        remedy="Search fewer sequences at once, ask for fewer hits, or raise the memory limit.",
    )


def no_room(program: str, said: str) -> Trouble:
    """Return the failure of a search whose output found no room on the disk."""
    return Trouble(
        code="disk_full",
        sentence=f"{program} could not write its output{f': {said}' if said else '.'}",
        remedy="Free disk space, then retry.",
        retryable=True,
    )
