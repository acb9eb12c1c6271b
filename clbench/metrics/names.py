"""What every metric is called, how it is computed, and since when: the definitions that tables print and link to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from clbench.errors import UsageError, suggest


@dataclass(frozen=True)
class Metric:
    """One metric: its key, the heading of its column, its formula, and what to know before comparing it.

    `version` rises when the value could change for the same predictions.
    """

    name: str
    title: str
    formula: str
    doc: str
    higher_is_better: bool = True
    version: int = 1


_ALL = (
    Metric(
        "ap",
        "AP",
        "AP = sum over distinct thresholds n of (R_n - R_{n-1}) P_n",
        "Not interpolated. Rows with one score count together. Undefined without a positive row.",
    ),
    Metric(
        "ap_voc07",
        "AP (VOC 2007)",
        "mean over r in {0, 0.1, ..., 1} of max P(r') for r' >= r",
        "The 11-point interpolation of PASCAL VOC 2007, for parity.",
    ),
    Metric(
        "ap_voc_envelope",
        "AP (VOC envelope)",
        "sum over distinct thresholds n of (R_n - R_{n-1}) max P(r') for r' >= R_n",
        "The interpolation of PASCAL VOC since 2010, for parity with Query2Label and SADCL.",
    ),
    Metric(
        "ap_legacy_krt",
        "AP (KRT)",
        "sum over positives of P at their rank, divided by (positives + 1e-8)",
        "Ties in no defined order, 0 for a label without positives; for parity with the KRT and ASL code bases.",
    ),
    Metric(
        "session_map",
        "mAP",
        "mAP_s = mean over labels k seen after session s of A[s, k]",
        "Labels without an AP are left out.",
    ),
    Metric(
        "average_map",
        "Avg. mAP",
        "mean over sessions s of mAP_s, growing test set",
        "The first session counts. The test set grows with the sessions, so the terms are not points of one curve.",
    ),
    Metric(
        "last_map",
        "Last mAP",
        "mAP_S after the last session S, growing test set",
        "The growing test set after the last session holds the test images with at least one learned label.",
    ),
    Metric(
        "average_map_fixed",
        "Avg. mAP (fixed)",
        "mean over sessions s of mAP_s, fixed test set",
        "All test images after every session, restricted to the labels seen so far.",
    ),
    Metric(
        "last_map_fixed",
        "Last mAP (fixed)",
        "mAP_S after the last session S, fixed test set",
        "All test images.",
    ),
    Metric(
        "forgetting",
        "Forgetting",
        "mean over labels k learned before S of max_{learned(k) <= s < S} A[s, k] - A[S, k], fixed test set",
        "Chaudhry et al. 2018, per label. The last session is not among the candidates, so it may be negative.",
        higher_is_better=False,
    ),
    Metric(
        "bwt",
        "BWT",
        "mean over labels k learned before S of A[S, k] - A[learned(k), k], fixed test set",
        "Lopez-Paz and Ranzato 2017, per label.",
    ),
    Metric(
        "gap",
        "Gap to joint",
        "last mAP - last mAP of joint training",
        "Joint training must have seen the same backbone, recipe and test images.",
    ),
    Metric(
        "forgetting_relative_agcn",
        "Forgetting (AGCN)",
        "mean over sessions i < S of (R[i, i] - R[S, i]) / R[i, i], R[t, i] = mAP after t of the labels of session i",
        "Du et al. 2022, relative; a named option, never mixed with forgetting.",
        higher_is_better=False,
    ),
    Metric(
        "forgetting_prs",
        "Forgetting (PRS)",
        "mean over sessions i < S of (max_{i <= t < S} R[t, i] - R[S, i]) / |max|",
        "Kim et al. 2020, relative, per session; a named option, never mixed with forgetting.",
        higher_is_better=False,
    ),
    Metric("cp", "CP", "CP = mean over labels of TP_k / (TP_k + FP_k)", "0 for a label that is never predicted."),
    Metric("cr", "CR", "CR = mean over labels of TP_k / (TP_k + FN_k)", "Over the labels that have positives."),
    Metric(
        "cf1_harmonic",
        "CF1",
        "CF1 = 2 CP CR / (CP + CR)",
        "The CF1 of the static literature. KRT, CSC, L3A, MULTI-LANE and SADCL print macro-F1 under this name.",
    ),
    Metric(
        "macro_f1",
        "macro-F1",
        "mean over labels of 2 TP_k / (2 TP_k + FP_k + FN_k)",
        "What KRT, CSC, L3A, MULTI-LANE and SADCL print as CF1. Never above CF1.",
    ),
    Metric("op", "OP", "OP = TP / (TP + FP), summed over all labels", "0 when nothing is predicted."),
    Metric("or", "OR", "OR = TP / (TP + FN), summed over all labels", "Summed over all labels."),
    Metric("of1", "OF1", "OF1 = 2 TP / (2 TP + FP + FN), summed over all labels", "The harmonic mean of OP and OR."),
    Metric(
        "error_images",
        "± images",
        "sqrt(sum over test images i of (d mAP / d weight of i)^2), last mAP",
        "Standard error of last mAP from the test images, by the infinitesimal jackknife (Jaeckel 1972; Efron 1982).",
        higher_is_better=False,
    ),
    Metric(
        "auroc",
        "AUROC",
        "mean over labels of the share of (present, absent) image pairs ordered rightly, ties one half",
        "Hanley and McNeil 1982. Blind to how rare a label is: 0.5 is chance for every label.",
    ),
    Metric(
        "ranking_loss",
        "Ranking loss",
        "mean over images of the share of (present, absent) label pairs ordered wrongly, ties wrong",
        "Schapire and Singer 2000, as in scikit-learn.",
        higher_is_better=False,
    ),
    Metric(
        "one_error",
        "One-error",
        "share of images whose best-scored label is absent",
        "Schapire and Singer 2000. Images without a present label are left out; 1 - P@1.",
        higher_is_better=False,
    ),
    Metric(
        "coverage",
        "Coverage",
        "mean over images of how many labels, best first, hold all present ones",
        "As in scikit-learn; one more than Schapire and Singer 2000. In labels, not a fraction.",
        higher_is_better=False,
    ),
    Metric(
        "hamming_loss",
        "Hamming loss",
        "share of entries decided wrongly at probability 0.5",
        "Schapire and Singer 1999. A model that predicts nothing looks good where labels are rare.",
        higher_is_better=False,
    ),
    Metric(
        "precision_at_1",
        "P@1",
        "mean over images of the share of the best-scored label that is present",
        "1 - one-error.",
    ),
    Metric(
        "precision_at_3",
        "P@3",
        "mean over images of the share of the three best-scored labels that are present",
        "Never 1 where images have fewer labels.",
    ),
    Metric(
        "precision_at_5",
        "P@5",
        "mean over images of the share of the five best-scored labels that are present",
        "Never 1 where images have fewer labels.",
    ),
    Metric(
        "forward_transfer",
        "Forward transfer",
        "mean over labels k of later sessions of A[learned(k), k] - that of `naive`, fixed test set",
        "What earlier sessions and a method's care for them do for a new label, beside plain training on its session. "
        "Heads have no score for a label before it is learned, so that of Lopez-Paz and Ranzato 2017 is not defined.",
    ),
    Metric(
        "forgetting_over_joint",
        "Forgetting / joint",
        "mean over labels k learned before S of forgetting_k / J[k], J the AP of joint training, fixed test set",
        "Forgetting as a share of what was possible.",
        higher_is_better=False,
    ),
    Metric(
        "forgetting_over_single",
        "Forgetting / single",
        "mean over labels k learned before S of forgetting_k / N[learned(k), k], N the AP of `naive`, fixed test set",
        "Forgetting as a share of what plain training on the label's own session reaches.",
        higher_is_better=False,
    ),
    Metric(
        "mean_accuracy",
        "mA",
        "mean over attributes of (TP_k / P_k + TN_k / N_k) / 2",
        "Attributes that lack positives or negatives are left out.",
    ),
    Metric("instance_accuracy", "Acc", "mean over images of |Y and P| / |Y or P|", "0 where the union is empty."),
    Metric("instance_precision", "Prec", "mean over images of |Y and P| / |P|", "0 where nothing is predicted."),
    Metric("instance_recall", "Rec", "mean over images of |Y and P| / |Y|", "0 where nothing is true."),
    Metric("instance_f1", "F1", "2 Prec Rec / (Prec + Rec)", "The harmonic mean of the two means over images."),
)

NAMES: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _ALL})


def describe(name: str) -> Metric:
    """Return the definition of a metric or of a summary key such as "of1@0.8", whose title names the decision rule.

    UsageError: no metric of that name.

    >>> metrics.describe("of1@0.8").title
    'OF1 @0.8'
    """
    base, _, rule = name.partition("@")
    if base not in NAMES:
        raise UsageError(
            f"there is no metric called {name!r}.{suggest(base, NAMES)}", hint=f"Known metrics: {', '.join(NAMES)}."
        )
    metric = NAMES[base]
    return replace(metric, name=name, title=f"{metric.title} @{rule}") if rule else metric
