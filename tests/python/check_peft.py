"""Checks that PEFT loads adapters written by asym: no key is missing or unexpected, the tensors of the file equal the
tensors of the model, and the logits equal those of `asym predict`.

    pip install torch==2.11.0 transformers==5.23.0 peft==0.21.2 safetensors
    ASYM_EXPORT=/tmp/export cargo test --release --test suite -- peft_export families variants
    cargo build --release
    python tests/python/check_peft.py target/release/asym /tmp/export/*

A folder contains an adapter, or it is the folder of a run with the subfolder `adapter`. The base model is `--model`, or else
the one in adapter_config.json. The inputs are `--inputs`, or else inputs.safetensors in the folder of the base model.
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
    """The number of labels of the saved head, since a checkpoint without a head does not have it."""
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
    # An adapter with a head makes its base model a classifier.
    classifies = labels and not architecture.endswith("Classification")
    kind = transformers.AutoModelForSequenceClassification if classifies else getattr(transformers, architecture)
    base = kind.from_pretrained(model, attn_implementation="eager", **({"num_labels": labels} if labels else {}))
    adapted, result = load(base, adapter)
    missing = [key for key in result.missing_keys if any(word in key for word in OF_ADAPTERS)]
    assert not missing, f"{folder}: missing {missing}"
    assert not result.unexpected_keys, f"{folder}: unexpected {result.unexpected_keys}"
    # With bias="all", PEFT lists a head's biases two more times: as biases of the replaced head, and under the wrapper's name.
    held = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    held = {k: v for k, v in held.items() if not any(word in k for word in COPIES)}
    assert held.keys() == stored.keys(), f"{folder}: {sorted(held.keys() ^ stored.keys())}"
    for key, tensor in stored.items():
        assert torch.equal(held[key], tensor), f"{folder}: {key} differs from the file"

    # The adapted modules come from PEFT's model, not from the keys of the file.
    # The rows of an embedding that are trained form such a module too, inside the embedding.
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
        # The logits at padding have no meaning.
        differences = differences[mask == 1]
    difference = differences.max().item()
    print(
        f"{folder.name}: {config['peft_type']}, {len(modules)} layers, {len(stored)} tensors, "
        f"effect of the adapter {effect:.2f}, logits differ by {difference:.1e}"
    )
    # For PiSSA, PEFT decomposes the weights in f32.
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
    # Adapters without an effect would pass every comparison.
    assert min(effects) > 1e-3, f"an adapter has no effect: {effects}"
    print(f"{len(effects)} folders pass, with torch {torch.__version__}, PEFT {peft.__version__}", file=sys.stderr)


if __name__ == "__main__":
    main()
