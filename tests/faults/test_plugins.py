"""Plugins that misbehave: one bad file stops neither the list nor the others, and says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_tools import clbench
from tiny_scenarios import planned, scenario

from clbench.cli.group import invoke
from clbench.errors import RunError, UsageError
from clbench.plan.plans import plan
from clbench.train.run import RunOptions, run

GOOD = '''
from clbench import Strategy


class {name}(Strategy):
    """Is fine."""
'''
BAD = {
    "raises": ("raise RuntimeError('no licence key')", "line 2: cannot be imported: RuntimeError: no licence key"),
    "lacks": ("import not_installed_anywhere", "cannot be imported: ModuleNotFoundError"),
    "leaves": ("import sys; sys.exit(0)", "calls sys.exit"),
    "quits": ("quit()", "calls sys.exit"),
    "chats": ("print('\\x1b[31m' + 'garbage' * 1000)", "prints while it is imported"),
    "recurses": ("def f(): f()\nf()", "RecursionError"),
    "is_odd": ("class Odd(BaseException): pass\nraise Odd('boo')", "Odd: boo"),
    "bad_syntax": ("def", "line 2"),
    "not_text": ("\x00\x01", ""),
    "default_factory": ("", "mutable default"),
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLBENCH_BESIDE", "")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "good_one.py").write_text(GOOD.format(name="GoodOne"))
    for name, (body, _) in BAD.items():
        text = GOOD.format(name=name.title().replace("_", ""))
        if name == "default_factory":
            text += "    memory: list[int] = []\n"
        (folder / f"{name}.py").write_text(f'"""A plugin."""\n{body}\n{text}')
    return tmp_path


@pytest.mark.parametrize("name", BAD)
def test_a_bad_plugin_is_a_usage_error_that_names_file_and_cause(name: str, here: Path) -> None:
    with pytest.raises(UsageError) as caught:
        plan("tiny", strategies=[name])
    assert f"{name}.py" in caught.value.message and BAD[name][1] in caught.value.message
    assert caught.value.exit_code == 2 and "Traceback" not in str(caught.value)


def test_the_others_are_listed_and_used_all_the_same(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["list", "strategies"]) == 0
    told = capsys.readouterr().out
    assert "garbage" not in told
    for name in ("good_one", "naive", *BAD):
        assert any(line.split()[0] == name for line in told.splitlines()), name
    (wanted,) = plan("tiny", strategies=["good_one"])
    assert wanted.entry.title == "Is fine."


@pytest.mark.parametrize(
    ("verb", "value", "said"),
    [
        ("marks", "'a word'", r"noted\.py: marks\(\) returns 'a word', expected a list of words\."),
        ("marks", "None", r"noted\.py: marks\(\) returns None, expected a list of words\."),
        ("marks", "[1]", r"noted\.py: marks\(\) returns \[1\], expected a list of words\."),
        ("notes", "['a word']", r"noted\.py: notes\(\) returns a list, expected a mapping of text to text\."),
        ("notes", "{'rows': 60}", r"noted\.py: notes\(\) has 'rows': 60, expected text for both\."),
    ],
)
def test_marks_and_notes_that_no_record_can_hold_are_named(verb: str, value: str, said: str, here: Path) -> None:
    text = GOOD.format(name="Noted") + f"\n    def {verb}(self):\n        return {value}\n"
    (here / "strategies" / "noted.py").write_text(text)
    with pytest.raises(RunError, match=said):
        run(planned(scenario(here), "noted"), RunOptions(results=here / "results", device="cpu"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def begin_sesion(self, session): ...", "begin_sesion: the loop has no verb .* Did you mean 'begin_session'"),
        ("def score(self, images): ...", "score: the loop has no verb of this name .* Did you mean 'scores'"),
        ("def before_training_epoch(self, strategy): ...", "before_training_epoch: the loop has no verb"),
        ("def observe(self, inputs, labels): ...", "observe: the loop has no verb of this name and nothing here calls"),
        ("def loss(self, batch): ...", r"Odd\.loss\(self, batch\) cannot be called as the loop does it"),
        ("def rehearse(self): ...", r"Odd\.rehearse\(self\) cannot be called as the loop does it"),
        ("def classification(self, logits, targets): ...", r"Odd\.classification\(.*\) cannot be called"),
        ("loss = 'asl'", r"Odd\.loss is 'asl' and hides the verb 'loss'"),
    ],
)
def test_a_verb_that_nobody_would_call_is_refused(body: str, said: str, here: Path) -> None:
    (here / "strategies" / "odd.py").write_text(GOOD.format(name="Odd") + f"\n    {body}\n")
    with pytest.raises(UsageError, match=rf"odd\.py, line \d+: .*{said}"):
        plan("tiny", strategies=["odd"])


@pytest.mark.parametrize(
    "body",
    [
        "def losses(self): return []\n\n    def loss(self, batch, logits): return sum(self.losses())",
        "def loss(self, batch, logits, *more): ...",
        "def loss(self, *both): ...",
        "def loss(self, batch, out, weight=2.0): ...",
        "def prototypes(self): return {}",
        "@staticmethod\n    def score(): ...",
        "reduction = 'sum'",
    ],
)
def test_what_can_be_called_and_functions_of_its_own_pass(body: str, here: Path) -> None:
    (here / "strategies" / "odd.py").write_text(GOOD.format(name="Odd") + f"\n    {body}\n")
    assert plan("tiny", strategies=["odd"])


@pytest.mark.parametrize(
    ("verb", "value", "said"),
    [
        ("loss(self, batch, logits)", "None", r"returned nothing \(None\); one number as a tensor"),
        ("loss(self, batch, logits)", "logits.mean(1)", r"returned a tensor of shape \(\d+,\); one number"),
        (
            "loss(self, batch, logits)",
            "logits.detach().sum()",
            r"returned a tensor .* without a gradient; one",
        ),
        ("loss(self, batch, logits)", "0.5", r"returned 0\.5 \(float\); one number as a tensor"),
        ("rehearse(self, session)", "[1, 2]", r"returned \[1, 2\] \(list\); clbench\.Exemplars"),
        ("recall(self, batch)", "(1, 2)", r"returned \(1, 2\) \(tuple\); clbench\.Exemplars"),
        ("rehearse(self, session)", "clbench.Exemplars([0.5], [[1]])", ": memory: rows are of type float64"),
        ("rehearse(self, session)", "clbench.Exemplars([0], [[0.7]])", r": memory: targets have 0\.7; 1, 0 and -1"),
        ("rehearse(self, session)", "clbench.Exemplars([0], [[2]])", ": memory: targets have 2; 1, 0 and -1"),
        ("rehearse(self, session)", "clbench.Exemplars([0], [[1] * 9])", "returned targets of 9 labels; 2 have been"),
        ("rehearse(self, session)", "clbench.Exemplars([0], [[1], [0]])", r": memory: rows \(1,\), targets \(2, 1\)"),
        ("recall(self, batch)", "clbench.Exemplars([0], [[0.5]])", r": memory: targets have 0\.5; 1, 0 and -1"),
        ("plugins(self)", "['replay']", r"returned \['replay'\] \(list\); a list of Avalanche's plugins"),
        ("plugins(self)", "[clbench.Strategy]", r"returned \[<class .* a list of Avalanche's plugins, objects and no"),
        ("score_cost(self)", "float('nan')", r"returned nan \(float\); a number from 0 was expected"),
        ("score_cost(self)", "-1", r"returned -1 \(int\); a number from 0 was expected"),
        ("trains(self, index)", "None", r"returned nothing \(None\); True or False was expected"),
        ("plugins(self)", "None", r"returned nothing \(None\); a list of Avalanche's plugins"),
        ("score_cost(self)", "None", r"returned nothing \(None\); a number from 0 was"),
        ("build(self, backbone, labels)", "None", r"makes no network self\.net"),
    ],
)
def test_a_verb_that_returns_what_the_loop_cannot_use_is_named_with_its_line(
    verb: str, value: str, said: str, here: Path
) -> None:
    text = "import clbench" + GOOD.format(name="Odd") + f"\n    def {verb}:\n        return {value}\n"
    (here / "strategies" / "odd.py").write_text(text)
    with pytest.raises(RunError, match=rf"odd\.py, line 8: Odd\.{verb.partition('(')[0]} ?{said}"):
        run(planned(scenario(here), "odd"), RunOptions(results=here / "results", device="cpu"))


def test_an_estimate_does_not_take_nothing_for_no(here: Path) -> None:
    text = GOOD.format(name="Odd") + "\n    def trains(self, index):\n        return None\n"
    (here / "strategies" / "odd.py").write_text(text)
    with pytest.raises(RunError, match=r"Odd\.trains returned nothing \(None\); True or False was expected"):
        invoke(["run", "tiny", "--strategy", "odd", "--dry-run", "--results", "results"])


def test_a_network_of_another_width_than_the_labels_is_named(here: Path) -> None:
    text = GOOD.format(name="Odd") + "\n    def begin_session(self, session):\n        pass\n"
    (here / "strategies" / "odd.py").write_text(text)
    with pytest.raises(RunError, match=r"Odd: the network gave \(\d+, 0\) for \d+ images and 2 labels") as told:
        run(planned(scenario(here), "odd"), RunOptions(results=here / "results", device="cpu"))
    assert "super().begin_session(session)" in (told.value.hint or "")


@pytest.mark.parametrize("verb", ["logits", "scores"])
def test_what_ranks_test_images_is_a_tensor(verb: str, here: Path) -> None:
    text = GOOD.format(name="Odd") + f"\n    def {verb}(self, images):\n        return [0.5]\n"
    (here / "strategies" / "odd.py").write_text(text)
    with pytest.raises(RunError, match=rf"Odd\.{verb} gave list, and no tensor"):
        run(planned(scenario(here), "odd"), RunOptions(results=here / "results", device="cpu"))


def test_a_field_without_a_default_needs_a_value(here: Path) -> None:
    (here / "strategies" / "odd.py").write_text(GOOD.format(name="Odd") + "    weight: float\n")
    with pytest.raises(UsageError, match=r"Odd\.weight has no default and was given no value"):
        plan("tiny", strategies=["odd"])
    assert plan("tiny", strategies=["odd"], sets=["odd.weight=2"])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_process_of_its_own_survives_every_plugin(here: Path) -> None:
    listed = clbench("list", "strategies", cwd=here)
    assert listed.returncode == 0 and "good_one" in listed.stdout
    for name in ("leaves", "chats", "raises"):
        done = clbench("run", "tiny", "--strategy", f"naive,{name}", cwd=here)
        assert done.returncode == 2 and f"{name}.py" in done.stderr and "Traceback" not in done.stderr
        assert not (here / "results").exists()
    examined = clbench("check", *sorted(BAD), "--only", "file_holds_one_strategy", cwd=here)
    assert examined.returncode == 6 and examined.stdout.count("FAIL") == len(BAD)
