"""Q12: formats for genome browsers lie at the right letters: GFF3 and the JSON of UCSC's hgBlat."""

from typing import Any

import gffutils
import pytest
from Bio import SeqIO
from Bio.Seq import Seq

from tests.daemon import Daemon
from tests.databases import DB, LAMBDA_QUERY, NO_HITS_QUERY, PROTEIN_QUERY

pytestmark = pytest.mark.blast


def subjects() -> dict[str, str]:
    """Return the letters of each subject by the accession that BLAST+ gives it."""
    found = {}
    for name in ("nt.fa", "aa.fa"):
        with (DB / name).open() as file:
            for record in SeqIO.parse(file, "fasta"):
                found[record.id.split("|")[1] if "|" in record.id else record.id] = str(record.seq)
    return found


SUBJECTS = subjects()
LAM0 = SUBJECTS["lam0"]
GAPPED = LAM0[50:260] + "ACGTACG" + LAM0[260:400] + LAM0[405:700]
"""A stretch of a subject with seven letters more and five fewer."""
ODD = "per%cent;a=b,c&d"
DNA = f">plus here; there\n{GAPPED}\n>minus\n{Seq(GAPPED).reverse_complement()}\n>{ODD} é\n{LAM0[:120]}\n"
PROTEINS = PROTEIN_QUERY.replace("\n", " of a protein\n", 1)
SEARCHES: list[dict[str, Any]] = [
    {"program": "blastn", "database": "tnt", "query": DNA, "options": {"evalue": "10", "word_size": "7"}},
    {"program": "blastp", "database": "taa", "query": PROTEINS},
    {"program": "blastx", "database": "taa", "query": DNA, "options": {"evalue": "10"}},
    {"program": "tblastn", "database": "tnt", "query": PROTEINS, "options": {"evalue": "100"}},
    {"program": "tblastx", "database": "tnt", "query": DNA, "options": {"evalue": "10"}},
]
STRANDED = ("blastn", "tblastn", "tblastx")


def letters(sequence: str, start: int, end: int, strand: str, *, translated: bool) -> str:
    """Return what lies from *start* to *end* (from 1, both included) on a strand, translated if it is searched so."""
    part = Seq(sequence[start - 1 : end])
    part = part.reverse_complement() if strand == "-" else part
    return str(part.translate() if translated else part).upper()


def hits_of(daemon: Daemon, job_id: str) -> list[dict[str, Any]]:
    page = daemon.get(f"/api/blast/jobs/{job_id}/hits?limit=1000&sequences=true").json
    assert page["total"] == len(page["hits"])
    hits: list[dict[str, Any]] = page["hits"]
    return hits


def queries(text: str) -> dict[str, str]:
    return {
        block.split(maxsplit=1)[0]: "".join(block.split("\n")[1:]).upper() for block in text.split(">") if block.strip()
    }


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: str(search["program"]))
def test_Q12_features_of_gff3_lie_on_the_letters_of_their_hsps(daemon: Daemon, search: dict[str, Any]) -> None:
    given = dict(search)
    program = given["program"]
    job_id = daemon.run(given.pop("query"), given.pop("program"), given.pop("database"), **given)["job_id"]
    answer = daemon.get(f"/api/blast/jobs/{job_id}/results?format=gff3")
    assert answer.headers["Content-Type"] == "text/gff3; charset=utf-8"
    assert answer.text.startswith("##gff-version 3\n")
    features = list(gffutils.create_db(answer.text, ":memory:", from_string=True).all_features())
    hits = hits_of(daemon, job_id)
    assert len(features) == len(hits) > 3
    by_id = {feature.id: feature for feature in features}
    strands = set()
    for number, hit in enumerate(hits, 1):
        feature = by_id[f"hsp{number}"]
        assert feature.seqid == hit["subject"]
        assert feature.attributes["Name"] == [hit["query_id"]]
        target, start, end, *strand = feature.attributes["Target"][0].split(" ")
        assert target == hit["query_id"]
        assert float(feature.score) == hit["evalue"]
        strands |= {feature.strand, "target " + "".join(strand)}
        subject = letters(
            SUBJECTS[feature.seqid], feature.start, feature.end, feature.strand, translated="tblast" in program
        )
        assert subject == hit["subject_sequence"].replace("-", "").upper()
        query = letters(
            queries(search["query"])[target],
            int(start),
            int(end),
            "".join(strand),
            translated=program in ("blastx", "tblastx"),
        )
        assert query == hit["query_sequence"].replace("-", "").upper()
    assert {"+", "-"} & strands == ({"+", "-"} if program in STRANDED else set())
    assert ("target -" in strands) == (program in ("blastx", "tblastx"))


