"""What is worth trying: recipes for the data's modality and size, each with its reason, cheapest first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from landbridge.core import codec, registry
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.recipe import Recipe, Stage
from landbridge.engine.predictor import open_source
from landbridge.planning.originals import Originals, originals
from landbridge.tunings.freeze import batch_normed

BRIDGES = {"spectrogram": "spectrogram(size=64)", "plot": "plot(size=96)"}  # small pictures say as much and cost less
CALM = {"curves": 3e-4}  # rates at which all of a source without norms learns anew, by its bridge
WEIGHTS, ANSWERS = "weights", "answers"  # of members, of which a candidate is the mean
ASKED = "asked for"  # the reason of a recipe that a person named: it is run as it stands
SMALL_PIXELS = 64  # edge at which a source that has learnt on such is shown pictures that are smaller still
SCRATCH_PIXELS = 96  # edge of the pictures on which the control learns from nothing
FEW = 50  # labels a class below which a small set counts as few
FEW_CLASSES = 10  # whose texts bear to be drawn together wholly
FEWEST = 20  # labels a class below which texts are drawn together gently
FEW_FOR_PAIRS = 100  # labels a class below which pairs say more than rows
LEAST_STEPS = 20  # of a stage that moves weights, however few rows there are
STEPS_OF_PAIRS = 40  # at least, of a stage that draws pairs together, where rows are not the fewest


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A recipe with the reason for trying it and the part it plays in the comparison; `called` where the recipe's name
    would not tell it from another. With `members` it is the `mean` of their trained weights or of their answers, and
    the recipe the first's; `near` names the recipe that it is a step or more away from.
    """

    recipe: Recipe
    reason: str
    role: str = "candidate"  # candidate, trivial, rival, scratch
    called: str = ""
    members: tuple[Candidate, ...] = ()
    mean: str = WEIGHTS
    near: str = ""

    @property
    def name(self) -> str:
        """What it is called in progress, trials and report."""
        return self.called or self.recipe.name


class Offer(NamedTuple):
    """A source that may be tried, what it reads, and whether it has seen generated pictures only."""

    address: str
    reads: str
    generated: bool = False


def part(group: str, text: str) -> Any:
    """A part from its command-line spelling."""
    return codec.parse(group, text)


def routes(modality: str, reads: str) -> list[str]:
    """The bridges by which data of one modality reaches a source that reads another."""
    found = []
    for name in registry.names("bridges"):
        pairs = registry.find("bridges", name).routes
        if (modality, reads) in pairs or (modality == reads and ("*", "*") in pairs):
            found.append(name)
    return found


def road(name: str, offer: Offer, own: Originals | None) -> Any:
    """A bridge as it is tried first: small pictures of any kind say as much in small and cost less."""
    if name == "native" and offer.generated and own is not None and own.small:
        return part("bridges", f"native(size={SMALL_PIXELS})")
    return part("bridges", BRIDGES.get(name, name))


def controls(domain: Domain) -> list[Candidate]:
    """The trivial baseline and the cheap rival of the modality; the scratch control depends on the source."""
    modality = domain.modality.part_name
    chosen = [Candidate(recipe=rival("trivial"), role="trivial", reason="what guessing from the labels alone reaches")]
    for name in registry.names("rivals"):
        cls = registry.find("rivals", name)
        if modality in cls.modalities:
            chosen.append(
                Candidate(recipe=rival(name), role="rival", reason=f"the cheap way for {modality} without any transfer")
            )
    return chosen


def rival(name: str) -> Recipe:
    """A control that fits itself, as a recipe."""
    return Recipe(source=f"rival:{name}", bridge=part("bridges", "native"), stages=())


