"""How a BLAST+ process ended becomes a code, its cause and a remedy. The texts of stderr are those of 2.12."""

import pytest

from blastd.blastplus.exits import cause, explain

USAGE = """USAGE
  blastn [-h] [-help] [-import_search_strategy filename]
    [-export_search_strategy filename] [-task task_name] [-db database_name]

DESCRIPTION
   Nucleotide-Nucleotide BLAST 2.12.0+

Use '-help' to print detailed descriptions of command line arguments
========================================================================

"""
TASK = (
    """Argument "task". Illegal value, expected Permissible values: 'blastn' 'blastn-short' 'dc-megablast' """
    """'megablast' 'rmblastn' :  `Megablast'"""
)
GAPS = """BLAST engine error: Error: Gap existence and extension values 3 and 2 are not supported for substitution scores 2 and -3
4 and 4 are supported existence and extension values
Any values more stringent than 6 and 4 are supported
 Error: Gap existence and extension values 3 and 2 are not supported for substitution scores 2 and -3
4 and 4 are supported existence and extension values
Any values more stringent than 6 and 4 are supported

"""
EXCEPTION = """Error: NCBI C++ Exception:
    T0 "c++/include/corelib/ncbidiag.hpp", line 6750: Error: (CStringException::eConvert) ncbi::CUtf8::SymbolToChar() - Failed to convert symbol to requested encoding (m_Pos = 0)
    T0 "c++/include/corelib/ncbidiag.hpp", line 1539: Error: (CStringException::eConvert) ncbi::CObjectOStreamXml::WriteClassMember() -  Frame type= eFrameClassMember
"""
FULL = """terminate called after throwing an instance of 'std::__ios_failure'
  what():  basic_ios::clear: iostream error
"""


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        (f"{USAGE}Error: {TASK}\nError:  (CArgException::eConstraint) {TASK}\n", " ".join(TASK.split())),  # (40)
        (
            f"{USAGE}Error: Cannot convert string '7-task' to Int8 (m_Pos = 1)\n"
            'Error:  (CArgException::eConvert) Argument "word_size". Argument cannot be converted:  `7-task\'\n',
            'Argument "word_size". Argument cannot be converted: `7-task\'',
        ),
        (
            "BLAST query/options error: expect value or cutoff score must be greater than zero\n"
            "Please refer to the BLAST+ user manual.\n",
            "expect value or cutoff score must be greater than zero",
        ),
        (
            "BLAST engine error: Error: Substitution scores 1 and -7 are not supported "
            "Error: Substitution scores 1 and -7 are not supported \n",
            "Substitution scores 1 and -7 are not supported",
        ),
        (
            GAPS,
            "Gap existence and extension values 3 and 2 are not supported for substitution scores 2 and -3 4 and 4 are "
            "supported existence and extension values Any values more stringent than 6 and 4 are supported",
        ),
        (
            "BLAST Database error: No alias or index file found for nucleotide database [nosuch] in search path [/x::]\n",
            "No alias or index file found for nucleotide database [nosuch] in search path [/x::]",
        ),
        (
            "Warning: [blastn] something else\nBLAST Database error: DB contains no accession info.\n",
            "DB contains no accession info.",
        ),
        (
            EXCEPTION,
            "ncbi::CUtf8::SymbolToChar() - Failed to convert symbol to requested encoding (m_Pos = 0)",
        ),
        ("Error: mdb_env_open: No such file or directory\n", "mdb_env_open: No such file or directory"),
        ("", ""),
        ("\n \n", ""),
    ],
)
def test_the_cause_is_found_in_stderr(stderr: str, said: str) -> None:
    assert cause(stderr) == said


def test_a_long_cause_is_cut() -> None:
    assert len(cause("BLAST Database error: " + "x" * 10_000)) == 500


@pytest.mark.parametrize(
    ("ended", "stderr", "code", "retryable"),
    [
        ((1, None), "BLAST query/options error: Invalid taxidlist file \n", "bad_input", False),
        ((2, None), "BLAST Database error: Taxonomy ID(s) not found.\n", "database_error", False),
        (
            (3, None),
            "BLAST engine error: Error: Substitution scores 1 and -7 are not supported\n",
            "engine_error",
            False,
        ),
        ((4, None), "", "out_of_memory", False),
        ((5, None), "", "network_error", True),
        ((6, None), "BLAST failed to write output\n", "disk_full", True),
        ((127, None), "blastn: error while loading shared libraries: libx.so: cannot open", "not_installed", False),
        (
            (127, None),
            "blastn: error while loading shared libraries: libseq.so: cannot map zero-fill pages",
            "out_of_memory",
            False,
        ),
        ((134, None), FULL, "disk_full", True),
        ((None, 6), FULL, "disk_full", True),
        ((None, 6), "terminate called after throwing an instance of 'std::bad_alloc'", "out_of_memory", False),
        ((None, 6), "", "crashed", False),
        ((135, None), "", "database_changed", False),
        ((None, 7), "", "database_changed", False),
        ((137, None), "", "killed", True),
        ((None, 9), "", "killed", True),
        ((139, None), "", "crashed", False),
        ((153, None), "", "output_limit", False),
        ((None, 24), "", "time_limit", False),
        ((None, 15), "", "killed", True),
        ((255, None), EXCEPTION, "crashed", False),
        ((77, None), "", "crashed", False),
    ],
)
def test_ends_have_distinct_codes(
    ended: tuple[int | None, int | None], stderr: str, code: str, retryable: bool
) -> None:  # (50a)
    exit_code, signal = ended
    trouble = explain(exit_code=exit_code, signal=signal, stderr=stderr, program="blastn")
    assert (trouble.code, trouble.retryable) == (code, retryable)
    assert trouble.sentence.startswith("blastn ")
    assert trouble.remedy


def test_the_sentence_has_the_words_of_blast() -> None:
    stderr = "BLAST engine error: Error: Substitution scores 1 and -7 are not supported \n"
    trouble = explain(exit_code=3, signal=None, stderr=stderr, program="blastn")
    assert trouble.sentence == "blastn could not do this search: Substitution scores 1 and -7 are not supported"


def test_a_time_limit_is_named() -> None:
    trouble = explain(exit_code=None, signal=15, stderr="", program="blastp", timed_out=True, time_limit_seconds=60.0)
    assert trouble.code == "time_limit"
    assert "60 s" in trouble.sentence


def test_what_blast_calls_unknown_under_a_memory_limit_is_memory() -> None:
    stderr = "BLAST engine error: Unknown error code -1\n"
    limited = explain(exit_code=3, signal=None, stderr=stderr, program="blastn", memory_limit_bytes=10_000_000)
    assert limited.code == "out_of_memory"
    assert "10,000,000 bytes" in limited.sentence
    assert explain(exit_code=3, signal=None, stderr=stderr, program="blastn").code == "engine_error"


def test_the_query_can_not_choose_the_code() -> None:
    stderr = (
        "Warning: [blastn] Query_1 no space left on device: Sequence contains no data\nBLAST Database error: gone\n"
    )
    assert explain(exit_code=2, signal=None, stderr=stderr, program="blastn").code == "database_error"
