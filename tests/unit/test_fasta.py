"""FASTA: what is counted, what is refused, and that the size of the chunks makes no difference."""

import gzip
import hashlib
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blastd.core.fasta import QueryScan, Reader, SequenceLimits, parse_defline
from blastd.core.molecule import judge, mismatch
from tests.databases import CASES, DATA

SPLIT = DATA / "fasta"
LINE = b"ACGTACGTACGTACGTACGTACGTACGTACGTACGT"


def read(data: bytes, sizes: Sequence[int] = (), limits: SequenceLimits | None = None) -> tuple[bytes, QueryScan]:
    """Read *data* in chunks of *sizes*, the rest at once."""
    reader, out = Reader(limits), b""
    for size in sizes:
        out += reader.feed(data[:size])
        data = data[size:]
    out += reader.feed(data)
    last, scan = reader.end()
    return out + last, scan


def case(name: str) -> QueryScan:
    return read((CASES / name).read_bytes())[1]


def codes(scan: QueryScan) -> list[str]:
    return [fault.code for fault in scan.faults]


# ---- what is accepted, and counted as BLAST+ counts


@pytest.mark.parametrize(
    ("name", "count", "letters", "first_id", "warned"),
    [
        ("plain.fa", 2, 1100, "q1", []),
        ("crlf.fa", 2, 1100, "q1", []),
        ("no_final_newline.fa", 2, 1100, "q1", []),
        ("empty_record_between.fa", 3, 1100, "q1", ["empty_record"]),
        ("all_N.fa", 1, 300, "allN", []),
        ("low_complexity.fa", 1, 400, "polyA", []),
        ("duplicate_ids.fa", 3, 1500, "same", []),
        ("id_60_chars.fa", 1, 600, "I" * 60, []),
        ("pipes_and_dots.fa", 4, 1900, "gnl|MYDB|chr1H.2", []),
        ("numeric_ids.fa", 2, 1100, "378462", []),
        ("unicode_titles.fa", 2, 1100, "Epichloë_amarillans", []),
        ("gt_inside_title.fa", 1, 600, "q1", []),
        ("ctrl_a_title.fa", 1, 600, "q1", ["title_cut"]),
        ("lower_case_mask.fa", 1, 600, "q1", []),
        ("iupac_and_gaps.fa", 1, 595, "q1", ["hyphens"]),
        ("really_plain.fa.gz", 1, 600, "q1", []),
        ("bom_utf8.fa", 1, 600, "q1", []),
        ("bare_sequence.txt", 1, 600, "Query_1", []),
        ("primers_20nt.fa", 2, 40, "fwd", []),
        ("one_line_53kb.fa", 1, 53_502, "longline", []),
        ("title_status_waiting.fa", 1, 600, "q1", []),
        ("hash_id.fa", 1, 600, "#q1", []),
    ],
)
def test_nucleotides_are_counted(name: str, count: int, letters: int, first_id: str, warned: list[str]) -> None:
    scan = case(name)
    judged = judge(scan, "nucl")
    assert (scan.count, sum(judged.letters), scan.first_id) == (count, letters, first_id)
    assert judged.faults == ()
    assert [warning.code for warning in judged.warnings] == warned


@pytest.mark.parametrize(
    ("name", "letters", "warned"),
    [("prot.fa", 57, []), ("protein_with_stop.fa", 59, []), ("protein_UOJ_BZX.fa", 62, ["pyrrolysine"])],
)
def test_proteins_are_counted(name: str, letters: int, warned: list[str]) -> None:
    scan = case(name)
    judged = judge(scan, "prot")
    assert (scan.count, sum(judged.letters), scan.molecule, judged.faults) == (1, letters, "prot", ())
    assert [warning.code for warning in judged.warnings] == warned


def test_primers_are_all_short_and_longer_queries_are_not() -> None:
    assert case("primers_20nt.fa").all_short
    assert not case("plain.fa").all_short


def test_blanks_tabs_and_blank_lines_are_no_letters() -> None:
    _, scan = read(b"\n\n>a\tb\n\nACGT acgt\t\n\n  ACGTACGT \n\n>b\nAC\n")
    assert list(scan.nucleotides) == [16, 2]
    assert scan.faults == ()


def test_digits_are_dropped_with_a_warning_that_names_the_line() -> None:
    _, scan = read(b">a\n        1 gcagcgcaac acccttatct\n       21 ggttgccgac\n")
    assert list(scan.nucleotides) == [30]
    assert [(warning.code, warning.record, warning.record_id, warning.line) for warning in scan.warnings] == [
        ("digits", 1, "a", 2)
    ]


