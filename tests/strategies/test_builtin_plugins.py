"""Avalanche's own plugins in a strategy: they run as they are, and a run with one resumes to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from listening import StopAt
from tiny_scenarios import finished, planned, scenario

from clbench import builtin
from clbench.errors import UsageError
from clbench.method.stock_plugins import STOCK, refuse_unusable, table
from clbench.records.record import read_record
from clbench.train.loop import training_plugins
from clbench.train.run import RunOptions, run

PLUGINS = {
    "ewc_apart": ("EWCPlugin", '{"ewc_lambda": 1.0e5}'),
    "mas_own": ("MASPlugin", '{"lambda_reg": 100.0}'),
    "rwalk": ("RWalkPlugin", '{"ewc_lambda": 1.0e3}'),
    "none": ("", ""),
}
SOURCE = '''
"""A plugin of Avalanche."""

from typing import Any

from clbench import Strategy, builtin


class Mine(Strategy):
    """Runs a plugin of Avalanche as it is."""

    def plugins(self) -> list[Any]:
        return [builtin("{name}", options={options})] if "{name}" else []
'''


def strategy_file(folder: Path, key: str) -> str:
    name, options = PLUGINS[key]
    path = folder / f"plugin_{key}.py"
    path.write_text(SOURCE.format(name=name, options=options or "{}"), encoding="utf-8")
    return str(path)


@pytest.fixture(autouse=True)
def no_folders_stay_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLBENCH_BESIDE", "")


@pytest.mark.parametrize("key", ["ewc_apart", "mas_own", "rwalk"])
def test_a_run_with_a_builtin_plugin_stopped_anywhere_ends_with_the_same_record(key: str, tmp_path: Path) -> None:
    wanted = planned(scenario(tmp_path), strategy_file(tmp_path, key))
    whole = read_record(run(wanted, RunOptions(results=tmp_path / "whole", device="cpu")))
    options = RunOptions(results=tmp_path / "parts", device="cpu", save_steps=2)
    stops = 0
    for session, step in [(0, 3), (0, 5), (1, 3), (2, 3)]:
        try:
            run(wanted, options, watch=StopAt(session, step))
        except KeyboardInterrupt:
            stops += 1
    parts = read_record(run(wanted, options))
    assert stops == 4
    for section in ("ap", "counts", "costs", "summary", "scores"):
        assert getattr(parts, section) == getattr(whole, section), section
    assert whole.notes[PLUGINS[key][0]] == "Avalanche built-in"


@pytest.mark.parametrize("key", ["ewc_apart", "mas_own", "rwalk"])
def test_a_builtin_plugin_changes_training_from_the_second_session_on(key: str, tmp_path: Path) -> None:
    _, plain = finished(planned(scenario(tmp_path), strategy_file(tmp_path, "none")), tmp_path / "a")
    _, held = finished(planned(scenario(tmp_path), strategy_file(tmp_path, key)), tmp_path / "b")
    same = [a.sha256 == b.sha256 for a, b in zip(plain.scores, held.scores, strict=True)]
    # nothing is held in the first session, and looking back at its end, in training mode or not, moves no statistic
    assert same == [True, False, False]


@pytest.mark.parametrize(("name", "options"), [("SynapticInteligencePlugin", {}), ("EWCPlugin", {"ewc_lamda": 1})])
def test_a_misspelt_builtin_is_told_the_right_name(name: str, options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="Did you mean"):
        builtin(name, options=options)


# ---------------------------------------------------------------------- what is refused, and why


def test_the_table_of_plugins_is_the_one_that_is_enforced_and_has_every_plugin() -> None:
    text = (Path(__file__).parents[2] / "docs" / "strategy.md").read_text(encoding="utf-8")
    shown = text.split("<!-- plugins -->\n")[1].split("<!-- /plugins -->")[0]
    assert shown == table()
    assert set(STOCK) == set(training_plugins()) - {"SupervisedPlugin"}, "a plugin that does nothing is no plugin"


@pytest.mark.parametrize("name", [name for name, one in STOCK.items() if one.verdict != "works"])
def test_a_plugin_that_is_known_not_to_work_is_refused_by_class_with_what_to_use(name: str) -> None:
    kind = training_plugins(name)[name]
    for refused in (kind, type("Mine", (kind,), {})):
        with pytest.raises(UsageError, match=f"{name} cannot be used here") as caught:
            refuse_unusable(refused)
        assert caught.value.hint.startswith("Use ")


def test_a_plugin_that_is_made_without_the_door_is_refused_by_the_loop(tmp_path: Path) -> None:
    file = tmp_path / "made_by_hand.py"
    made = 'training_plugins("GEMPlugin")["GEMPlugin"](10, 0.5)'
    file.write_text(
        SOURCE.replace('[builtin("{name}", options={options})] if "{name}" else []', f"[{made}]").replace(
            "Strategy, builtin", "Strategy\nfrom clbench.train.loop import training_plugins"
        ),
        encoding="utf-8",
    )
    with pytest.raises(UsageError, match="GEMPlugin cannot be used here: it keeps pictures"):
        finished(planned(scenario(tmp_path), str(file)), tmp_path / "results")


def test_rwalk_with_accumulated_gradients_is_refused(tmp_path: Path) -> None:
    wanted = planned(scenario(tmp_path), strategy_file(tmp_path, "rwalk"), "train.accumulate=2")
    with pytest.raises(UsageError, match=r"train\.accumulate is 2"):
        finished(wanted, tmp_path / "results")


def test_a_plugin_that_turns_the_mode_trains_in_training_mode_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "turner.py"
    file.write_text(
        '''
"""A plugin that leaves evaluation mode behind."""

from typing import Any

from clbench import Strategy


class Turns:
    def before_training_iteration(self, strategy, **kwargs):
        strategy.model.eval()


class Turner(Strategy):
    """Turns the mode before each step."""

    def plugins(self) -> list[Any]:
        return [Turns()]
''',
        encoding="utf-8",
    )
    _, plain = finished(planned(scenario(tmp_path), strategy_file(tmp_path, "none")), tmp_path / "a")
    _, turned = finished(planned(scenario(tmp_path), str(file)), tmp_path / "b")
    assert [score.sha256 for score in turned.scores] == [score.sha256 for score in plain.scores]


OPTIONS: dict[str, str] = {
    "AGEMPlugin": '{"patterns_per_experience": 10, "sample_size": 8}',
    "BiCPlugin": '{"mem_size": 20}',
    "CWRStarPlugin": '{"model": self.net}',
    "CoPEPlugin": '{"mem_size": 20, "n_classes": 6}',
    "EarlyStoppingPlugin": '{"patience": 1, "val_stream_name": "x"}',
    "GDumbPlugin": '{"mem_size": 20}',
    "GEMPlugin": '{"patterns_per_experience": 10, "memory_strength": 0.5}',
    "GSS_greedyPlugin": '{"mem_size": 20, "mem_strength": 2, "input_size": [3, 32, 32]}',
    "LFLPlugin": '{"lambda_e": 1.0}',
    "LRSchedulerPlugin": '{"scheduler": StepLR(SGD([Parameter(zeros(1))], lr=0.1), 1)}',
    "MIRPlugin": '{"batch_size_mem": 8, "mem_size": 20}',
    "RARPlugin": '{"batch_size_mem": 8, "mem_size": 20}',
    "ReplayPlugin": '{"mem_size": 20}',
}
"""What a plugin needs to be made at all."""


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [n for n, one in STOCK.items() if one.verdict in ("fails", "does nothing")])
def test_what_is_refused_would_fail_or_do_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When this fails Avalanche's own may be offered again."""
    monkeypatch.setattr("clbench.train.loop.refuse_unusable", lambda kind, **_: None)
    monkeypatch.setattr("clbench.train.avalanche_plugins.refuse_unusable", lambda kind, **_: None)
    file = tmp_path / f"plain_{name.lower()}.py"
    head = "from torch import zeros\nfrom torch.nn import Parameter\nfrom torch.optim import SGD\n"
    head += "from torch.optim.lr_scheduler import StepLR\n"
    text = SOURCE.format(name=name, options=OPTIONS.get(name, "{}"))
    file.write_text(text.replace("from clbench import", f"{head}\nfrom clbench import"), encoding="utf-8")
    wanted = planned(scenario(tmp_path), str(file))
    if STOCK[name].verdict == "fails":
        with pytest.raises(Exception) as caught:
            finished(wanted, tmp_path / "a")
        assert not isinstance(caught.value, UsageError)
        return
    _, found = finished(wanted, tmp_path / "a")
    _, plain = finished(planned(scenario(tmp_path), strategy_file(tmp_path, "none")), tmp_path / "b")
    assert [score.sha256 for score in found.scores] == [score.sha256 for score in plain.scores]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_avalanches_gem_would_keep_pictures_that_nobody_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clbench.train.loop.refuse_unusable", lambda kind, **_: None)
    monkeypatch.setattr("clbench.train.avalanche_plugins.refuse_unusable", lambda kind, **_: None)
    file = tmp_path / "plain_gem.py"
    file.write_text(SOURCE.format(name="GEMPlugin", options=OPTIONS["GEMPlugin"]), encoding="utf-8")
    ran, record = finished(planned(scenario(tmp_path), str(file)), tmp_path / "a")
    (plugin,) = ran.loop.own_plugins
    assert sum(len(pictures) for pictures in plugin.memory_x.values()) == 30
    assert record.costs[-1].stored_images == 0
