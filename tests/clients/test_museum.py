"""N01, Q01 to Q04: real clients, unmodified but for a constant address, each with hits, without, refused, and with a key.

bioservices is left out: its NcbiBlast speaks to EBI's service, another interface.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import MUSEUM, PYTHON, ran
from tests.daemon import Daemon, make_token
from tests.databases import DB, LAMBDA_QUERY, PROTEIN_QUERY, make

HERE = Path(__file__).parent / "programs"
CGI = "/blast/Blast.cgi"
CLIENTS = ("biopython", "bio_blast", "gget", "webblast", "biotite", "cblaster")
REASON = {"gget": "pdbnt", "biotite": "KeyError: 'RID'"}
"""What a refusal says; else the database that there is not. biotite looks for an RID before it looks for anything else."""


class Museum:
    """A service with databases under names of NCBI's, one that asks for keys, and a folder with queries."""

    def __init__(self, open_one: Daemon, guarded: Daemon, key: str, folder: Path) -> None:
        self.url, self.folder = open_one.url + CGI, folder
        self.keyed = f"{guarded.url}/ncbi/{key}/Blast.cgi"
        self.unkeyed = guarded.url + CGI
        (folder / "query.fa").write_text(LAMBDA_QUERY)
        (folder / "protein.fa").write_text(PROTEIN_QUERY)

    def look(self, client: str, url: str, kind: str) -> tuple[int, str]:
        """Return how a client ended, and all that its user saw."""
        file = self.folder / ("protein.fa" if client == "cblaster" else "query.fa")
        environ = {"HOME": str(self.folder), "PYTHONWARNINGS": "ignore"}
        ended = ran(PYTHON, HERE / "museum.py", client, url, kind, file, folder=self.folder, environ=environ, code=None)
        return ended.returncode, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def museum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Museum]:
    folder = tmp_path_factory.mktemp("museum")
    (folder / "db").mkdir()
    for name, source, kind in (("nt", "nt.fa", "nucl"), ("nr", "aa.fa", "prot")):
        make(folder / "db", DB / source, name, kind, "-parse_seqids", "-title", name)
    daemons = [Daemon(folder / name, [folder / "db"]) for name in ("open", "guarded")]
    key = make_token(daemons[1].state, "ada", "user", "--only", "ncbi")
    for daemon in daemons:
        daemon.start().ready()
    yield Museum(daemons[0], daemons[1], key, folder)
    for daemon in daemons:
        assert daemon.stop() == 0


def hits(said: str) -> int:
    """The number of hits that the program printed."""
    return next(int(line.split()[1]) for line in said.splitlines() if line.startswith("HITS"))


@pytest.mark.parametrize("client", CLIENTS)
def test_Q01_Q03_it_finds_its_hits(client: str, museum: Museum) -> None:
    code, said = museum.look(client, museum.url, "hits")
    assert code == 0, said[-2000:]
    assert hits(said) > 0


@pytest.mark.parametrize("client", CLIENTS)
def test_Q02_a_search_without_hits_looks_like_one(client: str, museum: Museum) -> None:
    code, said = museum.look(client, museum.url, "none")
    if code == 0:
        assert hits(said) == 0
    else:
        assert "no hits" in said.lower(), said[-2000:]


@pytest.mark.parametrize("client", CLIENTS)
def test_Q02_a_refusal_is_seen(client: str, museum: Museum) -> None:
    code, said = museum.look(client, museum.url, "refused")
    assert REASON.get(client, "nosuch") in said, said[-2000:]
    assert code != 0 or "HITS" not in said or hits(said) == 0


@pytest.mark.parametrize("client", CLIENTS)
def test_Q04_a_key_in_the_address_is_enough(client: str, museum: Museum) -> None:
    code, said = museum.look(client, museum.keyed, "hits")
    assert code == 0, said[-2000:]
    assert hits(said) > 0
    code, said = museum.look(client, museum.unkeyed, "hits")
    assert code != 0 or "HITS" not in said or hits(said) == 0, "without the key nothing is found"


REMOTE_BLAST = Path(__file__).parents[1] / "acceptance" / "remoteblast.pl"
JARS = f"{MUSEUM / 'java' / 'lib'}/*"
OTHERS: dict[str, list[str | Path]] = {
    "bioperl": ["perl", REMOTE_BLAST],
    "biojava": ["java", "-cp", JARS, HERE / "Search.java"],
    "annotate": ["Rscript", HERE / "annotate.R"],
}
"""Programs that take an address, (a program,) a database and a file."""


@pytest.mark.parametrize("client", OTHERS)
def test_N01_Q02_Q04_clients_in_perl_java_and_r(client: str, museum: Museum) -> None:
    def look(url: str, database: str) -> tuple[int, str]:
        program = ["blastn"] if client == "bioperl" else []
        words = [*OTHERS[client], url, *program, database, museum.folder / "query.fa"]
        ended = ran(*words, folder=museum.folder, code=None)
        return ended.returncode, ended.stdout + ended.stderr

    for url in (museum.url, museum.keyed):
        code, said = look(url, "nt")
        assert code == 0, said[-2000:]
        assert "lam0" in said
    code, said = look(museum.url, "nosuch")
    assert "lam0" not in said
    assert code != 0 or "nosuch" in said, said[-2000:]
    if client != "annotate":  # it says 'No suitable matches' of whatever it can't read
        assert "nosuch" in said, said[-2000:]


def test_the_museum_is_there() -> None:
    assert (MUSEUM / "py" / "done").exists(), "make clients installs it"