def scratch(recipe: Recipe, modality: str) -> Recipe:
    """The same architecture over the same bridge without the source's knowledge, trained as from nothing it must be.

    Batch norms bear ten times the rate at which such a body is tuned, 0.002. Without them, as in transformers, such a
    rate ends at the share of the largest class: they begin from a head solved on random features and take twice the
    tuning rate, 0.0001. Single trials on training rows of text sets chose that; `benchmarks/defaults.py scratch`
    asks it again. A network that learns in context is not trained on a table at all: without its knowledge there is a
    convex head on the same scaled columns.
    """
    source = recipe.source if recipe.source.startswith("scratch:") else f"scratch:{recipe.source}"
    if recipe.stages and codec.text(recipe.stages[-1].tuning).startswith("probe(head='context'"):
        return single(source, recipe.bridge, "probe(head='logistic')")
    bare = open_source(source, weights=False, modality=modality)
    normed = batch_normed(bare)
    moved = f"full(layer_decay=1.0, head_scale=1.0, norm_statistics='moving', haste={10.0 if normed else 2.0})"
    begin = [] if normed else ["probe(head='logistic')"]
    bridge = _smaller(recipe.bridge) if modality == "image" else recipe.bridge
    return single(source, bridge, *begin, moved, batch=16, decay=0.05, patience=0)


