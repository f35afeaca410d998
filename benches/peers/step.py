"""The counterpart of `benches/step.rs`: training steps with PyTorch, transformers and PEFT on the CPU, with random weights.

    pip install torch==2.15.0 transformers==5.24.0 peft==0.21.2

`cargo xtask bench --python PYTHON` runs this script. It reads commands from standard input, one per line. `step` takes
one training step, and `memory` measures the memory of a step. The answer to each command is a line of JSON.
"""

import argparse
import json
import sys
import time

import peft
import peft_memory
import torch
import transformers


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=["b-only", "lora", "full"], required=True)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--attention", choices=["eager", "sdpa"], default="eager")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--all-linear", action="store_true")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()

    torch.manual_seed(0)
    targets = "all-linear" if options.all_linear else ["query", "value"]
    shape = {"hidden": options.hidden, "attention": options.attention, "own_dropout": options.dropout}
    shape["dtype"] = torch.bfloat16 if options.dtype == "bf16" else torch.float32
    model = peft_memory.build(options.method, 0.0, targets, options.layers, **shape).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    tokens = torch.arange(options.batch * options.length).reshape(options.batch, options.length)
    batch = {"input_ids": 5 + tokens * 7 % (peft_memory.VOCABULARY - 5), "labels": torch.arange(options.batch) % 2}
    forward = torch.compile(model) if options.compile else model

    def step():
        start = time.perf_counter()
        forward(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return {"seconds": time.perf_counter() - start}

    for _ in range(2):
        step()
    versions = f"torch {torch.__version__} ({torch.get_num_threads()} threads), transformers {transformers.__version__}, "
    versions += f"peft {peft.__version__}"
    print(json.dumps({"versions": versions}), flush=True)
    for line in sys.stdin:
        if line.strip() == "step":
            answer = step()
        else:
            answer = {"kept": peft_memory.kept(model, batch), "peak": peft_memory.peak(model, batch)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
