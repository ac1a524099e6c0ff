"""What settings are when defaults, file, environment and flags meet."""

import ast
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import blastd
from blastd.config import KEYS, Secret, Settings, Toleration, load, shown
from blastd.errors import ConfigError

HOME = {"HOME": "/home/ada"}
WriteFile = Callable[[str], Path]


@pytest.fixture
def toml(tmp_path: Path) -> WriteFile:
    def write(text: str) -> Path:
        file = tmp_path / "blastd.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def faults(file: Path | None, environ: dict[str, str], flags: dict[str, object]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(file, environ, flags)
    return str(caught.value).splitlines()


def test_defaults_serve_loopback_and_keep_state_in_the_users_state_folder() -> None:
    settings = load(None, HOME, {})
    assert settings.server.address == ("127.0.0.1", 8470)
    assert settings.server.loopback
    assert settings.store.folder == Path("/home/ada/.local/state/blastd")
    assert settings.store.file.parent == settings.store.folder


def test_flag_wins_over_environment_over_file_over_default(toml: WriteFile) -> None:
    file = toml('[local]\nslots = 2\nnice = 7\n[limits]\nquery_sequences = 5\n[logging]\nlevel = "debug"\n')
    environ = HOME | {"BLASTD_LOCAL__SLOTS": "3", "BLASTD_LOCAL__NICE": "8"}
    settings = load(file, environ, {"local.slots": 4})
    assert (settings.local.slots, settings.local.nice, settings.limits.query_sequences) == (4, 8, 5)
    assert settings.logging.level == "debug"
    assert settings.limits.body_bytes == Settings().limits.body_bytes


def test_S08_an_environment_value_set_to_the_empty_string_wins_over_the_file(toml: WriteFile) -> None:
    file = toml('[server]\nbase_path = "/blast"\n[databases]\ndirs = ["/db"]\n[blast]\nbin = "/opt/blast/bin"\n')
    environ = HOME | {"BLASTD_SERVER__BASE_PATH": "", "BLASTD_DATABASES__DIRS": "", "BLASTD_BLAST__BIN": ""}
    settings = load(file, environ, {})
    assert settings.server.base_path == ""
    assert settings.databases.dirs == []
    assert settings.blast.bin is None


def test_S08_an_empty_number_is_a_fault_and_not_the_default() -> None:
    assert faults(None, {"BLASTD_LOCAL__SLOTS": ""}, {}) == [
        "BLASTD_LOCAL__SLOTS: Expected int, got str, the value is ''"
    ]


def test_every_fault_is_named_at_once_with_its_origin(toml: WriteFile) -> None:
    file = toml('[local]\nslot = 2\nslots = "many"\n[sever]\nlisten = "x"\n')
    environ = {"BLASTD_LOCAL__NICE": "99", "BLASTD_NO__SUCH": "1"}
    found = faults(file, environ, {"server.listen": "8470"})
    assert [fault for fault in found if fault.startswith(f"{file}: [sever]")]
    assert f"{file}: local.slot: unknown key; did you mean local.slots?" in found
    assert f"{file}: local.slots: Expected int, got str, the value is 'many'" in found
    assert "BLASTD_LOCAL__NICE: Expected int <= 19, the value is '99'" in found
    assert "BLASTD_NO__SUCH: unknown key" in found
    assert any(fault.startswith("--listen: Expected HOST:PORT") for fault in found)
    assert len(found) == 6


@pytest.mark.parametrize("listen", ["localhost:1", "127.0.0.9:80", "[::1]:0"])
def test_loopback_addresses_are_known(listen: str) -> None:
    assert load(None, HOME, {"server.listen": listen}).server.loopback


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::]:80", "blast.example.org:0", "10.0.0.1:5"])
def test_other_addresses_are_not_loopback(listen: str) -> None:
    assert not load(None, HOME, {"server.listen": listen}).server.loopback


@pytest.mark.parametrize("listen", ["", "8470", ":8470", "host:", "host:99999", "::1:80", "a b:1"])
def test_what_is_not_an_address_is_refused(listen: str) -> None:
    assert "HOST:PORT" in faults(None, {"BLASTD_SERVER__LISTEN": listen}, {})[0]


