"""Which column is what: target, input, identity, group, time, split. Each guess is an assumption with its option."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from landbridge.core.domain import Assumption
from landbridge.core.errors import DataError, UnknownName, UsageError
from landbridge.reading.columns import Profile
from landbridge.reading.options import Options, off

# fmt: off
_TARGET = [
    "label", "labels", "target", "targets", "class", "classes", "y", "category", "categories", "intent",
    "sentiment", "emotion", "topic", "tag", "tags", "classification",
]
_TARGET_WEAK = [
    "outcome", "quality", "species", "diagnosis", "survived", "income", "churn", "default", "price", "grade",
    "rating", "stars", "score",
]
# fmt: on
# fmt: off
_GROUP = [
    "group", "groups", "groupid", "subject", "subjectid", "patient", "patientid", "user", "userid", "speaker",
    "speakerid", "tile", "tileid", "session", "sessionid", "participant", "participantid", "author", "authorid",
    "customer", "customerid",
]
_TIME = [
    "date", "time", "timestamp", "datetime", "day", "created", "createdat", "updated", "updatedat", "month",
    "when", "recordedat",
]
# fmt: on
_ID = ["id", "uuid", "guid", "index", "idx", "rowid", "key", "unnamed0", "recordid", "passengerid", "identifier"]
# fmt: off
_TEXT = [
    "text", "sentence", "review", "comment", "question", "query", "utterance", "message", "content", "body",
    "tweet", "document", "title", "premise",
]
# fmt: on


@dataclass(kw_only=True)
class Roles:
    """Column names by role. `target` has several names when several 0/1 columns are the labels."""

    target: tuple[str, ...] = ()
    input: str | None = None
    id: str | None = None
    group: str | None = None
    time: str | None = None
    split: str | None = None
    notes: list[Assumption] = field(default_factory=list[Assumption])

    @property
    def taken(self) -> set[str]:
        """Columns that are no features."""
        return {n for n in (*self.target, self.id, self.group, self.split) if n}

    def note(self, what: str, because: str, option: str) -> None:
        """Say what was guessed."""
        self.notes.append(Assumption(what=what, because=because, option=option))


def plain_name(name: str) -> str:
    """A column name in lower-case letters and digits."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def find_roles(
    found: Mapping[str, Profile], options: Options, splits: Sequence[str], *, headed: bool, where: str
) -> Roles:
    """Settle every role but the input; `splits` are columns whose values name splits, `where` the file for messages.

    Raises UnknownName for an option that names no column, DataError when no target can be found.
    """
    roles = Roles()
    roles.split = _asked(options.split, found, "split")
    if roles.split is None and not off(options.split) and splits:
        roles.split = splits[0]
        roles.note(f"column '{splits[0]}' says the split", "its values are train, validation or test", "--split none")
    roles.group = None if (options.group or "").startswith("name:") else _asked(options.group, found, "group")
    roles.time = _asked(options.time, found, "time")
    roles.id = _asked(options.id, found, "id")
    roles.input = _asked(options.input, found, "input")
    roles.target = _targets(found, options)
    if not roles.target:
        _guess_target(found, roles, headed=headed, where=where)
    rest = [p for p in found.values() if p.name not in roles.taken and p.name != roles.input]
    _guess_id(rest, roles, options)
    _guess_group(rest, roles, options)
    _guess_time(rest, roles, options)
    return roles


def unlabelled_roles(found: Mapping[str, Profile], options: Options) -> Roles:
    """Roles where nothing is to be predicted: columns named like labels are left out, and so is the rows' identity."""
    roles = Roles()
    roles.input = _asked(options.input, found, "input")
    if off(options.target):
        return roles
    roles.target = _targets(found, options)
    if not roles.target:
        named = [p.name for p in found.values() if _named_like_a_target(p) and p.name != roles.input]
        roles.target = tuple(named)
        for name in named:
            roles.note(f"column '{name}' is a label and left out", "of its name", "--target COLUMN or none")
    _guess_id([p for p in found.values() if p.name not in roles.taken and p.name != roles.input], roles, options)
    return roles


def _named_like_a_target(p: Profile) -> bool:
    """Whether a column's name is that of a label."""
    known = plain_name(p.name) in (*_TARGET, *_TARGET_WEAK) or re.search(
        r"(^|[_\W])(label|target|class)$", p.name.lower()
    )
    return bool(known) and p.kind not in ("media", "path", "series", "date")


