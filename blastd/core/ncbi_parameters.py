"""Which parameters of the NCBI URL API are honoured, ignored because they are harmless, or refused. Pure.

Nothing that limits, excludes or selects is ignored: a parameter that is in none of these tables and whose name says so
(`limits`) is refused by its name, since a result that is not limited as asked would be taken for one that is.
"""

import re
from collections.abc import Mapping

from blastd.core.ncbi_view import EMPTY

HONOURED: Mapping[str, str] = {
    "CMD": "Put, Get, Delete",
    "PROGRAM": "blastn, blastp, blastx, tblastn, tblastx, megablast, psiblast, deltablast, rpsblast, rpstblastn",
    "SERVICE": "plain, megablast; psi, delta_blast and rpsblast with PROGRAM=blastp, rpsblast with blastx, too",
    "RUN_PSIBLAST": "SERVICE=psi",
    "NUM_ITERATIONS": "-num_iterations of psi and delta_blast (1: NCBI's, whose next iteration is another Put)",
    "I_THRESH": "-inclusion_ethresh of psi and delta_blast",
    "PSSM": "a matrix in ASN.1 text, in place of QUERY (-in_pssm), with SERVICE=psi",
    "PSI_PSSM": "the same",
    "BLAST_PROGRAMS": "the task, in NCBI's names",
    "MEGABLAST": "the task megablast",
    "DATABASE": "one database, or several parted by blanks",
    "QUERY": "FASTA, a bare sequence, or accessions that the databases hold",
    "QUERYFILE": "the same, as a file of a form",
    "QUERY_FROM": "first position of every query",
    "QUERY_TO": "last position of every query",
    "JOB_TITLE": "title of the search",
    "EXPECT": "-evalue",
    "WORD_SIZE": "-word_size",
    "NUCL_REWARD": "-reward",
    "NUCL_PENALTY": "-penalty",
    "MATCH_SCORES": "-reward and -penalty",
    "MATRIX": "-matrix",
    "MATRIX_NAME": "-matrix",
    "GAPCOSTS": "-gapopen and -gapextend",
    "THRESHOLD": "-threshold",
    "PERC_IDENT": "-perc_identity",
    "HITLIST_SIZE": "-max_target_seqs of a Put, fewer subjects of a Get",
    "MAX_NUM_SEQ": "-max_target_seqs",
    "MAX_NUM_RANGES": "-culling_limit",
    "HSP_RANGE_MAX": "-culling_limit",
    "DBSEQ_NUM": "-dbsize",
    "EFF_SEARCHSP": "-searchsp",
    "SEARCHSP_EFF": "-searchsp",
    "GENETIC_CODE": "-query_gencode",
    "DB_GENETIC_CODE": "-db_gencode",
    "COMPOSITION_BASED_STATISTICS": "-comp_based_stats",
    "FILTER": "F, T, L, mL: low complexity for the whole search or for the lookup table",
    "LCASE_MASK": "-lcase_masking",
    "UNGAPPED_ALIGNMENT": "-ungapped",
    "STRAND": "-strand",
    "QUERY_STRAND": "-strand",
    "TEMPLATE_LENGTH": "-template_length",
    "TEMPLATE_TYPE": "-template_type",
    "SHORT_QUERY_ADJUST": "the task for short queries, where every query has at most 30 letters",
    "TAXIDS": "-taxids",
    "RID": "the search of a Get or Delete",
    "FORMAT_TYPE": "HTML, Text, XML, XML2, XML2_S, JSON2, JSON2_S, Tabular, CSV, ASN.1",
    "FORMAT_OBJECT": "Alignment, SearchInfo",
    "ALIGNMENT_VIEW": "Pairwise, the four query-anchored views, Tabular",
    "DESCRIPTIONS": "fewer descriptions in text and HTML",
    "ALIGNMENTS": "fewer alignments in text and HTML",
    "NCBI_GI": "GIs where the database has them",
    "ENTREZ_QUERY": "organisms only, like txid562[ORGN] OR txid9606[ORGN] NOT txid83333[ORGN]; anything else is refused",
    "EQ_TEXT": "the same",
    "EQ_MENU": "an organism by name or id, as NCBI's form sends it; also EQ_MENU1, EQ_MENU2, ...",
    "EQ_OP": "OR; NOT leaves the organism of EQ_MENU out",
    "ORG_EXCLUDE": "leaves the organism of EQ_MENU out; also ORG_EXCLUDE1, ...",
    "API_KEY": "a token of this service, for clients that can send no header",
}
"""Parameters that do here what they do at NCBI, and what they become."""
WHOLE = "a report holds all hits that were found, and only DESCRIPTIONS, ALIGNMENTS and HITLIST_SIZE shorten it"
NO_SUBJECTS = "two-sequence searches are not offered here: make a database of the subjects"
REFUSED: Mapping[str, str] = {
    "PHI_PATTERN": "PHI-BLAST is not offered here",
    "BL2SEQ": NO_SUBJECTS,
    "SUBJECTS": NO_SUBJECTS,
    "SUBJECTS_FROM": NO_SUBJECTS,
    "SUBJECTS_TO": NO_SUBJECTS,
    "DB_BRANCH": "taxonomic limits are given as EQ_MENU, ENTREZ_QUERY or TAXIDS here",
    "ORGANISM": "limits by organism are given as EQ_MENU, ENTREZ_QUERY or TAXIDS here",
    "EXCLUDE_MODELS": "model sequences are not told apart here",
    "EXCLUDE_SEQ_UNCULT": "uncultured samples are not told apart here",
    "WP_PROTEINS": "non-redundant RefSeq proteins are not told apart here",
    "CLUSTERED_DB": "clustered databases are not told apart here",
    "OTHER_ADVANCED": "options of the old blastall are not offered here: use the parameters for them",
    "BLAST_SPEC": "NCBI's special databases are not here: name one in DATABASE",
    "QUERY_FILE": "files of NCBI are not here: send the sequences as QUERY",
    "REPEATS": "filters by species-specific repeats are not offered here",
    "EXPECT_LOW": WHOLE,
    "EXPECT_HIGH": WHOLE,
    "PERC_IDENT_LOW": WHOLE,
    "PERC_IDENT_HIGH": WHOLE,
    "FORMAT_ENTREZ_QUERY": WHOLE,
    "FORMAT_ORGANISM": WHOLE,
    "FORMAT_EQ_TEXT": WHOLE,
}
"""Parameters that would change a result and are not done here, with the reason. Their empty values are no fault."""
HARMLESS: Mapping[str, str] = {
    "TOOL": "who asks",
    "EMAIL": "who asks",
    "CLIENT": "who asks",
    "USER_TYPE": "who asks",
    "PAGE": "NCBI's page",
    "PAGE_TYPE": "NCBI's page",
    "NUM_ORG": "how many fields for organisms the page has",
    "FORMAT_NUM_ORG": "how many fields for organisms the page has",
    "ORG_DBS": "how the page lists databases",
    "SELECTED_PROG_TYPE": "which tab of the page is open",
    "MASK_CHAR": "how masked letters look on the page",
    "MASK_COLOR": "how masked letters look on the page",
    "NUM_OVERVIEW": "how many bars the page draws",
    "LINE_LENGTH": "letters in a line of the page",
    "MAX_NUM_SEQ_DEFAULT": "what the page says by itself",
    "HSP_SORT": "order on the page",
    "DISPLAY_SORT": "order on the page",
    "SHOW_OVERVIEW": "pictures of the page",
    "SHOW_LINKOUT": "links of the page",
    "GET_SEQUENCE": "links of the page",
    "LINK_LOC": "links of the page",
    "NEW_VIEW": "looks of the page",
    "OLD_VIEW": "looks of the page",
    "OLD_BLAST": "looks of the page",
    "DYNAMIC_FORMAT": "looks of the page",
    "CONFIG_DESCR": "columns of the page",
    "WWW_BLAST_TYPE": "NCBI's page",
    "AUTO_FORMAT": "whether NCBI's page goes on by itself",
    "RESULTS_FILE": "whether a browser saves the answer",
}
"""Parameters of NCBI's own forms that only shape a page or say who asks: they change no result."""
PLACEHOLDERS = ("enter organism", "all organisms")
"""What NCBI's own form sends for a field that nobody filled in."""
EVERYTHING = frozenset({"all [filter]", "all[filter]"})
WORDS = frozenset(
    {
        "BEST", "BRANCH", "COV", "COVERAGE", "CULLING", "CUTOFF", "ENTREZ", "EXCEPT", "EXCLUDE", "FILTER", "GILIST", "HIGH",
        "IDENT", "IDENTITY", "INCLUDE", "KINGDOM", "LIMIT", "LIMITS", "LIST", "LOW", "MASK", "MASKING", "MAX", "MIN",
        "NEGATIVE", "ONLY", "ORG", "ORGANISM", "ORGANISMS", "QCOV", "RANGE", "RESTRICT", "SELECT", "SEQIDLIST", "SPECIES",
        "SUBSET", "TAX", "TAXID", "TAXIDS", "TAXON", "TAXONOMY", "THRESH", "THRESHOLD",
    }
)  # fmt: skip
BEGINNINGS = (
    "EXCL", "INCL", "LIMIT", "MAX", "MIN", "NEGATIVE", "ORGANISM", "RESTRICT", "SELECT", "SEQID", "SUBSET", "TAX", "FILTER",
    "ENTREZ",
)  # fmt: skip


