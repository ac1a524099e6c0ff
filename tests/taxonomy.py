"""A small taxonomy in the forms that NCBI and BLAST+ have: taxdump, taxdb and taxonomy4blast.sqlite3; more taxa are made up.

The taxa are NCBI's (public domain), as of 2026.
"""

import shutil
import sqlite3
import struct
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

Taxa = Mapping[int, tuple[int, str, str, str, str, str]]
"""Taxid: parent, rank, scientific name, common name, BLAST name, super kingdom."""

TAXA: Taxa = {
    1: (1, "no rank", "root", "root", "root", "N/A"),
    2: (1, "domain", "Bacteria", "eubacteria", "bacteria", "Bacteria"),
    2759: (1, "domain", "Eukaryota", "eukaryotes", "eukaryotes", "Eukaryota"),
    10239: (1, "acellular root", "Viruses", "Viruses", "viruses", "Viruses"),
    10710: (10239, "species", "Escherichia phage Lambda", "phage lambda", "viruses", "Viruses"),
    40674: (2759, "class", "Mammalia", "mammals", "mammals", "Eukaryota"),
    9605: (40674, "genus", "Homo", "humans", "primates", "Eukaryota"),
    9606: (9605, "species", "Homo sapiens", "human", "primates", "Eukaryota"),
    10088: (40674, "genus", "Mus", "mouse", "rodents", "Eukaryota"),
    10090: (10088, "species", "Mus musculus", "house mouse", "rodents", "Eukaryota"),
    561: (2, "genus", "Escherichia", "Escherichia", "enterobacteria", "Bacteria"),
    562: (561, "species", "Escherichia coli", "E. coli", "enterobacteria", "Bacteria"),
    83333: (562, "strain", "Escherichia coli K-12", "Escherichia coli K-12", "enterobacteria", "Bacteria"),
    511145: (83333, "no rank", "Escherichia coli str. K-12 substr. MG1655", "", "enterobacteria", "Bacteria"),
    1386: (2, "genus", "Bacillus", "Bacillus", "firmicutes", "Bacteria"),
    55087: (2759, "genus", "Bacillus", "Bacillus", "walking sticks", "Eukaryota"),
    1280: (2, "species", "Staphylococcus aureus", "Staphylococcus aureus", "firmicutes", "Bacteria"),
}
UNIQUE = {1386: "Bacillus <firmicutes>", 55087: "Bacillus <walking sticks>"}
SYNONYMS = {562: "Bacterium coli"}
MERGED = {1281: 1280, 662101: 562}
DELETED = (3,)


def made_up(count: int) -> Taxa:
    """Return *count* species in genera of 20 and families of 20 genera."""
    taxa: dict[int, tuple[int, str, str, str, str, str]] = {}
    for number in range(count):
        family, genus, species = 10_000_000 + number // 400, 11_000_000 + number // 20, 12_000_000 + number
        taxa.setdefault(family, (2, "family", f"Fictaceae{number // 400}", "", "bacteria", "Bacteria"))
        taxa.setdefault(genus, (family, "genus", f"Fictus{number // 20}", "", "bacteria", "Bacteria"))
        name = f"Fictus{number // 20} exemplum{number}"
        taxa[species] = (genus, "species", name, f"example {number}", "bacteria", "Bacteria")
    return taxa


def write_dump(folder: Path, taxa: Taxa = TAXA) -> Path:
    """Write NCBI's taxdump, and return its folder. It is put there whole, as who replaces it should do it."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    with (part / "nodes.dmp").open("w") as nodes, (part / "names.dmp").open("w") as names:
        for taxid, (parent, rank, name, common, _, _) in sorted(taxa.items()):
            nodes.write("\t|\t".join([str(taxid), str(parent), rank, "", "0", "0", "0", "0"]) + "\t|\n")
            names.write(f"{taxid}\t|\t{name}\t|\t{UNIQUE.get(taxid, '')}\t|\tscientific name\t|\n")
            names.write(f"{taxid}\t|\t{name} Linnaeus, 1758\t|\t\t|\tauthority\t|\n")
            if common not in ("", name):
                names.write(f"{taxid}\t|\t{common}\t|\t\t|\tgenbank common name\t|\n")
            if taxid in SYNONYMS:
                names.write(f"{taxid}\t|\t{SYNONYMS[taxid]}\t|\t\t|\tsynonym\t|\n")
    (part / "merged.dmp").write_text("".join(f"{old}\t|\t{new}\t|\n" for old, new in MERGED.items()))
    (part / "delnodes.dmp").write_text("".join(f"{taxid}\t|\n" for taxid in DELETED))
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return folder


def write_blast(folder: Path, taxa: Taxa = TAXA) -> None:
    """Write taxonomy4blast.sqlite3 and taxdb, as BLAST+ reads them beside databases."""
    path = folder / "taxonomy4blast.sqlite3"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE TaxidInfo(taxid INTEGER PRIMARY KEY, parent INTEGER)")
        db.executemany("INSERT INTO TaxidInfo VALUES (?, ?)", [(taxid, row[0]) for taxid, row in taxa.items()])
        db.execute("CREATE INDEX TaxidInfoCompositeIdx_parent ON TaxidInfo(parent, taxid)")
        db.commit()
    index, data = list[bytes](), bytearray()
    for taxid in sorted(taxa):
        index.append(struct.pack(">II", taxid, len(data)))
        _, _, name, common, *rest = taxa[taxid]
        data += "\t".join([name, common or name, *rest]).encode()
    index.append(struct.pack(">II", 0x7FFFFFFF, len(data)))
    (folder / "taxdb.bti").write_bytes(struct.pack(">6I", 0x8739, len(index), 0, 0, 0, 0) + b"".join(index))
    (folder / "taxdb.btd").write_bytes(bytes(data))
