"""Which programs and tasks are offered, and which options of BLAST+ are not: tables, nothing else.

What the options are comes from the installed BLAST+ (core/options.py); the check is in core/programs.py.
"""

from collections.abc import Mapping

TASKS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "blastn": {
        "megablast": {"word_size": "28", "reward": "1", "penalty": "-2", "gapopen": "0", "gapextend": "0"},
        "dc-megablast": {
            "word_size": "11", "reward": "2", "penalty": "-3", "gapopen": "5", "gapextend": "2",
            "template_type": "coding", "template_length": "18", "window_size": "40",
        },
        "blastn": {"word_size": "11", "reward": "2", "penalty": "-3", "gapopen": "5", "gapextend": "2"},
        "blastn-short": {"word_size": "7", "reward": "1", "penalty": "-3", "gapopen": "5", "gapextend": "2"},
    },
    "blastp": {
        "blastp": {
            "word_size": "3", "matrix": "BLOSUM62", "gapopen": "11", "gapextend": "1", "threshold": "11",
            "window_size": "40",
        },
        "blastp-short": {
            "word_size": "2", "matrix": "PAM30", "gapopen": "9", "gapextend": "1", "threshold": "16",
            "window_size": "15",
        },
        "blastp-fast": {
            "word_size": "6", "matrix": "BLOSUM62", "gapopen": "11", "gapextend": "1", "threshold": "21",
            "window_size": "40",
        },
    },
    "blastx": {
        "blastx": {
            "word_size": "3", "matrix": "BLOSUM62", "gapopen": "11", "gapextend": "1", "threshold": "12",
            "window_size": "40",
        },
        "blastx-fast": {
            "word_size": "6", "matrix": "BLOSUM62", "gapopen": "11", "gapextend": "1", "threshold": "21",
            "window_size": "40",
        },
    },
    "tblastn": {
        "tblastn": {
            "word_size": "3", "matrix": "BLOSUM62", "gapopen": "11", "gapextend": "1", "threshold": "13",
            "window_size": "40",
        },
        "tblastn-fast": {
            "word_size": "6", "matrix": "BLOSUM62", "gapopen": "11", "gapextend": "1", "threshold": "21",
            "window_size": "40",
        },
    },
    "tblastx": {"tblastx": {"word_size": "3", "matrix": "BLOSUM62", "threshold": "13", "window_size": "40"}},
    "psiblast": {
        "psiblast": {
            "word_size": "3", "matrix": "BLOSUM62", "gapopen": "11", "gapextend": "1", "threshold": "11",
            "window_size": "40",
        },
    },
    "deltablast": {
        "deltablast": {
            "word_size": "3", "matrix": "BLOSUM62", "gapopen": "11", "gapextend": "1", "threshold": "11",
            "window_size": "40",
        },
    },
    "rpsblast": {"rpsblast": {"window_size": "40"}},
    "rpstblastn": {"rpstblastn": {"window_size": "40"}},
}  # fmt: skip
"""Tasks by program, the default one first, with the defaults that BLAST+ sets by task and its help does not tell.

Read from what 2.12 reports (-export_search_strategy, params of -outfmt 15); tests/integration/test_tools.py runs each
task with and without them and compares the output. The E-value is 10 for every task: 1000 for short queries is a
custom of NCBI's web page, not of the programs.
"""

TITLES: Mapping[str, tuple[str, str, str]] = {
    "blastn": ("Nucleotide against nucleotide", "nucl", "nucl"),
    "blastp": ("Protein against protein", "prot", "prot"),
    "blastx": ("Translated nucleotide against protein", "nucl", "prot"),
    "tblastn": ("Protein against translated nucleotide", "prot", "nucl"),
    "tblastx": ("Translated nucleotide against translated nucleotide", "nucl", "nucl"),
    "psiblast": ("Protein against protein, with a profile made of what was found", "prot", "prot"),
    "deltablast": ("Protein against protein, with a profile made of domains", "prot", "prot"),
    "rpsblast": ("Protein against profiles of domains", "prot", "prot"),
    "rpstblastn": ("Translated nucleotide against profiles of domains", "nucl", "prot"),
}
"""What a program compares, and the molecules of query and database."""

SEARCH_PROFILES = frozenset({"rpsblast", "rpstblastn"})
"""Programs whose databases hold profiles (makeprofiledb); all others search sequences."""
ITERATED = frozenset({"psiblast", "deltablast"})
"""Programs that search several times, each time with a profile made of what they found before."""
PROFILED = SEARCH_PROFILES | ITERATED
STARTS: Mapping[str, Mapping[str, str]] = {
    "psiblast": {"pssm": "in_pssm", "msa": "in_msa"},
    "tblastn": {"pssm": "in_pssm"},
}
"""What a search can begin with beside sequences, by program: the `query_type`, and BLAST+'s option for it."""
DOMAINS = "rpsdb"
"""The option that names a database of domains beside that which is searched."""

