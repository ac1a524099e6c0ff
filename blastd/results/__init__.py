"""What a finished job's outputs become: checked (`assemble`), projected or made (`formats`, `finish`), tables (`hits`).

Stored is one file per query batch, `units/<index>.out`, in the form of `core/tabular.py` (which says why). Tables, CSV,
hit lists and hit sequences are read from it. Every other format is made when it is first asked: BLAST+ runs the
user's own search again, restricted to the subjects that the stored file names (`finish`), which costs little; that
the restricted run is the same search is proved first, by comparing its stored form byte for byte. What is made is
kept as an artifact by the service.
"""
