"""ElasticBLAST's own configuration files: each is taken with local files in place of buckets, or says which key is wrong."""

import re
from pathlib import Path

import pytest

from blastd.cli.elastic import Imported, read_ini
from blastd.cli.exits import ELASTIC_BLAST
from blastd.core.model import Phase
from blastd.errors import Invalid
from tests.databases import DATA

INI = sorted((DATA / "ini").glob("*.ini"))
LOCAL = ["query.fa", "test-queries", "test-queries.fa", "query-file-1", "query-file-2"]
WRONG = {
    "app-invalid-blast-opt-no-closing-quote": {"/blast/db", "/blast/options"},
    "app-invalid-machine-type-aws": {"/blast/db"},
    "config-aws-defaults-cluster-name": {"/blast"},
    "config-corrupt-cfg-file": {""},
    "config-gcp-defaults": {"/blast/db"},
    "config-invalid-parameters": {"/blast/program"},
    "config-missing-required-parameters": {"/blast/db"},
}
"""What is still wrong once the queries are here."""
AS_THEY_ARE = {"app-good_conf", "config-aws-defaults", "config-multiple-query-files"}
"""Those whose queries are no buckets."""


def read(file: Path) -> Imported | set[str]:
    """Return the search, or the keys that are wrong."""
    try:
        return read_ini(file)
    except Invalid as error:
        return {pointer for pointer, _ in error.faults}


@pytest.mark.parametrize("file", INI, ids=lambda file: file.stem)
def test_each_file_is_a_search_once_its_queries_are_here(tmp_path: Path, file: Path) -> None:
    for name in LOCAL:
        (tmp_path / name).write_text(">a\nACGT\n")
    as_it_is, here = tmp_path / file.name, tmp_path / f"here-{file.name}"
    as_it_is.write_text(file.read_text())
    here.write_text(re.sub(r"(?m)^(queries\s*=\s*)(gs|s3)://.*$", r"\1query.fa", file.read_text()))
    found = read(here)
    if file.stem in WRONG:
        assert found == WRONG[file.stem]
        return
    assert isinstance(found, Imported)
    assert found.program in ("blastn", "blastp", "blastx")
    assert found.files == [str(tmp_path / Path(name).name) for name in found.files]
    if file.stem in AS_THEY_ARE:
        assert read(as_it_is) == found
    else:
        assert read(as_it_is) == {"/blast/queries"}


def test_options_and_format_are_taken(tmp_path: Path) -> None:
    (tmp_path / "query.fa").write_text(">a\nACGT\n")
    text = (DATA / "ini" / "submit-elb-blastn-neg-taxidfiltering.ini").read_text()
    (tmp_path / "a.ini").write_text(re.sub(r"(?m)^queries.*$", "queries = query.fa", text))
    found = read_ini(tmp_path / "a.ini")
    assert found.options == {"negative_taxids": "1866885,90964"}
    assert (found.format, found.fields) == ("tabular", "std staxids")


def test_what_belongs_to_the_cloud_is_named(tmp_path: Path) -> None:
    (tmp_path / "test-queries.fa").write_text(">a\nACGT\n")
    (tmp_path / "a.ini").write_text((DATA / "ini" / "app-good_conf.ini").read_text())
    skipped = read_ini(tmp_path / "a.ini").skipped
    assert any(sentence.startswith("[cluster]") for sentence in skipped)


def test_every_phase_has_a_code_of_elastic_blast() -> None:
    assert set(map(str, Phase)) <= set(ELASTIC_BLAST)
    assert set(ELASTIC_BLAST.values()) == set(range(6))
