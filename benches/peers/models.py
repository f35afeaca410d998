"""The counterpart of `benches/models.rs`: ViT-B/16, BART-base and a block of Llama 2 7B with PyTorch, transformers and PEFT on the
CPU, with random weights.

    pip install torch==2.15.0 transformers==5.24.0 peft==0.21.2

`cargo xtask bench-models --python PYTHON` runs this script. It reads commands from standard input, one per line. `step`
takes one training step, `memory` measures the memory of a step, and `generate` generates tokens for a batch. The answer to each
command is a line of JSON.
"""

import argparse
import json
import sys
import time

import peft
import peft_memory
import torch
import transformers


def vit(options):
    sizes = {}
    if options.tiny:
        sizes = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=1, intermediate_size=128, image_size=32)
    config = transformers.ViTConfig(num_labels=10, attn_implementation=options.attention, **sizes)
    model = transformers.ViTForImageClassification(config)
    count = options.batch * 3 * config.image_size**2
    pixels = (torch.arange(count) * 0.37).sin().reshape(options.batch, 3, config.image_size, config.image_size)
    batch = {"pixel_values": pixels, "labels": torch.arange(options.batch) * 7 % 10}
    return model, batch, None, ["classifier"]


def ids(rows, length, vocabulary):
    return (5 + torch.arange(rows * length) * 7 % (vocabulary - 5)).reshape(rows, length)


def bart(options):
    vocabulary, width, layers = (1000, 64, 2) if options.tiny else (50265, 768, 6)
    side = {"layers": layers, "attention_heads": width // 64, "ffn_dim": 4 * width}
    sides = {f"{name}_{key}": value for name in ["encoder", "decoder"] for key, value in side.items()}
    config = transformers.BartConfig(
        vocab_size=vocabulary, d_model=width, dropout=0.0, attn_implementation=options.attention, **sides
    )
    model = transformers.BartForConditionalGeneration(config)
    source = ids(options.batch, options.length, vocabulary)
    rows = options.batch * options.new_tokens
    batch = {
        "input_ids": source,
        "decoder_input_ids": ids(options.batch, options.new_tokens, vocabulary),
        "labels": (torch.arange(rows) * 7 % vocabulary).reshape(options.batch, options.new_tokens),
    }
    return model, batch, {"input_ids": source}, None


def llama(options):
    sizes = dict(hidden_size=4096, intermediate_size=11008, num_attention_heads=32, num_hidden_layers=1)
    if options.tiny:
        sizes = dict(hidden_size=64, intermediate_size=128, num_attention_heads=2, num_hidden_layers=2)
    config = transformers.LlamaConfig(vocab_size=1000, attn_implementation=options.attention, **sizes)
    model = transformers.LlamaForCausalLM(config)
    source = ids(options.batch, options.length, 1000)
    rows = options.batch * options.length
    # transformers shifts the labels by one, so one row of each sequence has no label.
    labels = (torch.arange(rows) * 7 % 1000).reshape(options.batch, options.length)
    return model, {"input_ids": source, "labels": labels}, {"input_ids": source}, None


MODELS = {"vit-base": (vit, ["q_proj", "v_proj"]), "bart-base": (bart, ["q_proj", "v_proj"])}
MODELS["llama-block"] = (llama, ["q_proj", "v_proj"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(MODELS), required=True)
    parser.add_argument("--method", choices=["b-only", "lora"], default="b-only")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--beams", type=int, default=1)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--attention", choices=["eager", "sdpa"], default="sdpa")
    options = parser.parse_args()

    torch.manual_seed(0)
    build, targets = MODELS[options.model]
    plain, batch, prompt, head = build(options)
    if options.dtype == "bf16":
        # PEFT keeps its adapters in f32.
        plain = plain.to(torch.bfloat16)
        batch = {key: value.to(torch.bfloat16) if value.is_floating_point() else value for key, value in batch.items()}
    config = peft.LoraConfig(r=8, lora_alpha=16, target_modules=targets, modules_to_save=head)
    model = peft.get_peft_model(plain, config).train()
    for name, parameter in model.named_parameters():
        if options.method == "b-only" and "lora_A" in name:
            parameter.requires_grad_(False)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)

    def step():
        start = time.perf_counter()
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return {"seconds": time.perf_counter() - start}

    def generate():
        model.eval()
        new = {"max_new_tokens": options.new_tokens, "min_new_tokens": options.new_tokens}
        start = time.perf_counter()
        with torch.no_grad():
            model.generate(**prompt, **new, num_beams=options.beams, do_sample=False, eos_token_id=2, pad_token_id=1)
        seconds = time.perf_counter() - start
        model.train()
        return {"seconds": seconds}

    for _ in range(2):
        step()
    versions = f"torch {torch.__version__} ({torch.get_num_threads()} threads), transformers {transformers.__version__}, "
    versions += f"peft {peft.__version__}"
    print(json.dumps({"versions": versions}), flush=True)
    for line in sys.stdin:
        order = line.strip()
        if order == "step":
            answer = step()
        elif order == "generate":
            answer = generate()
        else:
            answer = {"kept": peft_memory.kept(model, batch), "peak": peft_memory.peak(model, batch)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
