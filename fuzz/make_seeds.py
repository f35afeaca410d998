"""Copies files of the repository as seeds into fuzz/corpus, with a folder for each target.

    python3 fuzz/make_seeds.py

Only the standard library is needed. Existing files are kept.
"""

import gzip
import json
from pathlib import Path

FUZZ = Path(__file__).resolve().parent
ROOT = FUZZ.parent
FIXTURES = ROOT / "tests/fixtures"
# Larger seeds make each execution slow.
LARGEST = 100_000
PICTURES = {".jpg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}

# The columns that the target reads.
ROWS = [("a \"b\" c", "d", 1), ("e, f", "g\nh", 0), ("", "\u00e9 \U0001f600", 1)]
TABLES = {
    "lines.tsv": "sentence1\tsentence2\tlabel\na \"b\" c\td\t1\r\n\te f\t0\n\n",
    "quoted.tsv": 'sentence1\tsentence2\tlabel\n"a ""b"" c"\td\t1\n',
    "commas.csv": 'sentence1,sentence2,label\n"a ""b"", c",d,1\ne,"f\ng",0\n',
    "semicolons.csv": "\ufeffsentence1;sentence2;label\r\n1,5;b;1\r\n",
    "lines.jsonl": "".join(
        json.dumps({"sentence1": first, "sentence2": second, "label": label}) + "\n" for first, second, label in ROWS
    ),
    "array.json": json.dumps(
        [
            {"sentence1": ["a", 2.5], "sentence2": {"b": None}, "label": True},
            {"sentence1": [], "sentence2": {}, "label": False},
        ]
    ),
}
TEMPLATES = [
    "Q: {{ q }}{% if more %} ({{ more }}){% endif %}\nA:\n",
    "{%- for m in messages -%}{% generation %}{{ bos_token }}{{ m.content|trim }}{% endgeneration %}{% endfor %}",
    "{% set ns = namespace(n=0) %}{% macro f(x) %}{{ x.strip().upper() }}{% endmacro %}{{ f(q) }}{{ strftime_now('%Y') }}",
]

# Kinds of tokenizers that the fixtures do not have. Each has a normalizer, a pre-tokenizer, a model, a post-processor and a
# decoder.
WORDS = {"<s>": 0, "</s>": 1, "<unk>": 2, "the": 3, "cat": 4, "##s": 5, "a": 6, "\u2581the": 7}
FLAGS = {"single_word": False, "lstrip": False, "rstrip": True, "normalized": False, "special": True}
ADDED = [{"id": at, "content": token, **FLAGS} for at, token in enumerate(["<s>", "</s>", "<unk>"])]
START = {"SpecialToken": {"id": "<s>", "type_id": 0}}
FIRST, SECOND = ({"Sequence": {"id": name, "type_id": at}} for at, name in enumerate("AB"))
TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [START, FIRST],
    "pair": [START, FIRST, SECOND],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}},
}
METASPACE = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
TOKENIZERS = {
    "piece": (
        {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "lowercase": True},
        {"type": "BertPreTokenizer"},
        {
            "type": "WordPiece",
            "unk_token": "<unk>",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 9,
            "vocab": WORDS,
        },
        {"type": "BertProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0]},
        {"type": "WordPiece", "prefix": "##", "cleanup": True},
    ),
    "unigram": (
        {"type": "Precompiled", "precompiled_charsmap": "CAAAAP////8A/P//YQA="},
        METASPACE,
        {
            "type": "Unigram",
            "unk_id": 2,
            "vocab": [[word, -1.5 * at] for word, at in WORDS.items()],
            "byte_fallback": False,
        },
        TEMPLATE,
        METASPACE,
    ),
    "level": (
        {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFD"},
                {"type": "StripAccents"},
                {"type": "Replace", "pattern": {"Regex": "a+"}, "content": "b"},
            ],
        },
        {
            "type": "Split",
            "pattern": {"Regex": "\\s+(?!\\S)|\\p{L}+"},
            "behavior": "Isolated",
            "invert": False,
        },
        {"type": "WordLevel", "vocab": WORDS, "unk_token": "<unk>"},
        TEMPLATE,
        None,
    ),
    "pairs": (
        {"type": "Prepend", "prepend": "\u2581"},
        {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Digits", "individual_digits": True},
                {"type": "Punctuation", "behavior": "MergedWithNext"},
            ],
        },
        {
            "type": "BPE",
            "vocab": {**WORDS, "b": 8, "ab": 9},
            "merges": [["a", "b"]],
            "byte_fallback": True,
            "unk_token": "<unk>",
        },
        TEMPLATE,
        {
            "type": "Sequence",
            "decoders": [
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
    ),
}
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "t", "h", "e", "th", "the", "\u0120"]
VOCABULARY = json.dumps({piece: at for at, piece in enumerate(PIECES)})


