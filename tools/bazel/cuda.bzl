"""cuda_library: CUDA C++ compiled by nvcc into fat objects, where the toolkit is found.

Without the toolkit the library is empty and QUERN_CUDA is not defined: callers see `kBuiltWithCuda == false`
(kernels/cuda.h) and never reference what was not built.
"""

load("@system//:system.bzl", "CUDA_HOME", "NVCC_VERSION")
load("//tools/bazel:cc.bzl", "cc_library")

HAVE_CUDA = CUDA_HOME != ""

# A100, L40/4090, H100/H200.
_ARCHITECTURES = ["80", "89", "90a"]

def cuda_library(name, srcs, hdrs = [], deps = [], visibility = None):
    """Compiles .cu files; the build is opted in with --config=cuda (or by building a target tagged `cuda`).

    Args:
      name: target name; `name + "_objects"` builds just the objects and is tagged `cuda` and `manual`.
      srcs: .cu files. They include no absl, protobuf or Eigen.
      hdrs: every header they include, other than CUDA's.
      deps: not compiled against; linked.
      visibility: as usual.
    """
    objects = []
    if HAVE_CUDA:
        for src in srcs:
            out = src.replace(".cu", ".cu.o")
            gencode = " ".join(["-gencode arch=compute_{a},code=sm_{a}".format(a = a) for a in _ARCHITECTURES])
            native.genrule(
                name = out.replace(".", "_"),
                srcs = [src] + hdrs,
                outs = [out],
                # nvcc names its temporary files by process id, and every sandbox starts at the same id.
                cmd = "export TMPDIR=$$(mktemp -d) && " +
                      CUDA_HOME + "/bin/nvcc -std=c++20 -O3 --fmad=false -Xcompiler -fPIC -DQUERN_CUDA=1 -I. " +
                      "-DQUERN_NVCC='\"" + NVCC_VERSION + "\"' " + gencode + " -c $(location " + src + ") -o $@ && rm -rf $$TMPDIR",
                tags = ["cuda", "manual"],
                visibility = ["//visibility:private"],
            )
            objects.append(":" + out)
    native.filegroup(name = name + "_objects", srcs = objects, tags = ["cuda", "manual"])
    cc_library(
        name = name,
        srcs = select({
            "//tools/bazel:cuda": objects,
            "//conditions:default": [],
        }),
        hdrs = hdrs,
        deps = deps + select({
            "//tools/bazel:cuda": ["//third_party/cuda"],
            "//conditions:default": [],
        }),
        visibility = visibility,
    )
