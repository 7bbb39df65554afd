#!/usr/bin/env python3
"""Makes the files that //tests:goldens_test holds Quern against, by PyTorch and Hugging Face transformers.

    python3 -m venv VENV && VENV/bin/pip install torch transformers safetensors numpy
    VENV/bin/python tests/goldens/make_goldens.py

Needed only to make them anew: the files stand beside this script. Each folder here is a model in Hugging Face layout, with
random weights (bf16, so that the file is small and says exactly what the weights are) and a golden.safetensors:

  gpt2, llama            one batch: `inputs`, `targets` i32 [B,T]; `logits` f32 [B,T,V]; `grad.NAME` f32, the gradient of the mean
                         cross-entropy over all tokens by each weight; `loss` f64
  gpt2_adamw, llama_adamw ten steps: `inputs`, `targets` i32 [10,M,B,T], M micro-batches to a step; `learning_rate`, `grad_norm` (before
                         clipping) and `loss` f64 [10]; `after.NAME` f32 [10,...], each weight after each step

The models are GPT2LMHeadModel and LlamaForCausalLM in f32 on one thread, with eager attention and without dropout; the optimizer is
torch.optim.AdamW (foreach and fused off) after torch.nn.utils.clip_grad_norm_; matrices and tables decay, gains and biases do not. The
same is computed in f64, and printed is how far PyTorch's f32 is from that: no more can be asked of another f32.

Sizes are odd on purpose: 13 tokens of 61, heads of 6 and 7 channels, widths that are no multiple of 8, six heads that share two of keys. Gains and biases are
random too, since a bias of 0 and a gain of 1 hide mistakes.

gpt2_adamw uses an epsilon of 1e-4. The biases of keys have no gradient in exact arithmetic (softmax does not see a shift that all
scores share), so theirs is rounding noise of about 1e-9, which AdamW with an epsilon of 1e-8 would blow up to steps of full length,
different in every program. Llama has no such bias and uses 1e-8.
"""
import json
import math
import os
import shutil

import numpy as np
import torch
from safetensors.torch import save_file
import transformers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS = 10

NO_IDS = dict(bos_token_id=None, eos_token_id=None, pad_token_id=None)
GPT2 = dict(n_layer=2, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, attn_implementation="eager", **NO_IDS)
LLAMA = dict(num_hidden_layers=2, attn_implementation="eager", **NO_IDS)

MODELS = {
    "gpt2": (GPT2LMHeadModel, GPT2Config(vocab_size=61, n_positions=17, n_embd=21, n_head=3, n_inner=37, **GPT2)),
    "llama": (LlamaForCausalLM, LlamaConfig(vocab_size=61, max_position_embeddings=17, hidden_size=24, intermediate_size=29, head_dim=6,
                                            num_attention_heads=6, num_key_value_heads=2, **LLAMA)),
    "gpt2_adamw": (GPT2LMHeadModel, GPT2Config(vocab_size=31, n_positions=11, n_embd=8, n_head=2, n_inner=11, **GPT2)),
    "llama_adamw": (LlamaForCausalLM, LlamaConfig(vocab_size=31, max_position_embeddings=11, hidden_size=8, intermediate_size=11,
                                                  head_dim=4, num_attention_heads=4, num_key_value_heads=2, **LLAMA)),
}
# What the two AdamW runs differ in; goldens_test.cc has the same table.
ADAMW = {
    "gpt2_adamw": dict(betas=(0.9, 0.95), eps=1e-4, weight_decay=0.1, max_grad_norm=0.9, micro_batches=2),
    "llama_adamw": dict(betas=(0.9, 0.99), eps=1e-8, weight_decay=0.05, max_grad_norm=1.0, micro_batches=3),
}


def make_model(kind, config, seed):
    """In f32, of weights that bf16 holds exactly: wide enough that logits differ well and attention is not flat."""
    model = kind(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            center = 1.0 if parameter.dim() == 1 and float(parameter.mean()) == 1.0 else 0.0
            parameter.copy_((center + 0.25 * noise).to(torch.bfloat16).float())
    return model


def save_model(model, folder):
    shutil.rmtree(folder, ignore_errors=True)
    in_bf16 = type(model)(model.config).to(torch.bfloat16)
    in_bf16.load_state_dict(model.state_dict())
    in_bf16.save_pretrained(folder)
    path = os.path.join(folder, "config.json")
    with open(path) as file:
        config = json.load(file)
    config.pop("transformers_version", None)
    with open(path, "w") as file:
        json.dump(config, file, indent=1, sort_keys=True)
        file.write("\n")
    os.remove(os.path.join(folder, "generation_config.json"))


def token_batches(vocab, shape, seed):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, vocab, shape[:-1] + (shape[-1] + 1,), generator=generator)
    return ids[..., :-1].contiguous(), ids[..., 1:].contiguous()


