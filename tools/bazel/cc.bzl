"""cc_library, cc_binary and cc_test with the flags of the house."""

load("@system//:system.bzl", "TOOLCHAIN")

# -ffp-contract=off: GCC contracts a*b+c by itself (intrinsics too), and then results would depend on the compiler's mood.
COPTS = [
    "-ffp-contract=off",
    "-fno-math-errno",
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",
    "-Wno-missing-field-initializers",
    "-Wno-sign-compare",
    "-Werror=return-type",
    "-DQUERN_TOOLCHAIN_" + TOOLCHAIN,
]

def cc_library(name, copts = [], **kwargs):
    native.cc_library(name = name, copts = COPTS + copts, **kwargs)

def cc_binary(name, copts = [], **kwargs):
    native.cc_binary(name = name, copts = COPTS + copts, **kwargs)

def cc_test(name, copts = [], deps = [], size = "small", main = True, **kwargs):
    """A GoogleTest. `main = False` where the test brings its own main()."""
    native.cc_test(
        name = name,
        copts = COPTS + copts,
        deps = deps + ["//third_party/gtest:gtest_main" if main else "//third_party/gtest"],
        size = size,
        **kwargs
    )
