import errno
import math
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from training_runs import SRRESNET, make_run, read_rows

from sr_hub.errors import SRHubError
from sr_hub.metrics import measure
from sr_hub.models import MODELS, load_model
from sr_hub.models.interpolation import Interpolation
from training.checkpoint import read_state, save_state, warm_start
from training.config import TrainConfig
from training.loop import fit, stop_on_signal, take_step
from training.losses import discriminator_adversarial, generator_adversarial
from training.recipes import tiny
from training.run import Run
from training.steps import (
    compute_gradients,
    grid_corner,
    has_gradients,
    learning_rate_factor,
    off_the_grid,
    update_average,
)
from training.validation import luma_psnr, mean_psnr, validate
from training.vgg import POOLED


def events(out: Path) -> list[str]:
    return [row["event"] for row in read_rows(out) if "event" in row]


def test_a_tiny_run_learns_and_leaves_a_folder_that_loads(pictures: Path, tmp_path: Path):
    run = make_run(pictures, tmp_path)
    lr, hr = run.batch(1000)
    before = (run.state.ema(lr) - hr).abs().mean()
    fit(run)
    after = (run.state.ema(lr) - hr).abs().mean()
    assert after < 0.9 * before
    rows = read_rows(tmp_path)
    assert set(rows[0]) == {"step", "seconds", "loss", "l1", "g_norm", "lr"}
    assert sum("val_psnr_y" in row for row in rows) == 3
    model = load_model(tmp_path / "model")
    x = torch.rand(1, 3, 9, 7)
    assert torch.equal(model(x), run.state.ema.to(memory_format=torch.contiguous_format)(x))
    assert load_model(tmp_path / "best").num_parameters == model.num_parameters
    grid = Image.open(tmp_path / "samples" / "step-0000030.png")
    side = 96  # of the pictures, smaller than that of a crop
    assert grid.size == (3 * side + 2 * 4, 4 * side + 3 * 4)
    shown = grid.crop((2 * (side + 4), 0, 2 * (side + 4) + side, side))
    assert shown.tobytes() == Image.open(pictures / "0.png").tobytes()


def test_a_gan_run_logs_both_players(pictures: Path, tmp_path: Path):
    fit(make_run(pictures, tmp_path, "tiny-gan", "--steps", "10"))
    row = read_rows(tmp_path)[0]
    names = {"loss", "l1", "adversarial", "d_loss", "d_real", "d_fake", "g_norm", "d_norm"}
    assert names <= set(row)
    assert 0 < row["d_real"] < 1 and 0 < row["d_fake"] < 1
    assert row["loss"] == pytest.approx(row["l1"] + 5e-3 * row["adversarial"], rel=1e-3)


@pytest.mark.parametrize("kind", ["vanilla", "non-saturating", "relativistic"])
def test_the_shared_passes_give_the_gradients_of_separate_ones(
    pictures: Path, tmp_path: Path, kind: str
):
    more = ["--set", f"adversarial={kind}", "precision=fp32"]
    run = make_run(pictures, tmp_path, "tiny-gan", *more)
    lr, hr = run.batch(0)
    compute_gradients(run.state, run.context, lr, hr)
    generator, discriminator = run.state.generator, run.state.discriminator
    found = [[p.grad.clone() for p in m.parameters()] for m in (generator, discriminator)]
    sr = generator(lr)
    adversarial = generator_adversarial(kind, discriminator(hr), discriminator(sr))
    g_loss = (sr - hr).abs().mean() + 5e-3 * adversarial
    d_loss = discriminator_adversarial(kind, discriminator(hr), discriminator(sr.detach()))
    for loss, module, gradients in zip(
        (g_loss, d_loss), (generator, discriminator), found, strict=True
    ):
        expected = torch.autograd.grad(loss, list(module.parameters()), retain_graph=True)
        for ours, theirs in zip(gradients, expected, strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-7)


def test_the_gan_waits_for_the_pixel_steps(pictures: Path, tmp_path: Path):
    run = make_run(
        pictures, tmp_path, "tiny-gan", "--steps", "6", "--set", "pixel_steps=3", "log_every=3"
    )
    before = {n: t.clone() for n, t in run.state.discriminator.state_dict().items()}
    first, second = (row for row in read_rows_of(run) if "loss" in row)
    assert "d_loss" not in first and "d_loss" in second
    after = run.state.discriminator.state_dict()
    assert any(not torch.equal(before[n], after[n]) for n in before)


