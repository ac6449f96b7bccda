"""Every argument of the Hub's mixin does here what it does there, or is refused in one line."""

import copy
import inspect
import pickle
from dataclasses import dataclass
from enum import Enum

import pytest
import torch
from hub_parts import same, small
from huggingface_hub import HfApi, ModelCard, PyTorchModelHubMixin

from sr_hub.base import SRModel
from sr_hub.errors import SRHubError
from sr_hub.folder import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE
from sr_hub.models import ESPCN, RRIM


def pushed(hub, name):
    repo = hub.repo(name)
    return repo.commits[repo.branches["main"]]


@pytest.mark.parametrize("name", ["save_pretrained", "push_to_hub", "from_pretrained"])
def test_no_argument_of_the_mixin_is_unknown(name):
    theirs, ours = (
        inspect.signature(getattr(c, name)).parameters for c in (PyTorchModelHubMixin, RRIM)
    )
    named = {n for n, p in theirs.items() if p.kind is not p.VAR_KEYWORD}
    assert named <= ours.keys()


def test_the_config_can_be_given_and_is_what_it_is(hub, tmp_path):
    model = small()
    own = {"architecture": "RRIM", **model.arguments}
    model.save_pretrained(tmp_path, config=own, push_to_hub=True, repo_id="user/rrim-x4")
    model.push_to_hub("user/rrim-x4", config=model.arguments)
    assert same(RRIM.from_pretrained("user/rrim-x4"), model)
    refused = pytest.raises(SRHubError, match="config is what RRIM was made of, and nothing else")
    with refused:
        model.save_pretrained(tmp_path / "no", config={"channels": 16})
    with refused:
        model.push_to_hub("user/no", config={"channels": 16})
    assert not (tmp_path / "no").exists() and ("model", "user/no") not in hub.repos


def test_patterns_choose_what_goes_up_and_what_is_deleted(hub, tmp_path):
    model, folder = small(), tmp_path / "model"
    model.save_pretrained(folder, facts={"license": "mit"})
    (folder / "comparison.png").write_bytes(b"picture")
    options = {"repo_id": "user/one", "push_to_hub": True}
    model.save_pretrained(folder, **options, ignore_patterns=["*.png", "training.json"])
    base = {".gitattributes", CONFIG_FILE, WEIGHTS_FILE, CARD_FILE}
    assert pushed(hub, "user/one").keys() == base
    model.push_to_hub("user/two", allow_patterns=["config.json", "*.safetensors"])
    assert pushed(hub, "user/two").keys() == base - {CARD_FILE}

    for name in ("old/a.bin", "old/b.txt"):
        HfApi().upload_file(path_or_fileobj=b"old", path_in_repo=name, repo_id="user/one")
    model.save_pretrained(folder, **options, ignore_patterns="training.json")
    commits = len(hub.repo("user/one").commits)
    model.push_to_hub("user/one", delete_patterns="*.bin", ignore_patterns="*.png")
    assert pushed(hub, "user/one").keys() == base | {"comparison.png", "old/b.txt"}
    assert len(hub.repo("user/one").commits) == commits + 1
    model.push_to_hub("user/one", delete_patterns=["*"])
    assert pushed(hub, "user/one").keys() == base


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ({"ignore_patterns": "*.safetensors"}, f"ignore_patterns leaves out {WEIGHTS_FILE}"),
        ({"allow_patterns": ["*.md", "*.json"]}, f"allow_patterns leaves out {WEIGHTS_FILE}"),
        ({"ignore_patterns": ["config.json"]}, f"ignore_patterns leaves out {CONFIG_FILE}"),
    ],
)
def test_a_model_does_not_go_up_without_its_config_and_weights(hub, patterns, message):
    with pytest.raises(SRHubError, match=f"{message}: .*single files go up by"):
        small().push_to_hub("user/rrim-x4", **patterns)
    assert not hub.requests