def test_state_folder_is_flag_then_systemd_then_xdg() -> None:
    environ = {"STATE_DIRECTORY": "/var/lib/blastd:/var/lib/other", "XDG_STATE_HOME": "/x", "HOME": "/h"}
    assert load(None, environ, {"store.state_dir": "/flag"}).store.folder == Path("/flag")
    assert load(None, environ, {}).store.folder == Path("/var/lib/blastd")
    assert load(None, {"XDG_STATE_HOME": "/x", "HOME": "/h"}, {}).store.folder == Path("/x/blastd")


def test_lists_and_tables_can_come_from_the_environment() -> None:
    environ = HOME | {
        "BLASTD_DATABASES__DIRS": "/a:/b c",
        "BLASTD_KUBERNETES__NODE_SELECTOR": "pool=blast,disk=fast",
        "BLASTD_KUBERNETES__TOLERATIONS": '[{"key": "spot", "operator": "Exists"}]',
        "BLASTD_SERVER__PUBLIC_HOSTS": "blast.example.org, b.example.org",
    }
    settings = load(None, environ, {})
    assert settings.databases.dirs == [Path("/a"), Path("/b c")]
    assert settings.kubernetes.node_selector == {"pool": "blast", "disk": "fast"}
    assert settings.kubernetes.tolerations == [Toleration(key="spot", operator="Exists")]
    assert settings.server.public_hosts == ["blast.example.org", "b.example.org"]


def test_a_secret_comes_from_a_file_or_the_environment_and_is_never_shown(toml: WriteFile, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("AccountKey=topsecret\n")
    by_file = load(toml(f'[azure]\nconnection_string_file = "{tmp_path}/secret"\n'), HOME, {})
    by_environment = load(None, HOME | {"BLASTD_AZURE__CONNECTION_STRING": "AccountKey=topsecret"}, {})
    for settings in (by_file, by_environment):
        assert settings.azure.connection_string.reveal() == "AccountKey=topsecret"
        assert "topsecret" not in f"{settings!r} {settings} {shown(settings)}"
    found = faults(toml('[azure]\nconnection_string = "topsecret"\n'), {}, {})
    assert "azure.connection_string_file" in found[0]
    assert "topsecret" not in found[0]


def test_a_missing_secret_file_is_a_fault() -> None:
    assert "/no/such" in faults(None, {"BLASTD_AZURE__CONNECTION_STRING_FILE": "/no/such"}, {})[0]


def test_a_file_that_is_missing_or_not_toml_is_a_fault(toml: WriteFile, tmp_path: Path) -> None:
    assert "can't be read" in faults(tmp_path / "none.toml", {}, {})[0]
    assert "is not TOML" in faults(toml("[local\n"), {}, {})[0]
    assert "expected a section" in faults(toml("local = 1\n"), {}, {})[0]


def test_settings_that_contradict_each_other_stop_the_start() -> None:
    assert "at least one engine" in faults(None, {"BLASTD_LOCAL__ENABLED": "false"}, {})[0]
    assert "storage account" in faults(None, {"BLASTD_KUBERNETES__ENABLED": "true"}, {})[0]


def test_empty_secrets_are_falsy_and_say_so() -> None:
    assert not Secret()
    assert repr(Secret()) == "''"
    assert Secret("a") == Secret("a")


def test_names_carry_units() -> None:
    assert not [key for key in KEYS if key.endswith(("_timeout", "_size", "_interval"))]


def test_the_annotated_file_has_every_key_with_its_default() -> None:
    file = Path(__file__).parents[2] / "config" / "blastd.toml"
    plain = tomllib.loads(re.sub(r"(?m)^#(?=\w+ = )", "", file.read_text()))
    for section in msgspec.structs.fields(Settings):
        defaults = section.default
        fields = msgspec.structs.fields(type(defaults))
        keys = {field.name for field in fields if not isinstance(getattr(defaults, field.name), Secret)}
        assert plain[section.name].keys() == keys, "a secret has no place in the file"
        for key, value in plain[section.name].items():
            default = getattr(defaults, key)
            assert value == ("" if default is None else default), (section.name, key)


def test_every_setting_is_read_somewhere() -> None:
    """An attribute of its name is read outside the place that defines it; `tracking` reads its own in `intervals`."""
    package = Path(blastd.__file__).parent
    read = {
        node.attr
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    assert len(KEYS) > 50
    files_of_secrets = {key for key in KEYS if key.removesuffix("_file") in KEYS and key.endswith("_file")}
    assert [key for key in KEYS if key.rpartition(".")[2] not in read and key not in files_of_secrets] == []
