"""Checks that transformers loads a checkpoint written by asym, and that it computes the same logits.

    pip install torch==2.11.0 transformers==5.23.0 safetensors
    ASYM_EXPORT=/tmp/export cargo test --release --test suite generate
    ASYM_MERGED=/tmp/merged cargo test --release --test suite variants     # tied models, each with a file of inputs and of logits
    python tests/python/check_merged.py FOLDER CLASS INPUTS LOGITS [--tolerance 1e-4]

FOLDER has config.json and model.safetensors; CLASS is a name in transformers, e.g. ViTForImageClassification,
LlamaForCausalLM, BartForConditionalGeneration, BartForSequenceClassification, BertForSequenceClassification or
RobertaForSequenceClassification. INPUTS is a safetensors file with the arguments of its `forward`. LOGITS is a file with
asym's `logits`. For a decoder, only the logits at positions with attention mask 1 are compared. Prints the largest difference.
"""

import argparse
import inspect
import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file


def load(folder, kind):
    configuration = transformers.AutoConfig.from_pretrained(folder)
    assert kind.__name__ in (configuration.architectures or []), f"config.json names {configuration.architectures}"
    made, report = kind.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32, output_loading_info=True
    )
    wrong = {name: sorted(map(str, keys)) for name, keys in report.items() if keys}
    assert not wrong, json.dumps(wrong, indent=2)
    return made.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("kind", metavar="class", type=lambda name: getattr(transformers, name))
    parser.add_argument("inputs", type=Path)
    parser.add_argument("logits", type=Path)
    parser.add_argument("--tolerance", type=float, help="fail above this difference")
    options = parser.parse_args()

    made = load(options.folder, options.kind)
    batch = load_file(options.inputs)
    unknown = batch.keys() - inspect.signature(made.forward).parameters.keys()
    assert not unknown, f"{options.kind.__name__} does not accept {sorted(unknown)}"
    with torch.no_grad():
        expected = made(**batch).logits
    found = load_file(options.logits)["logits"].float()
    assert found.shape == expected.shape, f"asym's logits are {list(found.shape)}, not {list(expected.shape)}"

    mask = batch.get("attention_mask")
    if mask is not None and expected.dim() == 3 and not made.config.is_encoder_decoder:
        found, expected = found[mask == 1], expected[mask == 1]
    difference = (found - expected).abs().max().item()
    print(f"{options.kind.__name__}: {difference:.3g} of {expected.abs().max().item():.3g}")
    # With >, NaN would pass.
    if options.tolerance is not None and not difference <= options.tolerance:
        sys.exit(f"above {options.tolerance}")


if __name__ == "__main__":
    main()
