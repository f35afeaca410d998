"""Compares the losses of asym and of PEFT for the same images and the same initial factors, step by step, on the CPU.

    pip install torch torchvision transformers peft scikit-learn
    cargo build --release
    python3 benches/peers/peft_domainbed_losses.py --model CHECKPOINT --data PACS --train cartoon --pictures 12 --output losses

Each step uses all training images without augmentation, because the two programs have different random orders and augmentations. The
initial factors and the head come from a run of asym with one step and a learning rate so small that it changes nothing. The data are
the first images of each class. The split is DomainBed's split for the seed 0.
"""

import argparse
import json
import shutil
import subprocess
from pathlib import Path

import torch
import torchvision.transforms as T
from peft import PeftModel
from transformers import AutoImageProcessor, ViTForImageClassification

from peft_domainbed import Pictures, split


def copied(options, folder):
    """Copy the training environment and one test environment, with a few images of each class."""
    others = sorted(entry.name for entry in Path(options.data).iterdir() if entry.is_dir() and entry.name != options.train)
    for name, count in [(options.train, options.pictures), (others[0], 3)]:
        for group in sorted(entry for entry in (Path(options.data) / name).iterdir() if entry.is_dir()):
            target = folder / name / group.name
            target.mkdir(parents=True, exist_ok=True)
            for file in sorted(group.iterdir())[:count]:
                shutil.copy(file, target)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--asym", default="target/release/asym")
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--image-size", type=int, default=112)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--methods", default="lora-r8,b-only-r8,a-only-r8")
    options = parser.parse_args()
    data = options.output / "data"
    copied(options, data)

    processor = AutoImageProcessor.from_pretrained(options.model)
    size = (options.image_size, options.image_size)
    plain = T.Compose([T.Resize(size), T.ToTensor(), T.Normalize(processor.image_mean, processor.image_std)])
    pictures = Pictures(data / options.train, plain)
    names = sorted(entry.name for entry in data.iterdir())
    members = split(len(pictures), 0, names.index(options.train))[1]
    pixels = torch.stack([pictures[at][0] for at in members])
    classes = torch.tensor([pictures[at][1] for at in members])

    common = [
        options.asym, "table", "--task", "domainbed", "--data", data, "--model", options.model, "--methods", options.methods,
        "--seeds", 0, "--batch-size", len(members), f"task.image_size={options.image_size}", "task.augment=false",
        f"task.train={options.train}",
    ]
    for folder, epochs, rate in [("initial", 1, 1e-30), ("asym", options.steps, 1e-3)]:
        own = ["--epochs", epochs, "--learning-rate", rate, "--output", options.output / folder]
        subprocess.run([str(word) for word in common + own], check=True, stdout=subprocess.DEVNULL)

    for method in options.methods.split(","):
        model = ViTForImageClassification.from_pretrained(
            options.model, num_labels=len(pictures.classes), ignore_mismatched_sizes=True
        )
        model = PeftModel.from_pretrained(model, options.output / "initial" / f"{method}-seed0" / "adapter", is_trainable=True)
        frozen = {"b-only": "lora_A", "a-only": "lora_B"}.get(method.partition("-r")[0])
        for name, parameter in model.named_parameters():
            if frozen and frozen in name:
                parameter.requires_grad_(False)
        optimizer = torch.optim.Adam([parameter for parameter in model.parameters() if parameter.requires_grad], lr=1e-3)
        model.train()
        theirs = []
        for _ in range(options.steps):
            logits = model(pixel_values=pixels, interpolate_pos_encoding=True).logits
            loss = torch.nn.functional.cross_entropy(logits, classes)
            loss.backward()
            optimizer.step(), optimizer.zero_grad()
            theirs.append(loss.item())
        lines = (options.output / "asym" / f"{method}-seed0" / "metrics.jsonl").read_text().splitlines()
        ours = [line["loss"] for line in map(json.loads, lines) if "step" in line]
        assert len(ours) == len(theirs), f"{len(ours)} steps of asym, {len(theirs)} of PEFT"
        largest = max(abs(a - b) for a, b in zip(ours, theirs))
        print(f"{method}: {len(members)} pictures, {len(ours)} steps, from {theirs[0]:.4f} to {theirs[-1]:.4f}, largest difference {largest:.1e}")


if __name__ == "__main__":
    main()
