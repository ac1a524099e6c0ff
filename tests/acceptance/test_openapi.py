"""The whole API against its own description: requests drawn from it, and requests that break it, in a fixed order.

No answer may be a 5xx, have a status or content type that is not described, or a body that is not as described.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Err, Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY
from tests.patience import PATIENCE_SECONDS

EACH = 10
"""Requests of each kind to each operation; with all operations a quarter of a minute."""
SEARCHES: list[dict[str, Any]] = [
    {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY},
    {"program": "blastn", "database": ["tnt", "taa"]},
    {"program": "blastx", "database": "tnt"},
]
"""What some requests search, so that the rest of them is looked at, too."""
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
DOCUMENT = json.loads(
    subprocess.run([sys.executable, "-m", "blastd.cli.main", "openapi"], check=True, capture_output=True).stdout
)


def operations() -> list[Any]:
    every = list(schemathesis.openapi.from_dict(DOCUMENT).get_all_operations())
    assert every
    assert not [found for found in every if isinstance(found, Err)]
    return [found.ok() for found in every if isinstance(found, Ok)]


OPERATIONS = operations()
BREAKABLE = [one for one in OPERATIONS if len(one.query) or len(one.body)]
"""The rest takes nothing but names in its path, which are all text."""
REQUESTS = sorted(
    [(one, GenerationMode.POSITIVE) for one in OPERATIONS] + [(one, GenerationMode.NEGATIVE) for one in BREAKABLE],
    key=lambda pair: pair[0].method.upper() == "DELETE",  # last, since nothing is found after it
)


@pytest.fixture(scope="module")
def own(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that may be asked anything."""
    daemon = Daemon(tmp_path_factory.mktemp("fuzz") / "state", [databases]).start()
    yield daemon
    assert daemon.stop() == 0


@pytest.fixture(scope="module")
def known(own: Daemon) -> dict[str, list[str]]:
    """Values for the parameters of paths, so that requests get past them."""
    done = own.run(LAMBDA_QUERY)["job_id"]
    failed = own.submit(LAMBDA_QUERY, options={"reward": 1, "penalty": -7})["job_id"]
    own.ended(failed)
    return {
        "id": [done, done[:8], failed, "ffffffff"],
        "name": ["tnt", "dir with space/mynt", "nosuch"],
        "task": ["0"],
        "share": ["0"],
        "watch": [own.post("/api/blast/watches", {"job": done}).json["watch"]["watch_id"], "0" * 12],
    }


@pytest.mark.parametrize(("operation", "mode"), REQUESTS, ids=lambda one: getattr(one, "label", one))
def test_every_answer_is_described(own: Daemon, known: dict[str, list[str]], operation: Any, mode: Any) -> None:
    @settings(
        max_examples=EACH, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode), at=st.integers(0, 5))
    def ask(case: Any, at: int) -> None:
        for name in case.path_parameters or {}:
            if at < len(known[name]):  # else the one that was drawn
                case.path_parameters[name] = known[name][at]
        if isinstance(case.body, dict) and "program" in case.body and at < len(SEARCHES):
            case.body |= SEARCHES[at]
        case.validate_response(case.call(base_url=own.url, timeout=PATIENCE_SECONDS), checks=CHECKS)

    ask()
