"""Labels by their text: zero-shot, a probe and a ridge around vectors from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from tiny_scenarios import finished, planned, scenario

from clbench.errors import DataError, UsageError
from clbench.metrics.ap import average_precisions
from clbench.nn.closed_form.ridge import RidgeSums
from clbench.nn.text.head import TextHead
from clbench.nn.text.table import file_digest, read_text_table

LABELS = ("person", "chair", "car", "cup", "bottle", "dining table")
WIDTH = 128
RNG = np.random.default_rng(0)
VECTORS = RNG.standard_normal((6, WIDTH)).astype(np.float32)


def table(folder: Path, **arrays: npt.NDArray[Any]) -> Path:
    path = folder / "texts.npz"
    np.savez(path, **({"names": np.array(LABELS), "vectors": VECTORS} | arrays))
    return path


def head(rows: torch.Tensor, **options: Any) -> TextHead:
    made = TextHead(
        **({"width": rows.shape[1], "projection": None, "pooling": "linear", "scale": 10.0, "offset": 0.2,
            "trainable": False} | options)
    )  # fmt: skip
    made.grow(len(rows))
    made.set_weights(rows.T)
    return made


# ---------------------------------------------------------------------- scores


def images(noise: float, *, count: int = 60) -> tuple[torch.Tensor, npt.NDArray[np.int8], torch.Tensor]:
    """Images [n, 16, 1, 1] that are the sum of their labels' orthogonal texts, labels [n, 6], texts [6, 16]."""
    texts = torch.linalg.qr(torch.from_numpy(RNG.standard_normal((16, 6))).float()).Q.T
    y = (RNG.random((count, 6)) < 0.4).astype(np.int8)
    y[np.arange(6), np.arange(6)] = 1
    f = torch.from_numpy(y).float() @ texts + noise * torch.from_numpy(RNG.standard_normal((count, 16))).float()
    return f[:, :, None, None], y, texts


def test_images_made_of_their_texts_are_ranked_without_a_mistake_and_noise_makes_some():
    for noise, perfect in ((0.0, True), (3.0, False)):
        f, y, texts = images(noise)
        ap = average_precisions(head(texts)(f).numpy(), y)
        assert bool((ap == 1).all()) is perfect


def test_scale_and_offset_move_no_average_precision():
    f, y, texts = images(1.0)
    scores = [head(texts, scale=k, offset=b)(f).sigmoid().numpy() for k, b in ((10.0, 0.2), (3.0, 0.0), (5.0, -0.5))]
    first, *others = (average_precisions(s.astype(np.float64), y) for s in scores)
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_a_projection_leads_from_the_towers_features_to_the_texts():
    f, _, texts = images(1.0)
    onto = torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
    wanted = torch.nn.functional.normalize(f[:, :, 0, 0] @ onto.T, dim=1) @ texts[:, :5].T
    torch.testing.assert_close(head(texts[:, :5], width=16, projection=onto, scale=1.0, offset=0.0)(f), wanted)


