"""Labels by their text."""

from typing import ClassVar, Literal

from torch import Tensor, cat, nn

from clbench import Session, Strategy
from clbench.nn.closed_form.head import POOLED
from clbench.nn.closed_form.in_order import SumsInOrder
from clbench.nn.closed_form.ridge import BlockSums
from clbench.nn.heads.by_name import Network
from clbench.nn.text.head import TextHead
from clbench.nn.text.table import TextTable, file_digest, random_vectors, read_text_table


class CLIP(Strategy):
    """Scores a label by how near the image lies to the vector of its text, to which a probe or a ridge may be fitted.

    The image tower is the backbone and stays as it is; the vectors come from a file, so no text network runs. Without a
    file they are drawn by the labels' names: what the same method is worth that knows no language.
    """

    provenance: ClassVar[dict[str, str]] = {
        "paper": "CLIP (Radford et al., ICML 2021); the ridge is ACIL's (NeurIPS 2022) around the text vectors",
        "equations": "logit = scale (cos(f, t) - offset); W = (A + gamma I)^-1 (C + gamma T)",
        "deviations": "a sigmoid per label: a softmax would let new labels move the order of images for old ones",
        "keeps": "text vectors of the seen labels; with `fit: ridge` a Gram matrix and cross sums",
        "freezes": "the image tower; with `fit: none` everything",
        "cost": "none to nothing: one pass per session with `fit: ridge`, training of the rows with `fit: probe`",
    }

    table: str = ""
    """An .npz file of `names` [n] and `vectors` [n, e]; with `projection` [width, e] for a tower of another width."""
    table_sha256: str = ""
    """The file's digest, found out where it is not given; a file with another one is refused."""
    fit: Literal["none", "probe", "ridge"] = "ridge"
    """Zero-shot; rows trained from the text vectors on; or the closed-form ridge around them."""
    gamma: float = 1.0
    """Of the ridge: the larger, the nearer to zero-shot."""
    unknown: Literal["ignore", "negative"] = "negative"
    """Of the ridge: `ignore` keeps a Gram matrix for every block of labels, of the images on which it is known."""
    scale: float = 10.0
    offset: float = 0.2
    """Logits are scale (cosine - offset); neither moves an average precision. The ridge has 4 and 1/2, for 0 and 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head not in POOLED:
            raise ValueError(f"head '{self.head}' gives no single feature; clip needs one of {', '.join(POOLED)}.")
        if not self.gamma > 0 or not self.scale > 0:
            raise ValueError(f"clip.gamma is {self.gamma} and clip.scale {self.scale}; expected numbers above 0.")
        if self.table or self.table_sha256:
            self.know_the_file()

    def know_the_file(self) -> None:
        """Take the digest of the table's file. Raises ValueError where another one is expected."""
        found = file_digest(self.table) if self.table else ""
        if self.table_sha256 not in ("", found):
            raise ValueError(f"clip.table_sha256 is {self.table_sha256}, but {self.table or 'no table'} has {found!r}.")
        self.table_sha256 = found

    def trains(self, index: int) -> bool:
        return self.fit == "probe"

    def build(self, backbone: nn.Module, labels: tuple[str, ...]) -> None:
        width, projection = int(backbone.width), None
        self._table: TextTable | None = read_text_table(self.table) if self.table else None
        if self._table is not None:
            self._table.check(labels, width=width)
            projection = self._table.projection
        scale, offset = (4.0, 0.5) if self.fit == "ridge" else (self.scale, self.offset)
        head = TextHead(
            width=width, projection=projection, pooling=self.head, scale=scale, offset=offset, trainable=self.trains(0)
        )
        self.net: Network = Network(backbone, head)
        self.texts = head.weight()
        self.sums = BlockSums(head.hidden)

    def vectors(self, labels: tuple[str, ...]) -> Tensor:
        """Return the unit vectors [L, e] of labels."""
        if self._table is not None:
            return self._table.rows(labels)
        return random_vectors([self.rng("text", name) for name in labels], width=self.texts.shape[1])

    def begin_session(self, session: Session) -> None:
        before = self.net.head.seen
        super().begin_session(session)
        self.net.backbone.requires_grad_(False)
        if session.seen > before:
            fresh = self.vectors(session.labels[before:]).to(self.texts)
            self.texts = cat([self.texts, fresh])
            self.net.head.set_weights(fresh.T, block=-1)

    def end_session(self, session: Session) -> None:
        if self.fit != "ridge":
            return
        head = self.net.head
        by_block = self.unknown == "ignore"
        blocks = head.slices() if by_block else [slice(0, session.seen)]
        sums = SumsInOrder(self.sums, [block.stop - block.start for block in blocks])
        for part in session.parts():
            for batch in part:
                targets = batch.targets.cpu()
                phi = head.expanded(self.net.maps(batch.images)).cpu()
                sums.add(phi, targets if by_block else targets.nan_to_num())
            sums.end_part()
        for i in sums.into(self.sums):
            solved = self.sums.parts[i].solve(self.gamma, prior=self.texts[blocks[i]].T.cpu())
            head.set_weights(solved, block=i if by_block else None)

    def marks(self) -> list[str]:
        return [] if self.table else ["random-text"]
