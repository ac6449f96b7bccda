"""What a card says is what the folder and the stored results say."""

import hashlib
import json

import pytest
import torch
from huggingface_hub import ModelCard
from typer.testing import CliRunner

from sr_hub.base import SRModel
from sr_hub.bundled import bundled_models
from sr_hub.card import PICTURE_FILE, card_text
from sr_hub.cli import app
from sr_hub.errors import SRHubError
from sr_hub.folder import CARD_FILE, WEIGHTS_FILE
from sr_hub.models import ESPCN, MODELS, RRIM, load_model
from sr_hub.papers import papers_of
from sr_hub.publish import write_card
from sr_hub.records import FORMAT, write_results
from sr_hub.seal import sealed
from sr_hub.tables import LPIPS_DEFINITION

TRAINING = {
    "recipe": "rrim_gan",
    "steps": 300_000,
    "hours": 2.5,
    "hardware": "one GPU",
    "base_model": "user/rrim-x4",
    "losses": {"l1": 1.0, "adversarial": 0.005},
    "license": "apache-2.0",
    "datasets": ["user/pictures"],
    "data": [
        {"name": "open pictures", "pictures": 403, "licences": "CC0, CC-BY", "url": "https://a.b"}
    ],
}


@pytest.fixture
def folder(tmp_path):
    RRIM(channels=8, groups=1, shallow="3:4,5:4", middle="3:8", deep="3:16").save_pretrained(
        tmp_path / "rrim-gan-x4"
    )
    return tmp_path / "rrim-gan-x4"


def checksum(folder):
    return hashlib.sha256((folder / WEIGHTS_FILE).read_bytes()).hexdigest()


def stored_results(folder, sha256):
    """A file as `eval` writes it, in which these weights have another name than their folder."""
    rows = [
        {"dataset": dataset, "model": model, "protocol": protocol, "mean": mean}
        for dataset, model, protocol, mean in (
            ("Set5", "bicubic", "y", {"psnr": 28.42, "ssim": 0.8104}),
            ("Set5", "mine", "y", {"psnr": 31.234567, "ssim": 0.8812}),
            ("Set14", "mine", "y", {"psnr": 28.001, "ssim": float("nan")}),
            ("Set5", "mine", "rgb", {"psnr": 29.5, "ssim": 0.86}),
            ("Set5", "another", "y", {"psnr": 99.0, "ssim": 0.99}),
        )
    ]
    results = {
        "format": FORMAT,
        "scale": 4,
        "command": "python -m sr_hub eval --data Set5",
        "hardware": "a fast computer",
        "protocols": {"y": "luma as in the literature", "rgb": "all channels"},
        "datasets": {"Set5": {}, "Set14": {}},
        "models": {"bicubic": {}, "mine": {"sha256": sha256}, "another": {"sha256": "0" * 64}},
        "results": rows,
        "seconds": [{"dataset": "Set5", "model": "mine", "mean": 0.25, "pictures": [0.25]}],
    }
    folder.mkdir(exist_ok=True)
    write_results(results, folder / "x4.json")
    (folder / "other.json").write_text("{}")
    return folder


def card_of(folder, **arguments):
    return ModelCard(card_text(folder, load_model(folder).network_facts(), **arguments))


def test_the_front_matter_is_what_the_hub_files_a_model_by(folder):
    (folder / "training.json").write_text(json.dumps(TRAINING))
    write_card(folder, repo_id="user/rrim-gan-x4")
    data = ModelCard.load(folder / "README.md").data
    assert data.library_name == "sr_hub"
    assert data.pipeline_tag == "image-to-image"
    assert {"super-resolution", "image-super-resolution", "rrim"} <= set(data.tags)
    assert data.license == "apache-2.0"
    assert data.base_model == "user/rrim-x4"
    assert data.datasets == ["user/pictures"]


def test_what_is_special_about_a_checkpoint_stands_above_its_use(folder):
    (folder / "training.json").write_text(json.dumps({"about": "A tenth of the paper's size."}))
    text = card_of(folder).text
    assert text.index("A tenth of the paper's size.") < text.index("## Use")


@pytest.mark.parametrize("repo_id", ["anna/rrim-gan-x4", None])
def test_a_base_model_without_an_owner_is_told_and_not_linked(folder, repo_id):
    (folder / "training.json").write_text(json.dumps(TRAINING | {"base_model": "rrim-x4"}))
    card = card_of(folder, repo_id=repo_id)
    assert card.data.base_model is None and "| base model | rrim-x4 |" in card.text


