"""kernel(): one room of kernels/, from its file names.

    kernel(name = "rms_norm", cuda = True)

expects, in the room's folder, `rms_norm.h`, `rms_norm_args.h`, `rms_norm.cc`, `rms_norm_ref.cc`, `rms_norm_cpu.cc`,
`rms_norm_test.cc`, `rms_norm_benchmark.cc` and, with cuda, `rms_norm_cuda.cu`. `rms_norm_cpu.cc` is compiled once per
instruction set into `namespace quern::QUERN_ISA`; which copy runs is chosen once, at start (kernels/isa.h).
"""

load("//tools/bazel:cc.bzl", "COPTS", "cc_binary", "cc_library", "cc_test")
load("//tools/bazel:cuda.bzl", "cuda_library")

_ISA_COPTS = {
    "avx2": ["-mavx2", "-mfma", "-mf16c", "-DQUERN_AVX2=1"],
    "avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma", "-mprefer-vector-width=512", "-DQUERN_AVX512=1"],
    "avx512_bf16": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni", "-mavx512bf16", "-mavx2", "-mfma", "-mprefer-vector-width=512", "-DQUERN_AVX512=1", "-DQUERN_AVX512_BF16=1"],
}

def isa_libraries(name, src, hdrs, isas):
    """One library per instruction set from one source; returns their labels."""
    labels = []
    for isa in isas:
        native.cc_library(
            name = name + "_" + isa,
            srcs = [src],
            # -O3: at -O2 GCC 12 keeps register tiles in memory. No exceptions, no RTTI: no weak symbols that the
            # linker could keep from the wrong instruction set (tests/isa_symbols_test).
            copts = COPTS + ["-O3", "-fno-exceptions", "-fno-rtti", "-Wno-maybe-uninitialized", "-DQUERN_ISA=" + isa] + _ISA_COPTS[isa],
            deps = hdrs + ["//kernels:simd"],
            tags = ["isa"],
            visibility = ["//visibility:private"],
        )
        labels.append(":" + name + "_" + isa)
    return labels

def kernel(name, isas = ["avx2", "avx512"], cuda = False, deps = [], test_deps = [], benchmark_deps = [], test_size = "small", extra_hdrs = [], extra_args_hdrs = [], extra_srcs = [], visibility = None):
    """One kernel room.

    Args:
      name: the room; also the prefix of its files.
      isas: instruction sets that NAME_cpu.cc is compiled for.
      cuda: whether the room has a NAME_cuda.cu.
      deps: more libraries that NAME.h or NAME.cc use.
      test_deps: more libraries for the test.
      benchmark_deps: more libraries for the benchmark.
      test_size: as in cc_test.
      extra_hdrs: further public headers.
      extra_args_hdrs: further headers shared by the per-instruction-set units.
      extra_srcs: further baseline sources.
      visibility: as usual; default that of the package.
    """
    cc_library(
        name = name + "_args",
        hdrs = [name + "_args.h"] + extra_args_hdrs,
        visibility = ["//visibility:private"],
        deps = ["//kernels:simd"],
    )
    per_isa = isa_libraries(name + "_cpu", name + "_cpu.cc", [":" + name + "_args"], isas)
    cuda_deps = []
    if cuda:
        cuda_library(
            name = name + "_cuda",
            srcs = [name + "_cuda.cu"],
            hdrs = [name + "_args.h"] + extra_args_hdrs + ["//kernels:device_headers"],
        )
        cuda_deps = [":" + name + "_cuda"]
    cc_library(
        name = name,
        srcs = [name + ".cc", name + "_ref.cc"] + extra_srcs,
        hdrs = [name + ".h"] + extra_hdrs,
        deps = deps + per_isa + cuda_deps + [
            ":" + name + "_args",
            "//base:log",
            "//base:thread_pool",
            "//kernels:isa",
            "//tensor",
        ],
        visibility = visibility,
    )
    cc_test(
        name = name + "_test",
        srcs = [name + "_test.cc"],
        size = test_size,
        deps = [":" + name, ":" + name + "_args", "//kernels:testing"] + test_deps,
    )
    cc_binary(
        name = name + "_benchmark",
        srcs = [name + "_benchmark.cc"],
        testonly = True,
        tags = ["benchmark"],
        deps = [":" + name, ":" + name + "_args", "//kernels:benchmark"] + benchmark_deps,
    )
