"""The counterpart of `asym evaluate summarization`: PyTorch and transformers summarize the same documents in the same batches.

    pip install torch==2.15.0 transformers==5.24.0
    asym evaluate summarization --model MODEL --data documents.jsonl --task xsum --output answers --batch-size 4 task.num_beams=4
    python benches/peers/summarize.py --model MODEL --data documents.jsonl --answers answers --batch-size 4 --beams 4

It prints the time for the summaries, and the number of summaries that have the same text and the same number of tokens as in
`answers/summaries.jsonl`. The summaries that differ are printed. With --random-base, it only writes a BART with the shape of
bart-base and random weights to MODEL, with the tokenizer of --tokenizer.
"""

import argparse
import json
import os
import time

import torch
from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast, RobertaTokenizerFast


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", help="a JSON Lines file")
    parser.add_argument("--text", default="document", help="the key of the documents")
    parser.add_argument("--source-length", type=int, default=768)
    parser.add_argument("--target-length", type=int, default=64)
    parser.add_argument("--beams", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--rows", type=int, help="use only this number of rows from the beginning")
    parser.add_argument("--answers", help="the output folder of asym")
    parser.add_argument("--random-base", action="store_true")
    parser.add_argument("--tokenizer", help="a folder with vocab.json and merges.txt, for --random-base")
    options = parser.parse_args()
    if options.random_base:
        files = [os.path.join(options.tokenizer, name) for name in ("vocab.json", "merges.txt")]
        tokenizer = RobertaTokenizerFast(*files)
        torch.manual_seed(0)
        config = BartConfig(
            vocab_size=len(tokenizer), d_model=768, encoder_layers=6, decoder_layers=6, encoder_attention_heads=12,
            decoder_attention_heads=12, encoder_ffn_dim=3072, decoder_ffn_dim=3072, init_std=0.05, forced_bos_token_id=0,
            no_repeat_ngram_size=3, early_stopping=True,
        )
        BartForConditionalGeneration(config).save_pretrained(options.model)
        tokenizer.save_pretrained(options.model)
        return
    # tokenizer.json is used unchanged. A tokenizer class would apply its own default for the space before the first word.
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=os.path.join(options.model, "tokenizer.json"), pad_token="<pad>")
    model = BartForConditionalGeneration.from_pretrained(options.model, attn_implementation="sdpa", dtype=torch.float32).eval()
    with open(options.data, encoding="utf-8") as file:
        texts = [json.loads(line)[options.text] for line in file][: options.rows]
    sources = [tokenizer(text, truncation=True, max_length=options.source_length).input_ids for text in texts]
    # The longest documents come first, as in asym, so that a batch has little padding.
    order = sorted(range(len(sources)), key=lambda row: -len(sources[row]))
    found, started = {}, time.time()
    for first in range(0, len(order), options.batch_size):
        rows = order[first : first + options.batch_size]
        batch = tokenizer.pad({"input_ids": [sources[row] for row in rows]}, return_tensors="pt")
        batch = {name: batch[name] for name in ("input_ids", "attention_mask")}
        with torch.no_grad():
            ids = model.generate(**batch, num_beams=options.beams, max_length=options.target_length)
        for row, summary in zip(rows, ids.tolist()):
            # Without the padding after the end token, and without the decoder's start token.
            end = next((at + 1 for at, token in enumerate(summary[1:], 1) if token == model.config.eos_token_id), len(summary))
            found[row] = summary[1:end]
        print(f"{len(found)} of {len(order)} documents in {time.time() - started:.1f} s", end="\r", flush=True)
    seconds, tokens = time.time() - started, sum(map(len, found.values()))
    print(f"{len(found)} summaries of {tokens} tokens in {seconds:.1f} s: {tokens / seconds:.1f} tokens/s")
    if options.answers:
        with open(os.path.join(options.answers, "summaries.jsonl"), encoding="utf-8") as file:
            own = {answer["row"]: answer for answer in map(json.loads, file)}
        text = {row: tokenizer.decode(ids, skip_special_tokens=True) for row, ids in found.items()}
        equal = [row for row in found if (text[row], len(found[row])) == (own[row]["prediction"], own[row]["tokens"])]
        print(f"{len(equal)} of {len(found)} summaries are equal")
        for row in sorted(set(found) - set(equal)):
            print(f"row {row}:\n  asym  {own[row]['tokens']} tokens: {own[row]['prediction']!r}")
            print(f"  peer  {len(found[row])} tokens: {text[row]!r}")


if __name__ == "__main__":
    main()
