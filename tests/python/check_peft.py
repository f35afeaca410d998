"""Checks that adapters written by asym are PEFT's: each folder loads with no key missing and none left over, the file's
tensors are what the model holds, and the logits are those of `asym predict`.

    pip install torch==2.11.0 transformers==5.23.0 peft==0.21.2 safetensors
    ASYM_EXPORT=/tmp/export cargo test --release --test suite -- peft_export families variants
    cargo build --release
    python tests/python/check_peft.py target/release/asym /tmp/export/*

A folder is an adapter's, or a run's with `adapter` inside. Its base model is what its adapter_config.json says, or
`--model`; the inputs are inputs.safetensors beside the base model, or `--inputs`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import peft
import torch
import transformers
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file

TOLERANCE = 1e-4
OF_LAYERS = ["lora_embedding_", "lora_", "vera_lambda_", "ia3_l"]
OF_ADAPTERS = ["lora_", "vera_", "ia3_", "modules_to_save"]
COPIES = [".original_module.", ".modules_to_save."]


def predict(asym, model, adapter, inputs):
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "logits.safetensors"
        command = [asym, "predict", "--model", model, "--adapter", adapter, "--inputs", inputs, "--output", output]
        subprocess.run(command, check=True, capture_output=True)
        return load_file(output)["logits"]


def labels_of(stored):
    """As many as the saved head has: a checkpoint without a head does not say."""
    for name in ["classifier.out_proj.bias", "classifier.bias"]:
        if f"base_model.model.{name}" in stored:
            return len(stored[f"base_model.model.{name}"])
    return None


def load(base, adapter):
    """PEFT's model and its report of missing and unexpected keys, which from_pretrained drops."""
    reports, load_adapter = [], peft.PeftModel.load_adapter

    def reporting(self, *arguments, **options):
        reports.append(load_adapter(self, *arguments, **options))
        return reports[-1]

    peft.PeftModel.load_adapter = reporting
    try:
        adapted = peft.PeftModel.from_pretrained(base, adapter).eval()
    finally:
        peft.PeftModel.load_adapter = load_adapter
    (report,) = reports
    return adapted, report


def check(asym, folder, model, inputs):
    adapter = folder if (folder / "adapter_config.json").exists() else folder / "adapter"
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert config["inference_mode"] is True
    model = model or Path(config["base_model_name_or_path"])
    inputs = inputs or model / "inputs.safetensors"
    stored = load_file(adapter / "adapter_model.safetensors")

    labels = labels_of(stored)
    (architecture,) = json.loads((model / "config.json").read_text())["architectures"]
    # An adapter with a head makes a classifier of whatever it is on.
    classifies = labels and not architecture.endswith("Classification")
    kind = transformers.AutoModelForSequenceClassification if classifies else getattr(transformers, architecture)
    base = kind.from_pretrained(model, attn_implementation="eager", **({"num_labels": labels} if labels else {}))
    adapted, result = load(base, adapter)
    missing = [key for key in result.missing_keys if any(word in key for word in OF_ADAPTERS)]
    assert not missing, f"{folder}: missing {missing}"
    assert not result.unexpected_keys, f"{folder}: unexpected {result.unexpected_keys}"
    # With bias="all" PEFT lists a head's biases twice more: the head's that it replaced, and under the wrapper's name.
    held = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    held = {k: v for k, v in held.items() if not any(word in k for word in COPIES)}
    assert held.keys() == stored.keys(), f"{folder}: {sorted(held.keys() ^ stored.keys())}"
    for key, tensor in stored.items():
        assert torch.equal(held[key], tensor), f"{folder}: {key} is not what the file holds"

    # From PEFT's own description of where adapters are, not from the file's keys.
    # Trained rows are such a layer too, inside of the embedding.
    modules = sorted(name for name, module in adapted.named_modules() if isinstance(module, BaseTunerLayer))
    modules = [name for name in modules if not name.endswith("token_adapter")]
    layers = {key.rsplit(word, 1)[0].rstrip(".") for key in stored for word in OF_LAYERS if word in key}
    assert set(modules) == layers, f"{folder}: {layers ^ set(modules)}"

    batch = load_file(inputs)
    with torch.no_grad():
        logits = adapted(**batch).logits
        for module in adapted.modules():
            if isinstance(module, BaseTunerLayer):
                module.enable_adapters(False)
        plain = adapted(**batch).logits
    effect = (logits - plain).abs().max().item()
    differences = (logits - predict(asym, model, adapter, inputs)).abs()
    mask = batch.get("attention_mask")
    if logits.dim() == 3 and mask is not None and mask.shape == logits.shape[:2]:
        # What stands at padding is nobody's answer.
        differences = differences[mask == 1]
    difference = differences.max().item()
    print(
        f"{folder.name}: {config['peft_type']}, {len(modules)} layers, {len(stored)} tensors, "
        f"effect of the adapter {effect:.2f}, logits differ by {difference:.1e}"
    )
    # PEFT decomposes the weights for PiSSA in f32.
    tolerance = TOLERANCE * (10 if config.get("init_lora_weights") == "pissa" else 1)
    assert difference <= tolerance, f"{folder}: logits differ by {difference}"
    return effect


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("asym", type=Path, help="the asym command")
    parser.add_argument("folders", type=Path, nargs="+", help="adapter or run folders")
    parser.add_argument("--model", type=Path, help="the base model's folder")
    parser.add_argument("--inputs", type=Path, help="a file for asym predict")
    options = parser.parse_args()
    effects = [check(options.asym.absolute(), folder, options.model, options.inputs) for folder in options.folders]
    # Adapters without effect would pass whatever they were.
    assert min(effects) > 1e-3, f"an adapter changes nothing: {effects}"
    print(f"{len(effects)} folders are PEFT's, with torch {torch.__version__}, PEFT {peft.__version__}", file=sys.stderr)


if __name__ == "__main__":
    main()
