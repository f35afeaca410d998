"""Compares MMLU in lm-evaluation-harness with `asym evaluate mmlu`, in alternation on the same machine: time, scores and answers.

    pip install torch transformers lm_eval
    cargo build --release
    python3 benches/peers/lm_eval_mmlu.py --model SMOLLM2 --data MMLU --split val --subjects anatomy,astronomy --shots 0,5 --rounds 3

The harness uses its own template of MMLU with questions from local files instead of the Hub. Both programs load the model in f32, and
their times include loading. `--batch-sizes` gives the numbers of questions in a batch for the harness, of which the fastest is used.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

RUN = """
import json, sys, time
started = time.time()
import lm_eval
from lm_eval.tasks import TaskManager
model, folder, shots, size, output, names = sys.argv[1:]
manager = TaskManager(include_path=folder, include_defaults=False)
found = lm_eval.simple_evaluate(
    model="hf", model_args=f"pretrained={model},dtype=float32", tasks=names.split(","), num_fewshot=int(shots),
    batch_size=int(size), device="cpu", task_manager=manager, log_samples=True, bootstrap_iters=0, verbosity="ERROR",
)
answers = {}
for name, samples in found["samples"].items():
    for sample in samples:
        scores = [response[0][0] if isinstance(response[0], (list, tuple)) else response[0] for response in sample["resps"]]
        answers[f"{name} {sample['doc_id']}"] = [float(score) for score in scores]
json.dump({"seconds": time.time() - started, "answers": answers}, open(output, "w"))
"""


def tasks(folder, options, subjects):
    """Write the task of each subject, based on the harness's own task."""
    import lm_eval

    own = Path(lm_eval.__file__).parent / "tasks/mmlu/default"
    common = yaml.safe_load((own / "_default_template_yaml").read_text())
    for subject in subjects:
        task = yaml.safe_load((own / f"mmlu_{subject}.yaml").read_text())
        files = {}
        for name, split in [("dev", "dev"), ("test", options.split)]:
            path = Path(options.data) / split / f"{subject}_{split}.csv"
            with open(path, encoding="utf-8", newline="") as file:
                rows = list(csv.reader(file))
            files[name] = str(folder / f"{subject}_{name}.jsonl")
            with open(files[name], "w", encoding="utf-8") as file:
                for row in rows:
                    line = {"question": row[0], "choices": row[1:5], "answer": "ABCD".index(row[5])}
                    file.write(json.dumps(line) + "\n")
        for key in ["include", "tag", "dataset_name", "task_alias"]:
            task.pop(key, None)
        task = {**common, **task, "task": subject, "dataset_path": "json", "dataset_kwargs": {"data_files": files}}
        (folder / f"{subject}.yaml").write_text(yaml.safe_dump(task))


def harness(options, folder, subjects, shots, size):
    output = folder / "found.json"
    command = [sys.executable, "-c", RUN, options.model, str(folder), str(shots), str(size), str(output), ",".join(subjects)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_DATASETS_CACHE": str(folder / "cache")}
    started = time.time()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.time() - started, json.loads(output.read_text())["answers"]


def asym(options, folder, subjects, shots, number):
    output = folder / f"asym-{shots}-{number}"
    command = [
        options.asym, "evaluate", "mmlu", "--model", options.model, "--data", options.data, "--split", options.split, "--protocol",
        "loglikelihood", "--shots", str(shots), "--subjects", ",".join(subjects), "--output", str(output),
    ]
    started = time.time()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    seconds = time.time() - started
    lines = (output / f"loglikelihood-{shots}.jsonl").read_text().splitlines()
    return seconds, {f"{line['subject']} {line['question']}": line["scores"] for line in map(json.loads, lines)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--subjects", default="")
    parser.add_argument("--shots", default="0,5")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-sizes", default="1,8")
    parser.add_argument("--asym", default="target/release/asym")
    options = parser.parse_args()
    names = sorted(name[: -len("_dev.csv")] for name in os.listdir(os.path.join(options.data, "dev")))
    subjects = options.subjects.split(",") if options.subjects else names
    sizes = options.batch_sizes.split(",")
    best = lambda scores: max(range(4), key=lambda at: scores[at])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tasks(folder, options, subjects)
        for shots in options.shots.split(","):
            times = {name: [] for name in ["asym", *(f"lm_eval, batch {size}" for size in sizes)]}
            for number in range(options.rounds):
                seconds, ours = asym(options, folder, subjects, shots, number)
                times["asym"].append(seconds)
                for size in sizes:
                    seconds, theirs = harness(options, folder, subjects, shots, size)
                    times[f"lm_eval, batch {size}"].append(seconds)
                print(f"round {number + 1}: {times}", file=sys.stderr, flush=True)
            assert ours.keys() == theirs.keys(), "the questions differ"
            equal = sum(best(ours[key]) == best(theirs[key]) for key in ours)
            largest = max(abs(a - b) for key in ours for a, b in zip(ours[key], theirs[key]))
            median = {name: sorted(found)[len(found) // 2] for name, found in times.items()}
            fastest = min(seconds for name, seconds in median.items() if name != "asym")
            print(f"{shots} examples: {equal} of {len(ours)} answers equal, scores differ by {largest:.1e} at most")
            for name, found in times.items():
                print(f"  {name}: median {median[name]:.1f} s, {min(found):.1f} to {max(found):.1f}")
            print(f"  asym is faster by {fastest / median['asym']:.2f}", flush=True)


if __name__ == "__main__":
    main()
