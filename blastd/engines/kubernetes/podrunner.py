"""The pod's program: `run` a completion's units, `stage` the database, or `warm` a node. Standard library only.

It ships in a ConfigMap as one file, so that any image with BLAST+ and python3 (3.7 or later) serves. What it is to do stands in two
files of a Secret: plan.json (the units) and access.json (how the storage is reached: addresses with SAS, renewed while the job
runs, or where a volume is mounted); what is too long for a Secret lies in the storage. It

- keeps databases in a cache on the node, complete or not at all: a lock, checksums, then a rename; who uses one keeps others
  from evicting it, and never from bringing it anew;
- fetches its batch of queries, runs BLAST+ (argv, never a shell), brings the output to the storage where nobody sees it, and
  makes it the unit's result by one conditional step: half a result, or a second one, can't be published;
- says its last word in /dev/termination-log as JSON: unit, exit_code, cause, stderr, seconds,
  started_at and ended_at (seconds since the epoch).

SIGTERM ends it and BLAST+ at once with exit code 143. Exit codes 1 to 4 are BLAST+'s own; 43 means that no further try
can help, 75 that one may.
"""

import base64
import concurrent.futures
import contextlib
import errno
import fcntl
import hashlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

HOPELESS, MAY_PASS, TERMINATED = 43, 75, 143
BLOCK = 8 << 20  # bytes of one uploaded block; a blob has 50,000 at most
READ = 1 << 20
PATIENCE = 120.0  # seconds that a storage account may be away
REQUEST_SECONDS = 60.0
PARALLEL = 4  # files of a database fetched at once
BEAT_SECONDS = 2.0
LEASE = 60.0  # seconds without a sign of life after which who brings a database has lost its turn
LOOK_SECONDS = 2.0  # between two looks of a warming pod at its database
LAST_WORD = 4000  # bytes that Kubernetes keeps of a termination message
REPORT = 6000  # bytes of a blob's metadata; Azure takes 8 KiB
MARKER = ".complete"
QUERY_LINE = re.compile(r"(?m)^# Query:.*$")
BROKEN = (OSError, ValueError, http.client.HTTPException)  # an answer that ends early is none of OSError's
POSITION = re.compile(r"<Hit_id>gnl\|BL_ORD_ID\|(\d+)<")


class Stop(Exception):
    """The program can't go on: `cause` as in causes.RUNNER, `code` its exit code."""

    def __init__(self, cause, detail="", code=MAY_PASS):
        super().__init__(detail)
        self.cause, self.detail, self.code = cause, detail, code


class Failed(Exception):
    """BLAST+ ended with an error."""

    def __init__(self, code, stderr):
        super().__init__(stderr)
        self.code, self.stderr = code, stderr


class Place:
    """Where things are, from the environment."""

    def __init__(self, environ):
        self.access = environ.get("BLASTD_ACCESS", "/blastd/access/access.json")
        self.cache = environ.get("BLASTD_CACHE", "/blastd/cache")  # empty: databases are searched where they lie
        self.storage = None
        self.cache_bytes = int(environ.get("BLASTD_CACHE_BYTES") or 0)
        self.work = environ.get("BLASTD_WORK", "/blastd/work")
        self.pod = environ.get("BLASTD_POD", "") or uuid.uuid4().hex
        self.node = environ.get("BLASTD_NODE", "")
        self.index = int(environ.get("JOB_COMPLETION_INDEX") or 0)
        self.last_word = environ.get("BLASTD_LAST_WORD", "/dev/termination-log")
        self.lease = float(environ.get("BLASTD_LEASE") or LEASE)
        self.patience = float(environ.get("BLASTD_PATIENCE") or PATIENCE)


def say(text):
    """Write a line to the pod's log."""
    print(text, file=sys.stderr, flush=True)


# ---------------------------------------------------------------------- the storage
def load_access(place):
    """Return what the Secret says of how to reach the storage; it is renewed, so it is read each time."""
    try:
        with open(place.access) as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise Stop("bad_plan", "access.json: %r" % error, HOPELESS) from None


def storage(place):
    """Return the storage that the Secret names.

    Both kinds read, find, open and publish what a tuple of names leads to:
    ("plan",), ("query",), ("units", number), ("databases", fingerprint, name).
    """
    access = load_access(place)
    return MountedFolder(place, access) if access["kind"] == "volume" else BlobAccount(place)


