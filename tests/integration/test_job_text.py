"""Jobs are found by text among many, each word anywhere in title, first query or database, without looking at all of them."""

import random
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from blastd.store import jobs
from blastd.store.jobs import JobFilter
from blastd.store.migrate import migrate
from tests.databases import LAMBDA_QUERY
from tests.service import API, Service

JOBS = 100_000


def filled(path: Path, count: int) -> sqlite3.Connection:
    """A store with *count* completed jobs of the titles `sample N gene G`."""
    draw = random.Random(1)
    db = sqlite3.connect(path, isolation_level=None)
    db.row_factory = sqlite3.Row
    migrate(db)
    names = [row["name"] for row in db.execute("PRAGMA table_info(job)")]
    fixed = {
        "version": 1, "owner": "anna", "source": "api", "program": "blastn", "task": "megablast", "engine": "local",
        "database_names": "\nnt\n", "priority": 0, "status": "completed", "phase": "completed", "units_total": 1,
        "units_done": 1, "attempt": 1, "databases": "[]", "options": "{}", "steps": "[]", "engine_ref": "{}",
        "warnings": "[]", "plan_why": "[]", "standins": "{}", "organisms": "{}", "ran_ms": 0,
    }  # fmt: skip
    db.execute("BEGIN")
    for number in range(count):
        query = f'{{"count":1,"letters":9,"molecule":"nucl","first_id":"read{number}","sha256":""}}'
        row = dict.fromkeys(names) | fixed | {
            "job_id": str(uuid.UUID(int=draw.getrandbits(128), version=4)), "query": query,
            "title": f"sample {number} gene {draw.choice(('lacZ', 'recA'))}{draw.randrange(10**6)}",
            "created_at": 1000 + number // 3, "updated_at": 1000 + number, "finished_at": 1000 + number,
        }  # fmt: skip
        db.execute(f"INSERT INTO job ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})", row)  # noqa: S608  # our names
    db.execute("COMMIT")
    return db


@pytest.mark.slow
def test_Y14_text_is_found_among_a_hundred_thousand_jobs_without_a_look_at_most(tmp_path: Path) -> None:
    """Counted are the steps of SQLite's machine, which no busy computer changes; the scan of before takes over a million."""
    with closing(filled(tmp_path / "store", JOBS)) as db:
        for text, found in (
            ("sample", 50),
            ("read777", 50),
            ("lacz12345", 1),
            ("gene reca99", 50),
            ("zzzz", 0),
            ("READ4711", 11),
        ):
            steps = 0

            def step() -> None:
                nonlocal steps
                steps += 1

            db.set_progress_handler(step, 1000)
            rows, _ = jobs.page(db, JobFilter(q=text), None, 50)
            db.set_progress_handler(None, 0)
            assert len(rows) >= min(found, 1) if found else rows == []
            assert steps < 150, (text, steps)


def test_Y14_pages_by_text_are_those_of_a_look_at_each(tmp_path: Path) -> None:
    with closing(filled(tmp_path / "store", 2000)) as db:
        titles = [
            (row["title"], row["job_id"])
            for row in db.execute("SELECT * FROM job ORDER BY created_at DESC, job_id DESC")
        ]
        for text in ("sample 7", "lacz", "reca 13", "e1", "read19", '"', "nt", "gene OR sample", "99*"):
            wanted = [
                job_id for title, job_id in titles
                if all(word in f"{title} read{title.split()[1]} nt".lower() for word in text.lower().split())
            ]  # fmt: skip
            seen, after = [], None
            while True:
                rows, after = jobs.page(db, JobFilter(q=text), after, 40)
                seen += [job.job_id for job in rows]
                if after is None:
                    break
            assert [it for it in seen if it in set(wanted)] == wanted
            assert set(seen) - set(wanted) == {it for it in seen if it.replace("-", "").startswith(text)} - set(wanted)


async def test_Y14_words_titles_and_first_queries_are_found_and_removed_jobs_are_not(service: Service) -> None:
    one = await service.run(LAMBDA_QUERY, title="The needle of Anna")
    await service.run(LAMBDA_QUERY, title="haystack", reuse=False)

    async def found(text: str) -> list[str]:
        return [job["title"] for job in (await service.get(API, params={"q": text})).json["jobs"]]

    assert await found("anna NEEDLE") == ["The needle of Anna"]
    assert await found(LAMBDA_QUERY.split()[0][1:]) == ["haystack", "The needle of Anna"]
    assert await found(one["job_id"][:10]) == await found(one["short_id"]) == ["The needle of Anna"]
    assert (await service.ask("DELETE", f"{API}/{one['job_id']}")).status == 200
    assert await found("needle") == []
