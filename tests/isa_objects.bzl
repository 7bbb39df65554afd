"""isa_objects(): the per-instruction-set libraries below some rooms, for tests/isa_symbols_test.

An aspect walks the dependencies and picks every library tagged `isa` (tools/bazel/kernel.bzl gives the tag), so that a
room is listed once, whatever sets it compiles for, and its libraries can stay private.
"""

_IsaLibraries = provider(fields = ["archives"])

def _isa_aspect_impl(target, ctx):
    found = []
    if "isa" in ctx.rule.attr.tags:
        # A library may be archived twice, with and without -fPIC; either shows its symbols.
        found = [f for f in target[DefaultInfo].files.to_list() if f.extension == "a"][:1]
        if not found:
            fail("{} is tagged isa and has no archive".format(target.label))
    below = [d[_IsaLibraries].archives for d in getattr(ctx.rule.attr, "deps", []) if _IsaLibraries in d]
    return [_IsaLibraries(archives = depset(found, transitive = below))]

_isa_aspect = aspect(implementation = _isa_aspect_impl, attr_aspects = ["deps"])

def _isa_objects_impl(ctx):
    for dep in ctx.attr.deps:
        if not dep[_IsaLibraries].archives.to_list():
            fail("{} has no library tagged isa".format(dep.label))
    archives = depset(transitive = [d[_IsaLibraries].archives for d in ctx.attr.deps])
    return [DefaultInfo(files = archives, runfiles = ctx.runfiles(transitive_files = archives))]

isa_objects = rule(
    implementation = _isa_objects_impl,
    attrs = {"deps": attr.label_list(aspects = [_isa_aspect])},
)