def test_a_base_model_that_is_given_is_a_hub_id(tmp_path):
    for name in ("rrim-x4", "a/b/c", "user/"):
        with pytest.raises(SRHubError, match=f"\"base_model\" is '{name}', not a Hub id like"):
            ESPCN().save_pretrained(tmp_path / "new", facts={"base_model": name})
    assert not (tmp_path / "new").exists()


def test_the_model_index_holds_the_results_of_exactly_these_weights(folder, tmp_path):
    results = stored_results(tmp_path / "results", checksum(folder))
    card = card_of(folder, repo_id="user/rrim-gan-x4", results=results)
    data = ModelCard(str(card)).data
    assert data.model_name == "rrim-gan-x4"
    assert data.metrics == ["psnr", "ssim"]
    found = {(r.dataset_name, r.metric_name): r.metric_value for r in data.eval_results}
    assert found == {
        ("Set5", "PSNR (protocol y)"): 31.23457,  # as stored
        ("Set5", "SSIM (protocol y)"): 0.8812,
        ("Set14", "PSNR (protocol y)"): 28.001,
        ("Set5", "PSNR (protocol rgb)"): 29.5,
        ("Set5", "SSIM (protocol rgb)"): 0.86,
    }
    assert {r.dataset_type for r in data.eval_results} == {"eugenesiow/Set5", "eugenesiow/Set14"}
    assert "| Set5 | mine | **31.23** | **0.8812** |" in card.text
    assert "| Set5 | bicubic | 28.42 | 0.8104 |" in card.text
    assert "luma as in the literature" in card.text
    assert "python -m sr_hub eval --data Set5" in card.text
    assert "a fast computer" in card.text
    assert "99.0" not in str(card)


def test_results_of_other_weights_are_not_claimed(folder, tmp_path):
    card = card_of(folder, results=stored_results(tmp_path / "results", "1" * 64))
    assert card.data.eval_results is None
    assert "Not measured" in card.text


def test_the_text_holds_the_facts(folder):
    (folder / "training.json").write_text(json.dumps(TRAINING))
    (folder / PICTURE_FILE).write_bytes(b"picture")
    text = card_of(folder, repo_id="user/rrim-gan-x4").text
    model = load_model(folder)
    for fact in (
        checksum(folder),
        f"{model.num_parameters:,}",
        f"{model.multiply_adds(180, 320) / 1e9:.1f} G",
        'Upscaler("user/rrim-gan-x4")',
        "rrim_gan",
        "300,000",
        "CC0, CC-BY",
        f"]({PICTURE_FILE})",
        "利用人工智慧提升圖片解析度",
        "林峰正 and 黃仰辰 and 張耀文",
        "https://arxiv.org/abs/1512.00567",
        "It invents detail",
        "faces, number plates, text, evidence or medical pictures",
    ):
        assert fact in text


def test_a_card_without_facts_says_so_instead_of_guessing(folder):
    card = card_of(folder)
    assert card.data.license is None
    assert "these weights | not stated" in card.text
    assert "is not recorded here" in card.text
    assert "It invents detail" not in card.text and "smallest error" not in card.text
    assert "trained on pictures reduced by" not in card.text
    assert "![" not in card.text


@pytest.mark.parametrize(
    ("facts", "known", "unknown"),
    [
        ({"base_model": "user/x"}, (), ("smallest error", "reduced by", "It invents")),
        ({"losses": {"l1": 1.0}}, ("smallest error",), ("reduced by",)),
        ({"degradation": "bicubic"}, ("reduced by the antialiased bicubic",), ("smallest error",)),
    ],
)
def test_a_card_says_of_the_training_only_what_is_known(folder, facts, known, unknown):
    (folder / "training.json").write_text(json.dumps(facts))
    text = card_of(folder).text
    assert all(words in text for words in known)
    assert not any(words in text for words in unknown)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"data": "cats"}, "\"data\" is 'cats', not a list of objects"),
        ({"data": ["cats"]}, "\"data\" holds 'cats', not objects like"),
        ({"command": 7}, '"command" is 7, not a text'),
        ({"tags": "moths"}, "\"tags\" is 'moths', not a list of texts"),
        ({"tags": [{}]}, '"tags" holds {}, not texts'),
        ({"losses": "l1"}, "\"losses\" is 'l1', not an object of numbers"),
        ({"losses": {"l1": "high"}}, "\"losses\" holds 'high', not numbers"),
        ({"datasets": 7}, '"datasets" is 7, not a text or a list of texts'),
        ({"language": [7]}, '"language" holds 7, not texts'),
    ],
)
def test_facts_of_another_kind_are_one_line_and_not_stored(folder, facts, said):
    network = load_model(folder)
    with pytest.raises(SRHubError, match=said):
        network.save_pretrained(folder.with_name("new"), facts=facts)
    assert not folder.with_name("new").exists()
    (folder / "training.json").write_text(json.dumps(facts))
    with pytest.raises(SRHubError, match=f"training.json: {said}"):
        card_text(folder, network.network_facts())


