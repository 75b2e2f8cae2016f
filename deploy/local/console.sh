#!/usr/bin/env bash
# Builds the pages into gateway/console/dist, when something they are made of has changed: `console.sh [--release]`, where the contract is
# read by what that build of Rust made. They need Node.js 20.19 or newer; where the machine has an older one, a newer one comes from npm
# into .drumtower/node and is used for this alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
console=gateway/console

# Everything that the pages are made of, as one number.
made_of() {
    find "$console" proto \( -name node_modules -o -name dist -o -name gen -o -name tests -o -name target \) -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1
}

new_enough() {
    command -v node >/dev/null && node -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'
}

find_node() {
    new_enough && return
    export PATH="$PWD/.drumtower/node/node_modules/.bin:$PATH"
    hash -r
    new_enough && return
    local machine
    case $(uname -m) in
        x86_64) machine=x64 ;;
        aarch64) machine=arm64 ;;
        *) echo "The pages need Node.js 20.19 or newer; please install it" >&2; exit 1 ;;
    esac
    echo "Node.js here is older than 20.19: fetching 22 from npm into .drumtower/node, for building the pages"
    mkdir -p .drumtower/node
    npm install --silent --no-audit --no-fund --prefix .drumtower/node "node-linux-$machine@22"
    mkdir -p .drumtower/node/node_modules/.bin
    ln -sf "../node-linux-$machine/bin/node" .drumtower/node/node_modules/.bin/node
    hash -r
    new_enough || { echo "The pages need Node.js 20.19 or newer; please install it" >&2; exit 1; }
}

stamp=$(made_of)
if [ -f "$console/dist/.stamp" ] && [ "$(cat "$console/dist/.stamp")" = "$stamp" ]; then exit 0; fi
echo "Building the pages"
find_node
cd "$console"
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then npm ci --silent --no-audit --no-fund; fi
node scripts/gen.mjs "$@"
npm run --silent build
echo "$stamp" >dist/.stamp
