"""U19: what operators and shared machines do to a daemon: signals, loose modes, a store that is moved beneath it."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from blastd import signals
from blastd.store import private
from tests.acceptance.test_faults import JOBS, down
from tests.daemon import Daemon, cli, is_problem
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY
from tests.patience import PATIENCE_SECONDS, until

SEARCH = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY, "reuse": False}


def send(daemon: Daemon, number: int) -> None:
    assert daemon.process is not None
    os.kill(daemon.process.pid, number)


def test_U19_no_signal_but_those_that_stop_ends_it(fresh: Daemon) -> None:
    fresh.start()
    job = fresh.submit(SLOW_QUERY, **SLOW)["job_id"]
    for _ in range(3):
        for number in (*signals.others(), signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ, *signals.TERMINAL):
            send(fresh, number)
    wanted = {signals.name_of(number) for number in signals.others()}
    assert {"SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGRTMIN"} <= wanted
    until(lambda: all(f'"signal":"{name}"' in fresh.log.read_text().replace(": ", ":") for name in wanted))
    assert fresh.get("/livez").status == 200
    fresh.post(f"{JOBS}/{job}/cancel")
    fresh.run(LAMBDA_QUERY)
    send(fresh, signal.SIGQUIT)
    assert fresh.process is not None
    assert fresh.process.wait(PATIENCE_SECONDS) == 0, "SIGQUIT stops it as SIGTERM does"
    assert '"stopped"' in fresh.log.read_text()


def caught(daemon: Daemon, number: int) -> bool:
    """Tell whether the process catches a signal yet (proc(5), SigCgt)."""
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_U19_a_start_survives_signals_too(fresh: Daemon) -> None:
    process = fresh.begin()
    until(lambda: caught(fresh, signal.SIGUSR2))
    while b"listening" not in fresh.log.read_bytes():
        send(fresh, signal.SIGHUP)
        send(fresh, signal.SIGUSR1)
        assert process.poll() is None, fresh.log.read_text()
        time.sleep(0.02)  # a crowd of signals, not a flood
    assert fresh.stop() == 0


def test_U19_hang_up_opens_the_log_anew_and_applies_what_it_can(fresh: Daemon, tmp_path: Path) -> None:
    settings = tmp_path / "blastd.toml"
    settings.write_text('[logging]\nlevel = "info"\n')
    fresh.start("--config", str(settings))
    assert "request_served" not in fresh.log.read_text()
    fresh.log.rename(tmp_path / "old.log")
    settings.write_text('[logging]\nlevel = "debug"\n[limits]\nquery_sequences = 7\n')
    send(fresh, signal.SIGHUP)
    until(lambda: fresh.log.exists() and "reloaded" in fresh.log.read_text())
    assert "reloaded" not in (tmp_path / "old.log").read_text()
    assert fresh.log.stat().st_mode & 0o777 == 0o600
    line = next(line for line in fresh.log.read_text().splitlines() if "reloaded" in line)
    assert "logging.level" in line
    assert "limits.query_sequences" in line.partition("need_a_restart")[2]
    fresh.get("/livez")
    until(lambda: "/livez" in fresh.log.read_text())
    settings.write_text("[logging\n")
    send(fresh, signal.SIGHUP)
    until(lambda: "reload_refused" in fresh.log.read_text())
    assert fresh.run(LAMBDA_QUERY)["status"] == "completed", "it goes on with the settings that it has"
    assert fresh.stop() == 0


# ---------------------------------------------------------------- modes
def open_up(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_U19_a_state_that_others_could_read_is_closed(fresh: Daemon) -> None:
    fresh.state.mkdir(mode=0o755)
    fresh.state.chmod(0o755)
    (fresh.state / "jobs").mkdir(mode=0o755)
    before = {path: path.stat().st_mode for path in fresh.db_dirs[0].rglob("*")}
    umask = os.umask(0o022)
    try:
        fresh.start()
        job = fresh.run(LAMBDA_QUERY)["job_id"]
        fresh.results(job, "xml")
        upload = (fresh.db_dirs[0] / "tnt.nsq", b">a\nACGTACGTACGTACGT\n")[1]
        path = "/api/blast/databases?name=made&molecule=nucleotide"
        task = fresh.ask("POST", path, upload, {"Content-Type": "text/x-fasta"}).json["task"]
        until(lambda: fresh.get(f"/api/blast/database-tasks/{task['id']}").json["task"]["status"] == "completed")
        assert [*private.loose(fresh.state)] == []
        for words in (["backup", "copy.sqlite"], ["export", job, "--out", "job.tar.gz"]):
            target = fresh.state.parent / words[1 if words[0] == "backup" else 3]
            assert cli(*words[:-1], str(target), "--state-dir", str(fresh.state)).returncode == 0
            assert target.stat().st_mode & 0o777 == 0o600
        assert fresh.stop() == 0
        open_up(fresh.state)
        told = cli("doctor", "--state-dir", str(fresh.state)).stdout
        assert "other accounts may read" in told
        assert str(fresh.state) in told
        fresh.start()
        until(lambda: not [*private.loose(fresh.state)])
        assert "other accounts" not in cli("doctor", "--state-dir", str(fresh.state)).stdout
    finally:
        os.umask(umask)
    assert {path: path.stat().st_mode for path in before} == before, "pinned databases are the operator's own files"
    assert fresh.stop() == 0


# ---------------------------------------------------------------- moved
def renamed(name: str) -> Callable[[Path], Callable[[], None]]:
    """Return what moves a file of the state away, and gives what puts it back; "" is the state folder itself."""

    def move(state: Path) -> Callable[[], None]:
        path, aside = state / name, state.parent / "aside"
        path.rename(aside)
        return lambda: (aside.rename(path), None)[1]

    return move


def replaced(state: Path) -> Callable[[], None]:
    file, aside = state / "blastd.sqlite", state.parent / "aside"
    file.rename(aside)
    shutil.copy(aside, file)
    return lambda: (aside.replace(file), None)[1]


def folder_replaced(state: Path) -> Callable[[], None]:
    aside = state.parent / "aside"
    state.rename(aside)
    state.mkdir(mode=0o700)

    def back() -> None:
        shutil.rmtree(state)
        aside.rename(state)

    return back


MOVES = {
    "store": renamed("blastd.sqlite"),
    "journal": renamed("blastd.sqlite-wal"),
    "folder": renamed(""),
    "jobs": renamed("jobs"),
    "temporary": renamed("tmp"),
    "store replaced": replaced,
    "folder replaced": folder_replaced,
}


def test_U19_nothing_is_accepted_into_a_store_that_is_not_in_its_place(fresh: Daemon) -> None:
    fresh.start()
    done = fresh.run(LAMBDA_QUERY)["job_id"]
    accepted = [done]
    for name, move in MOVES.items():
        back = move(fresh.state)
        for body in (SEARCH, SEARCH | {"query": LAMBDA_QUERY * 2}):
            answer = fresh.post(JOBS, body)
            assert is_problem(answer, "POST", 503), (name, answer.text)
            assert answer.json["code"] == "store_gone", (name, answer.text)
            assert str(fresh.state) not in answer.text
        assert "store is down" in down(fresh), name
        assert fresh.get("/api/health").json["status"] == "down", name
        assert fresh.get("/metrics").status == 200, name
        assert fresh.job(done)["status"] == "completed", "rows are read all the while"
        back()
        until(lambda: not down(fresh))
        accepted.append(fresh.run(LAMBDA_QUERY, reuse=False)["job_id"])
    for job in accepted:
        assert fresh.job(job)["status"] == "completed"
    text = fresh.log.read_text()
    assert text.count("store_gone") >= 1
    assert "request_failed" not in text
    assert fresh.stop() == 0
    fresh.start()
    assert {job["job_id"] for job in fresh.get(JOBS).json["jobs"]} == set(accepted), "no more, and none lost"
    assert fresh.stop() == 0


@pytest.mark.parametrize("folder", ["none", "file"])
def test_U17_a_database_folder_that_is_not_there_is_told_at_the_start(
    fresh: Daemon, folder: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    fresh.start("--db-dir", str(tmp_path / folder))
    assert "database_folder_missing" in fresh.log.read_text()
    assert str(tmp_path / folder) in fresh.log.read_text()
    assert fresh.stop() == 0
