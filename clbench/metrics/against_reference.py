"""What a run comes to beside a reference run: transfer to new labels, and forgetting as a share of what was possible.

Heads have no score for a label before the session that introduces it, so the forward transfer of Lopez-Paz and Ranzato
(2017), performance before learning, is not defined here. What earlier sessions did for a label shows right after it was
learned, beside a reference that learned it otherwise.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clbench.errors import DataError
from clbench.metrics.continual import Matrix, forgetting_per_label, matrix_of
from clbench.metrics.inputs import defined_mean


def just_learned(A: npt.ArrayLike, learned: npt.ArrayLike) -> Matrix:
    """Return the AP of every label right after the session that introduced it, float64 [K]. A is [S, K], learned [K].

    >>> metrics.just_learned([[0.8, None], [0.5, 0.9]], learned=[0, 1]).tolist()
    [0.8, 0.9]
    """
    matrix, since = matrix_of(A), np.asarray(learned)
    return np.asarray(matrix[since, np.arange(matrix.shape[1])])


def forward_transfer(A: npt.ArrayLike, learned: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return the mean over labels of later sessions of their AP right after they were learned minus `reference` [K].

    With the AP of joint training it is minus the intransigence of Chaudhry et al. (ECCV 2018), per label. NaN if there
    is a single session. A is [S, K], learned [K].

    >>> round(metrics.forward_transfer([[0.8, None], [0.5, 0.7]], learned=[0, 1], reference=[0.9, 0.6]), 4)
    0.1
    """
    later = np.asarray(learned) > 0
    return defined_mean((just_learned(A, learned) - _per_label(A, reference))[later])


def forgetting_share(A: npt.ArrayLike, learned: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return the mean over labels of `forgetting_per_label` divided by `reference` [K], whose zeros are left out.

    Forgetting 0.2 of a label that the reference ranks with 0.4 weighs twice as much as of one with 0.8. A is [S, K],
    learned [K]. NaN if there is a single session.

    >>> round(metrics.forgetting_share([[0.8, None], [0.6, 0.7]], learned=[0, 1], reference=[0.8, 0.9]), 4)
    0.25
    """
    forgotten, known = forgetting_per_label(A, learned), _per_label(A, reference)
    fitting = known > 0
    return defined_mean(forgotten[fitting] / known[fitting])


def _per_label(A: npt.ArrayLike, reference: npt.ArrayLike) -> Matrix:
    values = np.array(reference, dtype=np.float64)
    labels = matrix_of(A).shape[1]
    if values.shape != (labels,):
        raise DataError(
            f"the reference has shape {values.shape}; one AP for each of the {labels} labels was expected",
            hint="Give the AP of the reference run, null or NaN for a label without one.",
        )
    return values
