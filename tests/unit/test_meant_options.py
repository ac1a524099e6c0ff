"""W13: the options that a sentence of BLAST+ means."""

import pytest

from blastd.core.meant_options import meant_options

KNOWN = (
    "reward",
    "penalty",
    "gapopen",
    "gapextend",
    "word_size",
    "matrix",
    "evalue",
    "comp_based_stats",
    "perc_identity",
)


@pytest.mark.parametrize(
    ("sentence", "meant"),
    [
        ("blastn could not do this search: Substitution scores 1 and -7 are not supported", ["reward", "penalty"]),
        (
            "Gap existence and extension values 1 and 1 are not supported for substitution scores 2 and -3",
            ["gapopen", "gapextend"],
        ),
        (
            "Gap existence and extension values of 3 and 3 not supported for BLOSUM62\nsupported values are:",
            ["gapopen", "gapextend"],
        ),
        ("Word-size must be 4 or greater for nucleotide comparison", ["word_size"]),
        ('Argument "evalue". Argument cannot be converted', ["evalue"]),
        ("perc_identity must be within 0 and 100", ["perc_identity"]),
        ('Argument "query". File is not accessible', []),
        ("blastn ran out of memory.", []),
        ("", []),
    ],
)
def test_W13_a_sentence_of_blast_leads_to_the_options_it_means(sentence: str, meant: list[str]) -> None:
    assert meant_options(sentence, KNOWN) == meant
