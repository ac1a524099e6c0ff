"""The NCBI URL API as data: the parameters of a Put to a search, and RIDs. Pure. Those of a Get: `core/ncbi_view.py`.

Source: NCBI, "BLAST URL API" (https://blast.ncbi.nlm.nih.gov/doc/blast-help/urlapi.html). Keys and enumerated values are
read in any case. What only shapes the page is read at Get; what is unknown is ignored as NCBI does; what would change
the result and is not done here is a fault, never ignored.
"""

import re
from collections.abc import Iterable, Mapping

from blastd.core import ncbi_parameters
from blastd.core.ids import JobId
from blastd.core.model import Frozen
from blastd.core.ncbi_organisms import organisms
from blastd.core.ncbi_view import EMPTY, NO, YES
from blastd.core.program_table import ITERATED, SEARCH_PROFILES, TITLES
from blastd.core.programs import HIGHEST_POSITION
from blastd.errors import NotFound

RID_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
RID_LENGTH = 11
RID_DIGITS = 14  # 56 bits of the UUID: 36^11 is greater than 2^56, and two jobs with the same 56 bits don't happen
PROGRAMS = tuple(TITLES)
TASKS = {
    "megaBlast": "megablast",
    "discoMegablast": "dc-megablast",
    "dc-megablast": "dc-megablast",
    "blastn": "blastn",
    "blastp": "blastp",
    "kmerBlastp": "blastp-fast",
    "quickBlastp": "blastp-fast",
    "blastx": "blastx",
    "tblastn": "tblastn",
    "tblastx": "",
    "psiBlast": "",
    "deltaBlast": "",
}
"""Values of BLAST_PROGRAMS as NCBI spells them, read in any case, and our tasks."""
OF_PROFILES = frozenset({"matrix", "gapopen", "gapextend", "word_size", "threshold"})
"""What profiles bring along: forms send these for every program, and rpsblast has no such options."""
SERVICES: Mapping[str, Mapping[str, str]] = {
    "psi": {"blastp": "psiblast", "psiblast": "psiblast", "tblastn": "tblastn"},
    "rpsblast": {"blastp": "rpsblast", "blastx": "rpstblastn", "rpsblast": "rpsblast", "rpstblastn": "rpstblastn"},
    "delta_blast": {"blastp": "deltablast", "deltablast": "deltablast"},
}
"""What a SERVICE makes of a PROGRAM; psi with tblastn takes a PSSM."""
TASKS_LOWER = {name.lower(): task for name, task in TASKS.items()}
NUMBERS = {
    "EXPECT": "evalue",
    "WORD_SIZE": "word_size",
    "NUCL_REWARD": "reward",
    "NUCL_PENALTY": "penalty",
    "HITLIST_SIZE": "max_target_seqs",
    "MAX_NUM_SEQ": "max_target_seqs",
    "THRESHOLD": "threshold",
    "PERC_IDENT": "perc_identity",
    "GENETIC_CODE": "query_gencode",
    "DB_GENETIC_CODE": "db_gencode",
    "MAX_NUM_RANGES": "culling_limit",
    "DBSEQ_NUM": "dbsize",
    "EFF_SEARCHSP": "searchsp",
    "SEARCHSP_EFF": "searchsp",
    "HSP_RANGE_MAX": "culling_limit",
    "I_THRESH": "inclusion_ethresh",
    "NUM_ITERATIONS": "num_iterations",
}
TRANSLATES_QUERY = frozenset({"blastx", "tblastx", "rpstblastn"})
TRANSLATES_DATABASE = frozenset({"tblastn", "tblastx"})
COMPOSITION = frozenset({"blastp", "blastx", "tblastn", "psiblast", "deltablast"})
SEVERAL = frozenset({"FILTER", "DATABASE"})
"""Parameters whose repeats add up: NCBI's own form has a box for each filter."""
VALUE_LETTERS = 20_000
LONG = frozenset({"QUERY", "QUERYFILE", "TAXIDS", "PSSM", "PSI_PSSM"})
"""Parameters that may hold more than VALUE_LETTERS."""
ACCESSION = re.compile(r"[A-Za-z]{1,6}_?\d{3,12}(\.\d+)?|\d{3,12}|(gi|gb|ref|emb|dbj|sp|pir|lcl|gnl)\|\S+")
SHORT_LETTERS = 31
"""NCBI adjusts parameters for queries up to 30 letters when asked to (SHORT_QUERY_ADJUST)."""


