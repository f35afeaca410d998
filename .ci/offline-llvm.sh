#!/bin/sh
# Makes `cargo check --features cuda` possible on machines that can download only Debian packages.
#
# Burn's CUDA backend links LLVM. The build script of `tracel-llvm-bundler` downloads LLVM, unless its target folder contains
# a marker file. In this case, it runs `llvm-config` in this folder. This script creates the marker and a `llvm-config` that
# calls Debian's and removes optional libraries from the output: those for solvers, XML and line editing, which code
# generation does not use.
set -eu

LLVM=22

apt-get update -qq
apt-get install -y -qq "llvm-$LLVM-dev" "libpolly-$LLVM-dev" libzstd-dev zlib1g-dev >/dev/null

sources="${CARGO_HOME:-$HOME/.cargo}/registry/src"
bundler=$(find "$sources" -maxdepth 2 -type d -name 'tracel-llvm-bundler-*' | sort | tail -n 1)
if [ -z "$bundler" ]; then
  echo "no sources of tracel-llvm-bundler in $sources: run cargo fetch first" >&2
  exit 1
fi
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$bundler/Cargo.toml" | head -n 1)
prefix="${XDG_DATA_HOME:-$HOME/.local/share}/tracel/tracel-llvm-$version"

mkdir -p "$prefix/bin"
cat > "$prefix/bin/llvm-config" <<WRAPPER
#!/bin/sh
"/usr/lib/llvm-$LLVM/bin/llvm-config" "\$@" | sed -E 's#(^| )[^ ]*(z3|xml2|edit)[^ ]*##g'
WRAPPER
chmod +x "$prefix/bin/llvm-config"
touch "$prefix/.tracel-llvm-installed"
"$prefix/bin/llvm-config" --version
