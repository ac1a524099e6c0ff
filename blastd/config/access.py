"""Settings of who signs people in, and what they see of each other."""

from pathlib import Path
from typing import Annotated, Literal

from blastd.config.base import Secret, SettingsSection, about


class AccessSettings(SettingsSection, frozen=True, kw_only=True):
    """Who signs people in, and what they see of each other."""

    visibility: Annotated[
        Literal["own", "team"],
        about(
            "own: users read their own searches. team: all who are signed in read everybody's; they change their own only."
        ),
    ] = "own"
    proxy_addresses: Annotated[
        list[str],
        about(
            "Addresses or networks of a reverse proxy that signs people in (oauth2-proxy, Authelia, Apache, nginx) and says "
            "who they are. Needs a secret; tokens go on for programs, and nobody comes in without either."
        ),
    ] = []
    proxy_secret: Annotated[
        Secret,
        about(
            "What that proxy sends as X-Blastd-Proxy-Secret, 16 bytes or more. From the environment only; in a file use the "
            "next key."
        ),
    ] = Secret()
    proxy_secret_file: Annotated[Path | None, about("File with that secret.")] = None
    proxy_user_header: Annotated[
        str, about("The header in which the proxy names the user.", pattern=r"^[A-Za-z0-9-]+$")
    ] = "X-Forwarded-User"
    proxy_groups_header: Annotated[
        str, about("The header in which it names the user's groups, parted by commas.", pattern=r"^[A-Za-z0-9-]+$")
    ] = "X-Forwarded-Groups"
    proxy_admin_group: Annotated[str, about("The group whose members are admins; empty: nobody by this way.")] = ""
