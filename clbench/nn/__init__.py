"""Networks, losses, distillation and memories; `PUBLIC` says what of them strategies may build on."""

PUBLIC: dict[str, tuple[str, ...]] = {
    "balanced": ("BalancedMemory", "HerdingMemory"),
    "bank": ("FeatureBank",),
    "closed_form.head": ("POOLED", "RidgeHead", "check_recipe", "random_features"),
    "closed_form.ridge": ("BlockSums", "class_weights", "holdout_gamma", "image_weights"),
    "contrastive": ("pscl", "sscl", "sscl_views"),
    "distil": (
        "attention_distillation", "cosine_distillation", "frozen", "pod_flat", "pod_spatial", "sigmoid_distillation",
    ),
    "exemplars": ("Exemplars",),
    "heads.by_name": ("Network",),
    "losses": ("as_targets", "asl", "bce", "known", "reduce"),
    "memory": ("Memory",),
    "modes": ("evaluating",),
    "nearest": ("NearestMeans",),
    "ocdm": ("OCDMMemory",),
    "penalty": ("PathIntegral", "QuadraticPenalty", "importance"),
    "projection": ("Projection",),
    "prototypes": ("Prototypes", "label_prototypes"),
    "prs": ("PRSMemory",),
    "pseudo": ("density_threshold", "stepped_threshold", "with_pseudo_labels"),
    "sadcl": ("projection",),
    "scale": ("per_entry", "per_image"),
    "shared.ranks": ("rank", "world"),
    "staged": ("StagedNetwork",),
    "tap": ("Tap",),
}  # fmt: skip
"""Module below `clbench.nn` -> the names that strategies import of it. They stay; everything else may change."""
