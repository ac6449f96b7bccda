"""ONNX files compute what the network computes, at any size."""

import pytest
import torch
from typer.testing import CliRunner

from sr_hub import export as room
from sr_hub.cli import app
from sr_hub.errors import SRHubError
from sr_hub.export import TOLERANCE, export_onnx
from sr_hub.interpolate import load_with_fidelity
from sr_hub.models import MODELS

pytest.importorskip("onnxscript", reason="the extra [export] is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra [export] is not installed")

SMALL = {
    "RRIM": {"channels": 8, "groups": 1, "shallow": "3:4,5:4", "middle": "3:8", "deep": "3:16"},
    "SRResNet": {"channels": 8, "blocks": 1},
    "RRDBNet": {"channels": 8, "blocks": 1, "growth": 4},
    "SRVGGNetCompact": {"channels": 8, "convs": 1},
    "MSRResNet": {"channels": 8, "blocks": 1},
}
QUICK = ("RRIM",)


def run(path, image):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["enlarged"], {"image": image.numpy()})[0])


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in MODELS],
)
def test_the_file_computes_what_the_network_does_at_sizes_it_never_saw(tmp_path, name):
    network = MODELS[name](**SMALL.get(name, {})).eval()
    export_onnx(network, tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    for size in ((1, 7, 31), (3, 2, 5), (1, 64, 1)):
        image = torch.rand(size[0], 3, *size[1:])
        with torch.inference_mode():
            assert (run(tmp_path / "model.onnx", image) - network(image)).abs().max() < TOLERANCE


@pytest.mark.parametrize("scale", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_pixel_unshuffle_takes_sizes_that_are_no_multiple(tmp_path, scale):
    network = MODELS["RRDBNet"](scale=scale, **SMALL["RRDBNet"]).eval()
    export_onnx(network, tmp_path / "model.onnx")
    image = torch.rand(1, 3, 13, 7)
    with torch.inference_mode():
        assert (run(tmp_path / "model.onnx", image) - network(image)).abs().max() < TOLERANCE


def test_a_file_that_differs_is_not_written(tmp_path, monkeypatch):
    (tmp_path / "model.onnx").write_bytes(b"the last good one")
    monkeypatch.setattr(room, "_export", lambda model, path: path.write_bytes(b""))
    for difference in (2e-4, float("nan")):
        monkeypatch.setattr(room, "_largest_difference", lambda *_, value=difference: value)
        with pytest.raises(SRHubError, match="was not written: it differs from the network by"):
            export_onnx(MODELS["ESPCN"](), tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert (tmp_path / "model.onnx").read_bytes() == b"the last good one"


def test_the_network_that_is_exported_stays_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "_export", lambda model, path: path.write_bytes(b""))
    monkeypatch.setattr(room, "_largest_difference", lambda *_: 0.0)
    network = MODELS["ESPCN"]().double().train()
    export_onnx(network, tmp_path / "model.onnx")
    assert network.training
    assert all(parameter.dtype == torch.float64 for parameter in network.parameters())


def test_the_command_exports_a_folder_and_the_difference_is_measured(tmp_path):
    network, other = MODELS["ESPCN"]().eval(), MODELS["ESPCN"]().eval()
    network.save_pretrained(tmp_path / "espcn-x4")
    file = tmp_path / "onnx" / "model.onnx"
    result = CliRunner().invoke(app, ["export", str(tmp_path / "espcn-x4"), str(file)])
    assert result.exit_code == 0, result.output
    assert "differs from" in result.output
    assert room._largest_difference(network, file) < TOLERANCE
    assert room._largest_difference(other, file) > 100 * TOLERANCE


def test_a_network_between_two_forms_is_exported_by_its_name(tmp_path, monkeypatch):
    taken = []

    def instead(model, path):
        taken.append(model.state_dict())
        path.write_bytes(b"onnx")
        return 0.0

    monkeypatch.setattr(room, "export_onnx", instead)
    name = "rrim-x4 at fidelity 0.25"
    result = CliRunner().invoke(app, ["export", name, str(tmp_path / "mixed.onnx")])
    assert result.exit_code == 0, result.output
    expected = load_with_fidelity("rrim-x4", 0.25).state_dict()
    assert all(torch.equal(taken[0][key], expected[key]) for key in expected)


def test_another_ending_and_a_missing_extra_are_one_line(tmp_path, monkeypatch):
    with pytest.raises(SRHubError, match=r"must end in \.onnx"):
        export_onnx(MODELS["ESPCN"](), tmp_path / "model.pt")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SRHubError, match=r"pip install 'sr_hub\[export\]'"):
        export_onnx(MODELS["ESPCN"](), tmp_path / "model.onnx")
