"""Train a network: `python -m training.train RECIPE --data DIR --val DIR --out DIR`."""

import argparse
import copy
import json
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr_hub.base import SRModel
from sr_hub.degrade import downscale, modcrop, quantise
from sr_hub.models import MODELS
from training.config import TrainConfig
from training.data import Pictures


def learning_rate(config: TrainConfig, step: int) -> float:
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.lr * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def luma_psnr(sr: Tensor, hr: Tensor, crop: int) -> float:
    weights = torch.tensor([65.481, 128.553, 24.966])[:, None, None] / 255
    difference = ((quantise(sr) - hr) * weights).sum(1)[..., crop:-crop, crop:-crop]
    return -10 * math.log10(difference.square().mean().item())


@torch.inference_mode()
def validate(model: SRModel, pictures: Pictures, *, count: int = 41, side: int = 256) -> float:
    total = 0.0
    for picture in pictures.pictures[:count]:
        hr = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
        hr = modcrop(hr[..., :side, :side], model.scale)
        with torch.autocast("cpu", torch.bfloat16):
            sr = model(quantise(downscale(hr, model.scale)))
        total += luma_psnr(sr.float(), hr, model.scale)
    return total / min(count, len(pictures.pictures))


def fit(config: TrainConfig, data: Pictures, val: Pictures, out: Path, resume: bool, budget: float) -> None:
    torch.manual_seed(config.seed)
    model = MODELS[config.architecture](**config.arguments).to(memory_format=torch.channels_last)
    ema = copy.deepcopy(model).eval().requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr, betas=(0.9, 0.99), fused=True)
    state_path, step, seconds = out / "last.pt", 0, 0.0
    if resume and state_path.exists():
        state = torch.load(state_path, weights_only=True)
        model.load_state_dict(state["model"])
        ema.load_state_dict(state["ema"])
        optimizer.load_state_dict(state["optimizer"])
        step, seconds = state["step"], state["seconds"]
    started = time.process_time()
    total = 0.0
    while step < config.steps:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, step)
        lr, hr = data.batch(
            scale=model.scale, patch=config.patch, size=config.batch, seed=config.seed, step=step
        )
        model.train()
        with torch.autocast("cpu", torch.bfloat16):
            sr = model(lr.contiguous(memory_format=torch.channels_last))
        loss = F.l1_loss(sr.float(), hr)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        decay = min(config.ema, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(ema.parameters()), list(model.parameters()), 1 - decay)
            for kept, current in zip(ema.buffers(), model.buffers(), strict=True):
                kept.copy_(current)
        step += 1
        total += loss.item()
        if step % config.validate_every == 0 or step == config.steps:
            seconds_now = seconds + time.process_time() - started
            row = {
                "step": step,
                "cpu_seconds": round(seconds_now, 1),
                "wall": time.strftime("%H:%M:%S"),
                "loss": round(total / config.validate_every, 5),
                "val_psnr_y": round(validate(ema, val), 4),
            }
            total = 0.0
            print(json.dumps(row), flush=True)
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps(row) + "\n")
            state = {
                "model": model.state_dict(),
                "ema": ema.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step,
                "seconds": seconds_now,
            }
            torch.save(state, state_path.with_suffix(".tmp"))
            state_path.with_suffix(".tmp").rename(state_path)
            ema.save_pretrained(out / "model")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("architecture")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--val", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    config = TrainConfig(
        architecture=arguments.architecture, steps=arguments.steps, batch=arguments.batch, lr=arguments.lr
    )
    fit(config, Pictures(arguments.data), Pictures(arguments.val), arguments.out, arguments.resume, 0)


if __name__ == "__main__":
    main()
