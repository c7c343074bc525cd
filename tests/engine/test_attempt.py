"""Attempts from a source's weights to a trained model: what moves, what is shared, what it costs, what comes back."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from engine_builders import make_loop

from landbridge.core import codec
from landbridge.core.domain import Domain
from landbridge.core.errors import ArtifactError, LandbridgeError, OutOfTimeError, UsageError
from landbridge.core.model import Model, weights_hash
from landbridge.engine import workshop as workshop_file
from landbridge.engine.attempt import Attempt, Order, attempt, default_epochs
from landbridge.engine.average import SHARES
from landbridge.engine.cache import Cache
from landbridge.engine.chunk import read_chunk
from landbridge.engine.journal import Journal
from landbridge.engine.loop import Loop
from landbridge.engine.predictor import ModelPredictor, RivalPredictor, open_source, rebuild
from landbridge.engine.workshop import Workshop
from landbridge.objectives.contrastive import Contrastive
from landbridge.objectives.supervised import Supervised
from landbridge.planning.candidates import rival, single
from landbridge.testing import toy_domain

NATIVE = codec.parse("bridges", "native")
Make = Callable[[Domain], Workshop]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A workshop over a domain, on the CPU."""
    return lambda domain: Workshop(domain, device=torch.device("cpu"), folder=tmp_path)


def run(workshop: Workshop, source: str, *tunings: str, **given: object) -> Attempt:
    """An attempt on the first pair."""
    pair = workshop.domain.folds[0].pairs[0]
    fields = {
        k: given.pop(k) for k in ("train", "validation", "seconds", "lengths", "shares", "seed", "least") if k in given
    }
    fields = {"train": pair.train, "validation": pair.validation, **fields}
    return attempt(workshop, Order(recipe=single(source, NATIVE, *tunings, **given), **fields))


def kinds(workshop: Workshop, array: str) -> list[Path]:
    """The chunks that hold an array of this name."""
    paths = (workshop.folder / "activations").glob("*.chunk")
    return [p for p in paths if array in read_chunk(p).index["arrays"]]


@pytest.mark.parametrize("tuning", ["probe", "partial(1)", "partial(1, norm_statistics='moving')"])
@pytest.mark.parametrize("reads", ["text", "image"])
def test_what_is_frozen_stays_to_the_bit(make: Make, encoder: str, tuning: str, reads: str) -> None:
    source = encoder if reads == "text" else "scratch:convnet"
    workshop = make(toy_domain(reads, rows=24))
    done = run(workshop, source, tuning, epochs=0 if tuning == "probe" else 2, lr=1e-2)
    road = workshop.road(source, NATIVE, np.arange(18))
    body = done.predictor.model.body
    blocks = len(body.blocks)
    frozen = blocks if tuning == "probe" else blocks - 1
    for k in range(frozen):
        assert weights_hash(body.blocks[k].module) == weights_hash(road.body.blocks[k].module)
    for mine, theirs in zip(body.embedder, road.body.embedder, strict=True):
        assert weights_hash(mine) == weights_hash(theirs)
    assert (weights_hash(body.net) == road.origin) == (tuning == "probe")
    assert weights_hash(road.body.net) == road.origin and done.trial.trainable < done.trial.total


def test_lora_leaves_the_source_and_writes_its_adapter(make: Make, encoder: str) -> None:
    workshop = make(toy_domain("text", rows=24))
    done = run(workshop, encoder, "probe", "lora(rank=2)", epochs=2)
    assert set(done.adapter) == {"adapter_config.json", "adapter_model.safetensors"}
    original = open_source(encoder).net.state_dict()
    now = done.predictor.model.body.net.state_dict()
    moved = {n for n in original if not torch.equal(original[n], now[n])}
    assert set(now) == set(original) and moved and all("query" in n or "value" in n for n in moved)
    assert len(done.lengths) == 1 and done.lengths[0][1] == 2


