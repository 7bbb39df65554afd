"""training_run(): a training run as a Bazel target.

    training_run(
        name = "smoke",
        text = ":smoke_text",         # raw text, one file
        config = "smoke.txtpb",       # what `quern train --config` reads
        tokenizer = "char",           # or a vocabulary size: byte-level BPE
        policy = "smoke_gate.txtpb",  # what `quern gate` checks
    )

`bazel build //runs:smoke` yields `bazel-bin/runs/smoke/`, a model folder with its report, verdict and model card; a FAILED
verdict does not fail the build. `bazel test //runs:smoke_gate` reads the verdict. Equal inputs give equal bits, so Bazel's cache
holds for training: the action graph is the lineage, and a changed learning rate rebuilds only what comes after it. Threads and
instruction set are arguments of the actions. Run long ones with `--jobs=1`: Bazel does not know that they use every core.
"""

def _run(ctx, mnemonic, message, inputs, outputs, command):
    quern = ctx.executable._quern
    ctx.actions.run_shell(
        mnemonic = mnemonic,
        progress_message = message + " //" + ctx.label.package + ":" + ctx.label.name,
        inputs = inputs,
        outputs = outputs,
        tools = [quern],
        command = "set -eu\nquern=" + quern.path + "\n" + command,
    )

def _training_run_impl(ctx):
    name = ctx.label.name
    flags = "--quiet --threads {} --isa {}".format(ctx.attr.threads, ctx.attr.isa)
    data = ctx.actions.declare_directory(name + ".data")
    trained = ctx.actions.declare_directory(name + ".trained")
    model = ctx.actions.declare_directory(name)

    _run(ctx, "QuernPrepare", "Preparing text of", [ctx.file.text], [data], "$quern prepare {flags} --input_file {text} --output_dir {data} >/dev/null".format(
        flags = flags,
        text = ctx.file.text.path,
        data = data.path,
    ))
    tokenizer = ctx.attr.tokenizer
    tokenizer_inputs = []
    if tokenizer not in ["char", "byte"]:
        file = ctx.actions.declare_file(name + ".tokenizer.json")
        _run(ctx, "QuernTokenizer", "Training a tokenizer for", [data], [file], "$quern tokenizer train {flags} --input_file {data}/train.txt --vocab_size {size} --output_file {out} >/dev/null".format(
            flags = flags,
            data = data.path,
            size = tokenizer,
            out = file.path,
        ))
        tokenizer = file.path
        tokenizer_inputs = [file]
    _run(ctx, "QuernTrain", "Training", [data, ctx.file.config] + tokenizer_inputs, [trained], "$quern train {flags} --config {config} --train_file {data}/train.txt --validation_file {data}/validation.txt --tokenizer {tokenizer} --output_dir {out} >/dev/null".format(
        flags = flags,
        config = ctx.file.config.path,
        data = data.path,
        tokenizer = tokenizer,
        out = trained.path,
    ))

    # The model without its checkpoints and token shards; report and verdict are added to it. Paths that were recorded stay true: it stands
    # beside the folder that it is a copy of.
    _run(ctx, "QuernGate", "Evaluating", [data, trained, ctx.file.policy], [model], """
for file in {trained}/*; do [ "$(basename $file)" = checkpoints ] || cp -RL "$file" {model}/; done
chmod -R u+w {model}
rm -rf {model}/quern/tokens
$quern eval {flags} --model_name {model} --test_file {data}/test.txt >/dev/null
$quern gate {flags} --model_name {model} --policy {policy} >/dev/null || [ $? -eq 1 ]
""".format(flags = flags, trained = trained.path, model = model.path, data = data.path, policy = ctx.file.policy.path))
    return [DefaultInfo(files = depset([model]), runfiles = ctx.runfiles([model]))]

_training_run = rule(
    implementation = _training_run_impl,
    attrs = {
        "text": attr.label(allow_single_file = True, mandatory = True),
        "config": attr.label(allow_single_file = True, mandatory = True),
        "policy": attr.label(allow_single_file = True, mandatory = True),
        "tokenizer": attr.string(mandatory = True),
        "threads": attr.int(),
        "isa": attr.string(),
        # Not cfg = "exec": the binary that trains is the one that everybody builds.
        "_quern": attr.label(default = "//cli:quern", executable = True, cfg = "target"),
    },
)

def training_run(name, text, config, policy, tokenizer, threads = 2, isa = "auto", tags = ["manual"]):
    """A model folder and its verdict from a text.

    Args:
      name: the model folder; `name + "_gate"` is the test of its verdict.
      text: the raw text, one file.
      config: a TrainConfig in protobuf text format, without paths.
      policy: a gate policy in protobuf text format.
      tokenizer: "char", "byte", or a vocabulary size as a string, for byte-level BPE trained on the training split.
      threads: of every step; the bits do not depend on it.
      isa: as `quern --isa`.
      tags: of both targets; all but runs of seconds are manual.
    """
    _training_run(
        name = name,
        text = text,
        config = config,
        policy = policy,
        tokenizer = str(tokenizer),
        threads = threads,
        isa = isa,
        tags = tags,
    )
    native.sh_test(
        name = name + "_gate",
        srcs = ["//tools:verdict_test.sh"],
        args = ["$(rootpath :" + name + ")"],
        data = [":" + name],
        size = "small",
        tags = tags,
    )
