#!/usr/bin/env python3
"""Puts quern's tokenizer beside Hugging Face's `tokenizers` and OpenAI's `tiktoken`: seconds of one processor, in one run.

A development check: not part of `bazel test`, because it needs packages from PyPI.

    VENV/bin/pip install tokenizers tiktoken
    bazel build //data/tokenizer:tokenizer_benchmark
    VENV/bin/python tests/hf/compare_tokenizer_speed.py --benchmark bazel-bin/data/tokenizer/tokenizer_benchmark \\
        --fixtures "$QUERN_FIXTURES" --text FILE

Prints a line for each case: rates in MB/s, and how many times faster quern is.
"""
import argparse
import json
import os
import pathlib
import subprocess
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import tiktoken  # noqa: E402
import tiktoken.load  # noqa: E402
import tokenizers  # noqa: E402
from compare_tokenizer import CL100K, GPT2, LLAMA3  # noqa: E402

CHUNK = 10_000  # characters a call: what `tokenizers` is fastest with


def quern(benchmark, *args):
    out = subprocess.run([benchmark, *map(str, args)], check=True, capture_output=True, text=True).stdout
    return {line["case"]: line["bytes_per_second"] for line in map(json.loads, out.splitlines())}


def rate(size, work, rounds=3):
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return size / best


def report(case, ours, theirs, name):
    print(f"{case:24} quern {ours / 1e6:7.1f} MB/s   {name} {theirs / 1e6:6.1f} MB/s   {ours / theirs:6.1f} times", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmark", required=True)
    parser.add_argument("--fixtures", required=True, type=pathlib.Path)
    parser.add_argument("--text", required=True, type=pathlib.Path)
    args = parser.parse_args()
    text = args.text.read_bytes().decode()
    size = args.text.stat().st_size
    chunks = [text[i:i + CHUNK] for i in range(0, len(text), CHUNK)]

    ours = quern(args.benchmark, args.text)
    theirs = tokenizers.ByteLevelBPETokenizer()
    report("train bpe 4096", ours["train bpe 4096"],
           rate(size, lambda: theirs.train([str(args.text)], vocab_size=4096, show_progress=False), 1), "tokenizers")
    report("encode, bpe 4096", ours["encode"], rate(size, lambda: [theirs.encode(c) for c in chunks]), "tokenizers")

    path = args.fixtures / "tokenizer/phi2/tokenizer.json"
    theirs = tokenizers.Tokenizer.from_file(str(path))
    report("encode, phi-2", quern(args.benchmark, args.text, path)["encode"],
           rate(size, lambda: [theirs.encode(c) for c in chunks]), "tokenizers")
    for name, pattern, regex in [("gpt2/r50k_base.tiktoken", "gpt2", GPT2),
                                 ("tiktoken/cl100k_base.tiktoken", "cl100k", CL100K),
                                 ("llama3/tokenizer.model", "llama3", LLAMA3)]:
        path = args.fixtures / "tokenizer" / name
        theirs = tiktoken.Encoding(name, pat_str=regex, mergeable_ranks=tiktoken.load.load_tiktoken_bpe(str(path)),
                                   special_tokens={})
        report(f"encode, {pattern}", quern(args.benchmark, args.text, path, pattern)["encode"],
               rate(size, lambda: theirs.encode_ordinary(text)), "tiktoken  ")


if __name__ == "__main__":
    main()
