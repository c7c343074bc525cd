"""Save an adapted model so that it loads anywhere, and load it: `landbridge.load("artifact/")`."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from landbridge.core import registry
from landbridge.core.artifact import TARGET, read_artifact, write_artifact
from landbridge.core.contracts import Modality, Predictor, Task
from landbridge.core.errors import ArtifactError, LandbridgeError
from landbridge.core.model import Example
from landbridge.core.recipe import Recipe
from landbridge.delivery import card, parity
from landbridge.delivery.portable import portable
from landbridge.delivery.predict import CHUNK, Prediction
from landbridge.delivery.pretrained import KIND
from landbridge.engine.predictor import rebuild

HELD = {"rows": "rows", "features": "supports"}  # of training data, which heads may hold, by what their specs call it


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """A model that crossed over, with the proof that it paid: predicts, and knows its evidence and its recipe.

    `temperature` divides the outputs so that probabilities are calibrated; it never changes a label.
    """

    path: Path
    digest: str  # sha256 that names the whole content
    predictor: Predictor
    task: Task
    modality: Modality
    recipe: Recipe
    reading: Mapping[str, Any]
    evidence: Mapping[str, Any]
    temperature: float | None = None

    @property
    def name(self) -> str:
        """What was chosen: the recipe's name, or that of the mean of several."""
        chosen = self.evidence.get("chosen", {})
        return str(chosen["name"]) if chosen.get("members") else self.recipe.name

    def output(self, examples: Iterable[Example]) -> np.ndarray:
        """output_NC of decoded examples, calibrated; ArtifactError when the model answers with NaN or infinity."""
        raw = self.predictor.predict(examples)
        if not np.isfinite(raw).all():
            row = int(np.argmin(np.isfinite(raw).reshape(len(raw), -1).all(1)))
            raise ArtifactError(
                f"{self.path}: the model's answer for input {row} is not finite; its weights are unusable"
            )
        return raw if self.temperature is None else raw / np.float32(self.temperature)

    def probabilities(self, examples: Iterable[Example]) -> np.ndarray:
        """NxC probabilities of decoded examples; N values in original units for regression."""
        return self.task.probabilities(self.output(examples))

    def predict(self, inputs: Any) -> list[Prediction]:
        """One prediction per input, `{"input", "label", "probabilities"}`.

        `inputs` is a path (file, folder, archive, table), a list of paths, or a list of examples: texts, pictures,
        sounds, rows as mappings, arrays. In a list given to a text model every `str` is a text.
        """
        if isinstance(inputs, (str, Path)):
            return list(self.stream(self.read([inputs])))
        items = list(inputs)
        paths = (Path,) if self.modality.part_name == "text" else (Path, str)
        if items and all(isinstance(item, paths) for item in items):
            return list(self.stream(self.read(items)))
        decoded = ((f"input {number}", self.modality.decode(item)) for number, item in enumerate(items, 1))
        return list(self.stream(decoded))

    def read(self, paths: Sequence[str | Path]) -> Iterator[tuple[str, Example]]:
        """Name and example of every input found at the paths, decoded one by one, read as the training data was."""
        from landbridge.reading.inputs import read_inputs  # opens tables and archives: not needed to answer examples

        names, cells = read_inputs(paths, self.reading, self.modality)
        for name, cell in zip(names, cells, strict=True):
            yield name, self.modality.decode(cell)

    def stream(self, named: Iterable[tuple[str, Example]]) -> Iterator[Prediction]:
        """Predictions of named examples, a chunk at a time, so that memory stays flat however many there are."""
        iterator = iter(named)
        while chunk := list(islice(iterator, CHUNK)):
            output = self.output([example for _, example in chunk])
            labels, shares = self.task.decode(output), self.task.describe(output)
            for (name, _), label, share in zip(chunk, labels, shares, strict=True):
                yield {"input": name, "label": label, "probabilities": share}

    def __repr__(self) -> str:
        test = self.evidence.get("test", {})
        score = f", {test['metric']} {test['value']:.3g} on test" if test.get("value") is not None else ""
        return f"<adapted {self.task.part_name} of {self.modality.part_name}: {self.name}{score}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the headline and where the report lies; escaped."""
        headline = html.escape(str(self.evidence.get("headline", "")))
        recipe, path = html.escape(self.name), html.escape(str(self.path / "report.html"))
        return f"<p><b>{headline}</b></p><p><code>{recipe}</code></p><p>Report: <code>{path}</code></p>"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """Everything an artifact is made of. `private` lists paths that must not appear in it: they are cut to names.

    `source_files` is `Body.files()` (empty for a control), `adapter` the PEFT files where the tuning wrote some,
    `reference` what the watcher needs (name to JSON), `target` the moments of the target by which later data is told
    near or far, `render` draws the report from the evidence.
    """

    predictor: Predictor
    task: Task
    modality: Modality
    recipe: Recipe
    reading: Mapping[str, Any]
    evidence: Mapping[str, Any]
    render: Callable[[Mapping[str, Any]], str]
    temperature: float | None = None
    source_files: Mapping[str, bytes] = field(default_factory=dict)
    adapter: Mapping[str, bytes] = field(default_factory=dict)
    reference: Mapping[str, Any] = field(default_factory=dict)
    target: bytes | None = None
    private: Sequence[Path] = ()


