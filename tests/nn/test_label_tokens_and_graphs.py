"""Heads whose labels or sessions are tokens or nodes, and what is believed of hidden labels: exact statements."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from clbench.errors import UsageError
from clbench.nn.believed.recall import RecallThresholds, binary_entropy
from clbench.nn.believed.unseen import balance, unknown_features
from clbench.nn.heads.graphs.cigcn import CIGCNHead
from clbench.nn.heads.graphs.correlation import adjacency, conditional
from clbench.nn.heads.graphs.gcn import GCNHead, label_vectors
from clbench.nn.heads.graphs.growing_matrix import GrowingMatrix
from clbench.nn.heads.tokens.ica import ICAHead
from clbench.nn.heads.tokens.joint import JointHead
from clbench.nn.rehearsal.label_lists import present

MAPS = torch.randn(3, 12, 4, 4, generator=torch.Generator().manual_seed(1))


def grown(head: torch.nn.Module, *blocks: int) -> torch.nn.Module:
    torch.manual_seed(2)
    for k in blocks:
        head.grow(k)  # type: ignore[operator]
    return head.eval().requires_grad_(False)


def shuffled(maps: torch.Tensor) -> torch.Tensor:
    order = torch.randperm(16, generator=torch.Generator().manual_seed(3))
    return maps.flatten(2)[:, :, order].unflatten(2, (4, 4))


# ---------------------------------------------------------------------- ICA


def test_a_session_more_leaves_the_logits_of_earlier_ones_alone_to_the_bit():
    head = grown(ICAHead(width=12, d=16, heads=4), 3)
    before = head(MAPS)
    head.grow(2)
    assert torch.equal(head(MAPS)[:, :3], before)


def test_labels_of_a_session_share_its_token_and_no_other_session_enters():
    head = grown(ICAHead(width=12, d=16, heads=4), 2, 3)
    features = head.label_features(MAPS)
    assert torch.equal(features[:, 0], features[:, 1]) and torch.equal(features[:, 2], features[:, 4])
    assert not torch.equal(features[:, 1], features[:, 2])
    tokens = head.session_tokens(MAPS)
    assert tokens.shape == (3, 2, 16)
    head.retention.blocks[1].data += 1
    assert torch.equal(head.session_tokens(MAPS)[:, 0], tokens[:, 0])


def test_without_positions_the_order_of_an_image_s_parts_does_not_matter():
    plain = grown(ICAHead(width=12, d=16, heads=4, positional="none").double(), 2, 2)
    assert float((plain(MAPS.double()) - plain(shuffled(MAPS.double()))).abs().max()) < 1e-14
    placed = grown(ICAHead(width=12, d=16, heads=4), 2)
    assert float((placed(MAPS) - placed(shuffled(MAPS))).abs().max()) > 1e-5


def test_the_only_query_is_the_transfer_token_over_itself_the_session_and_the_image():
    """The attention of one head, written out."""
    head = grown(ICAHead(width=12, d=8, heads=1, positional="none").double(), 2)
    x = head.project(MAPS.double().flatten(2).transpose(1, 2))
    sequence = torch.cat([head.transfer.expand(3, 1, -1), head.retention().expand(3, -1, -1), x], dim=1)
    normed = head.norm(sequence)
    weights = (head.q(normed[:, :1]) @ head.k(normed).transpose(1, 2) / math.sqrt(8)).softmax(-1)
    e = head.transfer + head.out(weights @ head.v(normed))
    e = e + head.mlp(head.mlp_norm(e))
    assert weights.shape == (3, 1, 18)
    assert float((head.session_tokens(MAPS.double()) - e).abs().max()) < 1e-12


# ---------------------------------------------------------------------- CI-GCN


def test_growing_a_matrix_keeps_its_cells():
    matrix = GrowingMatrix()
    matrix.grow(2)
    before = matrix().clone()
    matrix.grow(3)
    assert matrix().shape == (5, 5) and torch.equal(matrix()[:2, :2], before) and matrix()[:2, 2:].abs().sum() > 0
    causal = GrowingMatrix(old_sees_new=False)
    causal.grow(2)
    causal.grow(3)
    assert causal()[:2, 2:].abs().sum() == 0 and causal()[2:, :2].abs().sum() > 0


def test_one_branch_is_the_largest_response_and_the_other_reads_the_nodes():
    head = grown(CIGCNHead(width=12, d=8), 3, 2)
    cam = torch.einsum("lc,bcn->bln", head.cam(), MAPS.flatten(2))
    attention = cam.softmax(-1)
    assert torch.allclose(attention.sum(-1), torch.ones(3, 5))
    nodes = attention @ head.node(MAPS.flatten(2).transpose(1, 2))
    assert torch.allclose(head.nodes(MAPS.flatten(2).transpose(1, 2), cam), nodes, atol=1e-6)
    second = ((nodes + head.passed_on(nodes)) * head.weight()).sum(-1) + head.bias()
    assert torch.allclose(head(MAPS), (cam.amax(-1) + second) / 2, atol=1e-5)


def test_at_one_position_without_graphs_it_is_two_linear_heads():
    head = grown(CIGCNHead(width=12, d=8), 2)
    for linear in (head.first, head.second):
        torch.nn.init.zeros_(linear.weight)
        torch.nn.init.zeros_(linear.bias)
    point = MAPS[:, :, :1, :1]
    x = point[:, :, 0, 0]
    wanted = (x @ head.cam().T + head.node(x) @ head.weight().T + head.bias()) / 2
    assert torch.allclose(head(point), wanted, atol=1e-6)


def test_what_arrives_moves_old_logits_only_where_old_labels_see_it():
    for sees in (True, False):
        head = grown(CIGCNHead(width=12, d=8, old_sees_new=sees), 3)
        before = head(MAPS)
        head.grow(2)
        moved = (head(MAPS)[:, :3] - before).abs().max().item()
        assert (moved > 1e-4) if sees else moved < 1e-6


# ---------------------------------------------------------------------- joint tokens


def test_label_tokens_that_only_they_see_keep_old_logits_to_the_bit():
    head = grown(JointHead(width=12, d=16, heads=4, layers=2, mid=False, isolated=True), 3)
    before = head(MAPS)
    head.grow(2)
    assert torch.equal(head(MAPS)[:, :3], before)
    open_ = grown(JointHead(width=12, d=16, heads=4, layers=2, mid=False), 3)
    before = open_(MAPS)
    open_.grow(2)
    assert (open_(MAPS)[:, :3] - before).abs().max().item() > 1e-4


def test_middle_maps_are_added_and_a_backbone_of_one_stage_is_refused_in_words():
    head = JointHead(width=12, d=16, heads=4)
    with pytest.raises(UsageError, match="the backbone has one stage"):
        head.attach([(12, 4, 4)])
    head.attach([(6, 8, 8), (12, 4, 4)])
    grown(head, 2)
    middle = torch.randn(3, 6, 8, 8)
    f = head.project(MAPS.flatten(2).transpose(1, 2))
    pooled = torch.nn.functional.adaptive_avg_pool2d(middle, 4).flatten(2).transpose(1, 2)
    assert torch.allclose(head.positions([middle, MAPS]), f + head.early(pooled) + head.deep(f), atol=1e-5)


# ---------------------------------------------------------------------- label graph of AGCN


def test_conditional_probabilities_by_hand():
    """Images {a}, {a, b}, {b}, {a, b}."""
    carried = torch.tensor([[1.0, 0], [1, 1], [0, 1], [1, 1]])
    m = conditional(present(carried), [], torch.zeros(0, 0, dtype=torch.float64))
    assert m.tolist() == [[0.0, pytest.approx(2 / 3)], [pytest.approx(2 / 3), 0.0]]


def test_blocks_of_old_and_new_labels_obey_bayes_and_are_probabilities():
    rng = torch.Generator().manual_seed(0)
    carried = (torch.rand(50, 3, generator=rng) < 0.4).double()
    believed = torch.rand(50, 2, generator=rng).double()
    before = torch.tensor([[0.0, 0.3], [0.6, 0.0]], dtype=torch.float64)
    m = conditional(present(carried), believed.split(16), before)
    p = torch.cat([believed, carried], dim=1).mean(0)
    assert torch.equal(m[:2, :2], before) and m.min() >= 0 and m.max() <= 1
    joint = m * p
    assert torch.allclose(joint[2:, :2], joint[:2, 2:].T, atol=1e-15)
    halved = conditional(present(carried), [believed], before, half=True)
    assert torch.allclose(halved[2:, :2], m[2:, :2] / 2) and torch.equal(halved[:2, 2:], m[:2, 2:])
    order = torch.randperm(50, generator=rng)
    assert torch.allclose(conditional(present(carried[order]), [believed[order]], before), m, atol=1e-14)


@pytest.mark.parametrize("half", [False, True])
def test_the_graph_of_lists_is_the_product_of_matrices(half: bool):
    rng = torch.Generator().manual_seed(4)
    carried = (torch.rand(700, 30, generator=rng) < 0.1).double()
    believed = torch.rand(700, 20, generator=rng)
    before = torch.rand(20, 20, generator=rng).fill_diagonal_(0.0)
    both = torch.cat([believed.double(), carried], dim=1)
    wanted = both.T @ both / both.sum(0).clamp(min=1e-12)
    wanted[20:, :20] *= 0.5 if half else 1.0
    wanted[:20, :20] = before
    assert torch.equal(
        conditional(present(carried), believed.split(16), before, half=half), wanted.fill_diagonal_(0.0).float()
    )


def test_a_label_without_images_has_zeros_and_the_graph_stays_finite():
    carried = torch.tensor([[1.0, 0], [1, 0]])
    m = conditional(present(carried), [], torch.zeros(0, 0))
    graph = adjacency(m, new=2)
    assert m.abs().sum() == 0 and torch.equal(graph, torch.eye(2))


def test_the_graph_is_binarised_scaled_and_normalised():
    m = torch.tensor([[0.0, 0.5, 0.35], [0.2, 0.0, 0.2], [0.35, 0.1, 0.0]])
    a = torch.tensor([[1.0, 0.25, 0.125], [0.0, 1.0, 0.0], [0.25, 0.0, 1.0]])
    a[0, 2] = 0.25
    root = a.sum(1).rsqrt()
    assert torch.allclose(adjacency(m, new=1), root[:, None] * a.T * root, atol=1e-7)
    assert torch.equal(adjacency((m > 0.3).float(), new=1), adjacency((m > 0.3).float() * 0.9, new=1))


def test_without_edges_labels_are_told_by_their_vectors_alone():
    head = grown(GCNHead(width=12, vectors=10, hidden=16), 3)
    before = head(MAPS)
    e = head.vectors() / 10**0.5
    rows = torch.nn.functional.leaky_relu(e @ head.first.weight.T, 0.2) @ head.second.weight.T
    assert torch.allclose(before, MAPS.mean((2, 3)) @ rows.T, atol=1e-6)
    head.grow(2)
    assert torch.allclose(head(MAPS)[:, :3], before, atol=1e-6)
    one, other = label_vectors(["cup", "car"], width=5), label_vectors(["car"], width=5)
    assert torch.equal(one[1:], other)


# ---------------------------------------------------------------------- hidden and unseen labels


def test_thresholds_are_means_over_positives_and_reduce_to_a_fixed_one():
    rule = RecallThresholds()
    rule.widen(3)
    p = torch.tensor([[0.6, 0.2, 0.5], [0.8, 0.4, 0.5]], dtype=torch.float64)
    rule.update(p, torch.tensor([[True, True, False], [True, False, False]]))
    assert rule.eps.tolist() == pytest.approx([0.7, 0.2, 0.8])
    entropy = binary_entropy(p[:, 0]).mean()
    assert rule.tau.tolist() == pytest.approx([float(entropy), float(binary_entropy(p[0, 1])), math.inf])
    assert rule.present(torch.tensor([[0.75, 0.2, 0.81], [0.71, 0.5, 0.79]], dtype=torch.float64)).tolist() == [
        [True, True, True],
        [False, False, False],
    ]
    rule.eps[:], rule.tau[:] = 0.3, math.log(2)
    scores = torch.rand(40, 3)
    assert torch.equal(rule.present(scores), scores.double() >= 0.3)
    other = RecallThresholds()
    other.load(rule.state())
    assert torch.equal(other.eps, rule.eps) and torch.equal(other.tau, rule.tau)


def test_psi_averages_to_one_in_every_group_and_is_one_for_new_labels():
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(30, 7, generator=rng)
    y = (torch.rand(30, 7, generator=rng) < 0.4).float()
    y[:5, 1] = torch.nan
    psi = balance(logits, y, sessions=[2, 3, 2])
    assert torch.equal(psi[:, 5:], torch.ones(30, 2)) and torch.equal(psi[:5, 1], torch.ones(5))
    for columns in (slice(0, 2), slice(2, 5)):
        for value in (0.0, 1.0):
            assert psi[:, columns][y[:, columns] == value].mean().item() == pytest.approx(1.0, abs=1e-6)
    assert torch.allclose(balance(torch.zeros(30, 7), y, sessions=[2, 3, 2]), torch.ones(30, 7))


def test_an_unknown_feature_mixes_absent_labels_and_needs_a_present_one():
    own = torch.zeros(3, 3, 2)
    own[:, 0], own[:, 1], own[:, 2] = torch.tensor([1.0, 0]), torch.tensor([1.0, 1.0]), torch.tensor([-1.0, 0])
    y = torch.tensor([[1.0, 0, 0], [0, 0, 0], [1, torch.nan, 0]])
    mixed = unknown_features(own, y, rng=np.random.default_rng(0))
    # the opposite direction counts nothing; without a present or a similar absent label an image is left out
    assert torch.allclose(mixed, torch.tensor([[1.0, 1.0]]))
    plain = unknown_features(own, y, rng=np.random.default_rng(0), similar=False)
    assert plain.shape == (2, 2) and torch.allclose(plain[1], torch.tensor([-1.0, 0.0]))
    share = (plain[0, 0] + 1) / 2
    assert torch.allclose(plain[0], share * own[0, 1] + (1 - share) * own[0, 2])
