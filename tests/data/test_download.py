from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from data_makers import put

from clbench.data.datasets.dataset import Source
from clbench.data.fetch.download import ATTEMPTS, fetch
from clbench.errors import DataError

CONTENT = bytes(range(256)) * 2000  # half a megabyte
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()

Answer = Callable[["Handler", int], None]


class Handler(BaseHTTPRequestHandler):
    """Answers each path by its own function, which gets the number of earlier requests for that path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Server = self.server  # type: ignore[assignment]
        earlier = server.counts.get(self.path, 0)
        server.counts[self.path] = earlier + 1
        server.ranges.append((self.path, self.headers.get("Range", ""), self.headers.get("If-Range", "")))
        server.answers[self.path](self, earlier)

    def log_message(self, *_: object) -> None: ...

    def say(self, status: int, body: bytes = b"", *, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def start(self) -> int:
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.counts: dict[str, int] = {}
        self.ranges: list[tuple[str, str, str]] = []

    def url(self, path: str, answer: Answer) -> str:
        self.answers[path] = answer
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def good(handler: Handler, _: int) -> None:
    start = handler.start()
    if not start:
        handler.say(200, CONTENT, ETag='"v1"')
    elif start < len(CONTENT):
        span = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        handler.say(206, CONTENT[start:], ETag='"v1"', Content_Range=span)
    else:
        handler.say(416, Content_Range=f"bytes */{len(CONTENT)}")


def drops(after: int) -> Answer:
    """Sends `after` bytes of what was asked for and hangs up."""

    def answer(handler: Handler, _: int) -> None:
        start = handler.start()
        rest = CONTENT[start:]
        span = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        handler.say(206 if start else 200, rest[:after], length=len(rest), ETag='"v1"', Content_Range=span)

    return answer


def ignores_ranges(handler: Handler, earlier: int) -> None:
    body = CONTENT if earlier else CONTENT[:100_000]
    handler.say(200, body, length=len(CONTENT))


def wrong_bytes(handler: Handler, _: int) -> None:
    handler.say(200, CONTENT[:-1] + b"x")


def wrong_length(handler: Handler, _: int) -> None:
    handler.say(200, CONTENT + b"more")


def status(code: int) -> Answer:
    return lambda handler, _: handler.say(code)


def source(*urls: str, length: int = len(CONTENT), checksum: str = MD5) -> Source:
    return Source("file.bin", urls, bytes=length, checksum=checksum)


def get(what: Source, folder: Path, **options: object) -> bytes:
    target = folder / what.file
    fetch(what, target=target, pause=0.0, **options)  # type: ignore[arg-type]
    assert [path.name for path in folder.iterdir()] == [what.file]
    return target.read_bytes()


def test_a_file_arrives_whole_with_progress_and_leaves_nothing_beside_it(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    assert get(source(server.url("/f", good)), tmp_path, progress=lambda *step: seen.append(step)) == CONTENT
    assert seen[-1] == ("file.bin", len(CONTENT), len(CONTENT))


def test_a_dropped_connection_is_continued_where_it_broke(server: Server, tmp_path: Path) -> None:
    assert get(source(server.url("/f", drops(100_000))), tmp_path) == CONTENT
    assert [wanted for _, wanted, _ in server.ranges] == ["", *(f"bytes={i}00000-" for i in range(1, 6))]
    assert server.ranges[1][2] == '"v1"'


def test_without_a_checksum_a_continued_file_is_one_version(server: Server, tmp_path: Path) -> None:
    assert get(source(server.url("/f", drops(200_000)), checksum=""), tmp_path) == CONTENT


def test_a_later_call_continues_what_an_earlier_one_began(server: Server, tmp_path: Path) -> None:
    put(tmp_path / "file.bin.part", CONTENT[:300_000])
    assert get(source(server.url("/f", good)), tmp_path) == CONTENT
    assert server.ranges[0][1] == "bytes=300000-"


def test_a_part_that_is_already_whole_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    put(tmp_path / "file.bin.part", CONTENT)
    assert get(source(server.url("/f", good)), tmp_path) == CONTENT
    assert server.ranges == []


def test_a_part_that_is_whole_without_our_knowing_is_recognised(server: Server, tmp_path: Path) -> None:
    put(tmp_path / "file.bin.part", CONTENT)
    assert get(source(server.url("/f", good), length=0), tmp_path) == CONTENT
    assert server.ranges[0][1] == f"bytes={len(CONTENT)}-"


@pytest.mark.parametrize("part", [b"rubbish" * 1000, b"x" * len(CONTENT), CONTENT + b"longer"])
def test_a_part_that_does_not_belong_to_the_file_is_started_over(server: Server, tmp_path: Path, part: bytes) -> None:
    put(tmp_path / "file.bin.part", part)
    assert get(source(server.url("/f", good)), tmp_path) == CONTENT


def test_without_a_checksum_a_part_of_unknown_origin_is_not_used(server: Server, tmp_path: Path) -> None:
    put(tmp_path / "file.bin.part", b"rubbish")
    assert get(source(server.url("/f", good), checksum="", length=0), tmp_path) == CONTENT
    assert server.ranges == [("/f", "", "")]


def test_a_server_that_ignores_ranges_starts_from_the_beginning(server: Server, tmp_path: Path) -> None:
    assert get(source(server.url("/f", ignores_ranges)), tmp_path) == CONTENT
    assert server.counts["/f"] == 2


def test_a_server_that_continues_elsewhere_is_not_believed(server: Server, tmp_path: Path) -> None:
    def shifted(handler: Handler, earlier: int) -> None:
        if handler.start() and earlier < 3:
            handler.say(206, CONTENT[7:], Content_Range=f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}")
        else:
            good(handler, earlier)

    put(tmp_path / "file.bin.part", CONTENT[:50])
    assert get(source(server.url("/f", shifted)), tmp_path) == CONTENT


@pytest.mark.parametrize(
    "bad", [status(404), status(403), wrong_bytes, wrong_length], ids=["404", "403", "bytes", "length"]
)
def test_the_next_address_is_tried_when_one_gives_no_or_another_file(
    server: Server, tmp_path: Path, bad: Answer
) -> None:
    assert get(source(server.url("/bad", bad), server.url("/good", good)), tmp_path) == CONTENT
    assert server.counts["/bad"] == 1


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    def busy(handler: Handler, earlier: int) -> None:
        handler.say(503) if earlier < 2 else good(handler, earlier)

    assert get(source(server.url("/f", busy)), tmp_path) == CONTENT
    assert server.counts["/f"] == 3


def test_a_server_that_never_answers_well_is_given_up_and_the_next_one_continues(
    server: Server, tmp_path: Path
) -> None:
    def stuck(handler: Handler, earlier: int) -> None:
        drops(1000)(handler, 0) if earlier == 0 else handler.say(500)

    assert get(source(server.url("/bad", stuck), server.url("/good", good)), tmp_path) == CONTENT
    assert server.ranges[-1] == ("/good", "bytes=1000-", "")


def test_when_every_address_fails_each_is_named_with_its_reason(server: Server, tmp_path: Path) -> None:
    urls = (server.url("/gone", status(404)), server.url("/wrong", wrong_bytes), server.url("/long", wrong_length))
    with pytest.raises(DataError) as caught:
        get(source(*urls), tmp_path)
    text = str(caught.value)
    assert "/gone: HTTP 404" in text
    assert "/wrong: its checksum is md5:" in text
    assert "/long: it has 512,004 bytes, expected 512,000" in text
    assert "put the file at" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_wrong_length_never_appears_even_without_a_checksum(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"512,004 bytes, expected 512,000"):
        get(source(server.url("/f", wrong_length), checksum=""), tmp_path)
    assert not (tmp_path / "file.bin").exists()


def test_an_empty_file_is_not_taken_for_one(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it is empty"):
        get(source(server.url("/f", status(200)), checksum="", length=0), tmp_path)


def test_a_machine_that_is_not_there_is_a_plain_message(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"file.bin could not be fetched. http://127.0.0.1:9/x: .*refused"):
        get(source("http://127.0.0.1:9/x"), tmp_path)


def test_only_addresses_of_the_web_are_opened(tmp_path: Path) -> None:
    secret = put(tmp_path / "secret", CONTENT)
    with pytest.raises(DataError, match="not an address of the web"):
        fetch(source(secret.as_uri()), target=tmp_path / "file.bin")


def test_a_redirect_to_a_file_is_not_followed(server: Server, tmp_path: Path) -> None:
    secret = put(tmp_path / "secret", CONTENT)
    url = server.url("/f", lambda handler, _: handler.say(302, Location=secret.as_uri()))
    with pytest.raises(DataError, match="HTTP 302"):
        fetch(source(url), target=tmp_path / "file.bin", pause=0.0)


def test_a_server_that_gives_a_few_bytes_each_time_is_given_up(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it ended after"):
        get(source(server.url("/f", drops(10))), tmp_path)
    assert server.counts["/f"] == ATTEMPTS


def test_a_connection_that_trickles_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trickle(handler: Handler, _: int) -> None:
        handler.say(200, CONTENT[:1], length=len(CONTENT))
        with contextlib.suppress(OSError):
            for place in range(1, 200):
                time.sleep(0.01)
                handler.wfile.write(CONTENT[place : place + 1])

    monkeypatch.setattr("clbench.data.fetch.download.STALL", 0.05)
    monkeypatch.setattr("clbench.data.fetch.download.ATTEMPTS", 2)
    with pytest.raises(DataError, match=r"bytes arrived in 0 s"):
        get(source(server.url("/f", trickle)), tmp_path)


def test_a_file_that_became_another_is_fetched_from_its_beginning(server: Server, tmp_path: Path) -> None:
    newer = CONTENT[::-1]

    def careless(handler: Handler, earlier: int) -> None:
        """Goes on with the new file where the old one was begun, whatever If-Range asks."""
        start = handler.start()
        if not earlier:
            handler.say(200, CONTENT[:100_000], length=len(CONTENT), ETag='"v1"')
        elif start:
            handler.say(206, newer[start:], ETag='"v2"', Content_Range=f"bytes {start}-{len(newer) - 1}/{len(newer)}")
        else:
            handler.say(200, newer, ETag='"v2"')

    assert get(source(server.url("/f", careless), checksum=""), tmp_path) == newer


def test_a_disk_that_fills_while_it_is_written_to_ends_the_download(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter([10**12, 10**12, 10**8])
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=next(left)))  # somebody else fills it
    monkeypatch.setattr("clbench.files.room.EVERY", 1)
    monkeypatch.setattr("clbench.data.fetch.download.BLOCK", 1000)
    with pytest.raises(DataError, match="the disk is filling up"):
        get(source(server.url("/f", good)), tmp_path)


def test_a_folder_that_cannot_be_written_is_one_sentence(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(DataError, match=r"a: cannot be written \(File exists|Not a directory"):
        fetch(source(server.url("/f", good)), target=tmp_path / "a" / "file.bin")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "file.bin.lock").symlink_to(put(tmp_path / "of a colleague", b"as it was"))
    with pytest.raises(DataError, match=r"file.bin.lock: cannot be written \(Too many levels of symbolic links"):
        fetch(source(server.url("/f", good)), target=tmp_path / "b" / "file.bin")
    assert (tmp_path / "of a colleague").read_bytes() == b"as it was"


def test_two_processes_do_not_fetch_one_file_at_once(server: Server, tmp_path: Path) -> None:
    from filelock import FileLock

    with FileLock(str(tmp_path / "file.bin.lock")), pytest.raises(DataError, match="another process is fetching it"):
        fetch(source(server.url("/f", good)), target=tmp_path / "file.bin")


def test_a_file_that_does_not_fit_the_disk_is_refused_before_it_is_fetched(server: Server, tmp_path: Path) -> None:
    url = server.url("/f", lambda handler, _: handler.say(200, b"", length=10**18))
    with pytest.raises(DataError, match=r"needs 1000000000.0 GB more"):
        fetch(Source("file.bin", (url,)), target=tmp_path / "file.bin", pause=0.0)
