"""The table of DomainBed with the same fine-tuning of a ViT in PyTorch, transformers, torchvision and PEFT on the CPU.

    pip install torch torchvision transformers peft
    python3 benches/peers/peft_domainbed.py --model CHECKPOINT --data PACS --train cartoon --image-size 112 --output peft.jsonl

The settings are those of `asym table --task pacs --model … --data … task.image_size=112`: DomainBed's split for the trial with the
seed of the run, its augmentation, batches of 32, Adam with a constant learning rate (1e-3, for full fine-tuning 5e-5) and no weight
decay, each image once per epoch, and the mean and standard deviation of the checkpoint. With --dtype bf16, products are computed in
bf16 (autocast). The output has one line of JSON per run. With --pace, it has the images per second, but no scores.
"""

import argparse
import hashlib
import json
import os
import random
import time

import numpy
import torch
import torchvision.transforms as T
from peft import LoraConfig, get_peft_model
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Subset
from transformers import AutoImageProcessor, ViTForImageClassification

ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


class Pictures(Dataset):
    """The images of an environment in the order of `ImageFolder`, with a transform."""

    def __init__(self, folder, transform):
        classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        self.transform, self.rows = transform, []
        for label, name in enumerate(classes):
            for root, _, files in sorted(os.walk(os.path.join(folder, name), followlinks=True)):
                self.rows += [(os.path.join(root, file), label) for file in sorted(files) if file.lower().endswith(ENDINGS)]
        self.classes = classes

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, at):
        path, label = self.rows[at]
        with Image.open(path) as picture:
            return self.transform(picture.convert("RGB")), label


def split(count, trial, environment):
    """`seed_hash` and `split_dataset` of DomainBed: the held-out fifth, and the remaining images."""
    seed = int(hashlib.md5(str((trial, environment)).encode("utf-8")).hexdigest(), 16) % (2**31)
    places = list(range(count))
    numpy.random.RandomState(seed).shuffle(places)
    return places[: int(count * 0.2)], places[int(count * 0.2) :]


def build(folder, classes, size, method, rank):
    """The model with the trainable parameters of `method`, and its learning rate."""
    model = ViTForImageClassification.from_pretrained(
        folder, num_labels=classes, ignore_mismatched_sizes=True, attn_implementation="sdpa"
    )
    if method == "full":
        return model, 5e-5
    if method == "head":
        for name, parameter in model.named_parameters():
            parameter.requires_grad_("classifier" in name)
        return model, 1e-3
    # The layers are named q_proj and v_proj in transformers 5, and query and value in version 4.
    names = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
    targets = ["q_proj", "v_proj"] if "q_proj" in names else ["query", "value"]
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets, modules_to_save=["classifier"])
    model = get_peft_model(model, config)
    for name, parameter in model.named_parameters():
        frozen = {"b-only": "lora_A", "a-only": "lora_B"}.get(method)
        if frozen and frozen in name:
            torch.nn.init.orthogonal_(parameter.data)
            parameter.requires_grad_(False)
        if method == "a-only" and "lora_A" in name:
            parameter.data.zero_()
    return model, 1e-3


def classified(model, pixels, in_bf16):
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=in_bf16):
        return model(pixel_values=pixels, interpolate_pos_encoding=True).logits.float()


@torch.no_grad()
def accuracy(model, pictures, batch_size, workers, in_bf16):
    model.eval()
    hits = 0
    for pixels, labels in DataLoader(pictures, batch_size, num_workers=workers):
        logits = classified(model, pixels, in_bf16)
        hits += (logits.argmax(-1) == labels).sum().item()
    return hits / len(pictures)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--methods", default="head,lora-r8,b-only-r8,b-only-r16,a-only-r8,a-only-r16")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pace", type=int, help="time this many steps of each method, and do not evaluate")
    options = parser.parse_args()

    processor = AutoImageProcessor.from_pretrained(options.model)
    size, in_bf16 = options.image_size, options.dtype == "bf16"
    values = [T.ToTensor(), T.Normalize(processor.image_mean, processor.image_std)]
    plain = T.Compose([T.Resize((size, size)), *values])
    augmented = T.Compose([
        T.RandomResizedCrop(size, scale=(0.7, 1.0)), T.RandomHorizontalFlip(), T.ColorJitter(0.3, 0.3, 0.3, 0.3),
        T.RandomGrayscale(), *values,
    ])
    names = sorted(entry.name for entry in os.scandir(options.data) if entry.is_dir())
    environments = {
        name: Pictures(os.path.join(options.data, name), augmented if name == options.train else plain) for name in names
    }
    classes = environments[options.train].classes
    for seed in map(int, options.seeds.split(",")):
        parts = {name: split(len(environments[name]), seed, at) for at, name in enumerate(names)}
        for word in options.methods.split(","):
            method, _, rank = word.partition("-r")
            random.seed(seed), numpy.random.seed(seed), torch.manual_seed(seed)
            model, rate = build(options.model, len(classes), size, method, int(rank or 8))
            trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
            optimizer = torch.optim.Adam(trained, lr=rate)
            pictures = Subset(environments[options.train], parts[options.train][1])
            losses, steps, started = [], 0, time.time()
            for _ in range(options.epochs):
                model.train()
                for pixels, labels in DataLoader(
                    pictures, options.batch_size, shuffle=True, num_workers=options.workers, drop_last=bool(options.pace)
                ):
                    logits = classified(model, pixels, in_bf16)
                    loss = torch.nn.functional.cross_entropy(logits, labels)
                    loss.backward()
                    optimizer.step(), optimizer.zero_grad()
                    losses.append(loss.item())
                    steps += 1
                    if options.pace and steps == options.pace:
                        break
                if options.pace and steps == options.pace:
                    break
            seconds = time.time() - started
            line = {"method": word, "seed": seed, "steps": steps, "train_seconds": seconds, "last_loss": losses[-1]}
            line["trainable"] = sum(parameter.numel() for parameter in trained)
            line["pictures_per_second"] = min(steps * options.batch_size, options.epochs * len(pictures)) / seconds
            if not options.pace:
                score = lambda name, part: accuracy(
                    model, Subset(environments[name], parts[name][part]), 2 * options.batch_size, options.workers,
                    in_bf16,
                )
                others = {name: score(name, 1) for name in names if name != options.train}
                line["ood"] = sum(others.values()) / len(others)
                line |= others | {"id": score(options.train, 0), "train": score(options.train, 1)}
            print(json.dumps(line), flush=True)
            with open(options.output, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
