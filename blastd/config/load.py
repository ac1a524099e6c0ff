"""Gather the settings from defaults, file, environment and flags, and every fault of them at once."""

import difflib
import ipaddress
import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from blastd.config.base import Secret, SettingsSection
from blastd.config.sections import Settings
from blastd.core import outlinks, sources, webhook
from blastd.errors import ConfigError

SECTIONS: dict[str, type[SettingsSection]] = {
    field.name: cast("type[SettingsSection]", field.type) for field in msgspec.structs.fields(Settings)
}
KEYS: dict[str, Any] = {
    f"{section}.{field.name}": field.type
    for section, kind in SECTIONS.items()
    for field in msgspec.structs.fields(kind)
}


SECRET_KEYS = ("azure.connection_string", "webhooks.secret", "access.proxy_secret")
DEFAULT_STATE = "the default of this user"
SHORTEST_SECRET = 16
SOCKET_FILE = re.compile(r"unix:/[^\0]{0,98}[^/\0]")
"""A socket's name has 107 bytes at most (unix(7))."""
LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\s]+):\d{1,5}")


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """The settings, and what named the state folder: a flag, a variable, a key of the file, or the user's default."""

    settings: Settings
    state_origin: str


def load(file: Path | None, environ: Mapping[str, str], flags: Mapping[str, object]) -> Settings:
    """Return the settings as `gather` finds them. Raises ConfigError."""
    return gather(file, environ, flags).settings


def gather(file: Path | None, environ: Mapping[str, str], flags: Mapping[str, object]) -> Loaded:
    """Defaults < *file* < BLASTD_SECTION__KEY < *flags* ("section.key"); ConfigError lists every fault with its origin.

    A variable that is set to the empty string counts, and means an empty text or list, or none. A relative path in the
    file is one from the file's own folder, so that whoever reads the file means the same place.
    """
    faults: list[str] = []
    given = _from_file(file, faults) if file else {}
    for name, text in environ.items():
        if name.startswith("BLASTD_") and "__" in name:
            key = name.removeprefix("BLASTD_").lower().replace("__", ".", 1)
            given[key] = (_from_text(text, KEYS.get(key)), name)
    given |= {key: (value, f"--{key.rpartition('.')[2].replace('_', '-')}") for key, value in flags.items()}
    values = _converted(given, file, faults)
    if not faults:
        _read_secrets(values, faults)
    if faults:
        raise ConfigError("\n".join(faults))
    named = values["store"].get("state_dir")
    folder, origin = (named, given["store.state_dir"][1]) if named is not None else _default_state(environ)
    values["store"]["state_dir"] = folder.absolute()
    if "dirs" in values["databases"]:
        values["databases"]["dirs"] = [one.absolute() for one in values["databases"]["dirs"]]
    parts: dict[str, Any] = {section: kind(**values[section]) for section, kind in SECTIONS.items()}
    settings = Settings(**parts)
    if contradictions := _contradictions(settings):
        raise ConfigError("\n".join(contradictions))
    return Loaded(settings=settings, state_origin=origin)


def _converted(
    given: Mapping[str, tuple[object, str]], file: Path | None, faults: list[str]
) -> dict[str, dict[str, Any]]:
    """Return section -> key -> value of what is known and right, noting the faults."""
    values: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for key, (value, origin) in given.items():
        section, _, name = key.partition(".")
        if key not in KEYS:
            faults.append(f"{origin}: unknown key{_suggestion(key)}")
            continue
        try:
            if key == "server.listen" and not _is_address(value):
                raise msgspec.ValidationError("Expected HOST:PORT like 127.0.0.1:8470 or [::1]:8470, or unix:/PATH")
            read = msgspec.convert(value, KEYS[key], strict=False, dec_hook=_decode)
            values[section][name] = (
                _placed(read, file.absolute().parent) if file and origin == f"{file}: {key}" else read
            )
        except msgspec.ValidationError as error:
            faults.append(f"{origin}: {_reason(error, key, value)}")
    return values


def shown(settings: Settings) -> dict[str, Any]:
    """Return plain data to show to an admin; secrets are masked."""
    return {
        section: {name: _plain(getattr(part, name)) for name in part.__struct_fields__}
        for section in SECTIONS
        for part in [getattr(settings, section)]
    }