def anew(source: str, bridge: Any, rows: int, objective: str = "supervised") -> Recipe:
    """All of a source learns data of a kind that it has never seen, its norms too, from a head on its features.

    The fewer rows, the more often each is seen. What reads curves has no norms and bears a tenth of the rate. Single
    trials on training rows of public sets, ten labels a class.
    """
    rate, epochs = CALM.get(type(bridge).part_name, 3e-3), max(4, min(30, 10_000 // max(1, rows)))
    length = {"lr": rate, "batch": 16, "decay": 0.02, "patience": 0, "epochs": epochs}
    moved = "full(head_scale=2.0, norm_statistics='moving')"
    return single(source, bridge, "probe(head='logistic')", moved, objective=objective, **length)


def _smaller(bridge: Any) -> Any:
    """Pictures at a size at which a network learns much from nothing in the time there is."""
    whole = codec.to_json(bridge)
    if whole["part"] != "native" or whole["size"]:
        return bridge
    return codec.from_json("bridges", whole | {"size": SCRATCH_PIXELS})


def single(source: str, bridge: Any, *tunings: str, objective: str = "supervised", **length: Any) -> Recipe:
    """A recipe of the named tunings, all pulled by one objective; `length` goes to the last stage."""
    objectives = (part("objectives", objective),)
    stages = [Stage(tuning=part("tunings", t), objectives=objectives) for t in tunings[:-1]]
    return Recipe(
        source=source,
        bridge=bridge,
        stages=(*stages, Stage(tuning=part("tunings", tunings[-1]), objectives=objectives, **length)),
    )


def propose(domain: Domain, sources: Sequence[Offer]) -> list[Candidate]:
    """Candidates over `sources`, probes first; UsageError when nothing fits the data."""
    modality = domain.modality.part_name
    found: list[Candidate] = []
    refused: list[str] = []
    own = originals(domain)
    for offer in sources:
        bridges = routes(modality, offer.reads)
        if not bridges:
            refused.append(f"{offer.address} reads {offer.reads}")
        for name in bridges:
            found += _ways(domain, offer, road(name, offer, own), own)
    if refused and not found:
        raise UsageError(f"no bridge leads from {modality} to the given sources ({'; '.join(refused)}); choose another")
    if sources and not found:
        asked, task = ", ".join(o.address for o in sources), domain.task
        raise UsageError(f"{asked}: not made for {task.part_name} with {task.outputs} outputs; choose another source")
    return sorted(found, key=lambda c: _cost(c.recipe))


def _ways(domain: Domain, offer: Offer, bridge: Any, own: Originals | None) -> list[Candidate]:
    """Probe, then tuning from the probe, then the parameter-efficient ways."""
    source, reads, n = offer.address, offer.reads, len(domain.folds[0].rest)
    if source.startswith("scratch:"):
        base = Recipe(source=source, bridge=bridge, stages=())
        reason = "no pretrained source was given: an architecture by itself"
        return [Candidate(recipe=scratch(base, domain.modality.part_name), role="scratch", reason=reason)]
    if reads == "columns":
        return _in_context(domain, source, bridge, n)
    crops = reads == "image" and own is not None and not (own.square and offer.generated)
    return [*_probes(domain, source, reads, bridge, n, crops), *_tuned(domain, offer, bridge)]


def _in_context(domain: Domain, source: str, bridge: Any, n: int) -> list[Candidate]:
    """What a network that learns in context is for: classes, as many as it can tell apart; nothing is tuned."""
    net = open_source(source, weights=False, modality=domain.modality.part_name).net
    if domain.task.part_name != "classify" or domain.task.outputs > net.shape.classes:
        return []
    reason = f"{n} labelled rows are read beside each new one by a network that learnt on generated tables how to"
    return [Candidate(recipe=single(source, bridge, "probe(head='context')"), reason=reason)]


def _probes(domain: Domain, source: str, reads: str, bridge: Any, n: int, crops: bool) -> list[Candidate]:
    """What takes no gradient steps: seconds each, as they share the features; `crops` where a part of pictures may be
    cut away, as no encoder of our own does with square ones."""
    lines = f"{n} labelled rows: frozen features with a convex head cost seconds and cannot overfit the body"
    bends = "a head that bends (kernel ridge) uses the same features, where classes are no half-spaces"
    ways = [("probe", bridge, "supervised", lines), ("probe(head='kernel')", bridge, "supervised", bends)]
    if crops:
        squashed = codec.from_json("bridges", codec.to_json(bridge) | {"crop": "squash"})
        whole = "the whole picture squashed instead of its centre: what matters may lie at the edge"
        ways += [(t, squashed, "supervised", whole) for t, *_ in ways]
    if reads == "image":
        five = "the last five layers read together: strokes and surfaces sit lower than things"
        ways.append(("probe(head='kernel', taps=4)", bridge, "supervised", five))
    if reads == "curves":
        even = "its features come with chance evened out already: means and one covariance, and no further scaling"
        ways.insert(0, ("probe(head='lda', normalise='no', standardise='no')", bridge, "supervised", even))
    if reads == "text":
        three = "the last three layers read together: tone sits lower than topic"
        ways.append(("probe(head='kernel', taps=2)", bridge, "supervised", three))
        if _few(domain) and _named(domain):
            named = "few labels a class, and classes with names: a name is worth about one more example"
            ways += [(t, bridge, "supervised(names=True)", named) for t, *_ in list(ways)]
    return [
        Candidate(recipe=single(source, way, tuning, objective=objective), reason=reason)
        for tuning, way, objective, reason in ways
    ]


def _tuned(domain: Domain, offer: Offer, bridge: Any) -> list[Candidate]:
    """What moves weights, each from the probe's head (LP-FT, Kumar et al. 2022, arXiv:2202.10054), gentle and short.

    Rates and lengths are single trials on public sets, not tuned optima. The whole schedule is run: the score in its
    middle, at the full rate, can lie below the probe's.
    """
    stored = "only the last blocks move, over stored activations: cheap, and the early layers are general"
    every = "start from the probe's head, then let all weights move a little, so that the features stay in place"
    source, reads = offer.address, offer.reads
    if reads == "text":
        gentle = {"lr": 1e-4, "epochs": 3, "patience": 0}
        ways = [
            ("partial(blocks=3, layer_decay=1.0)", gentle, stored),
            ("full(embedder=False)", gentle, every),
            ("lora", {"lr": 5e-4, "epochs": 3, "patience": 0}, "low-rank updates reach nearly as far with few weights"),
        ]
    elif codec.text(bridge).startswith("spectrogram"):
        ways = [("full(head_scale=2.0)", {"lr": 1e-3, "epochs": 4, "patience": 0, "decay": 0.02}, every)]
    else:
        gentle = {"lr": 5e-4, "epochs": 8, "patience": 0, "batch": 16, "decay": 0.02}
        ways = [("partial(blocks=7, layer_decay=0.8, head_scale=2.0)", gentle, stored)]
    named = "supervised(names=True)" if _few(domain) and _named(domain) else "supervised"
    smooth = named if reads == "text" else "supervised(smoothing=0.05)"
    if offer.generated:
        why = "the source has seen generated pictures only: from the probe's head on, all of it learns yours"
        return [Candidate(recipe=anew(source, bridge, len(domain.folds[0].rest), smooth), reason=why)]
    tuned = [
        Candidate(
            recipe=single(source, bridge, "probe(head='logistic')", tuning, objective=smooth, **_long(length, domain)),
            reason=why,
        )
        for tuning, length, why in ways
    ]
    return [tuned[0], *_drawn_together(domain, source, bridge, named), *tuned[1:]] if reads == "text" else tuned


def _drawn_together(domain: Domain, source: str, bridge: Any, objective: str) -> list[Candidate]:
    """Where labels are few: texts of one class drawn together by pairs, which are many, then a head (SetFit).

    Of few classes, all blocks take cosines to one and to nought, at a third of the rate for half the steps where rows
    are fewest: they may mislead, and then the less they are followed the better. Many classes would lose by that what
    they have in common, so theirs are only put in order, by the upper blocks. Trials on training rows of public sets of
    2 to 4 and of 77 classes chose all three.
    """
    if domain.task.part_name != "classify" or len(domain.folds[0].rest) >= FEW_FOR_PAIRS * domain.task.outputs:
        return []
    many = domain.task.outputs > FEW_CLASSES
    gently = not many and len(domain.folds[0].rest) < FEWEST * domain.task.outputs
    length = {"lr": 3e-5 if gently else 1e-4, "epochs": 5, "batch": 64, "patience": 0}
    pull = Stage(
        tuning=part("tunings", "partial(blocks=3, layer_decay=1.0)" if many else "full(embedder=False, layer_decay=1)"),
        objectives=(part("objectives", "contrastive(kind='supcon')" if many else "contrastive"),),
        **_long(length, domain, LEAST_STEPS if gently else STEPS_OF_PAIRS),
    )
    head = Stage(tuning=part("tunings", "probe(head='kernel')"), objectives=(part("objectives", objective),))
    pairs = "few labels make many pairs: texts of one class are drawn together, then a head is solved"
    return [Candidate(recipe=Recipe(source=source, bridge=bridge, stages=(pull, head)), reason=pairs)]


def _long(length: dict[str, Any], domain: Domain, least: int = LEAST_STEPS) -> dict[str, Any]:
    """The length with as many epochs as make some steps, where an epoch is a batch or two: three steps hardly begin."""
    steps = -(-len(domain.folds[0].rest) // length.get("batch", Stage.__dataclass_fields__["batch"].default))
    return length | {"epochs": max(length["epochs"], -(-least // steps))}


def _few(domain: Domain) -> bool:
    """Whether there are fewer labels a class than a source's own knowledge needs."""
    return domain.task.part_name == "classify" and len(domain.folds[0].rest) < FEW * domain.task.outputs


def _named(domain: Domain) -> bool:
    """Whether the classes are called by words."""
    names = domain.task.describe(np.zeros((1, domain.task.outputs), np.float32))[0]
    return all(re.search(r"[^\W\d_]{3}", str(n)) for n in names)


def _cost(recipe: Recipe) -> int:
    """A rough order of expense, before anything is measured: blocks that move."""
    order = {"probe": 0, "partial": 1, "norm_bias": 2, "lora": 2, "full": 3, "gradual": 4}
    return max((order.get(codec.text(s.tuning).split("(")[0], 3) for s in recipe.stages), default=0)
