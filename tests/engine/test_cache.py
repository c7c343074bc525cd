"""The folder of chunks: whole or absent, below its limit, the oldest gone first, and nobody waits for the dead."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from landbridge.engine import claim as claim_file
from landbridge.engine.cache import Cache, CacheFullError, shared_cache
from landbridge.engine.chunk import Chunk, Lost, packed, read_chunk, unpacked
from landbridge.engine.claim import claim
from landbridge.engine.store import ActivationStore
from landbridge.engine.supply import Supply
from landbridge.testing import toy_body, toy_domain

KEY, OTHER = "a" * 32, "b" * 32
NAMES = np.array([b"one\0", b"two", b"three"], "S16")


def arrays(fill: float = 1.0, size: int = 300) -> dict[str, np.ndarray]:
    """What a chunk holds: names of rows and an array."""
    return {"rows": NAMES, "end": np.full((3, size), fill, np.float16)}


def python(code: str, *words: object) -> subprocess.Popen[bytes]:
    """Another process."""
    return subprocess.Popen([sys.executable, "-c", code, *map(str, words)])


def test_a_chunk_comes_back_as_it_was_and_reads_only_what_is_asked_for(tmp_path: Path) -> None:
    given = {
        "rows": NAMES,
        "0": np.arange(15, dtype=np.float16).reshape(3, 5),
        "tokens": np.arange(14, dtype=np.uint16).reshape(7, 2),
        "counts": np.array([1, 2, 4]),
    }
    facts = {"grid": [2, 2], "seconds": 0.25}
    written = Cache(tmp_path).write(KEY, given, facts)
    assert written.path is not None
    found = read_chunk(written.path)
    assert found.facts == facts and set(found._arrays) == {"rows"}
    for name, array in given.items():
        again = found.array(name)
        assert np.array_equal(again, array) and again.dtype == array.dtype
    assert written.path.stat().st_size == found.index["size"]
    assert all(place["start"] % 64 == 0 for place in found.index["arrays"].values())


def test_halves_keep_eleven_bits_whatever_the_scale() -> None:
    draws = np.random.default_rng(0).standard_normal((64, 48)).astype(np.float32)
    for scale in (1e-30, 1e-6, 1.0, 3e4, 1e9, 1e30):
        values = draws * np.float32(scale)
        half, exponent = packed(values)
        assert half.dtype == np.float16
        error = np.abs(unpacked(half, exponent) - values) / np.abs(values)
        assert error.max() <= 2.0**-11
    rounded = torch.from_numpy(draws).bfloat16()
    assert np.array_equal(unpacked(*packed(rounded.float().numpy())), rounded.float().numpy()), "bfloat16 fits"
    coarse = np.abs(rounded.float().numpy() - draws) / np.abs(draws)
    assert coarse.max() > 4 * 2.0**-11, "and is coarser"
    odd = np.array([[np.nan, np.inf, -np.inf, 0.0, 2.5]], np.float32)
    assert np.array_equal(unpacked(*packed(odd)), odd, equal_nan=True)
    zeros = np.zeros((2, 3), np.float32)
    assert np.array_equal(unpacked(*packed(zeros)), zeros)


def test_the_least_recently_used_go_first_and_what_is_open_stays(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 10**6).open()
    chunks = [cache.write(key, arrays(i), {}) for i, key in enumerate([KEY, OTHER, KEY, OTHER, KEY])]
    paths = [c.path for c in chunks if c.path is not None]
    for age, path in enumerate(paths):
        os.utime(path, (1000 - age, 1000 - age))  # the last written is the oldest
    size = paths[0].stat().st_size
    assert chunks[4].array("end")[0, 0] == 4.0  # now it is open
    cache.touch(paths[3])
    cache.limit = 4 * size
    assert cache.write(KEY, arrays(9.0), {}).array("end")[2, 299] == 9.0
    assert [p.exists() for p in paths] == [True, False, False, True, True], "2 and 1 went, 4 is open, 3 was used"
    assert chunks[4].array("rows").tolist() == NAMES.tolist()
    with pytest.raises(Lost) as lost:
        chunks[2].array("end")
    assert not lost.value.damaged and lost.value.chunk is chunks[2]
    cache.limit = 3 * size
    kept = sorted(p.name for p in cache.folder.glob("*.chunk"))
    with pytest.raises(CacheFullError, match="limit"):
        cache.write(KEY, arrays(size=2000), {})
    assert sorted(p.name for p in cache.folder.glob("*.chunk")) == kept, "nothing goes where that would not help"
    again = Cache(cache.folder, 2 * size).open()
    assert len(list(again.folder.glob("*.chunk"))) == 2, "a lower limit is kept from the beginning"
    del chunks


def test_the_folder_is_the_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDBRIDGE_CACHE", str(tmp_path / "mine"))
    assert shared_cache("0") is None and not (tmp_path / "mine").exists()
    cache = shared_cache("1M")
    assert cache is not None and cache.folder == tmp_path / "mine" / "activations" and cache.limit == 2**20
    chunk = cache.write(KEY, arrays(), {})
    assert chunk.path is not None
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(chunk.path.stat().st_mode) == 0o600


def test_a_cache_that_cannot_be_is_a_line_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("LANDBRIDGE_CACHE", str(tmp_path / "file"))
    assert shared_cache("1G") is None
    (record,) = caplog.records
    assert "the cache cannot be used" in record.getMessage() and str(tmp_path / "file") in record.getMessage()


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from landbridge.engine.cache import Cache

class Fatal(dict):
    asked = 0
    def values(self):
        self.asked += 1
        for number, value in enumerate(super().values()):
            if self.asked == 2 and number == 1:
                os.kill(os.getpid(), signal.SIGKILL)  # half of the file is written
            yield value

cache = Cache(Path(sys.argv[1]), 10**8).open()
held = cache.claim("a" * 32)
given = {"rows": np.array([b"x"] * 40000, "S16"), "end": np.ones((40000, 4), np.float16)}
cache.write("a" * 32, given, {})
cache.write("a" * 32, Fatal(given), {})
"""


