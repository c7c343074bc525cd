"""What a model folder says about preparing its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoFeatureExtractor, AutoImageProcessor, AutoTokenizer, PreTrainedConfig

from landbridge.core.errors import SourceError
from landbridge.core.model import Prepare, Views
from landbridge.nn.image_prepare import ImagePrepare
from landbridge.nn.text_prepare import TextPrepare
from landbridge.nn.views import FlipCrop, Jitter
from landbridge.nn.wave_prepare import WavePrepare
from landbridge.sources.weights_file import json_file

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
UNLIMITED = 100_000  # tokenizers without a limit say so with a huge number
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json")  # without one the library would make an empty tokenizer
CONVNEXT_SQUASH = 384  # ConvNeXt's processor uses the whole picture from this size on


@dataclass(frozen=True)
class _Told:
    prepare: Prepare
    note: str = ""


def prepare_for(reads: str, folder: Path, config: PreTrainedConfig, address: str) -> tuple[Prepare, str]:
    """The preparation a folder declares, and a note where something had to be assumed."""
    made = {"text": _text, "image": _image, "audio": _audio}[reads](folder, config, address)
    return made.prepare, made.note


def views_for(reads: str) -> Views | None:
    """Label-keeping changes that suit a modality; texts have none that are safe without a language model."""
    if reads == "image":
        return FlipCrop()
    return Jitter(name="wave") if reads == "audio" else None


def _text(folder: Path, config: PreTrainedConfig, address: str) -> _Told:
    if not any((folder / name).is_file() for name in VOCABULARIES):
        raise SourceError(f"{address}: has no tokenizer ({', '.join(VOCABULARIES)}); copy it beside config.json")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        fast = tokenizer.backend_tokenizer if tokenizer.is_fast else None
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        first = str(error).strip().splitlines()[0]
        raise SourceError(f"{address}: the tokenizer cannot be read ({first}); a tokenizer.json is needed") from error
    if fast is None:
        raise SourceError(f"{address}: has only a slow tokenizer; save it with a tokenizer.json (a fast tokenizer)")
    room = int(config.to_dict().get("max_position_embeddings", 512))
    if config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        room -= 2  # their positions are counted from the padding index on
    stated = json_file(folder / "sentence_bert_config.json").get("max_seq_length")
    limits = [room, tokenizer.model_max_length, stated]
    length = min(n for n in limits if isinstance(n, int) and 0 < n < UNLIMITED)
    types = int(config.to_dict().get("type_vocab_size") or 0) > 0 and "token_type_ids" in tokenizer.model_input_names
    return _Told(TextPrepare(tokenizer=fast, max_length=length, pad=tokenizer.pad_token_id or 0, type_ids=types))


def _image(folder: Path, config: PreTrainedConfig, address: str) -> _Told:
    size = config.to_dict().get("image_size") or 224
    edge = size if isinstance(size, int) else int(size[-1])
    if not (folder / "preprocessor_config.json").is_file():
        prepare = ImagePrepare(size=edge, resize=round(edge * 256 / 224), mean=IMAGENET_MEAN, std=IMAGENET_STD)
        return _Told(
            prepare, "no preprocessor_config.json: ImageNet's mean and deviation and a centre crop are assumed"
        )
    try:
        processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        facts = processor.to_dict()
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        first = str(error).strip().splitlines()[0]
        raise SourceError(f"{address}: preprocessor_config.json cannot be read ({first})") from error
    return _Told(image_prepare(facts, edge, address))


def image_prepare(facts: Mapping[str, Any], edge: int, address: str) -> ImagePrepare:
    """The fields of a transformers image processor as ImagePrepare; SourceError for shapes that are not square."""
    size = {k: v for k, v in (facts.get("size") or {}).items() if v}
    crop = facts.get("crop_size") or {}
    final = _square(crop, address) if facts.get("do_center_crop") else 0
    if not facts.get("do_resize", True) or not size:
        resize, whole = final or edge, True
    elif "shortest_edge" in size:
        resize, whole = int(size["shortest_edge"]), False
        if facts.get("crop_pct"):  # ConvNeXt's processor, also used by ResNet
            final, whole = resize, resize >= CONVNEXT_SQUASH
            resize = resize if whole else int(resize / facts["crop_pct"])
    else:
        resize, whole = _square(size, address), True
    channels = int(facts.get("num_channels") or 3)
    normalise = facts.get("do_normalize", True)
    return ImagePrepare(
        size=final or resize,
        resize=resize,
        crop="squash" if whole else "center",
        mean=tuple(facts["image_mean"]) if normalise else (0.0,) * channels,
        std=tuple(facts["image_std"]) if normalise else (1.0,) * channels,
        scale=float(facts.get("rescale_factor") or 1 / 255) if facts.get("do_rescale", True) else 1.0,
        resample=int(facts.get("resample") or 2),
        channels=channels,
    )


def _audio(folder: Path, config: PreTrainedConfig, address: str) -> _Told:
    if not (folder / "preprocessor_config.json").is_file():
        return _Told(WavePrepare(), "no preprocessor_config.json: 16 kHz and zero mean, unit variance are assumed")
    try:
        facts = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True, trust_remote_code=False).to_dict()
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        first = str(error).strip().splitlines()[0]
        raise SourceError(f"{address}: preprocessor_config.json cannot be read ({first})") from error
    return _Told(WavePrepare(rate=int(facts["sampling_rate"]), normalise=bool(facts.get("do_normalize", True))))


def _square(size: Mapping[str, Any], address: str) -> int:
    high, wide = int(size["height"]), int(size["width"])
    if high != wide:
        raise SourceError(f"{address}: reads pictures of {wide}x{high}; only square inputs are supported")
    return high