def loss_of(model, inputs, targets):
    logits = model(inputs).logits
    return logits, torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))


def one_batch(model, inputs, targets):
    logits, loss = loss_of(model, inputs, targets)
    loss.backward()
    golden = {"logits": logits.detach(), "loss": loss.detach()}
    golden.update({"grad." + name: parameter.grad for name, parameter in model.named_parameters()})
    return golden


def learning_rate(step, peak=3e-3, least=3e-4, warmup=3):
    """Of step 1, 2, ...: linear up to `peak` in the step after the warm-up, then half a cosine down to `least` in the last."""
    if step <= warmup:
        return peak * step / (warmup + 1)
    return least + (peak - least) * 0.5 * (1 + math.cos(math.pi * (step - warmup - 1) / (STEPS - warmup - 1)))


def ten_steps(model, inputs, targets, settings):
    decaying = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [dict(params=decaying, weight_decay=settings["weight_decay"]), dict(params=others, weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, lr=0.0, betas=settings["betas"], eps=settings["eps"], foreach=False, fused=False)
    golden = {"learning_rate": [], "grad_norm": [], "loss": []}
    after = {name: [] for name, _ in model.named_parameters()}
    for step in range(1, STEPS + 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.zero_grad()
        total = 0.0
        for micro in range(inputs.shape[1]):
            loss = loss_of(model, inputs[step - 1, micro], targets[step - 1, micro])[1] / inputs.shape[1]
            loss.backward()
            total += float(loss.detach())
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings["max_grad_norm"])
        optimizer.step()
        golden["learning_rate"].append(learning_rate(step))
        golden["grad_norm"].append(float(norm))
        golden["loss"].append(total)
        for name, parameter in model.named_parameters():
            after[name].append(parameter.detach().clone())
    golden = {name: torch.tensor(values, dtype=torch.float64) for name, values in golden.items()}
    golden.update({"after." + name: torch.stack(values) for name, values in after.items()})
    return golden


def distance(a, b, absolute):
    a, b = a.double(), b.double()
    return float((a - b).abs().max()) if absolute else float((a - b).abs().max() / b.abs().max())


def make(name, seed):
    kind, config = MODELS[name]
    folder = os.path.join(HERE, name)
    settings = ADAMW.get(name)
    shape = (STEPS, settings["micro_batches"], 2, 9) if settings else (3, 13)
    inputs, targets = token_batches(config.vocab_size, shape, seed + 1)
    results = []
    for dtype in (torch.float32, torch.float64):
        model = make_model(kind, config, seed)
        if dtype == torch.float32:
            save_model(model, folder)
        model.to(dtype)
        # Llama's frequencies are a buffer in f32 also in f64: computed anew, so that f64 is f64.
        if dtype == torch.float64 and hasattr(config, "rope_parameters") and hasattr(model, "model"):
            half = torch.arange(0, config.head_dim, 2, dtype=torch.float64) / config.head_dim
            model.model.rotary_emb.inv_freq = 1.0 / (config.rope_parameters["rope_theta"]**half)
        results.append(ten_steps(model, inputs, targets, settings) if settings else one_batch(model, inputs, targets))
    golden, exact = results
    golden["loss"] = golden["loss"].double()
    worst = {}
    for key in golden:
        group = key.split(".")[0]
        worst[group] = max(worst.get(group, 0.0), distance(golden[key], exact[key], absolute=group == "after"))
    tensors = {key: value.contiguous() for key, value in golden.items()}
    tensors["inputs"], tensors["targets"] = inputs.to(torch.int32), targets.to(torch.int32)
    metadata = {"torch": torch.__version__}
    save_file(tensors, os.path.join(folder, "golden.safetensors"), metadata=metadata)
    count = sum(p.numel() for p in model.parameters())
    size = sum(os.path.getsize(os.path.join(folder, file)) for file in os.listdir(folder))
    print(f"{name}: {count} weights, {size} bytes; PyTorch's f32 from f64: " + ", ".join(f"{k} {v:.1e}" for k, v in sorted(worst.items())))
    if settings:
        clipped = [norm > settings["max_grad_norm"] for norm in golden["grad_norm"].tolist()]
        print(f"  gradient norms {np.round(golden['grad_norm'].numpy(), 3).tolist()}, {sum(clipped)} of {STEPS} clipped")
        assert 2 <= sum(clipped) <= STEPS - 2, "some steps are to be clipped, some are not"


def main():
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for seed, name in enumerate(MODELS):
        make(name, 100 * seed + 7)


if __name__ == "__main__":
    main()
