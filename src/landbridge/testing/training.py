"""Checks of what moves weights: tunings and objectives."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core import codec, registry
from landbridge.core.batch import Batch
from landbridge.core.contracts import Handle, Objective, Stays, Tuning
from landbridge.core.errors import UsageError
from landbridge.core.model import Model, weights_hash
from landbridge.core.parts import name_of
from landbridge.core.seeds import stream
from landbridge.engine.loop import Follows
from landbridge.nn.heads import Head
from landbridge.testing.data import toy_domain
from landbridge.testing.fields import check_fields
from landbridge.testing.toys import toy_batch, toy_model

_STEPS, _RATE = 40, 5e-3
Loss = Callable[[Model, Batch], Tensor]


@runtime_checkable
class _Sees(Protocol):
    """An objective that needs random views of each example."""

    views: int


@runtime_checkable
class _Solves(Protocol):
    """An objective with a closed form."""

    def solve(
        self, features: Tensor, target: Tensor, task: Any, head: Head, *, seed: int, groups: Any
    ) -> dict[str, Any]: ...


def check_tuning(tuning: Tuning) -> None:
    """A tuning moves what its handle says and nothing else, and leaves plain weights or an insert that comes back.

    A tuning may refuse a kind of body (UsageError in one line, the model as it was), but not all of them.
    """
    check_fields("tunings", tuning)
    fitting = [reads for reads in ("text", "image") if _applies(tuning, reads)]
    assert fitting, f"{name_of(tuning)}: refuses every kind of body"
    for reads in fitting:
        _check_handle(tuning, reads)
        for level in range(1 + len(tuning.attach(toy_model(reads)).levels)):
            _check_movement(tuning, reads, level)
        _check_merge(tuning, reads)


def _applies(tuning: Tuning, reads: str) -> bool:
    """Whether a tuning takes a kind of body; where it does not, it says so in one line and changes nothing."""
    name, model = name_of(tuning), toy_model(reads)
    before, asking = weights_hash(model), [p.requires_grad for p in model.parameters()]
    try:
        tuning.attach(model)
    except UsageError as error:
        assert name in str(error) and "\n" not in str(error), f"{name}: the refusal is not one line with its name"
        same = weights_hash(model) == before and [p.requires_grad for p in model.parameters()] == asking
        assert same, f"{name}: refuses a body and changes it all the same"
        return False
    return True


def _check_handle(tuning: Tuning, reads: str) -> None:
    """Groups, flags and the lowest moving block agree; the output is the same as before where that is promised."""
    name, model = name_of(tuning), toy_model(reads)
    batch = toy_batch(model.body)
    head, before = model.head, model.output(batch).detach()
    handle = tuning.attach(model)
    model.eval()
    if model.head is head and all(insert.neutral for insert in model.body.inserts):
        torch.testing.assert_close(model.output(batch).detach(), before, msg=f"{name}: attaching changes the output")
    grouped = [id(p) for group in handle.groups for p in group["params"]]
    asking = {id(p) for p in model.parameters() if p.requires_grad}
    assert len(grouped) == len(set(grouped)), f"{name}: a parameter is in two groups"
    assert asking == set(grouped), f"{name}: requires_grad and the groups do not agree over {reads}"
    assert handle.lr > 0, f"{name}: the default rate must be above 0"
    for level in (handle, *handle.levels):
        _check_groups(name, model, level)


def _check_groups(name: str, model: Model, handle: Handle) -> None:
    """Multipliers are positive, norms and biases are spared from decay, and first_moving is the lowest that moves."""
    sparing = {
        id(p) for m in model.modules() if "norm" in type(m).__name__.lower() for p in m.parameters(recurse=False)
    }
    for group in handle.groups:
        assert set(group) >= {"params", "scale", "decay", "name"} and group["scale"] > 0, f"{name}: {group['name']}"
        for parameter in group["params"]:
            spared = parameter.ndim <= 1 or id(parameter) in sparing
            if not spared and parameter.numel() == max(parameter.shape):
                continue  # factors kept as a matrix of one row: whether they decay is the tuning's business
            assert group["decay"] != spared, f"{name}: {group['name']} decays norms or biases, or spares weights"
    moving = {id(p) for group in handle.groups for p in group["params"]}
    lowest = len(model.body.blocks)
    for i, block in reversed(list(enumerate(model.body.blocks))):
        if moving & {id(p) for p in block.module.parameters()}:
            lowest = i
    if moving & {id(p) for module in model.body.embedder for p in module.parameters()}:
        lowest = -1
    for insert in model.body.inserts:
        if moving & {id(p) for p in insert.parameters()}:
            lowest = min(lowest, insert.lowest)
    lowest = min([lowest, *model.taps]) if lowest == len(model.body.blocks) else lowest
    assert handle.first_moving == lowest, f"{name}: first_moving is {handle.first_moving}, lowest moving {lowest}"


def _check_movement(tuning: Tuning, reads: str, level: int) -> None:
    """After training the loss is lower, everything frozen is bit-equal, and what lies below gives the same bits."""
    name, model = name_of(tuning), toy_model(reads)
    handle = tuning.attach(model)
    handle = handle.levels[level - 1] if level else handle
    batch = toy_batch(model.body)
    with torch.no_grad():
        if model.head.width != model.pooled(batch).shape[1]:
            return  # a head for several depths is as wide as only its solver knows
    buffers = {id(b) for m in handle.moving for b in m.buffers()}
    moving = {id(p) for group in handle.groups for p in group["params"]} | buffers
    frozen = {
        n: t.detach().clone() for n, t in (*model.named_parameters(), *model.named_buffers()) if id(t) not in moving
    }
    below = _below(model, handle, batch)
    first, last = train(model, handle, batch)
    assert last < first, f"{name}: the loss does not fall over {reads}: {first:.4f} to {last:.4f}"
    now = dict((*model.named_parameters(), *model.named_buffers()))
    for key, value in frozen.items():
        assert torch.equal(now[key], value), f"{name}: {key} is frozen and has moved"
    handle.train_mode(model)
    for before, after in zip(below, _below(model, handle, batch), strict=True):
        assert torch.equal(before, after), f"{name}: what enters block {handle.first_moving} is not frozen"


def _below(model: Model, handle: Handle, batch: Batch) -> tuple[Tensor, ...]:
    """What enters the lowest moving block, computed as training computes it."""
    if handle.first_moving < 0 or batch.inputs is None:
        return ()
    handle.train_mode(model)
    with torch.no_grad():
        return model.tokens_at(handle.first_moving, batch.inputs)


def _check_merge(tuning: Tuning, reads: str) -> None:
    """Merging changes neither output nor names and kinds of the modules of the original net; what stays comes back."""
    name, model = name_of(tuning), toy_model(reads)
    original = toy_model(reads)
    batch = toy_batch(model.body)
    handle = tuning.attach(model)
    with torch.no_grad():
        if model.head.width == model.pooled(batch).shape[1]:
            train(model, handle, batch)
            before = model.eval().output(batch)
            tuning.merge(model)
            after = model.eval().output(batch)
            torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4, msg=f"{name}: merging changes the output")
        else:
            tuning.merge(model)
    kinds = [[(n, type(m)) for n, m in net.named_modules()] for net in (original.body.net, model.body.net)]
    assert kinds[0] == kinds[1], f"{name}: merging leaves other modules than there were"
    assert list(model.body.net.state_dict()) == list(original.body.net.state_dict()), f"{name}: other weight names"
    if isinstance(tuning, Stays):
        _check_return(name, model, original, batch)
    else:
        assert not len(model.body.inserts), f"{name}: leaves an insert, so it needs `insert`, which makes it again"


def _check_return(name: str, model: Model, fresh: Model, batch: Batch) -> None:
    """Put in again from its JSON, with the saved tensors, an insert gives the same output bit for bit."""
    assert len(model.body.inserts) == 1, f"{name}: must leave one insert"
    stored = json.loads(json.dumps(codec.to_json(model.body.inserts[0].tuning)))
    again = codec.from_json("tunings", stored).insert(fresh.body)
    assert not len(fresh.body.inserts), f"{name}: insert must change nothing by itself"
    fresh.body.inserts.append(again)
    parts = (model.body.net, fresh.body.net), (model.head, fresh.head), (model.body.inserts, fresh.body.inserts)
    for trained, empty in parts:
        empty.load_state_dict(copy.deepcopy(trained.state_dict()))
    with torch.no_grad():
        same = torch.equal(fresh.eval().output(batch), model.eval().output(batch))
    assert same, f"{name}: put in again with the saved tensors, the insert gives another output"


def train(
    model: Model, handle: Handle, batch: Batch, loss: Loss | None = None, own: Sequence[nn.Parameter] = ()
) -> tuple[float, float]:
    """A few steps of AdamW on one batch, for the handle's groups and for what an objective learns of its `own`; the
    loss before and after, without dropout."""
    measure = cross_entropy if loss is None else loss
    rate = _RATE / max([1.0, *(g["scale"] for g in handle.groups)])  # the fastest group's is as low as any other's
    groups = [
        {"params": g["params"], "lr": rate * g["scale"], "weight_decay": 0.01 * g["decay"]} for g in handle.groups
    ]
    groups.append({"params": list(own), "lr": _RATE, "weight_decay": 0.0})
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(0, "toy training"))
        for parameter in (p for g in handle.groups for p in g["params"]):
            parameter.requires_grad_(True)
        first = float(measure(model.eval(), batch).detach())
        optimiser = torch.optim.AdamW(groups)
        handle.train_mode(model)
        for _ in range(_STEPS):
            optimiser.zero_grad()
            measure(model, batch).backward()
            optimiser.step()
        return first, float(measure(model.eval(), batch).detach())


def cross_entropy(model: Model, batch: Batch) -> Tensor:
    """The mean cross-entropy of a batch of classes."""
    assert batch.target is not None
    return nn.functional.cross_entropy(model.output(batch), batch.target)


def check_objective(objective: Objective) -> None:
    """An objective's loss falls under training, repeats under the same generator, and agrees in float64.

    An objective may refuse a kind of body (UsageError in one line with its name), but not all of them.
    """
    check_fields("objectives", objective)
    fitting = [reads for reads in ("text", "image", "table") if _pulls(objective, reads)]
    assert fitting, f"{name_of(objective)}: refuses every kind of body"
    if isinstance(objective, _Solves):
        _check_solution(objective)


def _pulls(objective: Objective, reads: str) -> bool:
    """Check an objective over one kind of body; whether it takes such."""
    name, model, domain = name_of(objective), toy_model(reads), toy_domain(reads)
    handle = registry.find("tunings", "full")(layer_decay=1.0).attach(model)
    before = weights_hash(model)
    try:
        state = objective.begin(model, domain, domain.folds[0].pairs[0].train, {})
    except UsageError as error:
        assert str(error).startswith(f"{name}: ") and "\n" not in str(error), f"{name}: the refusal is not one line"
        return False
    assert weights_hash(model) == before, f"{name}: begin changes the model"
    assert isinstance(state, nn.Module), f"{name}: begin must give a module, so that a state dict holds the state"
    batch = toy_batch(model.body, views=objective.views if isinstance(objective, _Sees) else 0)

    def loss(model: Model, batch: Batch, state: nn.Module = state) -> Tensor:
        terms = objective.loss(model, state, batch, torch.Generator().manual_seed(3))
        assert terms and all(t.ndim == 0 and bool(torch.isfinite(t)) for t in terms.values()), "scalar, finite terms"
        return torch.stack(list(terms.values())).sum()

    model.eval()
    assert torch.equal(loss(model, batch), loss(model, batch)), f"{name}: the same generator, another loss"
    _check_precision(name, model, state, batch, loss)
    state.load_state_dict(copy.deepcopy(state.state_dict()))
    own = [p for p in state.parameters() if p.requires_grad]
    first, last = train(model, handle, batch, loss, own)
    assert last < first, f"{name}: the loss does not fall over {reads}: {first:.4f} to {last:.4f}"
    if isinstance(objective, Follows):
        after = weights_hash(model)
        objective.after_step(model, state, 0.5)
        assert weights_hash(model) == after, f"{name}: after_step changes the model; only the state may follow"
        loss(model, batch)
    memory = objective.end(model, state, {"kept": 1})
    assert memory.get("kept") == 1, f"{name}: end must keep what earlier stages remembered"
    return True


def _check_precision(name: str, model: Model, state: nn.Module, batch: Batch, loss: Callable[..., Tensor]) -> None:
    """float32 and float64 agree to four digits."""
    double, wide = copy.deepcopy(model).double(), copy.deepcopy(state).double()
    exact = loss(double, _double(batch), wide)
    torch.testing.assert_close(
        loss(model, batch).double(), exact, rtol=1e-4, atol=1e-5, msg=f"{name}: float32 is not float64"
    )


def _double(batch: Batch) -> Batch:
    """The batch and its views in float64."""
    inputs = {k: v.double() if v.is_floating_point() else v for k, v in (batch.inputs or {}).items()}
    return replace(batch, inputs=inputs, views=tuple(_double(view) for view in batch.views))


def _check_solution(objective: _Solves) -> None:
    """A closed form fills the head better than knowing nothing, with the same numbers each time."""
    model, domain = toy_model("text"), toy_domain("text")
    batch = toy_batch(model.body)
    assert batch.target is not None
    with torch.no_grad():
        features = model.pooled(batch)
    fills = []
    for _ in range(2):
        head = Head(model.body.width, domain.task.outputs)
        facts = objective.solve(features, batch.target, domain.task, head, seed=0, groups=None)
        assert isinstance(facts, dict), "solve must say how the head was chosen"
        fills.append(head(features).detach().numpy())
    target = batch.target.numpy()
    trivial = np.tile(domain.task.trivial(target), (len(target), 1))
    assert domain.task.score(fills[0], target) > domain.task.score(trivial, target), (
        "solving is no better than guessing"
    )
    assert np.array_equal(*fills), "solving twice gives two heads"
