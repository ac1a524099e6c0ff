"""A receiver of webhooks: a real server that answers what the test says, and keeps what it was told."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.patience import PATIENCE_SECONDS


class Receiver:
    """Answers the next status of *answers* (the last one for ever); `got` holds headers and bodies in order, `open` cleared keeps answers back."""

    def __init__(self, *answers: int, port: int = 0, seconds: float = 0.0) -> None:
        self.answers, self.seconds = list(answers or (204,)), seconds
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.paths: list[str] = []
        self._came = threading.Condition()
        self.open = threading.Event()
        self.open.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.paths.append(self.path)
                with receiver._came:
                    receiver.got.append(({name.lower(): text for name, text in self.headers.items()}, body))
                    receiver._came.notify_all()
                status = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
                threading.Event().wait(receiver.seconds)
                receiver.open.wait(PATIENCE_SECONDS)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", f"http://127.0.0.1:{receiver.port}/redirected")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def told(self) -> list[Any]:
        return [json.loads(body) for _, body in self.got]

    def wait_for(self, number: int, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until so many messages came; blocking."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.got) >= number, seconds), self.told

    async def count(self, number: int) -> None:
        """Wait until so many messages came."""
        await asyncio.to_thread(self.wait_for, number)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