def test_comment_lines_are_no_sequence() -> None:
    _, scan = read(b"; made by hand\n>a\n#ACGT\nACGT\n!ACGT\n")
    assert list(scan.nucleotides) == [4]
    assert {warning.code for warning in scan.warnings} == {"comment"}
    assert not scan.unnamed


# ---- what is stored


def test_stored_bytes_are_those_sent_but_for_line_ends_and_byte_order_mark() -> None:
    plain = (CASES / "plain.fa").read_bytes()
    assert read(plain)[0] == plain
    assert read(plain.rstrip(b"\n"))[0] == plain
    assert read(b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n"))[0] == plain
    assert read(plain.replace(b"\n", b"\r"))[0] == plain


def test_offsets_sizes_and_digest_are_of_the_stored_bytes() -> None:
    out, scan = read((CASES / "crlf.fa").read_bytes())
    records = [out[offset : offset + size] for offset, size in zip(scan.offsets, scan.sizes, strict=True)]
    assert [record[:3] for record in records] == [b">q1", b">q2"]
    assert b"".join(records) == out
    assert [scan.span(1), scan.span(2)] == list(zip(scan.offsets, scan.sizes, strict=True))
    assert (scan.sha256, scan.size) == (hashlib.sha256(out).hexdigest(), len(out))


def test_latin1_titles_become_utf8_with_a_warning() -> None:
    out, scan = read(b">a K\xe4fer \x93x\x94\n" + LINE + b"\n\n>b \xc3\xa4\nACGT\n")
    assert out.decode().splitlines()[0] == ">a Käfer “x”"
    assert [(warning.code, warning.record) for warning in scan.warnings] == [("latin1", 1)]
    assert out.endswith(LINE + "\n\n>b ä\nACGT\n".encode())
    assert out[scan.offsets[1] :].startswith(b">b")


# ---- what is refused


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("title_and_sequence_on_one_line.fa", "sequence_in_title", ["Record 1", "sample123", "title line"]),
        ("missing_second_gt.fa", "foreign_letters", ["Record 1", "line 7", "title"]),
        ("only_empty_records.fa", "no_sequence", ["No record"]),
        ("utf16le.fa", "utf16", ["UTF-16"]),
        ("zero_bytes.fa", "empty", ["empty"]),
        ("nul_in_sequence.fa", "control_character", ["line 2", "NUL", "51"]),
        ("fastq_as_fasta.fq", "fastq", ["FASTQ"]),
        ("genbank_record.gb", "genbank", ["GenBank"]),
        ("prot.fa", "molecule", ["protein", "blastp", "molecule_check"]),
        ("really_gzip.fa", "gzip", ["compressed"]),
    ],
)
def test_what_blast_would_swallow_is_refused_for_blastn(name: str, code: str, words: list[str]) -> None:
    found = {fault.code: fault.sentence for fault in judge(case(name), "nucl").faults}
    assert code in found
    assert [word for word in words if word not in found[code]] == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b" \n\r\n\t\n", "empty"),
        (b"# only a comment\n", "empty"),
        (b">", "no_sequence"),
        (b">only a title", "no_sequence"),
        (b">a\n----\n", "no_sequence"),
        (b">a\n----\n>b\nACGT\n", "no_letters"),
        (b">a\n1234\nACGT\n", "no_letters"),
        (b">a\nACGT\x1a", "control_character"),
        (b">a \x00b\nACGT\n", "control_character"),
        (">a\nAC\u00a0GT\n".encode(), "not_ascii"),
        (b">a\nACGT;ACGT\n", "invalid_character"),
        (b">a\nACGT\n//\n", "invalid_character"),
        (b">a\nACGT>b\nACGT\n", "misplaced_title"),
        (b">a\nACGT\n >b\nACGT\n", "misplaced_title"),
        (b">a\nACGT\n>?100\nACGT\n", "gap_line"),
        (b"read me\n>a\nACGT\n", "text_before_title"),
        (b"NM_000546.6\n", "accession"),
        (b"P53039\n" + LINE, "accession"),
        (b"12345678", "accession"),
        (b"\xfe\xff\x00>\x00a\x00\n\x00A", "utf16"),
        (b">\x00a\x00\n\x00A\x00C\x00", "utf16"),
        (">a \ufffe\nACGT\n".encode(), "not_a_character"),
        (b"PK\x03\x04rest", "zip"),
        (b"%PDF-1.7", "pdf"),
        (b"@SQ\tSN:x\tLN:1\n", "sam"),
        (b"ID   P53_HUMAN   Reviewed;\n", "embl"),
        (b"CLUSTAL W (1.83)\n\na  ACGT\n", "clustal"),
        (b"#NEXUS\nbegin data;\n", "nexus"),
        (b"##gff-version 3\n", "gff"),
        (b'{"query": ">a"}', "json"),
        (b"<html><body>", "xml"),
        (bytes(range(1, 32)) * 40, "not_text"),
        (b"file.fa".ljust(100, b"\0") + b"0" * 157 + b"ustar\x0000", "tar"),
    ],
)
def test_what_is_not_fasta_is_refused(data: bytes, code: str) -> None:
    assert code in codes(read(data)[1])


