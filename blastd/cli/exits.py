"""The exit codes of the command line, and which error gives which."""

from enum import IntEnum

from blastd import errors


class ExitCode(IntEnum):
    """What a shell script can rely on."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    CANCELLED = 4
    TIMED_OUT = 5
    INTERRUPTED = 130


OF_STATUS = {"completed": ExitCode.OK, "failed": ExitCode.FAILED, "cancelled": ExitCode.CANCELLED}

OF_ERROR: dict[type[errors.BlastdError], ExitCode] = {
    errors.BlastdError: ExitCode.USAGE,
    errors.Unavailable: ExitCode.UNREACHABLE,
    errors.DiskFull: ExitCode.UNREACHABLE,
    errors.TooMany: ExitCode.UNREACHABLE,
    errors.StoreBroken: ExitCode.FAILED,
    errors.SchemaTooNew: ExitCode.FAILED,
    errors.ToolFailed: ExitCode.FAILED,
    errors.OperationFailed: ExitCode.FAILED,
}

ELASTIC_BLAST = {
    "completed": 0,
    "failed": 1,
    "cancelled": 1,  # ElasticBLAST has no word for it; there are no results
    "queued": 2,
    "preparing": 2,
    "warming_up": 2,
    "configuring": 2,
    "staging_db": 2,
    "submitting": 3,
    "submitted": 3,
    "running": 4,
    "exporting": 4,
    "results_pending": 4,
    "cancelling": 5,
}
"""Phase -> exit code of `elastic-blast status --exit-code`: success, failure, creating, submitting, running, deleting."""

ELASTIC_BLAST_UNKNOWN = 6


def exit_code_of(error: errors.BlastdError) -> ExitCode:
    """Return the exit code of *error*: its own class's, else that of the nearest class it comes from."""
    return next(OF_ERROR[kind] for kind in type(error).__mro__ if kind in OF_ERROR)
