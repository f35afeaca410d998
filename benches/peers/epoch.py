"""The counterpart of `benches/epoch.rs`: an epoch of MRPC with PyTorch, transformers and PEFT on the CPU.

    pip install torch==2.15.0 transformers==5.24.0 peft==0.21.2

`cargo xtask bench-epoch --python PYTHON --model FOLDER --data FOLDER` runs this script. It reads commands
from standard input, one per line. `load` reads the checkpoint and attaches the adapter. `epoch` reads the files, trains for one
epoch and evaluates on the development set. The answer to each command is a line of JSON.
"""

import argparse
import csv
import json
import logging
import math
import os
import random
import sys
import time

import peft
import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

import peft_glue

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
logging.disable(logging.WARNING)


def read(folder, part):
    """(first, second, label) of each row."""
    with open(os.path.join(folder, f"glue_{part}.tsv"), encoding="utf-8-sig") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [(row[3], row[4], int(row[0])) for row in rows[1:]]


def build(options):
    torch.manual_seed(1)
    if options.method == "full":
        return AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=2)
    dtype = torch.bfloat16 if options.dtype == "bf16" else torch.float32
    return peft_glue.build(options.model, options.method, 8, attention="sdpa", dtype=dtype)[0]


def batches(rows, lengths, size, grouped):
    """The indices of each batch, shuffled. If `grouped` is set, each 50 batches are sorted by length, as in asym."""
    order = list(range(len(rows)))
    random.shuffle(order)
    if grouped:
        order = [at for start in range(0, len(order), 50 * size)
                 for at in sorted(order[start:start + 50 * size], key=lambda at: lengths[at])]
    cut = [order[start:start + size] for start in range(0, len(order), size)]
    if grouped:
        random.shuffle(cut)
    return cut


def epoch(options):
    started = time.perf_counter()
    random.seed(1)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    sets = {}
    for part in ("train", "dev"):
        rows = read(options.data, part)
        first, second = [row[0] for row in rows], [row[1] for row in rows]
        encoded = tokenizer(first, second, truncation=True, max_length=128)
        sets[part] = (rows, encoded, [len(ids) for ids in encoded["input_ids"]])
    model = build(options).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(peft_glue.groups(model), lr=1e-3, fused=True)

    def batch(part, positions):
        rows, encoded, _ = sets[part]
        tensors = tokenizer.pad({key: [encoded[key][at] for at in positions] for key in encoded}, return_tensors="pt")
        tensors["labels"] = torch.tensor([rows[at][2] for at in positions])
        return tensors

    rows, _, lengths = sets["train"]
    plan = batches(rows, lengths, options.batch, options.grouped)
    schedule = get_linear_schedule_with_warmup(optimizer, math.ceil(0.06 * len(plan)), len(plan))
    input_seconds, start = 0.0, time.perf_counter()
    for positions in plan:
        before = time.perf_counter()
        tensors = batch("train", positions)
        input_seconds += time.perf_counter() - before
        loss = model(**tensors).loss
        loss.backward()
        torch.nn.utils.get_total_norm([parameter.grad for parameter in trained]).item()
        optimizer.step(), schedule.step(), optimizer.zero_grad()
        loss.item()
    train_seconds = time.perf_counter() - start

    model.eval()
    rows, _, lengths = sets["dev"]
    # The longest examples come first, as in asym's evaluation.
    order = sorted(range(len(rows)), key=lambda at: -lengths[at])
    hits, start = 0, time.perf_counter()
    with torch.no_grad():
        for at in range(0, len(order), 2 * options.batch):
            tensors = batch("dev", order[at:at + 2 * options.batch])
            hits += int((model(**tensors).logits.argmax(-1) == tensors["labels"]).sum())
    measure_seconds = time.perf_counter() - start
    return {
        "seconds": time.perf_counter() - started, "train_samples": len(sets["train"][0]), "train_seconds": train_seconds,
        "measure_samples": len(rows), "measure_seconds": measure_seconds, "input_seconds": input_seconds,
        "accuracy": hits / len(rows),
    }


def load(options):
    started = time.perf_counter()
    AutoTokenizer.from_pretrained(options.model)
    build(options)
    return {"seconds": time.perf_counter() - started}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=["b-only", "lora", "full"], required=True)
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--grouped", action="store_true")
    options = parser.parse_args()
    versions = f"torch {torch.__version__} ({torch.get_num_threads()} threads), transformers {transformers.__version__}, "
    versions += f"peft {peft.__version__}"
    print(json.dumps({"versions": versions}), flush=True)
    for line in sys.stdin:
        print(json.dumps(load(options) if line.strip() == "load" else epoch(options)), flush=True)


if __name__ == "__main__":
    main()