class BlobAccount:
    """Blobs, each by its address with a signature."""

    def __init__(self, place):
        self.place, self.tables = place, None

    def address(self, key):
        """Return the address of what *key* names; long tables of them lie in a blob, whose address the Secret has."""
        access = load_access(self.place)
        if key == ("plan",):
            return access["plan"]
        tables = access.get("tables")
        if tables is None:
            if self.tables is None or self.tables[0] != access["tables_at"]:
                self.tables = access["tables_at"], json.loads(whole(lambda: open_url(self.place, access["tables_at"])))
            tables = self.tables[1]
        try:
            for part in key:
                tables = tables[part]
            return str(tables)
        except (KeyError, TypeError) as error:
            raise Stop("bad_plan", "no address of %r: %r" % (key, error), HOPELESS) from None

    def ask(self, key, *given, **more):
        """Ask for the address of *key*, which may be renewed meanwhile."""
        return open_url(self.place, lambda: self.address(key), *given, **more)

    def read(self, key, first=None, last=None):
        """Return a whole (small) blob, or its bytes from *first* to *last*."""
        headers = {} if first is None else {"Range": "bytes=%d-%d" % (first, last)}
        return whole(lambda: self.ask(key, headers=headers))

    def exists(self, key):
        """Tell whether a result is there."""
        return self.ask(key, "HEAD", allowed=(404,))[0] == 200

    def open(self, key, at):
        """Return what reads a blob from *at* on."""
        return self.ask(key, headers={"Range": "bytes=%d-" % at} if at else {})[2]

    def publish(self, key, path, report):
        """Upload a file as blocks and make them the result by one conditional write; False: there was one before."""
        mine, ids = uuid.uuid4().hex[:24], []
        sha, size = hashlib.sha256(), 0
        with open(path, "rb") as file:
            while True:
                block = file.read(BLOCK)
                if not block:
                    break
                sha.update(block)
                size += len(block)
                name = base64.b64encode(("%s%08d" % (mine, len(ids))).encode()).decode()
                quoted = name.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
                headers = {"Content-Length": str(len(block)), "Content-Type": "application/octet-stream"}
                query = more("comp=block&blockid=" + quoted)
                if self.ask(key, "PUT", headers, block, query, allowed=(409, 412))[0] != 201:
                    return False
                ids.append(name)
        said = said_of(dict(report, size=size, sha256=sha.hexdigest()))
        listed = "".join("<Latest>%s</Latest>" % name for name in ids)
        body = ('<?xml version="1.0" encoding="utf-8"?><BlockList>%s</BlockList>' % listed).encode()
        headers = {"If-None-Match": "*", "x-ms-meta-report": said, "Content-Type": "application/xml"}
        status = self.ask(key, "PUT", headers, body, more("comp=blocklist"), allowed=(400, 409, 412))[0]
        if status == 201:
            return True
        if status == 400 and not self.exists(key):
            raise Stop("blob_away", "the blocks of the output were lost")
        return False  # another pod was faster, or our own first request arrived after all: its result stands


class MountedFolder:
    """A mounted folder; a result is a folder of two files that gets its name by one rename."""

    def __init__(self, place, access):
        self.place, self.folder, self.plan = place, access["folder"], access.get("plan", "")

    def path(self, key):
        """Return where something lies."""
        if key[0] in ("plan", "query"):
            return os.path.join(self.folder, "query", self.plan if key[0] == "plan" else "query.fa")
        if key[0] == "units":
            return os.path.join(self.folder, "results", "%s.out" % key[1])
        return os.path.join(self.folder, "databases", *key[1:])

    def read(self, key, first=None, last=None):
        """Return a file's bytes, or those from *first* to *last*."""
        path = self.path(key)
        with mounted(path), open(os.path.join(path, "output") if key[0] == "units" else path, "rb") as file:
            file.seek(first or 0)
            return file.read() if first is None else file.read(last - first + 1)

    def exists(self, key):
        """Tell whether a result is there; a listing is asked of the file server, a name may be remembered as missing."""
        folder, name = os.path.split(self.path(key))
        with mounted(folder):
            return name in os.listdir(folder)

    def open(self, key, at):
        """Return what reads a file from *at* on."""
        with mounted(self.path(key)):
            file = open(self.path(key), "rb")
            file.seek(at)
            return file

    def publish(self, key, path, report):
        """Copy a file and give it its name as a result; False: another had it before."""
        final = self.path(key)
        part = os.path.join(os.path.dirname(final), ".%s.%s.part" % (os.path.basename(final), uuid.uuid4().hex))
        sha, size = hashlib.sha256(), 0
        os.umask(0o007)  # blastd and pods share a group, which a folder of the volume hands on
        with mounted(final):
            os.mkdir(part)
            try:
                with open(path, "rb") as file, open(os.path.join(part, "output"), "wb") as out:
                    for block in iter(lambda: file.read(READ), b""):
                        out.write(block)
                        sha.update(block)
                        size += len(block)
                    out.flush()
                    os.fsync(out.fileno())
                with open(os.path.join(part, "report"), "w") as out:
                    out.write(said_of(dict(report, size=size, sha256=sha.hexdigest())))
                    out.flush()
                    os.fsync(out.fileno())
                os.rename(part, final)  # refused where there is a folder that holds something
                return True
            except OSError as error:
                if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                    return False
                raise
            finally:
                shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def mounted(path):
    """Name what the volume refuses as what it means for the search."""
    try:
        yield
    except FileNotFoundError:
        raise Stop("volume_missing", path) from None
    except PermissionError as error:
        raise Stop("volume_denied", "%s: %s" % (path, error.strerror)) from None
    except OSError as error:
        raise Stop("no_room" if error.errno == errno.ENOSPC else "volume_away", "%s: %s" % (path, error)) from None