def test_a_fault_says_record_id_and_line() -> None:
    _, scan = read(b">one\nACGT\n>two second\nACGT\nAC@T\n")
    fault = scan.faults[0]
    assert (fault.code, fault.record, fault.record_id, fault.line) == ("invalid_character", 2, "two", 5)
    assert fault.sentence.startswith("Record 2 \"two\", line 5: '@' at position 3")


def test_all_faults_are_counted_and_a_hundred_kept() -> None:
    _, scan = read(b">a\n" + b"AC?T\n" * 1000)
    assert (len(scan.faults), scan.faults_total) == (100, 1000)


def test_compressed_or_binary_input_ends_the_reading() -> None:
    reader = Reader()
    reader.feed((SPLIT / "actually_gzipped_fasta.fa").read_bytes())
    assert reader.stopped
    assert reader.feed(b">a\nACGT\n") == b""


@pytest.mark.parametrize(
    ("name", "count"),
    [("actually_not_zipped_fasta.fa.gz", 45), ("actually_not_tarred_fasta.fa.tar", 45), ("ncbi-tiny-query.fa", 1)],
)
def test_content_counts_not_the_name(name: str, count: int) -> None:
    _, scan = read((SPLIT / name).read_bytes())
    assert scan.faults == ()
    assert scan.count == count


def test_garbage_and_empty_files_are_refused() -> None:
    assert codes(read((SPLIT / "ncbi-garbage-query.fa").read_bytes())[1]) == ["gzip"]
    assert codes(read(gzip.decompress((SPLIT / "ncbi-garbage-query.fa").read_bytes()))[1])
    assert codes(read((SPLIT / "empty_file.fa").read_bytes())[1]) == ["empty"]


@pytest.mark.parametrize(
    "limits",
    [SequenceLimits(letters=100), SequenceLimits(sequences=9), SequenceLimits(record_letters=35)],
    ids=["letters", "sequences", "record"],
)
def test_limits_end_the_reading(limits: SequenceLimits) -> None:
    reader = Reader(limits)
    for number in range(100):
        reader.feed(b">r%d\n%b\n" % (number, LINE) * 50)
    _, scan = reader.end()
    assert codes(scan) == ["too_large"]
    assert scan.stopped
    assert scan.count <= 100


def test_what_is_at_the_limits_is_accepted() -> None:
    _, scan = read(b">a\n" + LINE + b"\n>b\nACGT\n", limits=SequenceLimits(letters=40, sequences=2, record_letters=36))
    assert scan.faults == ()


def test_a_title_without_end_is_refused() -> None:
    reader = Reader(SequenceLimits(title_bytes=1000))
    reader.feed(b">" + b"x" * 5000)
    assert codes(reader.end()[1]) == ["title_too_long"]


def test_long_titles_are_whole() -> None:
    title = b">a " + b"long " * 20_000
    out, scan = read(title + b"\nACGT\n", [1, 50_000])
    assert out == title + b"\nACGT\n"
    assert scan.count == 1


# ---- the molecule


@pytest.mark.parametrize(
    ("letters", "molecule"),
    [
        ("ACGTACGTACGTACGTACGTACGTACGTACGTACGT", "nucl"),
        ("acgunnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", "nucl"),
        ("MKVLEFILPQMKVLEFILPQ", "prot"),
        ("MKVLE", "prot"),
        ("ACGTN", "unknown"),
        ("GATTACA", "unknown"),
        ("GAGAGSGAGAGSGAGAGSGAGAGSGAGAGSGAGAGS", "unknown"),
        ("KRKRKSKRKRKSKRKRKSKRKRKSKRKRKSKRKRKS", "unknown"),
        ("XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX", "unknown"),
        ("ACGTXXXXACGTXXXXACGTXXXXACGTXXXXACGT", "unknown"),
    ],
)
def test_the_molecule_is_guessed_or_unknown(letters: str, molecule: str) -> None:
    assert read(f">a\n{letters}\n".encode())[1].molecule == molecule


def test_unknown_fits_both_and_a_sure_guess_fits_one() -> None:
    short = read(b">a\nGATTACA\n")[1]
    assert [mismatch(short, wanted) for wanted in ("nucl", "prot")] == [None, None]
    nucleotides = case("plain.fa")
    assert mismatch(nucleotides, "nucl") is None
    fault = mismatch(nucleotides, "prot")
    assert fault is not None
    assert "blastn, blastx" in fault.sentence


