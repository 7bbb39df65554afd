#!/usr/bin/env bash
# embed.sh OUT.cc index.html FILE...: writes the files as C++. Every FILE gets a name that holds its digest, and
# {{NAME}} in index.html becomes its path. Needs coreutils, sed and gzip.
set -euo pipefail
export LC_ALL=C
out="$1" index="$2"
shift 2
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

content_type() {
  case "$1" in
    *.html) echo 'text/html; charset=utf-8' ;;
    *.css) echo 'text/css; charset=utf-8' ;;
    *.js) echo 'text/javascript; charset=utf-8' ;;
    *.svg) echo 'image/svg+xml' ;;
    *) echo "embed.sh: no content type for $1" >&2; exit 1 ;;
  esac
}

digest() { sha256sum < "$1" | cut -c1-16; }

# bytes NAME FILE: a constant array.
bytes() {
  echo "constexpr unsigned char $1[] = {"
  od -An -v -tu1 "$2" | sed 's/ *\([0-9][0-9]*\)/\1,/g'
  echo '};'
}

count=0
table=''
# add PATH FILE IMMUTABLE
add() {
  gzip -9 -n -c "$2" > "$work/gzip"
  bytes "kBody$count" "$2"
  bytes "kGzip$count" "$work/gzip"
  table+="    {\"$1\", \"$(content_type "$2")\", View(kBody$count), View(kGzip$count), \"\\\"$(digest "$2")\\\"\", $3},"$'\n'
  count=$((count + 1))
}

{
  echo '// Written by serve/web/embed.sh.'
  echo '#include "serve/web/assets.h"'
  echo 'namespace quern {'
  echo 'namespace {'
  cp "$index" "$work/index.html"
  for file in "$@"; do
    name="$(basename "$file")"
    path="/assets/${name%.*}-$(digest "$file").${name##*.}"
    sed "s|{{$name}}|$path|g" "$work/index.html" > "$work/next"
    mv "$work/next" "$work/index.html"
    add "$path" "$file" true
  done
  if grep -q '{{' "$work/index.html"; then
    echo "embed.sh: index.html names a file that was not given:" >&2
    grep '{{' "$work/index.html" >&2
    exit 1
  fi
  add / "$work/index.html" false
  echo 'template <size_t N>'
  echo 'std::string_view View(const unsigned char (&bytes)[N]) { return {reinterpret_cast<const char*>(bytes), N}; }'
  echo '}  // namespace'
  echo 'std::span<const WebAsset> WebAssets() {'
  echo '  static const WebAsset kAssets[] = {'
  printf '%s' "$table"
  echo '  };'
  echo '  return kAssets;'
  echo '}'
  echo '}  // namespace quern'
} > "$out"