def _from_file(file: Path, faults: list[str]) -> dict[str, tuple[object, str]]:
    """Return key -> (value, origin) of a TOML file, noting what can't be one."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        faults.append(f"{file}: can't be read: {error.strerror}")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.append(f"{file}: is not TOML: {error}")
        return {}
    given: dict[str, tuple[object, str]] = {}
    for section, table in document.items():
        if section not in SECTIONS:
            faults.append(f"{file}: [{section}]: unknown section; there are {', '.join(SECTIONS)}")
        elif not isinstance(table, dict):
            faults.append(f"{file}: {section}: expected a section [{section}] with keys, got a value")
        else:
            given |= {f"{section}.{key}": (value, f"{file}: {section}.{key}") for key, value in table.items()}
    for key in SECRET_KEYS:
        if key in given:
            origin = given.pop(key)[1]
            faults.append(f"{origin}: a secret; put it into a file of its own and name that in {key}_file")
    return given


def _from_text(text: str, kind: Any) -> object:
    """Return the text of an environment variable as what a TOML file would hold for a key of *kind*."""
    info = msgspec.inspect.type_info(kind) if kind is not None else None
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    if isinstance(info, msgspec.inspect.UnionType) and not text:
        return None
    if not isinstance(info, msgspec.inspect.ListType | msgspec.inspect.DictType):
        return text
    if text.lstrip().startswith(("[", "{")):
        try:
            return json.loads(text)
        except ValueError:
            return text
    if isinstance(info, msgspec.inspect.DictType):
        return dict(pair.partition("=")[::2] for pair in text.split(",") if pair)
    of_paths = isinstance(info.item_type, msgspec.inspect.CustomType)
    return [part.strip() for part in text.split(":" if of_paths else ",") if part.strip()]


def _decode(kind: type, value: object) -> object:
    """Convert what msgspec does not know: folders and secrets."""
    if not isinstance(value, str):
        if isinstance(value, kind):
            return value
        raise ValueError(f"Expected `str`, got `{type(value).__name__}`")
    if kind is Secret:
        return Secret(value)
    if not value:
        raise ValueError("Expected the name of a file or folder, got an empty text")
    return Path(value).expanduser()


def _placed(value: object, folder: Path) -> object:
    """Return a path of the settings file, or a list of them, as seen from the file's *folder*."""
    if isinstance(value, list):
        return [_placed(part, folder) for part in value]
    return folder / value if isinstance(value, Path) else value


def _default_state(environ: Mapping[str, str]) -> tuple[Path, str]:
    """Return the state folder that nobody named, and what it comes from."""
    if directory := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(directory), "STATE_DIRECTORY"
    if base := environ.get("XDG_STATE_HOME"):
        return Path(base) / "blastd", "XDG_STATE_HOME"
    return Path(environ.get("HOME") or "~").expanduser() / ".local" / "state" / "blastd", DEFAULT_STATE


def _read_secrets(values: dict[str, dict[str, Any]], faults: list[str]) -> None:
    """Read the secrets that files hold."""
    for key in SECRET_KEYS:
        section, _, name = key.partition(".")
        if (file := values[section].get(f"{name}_file")) and name not in values[section]:
            try:
                values[section][name] = Secret(file.read_text(encoding="utf-8").strip())
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not text"
                faults.append(f"{key}_file: {file} can't be read: {reason}")


