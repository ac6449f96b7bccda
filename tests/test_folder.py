"""A Hub folder is believed in nothing: one clear line, at once, before anything large is made."""

import json
import pickle
import resource
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sr_hub.base import SRModel
from sr_hub.bundled import bundled_models, hub_folder
from sr_hub.errors import SRHubError
from sr_hub.folder import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE
from sr_hub.models import (
    ESPCN,
    RRIM,
    LiteSRResNet,
    RRDBNet,
    SRResNet,
    SRVGGNetCompact,
    load_model,
)

MEGABYTE = 2**20


@pytest.fixture
def folder(tmp_path):
    branches = {"shallow": "3:4,5:4", "middle": "3:4,3+3:4", "deep": "3:16"}
    RRIM(channels=8, groups=1, bicubic_skip=False, **branches).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def change_config(folder, **changes):
    path = folder / CONFIG_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def change_weights(folder, change):
    weights = load_file(folder / WEIGHTS_FILE)
    change(weights)
    save_file(weights, folder / WEIGHTS_FILE)


def refusal(folder):
    """The message of the refusal, which is one line, quick and small."""
    load_model("bicubic")  # whatever is loaded once
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    with pytest.raises(SRHubError) as caught:
        load_model(folder)
    assert time.process_time() - start < 1
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * 1024 < 100 * MEGABYTE
    assert torch.is_grad_enabled()
    message = str(caught.value)
    assert "\n" not in message and len(message) < 500
    return message


def test_the_wrong_class_is_named(folder):
    with pytest.raises(SRHubError, match=r"holds the network RRIM, not ESPCN: sr_hub\.load_model"):
        ESPCN.from_pretrained(folder)


def test_missing_files_are_named(folder):
    (folder / WEIGHTS_FILE).unlink()
    assert refusal(folder).endswith(f"has no {WEIGHTS_FILE}")
    (folder / CONFIG_FILE).unlink()
    assert f"has no {CONFIG_FILE}" in refusal(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[1]", 'no "architecture"'),
        ('{"architecture": 1}', 'no "architecture"'),
        ('{"architecture": "Transformer"}', "holds the network Transformer; this version"),
        ('{"architecture": "MyRRIM"}', "load it by its own class, MyRRIM.from_pretrained"),
        (" " * 1_000_000 + "{}", "not a config"),
        ('{"architecture": "RRIM", "channels": 1' + "0" * 5000 + "}", "not valid JSON"),
    ],
)
def test_a_config_that_is_none_is_refused(folder, text, message):
    (folder / CONFIG_FILE).write_text(text)
    assert message in refusal(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widht": 64}, '"widht", which RRIM does not know'),
        ({"self": 64}, '"self", which RRIM does not know'),
        ({"channels": "8"}, "\"channels\" is '8', not a int"),
        ({"channels": True}, '"channels" is True, not a int'),
        ({"channels": 8.0}, '"channels" is 8.0, not a int'),
        ({"channels": None}, '"channels" is None, not a int'),
        ({"trunk_scale": float("nan")}, '"trunk_scale" is nan'),
        ({"bicubic_skip": 1}, '"bicubic_skip" is 1, not a bool'),
        ({"channels": 10**9}, '"channels" is 1000000000, but the weights are only'),
        ({"groups": 10**9}, '"groups" is 1000000000, but the weights are only'),
        ({"groups": 1000}, "many more layers than the weights"),
        ({"groups": -1}, "groups=-1 must be a whole number of at least 0"),
        ({"channels": -8}, "does not describe a RRIM"),
        ({"scale": 5}, "scale=5"),
        ({"deep": "999999999:16"}, "model.safetensors does not fit"),
        ({"deep": "99999999999999999999:16"}, "does not describe a RRIM"),
        ({"deep": "3:16000000000000"}, "does not describe a RRIM"),
        ({"deep": "3:16," * 100_000}, "config"),
        ({"deep": "3+" * 400 + "3:16"}, "many more layers"),
        ({"channels": 16, "shallow": "3:8,5:8", "middle": "3:8,3+3:8"}, "does not fit its config"),
        ({"groups": 2}, "missing"),
    ],
)
def test_arguments_that_do_not_fit_the_weights_are_refused(folder, changes, message):
    change_config(folder, **changes)
    assert message in refusal(folder)


@pytest.mark.parametrize(
    ("network", "changes", "message"),
    [
        (RRIM, {"groups": 10**9}, "but the weights are only"),
        (RRIM, {"groups": 500_000}, "many more layers"),
        (RRDBNet, {"growth": 10**6}, "does not fit"),
        (SRResNet, {"blocks": 10**6}, "many more layers"),
        (SRResNet, {"channels": 10**6}, "does not fit"),
        (SRVGGNetCompact, {"convs": 500_000}, "many more layers"),
    ],
)
def test_absurd_arguments_beside_full_size_weights_are_refused(tmp_path, network, changes, message):
    arguments = {"blocks": 2} if network is RRDBNet else {}
    network(**arguments).save_pretrained(tmp_path / "model")
    change_config(tmp_path / "model", **changes)
    assert message in refusal(tmp_path / "model")