def test_a_writer_killed_in_the_middle_leaves_whole_chunks_and_no_claim(tmp_path: Path) -> None:
    process = python(KILLED, tmp_path)
    assert process.wait(60) == -signal.SIGKILL
    (draft,) = tmp_path.glob(".*.part")
    assert draft.stat().st_size > 10**5
    cache = Cache(tmp_path, 10**8).open()
    assert len(cache.paths(KEY)) == 1, "the draft is no chunk"
    assert read_chunk(cache.paths(KEY)[0]).array("end").shape == (40000, 4)
    assert draft.exists(), "it might be a living writer's"
    assert cache.claim(KEY) is not None, "the claim died with its holder"
    os.utime(draft, (time.time() - 3600,) * 2)
    Cache(tmp_path, 10**8).open()
    assert not draft.exists()


def test_a_claim_is_held_by_one_and_nobody_waits_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for ways in ("the system's", "a file's"):
        path = tmp_path / ways
        first = claim(path)
        assert first is not None
        began = time.monotonic()
        assert claim(path) is None and claim(path, wait=0.1) is None
        assert 0.1 <= time.monotonic() - began < 2.0
        first.release()
        first.release()
        second = claim(path)
        assert second is not None
        if ways == "the system's":
            second.release()
            monkeypatch.setattr(claim_file, "fcntl", None)
    left = tmp_path / "a file's.held"
    assert left.exists() and claim(tmp_path / "a file's") is None
    os.utime(left, (time.time() - 2 * claim_file.STALE,) * 2)
    assert claim(tmp_path / "a file's") is not None, "its holder is dead"


