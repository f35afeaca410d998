"""The bytes that PyTorch, transformers and PEFT keep for the backward pass on the CPU, with random weights.

    pip install torch==2.11.0 transformers==5.23.0 peft==0.21.2
    python benches/peers/peft_memory.py --layers 12 --output memory.jsonl

The rows and settings are those of `cargo bench --bench memory`. The kept bytes are those of the storages in autograd's graph after a
forward pass. Each storage is counted once, without parameters, buffers and the batch. The peak is the maximum during a forward pass,
a backward pass and a step of AdamW, in addition to the model, its optimizer state and the batch. The profiler counts the allocations
of PyTorch's CPU allocator, without the memory that MKL and oneDNN allocate themselves.
"""

import argparse
import json
import os
import tempfile
import weakref

import peft
import torch
import transformers
from peft import AdaLoraConfig, IA3Config, LoraConfig, VeraConfig, get_peft_model
from torch.autograd.graph import saved_tensors_hooks
from torch.profiler import ProfilerActivity, profile
from transformers import RobertaConfig, RobertaForSequenceClassification

MIB = 1 << 20
VOCABULARY = 1000
TARGETS = {"query,value": ["query", "value"], "all-linear": "all-linear"}
NAMES = {
    "full": "full fine-tuning",
    "head": "head only",
    "lora": "LoRA r=8",
    "b-only": "LoRA r=8, A frozen (B only)",
    "a-only": "LoRA r=8, B frozen (A only)",
    "dora": "DoRA r=8",
    "dora-b-only": "DoRA r=8, A frozen",
    "adalora": "AdaLoRA r=12",
    "vera": "VeRA r=256",
    "ia3": "(IA)³",
}


def build(method, dropout, targets, layers, hidden=768, attention="eager", own_dropout=0.0, dtype=torch.float32):
    """The model with the trainable parameters of `method`. PEFT keeps its adapters in f32, regardless of the dtype of the base."""
    config = RobertaConfig(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        intermediate_size=4 * hidden,
        max_position_embeddings=514,
        type_vocab_size=1,
        hidden_dropout_prob=own_dropout,
        attention_probs_dropout_prob=own_dropout,
        num_labels=2,
        attn_implementation=attention,
    )
    model = RobertaForSequenceClassification(config).to(dtype)
    if method == "full":
        return model
    if method == "head":
        for name, parameter in model.named_parameters():
            parameter.requires_grad_("classifier" in name)
        return model
    common = {"task_type": "SEQ_CLS", "target_modules": targets}
    if method == "ia3":
        common["target_modules"] = ["key", "value", "output.dense"]
        return get_peft_model(model, IA3Config(feedforward_modules=["output.dense"], **common))
    if method == "vera":
        return get_peft_model(model, VeraConfig(r=256, vera_dropout=dropout, **common))
    if method == "adalora":
        config = AdaLoraConfig(
            init_r=12, target_r=8, lora_alpha=16, lora_dropout=dropout, tinit=10, tfinal=10, total_step=100, **common
        )
        return get_peft_model(model, config)
    config = LoraConfig(r=8, lora_alpha=16, lora_dropout=dropout, use_dora=method.startswith("dora"), **common)
    model = get_peft_model(model, config)
    for name, parameter in model.named_parameters():
        if method.endswith("b-only") and "lora_A" in name:
            torch.nn.init.orthogonal_(parameter.data)
            parameter.requires_grad_(False)
        if method == "a-only" and "lora_B" in name:
            torch.nn.init.orthogonal_(parameter.data)
            parameter.requires_grad_(False)
        if method == "a-only" and "lora_A" in name:
            parameter.data.zero_()
    return model


class Packed:
    """A placeholder for a saved tensor in the graph, which shows whether the tensor is still kept after the forward pass.

    It does not refer to the tensor. For an output, this would be a reference cycle, which is never freed.
    """


