"""The served page: for this machine alone, never older than the files, with the runs that are not finished."""

from __future__ import annotations

import http.client
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import page_records
import pytest
from filelock import FileLock
from page_tools import Visit, rows_of, until
from PIL import Image
from record_factory import B40, METHODS, TINY, make_record

from clbench.errors import ResultsError, UsageError
from clbench.files.sealed_json import sealed
from clbench.report.page import unfinished_runs as live
from clbench.report.page.serve import Server, Source

ER, DLFL, NAIVE = METHODS[4], METHODS[7], METHODS[1]


@pytest.fixture(autouse=True)
def nothing_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the folder that a test makes counts."""
    monkeypatch.setattr("clbench.files.roots.reference_results", lambda: None)
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.0)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return page_records.write_folder(tmp_path / "results", [make_record(ER, TINY, seed=seed) for seed in range(2)])


@pytest.fixture
def served(results: Path) -> Iterator[Server]:
    with Server(results, port=0) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


def ask(server: Server, path: str, *, method: str = "GET", host: str = "") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{server.server_port}"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content


def running(results: Path, strategy: str = "lwf", *, seed: int = 0, **progress: Any) -> Path:
    """A work folder as a run in progress leaves it."""
    work = results / "tiny.v1.scenes" / strategy / "0123abcd" / f"seed{seed}"
    work.mkdir(parents=True)
    (work / "scores-0.npy").write_bytes(b"")
    told = {
        "state": "running", "message": "", "session": 1, "epoch": 2, "step": 30, "steps": 120, "loss": 0.25,
        "past": {"0": 120}, "maps": [{"session": 0, "growing": 0.61, "fixed": 0.5}],
            "losses": [[0, 10, 0.9], [0, 110, 0.4], [1, 125, 0.5], [1, 150, 0.25]],
    } | progress  # fmt: skip
    (work / "progress.json").write_bytes(sealed(told))
    return work


# ------------------------------------------------------------------ what it answers


def test_it_answers_with_the_page_and_its_values(served: Server):
    status, headers, content = ask(served, "/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert b"<title>clbench results</title>" in content and b'name="clbench-live" content="/live.json"' in content
    status, _, content = ask(served, "/data.json")
    assert status == 200 and json.loads(content)["records"] == 2
    status, headers, content = ask(served, "/", method="HEAD")
    assert (status, content) == (200, b"") and int(headers["Content-Length"]) > 1000


@pytest.mark.parametrize("path", ["/x", "/../pyproject.toml", "//etc/passwd", "/live.json/..", "/%2e%2e/x"])
def test_it_knows_no_other_address(served: Server, path: str):
    assert ask(served, path)[0] == 404


def test_it_takes_nothing(served: Server):
    assert ask(served, "/data.json", method="POST")[0] == 501
    assert ask(served, "/data.json", method="DELETE")[0] == 501


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1.evil.example:1", "[::1]:80"]
)
def test_a_name_that_is_not_its_own_gets_nothing(served: Server, host: str):
    status, _, content = ask(served, "/data.json", host=host)
    assert status == 403 and b"er" not in content.split()


def test_its_own_names_are_answered(served: Server):
    for name in ("127.0.0.1", "localhost"):
        assert ask(served, "/live.json", host=f"{name}:{served.server_port}")[0] == 200


def test_it_listens_on_this_machine_only(served: Server):
    assert served.server_address[0] == "127.0.0.1"
    assert served.address == f"http://127.0.0.1:{served.server_port}/"


def test_no_other_site_may_read_or_frame_it(served: Server):
    _, headers, _ = ask(served, "/")
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers


def test_a_port_in_use_is_an_error_with_a_way_out(served: Server, results: Path):
    with pytest.raises(UsageError, match=rf"--port {served.server_port}: something else listens") as caught:
        Server(results, port=served.server_port)
    assert "--port 0" in caught.value.hint


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(ResultsError, match="no such results folder"):
        Server(tmp_path / "nowhere", port=0)


# ------------------------------------------------------------------ what it knows


def test_a_new_record_makes_a_new_version_and_is_in_it(results: Path):
    source = Source(results)
    first = source.live()["version"]
    assert source.live()["version"] == first
    page_records.write_folder(results, [make_record(DLFL, TINY)])
    assert source.live()["version"] != first
    assert source.model()["records"] == 3


def test_each_record_is_verified_once(results: Path, monkeypatch: pytest.MonkeyPatch):
    import clbench.report.page.serve as module

    verified: list[str] = []
    real = module.verify
    monkeypatch.setattr(module, "verify", lambda path: verified.append(path.name) or real(path))
    source = Source(results)
    source.model()
    page_records.write_folder(results, [make_record(ER, TINY, seed=2)])
    source.model()
    source.model()
    assert sorted(verified) == ["seed0.json", "seed1.json", "seed2.json"]


def test_a_damaged_record_is_told_and_the_others_are_shown(results: Path, caplog: pytest.LogCaptureFixture):
    path = next(results.rglob("seed1.json"))
    path.write_text(path.read_text()[:200])
    with caplog.at_level(logging.WARNING):
        assert Source(results).model()["records"] == 1
    assert "seed1.json" in caplog.text


def test_an_empty_folder_has_a_page_without_tables(tmp_path: Path):
    source = Source(tmp_path)
    assert source.model()["tables"] == []
    assert source.live()["runs"] == []


def test_a_picture_beside_a_record_makes_a_new_version(results: Path):
    source = Source(results)
    first = source.live()["version"]
    work = next(results.rglob("seed0.json")).with_suffix("")
    work.mkdir()
    Image.new("RGB", (20, 10)).save(work / "explain-car-test-1.png")
    assert source.live()["version"] != first
    assert [len(row["gallery"]) for row in source.model()["tables"][0]["rows"]] == [1]


def test_runs_in_progress_are_told_with_how_far_they_are(results: Path):
    work = running(results)
    with FileLock(f"{work}.lock"):
        (run,) = Source(results).live()["runs"]
    assert run["state"] == "running"
    assert (run["strategy"], run["seed"], run["session"], run["sessions"]) == ("lwf", 0, 1, 3)
    assert (run["epoch"], run["step"], run["steps"], run["loss"]) == (2, 30, 120, 0.25)
    assert run["maps"] == [{"session": 0, "growing": 0.61, "fixed": 0.5}]
    assert 0 <= run["ago"] < 60


def test_a_run_that_nobody_carries_on_is_stopped_or_failed(results: Path):
    running(results, "lwf")
    running(results, "ewc", state="failed", message="the loss is not finite")
    runs = {run["strategy"]: run for run in Source(results).live()["runs"]}
    assert runs["lwf"]["state"] == "stopped"
    assert (runs["ewc"]["state"], runs["ewc"]["note"]) == ("failed", "the loss is not finite")


def test_a_run_that_nobody_follows_is_told_by_its_score_files(results: Path):
    work = running(results)
    (work / "progress.json").unlink()
    with FileLock(f"{work}.lock"):
        (run,) = Source(results).live()["runs"]
    assert (run["state"], run["session"], run["maps"]) == ("running", 1, [])


@pytest.mark.parametrize(
    "text", ["", "[]", '{"session": "x"}', '{"maps": 3}', "\x00", '{"maps": [{"session": "<script>"}]}']
)
def test_a_progress_file_that_is_none_does_no_harm(results: Path, text: str):
    work = running(results)
    (work / "progress.json").write_text(text)
    (run,) = Source(results).live()["runs"]
    assert run["maps"] == [] and run["note"].startswith("progress.json ")


def test_a_progress_file_with_one_bit_changed_is_told(results: Path):
    path = running(results) / "progress.json"
    path.write_bytes(path.read_bytes().replace(b"0.61", b"0.71"))
    (run,) = Source(results).live()["runs"]
    assert run["maps"] == [] and "progress.json is not as it was written" in run["note"]


def test_a_finished_run_is_no_longer_listed(results: Path):
    work = running(results)
    source = Source(results)
    assert len(source.live()["runs"]) == 1
    work.with_suffix(".json").write_text("{}")
    assert source.live()["runs"] == []


# ------------------------------------------------------------------ in a browser


@pytest.mark.slow
def test_the_page_follows_runs_and_takes_new_records_in_without_losing_its_place(
    visit: Visit, served: Server, results: Path
):
    work = running(results, "naive")
    with FileLock(f"{work}.lock"):
        page = visit(served.address, allow=served.address)
        page.wait_for_selector("#live:not([hidden]) .run")
        text = page.locator("#live").inner_text()
        assert "Running now" in text and "session 2 of 3" in text and "step 30 of 120" in text and "loss 0.2500" in text
        assert "session 1: 61.0 (all test images 50.0)" in text
        assert page.locator("#live progress").evaluate("(bar) => bar.value") == 0.25
        assert page.locator("#live .losses svg").get_attribute("aria-label") == (
            "Loss over 150 steps, from 0.9 to 0.25, lowest 0.25"
        )
        assert page.locator("#live .losses path.next").count() == 1, "where the second session began"
        assert rows_of(page) == ["er"]
        page.locator('#board-table button.name:text-is("er")').click()
        page.select_option("#digits", "2")
        made = make_record(NAIVE, TINY)
        page_records.write_folder(results, [made])
        (work / "progress.json").unlink()
    until(lambda: "naive" in rows_of(page))
    assert page.locator(".behind").count() == 1
    assert page.locator("#digits").input_value() == "2"
    assert "naive" in page.locator("#legend").inner_text()


@pytest.mark.slow
def test_the_scenario_that_runs_is_shown_first_unless_the_address_names_another(visit: Visit, tmp_path: Path):
    made = [make_record(ER, TINY), make_record(ER, B40)]
    results = page_records.write_folder(tmp_path / "results", made)
    with Server(results, port=0) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        work = running(results)
        with FileLock(f"{work}.lock"):
            page = visit(server.address, allow=server.address)
            page.wait_for_selector('#scenario option:text("running:")', state="attached")
            assert page.locator("#scenario").input_value() == "tiny.v1.scenes"
            assert page.locator("#scenario option").first.inner_text().startswith("running: tiny")
            other = visit(f"{server.address}#table=coco_b40c10.v1", allow=server.address)
            other.wait_for_selector('#scenario option:text("running:")', state="attached")
            assert other.locator("#scenario").input_value() == "coco_b40c10.v1"
        server.shutdown()


@pytest.mark.slow
def test_what_work_folders_say_is_shown_as_text(visit: Visit, served: Server, results: Path):
    bad = '"><img src=x onerror=window.hit=1>'
    running(results, bad, state="failed", message=f"<script>window.hit=1</script>{bad}")
    page = visit(served.address, allow=served.address)
    page.wait_for_selector("#live:not([hidden]) .run")
    text = page.locator("#live").inner_text()
    assert text.count(bad) == 2 and "<script>window.hit=1</script>" in text
    assert page.locator("#live img, #live script").count() == 0
    assert page.evaluate("window.hit") is None


@pytest.mark.slow
def test_the_first_record_of_an_empty_folder_appears(visit: Visit, tmp_path: Path):
    with Server(tmp_path, port=0) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        page = visit(server.address, allow=server.address)
        assert "no finished runs yet" in page.locator("#board").inner_text()
        page_records.write_folder(tmp_path, [make_record(ER, TINY)])
        until(lambda: rows_of(page) == ["er"])
        assert page.locator("#curves").is_visible()
        assert "no finished runs yet" not in page.locator("#board").inner_text()
        server.shutdown()


@pytest.mark.slow
def test_a_server_that_goes_away_is_told(visit: Visit, results: Path):
    with Server(results, port=0) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        page = visit(server.address, strict=False)
        assert rows_of(page) == ["er"]
        server.shutdown()
    until(lambda: "does not answer" in page.locator("#live-state").inner_text())
    assert rows_of(page) == ["er"]


# ------------------------------------------------------------------ the verb


def command(*words: str, cwd: Path, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "clbench", "serve", *words],
        cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"}, **options,
    )  # fmt: skip


def test_the_verb_says_where_it_listens_and_stops_on_ctrl_c(results: Path):
    with command("--results", str(results), "--port", "0", cwd=results.parent) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        connection = http.client.HTTPConnection(address.removeprefix("http://").rstrip("/"), timeout=20)
        connection.request("GET", "/live.json")
        assert connection.getresponse().status == 200
        connection.close()
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert said == "Stopped.\n"


def test_the_verb_answers_a_taken_port_without_a_traceback(served: Server, results: Path):
    with command("--results", str(results), "--port", str(served.server_port), cwd=results.parent) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said.splitlines() == [
        f"Error: --port {served.server_port}: something else listens there already.",
        "  Name another, or --port 0 for any that is free.",
    ]


def test_what_a_run_writes_is_what_the_page_reads():
    from clbench.watch import progress_file as follow

    assert follow.PROGRESS == live.PROGRESS
