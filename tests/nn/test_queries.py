"""The statements of the DLFL paper that can be checked exactly, and its head."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from clbench.errors import UsageError
from clbench.nn.heads.angles import shared_feature_angle
from clbench.nn.heads.by_name import build_head
from clbench.nn.heads.pooled import LinearHead
from clbench.nn.heads.positions import sine
from clbench.nn.heads.queries import QueriesHead
from clbench.nn.losses import bce

VARIANTS = [
    {"stages": 1, "residual": False},
    {"stages": 2, "residual": False},
    {"stages": 2, "residual": True},
    {"stages": 3, "residual": True, "ffn": 2},
    {"stages": 2, "residual": False, "ffn": 4},
]


def a_head(*blocks: int, seed: int = 0, **options) -> QueriesHead:
    torch.manual_seed(seed)
    head = QueriesHead(width=12, **{"d": 16, "heads": 4, **options})
    for k in blocks:
        head.grow(k)
    return head.double().eval()


def a_map(batch: int = 3, h: int = 4, w: int = 5) -> torch.Tensor:
    return torch.randn(batch, 12, h, w, generator=torch.Generator().manual_seed(1)).double()


def permuted(head: QueriesHead, order: torch.Tensor, **options) -> QueriesHead:
    other = a_head(len(order), **options)
    other.load_state_dict(head.state_dict())
    with torch.no_grad():
        for table in other.tables():
            table.blocks[0].copy_(table.blocks[0][order])
    return other


# ---------------------------------------------------------------- one feature for multiple labels


@pytest.mark.parametrize("targets", ["all positive", "mixed"])
@pytest.mark.parametrize("m", [2, 3, 5, 10, 26])
def test_the_best_shared_feature_is_equally_far_from_all_its_classifiers(m, targets):
    """Orthonormal classifiers, one feature of norm r: cos = s_j / sqrt(M), loss = M log(1 + exp(-r / sqrt(M)))."""
    g = torch.Generator().manual_seed(m)
    weight = torch.linalg.qr(torch.randn(m + 3, m, generator=g).double()).Q.T
    signs = torch.ones(m).double()
    if targets == "mixed":
        signs[::2] = -1
    r = 4.0
    direction = torch.randn(m + 3, generator=g).double().requires_grad_()
    optimiser = torch.optim.LBFGS([direction], lr=0.5, max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-15,
                                  line_search_fn="strong_wolfe")  # fmt: skip

    def objective() -> torch.Tensor:
        logits = r * functional.normalize(direction, dim=0) @ weight.T
        return functional.softplus(-signs * logits).sum()

    def step() -> torch.Tensor:
        optimiser.zero_grad()
        loss = objective()
        loss.backward()
        return loss

    for _ in range(5):
        optimiser.step(step)
    with torch.no_grad():
        cosines = weight @ functional.normalize(direction, dim=0)
        angles = torch.rad2deg(torch.arccos(signs * cosines))
        assert objective().item() == pytest.approx(m * math.log1p(math.exp(-r / math.sqrt(m))), abs=1e-6)
    expected = math.degrees(math.acos(1 / math.sqrt(m)))
    assert (angles - expected).abs().max() < 1e-3


def test_the_angles_are_those_of_the_arccosine():
    table = {2: 45.000, 3: 54.736, 5: 63.435, 10: 71.565, 20: 77.079, 26: 78.690, 35: 80.269, 51: 81.951, 70: 83.135,
             80: 83.581, 81: 83.621, 500: 87.437}  # fmt: skip
    for m, degrees in table.items():
        assert shared_feature_angle(m) == pytest.approx(degrees, abs=5e-4)


@pytest.mark.parametrize("m", [2, 10, 26])
def test_own_features_reach_what_no_shared_feature_can(m):
    """A feature of length r per label: each lies on its own classifier, and the loss is M log(1 + exp(-r))."""
    g = torch.Generator().manual_seed(m)
    weight = torch.linalg.qr(torch.randn(m + 3, m, generator=g).double()).Q.T
    signs = torch.where(torch.arange(m) % 2 > 0, 1.0, -1.0).double()
    directions, r = torch.randn(m, m + 3, generator=g).double().requires_grad_(), 4.0
    optimiser = torch.optim.LBFGS([directions], max_iter=500, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def step() -> torch.Tensor:
        optimiser.zero_grad()
        loss = functional.softplus(-signs * r * (functional.normalize(directions, dim=1) * weight).sum(1)).sum()
        loss.backward()
        return loss

    for _ in range(5):
        optimiser.step(step)
    cosines = signs * (functional.normalize(directions, dim=1) * weight).sum(1)
    assert (cosines - 1).abs().max() < 1e-9
    assert step().item() == pytest.approx(m * math.log1p(math.exp(-r)), abs=1e-6)
    assert step().item() < m * math.log1p(math.exp(-r / math.sqrt(m))) / 2


@pytest.mark.parametrize("seed", range(5))
def test_no_feature_can_be_near_many_classifiers(seed):
    """Bessel: the squared cosines to unit classifiers sum to at most the largest eigenvalue of their Gram matrix."""
    g = torch.Generator().manual_seed(seed)
    weight = functional.normalize(torch.randn(9, 7, generator=g).double(), dim=1)
    features = functional.normalize(torch.randn(200, 7, generator=g).double(), dim=1)
    largest = torch.linalg.eigvalsh(weight @ weight.T).max()
    assert ((features @ weight.T).square().sum(1) <= largest + 1e-10).all()
    best = torch.linalg.eigh(weight.T @ weight).eigenvectors[:, -1]
    assert (weight @ best).square().sum().item() == pytest.approx(largest.item(), abs=1e-10)


def test_all_labels_pull_at_the_shared_feature_and_each_at_its_own():
    g = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(6, 8, generator=g).double(), torch.randn(6, generator=g).double()
    targets = (torch.rand(1, 6, generator=g) < 0.5).double()
    shared = torch.randn(1, 1, 8, generator=g).double().requires_grad_()
    own = shared.detach().expand(1, 6, 8).clone().requires_grad_()
    for features in (shared, own):
        logits = (features * weight).sum(-1) + bias
        functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum").backward()
    pull = ((shared.detach() * weight).sum(-1) + bias).sigmoid() - targets
    torch.testing.assert_close(shared.grad[0, 0], pull[0] @ weight)
    torch.testing.assert_close(own.grad[0], pull[0][:, None] * weight)


# ---------------------------------------------------------------- one feature for one label


@pytest.mark.parametrize("options", VARIANTS)
def test_attention_rows_are_distributions_over_positions(options):
    head = a_head(3, 2, **options)
    maps = head.attentions(a_map())
    assert maps.shape == (options["stages"], 3, 4, 5, 20)
    assert (maps >= 0).all()
    assert (maps.sum(-1) - 1).abs().max() < 1e-15
    assert torch.equal(head.attention(a_map()), maps[-1])


@pytest.mark.parametrize("options", VARIANTS)
def test_asking_for_the_maps_does_not_change_the_features(options):
    head = a_head(5, **options)
    plain, maps = head.decode(a_map())
    asked, _ = head.decode(a_map(), maps=True)
    assert maps == []
    torch.testing.assert_close(plain, asked, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("options", VARIANTS)
def test_permuting_labels_permutes_logits(options):
    head, order = a_head(6, **options), torch.tensor([4, 2, 0, 5, 1, 3])
    torch.testing.assert_close(permuted(head, order, **options)(a_map()), head(a_map())[:, order], rtol=0, atol=2e-15)


@pytest.mark.parametrize("options", VARIANTS)
def test_permuting_positions_permutes_attention_and_leaves_logits(options):
    head = a_head(4, **options)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(2))
    mixed = a_map().flatten(2)[:, :, order].unflatten(2, (4, 5))
    torch.testing.assert_close(head(mixed), head(a_map()), rtol=0, atol=2e-15)
    torch.testing.assert_close(head.attention(mixed), head.attention(a_map())[..., order], rtol=0, atol=1e-15)


def test_positions_matter_with_an_encoding():
    head = a_head(4, positional="sine")
    order = torch.randperm(20, generator=torch.Generator().manual_seed(2))
    mixed = a_map().flatten(2)[:, :, order].unflatten(2, (4, 5))
    assert (head(mixed) - head(a_map())).abs().max() > 1e-3


@pytest.mark.parametrize("options", VARIANTS)
def test_the_loss_of_a_label_moves_only_its_own_rows_and_the_shared_maps(options):
    head = a_head(1, 1, 1, 1, **options)
    head(a_map())[:, 2].square().sum().backward()
    for table in head.tables():
        for label, block in enumerate(table.blocks):
            if label == 2:
                assert (block.grad != 0).any()
            else:
                assert (block.grad == 0).all()
    for name, parameter in head.named_parameters():
        # what is added to all scores of a query cancels in the softmax
        if ".blocks." not in name and not name.endswith("attention.k.bias"):
            assert (parameter.grad != 0).any(), name


@pytest.mark.parametrize("options", VARIANTS)
def test_growing_leaves_old_logits_and_attention(options):
    head = a_head(4, **options)
    logits, attention = head(a_map()), head.attention(a_map())
    head.grow(2)
    head.double()
    grown = head(a_map())
    torch.testing.assert_close(grown[:, :4], logits, rtol=0, atol=2e-15)
    torch.testing.assert_close(head.attention(a_map())[:, :, :4], attention, rtol=0, atol=1e-15)
    # what may be left is the order of sums inside a matrix product: no old logit depends on a new row at all
    new = [table.blocks[1] for table in head.tables()]
    assert all((gradient == 0).all() for gradient in torch.autograd.grad(grown[:, :4].sum(), new))
    with torch.no_grad():
        for block in new:
            block.fill_(math.nan)
    assert torch.equal(head(a_map())[:, :4], grown[:, :4])
    assert torch.isnan(head(a_map())[:, 4:]).all()


SGD, ADAM, ADAMW = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW
OPTIMISERS = {  # optimiser, whether it has taken a step on the old labels before, whether old rows drift
    "plain": (lambda p: SGD(p, lr=0.1), False, False),
    "momentum": (lambda p: SGD(p, lr=0.1, momentum=0.9), False, False),
    "kept momentum": (lambda p: SGD(p, lr=0.1, momentum=0.9), True, True),
    "decay": (lambda p: SGD(p, lr=0.1, weight_decay=0.01), False, True),
    "Adam": (lambda p: ADAM(p, lr=0.01), False, False),
    "kept Adam": (lambda p: ADAM(p, lr=0.01), True, True),
    "AdamW": (lambda p: ADAMW(p, lr=0.01, weight_decay=0.1), False, True),
    "kept AdamW": (lambda p: ADAMW(p, lr=0.01, weight_decay=0.1), True, True),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_isolated_row_drifts_under_kept_moments_and_decay_unless_it_is_frozen(name):
    """Zero gradient is not zero movement: the reason why freezing is requires_grad and optimisers begin afresh."""
    make, kept, drifts = OPTIMISERS[name]
    moved = {}
    for freeze in (False, True):
        head = a_head(3, 2)
        optimiser = make(head.parameters())
        if kept:
            head(a_map())[:, :3].square().sum().backward()
            optimiser.step()
            optimiser.zero_grad(set_to_none=False)
        if freeze:
            head.freeze_old()
            optimiser = make([p for p in head.parameters() if p.requires_grad])
        before = [table.blocks[0].detach().clone() for table in head.tables()]
        head(a_map())[:, 3:].square().sum().backward()
        optimiser.step()
        after = [table.blocks[0] for table in head.tables()]
        moved[freeze] = max((a - b).abs().max().item() for a, b in zip(after, before, strict=True))
    assert (moved[False] > 1e-4) if drifts else (moved[False] == 0)
    assert moved[True] == 0


@pytest.mark.parametrize("options", VARIANTS)
def test_with_a_single_position_all_labels_see_the_same_vector(options):
    head = a_head(5, **options)
    one = a_map(h=1, w=1)
    assert (head.attentions(one) == 1).all()
    if not options["residual"]:  # then nothing else tells the labels apart
        features = head.label_features(one)
        torch.testing.assert_close(features, features[:, :1].expand_as(features), rtol=0, atol=1e-14)
    attention, values = head.stages[0].attention, head.projection(one.flatten(2).transpose(1, 2))
    attention.out = torch.nn.Identity()  # a product of matrices may round its rows differently
    for maps in (False, True):
        found, _ = attention(head.queries()[None], values, values, maps=maps)
        assert torch.equal(found, attention.v(values).expand_as(found))


def test_one_stage_is_the_papers_formula():
    """F = softmax(theta(Q) phi(X)^T / sqrt(d)) psi(X), one head, followed by the output map."""
    head = a_head(3, stages=1, heads=1, residual=False)
    attention, stage = head.stages[0].attention, a_map(1)
    x = head.projection(stage[0].flatten(1).T)
    q = attention.q(head.queries())
    scores = torch.softmax(q @ attention.k(x).T / math.sqrt(16), dim=1)
    expected = attention.out(scores @ attention.v(x))
    torch.testing.assert_close(head.label_features(stage)[0], expected, rtol=1e-12, atol=1e-12)


def test_the_output_of_a_stage_is_the_query_of_the_next():
    head = a_head(3, stages=2, residual=False)
    values = head.projection(a_map().flatten(2).transpose(1, 2))
    first, _ = head.stages[0](head.queries()[None], values, values, maps=False)
    second, _ = head.stages[1](first, values, values, maps=False)
    torch.testing.assert_close(head.label_features(a_map()), second, rtol=1e-12, atol=1e-12)


def test_the_sine_encoding_tells_rows_from_columns():
    code = sine(4, 5, d=16, device=torch.device("cpu"))
    assert code.shape == (20, 16)
    grid = code.view(4, 5, 16)
    assert torch.equal(grid[1, :, :8], grid[1, :1, :8].expand(5, 8))
    assert torch.equal(grid[:, 2, 8:], grid[:1, 2, 8:].expand(4, 8))
    assert torch.cdist(code, code).fill_diagonal_(1).min() > 1e-2


def test_impossible_options_are_designed_errors():
    for options, message in (
        ({"stages": 0}, "stages is 0"),
        ({"heads": 3}, "divisible by heads"),
        ({"positional": "sin"}, "Did you mean 'sine'"),
        ({"d": 18, "heads": 3, "positional": "sine"}, "divisible by 4"),
    ):
        with pytest.raises(UsageError, match=message):
            build_head("queries", width=8, options=options)


def test_own_features_find_labels_that_a_shared_feature_drowns():
    """Each present label is planted on one of 25 noisy positions; own features rank and align better than the mean."""
    g = torch.Generator().manual_seed(0)
    labels, width = 12, 24
    patterns = 8 * functional.normalize(torch.randn(labels, width, generator=g), dim=1)

    def images(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        y = (torch.rand(n, labels, generator=g) < 0.25).float()
        x = 1.5 * torch.randn(n, 25, width, generator=g)
        for label in range(labels):
            x[torch.arange(n), torch.randint(0, 25, (n,), generator=g)] += y[:, label : label + 1] * patterns[label]
        return x.transpose(1, 2).unflatten(2, (5, 5)), y

    train, test = images(2000), images(600)
    found = {}
    for kind in ("shared", "own"):
        torch.manual_seed(0)
        head = LinearHead(width=width) if kind == "shared" else QueriesHead(width=width, d=32, heads=4, stages=2)
        head.grow(labels)
        optimiser = torch.optim.Adam(head.parameters(), 3e-3)
        for _ in range(200):
            batch = torch.randint(0, 2000, (64,), generator=g)
            optimiser.zero_grad()
            bce(head(train[0][batch]), train[1][batch]).backward()
            optimiser.step()
        with torch.no_grad():
            logits, positive = head(test[0]), test[1] > 0
            ranked = [
                (logits[positive[:, j], j][:, None] > logits[~positive[:, j], j]).float().mean() for j in range(labels)
            ]
            features, weight = head.label_features(test[0]), head.classifier()[0]
            cosine = functional.cosine_similarity(features.expand(-1, labels, -1), weight[None], dim=-1)
            found[kind] = torch.stack(ranked).mean().item(), torch.rad2deg(cosine.arccos())[positive].mean().item()
    assert found["own"][0] > found["shared"][0] + 0.15
    assert found["own"][1] < math.degrees(math.acos(1 / math.sqrt(labels))) < found["shared"][1]