def said_of(report):
    """Return the report of a result as its metadata holds it."""
    return base64.b64encode(fit(report, REPORT).encode()).decode()


def open_url(place, find, method="GET", headers=None, body=None, query="", allowed=()):
    """Ask for an address, or for what *find* returns at each try; returns (status, headers, response)."""
    until, pause = time.monotonic() + place.patience, 0.5
    while True:
        url = (find if isinstance(find, str) else find()) + query
        request = urllib.request.Request(url, data=body, method=method, headers=dict(headers or {}))
        try:
            answer = urllib.request.urlopen(request, timeout=REQUEST_SECONDS)
            return answer.status, answer.headers, answer
        except urllib.error.HTTPError as error:
            if error.code in allowed:
                return error.code, error.headers, error
            reason = "%s %s: HTTP %d %s" % (method, shown(url), error.code, error.headers.get("x-ms-error-code") or "")
            if error.code == 404:
                raise Stop("blob_missing", reason) from None
            if error.code in (401, 403):  # perhaps renewed meanwhile: the mounted file follows within a minute
                until = min(until, time.monotonic() + place.patience / 2)
                cause = "blob_denied"
            elif error.code < 500 and error.code not in (408, 429):
                raise Stop("blob_denied", reason) from None
            else:
                cause = "blob_away"
        except BROKEN as error:  # URLError, time-outs, broken connections
            reason = "%s %s: %s" % (method, shown(url), getattr(error, "reason", error))
            cause = "blob_away"
        if time.monotonic() + pause > until:
            raise Stop(cause, reason)
        say("again in %.1f s: %s" % (pause, reason))
        time.sleep(pause * (0.5 + random.random() / 2))
        pause = min(pause * 2, 15.0)


def shown(url):
    """Return an address without its signature."""
    return url.split("?", 1)[0]


def more(url_query):
    """Return query parameters that follow a SAS."""
    return "&" + url_query


def whole(ask):
    """Return all bytes of what *ask* opens; one that breaks off is asked for again."""
    for _ in range(5):
        _, found, answer = ask()
        try:
            data = answer.read()
        except BROKEN as error:
            say("read again: %s" % error)
            continue
        if len(data) == int(found.get("Content-Length") or len(data)):
            return data
    raise Stop("blob_away", "the answer broke off again and again")


