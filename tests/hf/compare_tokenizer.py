#!/usr/bin/env python3
"""Compares `quern tokenizer` with Hugging Face's `tokenizers` and OpenAI's `tiktoken`, id by id.

A development check: not part of `bazel test`, because it needs packages from PyPI.

    python3 -m venv VENV && VENV/bin/pip install tokenizers tiktoken
    VENV/bin/python tests/hf/compare_tokenizer.py --quern bazel-bin/cli/quern --fixtures "$QUERN_FIXTURES"

What is compared, over English, Arabic, Chinese, French and Russian text and random Unicode:
  - tokenizer.json files that quern trains (bpe, char, byte), opened by `tokenizers`: ids, and text from ids;
  - tokenizer.json files of others (GPT-NeoX, phi-2, Llama 2), read by both;
  - llama2.c's tokenizer files (tok512.bin, Llama 2's): read by quern, and by `tokenizers` as the tokenizer.json that
    `quern convert` writes for them;
  - tiktoken ranks (r50k, cl100k, Llama 3), read by both, under each split pattern.
Prints a line for each; exit status 1 if any id differs.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

import tiktoken
import tiktoken.load
import tokenizers

CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
          r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s")
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
UPPER, LOWER, CONTRACTION = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = "|".join([rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{CONTRACTION}", rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{CONTRACTION}",
                  r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])


def assigned(rng):
    """Any character of Unicode 14 or before: quern's tables are Unicode 15's, those of others may be newer."""
    while True:
        c = chr(rng.choice([rng.randrange(0x20, 0x3000), rng.randrange(0x4E00, 0x9FA6), rng.randrange(0x10000, 0x1F000)]))
        if unicodedata.category(c) != "Cn":
            return c


def random_texts(count):
    """Characters that split patterns tell apart, and any others."""
    rng = random.Random(1)
    pool = list("abZsT19 \t\n\r'/.!_-") + ["'s", "'LL", "é", "e\u0301", "ſ", "ǅ", "中", "한", "٣", "Ⅷ", "½", "  ",
                                            "\r\n", "\u00a0", "\u3000", "\u0085", "😀", "\u200d", "don't", "2026"]
    texts = []
    for _ in range(count):
        texts.append("".join(rng.choice(pool) for _ in range(rng.randint(1, 40))))
        texts.append("".join(assigned(rng) for _ in range(rng.randint(1, 20))))
    return texts


def chunks(path, lines):
    text = path.read_bytes().decode("utf-8", errors="replace").splitlines(keepends=True)
    return ["".join(text[i:i + lines]) for i in range(0, len(text), lines)]


class Quern:
    def __init__(self, binary):
        self.binary = binary

    def run_verb(self, args, data=b""):
        out = subprocess.run([self.binary, *args], input=data, capture_output=True, check=False)
        if out.returncode != 0:
            sys.exit(f"quern {' '.join(args)}: exit {out.returncode}\n{out.stderr.decode()}")
        return out.stdout

    def run(self, args, lines):
        return self.run_verb(["tokenizer", *args], "".join(json.dumps(line) + "\n" for line in lines).encode())

    def encode(self, path, texts, *flags):
        out = self.run(["encode", "--tokenizer", str(path), "--jsonl", *flags], texts).decode()
        return [json.loads(line) for line in out.splitlines()]

    def decode(self, path, ids):
        return self.run(["decode", "--tokenizer", str(path)], ids).decode()

    def train(self, text, path, kind, vocab=4096):
        self.run(["train", "--input_file", str(text), "--vocab_size", str(vocab), "--output_file", str(path), "--type",
                  kind], [])


def report(name, texts, ours, theirs):
    wrong = [i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b]
    ids = sum(map(len, theirs))
    same = len(ours) == len(theirs) and not wrong
    print(f"{'same' if same else 'DIFFERENT':9}  {name}: {ids} ids of {len(texts)} texts", flush=True)
    for i in wrong[:3]:
        print(f"    {texts[i]!r}\n    quern  {ours[i]}\n    theirs {theirs[i]}")
    return same


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quern", required=True)
    parser.add_argument("--fixtures", required=True, type=pathlib.Path)
    args = parser.parse_args()
    quern, fixtures = Quern(args.quern), args.fixtures

    wikitext = fixtures / "corpora/wikitext-2/valid.txt"
    texts = chunks(wikitext, 7) + random_texts(3000)
    for path in sorted((fixtures / "text").glob("mars_*.utf8.txt")):
        texts += chunks(path, 3)
    ok = True
    with tempfile.TemporaryDirectory() as folder:
        for kind in ["bpe", "char", "byte"]:
            path = pathlib.Path(folder, kind + ".json")
            quern.train(wikitext, path, kind)
            theirs = tokenizers.Tokenizer.from_file(str(path))
            known = chunks(wikitext, 7) if kind == "char" else texts
            ours = quern.encode(path, known)
            ok &= report(f"trained {kind}", known, ours, [theirs.encode(t, add_special_tokens=False).ids for t in known])
            decoded = "".join(theirs.decode_batch(ours, skip_special_tokens=False))
            same = decoded == "".join(known) == quern.decode(path, ours)
            print(f"{'same' if same else 'DIFFERENT':9}  trained {kind}: text from ids")
            ok &= same

    # GPT-NeoX normalises to NFC, and `tokenizers` does so by tables of an older Unicode: only characters of Unicode 3.2.
    old = [t for t in texts if all(unicodedata.ucd_3_2_0.category(c) != "Cn" for c in t)]
    for name, some in [("gptneo", old), ("phi2", texts)]:
        path = fixtures / "tokenizer" / name / "tokenizer.json"
        theirs = tokenizers.Tokenizer.from_file(str(path))
        ok &= report(path.parent.name + "/tokenizer.json", some, quern.encode(path, some),
                     [theirs.encode(t, add_special_tokens=False).ids for t in some])

    # U+2581 is a space in tokenizer.json, and itself to llama2.c.
    special = [t for t in texts if "\u2581" not in t] + [" " * n + "a" + " " * (40 - n) for n in range(40)]
    plain = [t.replace("<unk>", "unk") for t in special]  # special tokens written out are text to quern, but for below
    path = fixtures / "tokenizer/llama2/tokenizer.json"
    llama2 = json.loads(path.read_text())  # with three merges of tokens with plain spaces, which `tokenizers` refuses
    llama2["model"]["merges"] = [merge for merge in llama2["model"]["merges"] if merge.count(" ") == 1]
    theirs = tokenizers.Tokenizer.from_str(json.dumps(llama2))
    expected = [theirs.encode(t, add_special_tokens=False).ids for t in plain]
    ok &= report("llama2/tokenizer.json", plain, quern.encode(path, plain), expected)
    ok &= report("llama2/tokenizer.json, special tokens read", special, quern.encode(path, special, "--parse_special"),
                 [theirs.encode(t, add_special_tokens=False).ids for t in special])
    # This tokenizer.json has lost U+00A0: plain spaces stand in its place.
    known = [i for i, t in enumerate(plain) if "\u00a0" not in t]
    some = [plain[i] for i in known]
    ok &= report("llama2/tokenizer.bin", some, quern.encode(fixtures / "tokenizer/llama2/tokenizer.bin", some),
                 [expected[i] for i in known])
    stories = fixtures / "weights/stories260K.bin"
    with tempfile.TemporaryDirectory() as folder:
        path = fixtures / "weights/tok512.bin"
        quern.run_verb(["convert", "--input", str(stories), "--tokenizer", str(path), "--output", folder + "/model"])
        theirs = tokenizers.Tokenizer.from_file(folder + "/model/tokenizer.json")
        for flag, some in [("--add_special", plain), ("", plain), ("--parse_special", special)]:
            ids = quern.encode(path, some, *flag.split())
            ok &= report(f"tok512.bin converted {flag}", some, ids,
                         [theirs.encode(t, add_special_tokens=flag == "--add_special").ids for t in some])
            decoded = quern.decode(folder + "/model", ids)
            same = decoded == "".join(theirs.decode_batch(ids, skip_special_tokens=False))
            print(f"{'same' if same else 'DIFFERENT':9}  tok512.bin converted: text from ids")
            ok &= same

    for name, pattern, regex in [("gpt2/r50k_base.tiktoken", "gpt2", GPT2),
                                 ("tiktoken/cl100k_base.tiktoken", "cl100k", CL100K),
                                 ("llama3/tokenizer.model", "llama3", LLAMA3),
                                 # Patterns without a vocabulary of their own here.
                                 ("gpt2/r50k_base.tiktoken", "qwen2", QWEN2),
                                 ("gpt2/r50k_base.tiktoken", "o200k", O200K)]:
        path = fixtures / "tokenizer" / name
        theirs = tiktoken.Encoding(name, pat_str=regex, mergeable_ranks=tiktoken.load.load_tiktoken_bpe(str(path)),
                                   special_tokens={})
        ok &= report(f"{name} cut by {pattern}", texts, quern.encode(path, texts, "--pattern", pattern),
                     [theirs.encode(t) for t in texts])
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
