"""A plain training loop without any framework, which the shared loop must equal bit for bit."""

from __future__ import annotations

import numpy as np
import torch

from clbench.method.batch import Batch
from clbench.method.session import LiveSession
from clbench.method.strategy import Strategy
from clbench.plan.plan import Plan
from clbench.seeds import derive, generator
from clbench.train.batches import SessionView
from clbench.train.prepare import build_network, make_source, make_stream

CPU = torch.device("cpu")


def train_plainly(plan: Plan) -> tuple[Strategy, list[np.ndarray]]:
    """Return the trained strategy and its score matrix after each session. AdamW, OneCycle, no extras."""
    recipe, seed = plan.train, plan.seed
    strategy = plan.new_strategy()
    stream = make_stream(plan, strategy)
    source = make_source(plan, stream.table, cache=False)
    build_network(plan, strategy, stream, CPU)
    all_scores = []
    for session in stream.sessions:
        live = LiveSession(
            session,
            source=source,
            device=CPU,
            batch_size=recipe.batch_size,
            stored=lambda: np.empty(0, dtype=np.int64),
        )
        torch.manual_seed(derive(seed, "session", session.index))
        strategy.begin_session(live)
        exemplars = strategy.rehearse(live)
        ids = stream.table.ids
        view = SessionView(session, source=source, ids=ids, augment=recipe.augment, seed=seed, exemplars=exemplars)
        decaying = [p for p in strategy.parameters() if p.requires_grad and p.ndim > 1]
        others = [p for p in strategy.parameters() if p.requires_grad and p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [
                {"params": decaying, "weight_decay": recipe.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=recipe.lr,
            fused=True,
        )
        batches = []
        for epoch in range(recipe.epochs):
            own = generator(seed, "order", session.index, epoch).random(view.fresh)
            extra = generator(seed, "order of exemplars", session.index, epoch).random(len(view) - view.fresh)
            positions = np.argsort(np.concatenate([own, extra]), kind="stable")
            cuts = list(range(recipe.batch_size, len(positions), recipe.batch_size))
            if cuts and len(positions) - cuts[-1] == 1:
                cuts.pop()
            batches += [(epoch, part) for part in np.split(positions, cuts)]
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=recipe.lr, total_steps=len(batches), pct_start=recipe.warmup
        )
        strategy.train()
        for step, (epoch, part) in enumerate(batches):
            images, y, rows, at = view.__getitems__([(epoch, int(p)) for p in part])
            targets = torch.where(y < 0, torch.nan, y.float())
            logits = None if view.logits is None else view.logits[at]
            batch = Batch(images=images, targets=targets, rows=rows, replayed=at >= view.fresh, logits=logits)
            torch.manual_seed(derive(seed, "step", session.index, step))
            optimizer.zero_grad()
            loss = strategy.loss(batch, strategy.net(images))
            loss.backward()
            optimizer.step()
            schedule.step()
        strategy.eval()
        strategy._seed = (seed, session.index, "end")
        strategy.end_session(live)
        with torch.no_grad():
            parts = [
                strategy.logits(source.read(part))
                for part in np.split(stream.test_rows, range(64, len(stream.test_rows), 64))
            ]
        all_scores.append(torch.cat(parts).numpy())
    return strategy, all_scores