TASK_HELP: Mapping[str, str] = {
    "megablast": "Very similar sequences; the fastest",
    "dc-megablast": "Somewhat similar sequences, across species",
    "blastn": "Distantly similar sequences, with shorter words",
    "blastn-short": "Queries under 30 letters, such as primers",
    "blastp": "Ordinary protein search",
    "blastp-short": "Queries under 30 residues, such as peptides",
    "blastp-fast": "Faster, with longer words",
    "blastx": "Ordinary translated search",
    "blastx-fast": "Faster, with longer words",
    "tblastn": "Ordinary translated search",
    "tblastn-fast": "Faster, with longer words",
    "tblastx": "Ordinary translated search",
    "psiblast": "Finds distant relatives; num_iterations says how often",
    "deltablast": "Finds distant relatives by their domains",
    "rpsblast": "Finds the domains of proteins",
    "rpstblastn": "Finds the domains that are encoded",
}
TASK_TITLES: Mapping[str, str] = {
    "megablast": "Highly similar",
    "dc-megablast": "More dissimilar",
    "blastn": "Somewhat similar",
    "blastn-short": "Short (primers)",
    "blastp": "Standard",
    "blastp-short": "Short peptides",
    "blastp-fast": "Fast",
    "blastx": "Standard",
    "blastx-fast": "Fast",
    "tblastn": "Standard",
    "tblastn-fast": "Fast",
    "tblastx": "Standard",
    "psiblast": "Standard",
    "deltablast": "Standard",
    "rpsblast": "Standard",
    "rpstblastn": "Standard",
}
"""Short names of tasks for people, as on a button; where NCBI's pages have words for a task, theirs."""
WORDS: Mapping[str, str] = {"nucl": "nucleotide", "prot": "protein"}
INSTEAD: Mapping[str, str] = {
    "query": "send the sequences as 'query'",
    "db": "name databases in 'database'",
    "task": "name it in 'task'",
    "query_loc": "give it as 'query_loc'",
    "out": "results are read from the job",
    "outfmt": "ask for a format when reading the results",
    "html": "ask for a format when reading the results",
    "num_descriptions": "use max_target_seqs, which holds for every format",
    "num_alignments": "use max_target_seqs, which holds for every format",
    "line_length": "it only shapes the pairwise text",
    "show_gis": "it only shapes the text",
    "sorthits": "sort the hits when reading them",
    "sorthsps": "sort the hits when reading them",
    "num_threads": "the service sets it",
    "mt_mode": "the service sets it",
    "parse_deflines": "ids are kept as they are",
    "subject": "make a database of the subject sequences (POST /api/blast/databases)",
    "subject_loc": "make a database of the subject sequences (POST /api/blast/databases)",
    "taxidlist": "use taxids with a list",
    "negative_taxidlist": "use negative_taxids with a list",
    "gilist": "use seqidlist with a list of ids",
    "negative_gilist": "use negative_seqidlist with a list of ids",
    "ipglist": "use seqidlist with a list of ids",
    "negative_ipglist": "use negative_seqidlist with a list of ids",
    "entrez_query": "it needs NCBI's servers; use taxids",
    "remote": "searches run here, never at NCBI",
    "import_search_strategy": "it reads a file of the server",
    "export_search_strategy": "it writes a file of the server",
    "filtering_db": "it reads a database by its path",
    "window_masker_db": "it reads a file of the server",
    "window_masker_taxid": "it needs WindowMasker data that is not installed",
    "use_index": "indexed databases are not offered",
    "index_name": "indexed databases are not offered",
    "in_pssm": "send the matrix as 'query' and say query_type pssm",
    "in_msa": "send the alignment as 'query' and say query_type msa",
    "msa_master_idx": "the first sequence of an alignment is its master",
    "ignore_msa_master": "the first sequence of an alignment is its master",
    "show_domain_hits": "it only adds to the text; search the domains with rpsblast",
    "phi_pattern": "it reads a file of the server",
    "out_pssm": "ask for the format pssm when reading the results",
    "out_ascii_pssm": "ask for the format pssm_ascii when reading the results",
    "save_pssm_after_last_round": "ask for the format pssm when reading the results",
    "save_each_pssm": "ask for the format pssm when reading the results",
    "h": "see GET /api/blast/programs",
    "help": "see GET /api/blast/programs",
    "xmlhelp": "see GET /api/blast/programs",
    "version": "see GET /api/version",
}
"""Options of BLAST+ that are not options here, and what to do instead: they read or write files by path, leave the
machine, shape only a text that is made when results are read, or are a field of the request."""

UNUSABLE: Mapping[str, frozenset[str]] = {"tblastx": frozenset({"max_intron_length"})}
"""Options that a program tells of and then refuses, by program: 2.12's tblastx takes only 0 there."""