def text_column(rest: Sequence[Profile]) -> Profile | None:
    """The column that holds the text to read, when the other columns are not a table's worth of features."""
    words = [p for p in rest if p.kind in ("text", "category") and plain_name(p.name) in _TEXT and p.distinct > 1]
    long = [p for p in rest if p.kind == "text"]
    if words:
        return max(words, key=lambda p: (p.kind == "text", p.words))
    others = [p for p in rest if p.kind != "text"]
    if long and len(others) <= 2:
        return max(long, key=lambda p: p.words)
    if len(rest) == 1 and rest[0].kind == "category" and rest[0].distinct > 0.5 * rest[0].rows:
        return rest[0]
    return None


def _asked(name: str | None, found: Mapping[str, Profile], role: str) -> str | None:
    if name is None or off(name):
        return None
    if name not in found:
        raise UnknownName(f"{role} column", name, found)
    return name


def _targets(found: Mapping[str, Profile], options: Options) -> tuple[str, ...]:
    if options.target is None:
        return ()
    if options.target in found:
        return (options.target,)
    names = [n.strip() for n in options.target.split(",") if n.strip()]
    if len(names) < 2:
        raise UnknownName("target column", options.target, found)
    for name in names:
        if name not in found:
            raise UnknownName("target column", name, found)
        if found[name].kind not in ("integer", "truth") or found[name].distinct > 2:
            raise UsageError(f"--target {options.target}: column '{name}' is not 0 or 1; name columns of 0 and 1 only")
    return tuple(names)


def _guess_target(found: Mapping[str, Profile], roles: Roles, *, headed: bool, where: str) -> None:
    free = [p for p in found.values() if p.name not in roles.taken and p.name not in (roles.input, roles.time)]
    for words in (_TARGET, _TARGET_WEAK):
        for word in words:
            for p in free:
                if plain_name(p.name) == word and p.kind not in ("media", "path", "series", "date"):
                    roles.target = (p.name,)
                    roles.note(f"the target is column '{p.name}'", "of its name", "--target COLUMN")
                    return
    for p in free:
        if re.search(r"(^|[_\W])(label|target|class)$", p.name.lower()) and p.kind not in ("media", "path", "series"):
            roles.target = (p.name,)
            roles.note(f"the target is column '{p.name}'", "of its name", "--target COLUMN")
            return
    usable = [p for p in free if _could_be_target(p)]
    if not usable or len(free) < 2:
        names = ", ".join(list(found)[:12])
        raise DataError(f"{where}: no column can be the target (columns: {names}); add one or name it with --target")
    if not headed and _few(free[0]) and not _few(free[-1]):
        chosen, because = free[0], "it is the first and has few values"
    else:
        chosen = usable[-1]
        because = "it is the last" if chosen is free[-1] else "it is the last that suits"
    roles.target = (chosen.name,)
    roles.note(f"the target is column '{chosen.name}'", because, "--target COLUMN")


def _could_be_target(p: Profile) -> bool:
    if p.kind in ("media", "path", "series", "date", "text") or p.missing == p.rows:
        return False
    return not p.counts_up and not (p.kind == "category" and p.unique and p.rows > 20)


def _few(p: Profile) -> bool:
    return p.kind in ("integer", "category", "truth") and 2 <= p.distinct <= max(20, p.rows // 10)


def _guess_id(rest: Sequence[Profile], roles: Roles, options: Options) -> None:
    if roles.id or off(options.id):
        return
    for p in rest:
        named = plain_name(p.name) in _ID or p.name.lower().endswith(("_id", " id"))
        if p.unique and p.kind in ("integer", "category", "text") and (named or p.counts_up) and p.rows > 2:
            roles.id = p.name
            because = "every row has its own and it counts up" if p.counts_up else "every row has its own"
            roles.note(f"column '{p.name}' is the rows' identity, not a feature", because, "--id none")
            return


def _guess_group(rest: Sequence[Profile], roles: Roles, options: Options) -> None:
    if roles.group or options.group is not None:
        return
    for p in rest:
        if plain_name(p.name) in _GROUP and p.name != roles.id and 5 <= p.distinct < p.rows and p.kind != "number":
            roles.group = p.name
            because = f"of its name; {p.distinct} groups are kept whole across the splits"
            roles.note(f"column '{p.name}' says the group", because, "--group none")
            return


def _guess_time(rest: Sequence[Profile], roles: Roles, options: Options) -> None:
    if roles.time or off(options.time):
        return
    for p in rest:
        stamp = p.kind == "integer" and plain_name(p.name) == "timestamp"
        if plain_name(p.name) in _TIME and (p.kind == "date" or stamp) and p.distinct > 10:
            roles.time = p.name
            roles.note(f"column '{p.name}' is the time; the latest rows are the test", "of its name", "--time none")
            return