@pytest.mark.parametrize(("tuning", "top"), [("partial(1)", "tokens"), ("ladder(reduction=2)", "tokens.2")])
def test_what_trains_from_the_store_comes_to_what_it_would_from_inputs(
    make: Make, encoder: str, tmp_path: Path, tuning: str, top: str
) -> None:
    domain = toy_domain("text", rows=32)
    workshop = make(domain)
    fast = run(workshop, encoder, "probe", tuning, epochs=3, lr=1e-3)
    assert len(kinds(workshop, top)) == 1
    without = Workshop(domain, device=torch.device("cpu"), folder=tmp_path / "other")
    without.store.limit = 0
    slow = run(without, encoder, "probe", tuning, epochs=3, lr=1e-3)
    assert not kinds(without, "tokens") and kinds(without, "rows")
    assert np.abs(fast.output - slow.output).max() < 0.05 * (1 + np.abs(slow.output).max())


def test_probes_share_features_and_each_row_is_read_once(make: Make, encoder: str) -> None:
    domain = toy_domain("text", rows=32)
    workshop = make(domain)
    pair = domain.folds[0].pairs[0]
    road = workshop.road(encoder, NATIVE, domain.folds[0].rest)
    read: list[int] = []
    real = road.supply.batch
    road.supply.batch = lambda rows, *a: (read.extend(rows.tolist()), real(rows, *a))[1]
    one, two = run(workshop, encoder, "probe"), run(workshop, encoder, "probe(head='ridge')")
    run(workshop, encoder, "probe", train=domain.folds[0].rest, validation=pair.validation[:0])
    assert sorted(read) == sorted(domain.folds[0].rest.tolist())
    assert one.output.shape == two.output.shape == (len(pair.validation), 2)
    exact = one.predictor.predict(domain.examples(pair.validation))
    assert np.abs(exact - one.output).max() < 0.1 * (1 + np.abs(exact).max())
    assert one.trial.validation == domain.task.score(one.output, domain.targets[pair.validation])
    assert one.lengths == () and one.trial.status == "done" and one.trial.peak_mb > 0


@pytest.mark.parametrize("tunings", [["probe(taps=1)"], ["probe", "partial(1)"]])
def test_an_attempt_comes_to_the_same_bits_with_a_cold_cache_a_warm_one_and_none(
    encoder: str, tmp_path: Path, tunings: list[str]
) -> None:
    domain, outputs, saved = toy_domain("text", rows=32), [], []
    for number, size in enumerate([0, 10**7, 10**7]):
        cache = Cache(tmp_path / "cache", size).open() if size else None
        shop = Workshop(domain, device=torch.device("cpu"), folder=tmp_path / str(number), cache=cache)
        read: list[int] = []
        road = shop.road(encoder, NATIVE, domain.folds[0].rest)
        road.reader.embedder[0].register_forward_hook(lambda module, given, made, read=read: read.append(len(made)))
        outputs.append(run(shop, encoder, *tunings, epochs=2 if len(tunings) > 1 else 0).output)
        saved.append(shop.store.saved)
        assert bool(read) == (number < 2), "the warm one never runs the body"
    assert np.array_equal(outputs[0], outputs[1]) and np.array_equal(outputs[1], outputs[2])
    assert saved[:2] == [0.0, 0.0] and saved[2] > 0.0


def test_what_weights_do_not_say_is_part_of_the_key(make: Make, encoder: str, tmp_path: Path) -> None:
    folder = Path(encoder.partition(":")[2])
    other = shutil.copytree(folder, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "hidden_act": "relu"}))
    workshop = make(toy_domain("text", rows=24))
    one, two = (workshop.road(s, NATIVE, np.arange(18)) for s in (encoder, f"transformers:{other}"))
    assert one.origin == two.origin and one.key != two.key
    apart = workshop.features(one, (), np.arange(5)) - workshop.features(two, (), np.arange(5))
    assert np.abs(apart).max() > 1e-4, "the same weights, another function between them"