def test_a_card_left_out_stays_on_the_hub(hub):
    small().push_to_hub("user/rrim-x4")
    before = pushed(hub, "user/rrim-x4")[CARD_FILE]
    small().push_to_hub("user/rrim-x4", ignore_patterns="README.md")
    assert pushed(hub, "user/rrim-x4")[CARD_FILE] == before


class Moths(
    ESPCN,
    repo_url="https://a.b/moths",
    docs_url="https://a.b/docs",
    paper_url="https://a.b/paper",
    license="mit",
    tags=["moths"],
    pipeline_tag="image-feature-extraction",
    library_name="moths",
    language=["la"],
):
    """A network of somebody else."""


def test_what_a_class_states_reaches_its_card_in_a_subclass_too():
    class More(Moths, tags=["night"]):
        pass

    for network in (Moths(), More()):
        card = network.generate_model_card(repo_id="user/moths")
        for link in ("[code](https://a.b/moths)", "(https://a.b/docs)", "- https://a.b/paper"):
            assert link in card.text
        data = card.data
        assert (data.license, data.library_name, data.language) == ("mit", "moths", ["la"])
        assert data.pipeline_tag == "image-feature-extraction" and "moths" in data.tags
    assert {"night", "more", "super-resolution"} <= set(data.tags)
    assert "moths" not in ESPCN().generate_model_card().content


TEMPLATE = "---\n{{ card_data }}\n---\n# Of {{ who }}: {{ name }}\n{{ repo_url }} {{ checksum }}\n"


def test_a_template_of_ones_own_is_the_card_and_gets_its_values(hub, tmp_path):
    class Own(ESPCN, model_card_template=TEMPLATE, repo_url="https://a.b", license="mit"):
        pass

    Own().save_pretrained(tmp_path, model_card_kwargs={"who": "Anna"}, repo_id="user/own")
    card = ModelCard.load(tmp_path / CARD_FILE)
    assert "# Of Anna: own\nhttps://a.b " in card.text and card.data.license == "mit"
    assert "super-resolution" in card.data.tags and "## Use" not in card.text
    for who in ("Anna", "Berta"):
        Own().push_to_hub("user/own", model_card_kwargs={"who": who})
        assert f"# Of {who}: own".encode() in pushed(hub, "user/own")[CARD_FILE]

    class Wrong(ESPCN, model_card_template="---\n{{ card_data }}\n---\n{{ "):
        pass

    with pytest.raises(SRHubError, match=r"^model_card_template of Wrong: "):
        Wrong().generate_model_card()
    with pytest.raises(SRHubError, match=r"RRIM has none: .* goes into facts"):
        small().push_to_hub("user/no", model_card_kwargs={"license": "mit"})
    assert ("model", "user/no") not in hub.repos


def test_a_card_that_a_class_changes_is_what_is_saved_and_pushed(hub, tmp_path):
    class Own(ESPCN):
        def generate_model_card(self, *args, **kwargs):
            card = super().generate_model_card(*args, **kwargs)
            card.data.tags.append("mine")
            card.text += "\nOf my own.\n"
            return card

    Own().save_pretrained(tmp_path / "own", push_to_hub=True, repo_id="user/own")
    for text in ((tmp_path / "own" / CARD_FILE).read_text(), pushed(hub, "user/own")[CARD_FILE]):
        assert "Of my own." in str(text) and "- mine" in str(text)


class Mode(Enum):
    SOFT = "soft"
    HARD = "hard"


@dataclass
class Size:
    width: int = 8
    depth: int = 1


class Coded(SRModel, coders={Mode: (lambda mode: mode.value, Mode)}):
    """Of arguments that JSON does not have."""

    def __init__(self, *, mode: Mode = Mode.SOFT, size: Size | None = None) -> None:
        super().__init__(scale=4)
        self.mode, self.size = mode, size
        self.layers = torch.nn.Conv2d(3, (size or Size()).width, 3)

    def forward(self, x):
        return self.layers(x)