TWO = """
import sys, time
from pathlib import Path
import numpy as np, torch
torch.set_num_threads(1)
from landbridge.engine.cache import Cache
from landbridge.engine.store import ActivationStore
from landbridge.engine.supply import Supply
from landbridge.testing import toy_body, toy_domain
folder = Path(sys.argv[1])
body, domain = toy_body("image"), toy_domain("image", rows=200)
body.embedder[0].register_forward_hook(lambda *_: time.sleep(0.004))
store = ActivationStore(folder / "own", cache=Cache(folder / "cache", 10**8).open())
(folder / "ready").touch()
while not (folder / "go").exists():
    time.sleep(0.002)
found = store.features(body, Supply(domain, body.prepare), np.arange(200), (1,), key={}, dtype=torch.float32, size=2)
np.save(folder / "theirs.npy", found)
"""


def test_two_processes_fill_one_shelf_and_read_the_same(tmp_path: Path) -> None:
    process = python(TWO, tmp_path)
    body, domain = toy_body("image"), toy_domain("image", rows=200)
    expected = ActivationStore(tmp_path / "alone").features(
        body, Supply(domain, body.prepare), np.arange(200), (1,), key={}, dtype=torch.float32, size=2
    )
    rows: list[int] = []
    body.embedder[0].register_forward_hook(lambda _, given, made: (time.sleep(0.004), rows.append(len(made)))[0])
    store = ActivationStore(tmp_path / "mine", cache=Cache(tmp_path / "cache", 10**8).open())
    while not (tmp_path / "ready").exists():
        assert process.poll() is None
        time.sleep(0.01)
    (tmp_path / "go").touch()
    supply = Supply(domain, body.prepare)
    mine = store.features(body, supply, np.arange(200), (1,), key={}, dtype=torch.float32, size=2)
    assert process.wait(60) == 0
    theirs = np.load(tmp_path / "theirs.npy")
    np.testing.assert_allclose(mine, expected, rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(theirs, expected, rtol=2e-3, atol=1e-5)
    cache = Cache(tmp_path / "cache", 10**8)
    chunks = [read_chunk(p) for p in cache.folder.glob("*.chunk")]
    assert len(np.unique(np.concatenate([c.digests for c in chunks]))) == 200
    assert not list(cache.folder.glob(".*")) and sum(rows) <= 200


def test_who_comes_second_begins_at_the_other_end_and_takes_over_what_the_first_wrote(tmp_path: Path) -> None:
    body, domain = toy_body("image"), toy_domain("image", rows=100)
    cache, size, rows = Cache(tmp_path / "cache", 10**8).open(), 2, np.arange(100)
    order: list[int] = []
    supply = Supply(domain, body.prepare)
    real = supply.batch
    supply.batch = lambda some, *more: (order.extend(some.tolist()), real(some, *more))[1]

    def ask(wanted: np.ndarray) -> None:
        store = ActivationStore(tmp_path / "own", cache=cache)
        ((_, name),) = {(1, store.shelf({"kind": "features", "dtype": "torch.float32", "device": "cpu"}, supply).key)}
        held = cache.claim(name) if order else None
        store.features(body, supply, wanted, (), key={}, dtype=torch.float32, size=size)
        if held is not None:
            held.release()

    ask(rows[:30])
    assert sorted(order) == list(range(30)) and set(order[:16]) == set(range(16))
    order.clear()
    order.append(-1)
    ask(rows)
    assert set(order[1:17]) == set(range(84, 100)) and sorted(order[1:]) == list(range(30, 100))


@pytest.mark.parametrize("spoil", [b"", b"landbridge activations 1\n", b"something else", b"\xff" * 200])
def test_what_is_no_chunk_is_not_read(tmp_path: Path, spoil: bytes) -> None:
    path = tmp_path / f"{KEY}-1.chunk"
    path.write_bytes(spoil)
    with pytest.raises(Lost) as error:
        read_chunk(path)
    assert error.value.damaged and isinstance(error.value.chunk, Chunk)