class Put(Frozen, frozen=True, kw_only=True):
    """A search asked for by CMD=Put; `accessions` stand for the query when it names sequences instead of holding them."""

    program: str
    task: str | None
    databases: tuple[str, ...]
    query: str
    accessions: tuple[str, ...]
    options: dict[str, str | bool]
    query_loc: str | None
    title: str
    organisms: tuple[str, ...] = ()
    exclude_organisms: tuple[str, ...] = ()
    query_type: str = "sequences"


def rid(job_id: JobId) -> str:
    """Return the Request ID of a job: 11 of 0-9A-Z that hold the first 56 bits of its UUID."""
    number = int(job_id.replace("-", "")[:RID_DIGITS], 16)
    text = ""
    for _ in range(RID_LENGTH):
        number, digit = divmod(number, len(RID_LETTERS))
        text = RID_LETTERS[digit] + text
    return text


def digits(text: str) -> str:
    """Return the 14 hexadecimal digits with which the id of the job of a RID begins. Raises NotFound for other text."""
    upper = text.strip().upper()
    if len(upper) != RID_LENGTH or any(letter not in RID_LETTERS for letter in upper):
        raise NotFound(f"There is no search with the RID {text[:40]!r}.")
    number = int(upper, len(RID_LETTERS))
    if number >= 16**RID_DIGITS:
        raise NotFound(f"There is no search with the RID {upper}.")
    return f"{number:0{RID_DIGITS}x}"


