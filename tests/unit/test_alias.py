"""Masks, alias texts and what a proposing search asks."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from blastd.core import alias
from blastd.core.alias import AliasVolume, Layout, Mask, Named

TWO = Layout(
    molecule="nucl",
    argument="b a",
    databases=(
        Named(name="b", title="B title", sequences=10, letters=900, volumes=(1,)),
        Named(name="a", title="A", sequences=40, letters=100, volumes=(0, 2)),
    ),
    volumes=(
        AliasVolume(path="/x/a.00", sequences=33),
        AliasVolume(path="/x/b c", sequences=10),
        AliasVolume(path="/x/a.01", sequences=7),
    ),
    has_ids=True,
)


def bits(data: bytes) -> list[int]:
    return [at for at in range((len(data) - 4) * 8) if data[4 + at // 8] & (0x80 >> (at % 8))]


@given(st.sets(st.integers(0, 199)), st.integers(200, 260))
def test_a_mask_holds_exactly_the_positions(positions: set[int], count: int) -> None:
    data = alias.mask_bytes(Mask(name="x", count=count, ranges=alias.ranges(positions)))
    assert bits(data) == sorted(positions)
    assert int.from_bytes(data[:4], "big") == count - 1
    assert len(data) == 4 + (count + 31) // 32 * 4


@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.data())
def test_Y11_shards_hold_every_position_once_and_differ_by_a_sequence_at_most(
    letters: list[int], data: st.DataObject
) -> None:
    shards = data.draw(st.integers(1, len(letters)))
    before = [0, *accumulate(letters)]
    cuts = alias.even_cuts(len(letters), shards, before.__getitem__)
    parts = [alias.shard(cuts, index) for index in range(shards)]
    assert [p for part in parts for first, last in part for p in range(first, last)] == list(range(len(letters)))
    assert all(alias.size(part) for part in parts)
    even = before[-1] / shards
    if max(letters) <= even:  # else one sequence alone is more than a shard
        assert all(abs(before[end] - before[start] - even) <= max(letters) for part in parts for start, end in part)


def test_an_alias_cuts_positions_by_volume_and_keeps_the_numbers_of_the_whole() -> None:
    made = alias.restrict(TWO, ((30, 35), (42, 44)))
    assert [mask.ranges for mask in made.masks] == [((30, 33),), ((0, 2), (9, 10)), ((0, 1),)]
    texts = dict(made.texts)
    assert alias.placed(texts["blastd-volume-1.nal"], TWO).splitlines()[1:] == [
        'DBLIST "/x/b c"',
        "OIDLIST blastd-volume-1.msk",
    ]
    assert texts["a.nal"] == (
        "TITLE A\nDBLIST blastd-volume-0 blastd-volume-2\nNSEQ 40\nLENGTH 100\nSTATS_NSEQ 40\nSTATS_TOTLEN 100\n"
    )
    assert made.argument == "b a"


def test_a_layout_that_hides_sequences_is_not_addressable() -> None:
    assert TWO.addressable
    hidden = Layout(
        molecule="nucl",
        argument="a",
        databases=(Named(name="a", title="A", sequences=39, letters=100, volumes=(0, 1)),),
        volumes=TWO.volumes[:1] + TWO.volumes[2:],
        has_ids=True,
    )
    assert not hidden.addressable


def test_a_proposing_search_is_wider_than_the_users() -> None:
    found = alias.wide(
        "blastn", "megablast", {"max_target_seqs": "3", "perc_identity": "90", "evalue": "1e-5", "taxids": ("1",)}
    )
    assert found == {"max_target_seqs": "212", "evalue": "0.0001"}
    assert alias.wide("blastp", "blastp-short", {})["evalue"] == "200000"
    protein = alias.wide("blastp", "blastp", {"comp_based_stats": "3", "max_target_seqs": "5", "xdrop_gap": "20"})
    assert protein == {
        "max_target_seqs": "1200",
        "evalue": "100",
        "xdrop_gap": "20",
        "xdrop_gap_final": "20",
        "comp_based_stats": "0",
    }
    plain = alias.wide("blastp", "blastp", {"comp_based_stats": "0", "max_target_seqs": "5"})
    assert plain["max_target_seqs"] == "220"
    assert "comp_based_stats" not in alias.wide("blastp", "blastp", {"ungapped": True})
