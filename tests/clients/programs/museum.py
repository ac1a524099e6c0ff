"""One search through a client as its registry has it: CLIENT URL KIND FASTA, where KIND is hits, none or refused.

Nothing of a client is changed but its address, where that is a constant, and how long it sleeps between two questions.
Prints what its user sees: the number of hits and the first one, or what the client says.
"""

import logging
import sys
import time

client, url, kind, file = sys.argv[1:]
query = open(file).read()
letters = "".join(line for line in query.splitlines() if not line.startswith(">"))
nothing = ("ACGT" * 20 + "TTGACCA" * 9)[:120]
sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 0.2))
logging.basicConfig(level=logging.INFO)


def say(hits):
    print("HITS", len(hits), *hits[:1])


def biopython():
    from Bio.Blast import NCBIWWW, NCBIXML

    database = "nosuch" if kind == "refused" else "nt"
    handle = NCBIWWW.qblast("blastn", database, nothing if kind == "none" else query, url_base=url)
    say([alignment.accession for record in NCBIXML.parse(handle) for alignment in record.alignments])


def bio_blast():
    from Bio import Blast

    database = "nosuch" if kind == "refused" else "nt"
    stream = Blast.qblast("blastn", database, nothing if kind == "none" else query, url_base=url)
    say([hit.target.name for record in Blast.parse(stream) for hit in record])


def gget():
    import gget.gget_blast

    gget.gget_blast.BLAST_URL = url
    database = "pdbnt" if kind == "refused" else "nt"
    frame = gget.gget_blast.blast(nothing if kind == "none" else letters, program="blastn", database=database)
    say([] if frame is None else list(frame["Accession"]))


def webblast():
    import webblast.client

    webblast.client.BASE_URL = url
    from webblast import BlastClient, parse_blast_json

    database = "nosuch" if kind == "refused" else "nt"
    found = BlastClient(program="blastn", database=database).run(nothing if kind == "none" else query)
    reports = parse_blast_json(found[-1] if isinstance(found, tuple) else found)
    say([hit.accession for result in reports.queries for hit in result.hits])


def biotite():
    from biotite.application.blast import BlastWebApp
    from biotite.sequence import NucleotideSequence

    database = "nosuch" if kind == "refused" else "nt"
    app = BlastWebApp(
        "blastn", NucleotideSequence(nothing if kind == "none" else letters), database, url, obey_rules=False
    )
    app.start()
    app.join()
    say([alignment.hit_id for alignment in app.get_alignments()])


def cblaster():
    import cblaster.remote

    cblaster.remote.BLAST_API_URL = url
    protein = {"q1": "WWWWWWWWWWCCCCCCCCHHHHHHHHMMMMMMMM" if kind == "none" else letters}
    database = "nosuch" if kind == "refused" else "nr"
    rid, _ = cblaster.remote.start(sequences=protein, database=database)
    cblaster.remote.poll(rid)
    say([line.split("\t")[1] for line in cblaster.remote.retrieve(rid) if "\t" in line])


{name: value for name, value in globals().items() if callable(value)}[client]()
