"""The table of GLUE with the same fine-tuning in PyTorch, transformers and PEFT on the CPU.

    pip install torch==2.11.0 transformers==5.23.0 peft==0.21.2 scikit-learn
    python benches/peers/peft_glue.py --task cola --model CHECKPOINT --data FOLDER --output cola.jsonl

The settings are those of `cargo run --release --example glue_cola -- --model … --data … --epochs 3 --batch-size 16
--learning-rate 1e-3 --full-learning-rate 5e-5 --max-length 128 --no-grouping`. The output has one line of JSON per run.
"""

import argparse
import csv
import json
import math
import random
import time

import numpy
import torch
from peft import LoraConfig, get_peft_model
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef
from torch.utils.data import DataLoader
from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup


def read(task, folder, part):
    """(first, second or None, label) of each row."""
    names = {"mrpc": f"glue_{part}.tsv", "cola": f"{part}.tsv"}
    with open(f"{folder}/{names[task]}", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    if task == "mrpc":
        return [(row[3], row[4], int(row[0])) for row in rows[1:]]
    return [(row[3], None, int(row[1])) for row in rows]


def build(model_folder, method, rank, attention="eager", dtype=torch.float32):
    """The model with the trainable parameters of `method`, and its learning rate."""
    model = AutoModelForSequenceClassification.from_pretrained(
        model_folder, num_labels=2, attn_implementation=attention, dtype=dtype
    )
    if method == "full":
        return model, 5e-5
    if method == "head":
        for name, parameter in model.named_parameters():
            parameter.requires_grad_("classifier" in name)
        return model, 1e-3
    config = LoraConfig(task_type="SEQ_CLS", r=rank, lora_alpha=2 * rank, target_modules=["query", "value"])
    model = get_peft_model(model, config)
    for name, parameter in model.named_parameters():
        if method == "b-only" and "lora_A" in name:
            torch.nn.init.orthogonal_(parameter.data)
            parameter.requires_grad_(False)
        if method == "a-only" and "lora_B" in name:
            torch.nn.init.orthogonal_(parameter.data)
            parameter.requires_grad_(False)
        if method == "a-only" and "lora_A" in name:
            parameter.data.zero_()
    return model, 1e-3


def groups(model):
    """The trained parameters. Biases and norms have no weight decay, as in `Trainer`."""
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    is_spared = lambda name: "bias" in name or "layernorm" in name.lower()
    spared = [parameter for name, parameter in trained if is_spared(name)]
    decayed = [parameter for name, parameter in trained if not is_spared(name)]
    return [{"params": decayed, "weight_decay": 0.01}, {"params": spared, "weight_decay": 0.0}]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=["mrpc", "cola"], required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--methods", default="b-only,lora,a-only")
    options = parser.parse_args()
    train, dev = (read(options.task, options.data, part) for part in ("train", "dev"))
    tokenizer = AutoTokenizer.from_pretrained(options.model)

    def collate(batch):
        second = [row[1] for row in batch] if options.task == "mrpc" else None
        encoded = tokenizer(
            [row[0] for row in batch], second, padding="longest", truncation=True, max_length=128, return_tensors="pt"
        )
        encoded["labels"] = torch.tensor([row[2] for row in batch])
        return encoded

    for seed in map(int, options.seeds.split(",")):
        for method in options.methods.split(","):
            random.seed(seed), numpy.random.seed(seed), torch.manual_seed(seed)
            model, rate = build(options.model, method, options.rank)
            optimizer = torch.optim.AdamW(groups(model), lr=rate)
            loader = DataLoader(train, options.batch_size, shuffle=True, collate_fn=collate)
            steps = len(loader) * options.epochs
            schedule = get_linear_schedule_with_warmup(optimizer, math.ceil(0.06 * steps), steps)
            epochs, seconds = [], 0.0
            for _ in range(options.epochs):
                model.train()
                started = time.time()
                for batch in loader:
                    model(**batch).loss.backward()
                    optimizer.step(), schedule.step(), optimizer.zero_grad()
                seconds += time.time() - started
                model.eval()
                predicted, labels = [], []
                with torch.no_grad():
                    for batch in DataLoader(dev, 2 * options.batch_size, collate_fn=collate):
                        predicted += model(**batch).logits.argmax(-1).tolist()
                        labels += batch["labels"].tolist()
                epochs.append(
                    {
                        "accuracy": accuracy_score(labels, predicted),
                        "f1": f1_score(labels, predicted),
                        "matthews": matthews_corrcoef(labels, predicted),
                        "train_seconds": seconds,
                    }
                )
            line = {"task": options.task, "method": method, "rank": options.rank, "seed": seed, "epochs": epochs}
            line["trainable"] = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
            print(json.dumps(line), flush=True)
            with open(options.output, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
