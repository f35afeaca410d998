"""Writes the recipes for the paper's tables: glue/*.toml for RoBERTa-large, domainbed/*.toml for ViT-B/16, instruction/*.toml for
Llama 2, summarization/*/*.toml for BART-large, and the same rows in mini/ for the embedded checkpoints.

    python3 recipes/make.py

There is one file for each row of Tables 1, 4, 5 and 10, for each row of Tables 7, 11, 12 and 13, for each row of Tables 3 and 8
(which have the same rows), and for each row and dataset of Tables 2, 6 and 9. Table 10 has all rows of Tables 1, 4 and 5 except
AdaLoRA and (IA)3. The scores in the headers are the paper's, from the files paper-*.csv in crates/asym-tasks/data. The recipes have
no table [task]. Except for one recipe of AdaLoRA, they have no table [training], so every setting is the task's default.
"""

import csv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TASKS = {"MNLI": "mnli", "SST-2": "sst2", "MRPC": "mrpc", "CoLA": "cola", "QNLI": "qnli", "RTE": "rte", "STS-B": "stsb"}

# The tables of the paper that contain a row, by its rank and its factors.
TABLES = {
    ("8", "kaiming", "true", "zero", "true"): "Tables 1, 4 and 10",
    ("8", "kaiming", "false", "zero", "true"): "Tables 1, 4 and 10",
    ("8", "orthonormal", "false", "zero", "true"): "Tables 1, 4 and 10",
    ("8", "zero", "true", "orthonormal", "false"): "Tables 1, 4 and 10",
    ("16", "orthonormal", "false", "zero", "true"): "Tables 1, 4 and 10",
    ("16", "zero", "true", "orthonormal", "false"): "Tables 1, 4 and 10",
    ("8", "orthonormal", "true", "zero", "true"): "Tables 5 and 10",
    ("8", "zero", "true", "orthonormal", "true"): "Tables 5 and 10",
    ("8", "svd-v", "true", "zero", "true"): "Tables 5 and 10",
    ("8", "zero", "true", "svd-u", "true"): "Tables 5 and 10",
}


def word(init):
    return init.replace("svd-v", "svd").replace("svd-u", "svd")


def name(row):
    """The file's name: lora-r8, b-only-orthonormal-r16, lora-b-svd-r8 (both trained, A starts at zero), and so on."""
    if row["method"] != "lora":
        return row["method"]
    rank = f"r{row['rank']}"
    if (row["a_init"], row["a_train"], row["b_init"], row["b_train"]) == ("kaiming", "true", "zero", "true"):
        return f"lora-{rank}"
    if row["a_train"] == "false":
        return f"b-only-{word(row['a_init'])}-{rank}"
    if row["b_train"] == "false":
        return f"a-only-{word(row['b_init'])}-{rank}"
    return f"lora-a-{word(row['a_init'])}-{rank}" if row["b_init"] == "zero" else f"lora-b-{word(row['b_init'])}-{rank}"


def sentence(row):
    if row["method"] == "adalora":
        return "AdaLoRA: ranks move between the layers during training, to an average rank of 8"
    if row["method"] == "ia3":
        return "(IA)3: trained vectors scale keys, values and the feed-forward layers"
    def factor(letter):
        init, train = row[f"{letter}_init"], row[f"{letter}_train"]
        return f"{letter.upper()} is {'trained' if train == 'true' else 'frozen'} (init {init})"
    return f"LoRA of rank {row['rank']}: {factor('b')}; {factor('a')}"


def adapter(row):
    if row["method"] == "adalora":
        return ['method = "adalora"', "initial_rank = 12", "target_rank = 8", 'targets = ["query", "value"]']
    if row["method"] == "ia3":
        return ['method = "ia3"', 'feedforward = ["output.dense"]', 'targets = ["key", "value", "output.dense"]']
    factor = lambda letter: f'{letter} = {{ init = "{row[letter + "_init"]}", train = {row[letter + "_train"]} }}'
    return ['method = "lora"', f"rank = {row['rank']}", factor("a"), factor("b"), 'targets = ["query", "value"]']


