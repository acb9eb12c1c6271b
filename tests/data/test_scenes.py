"""The embedded stand-in: the same bytes everywhere, COCO's frequencies and company, and labels that can be seen."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clbench.data.datasets.registry import open_table
from clbench.data.scenes import layout, scenes
from clbench.data.scenes.icons import icons, paint
from clbench.data.scenes.label_sets import draw_label_sets, themes
from clbench.data.scenes.scenes import Scenes
from clbench.data.scenes.sprites import sprite
from clbench.data.scenes.stable_random import Dice
from clbench.errors import UsageError

LABELS = tuple(icons())
GOLDEN_PICTURES = ["613c52bd53fef964", "2eae1714c70ae740", "e3c0cf9a7e951366", "0b7266cf7f834f13"]
GOLDEN_SMALL = "0da846ef01449d7e"
GOLDEN_TABLE = "fe0a409af687a414"
GOLDEN_ROLLS = [4, 1, 1, 4, 4, 4, 0, 0]
GOLDEN_ORDER = [4, 0, 1, 3, 2, 5]


@pytest.fixture(scope="module")
def default() -> Scenes:
    return Scenes()


@pytest.fixture(scope="module")
def train(default: Scenes) -> np.ndarray:
    table = default.table()
    return table.y[table.split == "train"].astype(np.int64)


def sha(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


# The same bytes everywhere


def test_the_pictures_of_version_1_are_these_bytes(default: Scenes) -> None:
    # a change here is a change of every pinned stream and of every committed record: raise VERSION with it
    assert scenes.VERSION == 1
    assert [sha(default.render(np.array([row]))) for row in (0, 1, 2024, 4999)] == GOLDEN_PICTURES
    assert sha(Scenes(train=100, test=100, seed=3, size=48).render(np.arange(8))) == GOLDEN_SMALL


def test_the_labels_of_version_1_are_these_bytes(default: Scenes) -> None:
    assert default.revision == "scenes v1 train=4000 test=1000 seed=0 size=64"
    assert default.table().digest()[:16] == GOLDEN_TABLE


def test_another_process_draws_the_same_picture_and_needs_no_torch(default: Scenes) -> None:
    code = (
        "import sys, hashlib, numpy as np\n"
        "from clbench.data.scenes.scenes import Scenes\n"
        "picture = Scenes().render(np.array([7]))\n"
        "assert 'torch' not in sys.modules and 'PIL' not in sys.modules\n"
        "sys.stdout.write(hashlib.sha256(picture.tobytes()).hexdigest()[:16])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == sha(default.render(np.array([7])))


def test_a_picture_does_not_depend_on_its_company(default: Scenes) -> None:
    rows = np.array([5, 4321, 5, 17])
    together = default.render(rows)
    assert together.dtype == np.uint8 and together.shape == (4, 64, 64, 3)
    for picture, row in zip(together, rows, strict=True):
        assert np.array_equal(picture, Scenes().render(np.array([row]))[0])


def test_another_seed_is_another_data_set(default: Scenes) -> None:
    other = Scenes(seed=1)
    assert other.revision != default.revision
    assert not np.array_equal(other.table().y, default.table().y)
    assert not np.array_equal(other.render(np.arange(3)), default.render(np.arange(3)))


def test_dice_roll_the_numbers_they_always_rolled() -> None:
    dice = Dice("a test", 1)
    assert [dice.below(6) for _ in range(8)] == GOLDEN_ROLLS
    assert dice.permutation(6).tolist() == GOLDEN_ORDER


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_dice_stay_in_their_range(n: int, seed: int) -> None:
    dice = Dice(seed)
    assert all(0 <= dice.below(n) < n for _ in range(20))
    assert all(3 <= dice.between(3, 3 + n) <= 3 + n for _ in range(20))
    rolled = dice.integers(n, count=20)
    assert rolled.min() >= 0 and rolled.max() < n


# COCO's frequencies and company


def test_the_statistics_are_those_of_the_82_081_annotated_images() -> None:
    mixture = themes()
    counts = dict(zip(mixture.labels, mixture.counts.tolist(), strict=True))
    assert mixture.labels == LABELS == tuple(sorted(LABELS)) and len(LABELS) == 80
    assert mixture.images == 82_081
    assert (counts["person"], counts["chair"], counts["toaster"], counts["hair drier"]) == (45_174, 8_950, 151, 128)
    assert mixture.counts.sum() / mixture.images == pytest.approx(2.93655, abs=1e-5)


def test_every_label_is_as_frequent_as_in_coco_to_the_nearest_image(train: np.ndarray) -> None:
    expected = np.round(themes().counts * len(train) / themes().images)
    assert np.array_equal(train.sum(0), expected)
    assert train.sum(0).min() >= 3
    assert train.sum() / len(train) == pytest.approx(2.936, abs=0.01)


def test_no_image_is_without_a_label_and_no_label_without_test_images(default: Scenes) -> None:
    table = default.table()
    assert set(np.unique(table.y).tolist()) == {0, 1}
    assert np.array_equal(table.member, table.y == 1)
    assert table.y.any(axis=1).all()
    assert table.y[table.split == "test"].sum(0).min() >= 1
    assert table.ids[[0, 3999, 4000]].tolist() == ["train-00000", "train-03999", "test-00000"]


@settings(max_examples=15, deadline=None)
@given(n=st.integers(100, 900), least=st.integers(0, 4), seed=st.integers(0, 99))
def test_label_counts_are_exact_for_any_number_of_images(n: int, least: int, seed: int) -> None:
    drawn = draw_label_sets(n, least=least, seed=seed, name="any")
    wanted = [max(least, round(int(count) * n / themes().images)) for count in themes().counts]
    assert drawn.sum(0).tolist() == wanted
    assert drawn.any(axis=1).all()


def test_things_of_one_place_appear_together(train: np.ndarray) -> None:
    def lift(a: str, b: str) -> float:
        x, y = train[:, LABELS.index(a)], train[:, LABELS.index(b)]
        return float((x & y).mean() / (x.mean() * y.mean()))

    for a, b, stranger in (
        ("fork", "knife", "surfboard"),
        ("keyboard", "mouse", "zebra"),
        ("toilet", "sink", "train"),
        ("baseball bat", "baseball glove", "oven"),
        ("car", "traffic light", "cake"),
    ):
        assert lift(a, b) > 3, (a, b)
        assert lift(a, stranger) < 1, (a, stranger)
    assert lift("giraffe", "sheep") < lift("cow", "sheep")


def test_a_session_overlaps_the_others_as_in_coco(train: np.ndarray) -> None:
    sessions = [slice(0, 40), slice(40, 50), slice(50, 60), slice(60, 70), slice(70, 80)]
    visits = sum(int(train[:, s].any(axis=1).sum()) for s in sessions)
    assert visits / len(train) == pytest.approx(169_161 / 82_081, rel=0.03)


@pytest.mark.realdata
def test_pairs_of_labels_are_as_frequent_as_in_coco(train: np.ndarray, realdata: Path) -> None:
    with np.load(realdata / "labels_coco14" / "coco14_multilabel.npz") as held:
        real = np.unpackbits(held["train_labels"], axis=1)[:, :80].astype(np.float64)
    pairs = np.triu_indices(80, 1)
    wanted = (real.T @ real / len(real))[pairs]
    found = (train.T @ train / len(train))[pairs]
    alone = np.outer(real.mean(0), real.mean(0))[pairs]
    assert np.corrcoef(found, wanted)[0, 1] > 0.98
    # three times closer than independent labels would be, sampling error included
    assert np.sqrt(((found - wanted) ** 2).mean()) < np.sqrt(((alone - wanted) ** 2).mean()) / 3


# Labels that can be seen


def test_every_label_of_every_scene_is_plainly_visible(default: Scenes) -> None:
    y = default.table().y
    for row in range(0, 5000, 20):
        names = [LABELS[column] for column in np.flatnonzero(y[row])]
        scene = layout.arrange(names, dice=Dice("visible", row), size=64)
        shares = layout.visible_shares(scene, size=64)
        assert set(shares) == set(names)
        assert min(shares.values()) >= layout.VISIBLE


@settings(max_examples=25, deadline=None)
@given(st.sets(st.sampled_from(LABELS), min_size=1, max_size=24), st.integers(0, 999), st.sampled_from([32, 64, 96]))
def test_any_set_of_labels_can_be_shown(names: set[str], seed: int, size: int) -> None:
    shares = layout.visible_shares(layout.arrange(sorted(names), dice=Dice(seed), size=size), size=size)
    assert set(shares) == names and min(shares.values()) >= layout.VISIBLE


def test_in_the_cells_of_a_grid_nothing_hides_anything() -> None:
    scene = layout._in_cells(list(LABELS[:25]), dice=Dice("grid"), size=64)
    assert set(layout.visible_shares(scene, size=64).values()) == {1.0}


def test_hidden_objects_are_found_hidden() -> None:
    below = layout._object("mouse", dice=Dice(0), size=16, turn=0)
    above = layout._object("oven", dice=Dice(0), size=40, turn=0)
    assert layout.visible_shares([below, above], size=64)["mouse"] < layout.VISIBLE
    assert layout.visible_shares([above, below], size=64)["mouse"] == 1.0


def test_a_label_is_in_the_pixels(default: Scenes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving out the objects of one label changes the picture where they stood, and nowhere else."""
    y = default.table().y
    for row in (3, 42, 4100):
        whole = default.render(np.array([row]))[0]
        for column in np.flatnonzero(y[row]).tolist():
            boxes = np.zeros((64, 64), np.bool_)

            def without(names, *, dice, size, label=LABELS[column], boxes=boxes):
                scene = layout.arrange(names, dice=dice, size=size)
                for placed in scene:
                    if placed.label == label:
                        here, _ = placed.sprite.windows(size, x=placed.x, y=placed.y)
                        boxes[here] = True
                return [placed for placed in scene if placed.label != label]

            with monkeypatch.context() as patch:
                patch.setattr(scenes, "arrange", without)
                changed = (default.render(np.array([row]))[0] != whole).any(axis=-1)
            assert changed[boxes].sum() >= 20, (row, LABELS[column])
            assert not changed[~boxes].any()