def test_arguments_of_other_types_are_written_as_the_mixin_does(tmp_path):
    network = Coded(mode=Mode.HARD, size=Size(width=5))
    network.save_pretrained(tmp_path)
    loaded = Coded.from_pretrained(tmp_path)
    assert (loaded.mode, loaded.size) == (Mode.HARD, Size(width=5))
    assert loaded.arguments == {"mode": "hard", "size": {"width": 5, "depth": 1}}
    assert Coded.from_pretrained(tmp_path, mode=Mode.SOFT).mode is Mode.SOFT
    for old, new, message in (
        ('"hard"', '"loud"', "does not describe a Coded: 'loud' is not a valid Mode"),
        ('"hard"', "7", "does not describe a Coded"),
        ('"width": 5', f'"width": {10**12}', '"size" holds 1000000000000, but the weights'),
        ('"width": 5', '"width": 6', "does not fit its config"),
    ):
        config = tmp_path / CONFIG_FILE
        text = config.read_text()
        config.write_text(text.replace(old, new))
        with pytest.raises(SRHubError, match=message):
            Coded.from_pretrained(tmp_path)
        config.write_text(text)


def test_an_argument_named_config_is_refused_where_it_would_be_lost(tmp_path):
    class Own(ESPCN):
        def __init__(self, config: Size | None = None) -> None:
            super().__init__()

    for config in (Size(), {"width": 8}):
        with pytest.raises(SRHubError, match=r"not saved, .*no config can hold config of Own"):
            Own(config).save_pretrained(tmp_path / "own")


class Mine(ESPCN):
    """With an argument of its own."""

    def __init__(self, *, gain: float = 1.0, **options) -> None:
        super().__init__(**options)
        self.gain = gain


def test_arguments_of_init_can_be_given_where_a_model_is_loaded(hub, tmp_path):
    Mine(gain=2.0).push_to_hub("user/mine")
    options = {"token": "hf_user", "cache_dir": tmp_path / "cache", "map_location": "cpu"}
    assert Mine.from_pretrained("user/mine", **options).gain == 2.0
    given = Mine.from_pretrained("user/mine", gain=0.5, local_files_only=True, **options)
    assert given.gain == given.arguments["gain"] == 0.5
    assert not Mine.from_pretrained("user/mine", bicubic_skip=False).bicubic_skip
    for wrong, message in (
        ({"gain": "loud"}, "config.json with the given gain: \"gain\" is 'loud', not a float"),
        ({"scale": 3}, "model.safetensors does not fit its config with the given scale: "),
        ({"resume_download": True}, "resume_download is no argument of Mine.from_pretrained: l"),
        ({"proxies": None}, "proxies is no argument of Mine.from_pretrained: leave it out"),
    ):
        with pytest.raises(SRHubError, match=message):
            Mine.from_pretrained("user/mine", **wrong)


def test_options_of_a_push_that_say_nothing_are_no_mistake_without_one(tmp_path):
    small().save_pretrained(tmp_path, push_to_hub=False, token=None, private=None)
    with pytest.raises(SRHubError, match="delete_patterns is an option of push_to_hub=True"):
        small().save_pretrained(tmp_path, delete_patterns="*.bin")


def test_a_model_that_was_copied_or_pickled_or_halved_goes_up(hub, tmp_path):
    model = small()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other.push_to_hub("user/rrim-x4")
        assert same(RRIM.from_pretrained("user/rrim-x4"), model)
    torch.save(model.state_dict(), tmp_path / "state.pt")
    blank = small()
    blank.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert same(blank, model)
    copy.deepcopy(model).half().push_to_hub("user/half")
    half = RRIM.from_pretrained("user/half")
    assert {p.dtype for p in half.parameters()} == {torch.float32}
    assert len(pushed(hub, "user/half")[WEIGHTS_FILE]) < 0.7 * len(
        pushed(hub, "user/rrim-x4")[WEIGHTS_FILE]
    )