def test_a_discriminator_that_waits_again_after_a_roll_back_keeps_still(pictures, tmp_path):
    run = make_run(pictures, tmp_path, "tiny-gan", "--set", "pixel_steps=3")
    players = run.state.discriminator.parameters()
    run.state.step = 4
    compute_gradients(run.state, run.context, *run.batch(4))
    assert all(parameter.grad is not None for parameter in players)
    run.state.step = 1
    compute_gradients(run.state, run.context, *run.batch(1))
    assert not has_gradients(run.state.discriminator)


def read_rows_of(run: Run) -> list[dict]:
    fit(run)
    return read_rows(run.out)


def plant(run: Run, monkeypatch, steps: set[int], *, times: int = 10**9) -> None:
    """Give the run batches that are not numbers at some steps, the first so many times."""
    make_batch, left = run.batch, [times]

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        lr, hr = make_batch(step)
        if step in steps and left[0] > 0:
            left[0] -= 1
            return lr * math.nan, hr
        return lr, hr

    monkeypatch.setattr(run, "batch", batch)


def all_finite(out: Path) -> bool:
    saved = read_state(out / "last.pt")
    parts = [saved[n] for n in ("generator", "ema", "discriminator") if n in saved]
    tensors = [t for part in parts for t in part.values() if t.is_floating_point()]
    return all(torch.isfinite(t).all() for t in tensors)


@pytest.mark.parametrize("recipe", ["tiny", "tiny-gan"])
def test_a_bad_batch_is_skipped_and_the_run_ends_well(
    pictures: Path, tmp_path: Path, monkeypatch, recipe: str
):
    run = make_run(pictures, tmp_path, recipe, "--steps", "12", "--set", *SRRESNET)
    plant(run, monkeypatch, {6})
    state = fit(run)
    assert (state.step, state.skipped, state.rollbacks) == (12, 1, 0)
    assert [text[:7] for text in events(tmp_path)] == ["skipped"]
    assert all_finite(tmp_path)
    assert all(math.isfinite(row.get("loss", 0)) for row in read_rows(tmp_path))


def test_ten_bad_batches_in_a_row_roll_the_run_back_to_a_lower_rate(
    pictures: Path, tmp_path: Path, monkeypatch
):
    run = make_run(pictures, tmp_path, "tiny", "--set", *SRRESNET, "save_every=15")
    plant(run, monkeypatch, set(range(20, 30)), times=10)
    state = fit(run)
    assert (state.step, state.skipped, state.rollbacks, state.lr_factor) == (60, 10, 1, 0.5)
    (event,) = events(tmp_path)
    assert "rolled back from step 30" in event and "0.5" in event
    row = next(row for row in read_rows(tmp_path) if row["step"] == 40 and "lr" in row)
    assert row["lr"] == pytest.approx(0.5 * 2e-3 * learning_rate_factor(run.config, 39), rel=1e-4)
    assert all_finite(tmp_path)


def test_bad_batches_without_end_stop_the_run_with_a_sound_state(
    pictures: Path, tmp_path: Path, monkeypatch
):
    run = make_run(pictures, tmp_path, "tiny-gan", "--set", "save_every=5")
    plant(run, monkeypatch, set(range(8, 60)))
    with pytest.raises(SRHubError, match=r"stopped at step 18 .* 2 roll-backs.*last\.pt is sound"):
        fit(run)
    assert read_state(tmp_path / "last.pt")["step"] == 5
    assert all_finite(tmp_path)
    load_model(tmp_path / "model")


def test_weights_that_are_not_finite_are_never_saved(pictures: Path, tmp_path: Path):
    run = make_run(pictures, tmp_path)
    run.save()
    next(run.state.ema.parameters()).data[0] = math.inf
    with pytest.raises(SRHubError, match="not finite"):
        save_state(run.state, tmp_path / "last.pt")
    assert all_finite(tmp_path)


