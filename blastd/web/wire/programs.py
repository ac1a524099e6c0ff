"""Programs on the wire: tasks, options and formats of the installed BLAST+."""

from typing import Annotated

from msgspec import Meta

from blastd.web.wire.base import Wire


class OptionView(Wire, frozen=True, kw_only=True):
    """A search option as BLAST+ describes it."""

    name: str
    type: str
    flag: Annotated[bool, Meta(description="Whether BLAST+ takes it without a value.")]
    default: str | None
    minimum: float | None
    maximum: float | None
    exclusive_minimum: bool
    exclusive_maximum: bool
    choices: list[str]
    ranges: list[list[int]]
    excludes: list[str]
    requires: list[str]
    help: str
    group: str
    advanced: bool


class ProgramTaskView(Wire, frozen=True, kw_only=True):
    """A preset of a program, with the defaults that it changes."""

    name: str
    title: str
    help: str
    defaults: dict[str, str]


class ProgramView(Wire, frozen=True, kw_only=True):
    """A program with its tasks and options."""

    name: str
    title: str
    help: str
    query: str
    query_types: Annotated[list[str], Meta(description="What a query can be: sequences, pssm, msa.")]
    database: str
    database_kind: Annotated[str, Meta(description="What its databases hold: sequences or profiles.")]
    default_task: str
    tasks: list[ProgramTaskView]
    options: list[OptionView]


class FormatView(Wire, frozen=True, kw_only=True):
    """A format in which results can be read."""

    name: str
    outfmt: int | None
    title: str
    media_type: str
    extension: str
    programs: list[str]


class Programs(Wire, frozen=True, kw_only=True):
    """What can be searched with."""

    blast_version: str
    programs: list[ProgramView]
    formats: list[FormatView]