def test_the_ridge_lies_between_the_texts_and_the_ridge_without_them():
    phi, y = torch.from_numpy(RNG.standard_normal((40, 8))), torch.from_numpy((RNG.random((40, 3)) < 0.4) * 1.0)
    prior = torch.from_numpy(RNG.standard_normal((8, 3)))

    def solved(targets: torch.Tensor, gamma: float, **more: Any) -> torch.Tensor:
        sums = RidgeSums(8)
        sums.widen(3)
        sums.add(phi, targets)
        return sums.solve(gamma, **more)

    for gamma in (0.1, 10.0):
        rest = prior + solved(y - phi @ prior, gamma)
        torch.testing.assert_close(solved(y, gamma, prior=prior), rest, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(solved(y, 1e12, prior=prior), prior, rtol=0, atol=1e-8)
    torch.testing.assert_close(solved(y, 1e-9, prior=prior), solved(y, 1e-9), rtol=0, atol=1e-8)


# ---------------------------------------------------------------------- runs


def ap_by_label(record: Any) -> dict[str, list[float]]:
    return {label: [row[i] for row in record.ap.fixed] for i, label in enumerate(record.labels)}


def test_zero_shot_forgets_nothing_whatever_the_order_of_labels_and_the_record_knows_the_file(tmp_path: Path):
    path = table(tmp_path)
    sets = (f"clip.table={path}", "clip.fit=none")
    run, record = finished(planned(scenario(tmp_path, images=100), "clip", *sets), tmp_path)
    assert record.summary["forgetting"] == 0.0 and [cost.steps for cost in record.costs] == [0, 0, 0]
    assert record.strategy.fields["table_sha256"] == file_digest(str(path)) and "random-text" not in record.marks
    assert [cost.state_bytes for cost in record.costs] == [4 * WIDTH * seen for seen in (2, 4, 6)]
    assert not any(p.requires_grad for p in run.strategy.net.parameters())
    turned = {"sessions": [list(LABELS[4:]), list(LABELS[2:4]), list(LABELS[1::-1])]}
    (tmp_path / "turned").mkdir()
    _, other = finished(
        planned(scenario(tmp_path / "turned", images=100, labels=turned), "clip", *sets), tmp_path / "turned"
    )
    ours, theirs = ap_by_label(record), ap_by_label(other)
    assert all(ours[label][-1] == theirs[label][-1] for label in LABELS)


def test_an_immense_gamma_is_zero_shot_and_ignoring_the_unknown_keeps_old_scores_to_the_bit(tmp_path: Path):
    path = scenario(tmp_path, visible="new", images=100)
    told = f"clip.table={table(tmp_path)}"
    _, without = finished(planned(path, "clip", told, "clip.fit=none"), tmp_path / "a")
    _, near = finished(planned(path, "clip", told, "clip.gamma=1e9"), tmp_path / "b")
    assert ap_by_label(near) == ap_by_label(without)
    first: dict[str, torch.Tensor] = {}

    def note(run: Any) -> None:
        first["weight"] = run.strategy.net.head.weight().clone()

    run, apart = finished(planned(path, "clip", told, "clip.unknown=ignore"), tmp_path / "c", after_first=note)
    assert torch.equal(run.strategy.net.head.weight()[:2], first["weight"]) and apart.summary["forgetting"] == 0.0
    assert ap_by_label(apart) != ap_by_label(without)


def test_a_probe_begins_as_zero_shot_and_trains_the_rows_alone(tmp_path: Path):
    path = scenario(tmp_path, images=100)
    told = f"clip.table={table(tmp_path)}"
    early: dict[str, torch.Tensor] = {}

    def note(run: Any) -> None:
        early.update({n: v.clone() for n, v in run.strategy.net.backbone.state_dict().items()})

    run, record = finished(planned(path, "clip", told, "clip.fit=probe"), tmp_path, after_first=note)
    assert [cost.steps > 0 for cost in record.costs] == [True] * 3
    assert all(torch.equal(early[name], value) for name, value in run.strategy.net.backbone.state_dict().items())
    assert not torch.equal(run.strategy.net.head.weight(), run.strategy.texts)
    still = scenario(tmp_path, images=100, train={"lr": 0.0, "weight_decay": 0.0})
    _, unmoved = finished(planned(still, "clip", told, "clip.fit=probe"), tmp_path / "still")
    _, zero = finished(planned(still, "clip", told, "clip.fit=none"), tmp_path / "still")
    assert [score.sha256 for score in unmoved.scores] == [score.sha256 for score in zero.scores]


# ---------------------------------------------------------------------- what cannot be


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"names": np.array(["person", "chairs", "car", "cup", "bottle", "table"])},
         r"no vector for 2 of 6 labels: .*chair"),
        ({"vectors": VECTORS[:, :64]}, "made for image features of width 64, the backbone gives 128"),
        ({"projection": VECTORS[:5]}, "made for image features of width 5, the backbone gives 128"),
        ({"vectors": VECTORS[:5]}, r"vectors is float32 of shape \(5, 128\), expected floating-point numbers, 6 x any"),
        ({"vectors": VECTORS.astype(int)}, "vectors is int64"),
        ({"names": np.arange(6)}, "names is int64"),
        ({"names": np.array(["person"] * 6)}, "'person' has two vectors"),
        ({"vectors": VECTORS * np.array([[1], [0], [1], [1], [1], [1]])}, "the vector of 'chair' is zero"),
        ({"vectors": np.where(np.eye(6, WIDTH) > 0, np.nan, VECTORS)}, "vectors holds values that are no numbers"),
        ({"names": np.array(LABELS, dtype=object)}, "is not an .npz file of plain arrays"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_meant_is_an_error_that_says_why(
    arrays: dict[str, npt.NDArray[Any]], words: str, tmp_path: Path
):
    sets = (f"clip.table={table(tmp_path, **arrays)}", "clip.fit=none")
    with pytest.raises((DataError, UsageError), match=words):
        finished(planned(scenario(tmp_path), "clip", *sets), tmp_path)


def test_a_file_that_is_missing_cut_short_or_another_one_is_named(tmp_path: Path):
    path = scenario(tmp_path)
    with pytest.raises(DataError, match=r"gone.npz cannot be read"):
        planned(path, "clip", f"clip.table={tmp_path / 'gone.npz'}")
    with pytest.raises(UsageError, match=r"clip.table_sha256 is 00, but"):
        planned(path, "clip", f"clip.table={table(tmp_path)}", "clip.table_sha256='00'")
    whole = table(tmp_path).read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"names"):
        (tmp_path / "cut.npz").write_bytes(content)
        with pytest.raises(DataError, match=r"cut.npz is not an .npz file of plain arrays"):
            read_text_table(str(tmp_path / "cut.npz"))
    np.savez(tmp_path / "half.npz", names=np.array(LABELS))
    with pytest.raises(DataError, match=r"half.npz: it holds no array 'vectors'"):
        read_text_table(str(tmp_path / "half.npz"))


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (("head=queries",), "head 'queries' gives no single feature; clip needs one of linear, maxpool"),
        (("clip.gamma=0",), "clip.gamma is 0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(sets: tuple[str, ...], words: str, tmp_path: Path):
    with pytest.raises(UsageError, match=words):
        finished(planned(scenario(tmp_path), "clip", *sets), tmp_path)


def test_without_a_file_the_row_says_that_no_language_was_in_it(tmp_path: Path):
    _, record = finished(planned(scenario(tmp_path), "clip", "clip.fit=none"), tmp_path)
    assert "random-text" in record.marks and record.strategy.fields["table_sha256"] == ""
