"""W05: hits link to other sites as the configuration says, and no subject's name can lead elsewhere."""

import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.daemon import Daemon
from tests.databases import DB, make

pytestmark = pytest.mark.blast

LINKS = [
    {"label": "Both <b>", "url": "https://seq.example/view/{id}?acc={accession}#x", "databases": ["*"]},
    {"label": "Odd ones", "url": "http://other.example:8080/q?id={id}", "databases": ["odd*"]},
    {"label": "Of others", "url": "https://never.example/{id}", "databases": ["tnt"]},
]
ODD = ("a/../../b?c=d#e", "javascript:alert(1)", "x&y=z%41", "q@evil.example")


def test_W05_links_of_hits_are_of_the_configuration(tmp_path: Path) -> None:
    letters = (DB / "nt.fa").read_text().split(">")[1].split("\n", 1)[1]
    fasta = tmp_path / "odd.fa"
    fasta.write_text("".join(f">{name}\n{letters}" for name in ODD))
    (tmp_path / "db").mkdir()
    make(tmp_path / "db", fasta, "oddities", "nucl")
    service = Daemon(tmp_path / "state", [tmp_path / "db"], {"BLASTD_DATABASES__LINKS": json.dumps(LINKS)})
    try:
        service.start().ready()
        job_id = service.run(f">q\n{letters}", database="oddities")["job_id"]
        hits = service.get(f"/api/blast/jobs/{job_id}/hits").json["hits"]
        assert {hit["subject"] for hit in hits} == set(ODD)
        for hit in hits:
            both, odd = hit["links"]
            assert (both["label"], odd["label"]) == ("Both <b>", "Odd ones")
            parts = urlsplit(both["url"])
            assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "seq.example", "x")
            assert parts.path.count("/") == 2
            assert unquote(parts.path.rpartition("/")[2]) == hit["subject"]
            assert unquote(parts.query.removeprefix("acc=")) == hit["subject_accession"]
            assert "&" not in parts.query
            assert urlsplit(odd["url"]).netloc == "other.example:8080"
    finally:
        service.kill()


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert('{id}')", "ftp://host/{id}", "//host/{id}", "https://{id}/", "https://host.{id}.example/",
        "https://user:{id}@host/", "https://host/", "https://host/{name}", "https://host/{id}/{", "https://host/ {id}",
        "data:text/html,{id}", "https:///{id}",
    ],
)  # fmt: skip
def test_W05_what_is_no_template_stops_the_start(tmp_path: Path, url: str) -> None:
    links = json.dumps([{"label": "Wrong", "url": url, "databases": ["*"]}])
    service = Daemon(tmp_path / "state", [], {"BLASTD_DATABASES__LINKS": links})
    assert service.begin().wait(60) == 2
    assert "databases.links Wrong: url" in service.log.read_text()
