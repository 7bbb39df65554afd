#!/usr/bin/env python3
"""How well a llama2.c checkpoint predicts a text, worked out in f64 with NumPy alone, and held against Quern.

A check for development, no part of `bazel test` (tests/stories_test.cc holds golden numbers that this prints):

    python3 -m venv VENV && VENV/bin/pip install numpy
    VENV/bin/python tests/numpy/llama_score.py --checkpoint stories260K.bin --tokenizer tok512.bin --text_file valid.txt

Nothing of Quern is used: the checkpoint, the tokenizer file, the encoding and the forward pass are read and written here
from llama2.c's description of them. The text is BOS and its tokens; the model reads [0, context), [context, 2 context), ...
and is asked for the token after each that it has read, so that every token but BOS is asked for once (`quern eval --mode
token`, `quern score --text_file`). Bits per byte are all log-probabilities over the bytes of the file, in bits.

    --bytes N       only the first N bytes of the text (cut where a character ends)
    --quern BINARY --model_name FOLDER   runs `quern score` and `quern eval` of the converted model on the same text, too;
                    exit status 1 where ids differ or bits per byte are more than 1e-5 apart
"""
import argparse
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

import numpy as np

BOS = 1
FIRST_BYTE = 3
TOLERANCE = 1e-5


class Checkpoint:
    """Version 0: seven i32, then f32 tensors one after another."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        dim, hidden, layers, heads, kv_heads, vocab, context = struct.unpack_from("<7i", data)
        shared, vocab = vocab > 0, abs(vocab)
        head, kv = dim // heads, dim // heads * kv_heads
        floats = np.frombuffer(data, "<f4", offset=28).astype(np.float64)
        at = 0

        def take(*shape):
            nonlocal at
            count = math.prod(shape)
            at += count
            return floats[at - count:at].reshape(shape)

        self.context, self.heads, self.kv_heads, self.head, self.layers = context, heads, kv_heads, head, layers
        self.table = take(vocab, dim)
        self.attention_gain = take(layers, dim)
        self.wq, self.wk, self.wv = take(layers, dim, dim), take(layers, kv, dim), take(layers, kv, dim)
        self.wo = take(layers, dim, dim)
        self.mlp_gain = take(layers, dim)
        self.w1, self.w2, self.w3 = take(layers, hidden, dim), take(layers, dim, hidden), take(layers, hidden, dim)
        self.final_gain = take(dim)
        take(2, context, head // 2)  # cosines and sines, not used
        self.classifier = self.table if shared else take(vocab, dim)
        assert at == len(floats), (at, len(floats))

    def logits(self, tokens):
        """tokens: [B, T] -> [B, T, V]."""
        x = self.table[tokens]
        turn = self.rotation(tokens.shape[1])
        for layer in range(self.layers):
            x = x + self.attend(rms_norm(x, self.attention_gain[layer]), layer, turn)
            h = rms_norm(x, self.mlp_gain[layer])
            gate = h @ self.w1[layer].T
            x = x + (gate / (1 + np.exp(-gate)) * (h @ self.w3[layer].T)) @ self.w2[layer].T
        return rms_norm(x, self.final_gain) @ self.classifier.T

    def rotation(self, length):
        """e^(i t theta_j), [T, head / 2]: pair j turns by t * 10000^(-2j / head) at position t."""
        frequencies = 10000.0 ** (-2.0 * np.arange(self.head // 2) / self.head)
        return np.exp(1j * np.outer(np.arange(length), frequencies))

    def attend(self, x, layer, turn):
        batch, length, _ = x.shape

        def heads(weight, count, rotary):
            y = (x @ weight.T).reshape(batch, length, count, self.head)
            if rotary:  # pairs are neighbours
                pairs = (y[..., 0::2] + 1j * y[..., 1::2]) * turn[None, :, None, :]
                y = np.stack([pairs.real, pairs.imag], axis=-1).reshape(y.shape)
            return np.repeat(y, self.heads // count, axis=2).transpose(0, 2, 1, 3)

        q, k = heads(self.wq[layer], self.heads, True), heads(self.wk[layer], self.kv_heads, True)
        v = heads(self.wv[layer], self.kv_heads, False)
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(self.head)
        scores = np.where(np.tril(np.ones((length, length), bool)), scores, -np.inf)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return (weights @ v).transpose(0, 2, 1, 3).reshape(batch, length, -1) @ self.wo[layer].T


def rms_norm(x, gain):
    return gain * (x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-5))


class Tokenizer:
    """i32 greatest length, then for each token f32 score, i32 length, bytes."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        self.scores, self.ids, at = [], {}, 4
        while at < len(data):
            score, size = struct.unpack_from("<fi", data, at)
            self.ids[data[at + 8:at + 8 + size]] = len(self.scores)
            self.scores.append(score)
            at += 8 + size
        self.pieces = list(self.ids)
        # A word with the spaces before it can be encoded by itself where no token has a space behind something else.
        self.by_word = not any(b" " in piece.lstrip(b" ") for piece in self.pieces)
        self.words = {}

    def merge(self, text):
        """Greedily, the pair with the best score first, of equal ones the leftmost."""
        ids = []
        for character in text.decode():
            character = character.encode()
            ids += [self.ids[character]] if character in self.ids else [FIRST_BYTE + byte for byte in character]
        while True:
            best, where = -1e10, None
            for i in range(len(ids) - 1):
                merged = self.ids.get(self.pieces[ids[i]] + self.pieces[ids[i + 1]])
                if merged is not None and self.scores[merged] > best:
                    best, where, token = self.scores[merged], i, merged
            if where is None:
                return ids
            ids[where:where + 2] = [token]

    def encode(self, text):
        text = b" " + text
        if not self.by_word:
            return self.merge(text)
        ids, at = [], 0
        while at < len(text):
            end = at
            while end < len(text) and text[end] == 32:
                end += 1
            end = text.find(b" ", end)
            end = len(text) if end < 0 else end
            word = text[at:end]
            if word not in self.words:
                self.words[word] = self.merge(word)
            ids += self.words[word]
            at = end
        return ids