def kept(model, batch):
    """The bytes of the storages that the graph of a loss keeps, without those of the model and the batch."""
    known = [*model.parameters(), *model.buffers(), *batch.values()]
    known = {tensor.untyped_storage().data_ptr() for tensor in known}
    held = {}

    def pack(tensor):
        packed = Packed()
        # The forward pass creates and drops some graphs, such as that of DoRA's norm. Their tensors are freed, and so is this
        # entry. Until then, the storage is kept, so that no other storage gets its address. A tensor would also keep its graph.
        key = id(packed)
        held[key] = tensor.untyped_storage(), weakref.ref(packed, lambda _: held.pop(key))
        return packed

    with saved_tensors_hooks(pack, lambda packed: None):  # No backward pass follows.
        loss = model(**batch).loss
    storages = [storage for storage, _ in held.values()]
    sizes = {storage.data_ptr(): storage.nbytes() for storage in storages if storage.data_ptr() not in known}
    del loss
    return sum(sizes.values())


def step(model, optimizer, batch):
    loss = model(**batch).loss
    loss.backward()
    optimizer.step()


def peak(model, batch):
    """The maximum number of allocated bytes during a step. The state of the optimizer exists from the previous step."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    step(model, optimizer, batch)
    optimizer.zero_grad()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step(model, optimizer, batch)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace.json")
        profiler.export_chrome_trace(path)
        with open(path, encoding="utf-8") as file:
            events = json.load(file)["traceEvents"]
    events = [event for event in events if event["name"] == "[memory]"]
    live, now, most = {}, 0, 0
    for event in sorted(events, key=lambda event: event["ts"]):
        address, size = event["args"]["Addr"], event["args"]["Bytes"]
        if size > 0:
            live[address] = size
            now += size
        else:
            now -= live.pop(address, 0)
        most = max(most, now)
    return most


def byte_masks():
    """Make dropout keep a mask of one byte per element, as on a GPU. On the CPU, it keeps four bytes."""
    plain = torch.nn.functional.dropout

    def dropout(input, p=0.5, training=True, inplace=False):
        return torch.native_dropout(input, p, True)[0] if training and p > 0 else plain(input, p, training, inplace)

    torch.nn.functional.dropout = dropout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--targets", choices=list(TARGETS), default="query,value")
    parser.add_argument("--methods", help=f"of {','.join(NAMES)}; by default all that depend on the targets")
    parser.add_argument("--byte-masks", action="store_true", help="dropout masks of one byte per element, as on a GPU")
    parser.add_argument("--output")
    options = parser.parse_args()
    if options.byte_masks:
        byte_masks()
    everywhere = options.targets == "query,value"
    methods = [method for method in NAMES if everywhere or method not in ("full", "head", "ia3")]
    methods = options.methods.split(",") if options.methods else methods
    plain = [method for method in methods if method in ("full", "head")]
    adapters = [method for method in methods if method not in ("full", "head", "ia3")]
    rows = [(method, 0.0) for method in plain] + [(method, dropout) for dropout in (0.0, 0.1) for method in adapters]
    rows += [(method, 0.0) for method in methods if method == "ia3"]

    tokens = torch.arange(options.batch * options.length).reshape(options.batch, options.length)
    batch = {"input_ids": 5 + tokens * 7 % (VOCABULARY - 5), "labels": torch.arange(options.batch) % 2}
    lines = []
    for method, dropout in rows:
        torch.manual_seed(0)
        model = build(method, dropout, TARGETS[options.targets], options.layers).train()
        line = {"method": method, "dropout": dropout, "targets": options.targets, "layers": options.layers}
        line |= {"batch": options.batch, "length": options.length, "byte_masks": options.byte_masks}
        line["trainable"] = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        line["saved"] = kept(model, batch)
        line["peak"] = peak(model, batch)
        lines.append(line)
        if options.output:
            with open(options.output, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    print(
        f"{options.layers} blocks of RoBERTa-base, batch {options.batch} x {options.length} tokens, f32, "
        f"adapters on {options.targets}{', dropout masks of one byte' if options.byte_masks else ''}\n"
    )
    print("| method | adapter dropout | trained | kept for backward, MiB | of LoRA's | peak of a step, MiB |")
    print("|---|---:|---:|---:|---:|---:|")
    lora = next((line["saved"] for line in lines if line["method"] == "lora"), None)
    for line in lines:
        ratio = f"{line['saved'] / lora:.3f}" if lora else "-"
        print(
            f"| {NAMES[line['method']]} | {line['dropout']:g} | {line['trainable']} | {line['saved'] / MIB:.1f} "
            f"| {ratio} | {line['peak'] / MIB:.1f} |"
        )
    print(f"\ntorch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}")


if __name__ == "__main__":
    main()
