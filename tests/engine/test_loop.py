"""The loop against torch by hand: a step, decay, clipping, early stop, levels, memory, time."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from engine_builders import make_loop, weights
from torch.nn import functional

from landbridge.core.batch import Batch
from landbridge.core.errors import ResourceError
from landbridge.engine.average import Average
from landbridge.engine.loop import CLIP, Loop
from landbridge.engine.schedule import rate


def test_the_loss_falls_and_the_curve_says_so() -> None:
    loop = make_loop("full(layer_decay=1.0)", epochs=12, lr=5e-3, patience=0)
    seen = loop.run()
    losses = [p["loss"] for p in seen.curve]
    assert losses[-1] < 0.5 * losses[0] and [p["epoch"] for p in seen.curve] == [float(i) for i in range(1, 13)]
    assert all({"validation", "validation_loss", "seconds"} <= set(p) for p in seen.curve)


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_one_step_is_adamw_with_warm_up_clipping_and_decay_that_spares_norms(decay: float) -> None:
    loop = make_loop("full(layer_decay=1.0, head_scale=1.0)", size=20, epochs=1, lr=0.01, decay=decay, validate=False)
    other = copy.deepcopy(loop.model)
    batch = next(loop.feed.epoch(torch.Generator().manual_seed(0)))
    functional.cross_entropy(other.eval().output(batch), batch.target).backward()
    norm = math.sqrt(sum(float(p.grad.square().sum()) for p in other.parameters() if p.grad is not None))
    scale = min(1.0, CLIP / (norm + 1e-6))
    expected, sure = {}, {}
    for name, p in other.named_parameters():
        if p.grad is None:
            continue
        g, spared = p.grad * scale, p.ndim == 1
        shrunk = p.detach() * (1 - 0.01 * (0.0 if spared else decay))
        # Adam's first step: both means, corrected for their start at zero, are g and g^2; the rate is warm already
        sure[name] = g.abs() > 1e-6  # below, the sign of rounding decides (a key's bias has no gradient at all)
        expected[name] = shrunk - 0.01 * g / (g.square().sqrt() + 1e-8)
    loop.run()
    for name, p in loop.model.named_parameters():
        if name in expected:
            torch.testing.assert_close(
                p.detach()[sure[name]], expected[name][sure[name]], atol=2e-5, rtol=1e-4, msg=name
            )
    assert sum(int(s.sum()) for s in sure.values()) > 1000


def test_the_schedule_warms_up_linearly_and_falls_as_a_half_cosine() -> None:
    assert [rate(s, 100) for s in range(10)] == pytest.approx([(s + 1) / 10 for s in range(10)])
    assert rate(10, 100) == 1.0 and rate(55, 100) == pytest.approx(0.5) and rate(100, 100) == pytest.approx(0.0)
    assert rate(99, 10_000) == 0.5 and rate(200, 10_000) == 1.0  # at most 200 steps
    assert rate(0, 1) == 1.0 and 0.0 <= rate(500, 100) < 1e-9


def test_averages_by_hand() -> None:
    values = [torch.tensor([v]) for v in (1.0, 2.0, 4.0, 8.0)]
    ema = Average("ema", {"w": torch.tensor([0.0])}, steps=40)  # horizon 4: weight of a new value at least 1/4
    swa = Average("swa", {"w": torch.tensor([0.0])}, steps=4)  # the last quarter: step 4 only
    late = Average("swa", {"w": torch.tensor([0.0])}, steps=2)  # from step 2 on
    for step, value in enumerate(values, 1):
        for average in (ema, swa, late):
            average.update({"w": value}, step)
    kept = 0.0
    for step, value in enumerate((1.0, 2.0, 4.0, 8.0), 1):
        kept += (value - kept) * max(0.25, 1 / (step + 1))
    assert float(ema.kept["w"]) == pytest.approx(kept)
    assert float(swa.kept["w"]) == 8.0 and float(late.kept["w"]) == pytest.approx((2 + 4 + 8) / 3)
    live = {"w": torch.tensor([5.0])}
    with ema.applied(live):
        assert float(live["w"]) == pytest.approx(kept)
    assert float(live["w"]) == 5.0


def test_early_stopping_gives_back_the_best_weights() -> None:
    loop = make_loop("full(layer_decay=1.0)", epochs=30, lr=2e-2, patience=2)
    seen = loop.run()
    scores = [(p["validation"], -p["validation_loss"]) for p in seen.curve]
    assert seen.ended == "patience" and seen.best_epoch == scores.index(max(scores)) + 1 == len(scores) - 2
    output, target = loop.outputs()
    assert loop.task.score(output, target) == seen.best_score == max(scores)[0]
    check = float(loop.task.loss(torch.from_numpy(output), torch.from_numpy(target)).mean())
    assert check == pytest.approx(seen.best_loss, rel=1e-6)


def test_levels_open_when_the_curve_stalls_and_the_best_epoch_comes_back_whole() -> None:
    loop = make_loop("gradual(step=1)", epochs=40, lr=0.2, patience=1)
    start, at_best = weights(loop), {}
    real = loop._look

    def watched(seen: object, loss: float, seconds: float) -> None:
        before = loop.model.state_dict()
        kept = {f"model/{n}": t.clone() for n, t in before.items()}
        real(seen, loss, seconds)
        if seen.best_epoch == seen.epoch:
            at_best.clear()
            at_best.update(kept)

    loop._look = watched
    seen = loop.run()
    assert seen.level == 4 and seen.ended == "patience"
    after = weights(loop)
    assert all(torch.equal(after[n], t) for n, t in at_best.items())
    assert not torch.equal(after["model/head.weight"], start["model/head.weight"])


@pytest.mark.parametrize(("patience", "levels"), [(2, [0, 1, 1, 2, 2, 3]), (0, [0, 1, 2, 3, 4, 4])])
def test_levels_open_by_the_clock_where_nothing_is_watched(patience: int, levels: list[int]) -> None:
    found = []
    for stop in range(1, 7):
        loop = make_loop("gradual(step=1)", epochs=6, stop_after=stop, patience=patience, validate=False)
        found.append(loop.run().level if patience else 0)
    if patience:
        assert found == levels
    else:
        assert make_loop("gradual(step=1)", epochs=6, patience=0, validate=False).run().level == 4


def test_less_memory_means_smaller_pieces_and_the_same_update(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make_loop("full", size=20, epochs=2, validate=False)
    pieces = make_loop("full", size=20, epochs=2, validate=False)
    real, sizes = pieces.model.output, []

    def small(batch: Batch) -> torch.Tensor:
        if len(batch) > 6:
            raise torch.OutOfMemoryError("out of memory")
        sizes.append(len(batch))
        return real(batch)

    pieces.model.output = small
    whole.run(), pieces.run()
    assert pieces.micro == 5 and set(sizes) == {5}
    for name, value in weights(whole).items():
        torch.testing.assert_close(weights(pieces)[name], value, atol=2e-5, rtol=1e-3, msg=name)


def test_a_retry_repeats_the_random_numbers_and_a_lack_for_one_example_is_said() -> None:
    loop = make_loop("full", size=20, epochs=1)
    draws: list[float] = []

    def loss(model: object, state: object, batch: Batch, generator: torch.Generator) -> dict[str, torch.Tensor]:
        draws.append(float(torch.rand((), generator=generator)))
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes")

    loop.objectives[0].__class__.loss, kept = (lambda self, *a: loss(*a)), loop.objectives[0].__class__.loss
    try:
        with pytest.raises(ResourceError, match="a single example is too large"):
            loop.run()
    finally:
        loop.objectives[0].__class__.loss = kept
    assert len(draws) == 6 and len(set(draws)) == 1  # 20, 10, 5, 3, 2, 1


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    loop = make_loop("full", size=20, epochs=1)
    loop.model.output = lambda batch: (_ for _ in ()).throw(RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        loop.run()


def test_an_infinite_loss_moves_nothing_and_ends_the_run() -> None:
    loop = make_loop("full", epochs=5)
    with torch.no_grad():
        loop.model.head.bias.fill_(float("nan"))
    before = weights(loop)
    seen = loop.run()
    assert seen.ended == "diverged" and seen.epoch == 1 and not seen.best
    assert "loss" not in seen.curve[0] and all(math.isfinite(v) for v in seen.curve[0].values())
    assert all(torch.equal(t, before[n]) for n, t in weights(loop).items() if "head.bias" not in n)


def test_the_deadline_ends_training_in_the_middle_of_an_epoch() -> None:
    ticks = iter(range(1000))
    loop = make_loop("full", epochs=50, deadline=6.0, clock=lambda: float(next(ticks)))
    seen = loop.run()
    assert seen.ended == "out of time" and seen.epoch <= 3 and seen.step < 3 * loop.feed.steps


def test_the_watcher_can_end_it() -> None:
    told: list[float] = []

    def watch(share: float, best: float) -> str:
        told.append(share)
        return "eliminated" if share >= 0.5 else ""

    assert make_loop("full", epochs=4, watch=watch).run().ended == "eliminated" and told == [0.25, 0.5]


def test_a_rehearsal_changes_nothing_and_foretells_by_length() -> None:
    loop = make_loop("full(norm_statistics='moving')", reads="image", epochs=2)
    before, state = weights(loop), torch.get_rng_state()
    pace = loop.rehearse()
    assert min(loop.foretell(pace)) > 0 and loop.foretell(2 * pace)[0] == pytest.approx(2 * loop.foretell(pace)[0])
    assert all(torch.equal(t, before[n]) for n, t in weights(loop).items())
    assert torch.equal(torch.get_rng_state(), state)
    first = loop.run()
    fresh = make_loop("full(norm_statistics='moving')", reads="image", epochs=2)
    assert [p["loss"] for p in fresh.run().curve] == [p["loss"] for p in first.curve]


def test_batches_of_one_never_reach_a_batch_norm() -> None:
    for rows in (34, 18, 66):  # 17, 9 and 33 for training
        loop = make_loop("full(norm_statistics='moving')", reads="image", rows=rows, size=8, epochs=1)
        assert isinstance(loop, Loop) and loop.run().epoch == 1
        assert min(len(b) for b in loop.feed.epoch(torch.Generator())) > 1