def save(folder: str | Path, delivery: Delivery, examples: Sequence[Example] = (), *, fresh: bool = True) -> Adapted:
    """Write an artifact, after proof on `examples` (real rows) that it predicts the same when it is loaded.

    A draft is written beside `folder`, loaded (in a new process when `fresh`) and compared; only then the evidence,
    which then holds the proof, is sealed into the artifact. ArtifactError and nothing written when parity fails.
    """
    out = Path(folder)
    facts, arrays = delivery.predictor.state()
    expected = delivery.predictor.predict(list(examples)) if len(examples) else None
    evidence = dict(delivery.evidence)
    heads = [member.get("head", {}) for member in (facts, *facts.get("beside", ()))]
    held = {f"held_{name}": max(h.get(key) or 0 for h in heads) for name, key in HELD.items()}
    evidence |= {name: count for name, count in held.items() if count}  # of the training data, which a card must say
    if expected is not None:
        if delivery.temperature is not None:
            expected = expected / np.float32(delivery.temperature)
        with parity.draft(out) as trial:
            _write(trial, delivery, evidence, facts, arrays)
            check = parity.in_new_process if fresh else _in_this_process
            evidence["parity"] = parity.compare(delivery.task, expected, check(trial, examples))
    _write(out, delivery, evidence, facts, arrays)
    return load(out)


def load(path: str | Path) -> Adapted:
    """The adapted model in an artifact folder or its `.zip`, on any machine, without network or training data.

    Raises ArtifactError when it is torn, changed, of another schema, or does not fit what is installed.
    """
    artifact = read_artifact(path)
    preprocess = artifact.document("preprocess.json")
    if artifact.document("evidence.json").get("kind") == KIND:
        raise ArtifactError(
            f"{path}: holds a pretrained source, which predicts nothing; run DATA --source artifact:{path}"
        )
    labels, recipe = artifact.document("labels.json"), artifact.document("recipe.json")
    source = {n.removeprefix("source/"): data for n, data in artifact.files.items() if n.startswith("source/")}
    try:
        task = registry.find("tasks", labels["part"]).from_json(labels)
        temperature = preprocess["temperature"]
        if temperature is not None and not 0.0 < float(temperature) < 1e6:
            raise ArtifactError(f"{path}/preprocess.json: temperature must be above 0, got {temperature}; train again")
        return Adapted(
            path=Path(path),
            digest=artifact.digest,
            predictor=rebuild(preprocess["predictor"], artifact.arrays, source, task),
            task=task,
            modality=registry.find("modalities", preprocess["reading"]["modality"])(),
            recipe=Recipe.from_json(recipe),
            reading=preprocess["reading"],
            evidence=artifact.document("evidence.json"),
            temperature=None if temperature is None else float(temperature),
        )
    except ArtifactError:
        raise
    except LandbridgeError as error:
        raise ArtifactError(f"{path}: cannot be rebuilt here: {error}") from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ArtifactError(f"{path}: its documents do not fit together ({reason}); train it again") from error


def _in_this_process(folder: Path, examples: Sequence[Example]) -> np.ndarray:
    """Outputs of fresh objects: cheaper than a new process, and blind to what this one has imported."""
    return load(folder).output(examples)


def _write(
    folder: Path,
    delivery: Delivery,
    evidence: Mapping[str, Any],
    facts: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """The folder's files; everything a person reads is drawn from the same evidence."""
    shown = portable(dict(evidence), delivery.private)
    recipe = Recipe.from_json(portable(delivery.recipe.to_json(), delivery.private))
    documents = {
        "recipe.json": recipe.to_json(),
        "labels.json": delivery.task.to_json(),
        "preprocess.json": {
            "predictor": facts,
            "reading": dict(delivery.reading),
            "temperature": delivery.temperature,
        },
        **{f"reference/{name}": value for name, value in delivery.reference.items()},
    }
    files = {
        "card.md": card.render(shown, recipe).encode(),
        "report.html": delivery.render(shown).encode(),
        **{f"source/{name}": data for name, data in delivery.source_files.items()},
        **{f"adapter/{name}": data for name, data in delivery.adapter.items()},
        **({} if delivery.target is None else {TARGET: delivery.target}),
    }
    written = {**portable(documents, delivery.private), "evidence.json": shown}
    write_artifact(folder, documents=written, arrays=arrays, files=files)