def test_a_full_disk_is_told_and_leaves_the_state_before(
    pictures: Path, tmp_path: Path, monkeypatch
):
    run = make_run(pictures, tmp_path)
    run.save()
    run.state.step = 7

    def full_disk(path, content):
        with path.open("wb") as file:
            file.write(content[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full_disk)
    with pytest.raises(SRHubError, match=r"cannot write .*last\.pt: No space left on device"):
        run.save()
    assert read_state(tmp_path / "last.pt")["step"] == 0
    assert not list(tmp_path.glob(".*.part"))


def test_a_step_with_weights_that_are_not_finite_is_not_kept(
    pictures: Path, tmp_path: Path, monkeypatch
):
    def spoil(average, *_):
        next(average.parameters()).data[0] = math.inf

    monkeypatch.setattr("training.loop.update_average", spoil)
    run = make_run(pictures, tmp_path, "tiny", "--steps", "2", "--set", "keep_every=1")
    with pytest.raises(SRHubError, match="a weight is not finite"):
        fit(run)
    assert not list(tmp_path.glob("step-*"))
    load_model(tmp_path / "model")


def test_ctrl_c_saves_and_the_run_goes_on_as_if_nothing_had_been(pictures: Path, tmp_path: Path):
    fit(make_run(pictures, tmp_path / "whole", "tiny", "--steps", "12"))
    run = make_run(pictures, tmp_path / "broken", "tiny", "--steps", "12")
    make_batch = run.batch

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        if step == 7:
            os.kill(os.getpid(), signal.SIGINT)
        return make_batch(step)

    run.batch = batch
    state = fit(run)
    assert run.interrupted and state.step == 7
    assert "--resume" in events(tmp_path / "broken")[-1]
    fit(make_run(pictures, tmp_path / "broken", "tiny", "--steps", "12", "--resume"))
    whole, broken = (read_state(tmp_path / n / "last.pt")["ema"] for n in ("whole", "broken"))
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_ctrl_c_stops_at_once(number: signal.Signals):
    before = signal.getsignal(number)
    with stop_on_signal() as received:
        signal.raise_signal(number)
        assert received == [number]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) == before


def test_the_average_is_validated_by_its_own_statistics(pictures: Path, tmp_path: Path):
    run = make_run(pictures, tmp_path, "tiny", "--steps", "3", "--set", *SRRESNET)
    fit(run)
    assert not any(module.training for module in run.state.ema.modules())
    assert all(module.training for module in run.state.generator.modules())


def test_the_minutes_end_a_run_saved(pictures: Path, tmp_path: Path):
    run = make_run(pictures, tmp_path, "tiny", "--minutes", "0")
    assert fit(run).step == 1 and not run.interrupted
    assert read_state(tmp_path / "last.pt")["step"] == 1


def test_generators_are_kept_for_good_where_asked(pictures: Path, tmp_path: Path):
    fit(make_run(pictures, tmp_path, "tiny", "--steps", "8", "--set", "keep_every=4"))
    kept = sorted(path.name for path in tmp_path.glob("step-*"))
    assert kept == ["step-0000004", "step-0000008"]


def test_best_is_the_state_with_the_best_validation(pictures: Path, tmp_path: Path, monkeypatch):
    scores = iter([20.0, 30.0, 25.0])
    monkeypatch.setattr(
        "training.loop.validate", lambda *_, **__: {"count": 1.0, "val_psnr_y": next(scores)}
    )
    run = make_run(pictures, tmp_path, "tiny", "--set", "keep_every=20")
    fit(run)
    best, kept = (load_model(tmp_path / n).state_dict() for n in ("best", "step-0000040"))
    assert all(torch.equal(best[name], kept[name]) for name in best)
    assert run.state.best == {"val_psnr_y": -30.0}


def test_the_psnr_of_a_validation_is_that_of_protocol_y():
    hr = torch.rand(1, 3, 40, 32).mul(255).round() / 255
    sr = hr + 0.1 * torch.randn(hr.shape)
    expected = measure(sr, hr, "y", 4)["psnr"]
    assert luma_psnr(sr, hr, 4) == pytest.approx(expected, abs=1e-4)


def test_the_score_of_bicubic_is_that_of_a_validation(pictures: Path, tmp_path: Path):
    run = make_run(pictures, tmp_path, "tiny", "--set", "validation_side=48", "degradation=real")
    expected = validate(Interpolation(scale=4), run.val, run.context)
    score = mean_psnr(Interpolation(scale=4), run.val, run.config)
    assert score == pytest.approx(expected["val_psnr_y"] / expected["count"], abs=1e-3)


