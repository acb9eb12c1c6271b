"""The page, served to this machine alone while runs are in progress."""

from __future__ import annotations

import errno
import hashlib
import logging
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from clbench.errors import ResultsError, UsageError
from clbench.plan.provenance import provenance_by_digest
from clbench.records.collection import Collection, collect, folders
from clbench.records.folder import check_folder
from clbench.records.rows import Row
from clbench.records.rows_over_orders import over_orders
from clbench.records.store import record_files, record_scenario_id
from clbench.records.verify.findings import Verification
from clbench.records.verify.verify import verify
from clbench.report.compare.measured import numbers_besides
from clbench.report.figures.curves import Line
from clbench.report.figures.from_scores import over_thresholds
from clbench.report.page.document import document
from clbench.report.page.gallery import PATTERN, galleries
from clbench.report.page.model import page_model
from clbench.report.page.unfinished_runs import Unfinished

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
LIVE, DATA = "/live.json", "/data.json"
_HTML, _JSON, _TEXT = "text/html; charset=utf-8", "application/json", "text/plain; charset=utf-8"

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "frame-ancestors 'none'",
}

Print = tuple[tuple[str, int, int], ...]


class Source:
    """What the page shows of a results folder, made anew when its files change; each record is verified once."""

    def __init__(self, results: Path) -> None:
        check_folder(results)
        self._results = results
        self._unfinished = Unfinished(results)
        self._verified: dict[Path, tuple[tuple[int, int], Verification]] = {}
        self._lock = threading.Lock()
        self._print: Print | None = None
        self._model: dict[str, Any] = {}
        self._records = Collection()
        self._decided: dict[tuple[str, ...], dict[str, list[Line]]] = {}
        self.version = ""

    def model(self) -> dict[str, Any]:
        """Return the page's model as the files are now."""
        with self._lock:
            seen = self._look()
            if seen != self._print:
                self._print, self._model = seen, self._made()
                self.version = hashlib.sha256(repr(seen).encode()).hexdigest()[:16]
            return self._model

    def live(self) -> dict[str, Any]:
        """Return the runs without a record, and the version of the model."""
        self.model()
        sessions: dict[str, int] = {}
        for record in self._records.records:
            place = record_scenario_id(record)
            sessions[place] = max(sessions.get(place, 1), len(record.scenario.sessions))
        known = {place: number for place, number in sessions.items() if number > 1}
        return {"version": self.version, "data": DATA, "runs": self._unfinished.runs(known)}

    def _look(self) -> Print:
        """Return names, times and sizes of all files behind the model."""
        paths = [path for folder in folders(self._results) for path in record_files(folder)]
        pictures = [picture for path in paths for picture in path.with_suffix("").glob(PATTERN)]
        seen = []
        for path in (*paths, *sorted(pictures)):
            try:
                found = path.stat()
            except OSError:
                continue  # gone since it was listed
            seen.append((str(path), found.st_mtime_ns, found.st_size))
        return tuple(seen)

    def _made(self) -> dict[str, Any]:
        try:
            self._records = collect(self._results, check=self._check)
        except ResultsError:  # nothing is finished yet
            self._records = Collection()
        pictures = galleries(self._records.own, folders(self._results))
        return page_model(
            over_orders(self._records.rows),
            trust=self._records.trust,
            galleries=pictures,
            methods=provenance_by_digest(),
            wrong=self._records.wrong,
            decided=self._over_thresholds,
            measured=numbers_besides(self._records, folders=folders(self._results)),
        )

    def _over_thresholds(self, rows: Sequence[Row]) -> dict[str, list[Line]]:
        """Return CP, CR and CF1 over the threshold, worked out once for the same records."""
        key = tuple(record.content for row in rows for record in row.records)
        if key not in self._decided:
            self._decided[key] = over_thresholds(rows, folders=folders(self._results))
        return self._decided[key]

    def _check(self, path: Path) -> Verification:
        try:
            found = path.stat()
        except OSError:
            return verify(path)
        stamp = (found.st_mtime_ns, found.st_size)
        known = self._verified.get(path)
        if known is None or known[0] != stamp:
            known = self._verified[path] = (stamp, verify(path))
        return known[1]


class Handler(BaseHTTPRequestHandler):
    """Answers with the page, its values and the runs in progress; knows no other address."""

    server: Server
    server_version = "clbench"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer."""
        if self.headers.get("Host", "") not in self.server.names:
            # another site's name that was made to point here must not read results
            self._answer(403, _TEXT, b"This server answers to its own address only.\n")
            return
        path = self.path.partition("?")[0]
        source = self.server.source
        if path == "/":
            self._answer(200, _HTML, document(source.model(), live=LIVE).encode())
        elif path == DATA:
            self._answer(200, _JSON, msgspec.json.encode(source.model()))
        elif path == LIVE:
            self._answer(200, _JSON, msgspec.json.encode(source.live()))
        else:
            self._answer(404, _TEXT, b"There is nothing here.\n")

    def do_HEAD(self) -> None:
        """Answer without content."""
        self.do_GET()

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        try:
            self.send_response(status)
            headers: Mapping[str, str] = {"Content-Type": kind, "Content-Length": str(len(content)), **_HEADERS}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            log.debug("the browser left before the answer")

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the terminal quiet."""
        log.debug(format, *args)


class Server(ThreadingHTTPServer):
    """Listens on this machine's own address, and nowhere else."""

    daemon_threads = True

    def __init__(self, results: Path, *, port: int) -> None:
        self.source = Source(results)
        try:
            super().__init__((HOST, port), Handler)
        except OSError as error:
            raise _refused(port, error) from error
        self.names = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}

    @property
    def address(self) -> str:
        """What to type into a browser."""
        return f"http://{HOST}:{self.server_port}/"


def _refused(port: int, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        problem = "something else listens there already"
    else:
        problem = f"this machine does not let clbench listen there ({error.strerror})"
    return UsageError(f"--port {port}: {problem}.", hint="Name another, or --port 0 for any that is free.")
