"""The peer of `asym evaluate mmlu`: the same questions, asked with PyTorch and transformers, one prompt at a time. The tokens that a
prompt shares with the one before stay in the cache.

    pip install torch==2.15.0 transformers==5.24.0
    asym evaluate mmlu --model MODEL --data MMLU --split val --protocol choice,loglikelihood,generated --shots 0,5 --output FOLDER
    python benches/peers/mmlu.py --model MODEL --data MMLU --split val --shots 0,5 --answers FOLDER

It prints, for each protocol and number of examples, how many answers are equal, and each question whose answers differ with the
scores of both. It shares no code with asym: prompts are written out again from the protocols' sources.
"""

import argparse
import csv
import json
import os

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

LETTERS = "ABCD"


def read(folder, split, subject):
    with open(os.path.join(folder, split, f"{subject}_{split}.csv"), encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def lines(text, row):
    return text + "".join(f"\n{letter}. {choice}" for letter, choice in zip(LETTERS, row[1:5])) + "\nAnswer:"


def asked(protocol, row):
    if protocol == "choice":
        return lines(row[0], row)
    if protocol == "loglikelihood":
        return lines(row[0].strip(), row)
    return lines("Question: " + row[0], row)


def prompt(protocol, subject, examples, row):
    words = subject.replace("_", " ")
    header = {
        "choice": f"The following are multiple choice questions (with answers) about  {words}.\n\n",
        "loglikelihood": f"The following are multiple choice questions (with answers) about {words}.\n\n",
        "generated": "",
    }[protocol]
    return header + "".join(f"{asked(protocol, example)} {example[5]}\n\n" for example in examples) + asked(protocol, row)


class Cached:
    """A model that keeps the keys and values of the prompt before."""

    def __init__(self, model):
        self.model, self.ids, self.cache = model, [], DynamicCache(config=model.config)

    def logits(self, ids):
        """The logits behind the last token."""
        shared = 0
        while shared < min(len(ids) - 1, len(self.ids)) and ids[shared] == self.ids[shared]:
            shared += 1
        if shared < len(self.ids):
            # A negative number removes that many tokens.
            self.cache.crop(shared - len(self.ids))
        with torch.no_grad():
            found = self.model(torch.tensor([ids[shared:]]), past_key_values=self.cache, logits_to_keep=1)
        self.ids = ids
        return found.logits[0, -1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--protocol", default="choice,loglikelihood,generated")
    parser.add_argument("--shots", default="0")
    parser.add_argument("--subjects", default="")
    parser.add_argument("--answers", required=True)
    options = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
    context, cached = model.config.max_position_embeddings, Cached(model)
    names = sorted(name[: -len("_dev.csv")] for name in os.listdir(os.path.join(options.data, "dev")))
    subjects = options.subjects.split(",") if options.subjects else names
    for protocol in options.protocol.split(","):
        for shots in map(int, options.shots.split(",")):
            with open(os.path.join(options.answers, f"{protocol}-{shots}.jsonl"), encoding="utf-8") as file:
                found = {(line["subject"], line["question"]): line for line in map(json.loads, file)}
            same, different, largest = 0, [], 0.0
            for subject in subjects:
                examples = read(options.data, "dev", subject)
                for number, row in enumerate(read(options.data, options.split, subject)):
                    count = shots
                    ids = tokenizer(prompt(protocol, subject, examples[:count], row))["input_ids"]
                    if protocol == "loglikelihood":
                        ids = ids[-context:]
                    while len(ids) > (min(context, 2048) if protocol == "choice" else context):
                        count -= 1
                        ids = tokenizer(prompt(protocol, subject, examples[:count], row))["input_ids"]
                    letters = [
                        tokenizer(prompt(protocol, subject, examples[:count], row) + f" {letter}")["input_ids"][-1]
                        for letter in LETTERS
                    ]
                    logits = cached.logits(ids)
                    scores = logits.log_softmax(-1) if protocol == "loglikelihood" else logits
                    scores = [scores[letter].item() for letter in letters]
                    if protocol == "generated":
                        text = tokenizer.decode([logits.argmax().item()]).strip().upper()
                        answer = text if len(text) == 1 and text in LETTERS else None
                    else:
                        answer = LETTERS[max(range(4), key=lambda at: scores[at])]
                    ours = found[subject, number]
                    largest = max(largest, *(abs(a - b) for a, b in zip(scores, ours["scores"])))
                    if answer == ours["answer"] and ours["right"] == (answer == row[5]):
                        same += 1
                    else:
                        different.append((subject, number, answer, ours["answer"], scores, ours["scores"]))
            print(f"{protocol}, {shots} examples: {same} equal, {len(different)} different, scores differ by {largest:.1e} at most", flush=True)
            for line in different:
                print("  ", *line, flush=True)


if __name__ == "__main__":
    main()