DOMAINBED = {"vlcs": ("VLCS", "LabelMe"), "pacs": ("PACS", "cartoon"), "office-home": ("OfficeHome", "Clipart"),
             "terra-incognita": ("TerraIncognita", "location_38")}


def domainbed():
    with open(ROOT / "crates/asym-tasks/data/paper-domainbed.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    recipes = {}
    for row in rows:
        stem = row["method"] if row["method"] in ("full", "head") else name(row)
        recipes.setdefault(stem, {}).setdefault(row["task"], []).append(row)
    for stem, tasks in sorted(recipes.items()):
        lines = []
        for task, (title, train) in DOMAINBED.items():
            own = next(row for row in tasks[task] if row["environment"] == train)
            others = [row for row in tasks[task] if row["environment"] != train]
            mean = lambda field: sum(float(row[field]) for row in others) / len(others)
            lines.append(f"#   {title}: in domain {own['accuracy']} ± {own['accuracy_std']}, out of domain {mean('accuracy'):.2f}, gap {mean('gap'):.2f}")
        row = tasks["pacs"][0]
        if row["method"] == "lora":
            # Layers have the names of transformers 5.
            layers = [line.replace('["query", "value"]', '["q_proj", "v_proj"]') for line in adapter(row)]
            what, tuning = sentence(row), ["", "[tuning.adapter]", *layers]
        else:
            what = {"full": "Full fine-tuning", "head": "Linear probing: only the classifier is trained"}[row["method"]]
            tuning = [f'tuning = "{row["method"]}"']
        write(ROOT / "recipes/domainbed" / f"{stem}.toml", [
            f"# {what}.",
            "# A row of the paper's Tables 7, 11, 12 and 13, for a ViT.",
            "#",
            f"#     asym run recipes/domainbed/{stem}.toml data=DOMAINBED",
            f"#     asym run recipes/domainbed/{stem}.toml data=DOMAINBED tasks=pacs seeds=0 epochs=5 task.image_size=112",
            "#",
            "# DOMAINBED is the folder that DomainBed's download script creates, or another folder with VLCS, PACS, office_home and",
            "# terra_incognita. For a single task, `data` may also be the folder of the task's dataset, or a name on the Hub.",
            "#",
            "# The paper's scores, in percent (out of domain, means over the environments):",
            *lines,
            "# asym has no scores for this model yet; docs/results.md has the scores of a smaller model on PACS.",
            'model = "google/vit-base-patch16-224-in21k"',
            f"tasks = {list(DOMAINBED)}".replace("'", '"'),
            "seeds = [0, 1, 2]",
            *tuning,
        ])
        write(ROOT / "recipes/mini/domainbed" / f"{stem}.toml", [
            f"# {what}.",
            "# A row of the paper's Tables 7, 11, 12 and 13, for the embedded checkpoint.",
            "#",
            f"#     asym run recipes/mini/domainbed/{stem}.toml",
            "#",
            "# This recipe trains the embedded mini ViT on drawn pictures of one style, and tests it on three other styles. It needs no",
            "# download. docs/results.md has scores.",
            'tasks = ["domainbed"]',
            "seeds = [1, 2, 3]",
            *tuning,
        ])
    return len(recipes)


def instruction():
    with open(ROOT / "crates/asym-tasks/data/paper-mmlu.csv", newline="") as file:
        cells = list(csv.DictReader(file))
    recipes = {}
    for cell in cells:
        recipes.setdefault("full" if cell["method"] == "unnamed" else name(cell), []).append(cell)
    for stem, cells in sorted(recipes.items()):
        row = cells[0]
        paper = ", ".join(f"{cell['group']} {cell['accuracy']}" for cell in cells)
        if stem == "full":
            what, tuning = "Full fine-tuning", ['tuning = "full"']
            # 6.7 billion numbers of 4 bytes: weights, gradients and two moments.
            memory = ["# Training needs about 110 GB for the weights, the gradients and the optimizer's state in f32.", "#"]
            source = "# The paper's row has the model's name and \"100%\". The paper does not state whether this model is fine-tuned:"
        else:
            # Layers have the names of transformers.
            layers = [line.replace('["query", "value"]', '["q_proj", "v_proj"]') for line in adapter(row)]
            what, tuning = sentence(row), ["", "[tuning.adapter]", *layers]
            memory = [
                "# The frozen weights need 27 GB in f32. training.dtype=bf16 halves this memory, except on CPUs with a bf16 kernel",
                "# (docs/speed.md).",
                "#",
            ]
            source = "# The paper's accuracy on MMLU without examples, in percent:"
        write(ROOT / "recipes/instruction" / f"{stem}.toml", [
            f"# {what}.",
            "# A row of the paper's Tables 3 and 8, for Llama 2 with 7 billion parameters.",
            "#",
            f"#     asym run recipes/instruction/{stem}.toml",
            f"#     asym run recipes/instruction/{stem}.toml model=SMOLLM2 data=alpaca.json seeds=1 epochs=1",
            "#     asym evaluate mmlu --adapter runs/…/adapter --data cais/mmlu --protocol choice,generated --output answers"
            if stem != "full" else
            "#     asym evaluate mmlu --model runs/…/model --data cais/mmlu --protocol choice,generated --output answers",
            "#",
            *memory,
            source,
            f"#   {paper}",
            "# asym has no scores for this model yet. The paper does not state the template, the loss, the learning rate or the number of",
            "# epochs. This recipe uses the task's defaults, which docs/instruction.md describes.",
            'model = "meta-llama/Llama-2-7b-hf"',
            'data = "tatsu-lab/alpaca"',
            'tasks = ["alpaca"]',
            "seeds = [1, 2, 3]",
            *tuning,
        ])
        write(ROOT / "recipes/mini/instruction" / f"{stem}.toml", [
            f"# {what}.",
            "# A row of the paper's Tables 3 and 8, for the embedded checkpoint.",
            "#",
            f"#     asym run recipes/mini/instruction/{stem}.toml",
            "#",
            "# This recipe trains the embedded mini Llama on instructions about an invented world, and evaluates it on questions about",
            "# this world. It needs no download. docs/results.md has scores.",
            'tasks = ["alpaca"]',
            "seeds = [1, 2, 3]",
            *tuning,
        ])
    return len(recipes)


# The name on the Hub, and Table 9's schedule of AdaLoRA: steps before the first rank is dropped (t_i), steps with the final ranks at
# the end (t_f), steps between two decisions (delta_T), and the weight of the penalty (gamma).
SUMMARIZATION = {
    "xsum": ("XSum", "EdinburghNLP/xsum@refs/convert/parquet", (6000, 50000, 100, 0.1)),
    "cnn-dailymail": ("CNN/DailyMail", "abisee/cnn_dailymail", (5000, 85000, 100, 0.1)),
}
BART_LAYERS = '["q_proj", "k_proj", "v_proj"]'


def summarization():
    with open(ROOT / "crates/asym-tasks/data/paper-summarization.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for task, (title, data, (first, last, interval, penalty)) in SUMMARIZATION.items():
        own = [row for row in rows if row["task"] == task]
        for row in own + [{"method": "adalora"}]:
            stem, extra = name(row), []
            if row["method"] == "adalora":
                tables = "A row of the paper's Table 9, for BART-large. The paper has no scores for this row."
                scores = ["# Table 9 has the rank schedule, but no ranks. The ranks here are those of the GLUE recipes."]
                tuning = [
                    'method = "adalora"', "initial_rank = 12", "target_rank = 8", f"warmup_steps = {first}", f"final_steps = {last}",
                    f"interval = {interval}", f"orthogonality = {penalty}", f"targets = {BART_LAYERS}",
                ]
                if task == "cnn-dailymail":
                    scores.append("# With the paper's 48 examples per step, training would have 89 730 steps, but the schedule needs 90 000. AdaLoRA's own")
                    scores.append("# script has 32 examples per step, which results in 134 595 steps.")
                    extra = ["", "[training]", "batch_size = 8", "gradient_accumulation = 4"]
            else:
                tables = "A row of the paper's Tables 2 and 6, for BART-large."
                scores = [
                    "# The paper's scores, in percent, against references that are truncated to the maximum target length:",
                    f"# ROUGE-1 {row['rouge1']}, ROUGE-2 {row['rouge2']}, ROUGE-Lsum {row['rougeL']}.",
                ]
                tuning = [line.replace('["query", "value"]', BART_LAYERS) for line in adapter(row)]
            path = f"recipes/summarization/{task}/{stem}.toml"
            write(ROOT / path, [
                f"# {sentence(row)}.",
                f"# {tables}",
                "#",
                f"#     asym run {path}",
                f"#     asym run {path} epochs=1 task.eval_examples=500",
                "#",
                *scores,
                "# asym has no scores for this model yet. Epochs, batch size, learning rate, lengths and beams are the task's defaults. These",
                "# are the paper's values, or the values of AdaLoRA's scripts if the paper does not state them.",
                'model = "facebook/bart-large"',
                f'data = "{data}"',
                f'tasks = ["{task}"]',
                "seeds = [1]",
                *extra,
                "",
                "[tuning.adapter]",
                *tuning,
            ])
    # Both benchmarks have the same rows, and one generated counterpart.
    for row in [row for row in rows if row["task"] == "xsum"] + [{"method": "adalora"}]:
        stem = name(row)
        tables = "Table 9" if row["method"] == "adalora" else "Tables 2 and 6"
        write(ROOT / "recipes/mini/summarization" / f"{stem}.toml", [
            f"# {sentence(row)}.",
            f"# A row of the paper's {tables}, for the embedded checkpoint.",
            "#",
            f"#     asym run recipes/mini/summarization/{stem}.toml",
            "#",
            "# This recipe trains the embedded mini BART on generated reports. It needs no download. docs/results.md has scores.",
            'tasks = ["summarization"]',
            "seeds = [1, 2, 3]",
            "",
            "[tuning.adapter]",
            *[line.replace('["query", "value"]', BART_LAYERS) for line in adapter(row)],
        ])
    return len(rows) + len(SUMMARIZATION)


def main():
    with open(ROOT / "crates/asym-tasks/data/paper-glue.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    recipes = {}
    for row in rows:
        recipes.setdefault(name(row), []).append(row)
    for stem, cells in sorted(recipes.items()):
        row = cells[0]
        key = tuple(row[field] for field in ("rank", "a_init", "a_train", "b_init", "b_train"))
        tables = TABLES.get(key, "Table 10") if row["method"] == "lora" else "Tables 1 and 4"
        scores = {cell["task"]: f"{cell['mean']} ± {cell['std']}" if cell["std"] else cell["mean"] for cell in cells}
        paper = [f"{task} {scores[task]}" for task in TASKS if task in scores]
        tuning = ["", "[tuning.adapter]", *adapter(row)]
        common = [f"tasks = {list(TASKS.values())}".replace("'", '"'), "seeds = [1, 2, 3]"]
        write(ROOT / "recipes/glue" / f"{stem}.toml", [
            f"# {sentence(row)}.",
            f"# A row of the paper's {tables}, for RoBERTa-large.",
            "#",
            f"#     asym run recipes/glue/{stem}.toml",
            f"#     asym run recipes/glue/{stem}.toml tasks=rte seeds=1 epochs=3 task.max_length=128",
            "#",
            "# The paper's scores, in percent, on the development sets (Pearson for STS-B, Matthews for CoLA):",
            f"#   {', '.join(paper[:4])},",
            f"#   {', '.join(paper[4:])}",
            "# asym has no scores for this model yet. Epochs, batch sizes, learning rates and lengths are the defaults of each task. As in",
            "# the paper, these are the values of LoRA's scripts.",
            'model = "FacebookAI/roberta-large"',
            'data = "nyu-mll/glue"',
            *common,
            *tuning,
        ])
        write(ROOT / "recipes/mini/glue" / f"{stem}.toml", [
            f"# {sentence(row)}.",
            f"# A row of the paper's {tables}, for the embedded checkpoint.",
            "#",
            f"#     asym run recipes/mini/glue/{stem}.toml",
            "#",
            "# This recipe trains the embedded mini RoBERTa on generated data. It needs no download. docs/results.md has scores.",
            *common,
            *tuning,
        ])
    print(f"{len(recipes)} rows of GLUE, {domainbed()} of DomainBed, {instruction()} of MMLU after Alpaca, {summarization()} of summarization")


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


main()
