"""proto_cc_library(): messages of a .proto file as a C++ library, by the system's protoc.

No proto_library: it would build protoc. Imports and includes are from the root ("nn/model_config.proto",
"nn/model_config.pb.h").
"""

load("//tools/bazel:cc.bzl", "COPTS")

def proto_cc_library(name, src, deps = [], visibility = None):
    """A library of one .proto file.

    Args:
      name: the library.
      src: a .proto file of this package.
      deps: proto_cc_library targets whose files `src` imports, as full labels ("//nn:model_config").
      visibility: as usual; default that of the package.
    """
    path = native.package_name() + "/" + src
    stem = src[:-len(".proto")]
    native.filegroup(
        name = name + "_proto",
        srcs = [src] + [dep + "_proto" for dep in deps],
        visibility = visibility,
    )
    native.genrule(
        name = name + "_protoc",
        srcs = [":" + name + "_proto"],
        outs = [stem + ".pb.h", stem + ".pb.cc"],
        cmd = "protoc -I. --cpp_out=$(BINDIR) " + path,
        message = "protoc " + path,
        visibility = ["//visibility:private"],
    )
    native.cc_library(
        name = name,
        srcs = [stem + ".pb.cc"],
        hdrs = [stem + ".pb.h"],
        # Generated code is not held to our warnings.
        copts = COPTS + ["-w"],
        deps = deps + ["//third_party/protobuf"],
        visibility = visibility,
    )
