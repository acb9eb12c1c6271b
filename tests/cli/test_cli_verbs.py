"""The verbs that read: list, show, new, report, verify, status, doctor, data."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from record_factory import B40, METHODS, TINY, make_record

from clbench.cli import installation as doctor
from clbench.cli.gpus import gpus, torch_cuda
from clbench.cli.source import heads
from clbench.files import shared_memory
from clbench.nn.heads.by_name import HEADS
from clbench.records.record import write_record
from clbench.records.rows import Row
from clbench.records.store import record_path
from clbench.report.formats.write import write_report

Cli = Callable[..., Any]


@pytest.fixture
def results(here: Path) -> Path:
    """A results folder with records of three methods and two seeds; their numbers were never measured."""
    for method in METHODS[:3]:
        for seed in (0, 1):
            record = make_record(method, B40, seed=seed)
            path = record_path(here / "results", record)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_record(record, path)
    return here / "results"


def first_record(results: Path) -> Path:
    return sorted(results.rglob("seed*.json"))[0]


# ---------------------------------------------------------------------- list, show, new


def test_list_shows_every_kind_and_json_holds_the_same(cli: Cli):
    text = cli("list").out
    assert [line for line in text.splitlines() if line in ("strategies", "scenarios", "heads")]
    plain = json.loads(cli("list", "--json").out)
    assert {"naive", "joint"} <= {item["name"] for item in plain["strategies"]}
    for items in plain.values():
        assert all(item["name"] in text and item["title"] in text for item in items)
    assert "coco2014" in {item["name"] for item in json.loads(cli("list", "datasets", "--json").out)}


def test_a_broken_file_is_listed_with_what_is_wrong(cli: Cli, here: Path):
    (here / "strategies").mkdir()
    (here / "strategies" / "bad.py").write_text("class Bad(:\n")
    done = cli("list", "strategies")
    assert done.code == 0
    assert "bad " in done.out
    assert "BROKEN" in done.out
    assert "line 1" in done.out


def test_a_local_file_is_listed_with_its_origin(cli: Cli, here: Path):
    cli("new", "strategy", "mine")
    assert "[local]" in next(line for line in cli("list").out.splitlines() if line.startswith("mine"))


def test_heads_are_listed_as_they_describe_themselves():
    assert {head.name: head.title for head in heads()} == {
        name: (kind.__doc__ or "").partition("\n")[0] for name, kind in HEADS.items()
    }


def test_show_names_the_origin_of_every_value(cli: Cli):
    out = cli("show", "tiny", "--strategy", "er", "--set", "er.memory=7", "--set", "train.lr=0.5").out
    lines = {line.split()[0]: line for line in out.splitlines() if "<-" in line}
    assert lines["memory"].endswith("<- --set er.memory=7")
    assert lines["lr"].endswith("<- --set train.lr=0.5")
    assert lines["epochs"].endswith("<- scenarios/tiny.yaml")
    assert lines["momentum"].endswith("<- default")


def test_show_as_json_has_every_value_of_every_strategy(cli: Cli):
    plain = json.loads(cli("show", "tiny", "--strategy", "naive,er", "--json").out)
    assert [item["strategy"] for item in plain] == ["naive", "er"]
    assert plain[1]["values"]["er.memory"]["origin"] == "scenarios/tiny.yaml"
    assert plain[0]["values"]["train.epochs"]["value"] == plain[1]["values"]["train.epochs"]["value"]


def test_show_prints_the_labels_and_images_of_each_session_in_each_order(cli: Cli):
    shown = cli("show", "tiny", "--strategy", "naive", "--orders", "2").out
    told = [" ".join(line.split()) for line in shown.splitlines()]
    first, second = told.index("Sessions, own order"), told.index("Sessions, shuffle:1 order")
    assert told[first + 2 : first + 5] == ["0 121 58 person, chair", "1 37 66 car, cup", "2 30 68 bottle, dining table"]
    assert told[second + 2 : second + 5] == [
        "0 34 17 cup, chair",
        "1 119 66 person, dining table",
        "2 36 68 bottle, car",
    ]
    plain = json.loads(cli("show", "tiny", "--strategy", "naive", "--orders", "2", "--json").out)
    assert [item["order"] for item in plain] == ["own", "shuffle:1"]
    assert plain[1]["sessions"][2] == {"labels": ["bottle", "car"], "train_images": 36, "test_images": 68}


def test_an_order_that_is_none_is_refused_before_anything_runs(cli: Cli, here: Path):
    done = cli("run", "tiny", "--orders", "backwards")
    assert done.code == 2 and "--orders: 'backwards' is not an order" in done.err
    assert cli("run", "tiny", "--orders", "0").code == 2
    for option in ("--orders", "--seed", "--strategy"):
        done = cli("run", "tiny", option, " ,")
        assert done.code == 2 and f"{option} ' ,': nothing is named" in done.err, "it does not run everything"
    assert not (here / "results").exists()


def test_show_says_where_a_stand_in_is_used(cli: Cli):
    assert "stand-in for coco2014" in cli("show", "coco_b40c10", "--strategy", "naive").out


@pytest.mark.parametrize("name", ["voc07_b4c2", "pa100k_b6c5", "corel5k_b34c10", "open_images_b100c100"])
def test_show_tells_the_recipe_where_neither_the_data_nor_the_weights_are_here(cli: Cli, name: str):
    done = cli("show", name)
    assert done.code == 0 and "<- not on this machine" in done.out and "not readable" in done.out
    assert f"<- scenarios/{name}.yaml" in done.out
    assert json.loads(cli("show", name, "--json").out)[0]["sessions"] is None
    assert cli("show", name, "--data", "nowhere").code == 3, "a folder that was named has to be there"
    assert cli("run", name).code == 3


def test_a_new_strategy_can_be_run_as_it_is(cli: Cli, here: Path):
    done = cli("new", "strategy", "my_method")
    assert done.code == 0
    assert "clbench check my_method" in done.out
    assert "class MyMethod(Strategy)" in (here / "strategies" / "my_method.py").read_text()
    shown = cli("show", "tiny", "--strategy", "my_method", "--set", "my_method.weight=2")
    assert "<- --set my_method.weight=2" in shown.out


@pytest.mark.parametrize("name", ["naive", "mine"])
def test_a_new_strategy_never_replaces_or_shadows_a_file(cli: Cli, here: Path, name: str):
    (here / "strategies").mkdir()
    (here / "strategies" / "mine.py").write_text("precious")
    done = cli("new", "strategy", name)
    assert done.code == 2
    assert f"There is a strategy '{name}' already" in done.err
    assert [path.read_text() for path in (here / "strategies").iterdir()] == ["precious"]


@pytest.mark.parametrize("name", ["class", "train", "_x", "a.b", "../x", "é", "Mine", ""])
def test_a_new_strategy_needs_a_name_that_works_everywhere(cli: Cli, here: Path, name: str):
    assert cli("new", "strategy", name).code == 2
    assert list(here.iterdir()) == []


# ---------------------------------------------------------------------- report


def test_the_leaderboard_is_printed_in_every_format(cli: Cli, results: Path):
    names = {method.name for method in METHODS[:3]}
    for form in ("text", "md", "csv", "latex", "html", "json"):
        done = cli("report", "leaderboard", "coco_b40c10", "--format", form)
        assert done.code == 0
        assert all(name in done.out for name in names), form
    rows = csv.DictReader(io.StringIO(cli("report", "leaderboard", "coco_b40c10", "--format", "csv").out))
    assert {row["strategy"] for row in rows if row["kind"] == "run"} >= names
    assert "\\toprule" in cli("report", "leaderboard", "coco_b40c10", "--format", "latex").out


def test_reports_with_a_record_that_contradicts_itself_end_with_exit_code_6(cli: Cli, results: Path):
    path = next(results.rglob("naive/*/seed*.json"))
    path.write_text(re.sub(r'("average_map": 0\.)\d', r"\g<1>9", path.read_text()))
    for asked in (("leaderboard", "coco_b40c10", "--format", "json"), ("groups", "coco_b40c10")):
        done = cli("report", *asked)
        assert done.code == 6 and "1 record is unverified" in done.err and "clbench verify" in done.err
        assert "naive" in done.out


def test_heads_are_named_on_the_terminal_where_they_differ(cli: Cli, results: Path):
    assert "Head" not in cli("report", "leaderboard", "coco_b40c10").out.partition("\n\n")[0]
    other = make_record(METHODS[6], B40)
    path = record_path(results, other)
    path.parent.mkdir(parents=True)
    write_record(other, path)
    shown = cli("report", "leaderboard", "coco_b40c10").out.partition("\n\n")[0]
    assert "Head" in shown
    assert all(name in shown for name in ("queries", "linear"))


def test_the_leaderboard_is_sorted_by_the_column_asked_for(cli: Cli, results: Path):
    def order(sort: str) -> list[str]:
        out = cli("report", "leaderboard", "coco_b40c10", "--format", "json", "--sort", sort).out
        return [row["strategy"] for row in json.loads(out)["tables"][0]["rows"] if row["rank"] is not None]

    assert sorted(order("average_map")) == sorted(order("forgetting"))
    done = cli("report", "leaderboard", "coco_b40c10", "--sort", "last_mapp")
    assert (done.code, "Did you mean 'last_map'" in done.err) == (2, True)


@pytest.mark.parametrize("columns", [70, 100, 120, 200])
def test_on_a_terminal_no_number_is_broken_and_what_has_no_room_is_named(
    cli: Cli, results: Path, monkeypatch: pytest.MonkeyPatch, columns: int
):
    monkeypatch.setattr("clbench.cli.terminal.output.on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    out = cli("report", "leaderboard", "coco_b40c10", "--sort", "bwt").out.partition("\n\ncoco_b40c10")[0]
    assert max(map(len, out.splitlines()[1:8])) <= columns
    rows = [line for line in out.splitlines() if re.search(r"\b(naive|lwf)\b", line)]
    assert len(rows) == 2
    assert all(re.search(r"\d ± \d", row) and not re.search(r"±\s*$|±\s\s", row) for row in rows)
    heading = next(line for line in out.splitlines() if "Rank" in line)
    assert "BWT" in heading, "the column that orders stays"
    told = out.partition("Not shown, for want of width: ")[2].partition(". All")[0]
    assert bool(told) == (columns < 200)
    assert not set(filter(None, told.split(", "))) & set(heading.split("  "))


def test_a_scenario_without_records_is_refused_with_the_nearest_name(cli: Cli, results: Path):
    done = cli("report", "leaderboard", "coco_b40c1")
    assert done.code == 2
    assert "Did you mean 'coco_b40c10'" in done.err


def test_curves_and_everything_are_written_where_asked(cli: Cli, results: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[dict[str, Any]] = []

    def quick(rows: list[Row], *, formats: tuple[str, ...], **how: Any) -> list[Path]:
        asked.append({"scenarios": {row.first.scenario.name for row in rows}, "formats": formats, **how})
        return write_report(rows, formats=("md",), **how)

    monkeypatch.setattr("clbench.report.formats.write.write_report", quick)
    assert cli("report", "curves", "coco_b40c10", "--out", "figures", "--format", "pdf").code == 0
    done = cli("report", "all", "--out", "site", "--sort", "last_map")
    assert (done.code, done.out) == (0, "site/leaderboard.md\nsite/report.html\n")
    assert (asked[0]["formats"], asked[0]["scenarios"], asked[0]["out"]) == (("pdf",), {"coco_b40c10"}, Path("figures"))
    assert {"md", "csv", "tex", "html", "json", "png"} <= set(asked[1]["formats"])
    assert (results.parent / "site" / "leaderboard.md").exists()
    assert "coco_b40c10" in (results.parent / "site" / "report.html").read_text(encoding="utf-8")


def test_diff_names_the_ingredient_that_differs(cli: Cli, results: Path):
    left, right = (path.relative_to(results) for path in sorted(results.rglob("seed*.json"))[:2])
    done = cli("report", "diff", str(left), str(results / right))
    assert done.code == 0
    assert "seed: 0 | 1" in done.out
    whole = cli("report", "diff", str(left.parent), str(left.parents[1]))
    assert whole.out == "Nothing differs.\n"
    assert cli("report", "diff", str(left), "nowhere").code == 2


def test_a_diff_with_an_unverified_record_says_so_and_ends_with_6(cli: Cli, results: Path):
    left, right = sorted(results.rglob("seed*.json"))[:2]
    left.write_bytes(left.read_bytes().replace(b'"clbench": "0.1.0"', b'"clbench": "0.1.1"'))
    done = cli("report", "diff", str(left), str(right))
    assert done.code == 6 and f"Unverified: {left}: content" in done.out and "clbench: 0.1.1 | 0.1.0" in done.out


def test_a_readme_with_an_unverified_record_ends_with_6(cli: Cli, results: Path, here: Path):
    path = next(results.rglob("seed*.json"))
    path.write_bytes(path.read_bytes().replace(b'"clbench": "0.1.0"', b'"clbench": "0.1.1"'))
    (here / "TABLES.md").write_text("<!-- leaderboard:coco_b40c10 -->\n<!-- /leaderboard -->\n", encoding="utf-8")
    assert cli("report", "readme", "TABLES.md").code == 6
    row = next(line for line in (here / "TABLES.md").read_text(encoding="utf-8").splitlines() if "unverified" in line)
    assert row.startswith("| – |")


def test_a_readme_is_written_anew_and_checked(cli: Cli, results: Path, here: Path):
    readme = here / "README.md"
    readme.write_text("# X\n<!-- leaderboard:coco_b40c10 -->\n<!-- /leaderboard -->\n")
    stale = cli("report", "readme", "--check")
    assert (stale.code, "coco_b40c10 is not what the records say" in stale.err) == (6, True)
    assert cli("report", "readme").code == 0
    assert METHODS[1].name in readme.read_text()
    assert cli("report", "readme", "--check").code == 0


def test_without_any_record_reports_say_what_to_do(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("clbench.files.roots.shipped_root", lambda: None)
    done = cli("report", "leaderboard", "tiny")
    assert done.code == 4
    assert "clbench run tiny" in done.err


# ---------------------------------------------------------------------- verify


def test_whole_records_verify(cli: Cli, results: Path):
    done = cli("verify")
    assert done.code == 0
    assert "6 of 6 records are consistent" in done.out


def test_a_changed_digit_is_found_and_fails(cli: Cli, results: Path):
    path = first_record(results)
    text = path.read_text()
    at = text.index("0.", text.index('"growing"')) + 4
    path.write_text(text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1 :])
    done = cli("verify", str(path))
    assert done.code == 6
    assert "ap" in done.out
    assert "1 of 1 records are not what a run wrote" in done.err
    assert cli("verify").code == 6


def test_what_is_not_there_cannot_be_verified(cli: Cli, results: Path):
    assert cli("verify", "nowhere.json").code == 4
    assert cli("verify", "--results", "nowhere").code == 4
    assert cli("verify", "--data", ".").code == 2


def test_scores_that_are_not_there_fail_a_rescoring(cli: Cli, here: Path):
    record = make_record(METHODS[0], TINY)
    path = record_path(here / "results", record)
    path.parent.mkdir(parents=True)
    write_record(record, path)
    done = cli("verify", "--scores")
    # the record was never run, so its scenario's digest cannot be the shipped one
    assert done.code == 2
    assert "is not the scenario of the record" in done.err


# ---------------------------------------------------------------------- status


def test_status_tells_finished_running_stopped_and_failed_runs(cli: Cli, results: Path):
    folder = first_record(results).parent
    for seed, files in ((6, ["state.pt", "error.txt"]), (7, ["scores-0.npy", "state.pt"]), (8, []), (9, [])):
        (folder / f"seed{seed}").mkdir()
        for name in files:
            (folder / f"seed{seed}" / name).write_bytes(b"")
    first_record(results).write_text("{}")
    with FileLock(str(folder / "seed9.lock")):
        done = cli("status")
        plain = json.loads(cli("status", "--json").out)
    assert done.code == 0
    assert done.out.splitlines()[-1] == "5 finished, 1 running, 2 stopped, 1 failed, 1 damaged"
    states = {(run["state"], run["seed"]) for run in plain if run["state"] != "finished"}
    assert states == {("running", 9), ("stopped", 7), ("stopped", 8), ("failed", 6), ("damaged", 0)}
    assert next(run for run in plain if run["seed"] == 7)["sessions"] == 1
    assert "goes on from its saved state" in done.out


def test_status_names_finished_runs_that_are_unverified(cli: Cli, results: Path):
    path = next(results.rglob("seed*.json"))
    path.write_bytes(path.read_bytes().replace(b'"clbench": "0.1.0"', b'"clbench": "0.1.1"'))
    told = [run for run in json.loads(cli("status", "--json").out) if run["note"].startswith("unverified: content")]
    assert [(run["state"], Path(run["path"]).resolve()) for run in told] == [("finished", path.resolve())]


def test_status_of_nothing_says_so(cli: Cli, here: Path):
    (here / "results").mkdir()
    assert "No runs here yet." in cli("status").out
    assert cli("status", "--results", "nowhere").code == 4


# ---------------------------------------------------------------------- doctor


def test_the_doctor_finds_this_installation_fit(cli: Cli, here: Path):
    done = cli("doctor")
    topics = {line.split()[1] for line in done.out.splitlines()}
    assert {
        "python",
        "packages",
        "solver",
        "loop",
        "device",
        "roots",
        "files",
        "data",
        "weights",
        "disk",
        "results",
    } == topics
    assert "coco2014 is not here: clbench data get coco2014" in done.out
    bad = [line for line in done.out.splitlines() if line.startswith("BAD")]
    assert (done.code, bad) == (0, [])
    thorough = cli("doctor", "--thorough")
    assert {line.split()[1] for line in thorough.out.splitlines()} == topics | {"torch"}
    assert thorough.code == 0 and "Avalanche 0.6.0 imports" in thorough.out


class Driver:
    """Two GPUs, as a driver tells of them."""

    def cuInit(self, flags: int) -> int:
        return 0

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = 2
        return 0

    def cuDeviceGet(self, device: Any, number: int) -> int:
        device._obj.value = 10 + number
        return 0

    def cuDeviceGetName(self, name: Any, length: int, device: Any) -> int:
        name.value = f"Model {device.value}".encode()
        return 0

    def cuDeviceTotalMem_v2(self, memory: Any, device: Any) -> int:
        memory._obj.value = device.value << 30
        return 0


def test_gpus_are_those_that_the_driver_names(monkeypatch: pytest.MonkeyPatch):
    assert gpus(Driver()) == [("Model 10", 10 << 30), ("Model 11", 11 << 30)]
    broken = Driver()
    broken.cuInit = lambda flags: 100  # type: ignore[method-assign]
    assert gpus(broken) == []
    monkeypatch.setattr("clbench.cli.installation.gpus", lambda: gpus(Driver()))
    monkeypatch.setattr("clbench.cli.installation.torch_cuda", lambda: None)
    found = [(finding.verdict, finding.text) for finding in doctor._device()][1:]
    assert found[0] == ("ok", "cuda:0 Model 10, 10 GiB")
    assert found[2] == ("note", "this torch was built without CUDA and runs on the CPU alone")


def test_what_torch_was_built_for_is_read_without_importing_it():
    import torch

    assert torch_cuda() == torch.version.cuda


def test_the_doctor_names_the_remedy_where_home_or_shared_memory_will_not_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLBENCH_CACHE", "/proc/nobody/cache")
    monkeypatch.setattr(shared_memory, "room", lambda: shared_memory.Room(total=64 << 20, free=64 << 20))
    cache, memory = *doctor._cache(), *doctor._shared_memory()
    assert cache.verdict == memory.verdict == "note"
    assert "cannot be written" in cache.text and "CLBENCH_CACHE=" in cache.next_step
    assert "67.1 MB" in memory.text and "--shm-size" in memory.next_step


def test_the_doctor_fails_where_results_cannot_be_written(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch):
    (here / "results").write_text("")
    done = cli("doctor")
    assert done.code == 6
    assert "BAD  results" in done.out


def test_what_breaks_while_looking_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def broken() -> Any:
        raise ImportError("no module named qpsolvers")

    monkeypatch.setattr(doctor, "_solver", broken)
    monkeypatch.setattr(doctor, "_loop", lambda: iter(()))
    monkeypatch.setattr(doctor, "_torch", lambda: iter(()))
    found = {finding.topic: finding for finding in doctor.examine(tmp_path, thorough=True)}
    assert (found["solver"].verdict, "no module named qpsolvers" in found["solver"].text) == ("bad", True)


def test_a_package_of_another_version_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "requires", lambda _: ["numpy>=999", "no-such-package>=1", "x; extra == 'dev'"])
    found = list(doctor._packages())
    assert found[-1].verdict == "bad"
    assert found[-1].next_step == "pip install 'numpy>=999' 'no-such-package>=1'"


# ---------------------------------------------------------------------- data


def test_data_sets_are_listed_with_the_command_that_gets_them(cli: Cli):
    lines = cli("data", "list").out.splitlines()
    assert next(line for line in lines if line.startswith("voc2007")).endswith("clbench data get voc2007")
    assert next(line for line in lines if line.startswith("scenes")).endswith("built in")


def test_a_data_set_that_is_there_is_listed_with_its_place(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch):
    (here / "all" / "voc2007").mkdir(parents=True)
    monkeypatch.setenv("CLBENCH_DATA", str(here / "all"))
    line = next(line for line in cli("data", "list").out.splitlines() if line.startswith("voc2007"))
    assert line.endswith(str(here / "all" / "voc2007"))


def test_a_data_check_says_what_is_right_and_wrong(cli: Cli, here: Path):
    done = cli("data", "check", "scenes", "--option", "train=120", "--option", "test=100")
    assert done.code == 0
    assert "120 train and 100 test images" in done.out
    (here / "voc").mkdir()
    wrong = cli("data", "check", "voc2007", "--root", "voc")
    assert wrong.code == 3
    assert "BAD" in wrong.out
    (here / "empty.csv").touch()
    said = cli("data", "check", "empty.csv").out.splitlines()
    assert said[1].endswith("empty.csv is empty.")
    assert said[2].strip() == "A table starts with the line: file,split,labels"


def test_help_of_a_group_needs_nothing_heavy(here: Path):
    code = "import sys; from clbench.cli import main\ntry: main(['data', '-h'])\nexcept SystemExit: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "torch"} & set(done.stdout.split())
