"""What the package asks of its surroundings."""

import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def test_every_dependency_has_a_lower_bound_that_holds_here() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for text in (*project["dependencies"], *extras["server"], *extras["dev"]):
        wanted = Requirement(text)
        if wanted.name == project["name"]:
            continue
        assert any(one.operator == ">=" for one in wanted.specifier), text
        assert wanted.specifier.contains(version(wanted.name), prereleases=True), text
