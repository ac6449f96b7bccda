"""What every network of this package is: an `nn.Module` that the Hub can hold.

The arguments of a network's `__init__` are its Hub config. `PyTorchModelHubMixin` records them in
`__new__`, before `__init__` runs, merged with the defaults; that is why they are keyword-only and
plain (int, float, bool, str, or one of these and None). A Hub folder holds `config.json` (those
arguments and the key "architecture", the name of the class), `model.safetensors` and `README.md`.
Nothing here knows about pictures, devices or tiles: see `image.py` and `upscaler.py`.
"""

import inspect
from typing import ClassVar

from huggingface_hub.hub_mixin import DEFAULT_MODEL_CARD
from torch import nn

from sr_hub.card import NetworkFacts
from sr_hub.cost import multiply_adds
from sr_hub.errors import SRHubError
from sr_hub.hub_model import HubModel

CARD_OUTPUT = (720, 1280)
"""Height and width of the output for which cards state the multiply-adds, as papers do."""


class SRModel(nn.Module, HubModel):
    """A network that enlarges pictures by an integer factor.

    `forward` takes (N, 3, H, W), RGB in [0, 1], any H and W from 1, and returns
    (N, 3, scale * H, scale * W), not clamped, so that losses see the truth. A network that adds the
    bicubic enlargement answers in float32, also where its weights have 16 bits.
    """

    scales: ClassVar[tuple[int, ...]] = (2, 3, 4)
    """The enlargement factors that the source of the network allows."""

    scale: int

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        if type(scale) is not int or scale not in self.scales:
            allowed = ", ".join(str(s) for s in self.scales)
            raise SRHubError(f"{type(self).__name__} enlarges by {allowed}, not by scale={scale}")
        self.scale = scale

    @property
    def receptive_field(self) -> int:
        """How far, in input pixels to each side, an input pixel can change the output."""
        raise NotImplementedError(
            f"{type(self).__name__} has no receptive_field: tiles need to know how far it sees"
        )

    @property
    def size_multiple(self) -> int:
        """Input pixels at whose multiples a tile must start to equal the whole picture."""
        return 1

    @property
    def num_parameters(self) -> int:
        """Count of trainable numbers."""
        return sum(p.numel() for p in self.parameters())

    def multiply_adds(self, height: int, width: int) -> int:
        """Multiply-adds of the convolutions for one input of `height` x `width` pixels."""
        return multiply_adds(self, height, width)

    @property
    def upload_message(self) -> str:
        """First line of a commit that brings it to the Hub, if none is given."""
        return f"Upload {type(self).__name__} x{self.scale}"

    def network_facts(self) -> NetworkFacts:
        """What a card says about the network itself, without weights."""
        height, width = CARD_OUTPUT[0] // self.scale, CARD_OUTPUT[1] // self.scale
        info = self._hub_mixin_info
        urls = {name: getattr(info, name) for name in ("repo_url", "docs_url", "paper_url")}
        template = info.model_card_template
        return NetworkFacts(
            architecture=type(self).__name__,
            module=type(self).__module__,
            summary=_summary(type(self)),
            scale=self.scale,
            arguments=self.arguments,
            parameters=self.num_parameters,
            multiply_adds=self.multiply_adds(height, width),
            output_size=(height * self.scale, width * self.scale),
            declared={**info.model_card_data.to_dict(), **{k: v for k, v in urls.items() if v}},
            template=None if template == DEFAULT_MODEL_CARD else template,
        )


def _summary(network: type[SRModel]) -> str:
    """The first paragraph of the class's docstring, else of that of the network it is made of."""
    classes = network.__mro__[: network.__mro__.index(SRModel)]
    texts = (each.__doc__ for each in classes if issubclass(each, SRModel))
    return " ".join(inspect.cleandoc(next(filter(None, texts), "")).partition("\n\n")[0].split())
