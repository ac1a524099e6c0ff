"""The table of acceptance ids says what the tests are called."""

from pathlib import Path

import pytest

from tests.acceptance_table import END, IDS, PAGE, ROOT, files_by_id, ids_of, missing, table, unknown, with_table


def test_the_table_in_the_readme_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    found = files_by_id(ROOT / "tests")
    text = PAGE.read_text()
    with capsys.disabled():
        print(f"\nacceptance ids without a test: {', '.join(missing(found)) or 'none'}")
    assert with_table(text, table(found)) == text, "run 'make table'"
    assert unknown(found) == []


def test_every_id_is_explained() -> None:
    text = PAGE.read_text()
    assert [identifier for identifier in IDS if f"\n- **{identifier}** " not in text] == []


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("test_T01_accepted", ["T01"]),
        ("test_R05_R08_32_formulas", ["R05", "R08"]),
        ("test_R08_50i_the_command", ["R08"]),
        ("test_I01_R08_14_titles_of_T99", ["I01", "R08"]),
        ("test_no_id_here", []),
    ],
)
def test_names_carry_ids(name: str, ids: list[str]) -> None:
    assert ids_of(name) == ids


def test_what_is_missing_and_what_is_unknown_is_told(tmp_path: Path) -> None:
    (tmp_path / "acceptance").mkdir()
    (tmp_path / "acceptance" / "test_a.py").write_text(
        "def test_T01_T02_x() -> None: ...\nasync def test_T77_y(): ...\n"
    )
    found = files_by_id(tmp_path)
    assert found["T01"] == found["T02"] == ["acceptance/test_a"]
    assert missing(found) == [one for one in IDS if one not in ("T01", "T02")]
    assert unknown(found) == ["T77"]
    assert "| truth of state | T01 T02 | `acceptance/test_a` |" in table(found)


def test_a_readme_without_the_marks_is_not_overwritten() -> None:
    with pytest.raises(ValueError, match=END.strip()):
        with_table("nothing", "")
