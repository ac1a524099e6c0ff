"""The files of migrations fit together: seen by the unit tests, since two branches may take the same number."""

from blastd.store import migrate


def test_migrations_are_numbered_one_after_the_other() -> None:
    numbers = [number for number, _ in migrate.steps()]
    assert numbers == list(range(1, len(numbers) + 1))
