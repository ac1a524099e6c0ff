"""Settings of links from hits to other sites."""

from typing import Annotated

from blastd.config.base import SettingsSection, about
from blastd.core.outlinks import LinkTemplate


class LinkSettings(SettingsSection, frozen=True, kw_only=True):
    """A link that hits of some databases have."""

    label: Annotated[str, about("What the link is called.", min_length=1, max_length=60)]
    url: Annotated[
        str,
        about(
            "Its http or https address, with {id} or {accession} (without version) where the subject's name goes, encoded.",
            max_length=2000,
        ),
    ]
    databases: Annotated[
        list[str], about("Names of the databases whose hits have it; * stands for any letters.", min_length=1)
    ]

    @property
    def template(self) -> LinkTemplate:
        """Return the same as the core takes it."""
        return LinkTemplate(label=self.label, url=self.url, databases=tuple(self.databases))