def test_a_solved_head_counts_as_large_as_it_became(make: Make, encoder: str) -> None:
    workshop = make(toy_domain("text", rows=48))
    rows = len(workshop.domain.folds[0].pairs[0].train)
    bent = run(workshop, encoder, "probe(head='kernel')")
    assert bent.trial.trainable == 2 * rows + 2 > run(workshop, encoder, "probe").trial.trainable == 2 * 16 + 2
    released = run(workshop, encoder, "gradual(step=1)", epochs=10, patience=0)
    assert released.trial.trainable == released.trial.total  # each level counts once it moves


def test_class_names_are_examples_where_wished(make: Make, encoder: str) -> None:
    domain = toy_domain("text", rows=24)
    task = domain.task.__class__.from_labels(["river", "engine"] * 2)
    workshop = make(replace(domain, task=task))
    without, named = (run(workshop, encoder, "probe", objective=o) for o in ("supervised", "supervised(names=True)"))
    assert not np.array_equal(without.output, named.output)


def test_class_names_are_read_by_the_body_as_it_was_tuned(
    make: Make, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = toy_domain("text", rows=24)
    task = domain.task.__class__.from_labels(["river", "engine"] * 2)
    workshop, seen = make(replace(domain, task=task)), []
    solve = Supervised.solve
    monkeypatch.setattr(Supervised, "solve", lambda self, f, *a, **k: (seen.append(f[-2:]), solve(self, f, *a, **k))[1])
    base = single(encoder, NATIVE, "full", "probe", objective="supervised(names=True)")
    first, second = base.stages
    recipe = replace(base, stages=(replace(first, epochs=3, lr=1e-2), second))
    pair = workshop.domain.folds[0].pairs[0]
    done = attempt(workshop, Order(recipe=recipe, train=pair.train, validation=pair.validation))
    body = done.predictor.model.body
    inputs = body.prepare.collate([body.prepare(n) for n in task.describe(np.zeros((1, 2), np.float32))[0]])
    with torch.inference_mode():
        tuned = done.predictor.model.features(inputs)
        fresh = Model(open_source(encoder), torch.nn.Identity()).eval().features(inputs)
    assert torch.allclose(seen[-1], tuned, atol=2e-2) and float((seen[-1] - fresh).abs().max()) > 0.2


@pytest.mark.parametrize("seed", [0, 5])
def test_a_scratch_body_is_probed_with_its_own_weights(make: Make, seed: int) -> None:
    domain = toy_domain("image", rows=24)
    done = run(make(domain), "scratch:convnet", "probe", seed=seed)
    exact = done.predictor.predict(domain.examples(domain.folds[0].pairs[0].validation))
    assert np.abs(exact - done.output).max() < 0.1 * (1 + np.abs(exact).max())


@pytest.mark.parametrize(
    ("tunings", "share"), [(("probe",), 1.0), (("probe", "full"), 0.5), (("partial(1)", "probe"), math.inf)]
)
def test_reading_features_of_its_own_leaves_time_for_what_follows(
    make: Make, tunings: tuple[str, ...], share: float
) -> None:
    workshop, given = make(toy_domain("image", rows=24)), list[float]()
    real = workshop.watching

    def told(road, ends):
        given.append(ends - time.monotonic())
        return real(road, ends)

    workshop.watching = told
    length = {} if tunings == ("probe",) else {"epochs": 1}
    run(workshop, "scratch:convnet", *tunings, seed=5, seconds=1000.0, **length)
    assert share * 1000 - 60 <= given[-1] <= share * 1000


def test_features_that_would_be_read_for_too_long_end_the_trial(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop = make(toy_domain("image", rows=120))
    monkeypatch.setattr(workshop_file, "PATIENCE", 0.0)
    with pytest.raises(OutOfTimeError, match="would take"):
        run(workshop, "scratch:convnet", "probe", "full", seed=5, seconds=1e-3)


@pytest.mark.parametrize(
    ("took", "share", "ended"), [(1.0, 1e-3, False), (2.0, 0.01, True), (60.0, 0.5, True), (90.0, 0.8, False)]
)
def test_reading_may_be_the_later_the_more_is_read(
    make: Make, monkeypatch: pytest.MonkeyPatch, took: float, share: float, ended: bool
) -> None:
    """By hand, of 100 s: after 1 s nobody knows; 200 s; 120 s where 110 would do; 112.5 s where 116 would do."""
    now, workshop = [0.0], make(toy_domain("image", rows=24))
    road = workshop.road("scratch:convnet", NATIVE, np.arange(24))
    monkeypatch.setattr(workshop_file.time, "monotonic", lambda: now[0])
    watch = workshop.watching(road, 100.0)
    now[0] = took
    with pytest.raises(OutOfTimeError) if ended else nullcontext():
        watch(share, 10)


def test_refits_keep_the_lengths_they_are_given(make: Make, encoder: str) -> None:
    domain = toy_domain("text", rows=24)
    done = run(make(domain), encoder, "probe", "full", train=domain.folds[0].rest, validation=np.arange(0),
               lengths=((2, 7),), seconds=1e6)  # fmt: skip
    assert done.lengths == ((2, 7),) and [p["epoch"] for p in done.trial.curve] == [1.0, 2.0]
    assert done.output.shape == (0, 2) and done.trial.validation is None
    assert (default_epochs(100, scratch=False), default_epochs(10**6, scratch=False)) == (30, 3)
    assert default_epochs(100, scratch=True) == 60


def test_little_time_means_few_epochs(make: Make, encoder: str) -> None:
    workshop = make(toy_domain("text", rows=24))
    run(workshop, encoder, "probe")
    began = time.monotonic()
    done = run(workshop, encoder, "full", seconds=1.0, epochs=10_000)
    assert 1 <= done.lengths[0][1] < 10_000 and time.monotonic() - began < 4.0


def test_what_would_be_cut_to_a_few_steps_is_not_begun_where_that_is_asked_for(make: Make, encoder: str) -> None:
    workshop = make(toy_domain("text", rows=24))
    with pytest.raises(OutOfTimeError, match=r"of 10000 epochs fit into the .* s that are left") as error:
        run(workshop, encoder, "full", seconds=1.0, epochs=10_000, least=10**9)
    assert 0.0 < error.value.share < 0.5
    assert run(workshop, encoder, "full", seconds=60.0, epochs=2, least=10**9).lengths[0][1] == 2  # all of it fits


def test_a_stage_is_rehearsed_once_in_a_workshop(make: Make, encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop, rehearsed, real = make(toy_domain("text", rows=24)), list[int](), Loop.rehearse
    monkeypatch.setattr(Loop, "rehearse", lambda self: (rehearsed.append(1), real(self))[1])
    for rate in (1e-3, 1e-3, 1e-4):  # another rate is another recipe
        run(workshop, encoder, "probe", "full", seconds=60.0, epochs=1, lr=rate)
    assert len(rehearsed) == 2


def test_validation_that_would_take_too_long_is_foretold(make: Make, encoder: str) -> None:
    with pytest.raises(OutOfTimeError, match="checking 50 rows takes") as error:
        run(make(toy_domain("text", rows=200)), encoder, "full", seconds=1e-6, validation=np.arange(50))
    assert 0.0 <= error.value.share < 1.0


def test_reading_that_would_end_too_late_is_foretold(make: Make, encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop = make(toy_domain("text", rows=200))
    rows = workshop.domain.folds[0].rest
    road = workshop.road(encoder, NATIVE, rows)
    monkeypatch.setattr(workshop_file, "PATIENCE", 0.0)
    road.size = 10
    ends = time.monotonic()
    with pytest.raises(OutOfTimeError, match="reading 150 rows would take") as error:
        workshop.features(road, (), rows, ends=ends)
    assert 0.0 <= error.value.share < 0.5 and error.value.exit_code == 7
    (page,) = kinds(workshop, "end")
    assert len(read_chunk(page).digests) == 10  # what was read stays read
    assert workshop.features(road, (), rows).shape == (150, 16)
    different = len(np.unique(road.supply.digests(rows)))
    assert sum(len(read_chunk(p).digests) for p in kinds(workshop, "end")) == different


def test_rivals_are_attempts_too_and_refuse_other_data(make: Make) -> None:
    domain = toy_domain("text", rows=32)
    pair = domain.folds[0].pairs[0]
    done = attempt(make(domain), Order(recipe=rival("tfidf"), train=pair.train, validation=pair.validation))
    assert done.trial.role == "rival" and isinstance(done.predictor, RivalPredictor) and done.trial.validation == 1.0
    facts, arrays = done.predictor.state()
    again = rebuild(facts, arrays, {}, domain.task)
    assert np.array_equal(again.predict(domain.examples(pair.validation)), done.output)
    with pytest.raises(UsageError, match="the rival 'pixels' reads image, not text; use"):
        attempt(make(domain), Order(recipe=rival("pixels"), train=pair.train, validation=pair.validation))
    bare = replace(rival("tfidf"), source="scratch:convnet")
    with pytest.raises(UsageError, match="needs at least one stage"):
        attempt(make(domain), Order(recipe=bare, train=pair.train, validation=pair.validation))


def test_a_loss_that_explodes_is_an_error_of_the_recipe(make: Make) -> None:
    domain = toy_domain("image", rows=24)
    broken = replace(domain, targets=np.full(24, math.inf, np.float32), task=_regress())
    pair = domain.folds[0].pairs[0]
    recipe = single("scratch:convnet", NATIVE, "full", epochs=1)
    order = Order(recipe=recipe, train=pair.train, validation=pair.validation[:0])
    with pytest.raises(LandbridgeError, match="the loss became infinite; try a lower --lr"):
        attempt(make(broken), order)


def _regress():
    return codec.registry.find("tasks", "regress").from_labels([0.0, 1.0, 2.0])


@pytest.mark.parametrize("tunings", [["probe"], ["probe", "partial(1)"], ["probe(taps=1)"], ["probe(head='cache')"]])
def test_a_predictor_comes_back_to_the_bit(make: Make, encoder: str, tunings: list[str]) -> None:
    domain = toy_domain("text", rows=24)
    done = run(make(domain), encoder, *tunings)
    facts, arrays = done.predictor.state()
    again = rebuild(facts, arrays, done.predictor.model.body.files(), domain.task)
    assert facts["complete"] and isinstance(again, ModelPredictor)
    examples = list(domain.examples(np.arange(24)))
    assert np.array_equal(again.predict(examples), done.predictor.predict(examples))
    assert again.predict([]).shape == (0, 0)
    for name in ("body/embeddings.word_embeddings.weight", "head/weight"):
        torn = {n: a[:1] if n == name else a for n, a in arrays.items()}
        with pytest.raises(ArtifactError, match="do not fit") as error:
            rebuild(facts, torn, done.predictor.model.body.files(), domain.task)
        assert "\n" not in str(error.value)


def test_an_embedded_source_is_saved_as_what_changed(make: Make) -> None:
    body = open_source("embedded:minilm")
    origin = weights_hash(body.net)
    from landbridge.nn.heads import Head

    with torch.no_grad():
        body.net.encoder.layer[5].output.dense.bias.add_(0.5)
    predictor = ModelPredictor(Model(body, Head(384, 2)), source="embedded:minilm", bridge=NATIVE, facts={},
                               origin=origin)  # fmt: skip
    predictor.model.head.fill(torch.randn(2, 384), torch.zeros(2))
    facts, arrays = predictor.state()
    inside = [n for n in arrays if n.startswith("body/")]
    assert not facts["complete"] and inside == ["body/encoder.layer.5.output.dense.bias"]
    again = rebuild(facts, arrays, {}, toy_domain("text").task)
    assert np.array_equal(again.predict(["a river", "an engine"]), predictor.predict(["a river", "an engine"]))
    with pytest.raises(ArtifactError, match="are not those the artifact was made from; reinstall it"):
        rebuild(facts | {"source_sha256": "0" * 64}, arrays, {}, toy_domain("text").task)


def test_the_journal_gives_back_what_was_finished_and_nothing_torn(make: Make, encoder: str, tmp_path: Path) -> None:
    done = run(make(toy_domain("text", rows=24)), encoder, "probe", "full", epochs=2)
    journal = Journal(tmp_path / "journal")
    assert journal.find("key") is None
    journal.keep("key", done)
    found = journal.find("key")
    assert found.trial == done.trial and found.lengths == done.lengths and found.predictor is None
    assert np.array_equal(found.output, done.output)
    path = tmp_path / "journal" / "key.attempt"
    for bad in (
        path.read_bytes()[:-9],
        b"",
        b"\x02" + bytes(7) + b"{}",
        path.read_bytes().replace(b"lengths", b"lemgths"),
    ):
        path.write_bytes(bad)
        assert journal.find("key") is None


def test_an_objective_that_leaves_the_head_alone_runs_its_length_and_a_probe_follows(make: Make, encoder: str) -> None:
    workshop = make(toy_domain("text", rows=48))
    pair = workshop.domain.folds[0].pairs[0]
    shape = single(encoder, NATIVE, "partial(2)", objective="contrastive", epochs=6, lr=2e-3, patience=1).stages
    recipe = single(encoder, NATIVE, "probe")
    recipe = replace(recipe, stages=(*shape, *recipe.stages))
    done = attempt(workshop, Order(recipe=recipe, train=pair.train, validation=pair.validation))
    assert done.lengths == ((6, 6),) and not any("validation" in p for p in done.trial.curve)
    assert done.trial.curve[-1]["loss"] < done.trial.curve[0]["loss"] and len(done.output) == len(pair.validation)
    assert done.trial.validation == workshop.domain.task.score(done.output, workshop.domain.targets[pair.validation])
    body = done.predictor.model.body
    road = workshop.road(encoder, NATIVE, pair.train)
    assert weights_hash(body.net) != road.origin
    both = single(encoder, NATIVE, "probe", "partial(1)", objective="supervised", epochs=2)
    last = replace(both.stages[1], objectives=(both.stages[1].objectives[0], shape[0].objectives[0]))
    joint = replace(both, stages=(both.stages[0], last))
    judged = attempt(workshop, Order(recipe=joint, train=pair.train, validation=pair.validation))
    assert "validation" in judged.trial.curve[-1]


def test_two_objectives_read_the_features_of_a_batch_once() -> None:
    loop = make_loop("full", objectives=(Supervised(), Contrastive()), size=20, epochs=1, validate=False)
    given = {"size": 20, "epochs": 1, "validate": False}
    alone = [make_loop("full", objectives=(o,), **given) for o in (Supervised(), Contrastive())]
    calls: list[int] = []
    real = loop.model.features_from
    loop.model.features_from = lambda *a: (calls.append(1), real(*a))[1]
    both, parts = loop.run(), [other.run() for other in alone]
    assert len(calls) == loop.feed.steps
    assert both.curve[0]["loss"] == pytest.approx(sum(p.curve[0]["loss"] for p in parts), rel=1e-4)


def test_the_share_of_the_tuned_end_is_found_kept_and_used_again(make: Make, encoder: str, tmp_path: Path) -> None:
    workshop = make(toy_domain("text", rows=48))
    rest, none = workshop.domain.folds[0].rest, np.arange(0)
    done = run(workshop, encoder, "probe", "partial(1)", epochs=2, lr=1e-3, average="wise")
    assert len(done.shares) == len(done.lengths) == 1 and done.shares[0] in SHARES
    journal = Journal(tmp_path / "journal")
    journal.keep("key", done)
    assert journal.find("key").shares == done.shares
    given = {"train": rest, "validation": none, "epochs": 2, "lr": 1e-2, "average": "wise"}
    back = run(workshop, encoder, "probe", "partial(1)", shares=(0.0,), **given)
    origin = workshop.road(encoder, NATIVE, rest).origin
    assert back.shares == (0.0,) and weights_hash(back.predictor.model.body.net) == origin
    assert weights_hash(run(workshop, encoder, "probe", "partial(1)", **given).predictor.model.body.net) != origin
