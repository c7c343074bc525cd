"""Only the head moves: a linear reading of frozen features."""

from __future__ import annotations

from torch import nn

from landbridge.core.contracts import Handle
from landbridge.core.model import Model
from landbridge.core.parts import choice, part, whole
from landbridge.nn.context_head import ContextHead, context_head
from landbridge.nn.heads import Head, Wish
from landbridge.tunings.freeze import freeze, head_groups, release


@part(
    "probe",
    paper="Alain & Bengio 2016, Understanding intermediate layers using linear classifier probes, arXiv:1610.01644",
)
class Probe:
    """Freeze the body and fit the head, in closed form where the objective can.

    With `taps` the features of that many depths before the end are pooled as well and concatenated; they help where
    the last layer is too specialised, and cost width. With very few labels a class, "centroid" (the nearest class mean)
    and "cache" (the labelled rows themselves, by likeness) fit nothing that could be overfitted. "context" keeps the
    rows for a source that learns in context, which reads them beside each row that it is asked about.
    """

    head: str = choice(
        "auto",
        "auto",
        "logistic",
        "lda",
        "ridge",
        "kernel",
        "centroid",
        "cache",
        "context",
        help="how the head is solved",
    )
    taps: int = whole(0, 0, 16, help="how many earlier depths are read beside the last")
    normalise: str = choice("auto", "auto", "yes", "no", help="divide each feature row by its length")
    standardise: str = choice(
        "auto", "auto", "yes", "no", help="divide each feature by its spread, on few rows nearly by the mean one"
    )

    def attach(self, model: Model) -> Handle:
        """Freeze all but the head and tell the head how it is to be solved."""
        if self.head == "context":
            model.head = context_head(model.body.net, model.body.width, _outputs(model.head), model.body.address)
        elif isinstance(model.head, ContextHead):
            model.head = Head(model.body.width, model.head.outputs)
        self._tap(model)
        freeze(model)
        if isinstance(model.head, Head):
            model.head.wish = Wish(self.head, self.normalise, self.standardise)
        groups = head_groups(model)
        release(groups)
        top = min(model.taps, default=len(model.body.blocks))
        return Handle(groups=groups, first_moving=top, moving=[model.head], lr=1e-3, closed_form=True)

    def merge(self, model: Model) -> None:
        """Nothing was added."""

    def _tap(self, model: Model) -> None:
        """Read the wished depths; a head for other depths is replaced by an empty one as wide as they are together.

        Blocks that differ in width (convolutions) make that a guess, which solving in closed form corrects.
        """
        top = len(model.body.blocks)
        taps = tuple(range(max(0, top - self.taps), top))
        if taps == model.taps or not isinstance(model.head, Head):
            return
        old, model.taps = model.head, taps
        head = Head(model.body.width * (1 + len(taps)), old.outputs, normalise=old.normalise, dropout=old.dropout.p)
        model.head = head.to(old.weight.device)


def _outputs(head: nn.Module) -> int:
    """C of the head that is there."""
    assert isinstance(head, (Head, ContextHead))
    return head.outputs
