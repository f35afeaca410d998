"""The scores of two evaluations of the same MMLU questions, and their difference with a 95 % confidence interval, paired by question.

    asym evaluate mmlu --model MODEL --data MMLU --split val --output BEFORE
    asym evaluate mmlu --adapter ADAPTER --data MMLU --split val --output AFTER
    python3 benches/peers/mmlu_difference.py BEFORE AFTER
"""

import argparse
import json
import math
from pathlib import Path


def read(path):
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {(row["subject"], row["question"]): row for row in rows}


def error(values):
    """The standard error of the mean."""
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    options = parser.parse_args()
    for path in sorted(options.after.glob("*.jsonl")):
        before, after = read(options.before / path.name), read(path)
        if before.keys() != after.keys():
            print(f"{path.stem}: {len(before)} and {len(after)} answers, so the evaluations are not comparable")
            continue
        count = len(after)
        right = [row["right"] for row in after.values()]
        change = [after[key]["right"] - before[key]["right"] for key in before]
        mean, half = sum(change) / count, 1.96 * error(change)
        letters = sum(row["answer"] is not None for row in after.values()) / count
        first = sum(row["answer"] == "A" for row in after.values()) / count
        print(
            f"{path.stem}: {100 * sum(right) / count:.2f} ± {100 * error(right):.2f} %, difference {100 * mean:+.2f} "
            f"({100 * (mean - half):+.2f} to {100 * (mean + half):+.2f}), letters {100 * letters:.1f} %, answer A {100 * first:.1f} %"
        )


if __name__ == "__main__":
    main()