def test_a_run_on_spoiled_pictures_is_judged_on_spoiled_pictures(pictures: Path, tmp_path: Path):
    def score(*settings: str) -> float:
        run = make_run(pictures, tmp_path / "run", "tiny", "--set", *settings)
        return validate(load_model("bicubic"), run.val, run.context)["val_psnr_y"] / len(run.val)

    clean, spoiled = score("seed=1"), score("degradation=real", "seed=1")
    assert spoiled < clean - 1
    assert score("degradation=real", "seed=2") == spoiled


def test_learning_rate_schedules():
    config = TrainConfig("RRIM", steps=1000, warmup=10)
    assert learning_rate_factor(config, 0) == 0.1 and learning_rate_factor(config, 9) == 1
    assert learning_rate_factor(config, 505) == pytest.approx(0.5)
    assert learning_rate_factor(config, 1000) == pytest.approx(0, abs=1e-9)
    halving = replace(config, schedule="halving")
    steps = (124, 125, 250, 500, 750)
    assert [learning_rate_factor(halving, s) for s in steps] == [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16]
    assert learning_rate_factor(replace(config, schedule="constant"), 999) == 1


def test_both_players_learn_at_the_rates_of_the_step(pictures: Path, tmp_path: Path):
    more = ["--set", "lr=1e-3", "discriminator_lr=2e-4", "warmup=4", "schedule=constant"]
    run = make_run(pictures, tmp_path, "tiny-gan", *more)
    for share in (1 / 4, 1 / 2, 3 / 4, 1):
        take_step(run, run.batch(0))
        rates = [optimizer.param_groups[0]["lr"] for optimizer in run.state.optimizers]
        assert rates == pytest.approx([share * 1e-3, share * 2e-4])


def test_the_log_has_the_rate_that_moved_the_weights(pictures: Path, tmp_path: Path):
    more = ["--steps", "1", "--set", "optimizer=momentum", "clip=0", "log_every=1"]
    run = make_run(pictures, tmp_path, "tiny", *more)
    before = [p.detach().clone() for p in run.state.generator.parameters()]
    row = read_rows_of(run)[0]
    pairs = zip(run.state.generator.parameters(), before, strict=True)
    assert row["lr"] * row["g_norm"] == pytest.approx(norm([a - b for a, b in pairs]), rel=1e-3)


def norm(tensors: list[torch.Tensor]) -> float:
    return math.sqrt(sum(tensor.square().sum().item() for tensor in tensors))


def test_a_gradient_is_clipped_to_the_limit_and_logged_as_it_was(pictures: Path, tmp_path: Path):
    def gradients(clip: float) -> tuple[dict[str, float], list[float]]:
        run = make_run(pictures, tmp_path, "tiny-gan", "--set", f"clip={clip}")
        numbers, _ = take_step(run, run.batch(0))
        return numbers, [norm([p.grad for p in m.parameters()]) for m in run.state.players]

    whole, (generator, discriminator) = gradients(0)
    assert [whole["g_norm"], whole["d_norm"]] == pytest.approx([generator, discriminator])
    limit = 0.5 * min(generator, discriminator)
    clipped, norms = gradients(limit)
    assert norms == pytest.approx([limit, limit], rel=1e-3)
    assert clipped == pytest.approx(whole)


@pytest.mark.parametrize(
    ("ema", "decays"), [(0.25, (1 / 10, 2 / 11, 0.25, 0.25)), (0.0, (0, 0, 0, 0))]
)
def test_the_average_is_young_at_first_and_then_as_old_as_asked(pictures, tmp_path, ema, decays):
    run = make_run(pictures, tmp_path, "tiny", "--set", f"ema={ema}")
    expected = [p.detach().clone() for p in run.state.generator.parameters()]
    for step, decay in enumerate(decays):
        take_step(run, run.batch(step))
        pairs = zip(expected, run.state.generator.parameters(), strict=True)
        expected = [old.lerp(new.detach(), 1 - decay) for old, new in pairs]
    for ours, theirs in zip(run.state.ema.parameters(), expected, strict=True):
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-7)


