"""Reading and predicting with little memory: smaller batches, the same numbers, one line for a single example."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from landbridge.core import codec
from landbridge.core.errors import ResourceError
from landbridge.core.model import Model
from landbridge.engine.attempt import Order, attempt
from landbridge.engine.memory import batched, is_memory
from landbridge.engine.workshop import Workshop
from landbridge.planning.candidates import single
from landbridge.testing import toy_domain

LACK = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"


@pytest.mark.parametrize(
    ("error", "lacks"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError(LACK), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("9"), False),
    ],
)
def test_a_lack_of_memory_is_told_from_other_errors(error: Exception, lacks: bool) -> None:
    assert is_memory(error) is lacks


def test_batches_shrink_once_and_stay_small() -> None:
    asked: list[int] = []

    def sizes(batch: np.ndarray) -> list[int]:
        asked.append(len(batch))
        if len(batch) > 3:
            raise MemoryError
        return batch.tolist()

    made = list(batched([np.arange(0, 9), np.arange(9, 14), np.arange(0)], sizes, "reading"))
    assert asked == [9, 5, 3, 3, 3, 3, 2]
    assert [p.tolist() for p, _ in made] == [v for _, v in made]
    assert np.concatenate([p for p, _ in made]).tolist() == list(range(14))


def test_a_single_example_too_large_is_one_line_and_other_errors_pass() -> None:
    def never(batch: np.ndarray) -> None:
        raise RuntimeError(LACK)

    with pytest.raises(ResourceError, match="reading: a single example is too large for the memory; try") as error:
        list(batched([np.arange(5)], never, "reading"))
    assert "\n" not in str(error.value)
    with pytest.raises(ZeroDivisionError):
        list(batched([np.arange(5)], lambda batch: 1 / 0, "reading"))


@pytest.mark.parametrize("tunings", [["probe"], ["probe", "partial(1)"], ["full"]])
def test_an_attempt_with_little_memory_comes_to_the_same(
    tmp_path: Path, encoder: str, monkeypatch: pytest.MonkeyPatch, tunings: list[str]
) -> None:
    domain = toy_domain("text", rows=32)
    pair = domain.folds[0].pairs[0]
    recipe = single(encoder, codec.parse("bridges", "native"), *tunings, epochs=0 if tunings == ["probe"] else 1)

    def run(name: str) -> tuple[np.ndarray, np.ndarray]:
        workshop = Workshop(domain, device=torch.device("cpu"), folder=tmp_path / name)
        done = attempt(workshop, Order(recipe=recipe, train=pair.train, validation=pair.validation))
        assert done.predictor is not None
        return done.output, done.predictor.predict(domain.examples(pair.validation))

    whole = run("whole")
    failed: list[int] = []

    def scarce(method: str) -> None:
        real = vars(Model)[method]

        def limited(self: Model, *given: object) -> object:
            inputs = next(g for g in given if isinstance(g, dict))
            if len(next(iter(inputs.values()))) > 5 and not torch.is_grad_enabled():
                failed.append(1)
                raise torch.OutOfMemoryError("out of memory")
            return real(self, *given)

        monkeypatch.setattr(Model, method, limited)

    for method in ("features", "depths", "tokens_at", "forward"):
        scarce(method)
    for expected, found in zip(whole, run("scarce"), strict=True):
        np.testing.assert_allclose(found, expected, atol=0.02)
    assert failed