def _contradictions(settings: Settings) -> list[str]:
    """Return the faults that lie between keys."""
    faults = []
    if not settings.local.enabled and not settings.kubernetes.enabled:
        faults.append("local.enabled, kubernetes.enabled: at least one engine must be on")
    on_blobs = settings.kubernetes.enabled and settings.kubernetes.storage == "blob"
    if on_blobs and not settings.azure.connection_string:
        faults.append(
            "kubernetes.enabled: needs a storage account: set azure.connection_string_file or BLASTD_AZURE__CONNECTION_STRING; "
            "or kubernetes.storage = 'volume'"
        )
    if settings.kubernetes.enabled and settings.kubernetes.storage == "volume" and settings.volume.folder is None:
        faults.append("volume.folder: name the folder of this machine that the pods mount, too")
    if settings.kubernetes.enabled and not settings.kubernetes.image:
        faults.append("kubernetes.image: name an image with python3 and BLAST+; the Dockerfile builds one")
    faults += _wrong_sources(settings)
    faults += [
        f"databases.links {link.label}: url: {fault}"
        for link in settings.databases.links
        if (fault := outlinks.template_fault(link.url)) is not None
    ]
    faults += _wrong_access(settings)
    if settings.kubernetes.cache == "pvc" and not settings.kubernetes.cache_claim:
        faults.append("kubernetes.cache_claim: name the PersistentVolumeClaim, or choose another kubernetes.cache")
    if settings.kubernetes.cache == "ephemeral" and not settings.kubernetes.cache_bytes:
        faults.append("kubernetes.cache_bytes: say how large each pod's volume is, or choose another kubernetes.cache")
    if settings.webhooks.secret:
        try:
            webhook.key(settings.webhooks.secret.reveal())
        except ValueError as error:
            faults.append(f"webhooks.secret: {error}")
    elif settings.webhooks.secret_file is not None:
        faults.append(f"webhooks.secret_file: {settings.webhooks.secret_file} is empty")
    return faults


def _wrong_access(settings: Settings) -> list[str]:
    """Return the faults of signing in by a proxy."""
    faults, access = [], settings.access
    for address in access.proxy_addresses:
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError:
            faults.append(
                f"access.proxy_addresses: {address!r} is no address and no network, such as 10.0.0.5 or 10.0.0.0/24"
            )
    if access.proxy_addresses and len(access.proxy_secret.reveal()) < SHORTEST_SECRET:
        faults.append(
            f"access.proxy_addresses: a proxy that signs people in needs a secret of {SHORTEST_SECRET} bytes or more: set "
            "access.proxy_secret_file or BLASTD_ACCESS__PROXY_SECRET"
        )
    if access.proxy_secret and not access.proxy_addresses:
        faults.append(
            "access.proxy_secret: name the proxy in access.proxy_addresses, too; without it nobody is believed"
        )
    return faults


def _wrong_sources(settings: Settings) -> list[str]:
    """Return the faults of the sources of databases."""
    faults, names = [], set[str]()
    for source in settings.databases.sources:
        where = f"databases.sources {source.name}"
        if source.name in names:
            faults.append(f"{where}: two sources have this name")
        names.add(source.name)
        if source.is_http:
            try:
                sources.place(source.url)
            except sources.SourceUnreadable as error:
                faults.append(f"{where}: url: {error}")
        elif not Path(source.url).is_absolute():
            faults.append(f"{where}: url: {source.url!r} is neither an address nor an absolute path")
        if source.is_file and not (source.database and source.molecule):
            faults.append(f"{where}: a FASTA file at an address needs the keys database and molecule")
        if source.checksum and not sources.is_checksum(source.checksum):
            faults.append(f"{where}: checksum: write 'sha256:' and 64 hex digits, or 'md5:' and 32")
    return faults


def _is_address(value: object) -> bool:
    """Tell whether *value* is HOST:PORT, or a socket file."""
    if isinstance(value, str) and value.startswith("unix:"):
        return SOCKET_FILE.fullmatch(value) is not None
    return isinstance(value, str) and LISTEN.fullmatch(value) is not None and int(value.rpartition(":")[2]) < 65536


def _suggestion(key: str) -> str:
    """Return the known key that *key* may stand for, as a question."""
    close = difflib.get_close_matches(key, KEYS, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _reason(error: msgspec.ValidationError, key: str, value: object) -> str:
    """Return msgspec's sentence with the value, unless that is a secret."""
    if key in SECRET_KEYS:
        return "Expected a text"
    sentence = str(error).replace("`", "")
    return f"{sentence}, the value is {value!r}"


def _plain(value: object) -> object:
    """Return a value as JSON has it."""
    return msgspec.to_builtins(value, enc_hook=lambda other: str(other) if isinstance(other, Path) else "***")
