"""Writes the recipes of the paper's GLUE tables: glue/*.toml for RoBERTa-large, mini/glue/*.toml for the embedded
checkpoint.

    python3 recipes/make.py

There is one file for each row of Tables 1, 4, 5 and 10. Table 10 has all rows of the others except AdaLoRA and (IA)3.
The scores in the headers are the paper's, from crates/asym-tasks/data/paper-glue.csv. The recipes have no [task] and no
[training], so that every setting is the task's default.
"""

import csv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TASKS = {"MNLI": "mnli", "SST-2": "sst2", "MRPC": "mrpc", "CoLA": "cola", "QNLI": "qnli", "RTE": "rte", "STS-B": "stsb"}

# The tables of the paper that show a row, by its rank and its factors.
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
        return "AdaLoRA: the ranks are moved between the layers, 8 on average"
    if row["method"] == "ia3":
        return "(IA)3: trained vectors scale keys, values and the feed-forward layers"
    def factor(letter):
        init, train = row[f"{letter}_init"], row[f"{letter}_train"]
        return f"{letter.upper()} {init}, {'trained' if train == 'true' else 'frozen'}"
    return f"LoRA of rank {row['rank']}: {factor('b')}; {factor('a')}"


def adapter(row):
    if row["method"] == "adalora":
        return ['method = "adalora"', "initial_rank = 12", "target_rank = 8", 'targets = ["query", "value"]']
    if row["method"] == "ia3":
        return ['method = "ia3"', 'feedforward = ["output.dense"]', 'targets = ["key", "value", "output.dense"]']
    factor = lambda letter: f'{letter} = {{ init = "{row[letter + "_init"]}", train = {row[letter + "_train"]} }}'
    return ['method = "lora"', f"rank = {row['rank']}", factor("a"), factor("b"), 'targets = ["query", "value"]']


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
            f"# {tables} of the paper, on RoBERTa-large.",
            "#",
            f"#     asym run recipes/glue/{stem}.toml",
            f"#     asym run recipes/glue/{stem}.toml tasks=rte seeds=1 epochs=3 task.max_length=128",
            "#",
            f"# Paper: {', '.join(paper[:4])},",
            f"#        {', '.join(paper[4:])} (% on the dev sets; STS-B Pearson, CoLA Matthews).",
            "# asym: not measured at this size yet. Epochs, batch sizes, learning rates and lengths are the defaults of each",
            "# task, which are those of LoRA's scripts, as in the paper.",
            'model = "FacebookAI/roberta-large"',
            'data = "nyu-mll/glue"',
            *common,
            *tuning,
        ])
        write(ROOT / "recipes/mini/glue" / f"{stem}.toml", [
            f"# {sentence(row)}.",
            f"# {tables} of the paper, at the embedded scale.",
            "#",
            f"#     asym run recipes/mini/glue/{stem}.toml",
            "#",
            "# The embedded mini RoBERTa is trained on generated data, without a download. docs/results.md has scores.",
            *common,
            *tuning,
        ])
    print(f"{len(recipes)} rows")


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


main()