def test_objects_come_at_several_scales_and_places(default: Scenes) -> None:
    found = [p for seed in range(60) for p in layout.arrange(["cat"], dice=Dice(seed), size=64)]
    cats = [placed for placed in found if placed.label == "cat"]
    heights = [placed.sprite.solid.shape[0] for placed in cats]
    assert max(heights) > 1.8 * min(heights)
    assert np.ptp([placed.x for placed in cats]) > 25 and np.ptp([placed.y for placed in cats]) > 25


# The icons


def test_no_two_icons_look_alike() -> None:
    """At 24 pixels every icon differs from each other label's, mirrored or not, in shape or in colour."""
    small = []
    for icon in icons().values():
        cut = sprite(icon, tint=icon.tints[0], size=24, turn=0, flip=False)
        canvas = np.full((24, 24, 3), 128, np.int32)
        height, width = cut.solid.shape
        cut.lay(canvas, x=(24 - width) // 2, y=(24 - height) // 2, gain=np.array([256] * 3, np.int32))
        small.append(canvas)
    pictures = np.stack(small).astype(np.float64)
    for index, picture in enumerate(pictures):
        for version in (picture, picture[:, ::-1]):
            distance = np.abs(pictures - version).mean(axis=(1, 2, 3))
            distance[index] = np.inf
            assert distance.min() > 8, (LABELS[index], LABELS[int(distance.argmin())])


def test_icons_fill_their_canvas_and_tints_are_variants() -> None:
    for icon in icons().values():
        variants = [paint(icon, tint=tint) for tint in icon.tints]
        for picture in variants:
            rows, columns = np.nonzero(picture[..., 3])
            assert max(np.ptp(rows), np.ptp(columns)) > 100, icon.label
        assert len({sha(picture) for picture in variants}) == len(icon.tints), icon.label


def test_a_mirrored_sprite_is_the_sprite_mirrored() -> None:
    icon = icons()["car"]
    straight, mirrored = (sprite(icon, tint="d22", size=20, turn=10, flip=flip) for flip in (False, True))
    assert np.array_equal(straight.rgb[:, ::-1], mirrored.rgb) and straight.area == mirrored.area


def test_sprites_are_cut_off_at_the_border() -> None:
    shape = sprite(icons()["clock"], tint="888", size=20, turn=0, flip=False)
    gain = np.array([256] * 3, np.int32)
    for x, y in ((-30, 0), (70, 70), (-5, 60)):
        picture = np.full((64, 64, 3), 9, np.int32)
        shape.lay(picture, x=x, y=y, gain=gain)
        assert (picture != 9).any() == (x == -5)


# Edges


@pytest.mark.parametrize(
    ("options", "named"), [({"size": 20}, "size is 20"), ({"train": 5}, "train is 5"), ({"test": 0}, "test is 0")]
)
def test_sizes_that_cannot_be_meant_are_refused(options: dict[str, int], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        Scenes(**options)


def test_rows_outside_the_set_are_refused(default: Scenes) -> None:
    for row in (-1, 5000):
        with pytest.raises(UsageError, match="expected 0 to 4999"):
            default.render(np.array([row]))


def test_options_come_as_text() -> None:
    made = open_table("scenes", root=None, options={"train": "200", "test": "100", "seed": "4"})
    assert made.revision == "scenes v1 train=200 test=100 seed=4 size=64"
    with pytest.raises(UsageError, match="'trian'"):
        open_table("scenes", root=None, options={"trian": "200"})


def test_five_thousand_pictures_take_seconds(default: Scenes) -> None:
    default.render(np.arange(300))  # cuts most sprites
    started = time.process_time()
    default.render(np.arange(300, 500))
    # about 0.5 ms each; the limit leaves room for slow and busy machines
    assert (time.process_time() - started) / 200 < 0.005
