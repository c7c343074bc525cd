"""Sources: a name becomes a body. Each scheme of addresses is one part."""

from landbridge.sources.torchvision_schemas import mend

mend()  # before any source imports timm or transformers, which would fail over a torchvision that cannot load