def test_numbers_of_any_fact_may_have_names(folder):
    (folder / "training.json").write_text('{"batch": {"first": 16, "then": "more"}}')
    assert "| batch | first 16, then more |" in card_of(folder).text


def test_facts_that_cannot_be_read_are_one_line(folder):
    for text in ("{", "[1]"):
        (folder / "training.json").write_text(text)
        with pytest.raises(SRHubError, match=r"training.json"):
            card_of(folder)


@pytest.mark.parametrize("name", MODELS)
def test_every_network_has_a_card_that_parses(name):
    network = MODELS[name]()
    facts = network.network_facts()
    assert facts.parameters == network.num_parameters
    assert facts.summary.endswith(".") and "\n" not in facts.summary
    assert papers_of(name, is_gan=True)
    assert facts.output_size[0] % network.scale == 0


def test_the_command_renews_a_card(folder):
    (folder / "README.md").write_text("old")
    result = CliRunner().invoke(app, ["card", str(folder), "--repo-id", "user/rrim-x4"])
    assert result.exit_code == 0, result.output
    card = ModelCard.load(folder / "README.md")
    assert 'Upscaler("user/rrim-x4")' in card.text


def test_the_command_renews_every_bundled_card_at_once(folder, monkeypatch):
    monkeypatch.setattr("sr_hub.bundled.bundled_models", lambda: {"rrim-gan-x4": folder})
    (folder / "README.md").write_text("old")
    assert CliRunner().invoke(app, ["card"]).exit_code == 0
    assert 'Upscaler("rrim-gan-x4")' in (folder / "README.md").read_text()


def test_the_use_that_the_card_shows_works(folder, tmp_path, monkeypatch):
    """The five lines of the card, run as they stand, on the folder itself."""
    pytest.importorskip("sr_hub.upscaler")
    from PIL import Image

    text = card_of(folder, repo_id=str(folder)).text
    code = text.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 6), "red").save("small.png")
    exec(compile(code, "card", "exec"), {})
    assert Image.open("large.png").size == (32, 24)


@pytest.mark.parametrize("name", bundled_models())
def test_a_bundled_card_is_the_one_that_would_be_written_now(name):
    folder = bundled_models()[name]
    renewed = sealed(str(load_model(folder).generate_model_card(folder)))
    written = (folder / CARD_FILE).read_text(encoding="utf-8")
    assert written == renewed, "renew it: python -m sr_hub card"


def test_multiply_adds_count_the_convolutions():
    torch.manual_seed(0)
    network = MODELS["SRVGGNetCompact"](channels=4, convs=1, scale=2)
    per_pixel = 9 * (3 * 4 + 4 * 4 + 4 * 12)
    assert network.multiply_adds(10, 20) == 200 * per_pixel


def test_a_network_of_ones_own_is_summed_up_by_itself_or_by_what_it_is_made_of():
    class Own(SRModel):
        def forward(self, x):
            return x

    class Told(RRIM):
        """An RRIM for
        moths.

        It is trained at night.
        """

    class Untold(RRIM):
        pass

    assert Told().network_facts().summary == "An RRIM for moths."
    assert Untold().network_facts().summary == RRIM().network_facts().summary != ""
    assert Own(scale=4).network_facts().summary == ""


class Tuned(ESPCN):
    """A network of somebody else."""


def test_the_card_of_somebody_elses_class_loads_it_by_that_class(tmp_path):
    Tuned().save_pretrained(tmp_path / "tuned", repo_id="user/tuned")
    text = (tmp_path / "tuned" / "README.md").read_text()
    assert f"from {__name__} import Tuned" in text
    assert 'Upscaler(Tuned.from_pretrained("user/tuned"))' in text
    assert "load_model" not in text and "A network of somebody else." in text
    assert "smallest error" not in text
    assert "Not measured." in text and "sr_hub eval" not in text


