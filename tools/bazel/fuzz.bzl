"""fuzz_target(): a libFuzzer target that is an ordinary test as well.

    fuzz_target(name = "config_json", deps = ["//nn:model_folder"])

expects `config_json_fuzz.cc`, which defines LLVMFuzzerTestOneInput, inputs to start from in `seeds/config_json/`, and
may find a dictionary in `config_json.dict`. `bazel test` compiles it with any compiler and runs it over its seeds, among
which is every input that once was a finding; `tools/fuzz config_json` looks for new ones.
"""

load("//tools/bazel:cc.bzl", "cc_test")

def fuzz_target(name, deps, size = "small"):
    """One fuzz target.

    Args:
      name: its name for tools/fuzz and the prefix of its files.
      deps: what it fuzzes.
      size: of the test over the seeds.
    """
    cc_test(
        name = name + "_fuzz",
        srcs = [name + "_fuzz.cc"],
        args = [native.package_name() + "/seeds/" + name],
        data = native.glob(["seeds/" + name + "/**"]),
        linkopts = select({
            "//tools/bazel:fuzz": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        main = False,
        size = size,
        tags = ["fuzz"],
        deps = deps + select({
            "//tools/bazel:fuzz": [],
            "//conditions:default": [":replay_main"],
        }),
    )