def test_who_knows_better_can_search_a_protein_with_blastn() -> None:
    judged = judge(case("prot.fa"), "nucl", molecule_check=False)
    assert judged.faults == ()
    assert {warning.code for warning in judged.warnings} == {"foreign_letters", "dropped_letters"}
    assert 0 < sum(judged.letters) < 57


def test_masked_nucleotides_are_a_warning_that_positions_shift() -> None:
    judged = judge(read(b">a\n" + LINE + b"XXXX" + LINE + b"\n")[1], "nucl")
    assert judged.faults == ()
    assert "positions count without it" in judged.warnings[0].sentence
    assert list(judged.letters) == [2 * len(LINE)]


def test_a_protein_among_nucleotides_is_named() -> None:
    scan = read(b">a\n" + LINE * 20 + b"\n>odd\nMKVLEFILPQ\n")[1]
    assert [(fault.record_id, fault.line) for fault in judge(scan, "nucl").faults] == [("odd", 4)]


def test_nucleotides_among_proteins_are_named() -> None:
    scan = read(b">a\n" + b"MKVLEFILPQ" * 200 + b"\n>odd\n" + LINE * 3 + b"\n")[1]
    judged = judge(scan, "prot")
    assert judged.faults == ()
    assert [warning.record for warning in judged.warnings] == [2]


# ---- titles


@pytest.mark.parametrize(
    ("line", "record_id", "title"),
    [
        (b">q1 first  name ", "q1", "first name"),
        (b"> q1 x", "q1", "x"),
        (b">q1", "q1", ""),
        (b">", "", ""),
        (b">q1 a\x01q2 b", "q1", "a"),
        (b">q1\tx", "q1", ""),
        (b">a > b", "a", "> b"),
        (">é ü".encode(), "é", "ü"),
    ],
)
def test_a_definition_line_is_split_as_blast_does(line: bytes, record_id: str, title: str) -> None:
    assert parse_defline(line) == (record_id, title)


@pytest.mark.parametrize("data", [b">\nACGT\n", b">a\nACGT\n>  \nACGT\n", b"ACGT\n"])
def test_records_without_a_name_are_known(data: bytes) -> None:
    assert read(data)[1].unnamed


# ---- chunks, and memory

PARTS = st.sampled_from(
    [b">", b"\n>", b"\n", b"\r\n", b"\r", b" ", b"\t", b"id title", b"ACGT", b"acgt\n", b"MKVLEF", b"X", b"O", b"-", b"12", b"#c\n",
     b"\n;c", b"\n!", b"\x00", b"\x01", b"?", b"\n>?9\n", "é".encode(), b"\xe9", b"\xef\xbb\xbf", b">a b\n", b"\n\n", b"A" * 40, b"Z9Q"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(PARTS, max_size=30).map(b"".join), st.lists(st.integers(0, 12), max_size=20))
@example(b">a\r\nAC\r", [3, 1, 3])
@example(b"\xef\xbb\xbf\xef\xbb\xbf\n", [])
def test_chunks_make_no_difference_and_what_is_stored_is_stable(data: bytes, sizes: list[int]) -> None:
    data = b">r0 x\n" + b"AC\n" * 350 + data if sizes and sizes[0] % 2 else data
    out, scan = read(data)
    again = read(data, sizes)
    assert (out, fields(scan)) == (again[0], fields(again[1]))
    if not scan.stopped:
        stored, restored = read(out)
        assert stored == out
        assert list(restored.offsets) == list(scan.offsets)
        assert list(restored.nucleotides) == list(scan.nucleotides)
        assert sum(scan.sizes) == (scan.size - scan.offsets[0] if scan.count else 0)


def fields(scan: QueryScan) -> dict[str, object]:
    """Return what a scan says, in a form to compare."""
    return {
        name: list(value) if hasattr(value := getattr(scan, name), "typecode") else value
        for name in scan.__struct_fields__
    }


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 150_000), max_size=6))
def test_long_lines_in_pieces_count_the_same(sizes: list[int]) -> None:
    data = b">a\n" + LINE * 4000 + b"EX -1\n>b\n#" + LINE * 4000 + b"\n" + LINE + b"\n>c\n" + LINE * 4000
    out, scan = read(data)
    again = read(data, sizes)
    assert (out, fields(scan)) == (again[0], fields(again[1]))
    assert list(scan.residues) == [144_002, 36, 144_000]


def test_a_line_without_end_costs_no_memory() -> None:
    reader, block = Reader(), b"A" * (1 << 20)
    reader.feed(b">a\n")
    tracemalloc.start()
    for _ in range(100):
        reader.feed(block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert list(reader.end()[1].nucleotides) == [100 << 20]
    assert peak < 8 << 20
