"""Try the candidates on one fold within a time budget: probes first, then by promise; hopeless ones dropped early.

The best on validation wins; candidates are compared over the pairs that all of them ran on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from landbridge.core.clock import Budget
from landbridge.core.domain import Fold, Pair
from landbridge.core.errors import LandbridgeError, OutOfTimeError
from landbridge.core.finding import Trial
from landbridge.core.progress import Tick
from landbridge.core.recipe import Recipe
from landbridge.core.seeds import stream
from landbridge.engine.attempt import LATE, Attempt, Order, attempt
from landbridge.engine.journal import Journal, key_of
from landbridge.engine.workshop import Workshop
from landbridge.planning.belief import Belief, prior_of, prior_of_mean, updated
from landbridge.planning.candidates import ANSWERS, ASKED, Candidate, scratch
from landbridge.planning.doubt import paired_error, standard_error
from landbridge.planning.ensemble import ensemble
from landbridge.planning.foretell import Known, gain_of, labels_a_class
from landbridge.planning.labels_worth import ceiling
from landbridge.planning.neighbours import climb
from landbridge.planning.sharing import fair_to_scratch
from landbridge.planning.shrunk import shrunk
from landbridge.planning.soup import alike, can_be_averaged, greedy_soup
from landbridge.planning.standing import Standing
from landbridge.planning.turns import CANNOT, PLANNING, Turns, look_ahead

CAUTION = 0.7  # of the rows that would just fit are read
MANY_ROWS = 3_000  # rows from which a second training is not worth its time
SURE = 2.0  # standard errors by which a trial must lie behind the leader to be dropped
LEAST_VALIDATED = 50  # rows below which neighbours differ by luck alone
CUT = ("eliminated", LATE, "diverged")  # how a trial that is usable all the same may end
MOST_PAIRS = 3  # on which a recipe that takes steps is tried
LEAST_STEPS = 10  # of a stage, below which what a trial comes to says nothing
SHORTEST = 2.0  # seconds that are worth beginning a trial for
EARNED = 0.25  # standard deviations of the belief that a recipe with steps must be ahead: better with odds of 3 to 2
FAVOUR = 0.5  # of the time left that a promising recipe may take for its whole schedule, where an even share is less
AIR = 1.2  # times the time foretold
BORROWED = 0.4  # of the time kept for what comes after that the first candidate may take: without it nothing comes
EARLY = 0.6  # of its schedule after which a trial may be dropped; in its middle, at full rate, it looks worse


@dataclass
class Search:
    """The comparison on one fold."""

    workshop: Workshop
    fold: Fold
    number: int
    budget: Budget
    journal: Journal
    seed: int
    standings: list[Standing] = field(default_factory=list)
    promise: bool = False  # recipes take their turns by what the plan foretells, and none that cannot win
    turns: Turns = field(default_factory=Turns)
    early: float = EARLY  # above 1 nothing is dropped
    climbs: bool = True  # whether neighbours of the best are tried where time is left
    soups: bool = True  # whether what was trained from one start is averaged at the end
    ensembles: bool = True  # whether answers that validation cannot tell apart are

    def run(self, candidates: Sequence[Candidate], controls: Sequence[Candidate], reserve: float) -> list[Standing]:
        """All standings, in the order they were tried. `reserve` seconds are kept for what comes after."""
        deadline = max(0.0, self.budget.left - reserve)
        began = self.budget.spent
        quick = [c for c in candidates if _closed(c.recipe)]
        slow = [c for c in candidates if not _closed(c.recipe)]
        for control in controls:
            self._try(control, pairs=len(self.fold.pairs), seconds=0.25 * deadline)
        for number, candidate in enumerate(quick):
            room = deadline - (self.budget.spent - began)
            if number == 0 or room > 1.5 * max((s.seconds for s in self.transfer()), default=0.0):
                more = BORROWED * reserve if number == 0 else 0.0
                self._try(candidate, pairs=len(self.fold.pairs), seconds=max(1.0, room + more))
            else:
                self._skip(candidate, "out of time")
        self._at_least_one(deadline - (self.budget.spent - began))
        slow = self.worth(slow)
        if self.promise:
            slow = self._planned(slow, deadline - (self.budget.spent - began))
        late = list[Standing]()
        for number, candidate in enumerate(slow):
            if why := self.turns.excluded(candidate, *self.lead()):
                self._skip(candidate, CANNOT, why)
                continue
            room = deadline - (self.budget.spent - began)
            pairs = len(self.fold.pairs[:MOST_PAIRS])
            again = 1 / pairs if refits(self.fold) else 0.0
            share = room / (len(slow) - number + len(late) + again)
            share = max(share, min(self._wanted(candidate), FAVOUR * room))
            if share < SHORTEST and math.isfinite(share) and self.transfer():
                self._skip(candidate, "out of time")
                continue
            least = 0 if candidate.reason == ASKED else LEAST_STEPS
            tried = self._try(
                candidate, pairs=pairs, seconds=max(1.0, share), again=again and again * share, least=least
            )
            late += [tried] if least and not tried.attempts and isinstance(tried.error, OutOfTimeError) else []
        self._postponed(late, lambda: deadline - (self.budget.spent - began))
        self._at_least_one(deadline - (self.budget.spent - began))
        if self.climbs:
            self._climb(lambda: deadline - (self.budget.spent - began))
        self._runoff(lambda: deadline - (self.budget.spent - began))
        if self.soups:
            self._soup(lambda: deadline - (self.budget.spent - began), reserve)
        if self.ensembles:
            self._ensemble(lambda: deadline - (self.budget.spent - began), reserve)
        return self.standings

    def _postponed(self, late: Sequence[Standing], room: Callable[[], float]) -> None:
        """What an even share of the time was too little for takes all that is left, the most promising first."""
        known, pairs = self.known(), len(self.fold.pairs[:MOST_PAIRS])
        again = 1 / pairs if refits(self.fold) else 0.0

        def expected(standing: Standing) -> float:
            recipe = standing.candidate.recipe
            return gain_of(recipe, known[recipe.source])[0] if recipe.source in known else 0.0

        for standing in sorted(late, key=expected, reverse=True):
            seconds = room() / (1 + again)
            if seconds >= SHORTEST:
                self.standings.remove(standing)
                self._try(standing.candidate, pairs=pairs, seconds=seconds, again=again * seconds, least=LEAST_STEPS)

    def _climb(self, room: Callable[[], float]) -> None:
        """Time that is left goes to the neighbours of the best recipe that takes steps, unless the best of those that
        take none is ahead by more than the error, rows are so few that luck would choose, or a person named it."""
        moving = [s for s in self.transfer() if not _closed(s.candidate.recipe)]
        best, steady = self.best(moving), self.best([s for s in self.transfer() if s not in moving])
        top = ceiling(self.workshop.domain.task.metric) - 1e-12
        if best is None or best.candidate.reason == ASKED or self.lead()[0] >= top:
            return
        if len(np.unique(best.validation)) < LEAST_VALIDATED:
            return
        if steady is not None and sum(self.gap(best, steady)) < 0:
            return
        found = {best.candidate.name: best}

        def better(made: Candidate, than: Candidate) -> bool | None:
            pairs, seconds = len(found[than.name].attempts), found[than.name].seconds
            if room() < pairs * seconds * (1 + 1 / pairs if refits(self.fold) else 1.0):
                return None
            found[made.name] = self._try(made, pairs=pairs, seconds=room())
            return self.best([found[than.name], found[made.name]]) is found[made.name]

        climb(best.candidate, better)

    def _runoff(self, room: Callable[[], float]) -> None:
        """Time that is left goes to a decision that is open: the best recipe with steps runs on further pairs while
        beliefs in it and in the best without steps lie no further apart than the doubt."""
        plain, steady = self.plain(), self.settle([s for s in self.transfer() if _closed(s.candidate.recipe)])
        leader = self.settle([s for s in self.transfer() if not _closed(s.candidate.recipe)])
        if plain is None or steady is None or leader is None:
            return
        for number in sorted(set(steady.attempts) - set(leader.attempts)):
            apart = abs(self._worth(leader, plain) - self._worth(steady, plain))
            each = leader.seconds * (2 if refits(self.fold) else 1)  # of which the refit may take as much again
            if apart > self.belief(leader, plain).spread or room() < each:
                return
            try:
                leader.attempts[number] = self._attempt(leader, number, room() - each + leader.seconds)
            except LandbridgeError as error:
                leader.error = error
                return
            leader.trial = self._summary(leader)

    def _soup(self, room: Callable[[], float], kept: float) -> None:
        """The best that can be averaged and those that start as it does, averaged as far as validation gets no worse.

        Not over several folds: each would have members of its own, and none of these soups is what is delivered there.
        """
        best, domain = self.best([s for s in self.transfer() if can_be_averaged(s)]), self.workshop.domain
        if best is None or len(domain.folds) > 1 or self.lead()[0] >= ceiling(domain.task.metric) - 1e-12:
            return
        pairs = sorted(best.attempts)[:MOST_PAIRS]
        pool = alike(self.transfer(), best, pairs)
        self._join(greedy_soup(self.workshop, pool, pairs, room, rows=self._again, kept=kept))

    def _ensemble(self, room: Callable[[], float], kept: float) -> None:
        """What validation cannot tell apart, averaged answer by answer; neither over several folds."""
        if len(self.workshop.domain.folds) == 1 and self.lead()[0] < ceiling(self.workshop.domain.task.metric) - 1e-12:
            self._join(ensemble(self, room, rows=self._again, kept=kept))

    def _join(self, made: Standing | None) -> None:
        if made is not None:
            made.trial = self._summary(made)
            self.standings.append(made)

    @property
    def _again(self) -> int:
        """Rows on which the winner is trained again, 0 where it is not."""
        return len(self.fold.rest) if refits(self.fold) else 0

    def _planned(self, slow: list[Candidate], left: float) -> list[Candidate]:
        """The recipes that take steps in the order of their promise, where there is time to find out what they cost."""
        pairs = self.fold.pairs[:MOST_PAIRS]
        room = PLANNING * left
        self.turns = look_ahead(self.workshop, pairs, slow, self.known(), self.lead(), room=room)
        return self.turns.order(slow, *self.lead())

    def known(self) -> dict[str, Known]:
        """What the probes so far say of each source."""
        found = dict[str, Known]()
        for standing in self.transfer():
            source = standing.candidate.recipe.source
            if source not in found or standing.score > found[source].value:
                found[source] = self._known_of(standing)
        return found

    def _known_of(self, standing: Standing) -> Known:
        """What a standing says about its source."""
        domain = self.workshop.domain
        return Known(
            metric=domain.task.metric,
            value=standing.score,
            error=self.doubt(standing),
            labels=labels_a_class(len(self.fold.pairs[0].train), domain.task.outputs, domain.task.part_name),
            rows=len(np.unique(np.concatenate([standing.pairs[p].validation for p in standing.attempts]))),
            crossing=type(standing.candidate.recipe.bridge).part_name != "native",
            seconds=standing.seconds,
        )

    def lead(self) -> tuple[float, float]:
        """The best score of a transfer so far and its standard error."""
        best = self.best(self.transfer())
        return (best.score, self.doubt(best)) if best is not None else (-math.inf, 0.0)

    def doubt(self, standing: Standing) -> float:
        """The standard error of a standing's score over its pairs, which look at different rows."""
        errors = [self._standard_error(standing, pair) for pair in standing.attempts]
        return float(np.mean(errors)) / math.sqrt(len(errors))

    def _wanted(self, candidate: Candidate) -> float:
        """Seconds of a candidate's whole schedule with some air, 0 where nobody knows."""
        found = self.turns.of(candidate)
        return AIR * found.seconds if found is not None and found.seconds is not None else 0.0

    def _at_least_one(self, room: float) -> None:
        """Where no candidate could read all rows in time, the first one reads as many as there is time for."""
        tried = (s for s in self.standings if s.candidate.role == "candidate")
        late = next((s for s in tried if isinstance(s.error, OutOfTimeError)), None)
        if late is not None and not self.transfer():
            self._with_fewer_rows(late, room)

    def _with_fewer_rows(self, late: Standing, room: float) -> Standing:
        """A candidate that was too slow, again on the share of its rows for which `room` seconds suffice."""
        assert isinstance(late.error, OutOfTimeError)
        share = CAUTION * late.error.share * min(1.0, max(0.1, room / max(1.0, room + late.seconds)))
        pairs = tuple(shrunk(p, self.workshop.domain, share, self.seed) for p in self.fold.pairs[:1])
        self.standings.remove(late)
        seconds = math.inf if _closed(late.candidate.recipe) else max(1.0, room)
        return self._try(late.candidate, pairs=1, seconds=seconds, among=pairs)

    def scratch_control(self, seconds: float) -> Standing | None:
        """The best transfer recipe's architecture without its knowledge; None when no source was used."""
        best = self.best(self.transfer())
        if best is None or best.candidate.recipe.source.startswith(("scratch:", "rival:")):
            return None
        trials = [a.trial.seconds for s in self.transfer() if not s.members for a in s.attempts.values()]
        seconds = min(seconds, fair_to_scratch(trials, self.workshop.store.saved))
        reason = f"the architecture of {best.candidate.recipe.source} without its knowledge"
        control = Candidate(
            recipe=scratch(best.candidate.recipe, self.workshop.domain.modality.part_name),
            role="scratch",
            reason=reason,
        )
        made = self._try(control, pairs=1, seconds=seconds, among=best.pairs)  # on the rows that transfer had time for
        return self._with_fewer_rows(made, seconds) if isinstance(made.error, OutOfTimeError) else made

    def transfer(self) -> list[Standing]:
        """The standings that carry a source's knowledge and came to a result."""
        return [s for s in self.standings if s.candidate.role == "candidate" and s.attempts]

    @staticmethod
    def best(standings: Sequence[Standing]) -> Standing | None:
        """The best on validation over the pairs that all share; of equals the first, as simple ones are tried first."""
        able = [s for s in standings if s.attempts]
        shared = set.intersection(*(set(s.attempts) for s in able)) if able else set[int]()
        return max(able, key=lambda s: s.over(shared), default=None)

    def settle(self, standings: Sequence[Standing]) -> Standing | None:
        """Who wins: the one whose difference to the plain probe is believed to be the greatest; without a probe the
        best on validation. Of near equals the simpler one wins, so steps must earn a part of the doubt about them."""
        plain = self.plain()
        if plain is None:
            return self.best(standings)
        return max((s for s in standings if s.attempts), key=lambda s: self._worth(s, plain), default=None)

    def _worth(self, standing: Standing, plain: Standing) -> float:
        found = self.belief(standing, plain)
        return found.mean if _closed(standing.candidate.recipe) else found.mean - EARNED * found.spread

    def belief(self, standing: Standing, plain: Standing) -> Belief:
        """How far a standing is ahead of the plain probe, by what was expected of its kind and by what validation saw.

        On few rows two recipes may answer all alike, which says that they are near each other but not that they are
        equal, so an error is never less than that of half a row. It is widened for the training rows, which would be
        others another time and which the pairs share (Nadeau and Bengio 2003, the corrected resampled t-test).
        """
        if standing is plain:
            return Belief(0.0, 0.0)
        lead, error = self.gap(standing, plain)
        seen = set(standing.attempts) & set(plain.attempts) or set(standing.attempts)
        shared = [standing.pairs[p] for p in sorted(seen)]
        rows = len(np.unique(np.concatenate([p.validation for p in shared])))
        widening = math.sqrt(1 + sum(len(p.validation) / len(p.train) for p in shared))
        known = self._known_of(plain)
        prior = prior_of(standing.candidate.recipe, standing.candidate.role, known)
        if standing.candidate.mean == ANSWERS:
            prior = prior_of_mean([self.belief(m, plain) for m in standing.members], known)
        return updated(prior, lead, widening * max(error, 0.5 / rows))

    def plain(self) -> Standing | None:
        """The plainest probe over the source whose probes did best: what was tried first of what takes no steps."""
        closed = [s for s in self.transfer() if _closed(s.candidate.recipe)]
        best = self.best(closed)
        if best is None:
            return None
        return next(s for s in closed if s.candidate.recipe.source == best.candidate.recipe.source)

    def gap(self, first: Standing, second: Standing) -> tuple[float, float]:
        """By how much one standing is ahead of another on the pairs that both ran on, and the error of that."""
        shared = sorted(set(first.attempts) & set(second.attempts))
        return first.over(set(shared)) - second.over(set(shared)), self.paired_error(first, second, shared)

    def paired_error(self, first: Standing, second: Standing, pairs: Sequence[int]) -> float:
        """Standard error of the difference of two scores: by bootstrap of the rows that both were validated on, and
        where these were others, as after reading had to be cut short, from the errors of both."""
        found = paired_error(self.workshop.domain, first, second, pairs, self.seed)
        return math.hypot(self.doubt(first), self.doubt(second)) if found is None else found

    def worth(self, slow: list[Candidate]) -> list[Candidate]:
        """Gradient recipes in the order of their sources' probes, over the bridge that probed best for the source; what
        thereby becomes the same is tried once."""
        best: dict[str, Standing] = {}
        for standing in self.transfer():
            source = standing.candidate.recipe.source
            if source not in best or standing.score > best[source].score:
                best[source] = standing
        moved = [
            replace(c, recipe=replace(c.recipe, bridge=best[c.recipe.source].candidate.recipe.bridge))
            if c.recipe.source in best and c.reason != ASKED
            else c
            for c in slow
        ]
        worth = {s: -standing.score for s, standing in best.items()}
        unlike = [c for i, c in enumerate(moved) if all(c.recipe != earlier.recipe for earlier in moved[:i])]
        return sorted(unlike, key=lambda c: worth.get(c.recipe.source, math.inf))

    def _skip(self, candidate: Candidate, status: str, why: str = "") -> None:
        standing = Standing(candidate, self.fold.pairs)
        standing.trial = self._record(candidate, status, why or candidate.reason)
        self.standings.append(standing)

    def _record(self, candidate: Candidate, status: str, reason: str) -> Trial:
        """The record of a candidate that came to no result."""
        return Trial(
            name=candidate.name,
            recipe=candidate.recipe.to_json(),
            status=status,
            reason=reason,
            role=candidate.role,
            fold=self.number,
            near=candidate.near,
            predicted=self._foretold(candidate),
        )

    def _foretold(self, candidate: Candidate) -> dict[str, Any] | None:
        found = None if candidate.members else self.turns.of(candidate)
        return None if found is None else found.to_json()

    def _try(
        self, candidate: Candidate, *, pairs: int, seconds: float, again: float = 0.0, least: int = 0,
        among: tuple[Pair, ...] | None = None,
    ) -> Standing:  # fmt: skip
        """Run a candidate on its pairs until its seconds are used up; a failure is recorded, not raised. With `again`
        seconds kept for a refit, as long as one attempt, fewer pairs go before parts of schedules, which say little."""
        standing = Standing(candidate, among or self.fold.pairs)
        self.standings.append(standing)
        began = self.budget.spent
        for number in range(pairs):
            used = self.budget.spent - began
            if number and used + standing.seconds * (2 if again else 1) > seconds + again:
                break
            try:
                even = pairs - number if candidate.recipe.stages else 1  # a control's further pairs take what it leaves
                room = max((seconds - used) / even, (seconds + again - used) / 2 if again else 0.0)
                standing.attempts[number] = self._attempt(standing, number, room, least)
            except LandbridgeError as error:
                standing.error = error
                break
        if standing.attempts:
            standing.trial = self._summary(standing)
        elif standing.error is not None:
            late = isinstance(standing.error, OutOfTimeError)
            why = str(standing.error).removeprefix(f"{candidate.recipe.name}: ")  # the record has the name already
            standing.trial = self._record(candidate, "out of time" if late else "failed", why)
        return standing

    def _attempt(self, standing: Standing, pair: int, seconds: float, least: int = 0) -> Attempt:
        candidate, split = standing.candidate, standing.pairs[pair]
        seed = stream(self.seed, self.number, pair) % 2**31
        key = key_of(candidate.recipe, self.number, pair, seed, self.workshop.domain.fingerprint)
        known = self.journal.find(key)
        if known is not None and len(known.output) == len(split.validation):
            return known
        leader = self.best([s for s in self.standings if pair in s.attempts])
        slack = SURE * self._standard_error(leader, pair) if leader is not None else math.inf

        def watch(share: float, best: float) -> str:
            self._tick(candidate, share)
            if leader is None or share < self.early:
                return ""
            ahead = leader.attempts[pair].trial.validation
            if ahead is None or candidate.role == "scratch":
                return ""
            return "eliminated" if best + slack < ahead else ""

        self._tick(candidate, 0.0)
        order = Order(
            recipe=candidate.recipe,
            train=split.train,
            validation=split.validation,
            seed=seed,
            seconds=seconds,
            least=least,
            watch=watch,
            checkpoint=self.journal.checkpoint(key),
        )
        done = attempt(self.workshop, order)
        self.journal.keep(key, done)
        return done

    def _standard_error(self, leader: Standing, pair: int) -> float:
        """Of the leader's validation score, by resampling its rows: in the metric's own units, whatever it is."""
        return standard_error(self.workshop.domain, leader, pair, self.seed, self.number)

    def _tick(self, candidate: Candidate, share: float) -> None:
        best = self.best(self.standings)
        self.workshop.progress(
            Tick(
                stage="compare",
                done=share,
                detail=candidate.name,
                best=best.score if best else None,
                left=self.budget.left if math.isfinite(self.budget.left) else None,
            )
        )

    def _summary(self, standing: Standing) -> Trial:
        """One record of a candidate over its pairs."""
        first = next(iter(standing.attempts.values())).trial
        scores = [a.trial.validation for a in standing.attempts.values() if a.trial.validation is not None]
        ends = [a.trial.reason for a in standing.attempts.values() if a.trial.reason in CUT]
        return Trial(
            name=standing.candidate.name,
            recipe=first.recipe,
            validation=standing.score if scores else None,
            interval=(min(scores), max(scores)) if len(scores) > 1 else None,
            seconds=sum(a.trial.seconds for a in standing.attempts.values()),
            peak_mb=max(a.trial.peak_mb for a in standing.attempts.values()),
            trainable=first.trainable,
            total=first.total,
            status=ends[0] if ends else "done",
            reason=standing.candidate.reason,
            role=standing.candidate.role,
            fold=self.number,
            seed=self.seed,
            epochs=first.epochs,
            curve=first.curve,
            members=[m.name for m in standing.candidate.members],
            near=standing.candidate.near,
            predicted=self._foretold(standing.candidate),
        )


def refits(fold: Fold) -> bool:
    """Whether a gradient recipe is trained again on all rows that are not test: where rows are few, each counts."""
    return len(fold.rest) < MANY_ROWS


def _closed(recipe: Recipe) -> bool:
    """Whether a recipe takes no gradient steps."""
    return all(type(s.tuning).part_name == "probe" for s in recipe.stages)