def keys(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return parameters by upper-case name; of a repeated one the last that is not empty counts, as at NCBI.

    Those of which each repeat says something of its own are joined by blanks.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        upper = name.strip().upper()
        if upper in SEVERAL and value and found.get(upper):
            found[upper] += f" {value}"
        elif value or upper not in found:
            found[upper] = value
    return found


def put(given: Mapping[str, str]) -> tuple[Put | None, list[str]]:
    """Return the search that *given* asks for, or None and every fault as a sentence."""
    faults = [
        f"{name[:40]} has more than {VALUE_LETTERS:,} letters."
        for name, value in given.items()
        if name not in LONG and len(value) > VALUE_LETTERS
    ]
    if faults:
        return None, faults
    program = given.get("PROGRAM", "").strip().lower()
    task: str | None = None
    if program == "megablast":
        program, task = "blastn", "megablast"
    if program not in PROGRAMS:
        faults.append(f"PROGRAM {program!r} is not offered: choose one of {', '.join(PROGRAMS)}.")
    service = given.get("SERVICE", "").strip().lower()
    program = _program(program, service, given, faults)
    task = task or _task(program, service, given, faults)
    faults += ncbi_parameters.refusals(given)
    options = _options(program, given, faults)
    matrix = next((given[name] for name in ("PSSM", "PSI_PSSM") if given.get(name, "").strip()), "")
    text = given.get("QUERY", "") or given.get("QUERYFILE", "")
    query, accessions = (matrix, ()) if matrix else _query(text)
    if not query and not accessions:
        faults.append("QUERY holds neither sequences nor accessions: paste FASTA, a bare sequence or accessions.")
    databases = tuple(dict.fromkeys(given.get("DATABASE", "").split()))
    if not databases:
        faults.append("DATABASE is missing.")
    loc = _location(given, faults)
    limits = organisms(given, faults)
    if faults:
        return None, faults
    return Put(
        program=program,
        task=_short(task, program, query, given),
        databases=databases,
        query=query,
        accessions=accessions,
        options=options,
        query_loc=loc,
        title=given.get("JOB_TITLE", "").strip(),
        organisms=limits.include,
        exclude_organisms=limits.exclude,
        query_type="pssm" if matrix else "sequences",
    ), []


def _program(program: str, service: str, given: Mapping[str, str], faults: list[str]) -> str:
    """Return the program that PROGRAM, SERVICE, BLAST_PROGRAMS and RUN_PSIBLAST name together."""
    asked = given.get("BLAST_PROGRAMS", "").strip().lower()
    if given.get("RUN_PSIBLAST", "").strip().lower() in YES or asked == "psiblast":
        service = "psi"
    elif asked == "deltablast":
        service = "delta_blast"
    if service in ("", "plain", "megablast", "none"):
        return program
    if service not in SERVICES:
        faults.append(
            f"SERVICE {service!r} is not offered here: leave it out, or say plain, megablast, {', '.join(SERVICES)}."
        )
        return program
    found = SERVICES[service].get(program)
    if found is None:
        faults.append(f"SERVICE {service} goes with PROGRAM {' or '.join(SERVICES[service])}.")
    return found or program


def _task(program: str, service: str, given: Mapping[str, str], faults: list[str]) -> str | None:
    asked = given.get("BLAST_PROGRAMS", "").strip().lower()
    if asked:
        task = TASKS_LOWER.get(asked)
        if task is None:
            faults.append(f"BLAST_PROGRAMS {asked!r} is not offered here: choose one of {', '.join(TASKS)}.")
        return task or None
    if program != "blastn":
        return None
    if _flag(given, "MEGABLAST", faults) or service == "megablast":
        return "dc-megablast" if given.get("TEMPLATE_LENGTH", "") not in EMPTY else "megablast"
    return "blastn"


def _short(task: str | None, program: str, query: str, given: Mapping[str, str]) -> str | None:
    """Return the task for short queries when SHORT_QUERY_ADJUST asks for it and every query is short."""
    if (
        given.get("SHORT_QUERY_ADJUST", "").strip().lower() not in YES
        or not query
        or program not in ("blastn", "blastp")
    ):
        return task
    records = [part for part in re.split(r"(?m)^>.*$", query) if part.strip()]
    lengths = [sum(letter.isalpha() for letter in record) for record in records]
    return f"{program}-short" if lengths and max(lengths) < SHORT_LETTERS else task


def _options(  # noqa: C901, PLR0912  # one line for each parameter of NCBI's table
    program: str, given: Mapping[str, str], faults: list[str]
) -> dict[str, str | bool]:
    options: dict[str, str | bool] = {}
    for name, option in NUMBERS.items():
        value = given.get(name, "").strip()
        if not value or not _applies(program, option):
            continue
        if option in ("culling_limit", "dbsize", "searchsp") and value == "0":
            continue
        options[option] = value
    scores = given.get("MATCH_SCORES", "").replace(",", " ").split()  # of NCBI's own form
    if scores and program == "blastn" and not {"reward", "penalty"} & options.keys():
        if len(scores) != 2:
            faults.append(f"MATCH_SCORES {' '.join(scores)[:40]!r} is not a pair of numbers like '1,-2'.")
        else:
            options["reward"], options["penalty"] = scores
    matrix = (given.get("MATRIX_NAME") or given.get("MATRIX") or "").strip()
    if matrix and program != "blastn":
        options["matrix"] = matrix.upper()
    if gaps := given.get("GAPCOSTS", "").replace("+", " ").split():
        if len(gaps) != 2 or not all(re.fullmatch(r"-?\d+", cost) for cost in gaps):
            faults.append(f"GAPCOSTS {' '.join(gaps)!r} is not a pair of numbers like '11 1'.")
        elif program != "tblastx":
            options["gapopen"], options["gapextend"] = gaps
    _filter(program, given, options, faults)
    if (stats := given.get("COMPOSITION_BASED_STATISTICS", "").strip().lower()) and program in COMPOSITION:
        options["comp_based_stats"] = {"yes": "2", "on": "2", "true": "2", "no": "0", "off": "0", "false": "0"}.get(
            stats, stats
        )
    if _flag(given, "UNGAPPED_ALIGNMENT", faults) and program != "tblastx":
        options["ungapped"] = True
    if _flag(given, "LCASE_MASK", faults):
        options["lcase_masking"] = True
    strand = given.get("STRAND", given.get("QUERY_STRAND", "")).strip().lower()
    if strand in ("1", "2", "plus", "minus", "top", "bottom") and program in ("blastn", "blastx", "tblastx"):
        options["strand"] = "plus" if strand in ("1", "plus", "top") else "minus"
    if given.get("TEMPLATE_LENGTH", "0").strip() not in EMPTY:
        options["template_length"] = given["TEMPLATE_LENGTH"].strip()
        options["template_type"] = {"0": "coding", "1": "optimal", "2": "coding_and_optimal"}.get(
            given.get("TEMPLATE_TYPE", "0").strip(), given.get("TEMPLATE_TYPE", "").strip()
        )
    if taxids := given.get("TAXIDS", "").strip():
        options["taxids"] = taxids
    if program in SEARCH_PROFILES:
        return {name: value for name, value in options.items() if name not in OF_PROFILES}
    return options


def _applies(program: str, option: str) -> bool:
    """NCBI's forms send every field; those that mean nothing for the program are passed over."""
    match option:
        case "reward" | "penalty" | "perc_identity":
            return program == "blastn"
        case "threshold":
            return program != "blastn"
        case "num_iterations" | "inclusion_ethresh":
            return program in ITERATED
        case "query_gencode":
            return program in TRANSLATES_QUERY
        case "db_gencode":
            return program in TRANSLATES_DATABASE
        case _:
            return True


def _filter(program: str, given: Mapping[str, str], options: dict[str, str | bool], faults: list[str]) -> None:
    """FILTER: F off, T or L low complexity; m, in front or as a part: for the lookup table only. Parts are joined by ';'.

    Without m letters are masked for the whole search (`-soft_masking false`), as NCBI does, and as a report of NCBI's
    shows by its `L;` or `L;m;`. BLAST+ alone would mask nucleotides for the lookup table only.
    """
    value = given.get("FILTER", "").strip()
    if not value:
        return
    low, masks, soft = "dust" if program == "blastn" else "seg", False, False
    for part in filter(None, re.split(r"[;\s]+", value)):
        letters = part.lower()
        if letters in NO:
            options[low] = "no"
            continue
        soft = soft or letters.startswith("m")
        rest = letters.removeprefix("m")
        if rest in ("t", "l", "d", "s") or letters in YES:
            masks = True
        elif rest not in ("", "f"):
            faults.append(f"FILTER {part!r} is not offered here: use F, T, L or mL.")
    if masks:
        options[low] = "yes"
    if soft or masks:
        options["soft_masking"] = "true" if soft else "false"


def _flag(given: Mapping[str, str], name: str, faults: list[str]) -> bool:
    value = given.get(name, "").strip().lower()
    if value in YES:
        return True
    if value not in NO:
        faults.append(f"{name} {value!r} is neither on nor off.")
    return False


def _location(given: Mapping[str, str], faults: list[str]) -> str | None:
    """Return the part of the query; 0 and nothing are its ends. BLAST+ takes one part, and of every query the same."""
    first, last = (given.get(name, "").strip() for name in ("QUERY_FROM", "QUERY_TO"))
    first, last = ("" if part == "0" else part for part in (first, last))
    if not first and not last:
        return None
    if not all(part == "" or re.fullmatch(r"[1-9][0-9]{0,9}", part) for part in (first, last)):
        faults.append(
            "QUERY_FROM and QUERY_TO are positions in the query, from 1; one part is taken, the same of each query."
        )
        return None
    return f"{first or 1}-{last or HIGHEST_POSITION}"


def _query(text: str) -> tuple[str, tuple[str, ...]]:
    """Tell sequences from accessions: a word of digits, or of letters that end in digits, names a sequence."""
    bare = text.strip()
    if not bare:
        return "", ()
    if bare.startswith(">") or len(bare) > VALUE_LETTERS:
        return text, ()
    words = bare.split()
    return ("", tuple(words)) if all(ACCESSION.fullmatch(word) for word in words) else (text, ())
