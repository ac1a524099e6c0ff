"""Batches one after another: headers and trailers once, queries numbered through."""

import io

import pytest

from blastd.core.merge import BLOCK_BYTES, NotJoinable, join_files


def joined(fmt: str, *parts: str, sizes: list[int] | None = None) -> str:
    out = io.BytesIO()
    files = [io.BytesIO(part.encode()) for part in parts]
    join_files(files, sizes or [1] * len(parts), fmt, out)
    return out.getvalue().decode()


def xml(*iterations: str) -> str:
    head = '<?xml version="1.0"?>\n<BlastOutput>\n<BlastOutput_iterations>\n'
    return head + "".join(iterations) + "</BlastOutput_iterations>\n</BlastOutput>\n\n"


def iteration(number: int, definition: str, message: str = "No hits found") -> str:
    return (
        f"<Iteration>\n  <Iteration_iter-num>{number}</Iteration_iter-num>\n"
        f"  <Iteration_query-ID>Query_{number}</Iteration_query-ID>\n"
        f"  <Iteration_query-def>{definition}</Iteration_query-def>\n"
        f"  <Iteration_message>{message}</Iteration_message>\n</Iteration>\n"
    )


def test_rows_are_put_one_after_another() -> None:
    assert joined("6 std", "a\n", "", "b\n") == "a\nb\n"
    assert joined("10", "a,b\n", "c,d\n") == "a,b\nc,d\n"


def test_a_commented_table_ends_once_with_all_queries() -> None:
    first, second = "# Query: a\n# BLAST processed 2 queries\n", "# BLAST processed 9 queries\n"
    text = joined("7", first, second, sizes=[2, 9])
    assert text == "# Query: a\n# BLAST processed 11 queries\n"
    assert joined("7", "#x\n" * 100 + second, second, sizes=[9, 9]).startswith("#x\n" * 100 + "# BLAST processed 18")


def test_xml_numbers_go_on_and_titles_stay() -> None:
    text = joined("5", xml(iteration(1, "a"), iteration(2, "b")), xml(iteration(1, "Query_1 c")), sizes=[2, 1])
    assert text == xml(iteration(1, "a"), iteration(2, "b"), iteration(3, "Query_1 c"))


def test_messages_name_the_query_by_its_new_number() -> None:
    def told(number: int) -> str:
        return f"Query_{number} N1 Query_7 x:  Query_{number} N1 Query_7 x: Could not calculate  No hits found"

    assert joined("5", xml(iteration(1, "a")), xml(iteration(1, "N1", told(1)))) == xml(
        iteration(1, "a"), iteration(2, "N1", told(2))
    )


def test_a_file_larger_than_a_block_is_joined_whole() -> None:
    many = [iteration(number, "x" * 200) for number in range(1, 3 * BLOCK_BYTES // 300)]
    text = joined("5", xml(iteration(1, "a")), xml(*many), sizes=[1, len(many)])
    assert text == xml(
        iteration(1, "a"), *(iteration(number + 1, "x" * 200) for number in range(1, 3 * BLOCK_BYTES // 300))
    )


def test_json_is_one_list() -> None:
    def doc(*names: int) -> str:
        one = '{\n    "report": {\n      "query_id": "Query_#"\n    }\n  }'
        reports = "\n,\n".join(one.replace("#", str(number)) for number in names)
        return '{\n"BlastOutput2": [\n' + reports + "\n]\n}\n\n"

    assert joined("15", doc(1, 2), doc(1), doc(1), sizes=[2, 1, 1]) == doc(1, 2, 3, 4)


def test_pairwise_text_keeps_the_statistics_of_all_databases_once() -> None:
    end = "\n\n  Database: one\n    Posted date:  x\n\n  Database: two\n    Posted date:  y\n\n\n\nMatrix: z\n"

    def report(*names: str) -> str:
        body = "\n\n\n".join(f"Query= {name}\n\nEffective search space used: 1" for name in names)
        return "BLASTN\n\n" + body + "\n" + end

    assert joined("0", report("a", "b"), report("c")) == report("a", "b", "c")


def test_sam_has_one_header_and_numbered_references() -> None:
    def sam(numbers: list[int], rows: list[str]) -> str:
        names = "".join(f"@SQ\tSN:Query_{number}\tLN:9\n" for number in numbers)
        return f"@HD\tVN:1.2\n{names}@PG\tID:0\tCL:blastn\n" + "".join(row + "\n" for row in rows)

    first = sam([1, 2], ["s1\t0\tQuery_1\t1", "s1\t16\tQuery_2\t1"])
    text = joined("17", first, "", sam([2], ["s9\t0\tQuery_2\t5"]), sizes=[2, 1, 3])
    assert text == sam([1, 2, 5], ["s1\t0\tQuery_1\t1", "s1\t16\tQuery_2\t1", "s9\t0\tQuery_5\t5"])
    assert joined("17", "", "") == ""


@pytest.mark.parametrize("fmt", ["18", "3", "12"])
def test_other_formats_are_refused(fmt: str) -> None:
    with pytest.raises(NotJoinable):
        joined(fmt, "a", "b")


@pytest.mark.parametrize("fmt", ["0", "5", "7", "15", "16"])
def test_half_an_output_is_refused(fmt: str) -> None:
    with pytest.raises(NotJoinable):
        joined(fmt, "half", "an output")