def tokenizer(normalizer, pre_tokenizer, model, post_processor, decoder):
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": ADDED,
            "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer,
            "post_processor": post_processor,
            "decoder": decoder,
            "model": model,
        }
    )


def write(target, name, data):
    folder = FUZZ / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    if len(data) <= LARGEST and not (folder / name).exists():
        (folder / name).write_bytes(data)


def copy(target, paths):
    for path in paths:
        name = "-".join(path.relative_to(ROOT).parts[-3:])
        write(target, name, path.read_bytes())


def adapters():
    for config in sorted(FIXTURES.rglob("adapter_config.json")):
        weights = config.with_name("adapter_model.safetensors")
        if weights.exists():
            name = "-".join(config.parent.relative_to(FIXTURES).parts)
            write("adapter", name, config.read_bytes() + b"\0" + weights.read_bytes())


def fields(message):
    """The fields of a protocol buffer, all of which are messages themselves."""
    at = 0
    while at < len(message):
        length, end, shift = 0, at + 1, 0
        while True:
            byte = message[end]
            length |= (byte & 127) << shift
            end, shift = end + 1, shift + 7
            if byte < 128:
                break
        yield message[at:end + length]
        at = end + length


def main():
    adapters()
    pictures = sorted((FIXTURES / "images").rglob("*"))
    copy("image", (path for path in pictures if path.suffix in PICTURES))
    copy("safetensors", sorted(FIXTURES.rglob("*.safetensors")))
    copy("tokenizer", sorted(FIXTURES.rglob("tokenizer.json")))
    for name, parts in TOKENIZERS.items():
        write("tokenizer", f"{name}.json", tokenizer(*parts).encode())
    piece = FIXTURES / "sentencepiece"
    model = (piece / "tokenizer.model").read_bytes()
    write("sentencepiece", "fixture", (piece / "tokenizer_config.json").read_bytes() + b"\0" + model)
    # A model with few pieces, in which most bytes have an effect.
    pieces = list(fields(model))
    others = [field for field in pieces if field[0] != pieces[0][0]]
    write("sentencepiece", "small", b"{}\0" + b"".join(pieces[:12] + others))
    write("vocabulary", "pairs", VOCABULARY.encode() + b"\0" + b"#version: 0.2\nt h\nth e\n")
    write("vocabulary", "words", "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "##s"]).encode())
    names = ("config.json", "generation_config.json", "preprocessor_config.json")
    copy("config", sorted(path for name in names for path in FIXTURES.rglob(name)))
    copy("table", sorted((ROOT / "crates/asym-data/tests/fixtures").glob("*.parquet")))
    for name, text in TABLES.items():
        write("table", name, text.encode())
        write("table", f"{name}.gz", gzip.compress(text.encode(), mtime=0))
    templates = [case["template"] for case in json.loads((FIXTURES / "chat/templates.json").read_text())]
    for at, template in enumerate(templates + TEMPLATES):
        write("template", f"{at}.jinja", template.encode())


main()
