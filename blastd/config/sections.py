"""Settings: one frozen Struct a section, one description a key."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from blastd.config.access import AccessSettings
from blastd.config.base import GIB, MIB, STORE_NAME, Seconds, Secret, SettingsSection, about
from blastd.config.cluster import AzureSettings, KubernetesSettings, VolumeSettings
from blastd.config.databases import DatabasesSettings
from blastd.config.watches import WatchesSettings
from blastd.core.intervals import Intervals
from blastd.errors import ConfigError

UNIX = "unix:"
"""How a socket file begins in `listen`."""


class ServerSettings(SettingsSection, frozen=True, kw_only=True):
    """The HTTP server."""

    listen: Annotated[
        str,
        about(
            "Address and port to serve on, HOST:PORT, or a socket file, unix:/PATH. Without tokens only a loopback address "
            "or a socket file is accepted. Port 0 takes any free port. Sockets of the service manager count more."
        ),
    ] = "127.0.0.1:8470"
    socket_mode: Annotated[
        str, about("Who may connect to the socket file: its mode, in octal digits.", pattern=r"^0?[0-7]{3}$")
    ] = "660"
    base_path: Annotated[
        str, about("Path under which a reverse proxy shows the service, like '/blast'.", pattern=r"^(/[\w.~-]+)*$")
    ] = ""
    public_hosts: Annotated[
        list[str],
        about("Host names by which a browser may reach the service, beside the address it listens on."),
    ] = []
    cors_origins: Annotated[
        list[Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\\s*@]+$")]],
        about(
            "Origins, like 'https://lab.example.org', whose pages may use the API from a browser (CORS), with a token that they "
            "bring. Without tokens they may do what anybody here may."
        ),
    ] = []
    stall_seconds: Annotated[
        Seconds,
        about(
            "How long a client may take nothing of its answer, or send nothing or hardly anything of its request, before it "
            "is cut off.",
            gt=0,
        ),
    ] = 60.0
    session_hours: Annotated[float, about("How long a sign-in on the web page lasts.", gt=0)] = 12.0
    shutdown_seconds: Annotated[
        Seconds, about("Time for requests and searches to settle at a stop; then they are ended.", gt=0, le=60)
    ] = 8.0

    @property
    def socket_file(self) -> Path | None:
        """Return the socket file to serve on, None for an address."""
        return Path(self.listen.removeprefix(UNIX)) if self.listen.startswith(UNIX) else None

    @property
    def mode(self) -> int:
        """Return the mode of the socket file."""
        return int(self.socket_mode, 8)

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port, where it is no socket file."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def loopback(self) -> bool:
        """Tell whether only this machine can reach the address."""
        if self.socket_file is not None:
            return True
        host, _ = self.address
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


class StoreSettings(SettingsSection, frozen=True, kw_only=True):
    """Where the state lies."""

    state_dir: Annotated[
        Path | None,
        about(
            "Folder of the SQLite file, the results and the pinned databases. "
            "Empty: $STATE_DIRECTORY (systemd), else $XDG_STATE_HOME/blastd, else ~/.local/state/blastd."
        ),
    ] = None

    @property
    def folder(self) -> Path:
        """Return the state folder, which *load* has filled in."""
        if self.state_dir is None:
            raise ConfigError("store.state_dir: there is no state folder; give --state-dir")
        return self.state_dir

    @property
    def file(self) -> Path:
        """Return the SQLite file."""
        return self.folder / STORE_NAME


class BlastSettings(SettingsSection, frozen=True, kw_only=True):
    """The NCBI BLAST+ programs."""

    bin: Annotated[Path | None, about("Folder of the BLAST+ programs. Empty: they are looked for on PATH.")] = None


class LocalSettings(SettingsSection, frozen=True, kw_only=True):
    """The engine that searches on this machine."""

    enabled: Annotated[bool, about("Whether searches may run on this machine.")] = True
    slots: Annotated[int, about("BLAST+ processes at once; 0: one for each core.", ge=0, le=1024)] = 0
    express: Annotated[
        int,
        about(
            "BLAST+ processes beside the slots for work that is known to be over in a second, while long work holds every "
            "slot; 0: it waits like all.",
            ge=0,
            le=1024,
        ),
    ] = 1
    threads: Annotated[
        int,
        about(
            "Most threads of one BLAST+ process; 0: as many as pay and are free. 1: ties at the limit of max_target_seqs "
            "are always decided in the same way.",
            ge=0,
            le=1024,
        ),
    ] = 0
    shards: Annotated[
        int,
        about(
            "Parts into which a database is split, each searched by a process of its own with the same result as the whole; "
            "1: not split, which is quicker where the memory holds it.",
            ge=1,
            le=1000,
        ),
    ] = 1
    together: Annotated[
        int,
        about(
            "Most tiny searches of one query that one BLAST+ process does in one turn, with the same results as alone, when "
            "many of the same kind and owner wait; 1: each has a turn of its own.",
            ge=1,
            le=100,
        ),
    ] = 16
    residents: Annotated[
        int,
        about(
            "BLAST+ processes that stay after a tiny search, for the next one of the same owner with the same database and "
            "options, which then costs no start; 0: none stays.",
            ge=0,
            le=1000,
        ),
    ] = 8
    resident_seconds: Annotated[Seconds, about("How long one waits for the next search before it ends.", gt=0)] = 60.0
    resident_queries: Annotated[int, about("Queries after which one ends.", ge=1)] = 1000
    resident_bytes: Annotated[int, about("Memory of its own with which one ends after a search.", ge=1 << 20)] = (
        64 * MIB
    )
    nice: Annotated[int, about("Niceness of BLAST+ processes, so that the service stays quick.", ge=0, le=19)] = 5
    memory_limit_bytes: Annotated[
        int,
        about(
            "Address space of one BLAST+ process; 0: what the machine has. A search that needs more is refused.", ge=0
        ),
    ] = 0
    time_limit_seconds: Annotated[
        Seconds,
        about(
            "Longest run of one search, over all its parts: time in which none of them runs does not count. A search may ask "
            "for less. 0: no limit.",
            ge=0,
        ),
    ] = 24 * 3600.0


class LimitsSettings(SettingsSection, frozen=True, kw_only=True):
    """What one request or one owner may ask for."""

    body_bytes: Annotated[int, about("Largest request body, before and after gzip.", ge=1024)] = 512 * MIB
    query_letters: Annotated[int, about("Most letters in one search.", ge=1)] = 500_000_000
    query_sequences: Annotated[int, about("Most sequences in one search.", ge=1)] = 1_000_000
    active_jobs_per_owner: Annotated[int, about("Jobs of one owner that wait or run; one more is a 429.", ge=1)] = 2000
    queued_jobs_per_owner: Annotated[int, about("Jobs of one owner that wait; one more is a 429.", ge=1)] = 1000
    share_seconds: Annotated[
        Seconds,
        about(
            "How long an owner of whom nothing runs waits at most while others hold every slot of this machine; then his work "
            "starts beside theirs.",
            gt=0,
        ),
    ] = 60.0
    letters_per_day: Annotated[
        int,
        about(
            "Letters that one owner may search within 24 hours; more is a 429 that says when there is room. Stored results "
            "and retries don't count, deleted searches do. 0: no limit.",
            ge=0,
        ),
    ] = 0
    database_tasks_per_owner: Annotated[
        int, about("Databases of one owner that wait or are being made or fetched; one more is a 429.", ge=1)
    ] = 10
    database_bytes_per_owner: Annotated[
        int, about("Bytes of the FASTA files of which these are made; more is a 429. 0: no limit.", ge=0)
    ] = 16 * GIB


class RetentionSettings(SettingsSection, frozen=True, kw_only=True):
    """How long results stay."""

    days: Annotated[float, about("Days after its end when a job and its files are removed; 0: never.", ge=0)] = 30.0
    dry_run: Annotated[bool, about("Only log what would be removed.")] = False
    sweep_seconds: Annotated[Seconds, about("How often old jobs and files that no job owns are looked for.", gt=0)] = (
        3600.0
    )
    generations_days: Annotated[
        float,
        about("Days for which a replaced database stays pinned for the formats of old jobs; 0: as long as jobs.", ge=0),
    ] = 0.0
    disk_floor_bytes: Annotated[
        int, about("Free space under which new searches are refused (507) while results are still served.", ge=0)
    ] = GIB


class TrackingSettings(SettingsSection, frozen=True, kw_only=True):
    """How often the state of a job is looked at; the numbers are promises of the design, change them for tests only."""

    first_look_seconds: Annotated[Seconds, about("First look after a submit.", gt=0)] = 10.0
    poll_seconds: Annotated[Seconds, about("Between looks.", gt=0)] = 10.0
    poll_fast_seconds: Annotated[Seconds, about("Between looks while a job runs or its results arrive.", gt=0)] = 5.0
    poll_slow_seconds: Annotated[Seconds, about("Between looks while an engine has not begun.", gt=0)] = 20.0
    throttle_fast_seconds: Annotated[
        Seconds, about("Least time between two outside looks at a running job, whoever asks.", ge=0)
    ] = 5.0
    throttle_slow_seconds: Annotated[
        Seconds, about("Least time between two outside looks at a job that has not begun.", ge=0)
    ] = 20.0
    max_rounds: Annotated[int, about("Looks after which a poller leaves the job to watch and reconcile.", ge=1)] = 180
    cool_down_seconds: Annotated[Seconds, about("First pause after an engine could not be asked.", gt=0)] = 5.0
    cool_down_max_seconds: Annotated[Seconds, about("Longest such pause.", gt=0)] = 60.0
    reconcile_seconds: Annotated[Seconds, about("How often store and engines are compared.", gt=0)] = 60.0

    def intervals(self) -> Intervals:
        """Return the same numbers as the core takes them."""
        return Intervals(
            first_look=self.first_look_seconds,
            normal=self.poll_seconds,
            fast=self.poll_fast_seconds,
            slow=self.poll_slow_seconds,
            max_rounds=self.max_rounds,
            throttle_fast=self.throttle_fast_seconds,
            throttle_slow=self.throttle_slow_seconds,
            cool_down=self.cool_down_seconds,
            cool_down_max=self.cool_down_max_seconds,
        )


class WebhooksSettings(SettingsSection, frozen=True, kw_only=True):
    """Telling an address of the end of a job. Off without a secret."""

    secret: Annotated[
        Secret, about("Secret that signs each message. From the environment only; in a file use the next key.")
    ] = Secret()
    secret_file: Annotated[
        Path | None,
        about("File with the secret, 16 bytes or more; 'whsec_' and base64 as in Standard Webhooks, or text."),
    ] = None
    allowed_hosts: Annotated[
        list[str],
        about("HOST or HOST:PORT that may be reached without https, and at addresses that are not public."),
    ] = []
    timeout_seconds: Annotated[Seconds, about("Longest that one try may take.", gt=0, le=120)] = 10.0
    max_attempts: Annotated[int, about("Tries until a message is given up, which is an event of the job.", ge=1)] = 36
    first_delay_seconds: Annotated[
        Seconds, about("About how long to wait after the first failure; then twice that.", gt=0)
    ] = 5.0
    longest_delay_seconds: Annotated[Seconds, about("Longest wait between two tries.", gt=0)] = 3600.0
    at_once: Annotated[int, about("Messages that are sent at once, one for each receiving host.", ge=1, le=100)] = 8


class LoggingSettings(SettingsSection, frozen=True, kw_only=True):
    """The log, on standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], about("Least level that is written.")] = "info"
    format: Annotated[
        Literal["auto", "console", "json"], about("json: one object a line. auto: console on a terminal, else json.")
    ] = "auto"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of a daemon."""

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    databases: DatabasesSettings = DatabasesSettings()
    blast: BlastSettings = BlastSettings()
    local: LocalSettings = LocalSettings()
    limits: LimitsSettings = LimitsSettings()
    retention: RetentionSettings = RetentionSettings()
    tracking: TrackingSettings = TrackingSettings()
    kubernetes: KubernetesSettings = KubernetesSettings()
    azure: AzureSettings = AzureSettings()
    volume: VolumeSettings = VolumeSettings()
    access: AccessSettings = AccessSettings()
    webhooks: WebhooksSettings = WebhooksSettings()
    watches: WatchesSettings = WatchesSettings()
    logging: LoggingSettings = LoggingSettings()
