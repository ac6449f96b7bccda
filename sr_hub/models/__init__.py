"""The networks, in one visible table, and the one way to load any of them."""

from sr_hub.base import SRModel
from sr_hub.models.rrim import RRIM
from sr_hub.models.srresnet import SRResNet

MODELS: dict[str, type[SRModel]] = {
    "RRIM": RRIM,
    "SRResNet": SRResNet,
}
"""Every network by the name of its class, which is the "architecture" of its Hub config."""