def score(model, ids, context, batch=4):
    """log p of ids[1:], each in its window."""
    logprobs = []
    starts = list(range(0, len(ids) - 1, context))
    for first in range(0, len(starts), batch):
        group = starts[first:first + batch]
        whole = [start for start in group if start + context < len(ids)]
        for windows in ([whole] if whole else []) + [[start] for start in group if start not in whole]:
            ends = [min(start + context, len(ids) - 1) for start in windows]
            logits = model.logits(np.array([ids[a:b] for a, b in zip(windows, ends)]))
            targets = np.array([ids[a + 1:b + 1] for a, b in zip(windows, ends)])
            top = logits.max(axis=-1, keepdims=True)
            total = (top + np.log(np.exp(logits - top).sum(axis=-1, keepdims=True)))[..., 0]
            logprobs.extend((np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0] - total).ravel())
        if sys.stderr.isatty():
            print(f"\r{len(logprobs):,} of {len(ids) - 1:,} tokens", end="", file=sys.stderr, flush=True)
    return np.array(logprobs)


def against_quern(args, text, ids, logprobs):
    with tempfile.TemporaryDirectory() as scratch:
        part, report = os.path.join(scratch, "part.txt"), os.path.join(scratch, "report.json")
        with open(part, "wb") as file:
            file.write(text)
        model = ["--model_name", args.model_name, "--quiet"]
        rows = subprocess.run([args.quern, "score", "--text_file", part] + model, check=True, capture_output=True).stdout
        subprocess.run([args.quern, "eval", "--test_file", part, "--output_file", report] + model, check=True,
                       capture_output=True)
        with open(report) as file:
            evaluated = json.load(file)["metrics"]["bits_per_byte"]
    row = json.loads(rows)
    ours = np.array(row["logprobs"][1:])
    expected = -logprobs.sum() / len(text) / math.log(2)
    scored = -row["sum_logprob"] / row["bytes"] / math.log(2)
    print(f"quern score   {scored:.9f} bits per byte, {scored - expected:+.1e}; "
          f"a token differs by {np.abs(ours - logprobs).max():.1e} nats at most")
    print(f"quern eval    {evaluated:.9f} bits per byte, {evaluated - expected:+.1e}")
    return row["ids"] == ids and max(abs(scored - expected), abs(evaluated - expected)) <= TOLERANCE


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--text_file", required=True)
    parser.add_argument("--bytes", type=int)
    parser.add_argument("--quern")
    parser.add_argument("--model_name")
    args = parser.parse_args()
    with open(args.text_file, "rb") as file:
        text = file.read()
    if args.bytes is not None:
        text = text[:args.bytes].decode(errors="ignore").encode()
    model = Checkpoint(args.checkpoint)
    ids = [BOS] + Tokenizer(args.tokenizer).encode(text)
    logprobs = score(model, ids, model.context)
    print(f"tokens        {len(logprobs)}")
    print(f"bytes         {len(text)}")
    print(f"sum_logprob   {logprobs.sum():.9f}")
    print(f"bits_per_byte {-logprobs.sum() / len(text) / math.log(2):.9f}")
    if args.quern and not against_quern(args, text, ids, logprobs):
        print("DIFFERS")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