def excerpt(said, size):
    """Return a stderr of at most about *size* bytes whole, else its beginning and its end, in whole lines."""
    if len(said) <= size:
        return said.decode("utf-8", "replace")
    first, last = said[: size // 2], said[-(size // 2) :]
    first, last = first[: first.rfind(b"\n") + 1] or first, last[last.find(b"\n") + 1 :] or last
    cut = b"[... %d bytes are left out ...]\n" % (len(said) - size)
    return (first + cut + last).decode("utf-8", "replace")


def installed(program):
    """Return the name under which a program is installed: Debian calls rpsblast "rpsblast+"."""
    return program if shutil.which(program) or not shutil.which(program + "+") else program + "+"


NO_EXPANSION = "-no_taxid_expansion"


def taken_literally(words, version):
    """Return *words* so that taxonomy ids mean themselves: what else they stand for was looked up before.

    Before 2.15 BLAST+ knows nothing else. Later ones take an id for its whole branch, and without their taxonomy file
    for no filter at all, with exit code 0.
    """
    filters = [word for word in words if word.lstrip("-").replace("negative_", "") in ("taxids", "taxidlist")]
    rest = [word for word in words if word != NO_EXPANSION]
    numbers = [int(number) for number in re.findall(r"\d+", version)[:2]]
    return [*rest, NO_EXPANSION] if filters and numbers >= [2, 15] else rest


def fit(report, size):
    """Return *report* as JSON in at most *size* bytes: of stderr, the end is kept."""
    while True:
        text = json.dumps(report)
        if len(text) <= size or not report.get("stderr"):
            return text
        over = len(text) - size
        report = dict(report, stderr=report["stderr"][over // 6 + 1 :])  # a letter takes six bytes at most


# ---------------------------------------------------------------------- the node's cache
class InPlace:
    """A database that is searched where the mounted storage has it."""

    def __init__(self, place, database):
        self.files = database["files"]
        self.folder = place.storage.path(("databases", database["fingerprint"]))

    def complete(self):
        """Tell whether all files are there, in their sizes."""
        return whole_files(self.folder, self.files)


class Held:
    """A cached database, kept from being evicted while `use` is locked; `stage` is locked by who brings it."""

    def __init__(self, place, fingerprint, files=()):
        self.files = files
        self.folder = os.path.join(place.cache, fingerprint)
        self.parts = os.path.join(place.cache, "." + fingerprint + ".part")
        self.part = self.parts + "." + place.pod
        self.holder = os.path.join(place.cache, "." + fingerprint + ".holder")
        self.use = open(os.path.join(place.cache, "." + fingerprint + ".lock"), "a+")
        self.stage = open(os.path.join(place.cache, "." + fingerprint + ".stage"), "a+")

    def complete(self):
        """Tell whether all files are there, in their sizes; somebody may have removed some and left the marker."""
        return os.path.exists(os.path.join(self.folder, MARKER)) and whole_files(self.folder, self.files)

    def try_lock(self, how):
        """Lock it against eviction (shared), or for evicting it; tells whether it is."""
        return try_lock(self.use, how)

    def used(self):
        with contextlib.suppress(OSError):
            os.utime(os.path.join(self.folder, MARKER))

    def close(self):
        self.use.close()
        self.stage.close()


def whole_files(folder, files):
    """Tell whether all files are in a folder, in their sizes."""
    try:
        found = [(os.stat(os.path.join(folder, os.path.basename(each["name"]))), each["size"]) for each in files]
        return all(state.st_size == size for state, size in found)
    except OSError:
        return False


def try_lock(file, how):
    """Lock a file now or not at all; tells which."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
        return True
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False


def hold(place, database, seconds):
    """Find or bring a database; returns it, kept from eviction. *seconds* gets "stage" if it was not there.

    Another pod that brings it is waited for while it gives signs of life; one that is silent for LEASE seconds has lost its turn.
    """
    if not place.cache:
        return InPlace(place, database)
    os.makedirs(place.cache, exist_ok=True)
    held, said, begun = Held(place, database["fingerprint"], database["files"]), "", time.monotonic()
    while True:
        if held.complete():
            if held.try_lock(fcntl.LOCK_SH) and held.complete():
                held.used()
                return held
            fcntl.flock(held.use, fcntl.LOCK_UN)
        elif try_lock(held.stage, fcntl.LOCK_EX):
            try:
                if not held.complete():
                    bring_timed(place, database, held, seconds)
            finally:
                fcntl.flock(held.stage, fcntl.LOCK_UN)
            seconds["stage"] = round(time.monotonic() - begun, 3)
            continue
        elif time.monotonic() - begun > place.lease and silence(held) > place.lease:
            say("not waiting for %s any longer" % who_holds(held))
            bring_timed(place, database, held, seconds)
            continue
        else:
            news = who_holds(held)
            if news != said:
                say("waiting for %s" % news)
                said = news
            seconds["stage"] = round(time.monotonic() - begun, 3)
        time.sleep(0.2)


def silence(held):
    """Return the seconds since who brings the database gave a sign of life; without any, for ever."""
    try:
        return time.time() - os.stat(held.holder).st_mtime
    except OSError:
        return float("inf")


def bring_timed(place, database, held, seconds):
    """Bring a database and note how long it took."""
    begun = time.monotonic()
    say("staging %s" % database["fingerprint"])
    bring(place, database, held)
    seconds["download"] = round(time.monotonic() - begun, 3)


def who_holds(held):
    """Return what the holder of the lock last said of itself."""
    try:
        with open(held.holder) as file:
            return "%s%s" % (file.read(), " (silent for a while)" if silence(held) > 10 * BEAT_SECONDS else "")
    except OSError:
        return "another pod"


def own_part(held):
    """Make the folder that this pod alone fills, locked while it does; returns the lock."""
    while True:
        os.makedirs(held.part, exist_ok=True)
        lock = os.open(held.part, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(held.part) and os.stat(held.part).st_ino == os.fstat(lock).st_ino:
            return lock
        os.close(lock)


def take_over(held):
    """Take the whole files that pods which are gone have brought; the rest of theirs is removed."""
    cache, prefix = os.path.split(held.parts)
    for name in os.listdir(cache):
        theirs = os.path.join(cache, name)
        if not name.startswith(prefix) or theirs == held.part:
            continue
        lock = os.open(theirs, os.O_RDONLY)
        try:
            if try_lock(lock, fcntl.LOCK_EX):
                for file in os.listdir(theirs):
                    if not file.endswith(".part"):
                        os.replace(os.path.join(theirs, file), os.path.join(held.part, file))
                shutil.rmtree(theirs, ignore_errors=True)
        finally:
            os.close(lock)


def bring(place, database, held):
    """Fetch all files into a folder of this pod, compare sizes and checksums, then give it its name."""
    evict(place, database, held)
    lock = own_part(held)
    take_over(held)
    total, done = sum(each["size"] for each in database["files"]), {}
    over = threading.Event()

    def beat():
        while not over.wait(BEAT_SECONDS):
            with contextlib.suppress(OSError), open(held.holder, "w") as file:
                file.write("%s: %d of %d MB" % (place.pod, sum(done.values()) >> 20, total >> 20))

    threading.Thread(target=beat, daemon=True).start()
    try:
        with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
            jobs = [
                pool.submit(fetch, place, database["fingerprint"], each, held.part, done) for each in database["files"]
            ]
            try:
                for job in jobs:
                    job.result()
            except BaseException:
                for job in jobs:
                    job.cancel()
                raise
        with open(os.path.join(held.part, MARKER), "w") as file:
            file.write(database["fingerprint"])
        os.sync()
        if not held.complete():
            shutil.rmtree(held.folder, ignore_errors=True)  # one without its marker
            os.rename(held.part, held.folder)
        shutil.rmtree(held.part, ignore_errors=True)  # another was faster
    except OSError as error:
        raise Stop("no_room" if error.errno == errno.ENOSPC else "staging_failed", str(error)) from None
    finally:
        over.set()
        os.close(lock)
        with contextlib.suppress(OSError):
            os.unlink(held.holder)


def fetch(place, fingerprint, wanted, folder, done):
    """Bring one file; a broken connection goes on where it broke, a file of an earlier try is kept if it is right."""
    name = os.path.basename(wanted["name"])
    path = os.path.join(folder, name)
    if os.path.exists(path) and os.path.getsize(path) == wanted["size"] and file_sha256(path) == wanted["sha256"]:
        done[name] = wanted["size"]
        return
    sha, at, breaks = hashlib.sha256(), 0, 0
    with open(path + ".part", "wb") as file:
        while at < wanted["size"]:
            answer = place.storage.open(("databases", fingerprint, name), at)
            try:
                while True:
                    block = answer.read(READ)
                    if not block:
                        break
                    file.write(block)
                    sha.update(block)
                    at += len(block)
                    done[name] = at
            except BROKEN as error:
                if getattr(error, "errno", None) == errno.ENOSPC:
                    raise
                say("%s broke off at %d: %s" % (name, at, error))
            if at < wanted["size"]:
                breaks += 1
                if breaks > 50:
                    raise Stop("blob_away", "%s breaks off again and again" % name)
                time.sleep(min(0.2 * breaks, 5.0))
        file.flush()
        os.fsync(file.fileno())
    if at != wanted["size"] or sha.hexdigest() != wanted["sha256"]:
        os.unlink(path + ".part")
        raise Stop("staging_failed", "%s has another checksum than the manifest says" % name)
    os.rename(path + ".part", path)


def file_sha256(path):
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(READ), b""):
            sha.update(block)
    return sha.hexdigest()


def evict(place, database, held):
    """Remove databases that were used longest ago until the new one fits under the limit; one in use is left."""
    if not place.cache_bytes:
        return
    needs = sum(each["size"] for each in database["files"])
    found = []
    for name in os.listdir(place.cache):
        folder = os.path.join(place.cache, name)
        if not name.startswith(".") and folder != held.folder and os.path.isdir(folder):
            marker = os.path.join(folder, MARKER)
            used = os.stat(marker).st_mtime if os.path.exists(marker) else 0.0
            size = sum(os.path.getsize(os.path.join(folder, each)) for each in os.listdir(folder))
            found.append((used, name, folder, size))
    total = sum(each[3] for each in found)
    for _, name, folder, size in sorted(found):
        if total + needs <= place.cache_bytes:
            return
        other = Held(place, name)
        try:
            if other.try_lock(fcntl.LOCK_EX):
                say("evicting %s" % name)
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(folder, MARKER))
                shutil.rmtree(folder, ignore_errors=True)
                total -= size
        finally:
            other.close()


# ---------------------------------------------------------------------- BLAST+
class Runner:
    """Runs the units of one completion."""

    def __init__(self, place, plan, seconds):
        self.place, self.plan, self.seconds = place, plan, seconds
        self.folder = os.path.join(place.work, "db")
        self.volumes = {}
        self.version = ""
        self.child = None
        self.held = []
        self.until = time.monotonic() + plan.get("time_limit_seconds", 1e9)

    def prepare(self, held):
        """Link all databases side by side, so that BLAST+ finds them by their bare names, with the lists of ids."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.held = held
        for one in held:
            for name in (os.path.basename(each["name"]) for each in one.files):
                os.symlink(os.path.join(one.folder, name), os.path.join(self.folder, name))
        self.lists(self.folder)
        self.version = self.ask_version()
        wanted = self.plan.get("blast_version")
        if wanted and self.version and self.version != wanted:
            raise Stop("other_blast", "the pod has BLAST+ %s, blastd has %s" % (self.version, wanted), HOPELESS)

    def lists(self, folder):
        for name, text in self.plan.get("lists", {}).items():
            with open(os.path.join(folder, os.path.basename(name)), "w") as file:
                file.write(text)

    def ask_version(self):
        program = installed(self.plan["program"])
        try:
            asked = subprocess.run([program, "-version"], stdout=subprocess.PIPE, timeout=60, check=False)
            said = asked.stdout.decode()
        except (OSError, subprocess.SubprocessError) as error:
            raise Stop("no_blast", "%s: %s" % (program, error), HOPELESS) from None
        found = re.search(r"(\d+\.\d+\.\d+\+?)", said)
        return found.group(1) if found else ""

    def unit(self, index):
        """Run a unit unless its result is there, and publish its output."""
        unit, key = self.plan["units"][str(index)], ("units", str(index))
        if self.place.storage.exists(key):
            say("unit %d has its result already" % index)
            return
        started = time.time()
        query = self.query(unit)
        out = os.path.join(self.place.work, "out-%d" % index)
        stderr = self.propose(unit, query, out) if unit["kind"] == "propose" else self.search(unit, query, out)
        ended = time.time()
        report = {
            "unit": index,
            "exit_code": 0,
            "stderr": stderr,
            "started_at": started,
            "ended_at": ended,
            "pod": self.place.pod,
            "node": self.place.node,
            "blast_version": self.version,
            "seconds": dict(self.seconds, blast=round(ended - started, 3)),
        }
        won = self.place.storage.publish(key, out, report)
        self.seconds["upload"] = round(time.time() - ended, 3)
        say("unit %d: %s" % (index, "published" if won else "another pod's result stands"))
        os.unlink(out)

    def query(self, unit):
        """Fetch the batch's bytes of the query file."""
        path = os.path.join(self.place.work, "batch-%d.fa" % unit["batch"])
        if os.path.exists(path) and os.path.getsize(path) == unit["size"]:
            return path
        last = unit["offset"] + unit["size"] - 1
        data = self.place.storage.read(("query",), unit["offset"], last)
        if len(data) != unit["size"]:
            raise Stop("blob_missing", "the query blob is shorter than the plan says")
        with open(path, "wb") as file:
            file.write(data)
        return path

    def search(self, unit, query, out):
        folder = self.folder
        if unit["kind"] == "finish":
            parts = [json.loads(self.place.storage.read(("units", str(each)))) for each in unit["after"]]
            kept = union([tuple(span) for part in parts for span in part])
            folder = self.restrict(kept, "finish")
        return self.blast(self.plan["words"], query, folder, self.plan["rich"], unit["threads"], out)

    def propose(self, unit, query, out):
        """Search one shard widely; the positions of what was found are the output, as half-open ranges."""
        alias, kept = self.plan["alias"], [tuple(span) for span in unit["shard"]]
        size = sum(end - start for start, end in kept)
        folder, text = self.restrict(kept, "shard"), os.path.join(self.place.work, "found")
        stderr = self.blast(alias["words"], query, folder, alias["outfmt"], unit["threads"], text)
        found = answers(text, alias["has_ids"])
        again = [at for at, each in enumerate(found) if len(each) >= alias["limit"]]
        if alias["asks_again"] and again and size > alias["limit"]:
            few = os.path.join(self.place.work, "again.fa")
            pick(query, set(again), few)
            words = [word.replace("{limit}", str(size)) for word in alias["again_words"]]
            self.blast(words, few, folder, alias["outfmt"], unit["threads"], text)
            found += answers(text, alias["has_ids"])
        names = sorted(set().union(*found))
        positions = self.positions(names)
        with open(out, "w") as file:
            json.dump(kept if positions is None else ranges(positions), file)
        return stderr

    def positions(self, names):
        """Return the positions of subjects; None, the whole shard, where they can't be found one by one."""
        if not names or not self.plan["alias"]["has_ids"]:
            return [int(name) for name in names]
        wanted, out = os.path.join(self.place.work, "ids"), os.path.join(self.place.work, "oids")
        with open(wanted, "w", errors="surrogateescape") as file:
            file.write("".join(name + "\n" for name in names))
        words = ["blastdbcmd", "-db", self.plan["argument"], "-dbtype", self.plan["molecule"], "-entry_batch", wanted]
        try:
            self.execute([*words, "-outfmt", "%o"], self.folder, out)
            with open(out) as file:
                found = [int(line) for line in file]
        except (Failed, ValueError):
            return None
        return found if len(set(found)) >= len(names) else None

    def restrict(self, kept, name):
        """Make an alias folder that holds only the positions *kept*, with the statistics of the whole."""
        alias, folder = self.plan["alias"], os.path.join(self.place.work, name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        start = 0
        for mask, count in alias["masks"]:
            with open(os.path.join(folder, os.path.basename(mask)), "wb") as file:
                file.write(mask_bytes(kept, start, count))
            start += count
        for file_name, text in alias["texts"]:
            placed = text
            for number, volume in enumerate(alias["volumes"]):
                placed = placed.replace("{volume %d}" % number, os.path.join(self.folder, volume))
            with open(os.path.join(folder, os.path.basename(file_name)), "w", errors="surrogateescape") as file:
                file.write(placed)
        return folder

    def blast(self, words, query, folder, outfmt, threads, out):
        words = taken_literally(words, self.version)
        asked = "-" + self.plan.get("query_option", "query")
        words = [installed(self.plan["program"]), asked, query, "-db", self.plan["argument"], "-outfmt", outfmt, *words]
        return self.execute([*words, "-num_threads", str(threads)], folder, out)

    def execute(self, argv, folder, out):
        """Run a program with its output in a file; returns its stderr. Raises Failed."""
        errors = os.path.join(self.place.work, "stderr")
        env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": self.place.work, "LANG": "C.UTF-8"}
        env.update(BLAST_USAGE_REPORT="false", BLASTDB=self.folder)
        before = oom_kills()
        with open(out, "wb") as stdout, open(errors, "wb") as stderr:
            try:
                self.child = subprocess.Popen(
                    argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                    start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise Stop("no_blast", "%s: %s" % (argv[0], error), HOPELESS) from None
        try:
            code = self.child.wait(max(self.until - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            self.kill()
            self.child.wait()
            raise Stop("deadline", "%d s" % self.plan["time_limit_seconds"], HOPELESS) from None
        self.child = None
        with open(errors, "rb") as file:
            said = excerpt(file.read(), 64 * 1024)
        if code < 0 and oom_kills() > before:
            raise Stop("out_of_memory", "", 137)
        if code and not all(each.complete() for each in self.held):
            raise Stop("staging_failed", "the cache of this node was emptied during the search")
        if code:
            raise Failed(code if code > 0 else 128 - code, said)
        return said

    def kill(self):
        child = self.child
        if child is not None:
            with contextlib.suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)


def oom_kills():
    """Return how often the kernel killed a process of this container for its memory limit."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        with contextlib.suppress(OSError, ValueError), open(path) as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def answers(path, has_ids):
    """Return for each query in order the subjects that were printed: ids, or positions as decimal numbers."""
    with open(path, errors="surrogateescape", newline="\n") as file:
        text = file.read()
    if not has_ids:
        return [set(POSITION.findall(part)) for part in text.split("<Iteration>\n")[1:]]
    parts = QUERY_LINE.split(text)[1:]
    return [{line for line in part.split("\n") if line and line[0] != "#"} for part in parts]


def pick(path, wanted, target):
    """Write the records whose numbers are *wanted*."""
    number = -1
    with open(path, "rb") as source, open(target, "wb") as out:
        for line in source:
            number += line.startswith(b">")
            if number in wanted:
                out.write(line)


def ranges(positions):
    """Return positions as ascending half-open ranges."""
    return union([(each, each + 1) for each in positions], keep_empty=True)


def union(spans, keep_empty=False):
    """Join ranges; BLAST+ needs a database, so nothing becomes the first position."""
    merged = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged or ([] if keep_empty else [(0, 1)])


def mask_bytes(kept, start, count):
    """Return a volume's mask: the last position, big-endian, then one bit a position, the first in bit 7."""
    bits = bytearray((count + 31) // 32 * 4)
    for first, last in kept:
        low, high = max(first - start, 0), min(last - start, count)
        at, end = (low + 7) // 8 * 8, high // 8 * 8
        single = range(low, high) if at >= end else [*range(low, at), *range(end, high)]
        for position in single:
            bits[position >> 3] |= 0x80 >> (position & 7)
        if at < end:
            bits[at >> 3 : end >> 3] = b"\xff" * ((end - at) >> 3)
    return max(count - 1, 0).to_bytes(4, "big") + bytes(bits)


# ---------------------------------------------------------------------- the whole
def load_plan(place):
    """Return the plan of the Secret, or of the storage where it is too long for one."""
    try:
        with open(os.path.join(os.path.dirname(place.access), "plan.json")) as file:
            return json.load(file)
    except FileNotFoundError:
        return json.loads(place.storage.read(("plan",)))
    except (OSError, ValueError) as error:
        raise Stop("bad_plan", "plan.json: %s" % error, HOPELESS) from None


def keep_warm(place, plan, held):
    """Keep databases on the node for ever: ready while they are there, brought again when somebody took them away."""
    ready = os.path.join(place.work, "warm")
    while True:
        open(ready, "w").close()
        while all(each.complete() for each in held):
            for each in held:
                each.used()
            time.sleep(LOOK_SECONDS)
        say("the cache of this node was emptied")
        os.unlink(ready)
        for each in held:
            each.close()
        held = [hold(place, each, {}) for each in plan["databases"]]


def work(mode, place, state):
    """Do what *mode* says; *state* gets what the last word needs."""
    place.storage = storage(place)
    plan, seconds = load_plan(place), state["seconds"]
    held = [hold(place, each, seconds) for each in plan["databases"]]
    if mode == "stage":
        return
    os.makedirs(place.work, exist_ok=True)
    if mode == "warm":
        keep_warm(place, plan, held)
    runner = state["runner"] = Runner(place, plan, seconds)
    runner.prepare(held)
    for index in plan["completions"][place.index]:
        state["unit"] = index
        runner.unit(index)
    for index, hosts in sorted(plan.get("riders", {}).items(), key=lambda each: int(each[0])):
        needs = plan["units"][index]["after"]
        if place.index in hosts and all(place.storage.exists(("units", str(each))) for each in needs):
            state["unit"] = int(index)
            runner.unit(int(index))


def main(mode, environ):
    place = Place(environ)
    state = {"seconds": {}, "unit": None, "runner": None}
    begun, started = time.monotonic(), time.time()

    def end(code, cause="", stderr=""):
        state["seconds"]["all"] = round(time.monotonic() - begun, 3)
        word = {"unit": state["unit"], "exit_code": code, "cause": cause, "stderr": stderr, "seconds": state["seconds"]}
        word.update(started_at=started, ended_at=time.time())
        with contextlib.suppress(OSError), open(place.last_word, "w") as file:
            file.write(fit(word, LAST_WORD))
        if stderr or cause:
            say("%s %s" % (cause, stderr))
        return code

    def terminate(number, frame):
        del number, frame
        if state["runner"] is not None:
            state["runner"].kill()
        end(TERMINATED, "", "stopped by SIGTERM")
        os._exit(TERMINATED)

    signal.signal(signal.SIGTERM, terminate)
    try:
        work(mode, place, state)
    except Failed as error:
        return end(error.code, "", error.stderr)
    except Stop as error:
        return end(error.code, error.cause, error.detail)
    except OSError as error:
        return end(MAY_PASS, "no_room" if error.errno == errno.ENOSPC else "staging_failed", str(error))
    except Exception as error:  # noqa: BLE001  # whatever it is, the last word must name it
        return end(HOPELESS, "bad_plan", "%s: %s" % (type(error).__name__, error))
    return end(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "run", os.environ))
