"""A folder in the layout of the Hugging Face hub becomes a body; without its weights, from its small files alone."""

from __future__ import annotations

import inspect
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_MAPPING
from transformers.utils import logging

from landbridge.core.errors import SourceError
from landbridge.sources import bert_like, conv, vit_like, wave, whole
from landbridge.sources.cut import Cut, CutBody
from landbridge.sources.hub_address import Place, weights_in
from landbridge.sources.preparation import prepare_for, views_for
from landbridge.sources.source_head import source_head
from landbridge.sources.tf_padding import pad_inside
from landbridge.sources.weights_file import json_file, licence, sha256

FAMILIES = {**bert_like.FAMILIES, **vit_like.FAMILIES, **conv.FAMILIES, **wave.FAMILIES}
CLASSIFIERS = {**vit_like.FAMILIES, **conv.FAMILIES}  # families whose classifier is linear over what the cut pools
SMALL = (
    "config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
)
PRIVATE = ("_name_or_path", "auto_map")  # a path of the machine that saved it; a pointer to code that we do not run


class HubFresh:
    """Another network of the same class and configuration."""

    def build(self, net: nn.Module) -> nn.Module:
        """The library initialises by itself."""
        hub = cast(PreTrainedModel, net)
        return type(hub)(hub.config, **_options(type(hub)))


def open_place(place: Place, *, address: str, weights: bool) -> CutBody:
    """The body of a model folder, in float32 and eval mode; SourceError where weights and architecture do not fit."""
    head = None
    with quiet():
        config = _config(place.folder, address)
        kind = _kind(config, address)
        if weights:
            file = weights_in(place, address.split(":")[0])
            net, facts = _load(kind, config, place, file, address), {"sha256": sha256(file)}
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                net, facts = kind(config, **_options(kind)), {}
        if config.model_type in ("mobilenet_v1", "mobilenet_v2"):
            pad_inside(net)
        cut, note = _cut(config, net, place.folder, address)
        if weights and config.model_type in CLASSIFIERS:
            head = source_head(file, cut.width)
        prepare, told = prepare_for(cut.reads, place.folder, config, address)
    card = {"origin": address, "architecture": kind.__name__, "licence": licence(place.folder), **facts}
    notes = [text for text in (note, told) if text]
    body = CutBody(
        address=address,
        net=net.float().eval(),
        fresh=HubFresh(),
        cut=cut,
        prepare=prepare,
        views=views_for(cut.reads),
        card={**card, **({"note": "; ".join(notes)} if notes else {})},
        small_files=_small(place.folder),
    )
    body.source_head = head
    return body


def rebuild(files: Mapping[str, bytes], address: str) -> CutBody:
    """The body that `CutBody.files` describes, with random weights."""
    if "config.json" not in files:
        raise SourceError(f"{address}: cannot be rebuilt, config.json is missing from the saved source files")
    with tempfile.TemporaryDirectory() as name:
        for file in SMALL:
            if file in files:
                path = Path(name) / file
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(files[file])
        return open_place(Place(Path(name)), address=address, weights=False)