def test_the_card_of_a_class_that_was_typed_in_says_that_it_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setattr(Tuned, "__module__", "__main__")
    Tuned().save_pretrained(tmp_path / "tuned", repo_id="user/tuned")
    code = (tmp_path / "tuned" / CARD_FILE).read_text().split("```python\n")[1].split("```")[0]
    assert "# define or import Tuned first" in code and "from __main__" not in code


class Licensed(ESPCN, license="mit", tags=["moths"], language=["la"]):
    """A network with facts of its own."""


def test_a_card_says_what_the_class_states_and_the_weights_may_say_otherwise(tmp_path):
    network = Licensed()
    network.save_pretrained(tmp_path / "own")
    data = ModelCard.load(tmp_path / "own" / CARD_FILE).data
    assert data.license == "mit" and data.language == ["la"]
    assert {"moths", "super-resolution", "licensed", "pytorch_model_hub_mixin"} <= set(data.tags)
    network.save_pretrained(tmp_path / "own", facts={"license": "cc0-1.0"})
    card = ModelCard.load(tmp_path / "own" / CARD_FILE)
    assert card.data.license == "cc0-1.0" and "| these weights | cc0-1.0 |" in card.text


def test_the_name_and_the_link_of_a_licence_are_not_said_of_another(tmp_path):
    class Own(ESPCN, license="other", license_name="moth", license_link="https://a.b/moth"):
        pass

    assert Own().generate_model_card().data.license_link == "https://a.b/moth"
    Own().save_pretrained(tmp_path, facts={"license": "mit"})
    data = ModelCard.load(tmp_path / CARD_FILE).data
    assert (data.license, data.get("license_name"), data.get("license_link")) == ("mit", None, None)


def test_a_card_says_where_to_get_the_code(folder):
    text = card_of(folder).text
    hint = "Where its code is was not stated when this card was made"
    assert "Needs the Python package `sr_hub`" in text and hint in text
    assert "http" not in text.split("## Use")[1].split("## What")[0]
    (folder / "training.json").write_text('{"code_url": "https://a.b/sr_hub"}')
    text = card_of(folder).text
    assert "pip install git+https://a.b/sr_hub`" in text and hint not in text


def test_facts_are_given_where_a_network_is_saved_and_add_up(tmp_path):
    ESPCN().save_pretrained(tmp_path, repo_id="user/x", facts={"license": "mit", "steps": 1000})
    ESPCN().save_pretrained(
        tmp_path, facts={"base_model": "user/espcn-x4", "datasets": ["user/moths"], "steps": 2000}
    )
    assert "| steps | 2,000 |" in (tmp_path / CARD_FILE).read_text()
    data = ModelCard(card_text(tmp_path, ESPCN().network_facts(), repo_id="user/x")).data
    assert (data.license, data.base_model) == ("mit", "user/espcn-x4")
    assert data.datasets == ["user/moths"]
    for bad in ({"steps": torch.ones(1)}, ["mit"], {"loss": float("nan")}):
        with pytest.raises(SRHubError, match="facts are a dict of plain JSON values"):
            ESPCN().save_pretrained(tmp_path, facts=bad)


def test_lpips_is_stated_once_for_each_benchmark_and_as_what_it_is():
    text = (bundled_models()["rrim-x4"] / "README.md").read_text()
    front, body = text.split("\n---\n", 1)
    assert front.count("LPIPS v0.1 (SqueezeNet, RGB)") == 3 and "LPIPS (protocol" not in front
    assert LPIPS_DEFINITION in body


def test_what_was_run_is_a_list_in_its_order(tmp_path):
    (tmp_path / "training.json").write_text('{"command": "first --steps 1; then second"}')
    ESPCN().save_pretrained(tmp_path, repo_id="user/x")
    assert "1. first --steps 1\n1. then second\n" in (tmp_path / "README.md").read_text()


def test_a_card_of_converted_weights_tells_what_is_known_of_their_source(tmp_path):
    ESPCN().save_pretrained(tmp_path)
    (tmp_path / "source.json").write_text('{"file": "net.pth"}')
    card = card_text(tmp_path, load_model(tmp_path).network_facts())
    assert "the file `net.pth` (layout: not known" in " ".join(card.split())


def test_a_fact_that_no_card_reads_is_refused_with_the_nearest(tmp_path):
    for facts, says in (
        ({"licence": "mit"}, "no key 'licence' is known; did you mean 'license'"),
        ({"zzz": 1}, "no key 'zzz' is known; there are about, base_model"),
    ):
        with pytest.raises(SRHubError, match=says):
            ESPCN().save_pretrained(tmp_path / "new", facts=facts)
    assert not (tmp_path / "new").exists()
