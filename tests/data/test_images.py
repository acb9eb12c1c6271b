"""Pictures from folders and caches."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from clbench.data.pictures.augment import flip
from clbench.data.pictures.decode import decode
from clbench.data.pictures.sources import CachedImages, FolderImages, ImageSource, SceneImages, cached
from clbench.data.table import LabelTable
from clbench.errors import DataError
from clbench.files.checked_rows import sums_file
from clbench.files.user_folders import cache_folder
from clbench.train.prepare import content_key


def picture(size: tuple[int, int] = (40, 30), seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for n in range(5):
        picture(seed=n).save(tmp_path / f"{n}.jpg", quality=90)
    return tmp_path


def table_of(names: list[str]) -> LabelTable:
    n = len(names)
    y = np.ones((n, 1), dtype=np.int8)
    return LabelTable(
        name="mine",
        revision="1",
        labels=("thing",),
        ids=np.array([f"i{k}" for k in range(n)]),
        paths=np.array(names),
        y=y,
        member=y == 1,
        split=np.array(["train"] * (n - 1) + ["test"]),
    )


def test_jpegs_decode_to_pillows_pixels(folder: Path) -> None:
    with Image.open(folder / "0.jpg") as image:
        wanted = np.asarray(image.convert("RGB"))
    assert np.array_equal(decode(folder / "0.jpg").permute(1, 2, 0).numpy(), wanted)


@pytest.mark.parametrize(
    ("mode", "suffix"), [("L", "png"), ("RGBA", "png"), ("CMYK", "jpg"), ("P", "gif"), ("L", "jpg")]
)
def test_pictures_that_are_not_rgb_become_rgb(mode: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"odd.{suffix}"
    picture().convert(mode).save(path)
    assert decode(path).shape == (3, 30, 40) and decode(path).dtype == torch.uint8


def test_a_missing_a_damaged_and_a_huge_picture_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "cut.jpg").write_bytes((folder / "0.jpg").read_bytes()[:200])
    (folder / "text.jpg").write_text("not a picture")
    monkeypatch.setattr("clbench.data.pictures.decode.MAX_PIXELS", 1000)
    for name, message in [("gone.jpg", "no such picture"), ("text.jpg", "not readable"), ("0.jpg", "40 x 30 pixels")]:
        with pytest.raises(DataError, match=f"{name}.*{message}"):
            decode(folder / name)
    monkeypatch.setattr("clbench.data.pictures.decode.MAX_PIXELS", 10**8)
    with pytest.raises(DataError, match=r"cut\.jpg"):
        decode(folder / "cut.jpg")


def test_reading_squashes_to_the_size_asked_for_in_the_order_asked_for(folder: Path) -> None:
    source = FolderImages(table_of([f"{n}.jpg" for n in range(5)]), root=folder, size=16)
    both = source.read(np.array([3, 1]))
    assert both.shape == (2, 3, 16, 16) and both.dtype == torch.uint8
    assert torch.equal(both[1], source.read(np.array([1]))[0])


def test_a_picture_over_the_limit_of_pillow_is_a_designed_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture().save(folder / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # of which it warns; it refuses at twice as many
    assert decode(folder / "large.png").shape == (3, 30, 40)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(DataError, match=r"large.png: 1200 pixels; pictures here have at most") as caught:
        decode(folder / "large.png")
    assert "out of the table" in caught.value.hint


def test_a_flip_mirrors_left_and_right_for_odd_seeds() -> None:
    picture = torch.arange(12, dtype=torch.uint8).view(3, 2, 2)
    assert flip(picture, 1)[0].tolist() == [[1, 0], [3, 2]] and flip(picture, 2) is picture


def test_the_cache_holds_the_same_pixels_and_is_made_once(folder: Path) -> None:
    source = FolderImages(table_of([f"{n}.jpg" for n in range(5)]), root=folder, size=16)
    seen: list[tuple[int, int]] = []
    first = cached(source, key=lambda: "k", count=5, wanted=True, progress=lambda done, of: seen.append((done, of)))
    rows = np.array([4, 0, 2])
    assert torch.equal(first.read(rows), source.read(rows)) and seen == [(5, 5)]
    for n in range(5):
        (folder / f"{n}.jpg").unlink()
    again = cached(source, key=lambda: "k", count=5, wanted=True)
    assert isinstance(again, CachedImages) and torch.equal(again.read(rows), first.read(rows))


@pytest.mark.parametrize("file", ["pictures", "checksums"])
def test_a_cache_with_a_blank_picture_is_found_and_made_again(folder: Path, file: str) -> None:
    source = FolderImages(table_of([f"{n}.jpg" for n in range(5)]), root=folder, size=16)

    def kept() -> ImageSource:
        return cached(source, key=lambda: f"blank {file}", count=5, wanted=True)

    first, rows = kept(), np.array([0, 3])
    assert isinstance(first, CachedImages)
    right = first.read(rows)
    path = first.path if file == "pictures" else sums_file(first.path)
    content = bytearray(path.read_bytes())
    content[-8:] = bytes(8)  # of row 4
    path.write_bytes(content)
    if file == "pictures":
        again = pickle.loads(pickle.dumps(first))  # as a loader process has it
        assert torch.equal(again.read(rows), right)
        with pytest.raises(DataError, match=r"row 4 is not as it was written") as caught:
            again.read(np.array([4, 3]))
        assert "same command" in caught.value.hint and not first.path.exists()
    assert torch.equal(kept().read(np.array([4])), source.read(np.array([4])))


def test_concurrent_makers_write_one_cache(folder: Path) -> None:
    source = FolderImages(table_of([f"{n}.jpg" for n in range(5)]), root=folder, size=8)
    made: list[int] = []

    def make() -> None:
        cached(source, key=lambda: "together", count=5, wanted=True, progress=lambda done, of: made.append(done))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [5] and not list((cache_folder() / "images").glob("*.part"))


def test_a_cache_that_does_not_fit_is_refused_when_asked_for_and_left_out_when_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 10

    monkeypatch.setattr("clbench.data.pictures.sources.shutil.disk_usage", lambda _: Usage)
    source = FolderImages(table_of(["0.jpg", "1.jpg"]), root=folder, size=8)
    with pytest.raises(DataError, match="GB are free"):
        cached(source, key=lambda: "big", count=2, wanted=True)
    assert cached(source, key=lambda: "big", count=2, wanted=None) is source
    assert cached(source, key=lambda: "big", count=2, wanted=False) is source


def test_a_failed_filling_leaves_nothing_behind(folder: Path) -> None:
    source = FolderImages(table_of(["0.jpg", "gone.jpg"]), root=folder, size=8)
    with pytest.raises(DataError, match=r"gone\.jpg"):
        cached(source, key=lambda: "broken", count=2, wanted=True)
    assert not list((cache_folder() / "images").glob("broken*.part"))
    assert not list((cache_folder() / "images").glob("broken*.u8"))


def test_what_a_killed_process_left_is_removed(folder: Path) -> None:
    source = FolderImages(table_of(["0.jpg", "1.jpg"]), root=folder, size=8)
    images = cache_folder() / "images"
    images.mkdir(parents=True, exist_ok=True)
    left = images / "mine[1]-8-v1.4242.part"
    other = images / "other-8-v1.4242.part"
    for partial in (left, other):
        partial.write_bytes(b"half")
    cached(source, key=lambda: "mine[1]", count=2, wanted=True)
    assert not left.exists() and other.exists(), "another cache may be in the making"


def test_a_replaced_file_makes_another_cache(folder: Path) -> None:
    table = table_of([f"{n}.jpg" for n in range(5)])
    source = FolderImages(table, root=folder, size=16)
    before = content_key(source, table)
    assert content_key(source, table) == before
    picture(seed=99).save(folder / "2.jpg", quality=90)
    assert content_key(source, table) != before


def test_a_generator_that_draws_differently_makes_another_cache() -> None:
    table = table_of(["a.png", "b.png"])

    def drawn(value: int) -> SceneImages:
        return SceneImages(lambda rows: np.full((len(rows), 8, 8, 3), value, dtype=np.uint8), size=8, native=8)

    assert content_key(drawn(1), table) == content_key(drawn(1), table) != content_key(drawn(2), table)
