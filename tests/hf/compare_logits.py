#!/usr/bin/env python3
"""Compares Quern's logits with those of Hugging Face transformers: a check for development, no part of `bazel test`.

    python3 -m venv VENV && VENV/bin/pip install torch transformers safetensors numpy
    bazel build //cli:quern
    VENV/bin/python tests/hf/compare_logits.py --quern bazel-bin/cli/quern [FOLDER ...]

FOLDER: model folders that Quern wrote (`quern train --output_dir FOLDER`). Each must open in transformers without missing or
unexpected weights, and give the same logits to 1e-4. The other way round, transformers makes small random models of every
kind that Quern reads (`--no_random` leaves them out), saves them, and Quern must read those folders and give the same logits
on each of its three paths. Prints a line per comparison; exit status 1 when one differs.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, MistralConfig, Qwen2Config

TOLERANCE = 1e-4
PATHS = ("train", "cached", "engine")


def random_configs():
    gpt2 = dict(vocab_size=97, n_positions=256, n_embd=48, n_head=3, n_layer=3, initializer_range=0.25,
                bos_token_id=0, eos_token_id=0)
    llama = dict(vocab_size=97, max_position_embeddings=256, hidden_size=48, intermediate_size=80, num_hidden_layers=2,
                 num_attention_heads=6, num_key_value_heads=2, initializer_range=0.25, bos_token_id=0, eos_token_id=0)
    llama3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
              "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    linear = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}
    return {
        "gpt2": GPT2Config(**gpt2),
        "gpt2 erf, n_inner, untied": GPT2Config(**gpt2, activation_function="gelu", n_inner=80, tie_word_embeddings=False),
        "gpt2 epsilon": GPT2Config(**gpt2, layer_norm_epsilon=0.03),
        "llama": LlamaConfig(**llama),
        "llama tied, biases, head_dim": LlamaConfig(**llama, tie_word_embeddings=True, attention_bias=True, mlp_bias=True,
                                                    head_dim=16),
        "llama 3 rope": LlamaConfig(**llama, rope_parameters=llama3),
        "llama linear rope": LlamaConfig(**llama, rope_parameters=linear),
        "mistral": MistralConfig(**llama, sliding_window=None),
        "qwen2 tied": Qwen2Config(**llama, tie_word_embeddings=True),
    }


def theirs(folder, sequences):
    model, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    model.eval()
    odd = {kind: sorted(names) for kind, names in info.items() if names}
    with torch.no_grad():
        return np.concatenate([model(torch.tensor([ids])).logits[0].numpy() for ids in sequences]), odd


def ours(quern, folder, sequences, path):
    with tempfile.TemporaryDirectory() as scratch:
        ids_file, logits_file = os.path.join(scratch, "ids.jsonl"), os.path.join(scratch, "logits.npy")
        with open(ids_file, "w") as out:
            out.writelines(json.dumps(ids) + "\n" for ids in sequences)
        subprocess.run([quern, "score", "--model_name", folder, "--ids_file", ids_file, "--logits_file", logits_file,
                        "--path", path], check=True, stdout=subprocess.DEVNULL)
        return np.load(logits_file)


def compare(quern, name, folder):
    with open(os.path.join(folder, "config.json")) as file:
        config = json.load(file)
    longest = min(config.get("n_positions") or config["max_position_embeddings"], 200)
    random = np.random.default_rng(1)
    sequences = [random.integers(0, config["vocab_size"], n).tolist() for n in (longest, 1, min(65, longest))]
    expected, odd = theirs(folder, sequences)
    same = not odd
    for path in PATHS:
        worst = float(np.abs(ours(quern, folder, sequences, path) - expected).max())
        same = same and worst <= TOLERANCE
        print(f"{'same' if worst <= TOLERANCE else 'DIFFERS':8}{worst:.2e} of {np.abs(expected).max():.2f}  {path:7} {name}")
    if odd:
        print(f"DIFFERS transformers reports {odd}: {name}")
    return same


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", metavar="FOLDER")
    parser.add_argument("--quern", default="bazel-bin/cli/quern")
    parser.add_argument("--no_random", action="store_true")
    args = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    same = all([compare(args.quern, folder, folder) for folder in args.folders])
    if not args.no_random:
        for name, config in random_configs().items():
            torch.manual_seed(1)
            with tempfile.TemporaryDirectory() as folder:
                model = AutoModelForCausalLM.from_config(config)
                with torch.no_grad():  # so that no bias or gain is at its neutral value
                    for parameter in model.parameters():
                        if parameter.dim() == 1:
                            parameter.add_(0.2 * torch.randn_like(parameter))
                model.save_pretrained(folder)
                same = compare(args.quern, name, folder) and same
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
