"""The front matter of a model card: what the Hub reads, searches and shows in its own tables."""

import math
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from sr_hub.hub import is_repo_id
from sr_hub.records import Measured

TAGS = ("super-resolution", "image-super-resolution")
HUB_TAGS = ("model_hub_mixin", "pytorch_model_hub_mixin")
"""By these the Hub counts models that are saved through its mixin."""

DATASETS = {
    "Set5": "eugenesiow/Set5",
    "Set14": "eugenesiow/Set14",
    "BSD100": "eugenesiow/BSD100",
    "Urban100": "eugenesiow/Urban100",
}
"""Hub ids of the benchmarks."""


def front_matter(
    repo_id: str, architecture: str, scale: int, facts: dict[str, Any], measured: list[Measured]
) -> ModelCardData:
    """The front matter of the card of a checkpoint.

    Args:
        repo_id: the name by which readers load it.
        architecture: the class of its network.
        scale: enlargement factor.
        facts: what the class, `source.json` and `training.json` say; `sr_hub.facts.TRAINING` lists
            the keys.
        measured: the results of these weights.
    """
    results = [result for each in measured for result in _eval_results(each, scale)]
    tags = (*TAGS, architecture.lower(), *HUB_TAGS, *facts.get("tags", ()))
    return ModelCardData(
        language=facts.get("language"),
        license=facts.get("license"),
        license_name=facts.get("license_name"),
        license_link=facts.get("license_link"),
        library_name=facts.get("library_name", "sr_hub"),
        pipeline_tag=facts.get("pipeline_tag", "image-to-image"),
        tags=list(dict.fromkeys(tags)),
        base_model=base if is_repo_id(base := facts.get("base_model")) else None,
        datasets=facts.get("datasets"),
        metrics=sorted({result.metric_type for result in results}) or None,
        model_name=repo_id.rsplit("/", 1)[-1] if results else None,
        eval_results=results or None,
        ignore_metadata_errors=False,
    )


def _eval_results(measured: Measured, scale: int) -> list[EvalResult]:
    """One for each number; LPIPS, which knows no protocol, once for each benchmark."""
    values = {
        (row["dataset"], metric, _metric_name(metric, row["protocol"])): value
        for row in measured.results["results"]
        if row["model"] == measured.name
        for metric, value in row["mean"].items()
        if math.isfinite(value)
    }
    return [
        EvalResult(
            task_type="image-to-image",
            task_name=f"Super-resolution x{scale}",
            dataset_type=DATASETS.get(dataset, dataset),
            dataset_name=dataset,
            dataset_config=f"bicubic_x{scale}",
            dataset_split="validation",
            metric_type=metric,
            metric_name=name,
            metric_value=value,
        )
        for (dataset, metric, name), value in values.items()
    ]


def _metric_name(metric: str, protocol: str) -> str:
    if metric == "lpips":
        return "LPIPS v0.1 (SqueezeNet, RGB)"
    return f"{metric.upper()} (protocol {protocol})"
