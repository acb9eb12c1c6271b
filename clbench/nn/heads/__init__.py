"""Networks that turn features into one logit for each label."""

from clbench.nn.heads.by_name import HEADS, build_head, check_head, head_options

__all__ = ["HEADS", "build_head", "check_head", "head_options"]
