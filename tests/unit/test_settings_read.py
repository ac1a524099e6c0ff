"""Each setting is read: one that nothing reads promises what does not happen."""

import ast
from pathlib import Path

import pytest

import blastd
from blastd.config.load import KEYS

ROOT = Path(blastd.__file__).parent


def attributes() -> set[str]:
    """Return the names of all attributes that blastd reads."""
    found: set[str] = set()
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        found |= {
            node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
        }
    return found


READ = attributes()


@pytest.mark.parametrize("key", sorted(KEYS))
def test_U16_every_setting_is_read(key: str) -> None:
    """`connection_string_file` and `secret_file` are read by *load*, under the name of the secret that they hold."""
    name = key.partition(".")[2]
    assert name in READ or name.removesuffix("_file") in READ, f"nothing in blastd reads {key}"
