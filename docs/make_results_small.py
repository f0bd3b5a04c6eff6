"""Writes results-small.md from run folders.

python docs/make_results_small.py RUN [RUN ...] > docs/results-small.md

Every run must have been evaluated with `skel eval linear` and `skel eval knn` on the store that it was
pretrained on. Runs of one recipe that differ in their seed become one row.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev

from safetensors import safe_open

PROTOCOLS = {"linear": "linear", "knn1": "1-NN"}
HEAD = """# Results on small sets

Made by `docs/make_results_small.py` from run folders; do not edit. Frozen encoders of the last epoch, mean ±
standard deviation over the seeds in %. *Untrained* is the same encoder before training, *gain* the
difference in points. Runs of several streams are fused in equal parts, trained and untrained. Minutes are
those of pretraining, with one thread and other work beside it on two cores. Parameters are those of the
encoders.

Settings were chosen on the training part alone, with one training subject held out (see
[](methods/index.md)). Each row is repeated by

```bash
skel pretrain RECIPE STORE --out RUN --train.seed 0
skel eval linear RUN STORE
skel eval knn RUN STORE
```
"""


def result(run: Path, facts: dict, protocol: str) -> dict:
    """What an evaluation of all streams of a run says."""
    base = f"{facts['store']['dataset']}-{facts['split']}-{protocol}"
    for name in (f"{base}-fused.json", f"{base}.json"):
        if (run / "eval" / name).exists():
            return json.loads((run / "eval" / name).read_text(encoding="utf-8"))
    raise SystemExit(f"{run} has no evaluation {base}: run skel eval first")


def parameters(run: Path) -> int:
    """Number of trained weights of the encoders, without the statistics of BatchNorm."""
    with safe_open(run / "encoder.safetensors", "pt") as file:
        names = [name for name in file.keys() if "running_" not in name and "num_batches" not in name]  # noqa: SIM118
        return sum(file.get_tensor(name).numel() for name in names)


def spread(values: list[float], scale: float = 100) -> str:
    """Mean ± standard deviation."""
    text = f"{scale * mean(values):.1f}"
    return text if len(values) == 1 else f"{text} ± {scale * stdev(values):.1f}"


def main(runs: list[Path]) -> str:
    """The page."""
    rows = defaultdict(list)
    for run in runs:
        facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
        results = {protocol: result(run, facts, protocol) for protocol in PROTOCOLS}
        metrics = [
            json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        row = {"results": results, "parameters": parameters(run)}
        row["minutes"] = sum(line["seconds"] for line in metrics) / 60
        row["speed"] = (
            sum(line["clips_per_second"] * line["seconds"] for line in metrics) / 60 / row["minutes"]
        )
        first = results["linear"]
        rows[first["dataset"], first["split"], first["recipe"], first["stream"]].append(row)
    parts = [HEAD]
    for dataset, split in dict.fromkeys(key[:2] for key in rows):
        chosen = {key[2:]: value for key, value in rows.items() if key[:2] == (dataset, split)}
        some = next(iter(chosen.values()))[0]["results"]["linear"]
        baselines = some["baselines"]
        parts.append(
            f"## {dataset}, {split}\n\n{some['train_clips']} training and {some['test_clips']} test clips. "
            f"Ridge regression on coordinates: {100 * baselines['ridge on coordinates']['accuracy']:.1f}; "
            f"chance: {100 * baselines['chance']['accuracy']:.1f}.\n"
        )
        titles = ["recipe", "streams", "seeds"]
        for title in PROTOCOLS.values():
            titles += [title, "untrained", "gain"]
        titles += ["minutes", "clips/s", "parameters"]
        parts.append("| " + " | ".join(titles) + " |\n" + "|---" * len(titles) + "|")
        for (recipe, stream), group in sorted(chosen.items()):
            seeds = sorted(row["results"]["linear"]["seed"] for row in group)
            cells = [f"`{recipe}`", stream, ", ".join(map(str, seeds))]
            for protocol in PROTOCOLS:
                scores = [row["results"][protocol]["accuracy"] for row in group]
                before = [
                    row["results"][protocol]["baselines"]["untrained encoder"]["accuracy"] for row in group
                ]
                cells += [spread(scores), spread(before), f"{100 * (mean(scores) - mean(before)):+.1f}"]
            cells += [
                f"{mean(row['minutes'] for row in group):.1f}",
                f"{mean(row['speed'] for row in group):.0f}",
            ]
            cells.append(f"{group[0]['parameters'] / 1e6:.2f} M")
            parts.append("| " + " | ".join(cells) + " |")
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(main([Path(name) for name in sys.argv[1:]]))