def test_missing_extra_and_misshapen_weights_are_named(folder):
    change_weights(folder, lambda weights: weights.pop("head.0.bias"))
    assert "1 missing, like head.0.bias" in refusal(folder)
    change_weights(folder, lambda weights: weights.update({"head.0.bias": torch.zeros(64)}))
    assert load_model(folder)
    change_weights(folder, lambda weights: weights.update(other=torch.zeros(1)))
    assert "1 unexpected, like other" in refusal(folder)
    change_weights(folder, lambda weights: (weights.pop("other"), weights.pop("head.0.bias")))
    change_weights(folder, lambda weights: weights.update({"head.0.bias": torch.zeros(63)}))
    assert "head.0.bias is 63, not 64" in refusal(folder)


@pytest.mark.parametrize("kept", [0, 4, 100, -100])
def test_truncated_weights_are_refused(folder, kept):
    path = folder / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:kept])
    assert "damaged or not a safetensors file" in refusal(folder)


def test_a_header_that_claims_more_than_the_file_holds_is_refused(folder):
    header = {"huge": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4 * 10**18]}}
    text = json.dumps(header).encode()
    (folder / WEIGHTS_FILE).write_bytes(struct.pack("<Q", len(text)) + text)
    assert "damaged or not a safetensors file" in refusal(folder)
    (folder / WEIGHTS_FILE).write_bytes(struct.pack("<Q", 10**18))
    assert "damaged or not a safetensors file" in refusal(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(folder, value):
    change_weights(folder, lambda weights: weights["head.0.bias"].fill_(value))
    assert "NaN or infinite numbers in head.0.bias" in refusal(folder)


def test_weights_of_another_kind_are_refused(folder):
    whole = {"head.0.bias": torch.zeros(64, dtype=torch.int64)}
    change_weights(folder, lambda weights: weights.update(whole))
    assert "head.0.bias is torch.int64, not torch.float32" in refusal(folder)


def test_a_pickle_runs_nothing_whatever_its_name(folder, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    bomb = pickle.dumps(Bomb())
    (folder / WEIGHTS_FILE).write_bytes(bomb)
    assert "damaged or not a safetensors file" in refusal(folder)
    (folder / WEIGHTS_FILE).unlink()
    (folder / "pytorch_model.bin").write_bytes(bomb)
    assert "pytorch_model.bin can hold code and is not opened" in refusal(folder)
    assert not (tmp_path / "exploded").exists()


def test_half_precision_weights_load_as_float32(folder):
    before = load_model(folder)
    change_weights(
        folder, lambda weights: weights.update({k: v.half() for k, v in weights.items()})
    )
    loaded = load_model(folder)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    image = torch.rand(1, 3, 8, 8)
    assert torch.allclose(loaded(image), before(image), atol=1e-2)


def test_loading_does_not_touch_the_random_numbers(folder):
    torch.manual_seed(7)
    load_model(folder)
    drawn = torch.rand(1)
    torch.manual_seed(7)
    assert torch.equal(drawn, torch.rand(1))


def test_what_is_loaded_does_not_depend_on_the_file(folder):
    model = load_model(folder)
    before = model(torch.ones(1, 3, 4, 4))
    (folder / WEIGHTS_FILE).write_bytes(bytes((folder / WEIGHTS_FILE).stat().st_size))
    assert torch.equal(model(torch.ones(1, 3, 4, 4)), before)


def test_a_loaded_network_trains(folder):
    model = RRIM.from_pretrained(folder)
    model(torch.rand(1, 3, 4, 4)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_shared_slopes_are_still_shared_after_loading(tmp_path):
    LiteSRResNet().save_pretrained(tmp_path / "lite")
    assert load_model(tmp_path / "lite").num_parameters == LiteSRResNet().num_parameters


class Centred(SRModel):
    """A network of one's own, with a constant that no optimizer moves and no state_dict holds."""

    def __init__(self, *, scale: int = 4, mean: float = 0.5) -> None:
        super().__init__(scale=scale)
        self.inner = ESPCN(scale=scale)
        self.inner.register_buffer("mean", torch.full((1, 3, 1, 1), mean), persistent=False)

    @property
    def receptive_field(self) -> int:
        return self.inner.receptive_field

    def forward(self, x):
        return self.inner(x - self.inner.mean) + self.inner.mean


def test_a_network_of_ones_own_with_a_constant_that_is_not_persistent_loads(tmp_path):
    network, x = Centred(mean=0.25).eval(), torch.rand(1, 3, 5, 6)
    network.save_pretrained(tmp_path / "own")
    assert torch.equal(Centred.from_folder(tmp_path / "own")(x), network(x))


def test_an_argument_that_may_be_none_loads_and_is_checked(tmp_path):
    class Optional(Centred):
        def __init__(self, *, scale: int = 4, width: int | None = None) -> None:
            super().__init__(scale=scale)
            self.register_buffer("gain", torch.ones(width or 1))

    for width in (None, 3):
        Optional(width=width).save_pretrained(tmp_path)
        assert Optional.from_folder(tmp_path).arguments == {"scale": 4, "width": width}
    change_config(tmp_path, width="3")
    with pytest.raises(SRHubError, match=r"\"width\" is '3', not a int \| None"):
        Optional.from_folder(tmp_path)


def test_arguments_that_a_network_of_ones_own_hands_on_load_and_are_checked(tmp_path):
    class Louder(ESPCN):
        def __init__(self, *, gain: float = 1.0, **options) -> None:
            super().__init__(**options)
            self.gain = gain

    Louder(gain=2.0, scale=3, bicubic_skip=False).save_pretrained(tmp_path)
    loaded = Louder.from_folder(tmp_path)
    assert (loaded.gain, loaded.scale, loaded.bicubic_skip) == (2.0, 3, False)
    for changes, message in (
        ({"scale": "3"}, "\"scale\" is '3', not a int"),
        ({"options": 1}, '"options", which Louder does not know'),
    ):
        change_config(tmp_path, scale=3)
        change_config(tmp_path, **changes)
        with pytest.raises(SRHubError, match=message):
            Louder.from_folder(tmp_path)


def test_what_would_not_load_is_not_saved(tmp_path):
    class Loose(Centred):
        def __init__(self, *, scale: int = 4, gain=1.0) -> None:
            super().__init__(scale=scale)

    class Listed(Centred):
        def __init__(self, *, scale: int = 4, widths: tuple[int, ...] = (8, 8)) -> None:
            super().__init__(scale=scale)

    broken, longer = Centred(), Centred()
    broken.inner.mean.fill_(float("nan"))
    longer.more = torch.nn.Conv2d(3, 3, 1)
    for network, message in (
        (Loose(), '"gain" of Loose has no type annotation'),
        (Listed(), r'"widths" is \(8, 8\), not a tuple'),
        (broken, r"NaN or infinite numbers in inner\.mean"),
        (longer, r"2 unexpected, like more\."),
    ):
        with pytest.raises(SRHubError, match=f"not saved, since it would not load: .*{message}"):
            network.save_pretrained(tmp_path / "own")
        with pytest.raises(SRHubError, match=message):
            network.push_to_hub("user/own")
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("trunk_scale", np.float32(0.5), "numpy.float32"),
        ("trunk_scale", np.float64(0.5), "numpy.float64"),
        ("bicubic_skip", np.bool_(False), "numpy.bool"),
        ("groups", np.int64(1), "numpy.int64"),
        ("deep", np.str_("3:16"), "numpy.str_"),
        ("trunk_scale", torch.tensor(0.5), "torch.Tensor"),
    ],
)
def test_a_number_that_no_config_can_hold_is_refused_where_it_is_given(name, value, kind):
    with pytest.raises(SRHubError, match=f"{name} of RRIM is a {kind}: give a plain int, float"):
        RRIM(**{"groups": 1, name: value})


def test_a_network_made_of_what_no_config_can_hold_works_and_is_not_saved(tmp_path):
    class Around(SRModel):
        def __init__(self, inner: torch.nn.Module | None = None, *, sizes: list = (8, 8)) -> None:
            super().__init__(scale=4)
            self.inner, self.sizes = inner or ESPCN(), sizes

        def forward(self, x):
            return self.inner(x)

    assert Around(ESPCN())(torch.rand(1, 3, 2, 2)).shape == (1, 3, 8, 8)
    with pytest.raises(SRHubError, match=r"not saved, .*no config can hold inner of Around"):
        Around(ESPCN()).save_pretrained(tmp_path / "own")
    assert not (tmp_path / "own").exists()
    Around(sizes=[4, 2]).save_pretrained(tmp_path / "own")
    assert Around.from_folder(tmp_path / "own").sizes == [4, 2]


def test_an_interrupted_save_leaves_the_old_files(folder, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full_disk(path, content):
        path.touch()
        raise OSError("No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full_disk)
    with pytest.raises(SRHubError, match=r"cannot write .*model\.safetensors: No space"):
        load_model(folder).save_pretrained(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_everybody_may_read_what_is_saved(folder):
    modes = {path.stat().st_mode for path in folder.iterdir()}
    (folder / "other").touch()
    assert modes == {(folder / "other").stat().st_mode}


def test_saving_renews_a_card_that_nobody_touched_and_keeps_an_edited_one(folder, caplog):
    card, model = folder / CARD_FILE, load_model(folder)
    model.save_pretrained(folder, facts={"license": "mit"})
    assert "license: mit" in card.read_text() and not caplog.text
    card.write_bytes(card.read_bytes().replace(b"\n", b"\r\n"))  # as Git does on Windows
    model.save_pretrained(folder, facts={"license": "cc0-1.0"})
    assert "license: cc0-1.0" in card.read_text() and not caplog.text

    own = card.read_text() + "A remark by hand.\n"
    for text in (own, own.replace("license: cc0-1.0", "license: mit"), "by hand", ""):
        card.write_text(text)
        caplog.clear()
        model.save_pretrained(folder)
        assert card.read_text() == text
        assert f"{card} was edited and stays; keep_card=False writes it anew" in caplog.text
    caplog.clear()
    model.save_pretrained(folder, keep_card=True)
    assert card.read_text() == "" and not caplog.text
    model.save_pretrained(folder, keep_card=False)
    assert card.read_text().startswith("---\n")


def test_a_card_of_front_matter_alone_is_replaced_and_its_licence_stays(folder, caplog):
    card, model = folder / CARD_FILE, load_model(folder)
    card.write_text("---\nlicense: mit\n---\n")  # as a clone of what the website made has it
    for _ in range(2):
        model.save_pretrained(folder)
        assert "license: mit" in card.read_text() and "library_name: sr_hub" in card.read_text()
    assert not caplog.text


def test_a_card_that_nobody_touched_can_be_kept(folder):
    before = (folder / CARD_FILE).read_text()
    load_model(folder).save_pretrained(folder, facts={"license": "mit"}, keep_card=True)
    assert (folder / CARD_FILE).read_text() == before


@pytest.mark.parametrize("name", bundled_models())
def test_a_bundled_model_is_saved_as_the_same_bytes(name, tmp_path):
    load_model(name).save_pretrained(tmp_path)
    stored = bundled_models()[name] / "model.safetensors"
    assert (tmp_path / "model.safetensors").read_bytes() == stored.read_bytes()


def test_what_is_known_of_a_bundled_model_is_not_said_of_weights_saved_over_it(tmp_path):
    model = load_model("espcn-x4")
    model.save_pretrained(tmp_path)
    assert "license: apache-2.0" in (tmp_path / CARD_FILE).read_text()
    (tmp_path / "metrics.json").write_text("{}")
    with torch.no_grad():
        next(model.parameters()).add_(0.01)
    model.save_pretrained(tmp_path)
    assert "license" not in (tmp_path / CARD_FILE).read_text().split("---")[1]
    names = {CONFIG_FILE, WEIGHTS_FILE, CARD_FILE}
    assert {path.name for path in tmp_path.iterdir()} == names | {"metrics.json"}, "not a copy"


def test_a_folder_with_its_own_facts_is_told_nothing(tmp_path):
    (tmp_path / "training.json").write_text('{"license": "mit"}')
    load_model("espcn-x4").save_pretrained(tmp_path)
    names = {CONFIG_FILE, WEIGHTS_FILE, CARD_FILE, "training.json"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert "license: mit" in (tmp_path / CARD_FILE).read_text()


def test_numbers_that_16_bits_do_not_hold_stay_in_32(tmp_path):
    model = ESPCN()
    model.save_pretrained(tmp_path)
    for name, tensor in ESPCN.from_folder(tmp_path).state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name])


def test_what_git_leaves_without_lfs_is_named(tmp_path):
    ESPCN().save_pretrained(tmp_path / "model")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:12ab\nsize 12\n"
    (tmp_path / "model" / WEIGHTS_FILE).write_text(pointer)
    with pytest.raises(SRHubError, match=r"is a pointer of Git LFS, not the weights: `git lfs"):
        load_model(tmp_path / "model")


def test_a_folder_named_like_a_bundled_model_is_told_apart(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    own = ESPCN(scale=2)
    own.save_pretrained("espcn-x4")
    assert load_model("espcn-x4").scale == 4 and "write ./espcn-x4" in caplog.text
    assert load_model("./espcn-x4").scale == 2
    with pytest.raises(SRHubError, match=r"a bundled model and a folder here: write \./espcn-x4"):
        hub_folder("espcn-x4")
    assert hub_folder("./espcn-x4") == Path("espcn-x4")
    assert hub_folder("srcnn-x4").name == "srcnn-x4"