def test_the_average_follows_the_weights_and_copies_the_buffers(pictures: Path, tmp_path: Path):
    state = make_run(pictures, tmp_path, "tiny", "--set", *SRRESNET).state
    old = [p.clone() for p in state.ema.parameters()]
    for tensor in state.generator.state_dict().values():
        tensor.copy_(torch.ones_like(tensor))
    update_average(state.ema, state.generator, 0.75)
    for before, after in zip(old, state.ema.parameters(), strict=True):
        assert torch.allclose(after, 0.75 * before + 0.25)
    assert all((buffer == 1).all() for buffer in state.ema.buffers())


def test_vgg_takes_part_in_the_loss_and_its_gradient(pictures, tmp_path, monkeypatch):
    class Doubler(torch.nn.Module):
        """In the place of VGG19: its features are twice the picture."""

        def __init__(self, *_, **__) -> None:
            super().__init__()
            self.convolutions = torch.nn.ModuleDict()

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"conv1_1": 2 * x}

    monkeypatch.setattr("training.setup.VGG19", Doubler)
    losses = "losses={'perceptual': 3.0}"
    more = ["--steps", "5", "--set", losses, "vgg_layers={'conv1_1': 0.5}", "precision=fp32"]
    run = make_run(pictures, tmp_path, "tiny", *more)
    lr, hr = run.batch(0)
    numbers = compute_gradients(run.state, run.context, lr, hr)
    found = run.state.generator.head[0].weight.grad.clone()
    seen, target = off_the_grid(run.state.generator(lr), hr, corner=grid_corner(run.config.seed, 0))
    expected = (seen - target).abs().mean()
    assert numbers["perceptual"] == pytest.approx(expected.item(), rel=1e-4)
    assert numbers["loss"] == pytest.approx(3 * expected.item(), rel=1e-4)
    (gradient,) = torch.autograd.grad(3 * expected, run.state.generator.head[0].weight)
    assert torch.allclose(found, gradient, rtol=1e-3, atol=1e-6)
    fit(run)
    assert any("val_vgg" in row for row in read_rows(tmp_path))


def test_vgg_looks_from_every_place_of_its_grid_at_the_same_piece_of_both():
    rows, columns = torch.meshgrid(torch.arange(24), torch.arange(32), indexing="ij")
    image, corners = torch.stack([rows, columns])[None], set()
    for step in range(400):
        one, other = off_the_grid(image, image + 100, corner=grid_corner(0, step))
        assert one.shape == (1, 2, 24 - POOLED + 1, 32 - POOLED + 1)
        assert torch.equal(one + 100, other)
        corners.add(tuple(one[0, :, 0, 0].tolist()))
    assert len(corners) == POOLED**2


def test_a_warm_start_across_scales_takes_what_fits_and_names_the_rest():
    x4, x2 = (MODELS["RRIM"](**tiny(scale).arguments) for scale in (4, 2))
    taken, new, left = warm_start(x2, x4)
    assert any(name.startswith("trunk") for name in taken)
    assert new and all(name.startswith("tail") for name in new)
    assert all(name.startswith("tail") for name in left)
    for name, tensor in x2.state_dict().items():
        if name in taken:
            assert torch.equal(tensor, x4.state_dict()[name])


def test_a_warm_start_says_what_of_a_wider_network_it_leaves_out():
    plain, crossed = (MODELS["RRIM"](**tiny(4).arguments, crossed=each) for each in (False, True))
    assert str(warm_start(crossed, crossed)) == f"{len(crossed.state_dict())} tensors taken over"
    left = len(crossed.state_dict()) - len(plain.state_dict())
    assert str(warm_start(plain, crossed)) == (
        f"{len(plain.state_dict())} tensors taken over, "
        f"{left} left out, without a place here (crossed_head, crossed_trunk, join)"
    )
    assert str(warm_start(crossed, plain)).endswith(
        f"{left} begin anew (crossed_head, crossed_trunk, join)"
    )


def test_a_warm_start_grows_a_kernel_without_a_change_of_the_function():
    arguments, image = tiny(4).arguments, torch.rand(1, 3, 9, 11)
    small = MODELS["RRIM"](**arguments, rgb_kernel=3)
    large = MODELS["RRIM"](**arguments, rgb_kernel=7)
    assert not warm_start(large, small).new
    with torch.inference_mode():
        assert (large(image) - small(image)).abs().max() < 1e-6
    assert warm_start(small, large).new == ["tail.4.weight"]
