"""The peer's losses on Alpaca: the same fine-tuning of a Llama with PyTorch, transformers and PEFT, on the CPU, step by step.

    pip install torch transformers peft
    cargo build --release
    python3 benches/peers/peft_alpaca.py --model SMOLLM2 --data alpaca_small_2000.json --output alpaca --steps 50

Both train the same rows in the same batches from the same factors. asym says which: `asym data --preview batches.jsonl` writes the
tokens and labels of each batch, and the initial factors are those of a run of one step whose learning rate changes nothing. The
losses of asym are those of its `metrics.jsonl`. One line of JSON per run, with the largest difference of a loss.

asym evaluates each run on the last `--held-out` rows, which are not trained on. A run whose learning rate changes nothing, in the
folder `before`, has the loss before training.
"""

import argparse
import json
import math
import subprocess
import time
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, get_linear_schedule_with_warmup

# The warm-up of the task's defaults.
WARMUP = 0.03


def asym(options, *arguments):
    subprocess.run([options.asym, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def write(folder, train, dev):
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in [("train", train), ("dev", dev)]:
        (folder / f"{name}.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


def table(options, data, output, methods, seeds, *more):
    if (output / "table.toml").exists():
        more = (*more, "--resume")
    asym(
        options, "table", "--task", "alpaca", "--model", options.model, "--data", data, "--methods", ",".join(methods),
        "--seeds", ",".join(seeds), "--epochs", 1, "--gradient-accumulation", 1, "--output", output, *more,
    )


def batches(path, size):
    """Ids, mask and labels of each batch."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for number in range(rows[-1]["batch"] + 1):
        batch = [row for row in rows if row["batch"] == number]
        assert len(batch) == size, f"batch {number} has {len(batch)} rows"
        length = max(len(row["input_ids"]) for row in batch)
        pad = lambda values, rest: values + [rest] * (length - len(values))
        label = lambda row: [token if labeled else -100 for token, labeled in zip(row["input_ids"], row["labeled"])]
        yield {
            "input_ids": torch.tensor([pad(row["input_ids"], 0) for row in batch]),
            "attention_mask": torch.tensor([pad([1] * len(row["input_ids"]), 0) for row in batch]),
            "labels": torch.tensor([pad(label(row), -100) for row in batch]),
        }


def losses(options, method, adapter, path):
    """The loss of each step."""
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32, attn_implementation="sdpa")
    model = PeftModel.from_pretrained(model, adapter, is_trainable=True)
    frozen = {"b-only": "lora_A", "a-only": "lora_B"}.get(method.partition("-r")[0])
    for name, parameter in model.named_parameters():
        if frozen and frozen in name:
            parameter.requires_grad_(False)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=options.learning_rate, weight_decay=0.0)
    schedule = get_linear_schedule_with_warmup(optimizer, math.ceil(WARMUP * options.steps), options.steps)
    model.train()
    found = []
    for batch in batches(path, options.batch_size):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step(), schedule.step(), optimizer.zero_grad()
        found.append(loss.item())
    return found, sum(parameter.numel() for parameter in trained)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--asym", default="target/release/asym")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--held-out", type=int, default=200)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--methods", default="lora-r32,b-only-r32,a-only-r32")
    options = parser.parse_args()

    rows = json.loads(Path(options.data).read_text(encoding="utf-8"))
    count = options.steps * options.batch_size
    needed = count + options.held_out
    assert len(rows) >= needed, f"{len(rows)} rows are too few for {options.steps} steps of {options.batch_size} and the held-out rows"
    data, start, before = options.output / "data", options.output / "start", options.output / "unchanged"
    write(data, rows[:count], rows[-options.held_out :])
    write(start, rows[:2], rows[2:3])
    write(before, rows[:2], rows[-options.held_out :])
    methods, seeds = options.methods.split(","), options.seeds.split(",")
    unchanged = ("--batch-size", 2, "--learning-rate", 1e-30)
    table(options, before, options.output / "before", methods[:1], seeds[:1], *unchanged)
    table(options, start, options.output / "initial", methods, seeds, *unchanged)
    changed = ("--batch-size", options.batch_size, "--learning-rate", options.learning_rate)
    table(options, data, options.output / "asym", methods, seeds, *changed)
    for seed in seeds:
        path = options.output / f"batches-{seed}.jsonl"
        if not path.exists():
            asym(
                options, "data", "--preview", path, "--task", "alpaca", "--model", options.model, "--data", data, "--seed", seed,
                "--examples", count, f"batch_size={options.batch_size}",
            )
        for method in methods:
            run = f"{method}-seed{seed}"
            lines = (options.output / "asym" / run / "metrics.jsonl").read_text().splitlines()
            ours = [line["loss"] for line in map(json.loads, lines) if "loss" in line]
            started = time.time()
            theirs, trained = losses(options, method, options.output / "initial" / run / "adapter", path)
            assert len(ours) == len(theirs), f"{len(ours)} steps of asym, {len(theirs)} of PEFT"
            results = json.loads((options.output / "asym" / run / "results.json").read_text())
            assert trained == results["trainable"], f"{trained} parameters are trained here, {results['trainable']} by asym"
            line = {
                "method": method, "seed": int(seed), "largest": max(abs(a - b) for a, b in zip(ours, theirs)),
                "seconds": time.time() - started, "asym_seconds": results["training"]["seconds"], "asym": ours, "peft": theirs,
            }
            print(json.dumps(line), flush=True)
            with open(options.output / "losses.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