def test_Q12_a_title_can_not_break_out_of_its_column(daemon: Daemon) -> None:
    job_id = daemon.run(DNA + NO_HITS_QUERY)["job_id"]
    lines = daemon.results(job_id, "gff3").decode().splitlines()
    assert all(len(line.split("\t")) == 9 for line in lines[1:])
    assert any("Name=per%25cent%3Ba%3Db%2Cc%26d;" in line and ";Note=é" in line for line in lines)
    assert any("Note=here%3B there" in line for line in lines)
    assert daemon.results(job_id, "gff3", "&query=4").decode() == "##gff-version 3\n"
    first = daemon.results(job_id, "gff3", "&query=1").decode().splitlines()
    assert first == [line for line in lines if line.startswith("##") or "Name=plus;" in line]
    accepted = daemon.get(f"/api/blast/jobs/{job_id}/results", {"Accept": "text/gff3"})
    assert accepted.text.startswith("##gff-version 3\n")


@pytest.mark.parametrize(
    "search", [one for one in SEARCHES if one["program"] in STRANDED], ids=lambda search: str(search["program"])
)
def test_Q12_blocks_of_hgblat_are_where_the_letters_are_the_same(daemon: Daemon, search: dict[str, Any]) -> None:
    given = dict(search)
    program, asked = given["program"], queries(search["query"])
    job_id = daemon.run(given.pop("query"), given.pop("program"), given.pop("database"), **given)["job_id"]
    found = daemon.get(f"/api/blast/jobs/{job_id}/results?format=blat").json
    assert found["genome"] == search["database"]
    rows = [dict(zip(found["fields"], row, strict=True)) for row in found["blat"]]
    hits = hits_of(daemon, job_id)
    assert len(rows) == len(hits)
    for row, hit in zip(rows, hits, strict=True):
        assert (row["qName"], row["tName"]) == (hit["query_id"], hit["subject"])
        sizes, query_starts, starts = (
            [int(number) for number in row[name].split(",")] for name in ("blockSizes", "qStarts", "tStarts")
        )
        assert row["blockCount"] == len(sizes) == len(starts) == len(query_starts)
        assert starts == sorted(starts)
        query, subject = asked[row["qName"]], SUBJECTS[row["tName"]].upper()
        assert (len(query), len(subject)) == (row["qSize"], row["tSize"])
        query = str(Seq(query).reverse_complement()) if row["strand"][0] == "-" else query
        turned = row["strand"][1:] == "-"
        subject = str(Seq(subject).reverse_complement()) if turned else subject
        same = 0
        for size, mine, other in zip(sizes, query_starts, starts, strict=True):
            left = query[mine : mine + size]
            right = subject[other : other + size * (3 if program == "tblastn" else 1)]
            if program != "blastn":
                left = str(Seq(left).translate()) if program == "tblastx" else left
                right = str(Seq(right).translate())
            same += sum(a == b for a, b in zip(left, right, strict=True)) * (3 if program == "tblastx" else 1)
        assert same == row["matches"]
        assert sum(sizes) == row["matches"] + row["misMatches"]
        first, last = starts[0], starts[-1] + sizes[-1] * (3 if program == "tblastn" else 1)
        ends = (row["tSize"] - last, row["tSize"] - first) if turned else (first, last)
        assert ends == (row["tStart"], row["tEnd"])
    assert program == "tblastx" or any(row["blockCount"] > 2 for row in rows)


def test_Q12_hgblat_is_for_nucleotide_databases(daemon: Daemon) -> None:
    job_id = daemon.run(PROTEIN_QUERY, "blastp", "taa")["job_id"]
    refused = daemon.get(f"/api/blast/jobs/{job_id}/results?format=blat")
    assert refused.status == 422
    assert "blastn, tblastn, tblastx" in refused.json["detail"]
    nothing = daemon.run(NO_HITS_QUERY + LAMBDA_QUERY)["job_id"]
    assert daemon.get(f"/api/blast/jobs/{nothing}/results?format=blat&query=1").json["blat"] == []
