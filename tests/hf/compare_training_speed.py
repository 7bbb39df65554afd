#!/usr/bin/env python3
"""Trains nanoGPT's CPU recipe with Quern and with eager PyTorch, in one run: a check for development, no part of `bazel test`.

    python3 -m venv VENV && VENV/bin/pip install torch
    bazel build //cli:quern
    VENV/bin/python tests/hf/compare_training_speed.py --quern bazel-bin/cli/quern --text tinyshakespeare.txt [--steps 2000]

Both sides train the model of runs/shakespeare_char.txtpb (characters, 4 layers, 4 heads, 128 wide, context 64, batch 12, no
dropout, f32) on the first nine tenths of the text, on the same number of threads, one after the other, `--rounds` times. The
time of a side is that of its training loop, without evaluations and start-up. At the end each side's loss over the whole rest of
the text is printed, so that a faster side that learns less is seen. Prints a line per round and the ratio of the medians, below 1
where Quern is faster.
"""
import argparse
import json
import math
import pathlib
import statistics
import subprocess
import tempfile
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

LAYERS, HEADS, WIDTH, CONTEXT, BATCH = 4, 4, 128, 64, 12


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_1 = nn.LayerNorm(WIDTH, bias=False)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.norm_2 = nn.LayerNorm(WIDTH, bias=False)
        self.up = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.down = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (y.view(b, t, HEADS, c // HEADS).transpose(1, 2) for y in self.qkv(self.norm_1(x)).split(c, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.norm_2(x))))


class Model(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, WIDTH)
        self.positions = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                residual = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * LAYERS) if residual else 0.02)

    def forward(self, inputs, targets):
        x = self.tokens(inputs) + self.positions.weight[: inputs.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.tokens.weight)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))


def learning_rate(step, steps):
    if step < 100:
        return 1e-3 * (step + 1) / 100
    return 1e-4 + 0.5 * (1 + math.cos(math.pi * (step - 100) / max(1, steps - 100))) * 9e-4


def train_pytorch(train, validation, vocabulary, steps, seed):
    torch.manual_seed(seed)
    model = Model(vocabulary)
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))
    begin = time.perf_counter()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        at = torch.randint(len(train) - CONTEXT, (BATCH,))
        loss = model(torch.stack([train[i : i + CONTEXT] for i in at]), torch.stack([train[i + 1 : i + 1 + CONTEXT] for i in at]))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    seconds = time.perf_counter() - begin
    windows = (len(validation) - 1) // CONTEXT
    inputs = validation[: windows * CONTEXT].view(windows, CONTEXT)
    targets = validation[1 : windows * CONTEXT + 1].view(windows, CONTEXT)
    with torch.no_grad():
        sums = [model(a, b).item() * len(a) for a, b in zip(inputs.split(64), targets.split(64))]
    return seconds, sum(sums) / windows


def train_quern(quern, train_file, validation_file, folder, steps, threads, seed):
    config = pathlib.Path(__file__).parents[2] / "runs/shakespeare_char.txtpb"
    flags = ["--eval_steps", "0", "--save_steps", "0", "--max_steps", str(steps), "--threads", str(threads), "--seed", str(seed)]
    done = subprocess.run(
        [quern, "train", "--json", "--quiet", "--config", config, "--train_file", train_file, "--validation_file", validation_file]
        + ["--output_dir", folder] + flags, check=True, capture_output=True, text=True)
    result = json.loads(done.stdout)
    return result["tokens"] / result["tokens_per_second"], result["best_eval_loss"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quern", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    text = pathlib.Path(args.text).read_text()
    symbols = {c: i for i, c in enumerate(sorted(set(text)))}
    ids = torch.tensor([symbols[c] for c in text])
    cut = len(text) * 9 // 10
    times = {"quern": [], "pytorch": []}
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder) / "train.txt", pathlib.Path(folder) / "validation.txt"]
        files[0].write_text(text[:cut])
        files[1].write_text(text[cut:])
        for number in range(args.rounds):
            seconds, loss = train_quern(args.quern, *files, f"{folder}/{number}", args.steps, args.threads, number)
            times["quern"].append(seconds)
            other, other_loss = train_pytorch(ids[:cut], ids[cut:], len(symbols), args.steps, number)
            times["pytorch"].append(other)
            print(f"round {number}: quern {seconds:.1f} s, loss {loss:.4f}; pytorch {torch.__version__} {other:.1f} s, loss {other_loss:.4f}; "
                  f"ratio {seconds / other:.3f}", flush=True)
    print(f"ratio of medians: {statistics.median(times['quern']) / statistics.median(times['pytorch']):.3f}")


if __name__ == "__main__":
    main()
