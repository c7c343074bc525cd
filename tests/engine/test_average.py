"""Between the ends of a stage, and the statistics of averaged weights, by hand and against torch."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import pytest
import torch
from engine_builders import make_loop, weights
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from landbridge.core.seeds import torch_generator
from landbridge.engine.average import SHARES, between, reestimate
from landbridge.engine.loop import Loop


def mixed(loop: Loop, start: Mapping[str, Tensor], end: Mapping[str, Tensor], share: float) -> None:
    """The weights between two states, written into the model of a loop."""
    state = {n: (1 - share) * t + share * end[n] if t.is_floating_point() else end[n] for n, t in start.items()}
    loop.model.load_state_dict(state)


def settled() -> dict[str, Tensor]:
    """A model that knows its task."""
    loop = make_loop("full(layer_decay=1.0)", rows=96, epochs=6, lr=5e-3)
    loop.run()
    return {n: t.clone() for n, t in loop.model.state_dict().items()}


@pytest.mark.parametrize("lr", [1e-6, 1e-3, 0.05, 0.3])
def test_the_share_is_the_best_on_validation_rows_and_of_equals_the_tuned_end(lr: float) -> None:
    start = settled()
    given = {"tuning": "full(layer_decay=1.0)", "rows": 96, "epochs": 1, "lr": lr, "patience": 0}
    plain, wise = make_loop(**given), make_loop(**given, average="wise", warm=True)
    for loop in (plain, wise):
        loop.model.load_state_dict(start)
    plain.run()
    seen = wise.run()
    end = {n: t.clone() for n, t in plain.model.state_dict().items()}
    scores = []
    for share in SHARES:
        mixed(plain, start, end, share)
        scores.append(plain.task.score(*plain.outputs()))
    assert seen.share == SHARES[scores.index(max(scores))]
    mixed(plain, start, end, seen.share)
    for name, value in plain.model.state_dict().items():
        torch.testing.assert_close(wise.model.state_dict()[name], value, msg=name)
    if lr == 1e-6:
        assert len(set(scores)) == 1 and seen.share == 1.0
    if lr == 0.3:
        assert seen.share < 1.0 and scores[0] < max(scores)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_that_was_found_before_is_used_without_validation_rows(share: float) -> None:
    given = {"tuning": "gradual(step=1)", "epochs": 5, "patience": 1, "lr": 0.01, "validate": False}
    plain, wise = make_loop(**given), make_loop(**given, average="wise", share=share)
    start = {n: t.clone() for n, t in plain.model.state_dict().items()}
    plain.run()
    assert wise.run().share == share and wise.current is wise.handle.levels[-1]
    end = {n: t.clone() for n, t in plain.model.state_dict().items()}
    mixed(plain, start, end, share)
    for name, value in plain.model.state_dict().items():
        torch.testing.assert_close(wise.model.state_dict()[name], value, msg=name)


def test_without_rows_to_choose_on_the_tuned_end_stays() -> None:
    given = {"tuning": "full", "epochs": 2, "validate": False}
    plain, wise = make_loop(**given), make_loop(**given, average="wise")
    plain.run()
    assert wise.run().share == 1.0
    assert all(torch.equal(t, weights(plain)[n]) for n, t in weights(wise).items())


def test_counters_are_not_mixed() -> None:
    into = {"w": torch.zeros(1), "n": torch.tensor(0)}
    start, end = ({"w": torch.tensor([w]), "n": torch.tensor(n)} for w, n in ((1.0, 3), (5.0, 9)))
    between(start, end, 0.25, into)
    assert float(into["w"]) == 2.0 and int(into["n"]) == 9


def test_statistics_are_torchs_own_after_one_pass() -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4, momentum=0.3)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.ReLU(), nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2))
    other = copy.deepcopy(net)
    batches = [torch.randn(size, 3, 8, 8) + size for size in (4, 7, 2)]
    update_bn(batches, other)
    reestimate(list(net.eval()), lambda: [net(batch) for batch in batches])
    for name, value in other.state_dict().items():
        torch.testing.assert_close(net.state_dict()[name], value, msg=name)
    assert norm.momentum == 0.3 and not norm.training


@pytest.mark.parametrize(("average", "validate"), [("ema", True), ("ema", False), ("swa", False)])
def test_averaged_weights_get_the_statistics_that_they_make(average: str, validate: bool) -> None:
    given = {"tuning": "full(norm_statistics='moving')", "reads": "image", "epochs": 4, "lr": 0.05, "patience": 0}
    loop = make_loop(**given, average=average, validate=validate)
    seen = loop.run()
    wanted = copy.deepcopy(loop.model)
    for module in wanted.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    order = torch_generator(3, "statistics", seen.best_epoch if validate else seen.epoch)
    update_bn([b.inputs["pixels"] for b in loop.feed.epoch(order)], _Body(wanted))
    for name, value in wanted.named_buffers():
        torch.testing.assert_close(dict(loop.model.named_buffers())[name], value, msg=name)


class _Body(nn.Module):
    """Pixels to features by a model."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        """As the model reads them."""
        return self.model.features({"pixels": pixels})


def test_looking_at_averaged_weights_does_not_disturb_training() -> None:
    given = {"tuning": "full(norm_statistics='moving', dropout=True)", "reads": "image", "epochs": 4, "patience": 0}
    plain, averaged = make_loop(**given), make_loop(**given, average="ema")
    assert [p["loss"] for p in plain.run().curve] == [p["loss"] for p in averaged.run().curve]