def limits(name: str) -> bool:
    """Tell whether the *name* (in upper case) of an unknown parameter says that it limits, excludes or selects."""
    words = [word for word in re.split(r"[^A-Z]+", name) if word]
    return any(word in WORDS or word.startswith(BEGINNINGS) for word in words)


def asks_nothing(value: str) -> bool:
    """Tell whether a value is one that NCBI's own form sends for a field that nobody filled in."""
    text = value.strip().lower()
    return text in EMPTY | EVERYTHING or text.startswith(PLACEHOLDERS)


def refusals(given: Mapping[str, str]) -> list[str]:
    """Return a sentence for each parameter of *given* (names in upper case) that is refused."""
    faults = []
    for name, value in given.items():
        if name in HONOURED or name in HARMLESS or asks_nothing(value):
            continue
        if name in REFUSED:
            faults.append(f"{name}: {REFUSED[name]}.")
        elif limits(name):
            faults.append(
                f"{name[:40]} is not known here, and its name says that it limits or selects: leave it out, since the result "
                "would not be limited."
            )
    return faults


def table() -> str:
    """Return the table of parameters as docs/ncbi.md has it."""
    lines = ["| parameter | here | what it does, or why not |", "|---|---|---|"]
    for kind, parameters in (("honoured", HONOURED), ("refused", REFUSED), ("ignored", HARMLESS)):
        lines += [f"| `{name}` | {kind} | {text} |" for name, text in parameters.items()]
    return "\n".join(lines) + "\n"
