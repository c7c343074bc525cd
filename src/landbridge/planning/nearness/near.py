"""All that a source's checkpoint lets us say about how near the data is."""

from __future__ import annotations

from typing import Any

from landbridge.engine.workshop import Workshop
from landbridge.nn.text_prepare import TextPrepare
from landbridge.planning.layers import Reading
from landbridge.planning.nearness.norm_statistics import norm_distance
from landbridge.planning.nearness.source_classes import names_of, source_classes, source_probabilities
from landbridge.planning.nearness.wording import ROWS, wording

NEAR, FAR = 0.5, 1.0  # own deviations; pictures drawn like a source's own data stay below the first


def nearness(workshop: Workshop, reading: Reading) -> dict[str, Any]:
    """What is known by kind: `norms`, `classes`, `wording`, None for what this source does not tell."""
    road, domain, rows = reading.road, workshop.domain, reading.rows
    found: dict[str, Any] = {"norms": norm_distance(road, rows, workshop.seed), "classes": None, "wording": None}
    head = road.bare.source_head
    if head is not None:
        features = workshop.features(road, (), rows)
        probability = source_probabilities(features, head)
        names = names_of(road.bare.files(), probability.shape[1])
        found["classes"] = source_classes(probability, features, domain.targets[rows], domain.task, names)
    if isinstance(road.body.prepare, TextPrepare) and domain.modality.part_name == "text":
        found["wording"] = wording(road.body.prepare, [str(domain.example(int(r))) for r in rows[:ROWS]])
    return found | {"sentence": _sentence(found)}


def _sentence(found: dict[str, Any]) -> str:
    """The numbers in words."""
    said: list[str] = []
    if norms := found["norms"]:
        how = "near" if norms["value"] < NEAR else "not far" if norms["value"] < FAR else "far"
        said.append(f"{how} from what it was trained on: channels lie {norms['value']:.2f} of their deviations away")
    if classes := found["classes"]:
        said.append(f"its own {classes['classes']} classes are {classes['confidence']:.0%} sure on average")
        if "explained" in classes:
            said.append(f"they tell {classes['explained']:.0%} of the labels")
    if words := found["wording"]:
        said.append(f"{words['pieces_per_word']:.2f} pieces a word, {words['unknown']:.1%} unknown, "
                    f"{words['cut']:.1%} of the texts are longer than {words['limit']} pieces")  # fmt: skip
    return "; ".join(said) or "this source tells nothing of what it was trained on"
