"""Plans: which value wins, where it came from, and what is refused."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clbench.errors import DataError, UsageError
from clbench.files import roots
from clbench.plan.plan import Plan, all_values
from clbench.plan.plans import plan
from clbench.spec.scenario import TrainSpec

SCENARIO = """\
name: mine
version: 1
title: A scenario of the tests.
dataset: {dataset}
labels: {{order: alphabetical, base: 40, increment: 10}}
train: {{backbone: clbench_small, image_size: 32, epochs: 7, lr: 1e-3}}
strategies: [naive, {{er: {{memory: 50}}}}]
seeds: [3, 4]
{more}
"""
STAND_IN = """\
stand_in:
  options: {train: "200"}
  train: {epochs: 2, batch_size: 16}
  strategies: [er, lwf]
"""

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """A function that writes scenarios/mine.yaml in an otherwise empty current folder."""
    monkeypatch.setenv(roots.BESIDE, "")
    monkeypatch.chdir(tmp_path)

    def scenario(dataset: str = "scenes", more: str = "") -> str:
        (tmp_path / "scenarios").mkdir(exist_ok=True)
        (tmp_path / "scenarios" / "mine.yaml").write_text(SCENARIO.format(dataset=dataset, more=more))
        return "mine"

    return scenario


def one(*arguments: str, **options: object) -> Plan:
    (found,) = plan(*arguments, **options)  # type: ignore[arg-type]
    return found


# ---------------------------------------------------------------------- which runs


def test_every_strategy_comes_before_any_second_seed(write: Write):
    assert [(p.seed, p.entry.name) for p in plan(write())] == [(3, "naive"), (3, "er"), (4, "naive"), (4, "er")]


def test_named_strategies_and_seeds_replace_the_scenarios_own(write: Write):
    plans = plan(write(), strategies=["lwf", "er", "lwf"], seeds=[9, 9])
    assert [(p.seed, p.entry.name) for p in plans] == [(9, "lwf"), (9, "er")]


def test_a_strategy_listed_twice_with_other_values_is_two_runs(write: Write, tmp_path: Path):
    name = write()
    path = tmp_path / "scenarios" / "mine.yaml"
    path.write_text(path.read_text().replace("[naive, {er: {memory: 50}}]", "[{er: {memory: 5}}, {er: {memory: 6}}]"))
    assert [p.fields for p in plan(name, strategies=["er"], seeds=[0])] == [{"memory": 5}, {"memory": 6}]


@pytest.mark.parametrize("listed", ["[er, er]", "[{er: {memory: 5}}, {er: {memory: 5}}]", "[er, {er: {memory: 1000}}]"])
@pytest.mark.parametrize("read_only", [False, True])
def test_a_strategy_listed_twice_with_the_same_values_is_refused(
    write: Write, tmp_path: Path, listed: str, read_only: bool
):
    name = write()
    path = tmp_path / "scenarios" / "mine.yaml"
    path.write_text(path.read_text().replace("[naive, {er: {memory: 50}}]", listed))
    with pytest.raises(UsageError, match=r"scenarios/mine.yaml: er: named twice with the same values"):
        plan(name, read_only=read_only)


def test_set_may_not_make_one_run_of_two(write: Write, tmp_path: Path):
    name = write()
    path = tmp_path / "scenarios" / "mine.yaml"
    path.write_text(path.read_text().replace("[naive, {er: {memory: 50}}]", "[{er: {memory: 5}}, {er: {memory: 6}}]"))
    with pytest.raises(UsageError, match="two runs cannot leave one record"):
        plan(name, sets=["er.memory=7"])


def test_two_files_of_one_name_with_the_same_values_are_refused(write: Write, tmp_path: Path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.py").write_text('from clbench import Strategy\nclass Own(Strategy):\n    "Mine."\n')
    with pytest.raises(UsageError, match=r"own: named twice .*a/own.py and b/own.py"):
        plan(write(), strategies=["a/own.py", "b/own.py"], seeds=[0])


def test_a_strategy_keeps_the_values_its_scenario_gives_it(write: Write):
    found = one(write(), strategies=["er"], seeds=[0])
    assert found.fields == {"memory": 50}
    assert found.origins["er.memory"] == "scenarios/mine.yaml"


def test_a_strategy_may_be_a_path(write: Write, tmp_path: Path):
    (tmp_path / "own.py").write_text("from clbench import Strategy\nclass Own(Strategy):\n    '''Mine.'''\n")
    found = one(write(), strategies=["own.py"], seeds=[0])
    assert (found.entry.name, found.entry.origin) == ("own", "local")


def test_plans_survive_pickling(write: Write):
    found = plan(write("coco2014", STAND_IN))
    again = pickle.loads(pickle.dumps(found))
    assert again == found
    # records of runs in worker processes must not differ from those of runs in this one
    assert [p.scenario.digest() for p in again] == [p.scenario.digest() for p in found]


# ---------------------------------------------------------------------- which value wins


def test_the_recipe_is_default_then_scenario_then_command_line(write: Write):
    found = one(write(), strategies=["naive"], seeds=[0], sets=["train.lr=0.5"])
    assert (found.train.momentum, found.train.epochs, found.train.lr) == (TrainSpec().momentum, 7, 0.5)
    assert found.origins["train.epochs"] == "scenarios/mine.yaml"
    assert found.origins["train.lr"] == "--set train.lr=0.5"
    assert "train.momentum" not in found.origins
    assert found.changed_train == ("lr",)


def test_a_changed_backbone_that_keeps_unnormalised_pixels_is_told(write: Write):
    name, file = write(), Path("scenarios/mine.yaml")
    file.write_text(file.read_text().replace("lr: 1e-3", "lr: 1e-3, normalize: false"))
    asked = ["train.backbone=clbench_vit"]
    (told, *_) = plan(name, strategies=["naive"], sets=asked)
    assert told.input_note.startswith("train.normalize stays false") and "clbench_vit sees pixels" in told.input_note
    for sets in ([], [*asked, "train.normalize=false"], [*asked, "train.normalize=true"]):
        assert plan(name, strategies=["naive"], sets=sets)[0].input_note == ""


def test_setting_a_value_to_what_it_is_changes_nothing(write: Write):
    assert one(write(), strategies=["naive"], seeds=[0], sets=["train.epochs=7"]).changed_train == ()


def test_the_stand_in_recipe_lies_between_scenario_and_command_line(write: Write):
    found = plan(write("coco2014", STAND_IN), sets=["train.batch_size=8"], seeds=[0])[0]
    assert (found.train.lr, found.train.epochs, found.train.batch_size) == (1e-3, 2, 8)
    assert found.origins["train.epochs"] == "scenarios/mine.yaml: stand_in"
    assert found.changed_train == ("batch_size",)


BOUND = """\
bound: {epochs: 60, lr: 0.25}
"""


def test_what_sees_the_whole_stream_at_once_has_the_recipe_of_a_bound(write: Write):
    naive, joint = plan(write(more=BOUND), strategies=["naive", "joint"], seeds=[0], sets=["train.lr=0.5"])
    assert (naive.train.epochs, joint.train.epochs) == (7, 60)
    assert (naive.train.lr, joint.train.lr) == (0.5, 0.5), "the command line says the last word"
    assert joint.origins["train.epochs"] == "scenarios/mine.yaml: bound"
    (joint,) = plan("mine", strategies=["joint"], seeds=[0])
    assert joint.changed_train == () and joint.train.lr == 0.25


def test_a_stand_in_has_a_bound_of_its_own_on_top(write: Write):
    inner = STAND_IN.replace("  strategies", "  bound: {epochs: 9}\n  strategies")
    found = plan(write("coco2014", BOUND + inner), strategies=["joint", "er"], seeds=[0])
    assert [(p.train.epochs, p.train.lr) for p in found] == [(9, 0.25), (2, 1e-3)]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("bound: {epoch: 60}\n", "scenarios/mine.yaml: bound"),
        ("bound: {epochs: many}\n", "scenarios/mine.yaml: bound"),
        ("stand_in: {train: {base_epochs: 3}, bound: {epochs: 60}}\n", "stand_in.bound: epochs is 60, but the only"),
        ("stand_in: {bound: {epochs: 0}}\n", "stand_in.bound"),
    ],
)
def test_a_bound_that_cannot_be_meant_is_refused(write: Write, more: str, message: str):
    with pytest.raises(UsageError) as caught:
        plan(write(more=more), strategies=["naive"])
    assert message in str(caught.value)


def test_all_values_names_an_origin_for_every_one(write: Write):
    values = all_values(one(write(), strategies=["er"], seeds=[0], sets=["head=maxpool"]))
    assert values["train.epochs"] == (7, "scenarios/mine.yaml")
    assert values["train.momentum"] == (TrainSpec().momentum, "default")
    assert values["er.memory"] == (50, "scenarios/mine.yaml")
    assert values["er.head"] == ("maxpool", "--set head=maxpool")
    assert values["er.head_options"] == ({}, "default")
    assert {name for name in values if name.startswith("train.")} == {f"train.{f}" for f in TrainSpec.__struct_fields__}


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("train.lr=1e-4", "lr", 1e-4),
        ("train.epochs=3", "epochs", 3),
        ("train.amp=off", "amp", "off"),
        ("train.weights=123", "weights", "123"),
        ("train.normalize=no", "normalize", False),
        ("train.normalize=true", "normalize", True),
        ("train.milestones=[0.1, 0.2]", "milestones", [0.1, 0.2]),
        ("train.weights=", "weights", ""),
    ],
)
def test_values_are_read_as_the_type_of_their_field(write: Write, text: str, field: str, value: object):
    found = getattr(one(write(), strategies=["naive"], seeds=[0], sets=[text]).train, field)
    assert found == value
    assert type(found) is type(value)


def test_a_value_for_one_strategy_leaves_the_others_alone(write: Write):
    naive, er = plan(write(), seeds=[0], sets=["er.memory=400"])
    assert (naive.fields, er.fields) == ({}, {"memory": 400})


def test_a_value_for_all_is_outweighed_by_one_for_a_strategy(write: Write):
    naive, er = plan(write(), seeds=[0], sets=["er.head=linear", "head=maxpool"])
    assert (naive.fields["head"], er.fields["head"]) == ("maxpool", "linear")


def test_parts_of_a_mapping_are_set_one_by_one(write: Write):
    sets = ["head=queries", "head_options.d=32", "naive.head_options.heads=4"]
    naive, er = plan(write(), seeds=[0], sets=sets)
    assert naive.fields["head_options"] == {"d": 32, "heads": 4}
    assert er.fields["head_options"] == {"d": 32}


def test_options_of_a_replaced_head_go_with_it(write: Write):
    write()
    file = Path("scenarios/mine.yaml")
    kept, _, _ = file.read_text().partition("strategies:")
    file.write_text(kept + "strategies: [naive, {dlfl: {head_options: {d: 32, heads: 4}}}]\n")
    path = "mine"
    naive, dlfl = plan(path, strategies=["naive", "dlfl"], sets=["head=linear"])
    assert "head_options" not in dlfl.fields
    kept = one(path, strategies=["dlfl"], sets=["head=queries"])
    assert kept.fields["head_options"]
    assert naive.fields == {"head": "linear"}


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train.epocs=1", "the recipe has no field 'epocs'. Did you mean 'epochs'"),
        ("train.epochs=many", "--set train.epochs=many: Expected `int`"),
        ("train.epochs=0", "--set train.epochs=0: Expected `int` >= 1"),
        ("train.optimizer=lion", "--set train.optimizer=lion: There is no choice 'lion'"),
        ("epochs=1", "naive has no field 'epochs'. Did you mean 'train.epochs'"),
        ("memory=400", "naive has no field 'memory'"),
        ("er.memry=400", "er has no field 'memry'. Did you mean 'memory'"),
        ("ers.memory=400", "Did you mean 'er.…'"),
        ("er.memory.x=4", "er.memory has no parts"),
        ("er.memory=lots", "--set er.memory=lots: Expected `int`"),
        ("head=quries", "naive: head 'quries' is unknown. Did you mean 'queries'"),
        ('head_options={"stages":2}', "naive: head_options.stages is not an option of head 'linear'"),
        ("train.backbone=resnet81", "train.backbone 'resnet81' is not a timm model. Did you mean 'resnet18'"),
        ("labels.base=3", "labels is part of what the scenario is"),
        ("images=disjoint", "images is part of what the scenario is"),
        ("version=2", "version is part of what the scenario is"),
        ("train=1", "train is the whole recipe, of which each value is set by its name"),
        ("train.=1", "train is the whole recipe"),
        ("seeds=1", "this has an option of its own: --seed"),
        ("head", "expected NAME=VALUE"),
        ("=1", "expected NAME=VALUE"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_before_anything_runs(write: Write, text: str, message: str):
    with pytest.raises(UsageError) as caught:
        plan(write(), sets=[text])
    assert message in str(caught.value)


def test_options_that_do_not_go_together_in_a_head_are_refused_before_anything_runs(write: Write):
    with pytest.raises(UsageError, match="naive: head_options: d is 30 and heads is 4"):
        plan(write(), sets=["head=queries", 'head_options={"d":30,"heads":4}'])


def test_an_online_scenario_stays_one_pass(write: Write, tmp_path: Path):
    name = write(more="online: true")
    path = tmp_path / "scenarios" / "mine.yaml"
    path.write_text(path.read_text().replace("epochs: 7", "epochs: 1"))
    with pytest.raises(UsageError, match="online and makes one pass"):
        plan(name, sets=["train.epochs=2"])


def test_a_wrong_value_in_the_last_strategy_is_found_first(write: Write, tmp_path: Path):
    name = write()
    path = tmp_path / "scenarios" / "mine.yaml"
    path.write_text(path.read_text().replace("memory: 50", "memori: 50"))
    with pytest.raises(UsageError, match=r"has no field 'memori'\. Did you mean 'memory'"):
        plan(name)


# ---------------------------------------------------------------------- data


def test_without_the_data_set_the_stand_in_runs(write: Write):
    found = plan(write("coco2014", STAND_IN), seeds=[0])
    assert [p.entry.name for p in found] == ["er", "lwf"]
    first = found[0]
    assert (first.stand_in, first.dataset, first.root, first.options) == (True, "scenes", None, {"train": "200"})
    # the scenario's memory holds: the stand-in's list names er without values
    assert first.fields == {"memory": 50}


def test_without_the_data_set_and_a_stand_in_the_error_says_how_to_get_it(write: Write):
    with pytest.raises(DataError) as caught:
        plan(write("coco2014"))
    assert "clbench data get coco2014" in caught.value.hint


def test_a_named_folder_is_never_stood_in_for(write: Write, tmp_path: Path):
    name = write("coco2014", STAND_IN)
    with pytest.raises(DataError, match="there is no such folder"):
        plan(name, data=tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    found = plan(name, data=tmp_path / "empty", seeds=[0])
    assert [p.entry.name for p in found] == ["naive", "er"]
    assert (found[0].stand_in, found[0].dataset, found[0].root) == (False, "coco2014", tmp_path / "empty")
    assert found[0].origins["dataset"].startswith("--data")


def test_a_configured_folder_is_used_and_named(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "all" / "coco2014").mkdir(parents=True)
    monkeypatch.setenv("CLBENCH_DATA", str(tmp_path / "all"))
    found = plan(write("coco2014", STAND_IN))[0]
    assert (found.stand_in, found.root) == (False, tmp_path / "all" / "coco2014")
    assert found.origins["dataset"].startswith("CLBENCH_DATA")


def test_a_data_variable_that_names_nothing_is_an_error(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLBENCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"CLBENCH_DATA: .* is not a folder"):
        plan(write("coco2014", STAND_IN))


def test_a_table_of_ones_own_is_found_beside_the_scenario(write: Write, tmp_path: Path):
    (tmp_path / "scenarios" / "t.csv").parent.mkdir()
    (tmp_path / "scenarios" / "t.csv").write_text("id,split,labels\n")
    found = plan(write("t.csv"))[0]
    assert found.dataset == str(tmp_path / "scenarios" / "t.csv")
    assert (found.root, found.stand_in) == (tmp_path / "scenarios", False)
    with pytest.raises(DataError, match=r"there is no .*other\.csv"):
        plan(write("./other.csv"))


def test_generated_pictures_take_no_folder(write: Write, tmp_path: Path):
    with pytest.raises(UsageError, match="generates its pictures"):
        plan(write(), data=tmp_path)


# ---------------------------------------------------------------------- weight


def test_importing_resolve_imports_no_torch():
    code = "import sys; import clbench.plan.plans; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "torch" not in loaded


def test_a_label_table_is_found_beside_its_scenario_in_the_data_folder_or_below_the_folder_of_all_data(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write("photos/labels.csv")
    with pytest.raises(DataError, match=r"there is no .*photos.labels\.csv"):
        one("mine", strategies=["naive"], seeds=[0])
    given = tmp_path / "elsewhere"
    shared = tmp_path / "all" / "photos"
    for folder in (given, shared):
        folder.mkdir(parents=True)
        (folder / "labels.csv").write_text("file,split,labels\n")
    monkeypatch.setenv("CLBENCH_DATA", str(shared.parent))
    found = one("mine", strategies=["naive"], seeds=[0])
    assert (found.dataset, found.root) == (str(shared / "labels.csv"), shared)
    found = one("mine", strategies=["naive"], seeds=[0], data=given)
    assert (found.dataset, found.root) == (str(given / "labels.csv"), given)
    beside = tmp_path / "scenarios" / "photos"
    beside.mkdir()
    (beside / "labels.csv").write_text("file,split,labels\n")
    assert one("mine", strategies=["naive"], seeds=[0]).dataset == str(beside / "labels.csv")


def test_a_folder_beside_the_scenario_is_found_without_a_dot_before_it(write: Write, tmp_path: Path) -> None:
    write("photos")
    beside = tmp_path / "scenarios" / "photos"
    beside.mkdir()
    (beside / "labels.csv").write_text("file,split,labels\n")
    found = one("mine", strategies=["naive"], seeds=[0])
    assert (found.dataset, found.root) == (str(beside), beside)
