"""Settings of databases and of the sources that they are fetched from."""

from pathlib import Path
from typing import Annotated, Literal

from blastd.config.base import GIB, Seconds, SettingsSection, about
from blastd.config.links import LinkSettings


class SourceSettings(SettingsSection, frozen=True, kw_only=True):
    """A source of databases: where it is, and how it is laid out."""

    name: Annotated[str, about("What it is called here.", pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    layout: Annotated[
        Literal["ncbi", "cloud", "fasta", "taxonomy"],
        about(
            "ncbi: blastdb-metadata-1-1.json, archives and .md5. cloud: the same list and plain files in the folder that "
            "latest-dir names. fasta: sequences, of which a database is made. taxonomy: NCBI's taxdump.tar.gz and .md5."
        ),
    ]
    url: Annotated[str, about("Its http or https address, or the path of a folder of this machine.")]
    hosts: Annotated[list[str], about("Further hosts, HOST or HOST:PORT, to which its address may redirect.")] = []
    database: Annotated[
        str, about("Name of the database that a FASTA file becomes.", pattern=r"^[A-Za-z0-9._-]{0,100}$")
    ] = ""
    title: Annotated[str, about("Its title.", max_length=500)] = ""
    molecule: Annotated[
        Literal["nucleotide", "protein", ""], about("Its molecule; a suffix .fna or .faa tells it, too.")
    ] = ""
    parse_seqids: Annotated[bool, about("Whether its ids are read.")] = True
    checksum: Annotated[
        str, about("'sha256:…' or 'md5:…' of the FASTA file. Empty: a file .sha256 or .md5 beside it, if there is one.")
    ] = ""
    taxid_map: Annotated[str, about("File with an id and a taxonomy id a line, relative to the address.")] = ""

    @property
    def is_http(self) -> bool:
        """Tell whether it is asked by HTTP."""
        return "://" in self.url

    @property
    def is_file(self) -> bool:
        """Tell whether its address is that of the one file that it has."""
        return self.layout == "fasta" and self.is_http


class DatabasesSettings(SettingsSection, frozen=True, kw_only=True):
    """BLAST databases."""

    dirs: Annotated[list[Path], about("Folders with BLAST databases; each is searched with its subfolders.")] = []
    rescan_seconds: Annotated[Seconds, about("How often the folders are looked through; 0: only when asked.", ge=0)] = (
        30.0
    )
    taxonomy_dir: Annotated[
        Path | None,
        about(
            "Folder with NCBI's taxonomy: taxdump as it is unpacked (names.dmp, nodes.dmp, merged.dmp, delnodes.dmp), and "
            "taxdb and taxonomy4blast.sqlite3 for databases that have none beside them. Empty: they are looked for in dirs."
        ),
    ] = None
    upload_bytes: Annotated[int, about("Largest FASTA from which a user may make a database.", ge=1)] = 4 * GIB
    sources: Annotated[
        list[SourceSettings],
        about("Where databases are fetched from, as tables [[databases.sources]]; see docs/databases.md."),
    ] = []
    links: Annotated[
        list[LinkSettings],
        about("Links from hits to other sites, as tables [[databases.links]]; see docs/databases.md."),
    ] = []
    users_may_fetch: Annotated[bool, about("Whether users may fetch and update databases; else only admins may.")] = (
        False
    )
    update_hours: Annotated[
        float,
        about("How often fetched databases are brought up to date if their source is newer; 0: only when asked.", ge=0),
    ] = 0.0
    files_at_once: Annotated[int, about("Files of sources that are received at the same time.", ge=1, le=64)] = 4
    stall_seconds: Annotated[
        Seconds, about("How long a source may send nothing, or hardly anything, before it is asked again.", gt=0)
    ] = 60.0
    at_once: Annotated[int, about("Databases that are made or fetched at the same time.", ge=1, le=64)] = 2
    fetch_tries: Annotated[
        int, about("Tries until a fetch that fails for a reason that may pass is given up.", ge=1, le=1000)
    ] = 10
    fetch_retry_seconds: Annotated[
        Seconds, about("How long a fetch waits after the first failure; then twice that, up to an hour.", gt=0)
    ] = 10.0

    @property
    def taxonomy_dirs(self) -> list[Path]:
        """Return where files of NCBI's taxonomy are looked for that don't lie beside a database, the first that counts first."""
        return [*([self.taxonomy_dir] if self.taxonomy_dir is not None else []), *self.dirs]
