"""The results in README.md, made from `sr_hub/results`: `python -m tests.readme` writes them."""

from pathlib import Path

from sr_hub.records import RESULTS, read_results
from sr_hub.tables import rows_of, show
from sr_hub.webapp.i18n import texts
from sr_hub.webapp.printed import main_report

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- results -->", "<!-- /results -->"


def results_section() -> str:
    """The Markdown between the two marks of README.md."""
    results = read_results(RESULTS / "x4.json")
    parts = [
        _table(results, "y", ("psnr", "ssim")),
        _protocol_note(results, "y"),
        _table(results, "report", ("psnr", "ssim", "fsim", "rmse"), beside=True),
        _protocol_note(results, "report"),
        f"Made by `{results['command']}` on {results['hardware']}; seconds are per picture of "
        "Set14, in float32. LPIPS is version 0.1 with SqueezeNet, lower is better.",
        "Other scales, protocol `y`, low resolution made by the antialiased bicubic:",
        _other_scales("y", ("psnr", "ssim")),
    ]
    return "\n\n".join(parts)


def written_section() -> str:
    """What README.md has between its marks."""
    return README.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def write() -> None:
    """Put the section of today's results into README.md."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    text = f"{before}{BEGIN}\n\n{results_section()}\n\n{END}{after}"
    README.write_text(text, encoding="utf-8")


def _table(results: dict, protocol: str, metrics: tuple[str, ...], *, beside: bool = False) -> str:
    datasets = list(results["datasets"])
    rows = {
        dataset: {row.model: row.values for row in rows_of(results, dataset, protocol)}
        for dataset in datasets
    }
    say = texts("en").__getitem__
    printed = {d: main_report(d, say) if beside else [] for d in datasets}
    extra = {d: {r.model: r.values for r in printed[d]} for d in datasets}
    others = list(dict.fromkeys(model for d in datasets for model in extra[d]))
    title = " / ".join(["PSNR", "SSIM", "FSIM", "RMSE"][: len(metrics)])
    head = ["model", "parameters", *(f"{d} {title}" for d in datasets)]
    if not beside:
        head += [f"{d} LPIPS" for d in datasets] + ["seconds"]
    lines = ["| " + " | ".join(head) + " |", "|---|---:|" + "---|" * (len(head) - 2)]
    for model in [*results["models"], *others]:
        values = [rows[d].get(model) or extra[d].get(model) for d in datasets]
        facts = results["models"].get(model, {})
        cells = [model, f"{facts['parameters']:,}" if facts.get("parameters") else "–"]
        cells += [_cell(v, metrics, protocol) for v in values]
        if not beside:
            cells += [_cell(v, ("lpips",), protocol) for v in values]
            cells.append(show(rows["Set14"][model]["seconds"], "seconds", protocol))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _other_scales(protocol: str, metrics: tuple[str, ...]) -> str:
    measured = [read_results(RESULTS / name) for name in ("x2.json", "x3.json")]
    datasets = list(measured[0]["datasets"])
    head = ["model", "scale", "parameters", *(f"{dataset} PSNR / SSIM" for dataset in datasets)]
    lines = ["| " + " | ".join(head) + " |", "|---|---:|---:|" + "---|" * len(datasets)]
    for results in measured:
        rows = [{r.model: r.values for r in rows_of(results, d, protocol)} for d in datasets]
        for model, facts in results["models"].items():
            parameters = f"{facts['parameters']:,}" if facts["parameters"] else "–"
            cells = [_cell(row[model], metrics, protocol) for row in rows]
            lines.append(f"| {model} | {results['scale']} | {parameters} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(values: dict[str, float] | None, metrics: tuple[str, ...], protocol: str) -> str:
    if not values:
        return "–"
    return " / ".join(show(values[m], m, protocol) if m in values else "–" for m in metrics)


def _protocol_note(results: dict, protocol: str) -> str:
    return f"Protocol `{protocol}`: {results['protocols'][protocol]}."


if __name__ == "__main__":
    write()