@contextmanager
def quiet() -> Iterator[None]:
    """No load reports and progress bars of transformers: what matters in them becomes an error here."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _config(folder: Path, address: str) -> PreTrainedConfig:
    if not (folder / "config.json").is_file():
        raise SourceError(f"{address}: {folder} has no config.json, so the architecture is unknown")
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (ValueError, OSError, KeyError, TypeError) as error:
        first = str(error).strip().splitlines()[0]
        raise SourceError(f"{address}: config.json is not one that transformers knows ({first})") from error
    config.dtype = torch.float32
    if not torch.cuda.is_available():  # on CPUs the fused kernel trains short sequences at less than half the speed
        config._attn_implementation = "eager"
    if config.model_type in wave.FAMILIES:
        wave.without_masking(config)
    return config


def _kind(config: PreTrainedConfig, address: str) -> type[PreTrainedModel]:
    kind = MODEL_MAPPING.get(type(config), None)
    if kind is None:
        raise SourceError(f"{address}: transformers has no body for model_type '{config.model_type}'")
    return kind[0] if isinstance(kind, tuple) else kind


def _options(kind: type[PreTrainedModel]) -> dict[str, bool]:
    """Poolers that no feature passes through are left out, so that no weight lies idle."""
    known = inspect.signature(kind.__init__).parameters
    return {"add_pooling_layer": False} if "add_pooling_layer" in known else {}


def _load(
    kind: type[PreTrainedModel], config: PreTrainedConfig, place: Place, file: Path, address: str
) -> PreTrainedModel:
    given: dict[str, Any] = {"config": config, "dtype": torch.float32, "ignore_mismatched_sizes": True}
    try:
        if file.name.startswith("model.safetensors"):
            given |= {"local_files_only": True, "use_safetensors": True, "trust_remote_code": False}
            net, info = kind.from_pretrained(place.folder, output_loading_info=True, **given, **_options(kind))
        else:
            state = load_file(file)
            net, info = kind.from_pretrained(
                None, state_dict=state, output_loading_info=True, **given, **_options(kind)
            )
    except (SafetensorError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        raise SourceError(f"{address}: {file.name} cannot be read ({first}); copy it again") from error
    _check_fit(net, info, file, address)
    return net


def _check_fit(net: PreTrainedModel, info: Mapping[str, Any], file: Path, address: str) -> None:
    """Every weight of the body must come from the file, and no body weight of the file may be left over."""
    missing = sorted(info["missing_keys"])
    mismatched = sorted(str(m[0]) for m in info["mismatched_keys"] if str(m[0]) in net.state_dict())
    roots = {name.split(".")[0] for name, _ in net.named_parameters()}
    prefix = f"{net.base_model_prefix}."
    over = [k for k in sorted(info["unexpected_keys"]) if k.removeprefix(prefix).split(".")[0] in roots]
    over = [k for k in over if not k.endswith("position_ids")]
    for words, names in (("lacks", missing), ("has other shapes for", mismatched), ("has unexpected", over)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise SourceError(
                f"{address}: {file.name} does not fit {type(net).__name__}: it {words} {', '.join(names[:3])}{more}; "
                "the weights and config.json must belong together"
            )


def _cut(config: PreTrainedConfig, net: PreTrainedModel, folder: Path, address: str) -> tuple[Cut, str]:
    if config.model_type in FAMILIES:
        cut = FAMILIES[config.model_type](config)
        pooling = json_file(folder / "1_Pooling" / "config.json")
        if isinstance(cut, bert_like.BertLike):
            return bert_like.pooled(cut, pooling, address), ""
        return cut, ""
    note = f"the family '{config.model_type}' is not cut into layers: one block, so partial acts as full"
    if net.main_input_name == "input_ids" and not config.is_encoder_decoder:
        table = net.get_input_embeddings()
        path = next(name for name, module in net.named_modules() if module is table)
        return whole.WholeText(width=config.hidden_size, embeddings=path), note
    if net.main_input_name == "pixel_values":
        return whole.WholeImage(width=_width(net, config)), note
    raise SourceError(f"{address}: the family '{config.model_type}' ({net.main_input_name}) is not supported yet")


def _width(net: PreTrainedModel, config: PreTrainedConfig) -> int:
    """Channels of the last hidden state, found by looking at one blank picture."""
    edge = config.to_dict().get("image_size") or 224
    size = edge if isinstance(edge, int) else edge[-1]
    channels = config.to_dict().get("num_channels", 3)
    with torch.no_grad():
        out = net.eval()(pixel_values=torch.zeros(1, channels, size, size)).last_hidden_state
    return int(out.shape[1] if out.dim() == 4 else out.shape[-1])


def _small(folder: Path) -> dict[str, bytes]:
    """The files that rebuild the body, without what tells of the machine they come from."""
    found = {name: (folder / name).read_bytes() for name in SMALL if (folder / name).is_file()}
    if "tokenizer.json" in found:
        found = {name: data for name, data in found.items() if name not in ("vocab.txt", "vocab.json", "merges.txt")}
    for name in ("config.json", "tokenizer_config.json", "preprocessor_config.json"):
        if name in found:
            kept = {k: v for k, v in json.loads(found[name]).items() if k not in (*PRIVATE, "name_or_path")}
            found[name] = json.dumps(kept, indent=1, ensure_ascii=False).encode()
    return found
