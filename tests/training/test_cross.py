"""A trained RRIM, crossed."""

import json

import pytest
import torch
from PIL import Image

from sr_hub.errors import SRHubError
from sr_hub.models import ESPCN, RRIM, load_model
from training import cross

SMALL = {"channels": 8, "groups": 1, "shallow": "3:4,5:4", "middle": "3:4,3+3:4", "deep": "3:16"}


@pytest.fixture
def batches():
    torch.manual_seed(0)
    return [torch.rand(4, 3, 12, 12) for _ in range(6)]


def test_the_second_path_sees_what_the_first_sees_in_the_turned_picture(batches):
    model = RRIM(**SMALL).eval()
    crossed = cross.cross(model, batches)
    image = torch.rand(1, 3, 9, 14)
    with torch.inference_mode():
        first = crossed.path(crossed.head, crossed.trunk, image)
        assert torch.equal(first, model.path(model.head, model.trunk, image))
        turned = model.path(model.head, model.trunk, image.rot90(1, (2, 3))).rot90(-1, (2, 3))
        second = crossed.path(crossed.crossed_head, crossed.crossed_trunk, image)
    assert torch.allclose(second, turned, atol=1e-5)


def test_what_the_second_path_sees_is_brought_near_to_what_the_first_sees(batches):
    crossed = cross.cross(RRIM(**SMALL), batches)
    image = torch.rand(1, 3, 12, 12)
    with torch.inference_mode():
        first = crossed.path(crossed.head, crossed.trunk, image)
        second = crossed.path(crossed.crossed_head, crossed.crossed_trunk, image)
        joined = (crossed.join(second) - first).square().mean()
    assert joined < 0.7 * (second - first).square().mean()
    assert joined < 0.7 * first.var()


def test_the_crossed_network_enlarges_as_the_network_did(batches):
    model = RRIM(**SMALL, bicubic_skip=False).eval()
    crossed = cross.cross(model, batches)
    image = torch.rand(1, 3, 12, 12)
    with torch.inference_mode():
        before, after = model(image), crossed(image)
    assert (after - before).var() < 0.2 * before.var()


def test_the_command_writes_a_folder_that_loads(tmp_path, capsys):
    RRIM(**SMALL).save_pretrained(tmp_path / "model")
    (tmp_path / "pictures").mkdir()
    photo = tmp_path / "pictures/noise.png"
    command = [str(tmp_path / "model"), str(tmp_path / "out"), "--data", str(photo.parent)]
    Image.effect_noise((100, 210), 90).convert("RGB").save(photo)
    assert cross.main(command) == 2
    assert "under 208x208, which a patch and its margin needs" in capsys.readouterr().err
    Image.effect_noise((210, 210), 90).convert("RGB").save(photo)
    assert cross.main(command) == 0
    written = load_model(tmp_path / "out")
    assert written.crossed and written.network_facts().arguments["channels"] == 8
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"1. python -m training.cross {tmp_path.name}/model OUT --data pictures" in card
    assert "pictures: 1 pictures" in card and "smallest error" not in card


def test_the_card_of_a_crossed_network_tells_how_it_was_trained(tmp_path):
    trained = {"losses": {"l1": 1, "adversarial": 1}, "command": "python -m training.train rrim"}
    data = [{"name": "noise", "pictures": 7}]
    RRIM(**SMALL).save_pretrained(tmp_path / "gan", facts={**trained, "data": data, "hours": 3})
    (tmp_path / "noise").mkdir()
    Image.effect_noise((210, 210), 90).convert("RGB").save(tmp_path / "noise/a.png")
    line = [str(tmp_path / "gan"), str(tmp_path / "out"), "--data", str(tmp_path / "noise")]
    assert cross.main(line) == 0
    facts = json.loads((tmp_path / "out" / "training.json").read_text())
    assert facts == {
        "losses": trained["losses"],
        "data": data,
        "command": f"{trained['command']}; python -m training.cross gan OUT --data noise",
        "start_from": "gan, crossed",
    }
    assert "**It invents detail.**" in (tmp_path / "out" / "README.md").read_text()


def test_what_cannot_be_crossed_is_refused_in_one_line(tmp_path, batches, capsys):
    crossed = cross.cross(RRIM(**SMALL), batches)
    for model, named in ((ESPCN(), "ESPCN"), (crossed, "RRIM")):
        with pytest.raises(SRHubError, match=named):
            cross.cross(model, batches)
    command = [str(tmp_path / "nothing"), str(tmp_path / "out"), "--data", str(tmp_path)]
    assert cross.main(command) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()
