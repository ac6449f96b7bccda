import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # the kernels for a GPU run on the CPU, slowly

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with training and benchmark pictures, which is not part of the repository."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the training and benchmark pictures in {SHARED}")
    return SHARED


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A Hub on the loopback for the real client, with an empty cache and the token of "user".

    Nothing waits: `hub.waits` lists the seconds that the client would have slept.
    """
    from hub_server import HubServer
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    with HubServer() as server:
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        server.cache = tmp_path / "hub-cache"
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(server.cache))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setenv("HF_TOKEN", "hf_user")
        server.waits = []
        monkeypatch.setattr("time.sleep", server.waits.append)
        close_session()
        yield server
        close_session()
