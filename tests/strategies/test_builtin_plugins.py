"""Avalanche's own plugins in a strategy: they run as they are, and a run with one resumes to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from listening import StopAt
from tiny_scenarios import finished, planned, scenario

from clbench import builtin
from clbench.errors import UsageError
from clbench.records.record import read_record
from clbench.train.run import RunOptions, run

PLUGINS = {
    "ewc_apart": ("EWCPlugin", '{"ewc_lambda": 1.0e5}'),
    "mas_own": ("MASPlugin", '{"lambda_reg": 100.0}'),
    "si_own": ("SynapticIntelligencePlugin", '{"si_lambda": 1.0}'),
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


@pytest.mark.parametrize("key", ["ewc_apart", "mas_own", "si_own"])
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


@pytest.mark.parametrize("key", ["ewc_apart", "mas_own"])
def test_a_builtin_plugin_changes_training_from_the_second_session_on(key: str, tmp_path: Path) -> None:
    _, plain = finished(planned(scenario(tmp_path), strategy_file(tmp_path, "none")), tmp_path / "a")
    _, held = finished(planned(scenario(tmp_path), strategy_file(tmp_path, key)), tmp_path / "b")
    same = [a.sha256 == b.sha256 for a, b in zip(plain.scores, held.scores, strict=True)]
    # MAS measures importance in training mode, which moves the statistics of batch norms at the end of the first
    assert same == ([False] * 3 if key == "mas_own" else [True, False, False])


@pytest.mark.parametrize(("name", "options"), [("SynapticInteligencePlugin", {}), ("EWCPlugin", {"ewc_lamda": 1})])
def test_a_misspelt_builtin_is_told_the_right_name(name: str, options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="Did you mean"):
        builtin(name, options=options)
