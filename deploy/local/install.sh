#!/usr/bin/env bash
# Installs what is missing to build, run and test Drumtower, and says what and why before doing so. When nothing is missing it
# does nothing and needs no network. `install.sh --test` adds what only the tests need: Python, for clients that others wrote, and a
# browser with Chinese letters.
set -euo pipefail

packages=()
reasons=()

need() { # package, reason
    packages+=("$1")
    reasons+=("$1: $2")
}

# PostgreSQL's server programs are not on the PATH of Debian; the newest version counts.
postgres_major() {
    local bin newest=0 major
    for bin in "$(command -v postgres || true)" /usr/lib/postgresql/*/bin/postgres; do
        [ -x "$bin" ] || continue
        major=$("$bin" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
        if [ "$major" -gt "$newest" ]; then newest=$major; fi
    done
    echo "$newest"
}

find_missing() {
    [ "$(postgres_major)" -ge 15 ] || need postgresql "the database; every installation runs a private one, 15 or newer"
    command -v redis-server >/dev/null || need redis-server "cache, quotas and bells; every installation runs a private one"
    command -v cc >/dev/null || need build-essential "links Rust programs and compiles the C inside the cryptography"
    command -v node >/dev/null || need nodejs "builds the pages"
    command -v npm >/dev/null || need npm "fetches what the pages are built with"
    if [ "${1:-}" = --test ]; then
        command -v chromium >/dev/null || need chromium "opens the pages as people do"
        fc-list :lang=zh 2>/dev/null | grep -q . || need fonts-noto-cjk "shows Chinese in that browser"
        python3 -c 'import ensurepip, venv' 2>/dev/null || need python3-venv "runs clients of Open311 and webhooks that others wrote"
    fi
}

# Only Debian and its children have these package names.
refuse_unless_debian() {
    command -v apt-get >/dev/null && return
    echo "Missing here, and this is not a Debian-like system; please install:" >&2
    printf '  %s\n' "${reasons[@]}" >&2
    exit 1
}

# PostgreSQL and Redis of the package would start as system services and take ports and memory; ours are private. A policy that
# forbids starting services holds them back while we install; one that is there already is left alone. Debian's PostgreSQL would
# also create a cluster of its own.
forbid_services() {
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
        $sudo chmod 755 "$policy"
        trap '$sudo rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        $sudo mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' | $sudo tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
}

# A policy only holds the start back; the next boot would start what is enabled.
disable_services() {
    command -v systemctl >/dev/null || return 0
    local package
    for package in "${packages[@]}"; do
        case $package in
            postgresql | redis-server) $sudo systemctl disable --quiet "$package" 2>/dev/null || true ;;
        esac
    done
}

install_packages() {
    echo "Installing with apt-get (private copies are run from them, no system service is started):"
    printf '  %s\n' "${reasons[@]}"
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "Please run as root: apt-get install ${packages[*]}" >&2; exit 1; }
        sudo=sudo
    fi
    forbid_services
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold "${packages[@]}" >/dev/null
    disable_services
    [ "$(postgres_major)" -ge 15 ] || { echo "apt-get brought PostgreSQL $(postgres_major); 15 or newer is needed" >&2; exit 1; }
}

if ! command -v cargo >/dev/null; then
    echo "Rust is missing: install the stable toolchain, 1.95 or newer, with rustup or your distribution" >&2
    exit 1
fi
find_missing "${1:-}"
if [ ${#packages[@]} -gt 0 ]; then
    refuse_unless_debian
    install_packages
fi
