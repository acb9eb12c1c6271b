"""A quadratic pull towards earlier weights, at a cost that does not grow with the number of sessions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn


class QuadraticPenalty:
    """Half the sum over sessions t of F_t (theta - theta_t)^2, as EWC, SI and MAS use it.

    Kirkpatrick et al. (PNAS 2017), equation 3. Since sum F_t (theta - theta_t)^2 has the gradient
    2 (theta sum F_t - sum F_t theta_t), the two sums are all that is kept: two vectors whatever the number of sessions.
    Parameters that appear later are free until they are anchored.

    `decay` multiplies the earlier importance whenever a session is added; with `recentre` the one anchor moves to the
    newest weights (online EWC, Schwarz et al., ICML 2018).
    """

    def __init__(self, *, decay: float = 1.0, recentre: bool = False) -> None:
        self.decay = decay
        self.recentre = recentre
        self._weight: dict[str, Tensor] = {}  # sum F
        self._pull: dict[str, Tensor] = {}  # sum F theta*
        self._rest = 0.0  # sum F theta*^2

    def __len__(self) -> int:
        return len(self._weight)

    @torch.no_grad()
    def anchor(self, parameters: Mapping[str, Tensor], importance: Mapping[str, Tensor]) -> None:
        """Add a session: `importance` F, non-negative and shaped like the weights it belongs to."""
        self._follow(parameters)
        self._rest *= self.decay
        for name in self._weight:
            self._weight[name] *= self.decay
            self._pull[name] *= self.decay
        for name, more in importance.items():
            theta = parameters[name].detach()
            self._weight[name] = more.clone() if name not in self._weight else self._weight[name] + more
            self._pull[name] = more * theta if name not in self._pull else self._pull[name] + more * theta
            self._rest += float((more.double() * theta.double().square()).sum())
        if self.recentre:
            self._rest = 0.0
            for name, weight in self._weight.items():
                theta = parameters[name].detach()
                self._pull[name] = weight * theta
                self._rest += float((weight.double() * theta.double().square()).sum())

    def value(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """Return the penalty, a scalar; its gradient is exactly theta sum F - sum F theta*."""
        names = self._follow(parameters)
        if not names:
            return torch.zeros(())
        thetas = [parameters[name] for name in names]
        with torch.no_grad():
            slopes = torch._foreach_mul([theta.detach() for theta in thetas], [self._weight[name] for name in names])
            torch._foreach_sub_(slopes, [self._pull[name] for name in names])
            pulled = torch.stack([(t * self._pull[n]).sum() for n, t in zip(names, thetas, strict=True)]).sum()
        # backward through one product instead of through the whole expression; the value is put right without a graph
        carrier = torch.stack([(t * slope).sum() for t, slope in zip(thetas, slopes, strict=True)]).sum()
        value = (0.5 * (carrier.detach() - pulled + self._rest)).clamp(min=0)
        return carrier + (value - carrier.detach())

    def state(self) -> dict[str, dict[str, Tensor] | float]:
        """Return everything that changes; `load` puts it back exactly. Each tensor has the shape of its parameter."""
        return {
            "weight": {name: tensor.clone() for name, tensor in self._weight.items()},
            "pull": {name: tensor.clone() for name, tensor in self._pull.items()},
            "rest": self._rest,
        }

    def load(self, state: Mapping[str, Mapping[str, Tensor] | float]) -> None:
        """Put back what `state` returned; it moves to the device of the weights when it is next used.

        Each tensor has the shape of its parameter.
        """
        weight, pull, rest = state["weight"], state["pull"], state["rest"]
        assert isinstance(weight, Mapping)
        assert isinstance(pull, Mapping)
        assert isinstance(rest, float)
        self._weight = {name: tensor.clone() for name, tensor in weight.items()}
        self._pull = {name: tensor.clone() for name, tensor in pull.items()}
        self._rest = rest

    def _follow(self, parameters: Mapping[str, Tensor]) -> list[str]:
        """Return the anchored names among `parameters`, their sums on the same device."""
        names = [name for name in self._weight if name in parameters]
        for name in names:
            for sums in (self._weight, self._pull):
                sums[name] = sums[name].to(parameters[name].device)
        return names


def importance(
    parameters: Mapping[str, nn.Parameter], losses: Iterable[Tensor], *, power: Literal[1, 2] = 2
) -> dict[str, Tensor]:
    """Return the mean over `losses` of |gradient|^power for every parameter.

    `power` 2 with one loss per image is the empirical Fisher information of EWC (per batch it is the squared mean
    gradient, as Avalanche has it, and smaller); `power` 1 with the squared norm of the outputs is MAS (Aljundi et al.,
    ECCV 2018, equation 3). `losses` may be a generator: each graph is freed before the next loss is made. `losses` are
    scalars; each tensor has the shape of its parameter.
    """
    names, tensors = list(parameters), list(parameters.values())
    total = {name: torch.zeros_like(tensor) for name, tensor in parameters.items()}
    count = 0
    for loss in losses:
        gradients = torch.autograd.grad(loss, tensors, allow_unused=True)
        for name, gradient in zip(names, gradients, strict=True):
            if gradient is not None:
                total[name] += gradient.square() if power == 2 else gradient.abs()
        count += 1
    return {name: tensor / max(count, 1) for name, tensor in total.items()}


class PathIntegral:
    """What each weight contributed to the fall of the loss on its way through a session.

    Synaptic intelligence (Zenke et al., ICML 2017, equations 3-5): omega = - sum over steps of gradient * movement,
    importance = max(omega, 0) / (total movement^2 + damping). `step` is called after every optimiser step, while the
    gradients are still there.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], *, damping: float = 0.1) -> None:
        self.damping = damping
        self._omega = {name: torch.zeros_like(p) for name, p in parameters.items()}
        self._start = {name: p.detach().clone() for name, p in parameters.items()}
        self._last = {name: p.detach().clone() for name, p in parameters.items()}

    @torch.no_grad()
    def step(self, parameters: Mapping[str, nn.Parameter]) -> None:
        """Add the step that was just made."""
        for name, omega in self._omega.items():
            parameter = parameters[name]
            if parameter.grad is not None:
                omega -= parameter.grad * (parameter - self._last[name])
            self._last[name].copy_(parameter)

    @torch.no_grad()
    def importance(self) -> dict[str, Tensor]:
        """Return the importance of every parameter over the steps added so far.

        Each tensor has the shape of its parameter.
        """
        return {
            name: omega.clamp(min=0) / ((self._last[name] - self._start[name]).square() + self.damping)
            for name, omega in self._omega.items()
        }

    def state(self) -> dict[str, dict[str, Tensor]]:
        """Return everything that changes; `load` puts it back exactly. Each tensor has the shape of its parameter."""
        parts = {"omega": self._omega, "start": self._start, "last": self._last}
        return {part: {name: tensor.clone() for name, tensor in tensors.items()} for part, tensors in parts.items()}

    def load(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Put back what `state` returned. Each tensor has the shape of its parameter."""
        for part, held in (("omega", self._omega), ("start", self._start), ("last", self._last)):
            for name, tensor in held.items():
                tensor.copy_(state[part][name])
