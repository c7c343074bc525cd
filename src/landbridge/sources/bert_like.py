"""Text encoders built of equal attention layers: BERT and its relatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig
from transformers.masking_utils import create_bidirectional_mask

from landbridge.core.batch import Inputs
from landbridge.core.errors import SourceError
from landbridge.core.model import mean_pool
from landbridge.sources.attention import choose_kernel
from landbridge.sources.cut import Cut


@dataclass(frozen=True, kw_only=True)
class BertLike:
    """Embeddings, then attention layers, each with the original library's own mask; features by `pooling`.

    pooling: "mean" over real tokens (what sentence encoders are trained with), "cls" or "max", as a
    sentence-transformers folder declares. `bias` is the path of a relative position bias that all layers read (MPNet);
    it counts as part of the embedder.
    """

    width: int
    front: tuple[str, ...]
    layers: tuple[tuple[str, ...], ...]
    type_ids: bool = False
    bias: str = ""
    pooling: str = "mean"
    reads: str = "text"

    def embed(self, net: nn.Module, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Token numbers to tokens_BTD; the attention mask is the mask."""
        given = {"input_ids": inputs["input_ids"]}
        if self.type_ids and "token_type_ids" in inputs:
            given["token_type_ids"] = inputs["token_type_ids"]
        tokens_BTD = net.get_submodule(self.front[0])(**given)
        if "embeddings_project" in self.front:
            tokens_BTD = net.get_submodule("embeddings_project")(tokens_BTD)
        return tokens_BTD, inputs["attention_mask"]

    def step(self, net: nn.Module, index: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """One attention layer."""
        choose_kernel(net, tokens)
        seen = create_bidirectional_mask(config=net.config, inputs_embeds=tokens, attention_mask=mask)
        layer = net.get_submodule(self.layers[index][0])
        extra = (net.encoder.compute_position_bias(tokens),) if self.bias else ()
        out = layer(tokens, seen, *extra)
        return (out[0] if isinstance(out, tuple) else out), mask

    def pool(self, net: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens to one vector a text."""
        if self.pooling == "cls":
            return tokens[:, 0]
        if self.pooling == "max":
            return tokens.masked_fill(mask.unsqueeze(-1) == 0, torch.finfo(tokens.dtype).min).amax(1)
        return mean_pool(tokens, mask)


def bert(config: PreTrainedConfig) -> Cut:
    """BERT (Devlin et al. 2019), ELECTRA (Clark et al. 2020), whose narrow embeddings may be projected."""
    project = config.model_type == "electra" and config.embedding_size != config.hidden_size
    return BertLike(
        width=config.hidden_size,
        front=("embeddings", "embeddings_project") if project else ("embeddings",),
        layers=_layers("encoder.layer", config.num_hidden_layers),
        type_ids=True,
    )


def roberta(config: PreTrainedConfig) -> Cut:
    """RoBERTa (Liu et al. 2019) and its multilingual and French relatives."""
    return BertLike(
        width=config.hidden_size, front=("embeddings",), layers=_layers("encoder.layer", config.num_hidden_layers)
    )


def distilbert(config: PreTrainedConfig) -> Cut:
    """DistilBERT (Sanh et al. 2019)."""
    return BertLike(width=config.dim, front=("embeddings",), layers=_layers("transformer.layer", config.n_layers))


def mpnet(config: PreTrainedConfig) -> Cut:
    """MPNet (Song et al. 2020), with one relative position bias for all layers."""
    bias = "encoder.relative_attention_bias"
    return BertLike(
        width=config.hidden_size,
        front=("embeddings", bias),
        layers=_layers("encoder.layer", config.num_hidden_layers),
        bias=bias,
    )


def pooled(cut: BertLike, declared: Mapping[str, Any], address: str) -> BertLike:
    """The same cut with the pooling that a sentence-transformers folder declares in 1_Pooling/config.json."""
    on = [name.removeprefix("pooling_mode_") for name, value in declared.items() if value is True]
    on = [
        name for name in on if name in ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "lasttoken")
    ]
    modes = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"}
    if not on and isinstance(declared.get("pooling_mode"), str):  # the newer spelling
        on, modes = [declared["pooling_mode"]], {"cls": "cls", "mean": "mean", "max": "max"}
    if not on:
        return cut
    if len(on) > 1 or on[0] not in modes:
        raise SourceError(f"{address}: pools by {' and '.join(on)}; mean, cls or max is supported")
    return replace(cut, pooling=modes[on[0]])


def _layers(path: str, count: int) -> tuple[tuple[str, ...], ...]:
    return tuple((f"{path}.{i}",) for i in range(count))


FAMILIES: dict[str, Callable[[Any], Cut]] = {
    "bert": bert,
    "electra": bert,
    "roberta": roberta,
    "xlm-roberta": roberta,
    "camembert": roberta,
    "distilbert": distilbert,
    "mpnet": mpnet,
}
