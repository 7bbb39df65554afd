"""A repository rule that looks at this machine once and writes down what the build depends on.

Bazel does not treat the compiler, system headers or system libraries as inputs of an action, so an upgrade would leave
a stale cache. Their versions go into `TOOLCHAIN`, which every compile action carries as a define.
"""

_PACKAGES = ["libabsl-dev", "libeigen3-dev", "libprotobuf-dev", "libgtest-dev", "libbenchmark-dev", "libcli11-dev", "libssl-dev", "libicu-dev", "nlohmann-json3-dev", "libboost1.81-dev", "prometheus-cpp-dev", "libspdlog-dev", "zlib1g-dev"]

def _run(ctx, command):
    result = ctx.execute(command)
    return result.stdout.strip() if result.return_code == 0 else ""

def _cuda_home(ctx):
    home = ctx.os.environ.get("CUDA_HOME", "/usr/local/cuda")
    return home if ctx.path(home + "/bin/nvcc").exists else ""

def _system_repository_impl(ctx):
    cc = ctx.os.environ.get("CC", "gcc")
    versions = _run(ctx, [cc, "--version"]).split("\n")[0] + "\n" + _run(ctx, ["dpkg-query", "-W"] + _PACKAGES)
    cuda = _cuda_home(ctx)
    nvcc = _run(ctx, [cuda + "/bin/nvcc", "--version"]).replace("\n", " ") if cuda else ""
    absl = _run(ctx, ["pkg-config", "--libs", "--static"] + [
        "absl_" + m
        for m in ["status", "statusor", "strings", "str_format", "time", "flat_hash_map", "flat_hash_set", "cord", "span", "hash"]
    ])
    if not absl:
        fail("Abseil was not found by pkg-config. Run tools/setup, which installs what the build needs.")
    ctx.file("BUILD.bazel", "exports_files([\"system.bzl\"])\n")
    ctx.file("system.bzl", "\n".join([
        "TOOLCHAIN = \"{}\"".format("%d" % (hash(versions) + 2147483648)),
        "NVCC_VERSION = \"{}\"".format(nvcc),
        "CUDA_HOME = \"{}\"".format(cuda),
        "ABSL_LINKOPTS = {}".format([f for f in absl.split(" ") if f]),
        "",
    ]))

system_repository = repository_rule(
    implementation = _system_repository_impl,
    environ = ["CC", "CUDA_HOME"],
    local = True,
    configure = True,
)
