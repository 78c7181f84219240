# Sourced by ./dev: find what the build needs, install what is missing.

# A compiler, the libraries, a Python with headers, and the build's own tools: sets MESON, NINJA, PYTHON.
need_build() {
    missing=
    have gcc || missing="$missing gcc libc6-dev"
    have pkg-config || missing="$missing pkg-config"
    for lib in libzstd:libzstd-dev jansson:libjansson-dev cmocka:libcmocka-dev; do
        { have pkg-config && pkg-config --exists "${lib%%:*}"; } || missing="$missing ${lib##*:}"
    done
    look_for_pythons
    host_python >/dev/null || missing="$missing python3-dev python3-venv"
    if [ -n "$missing" ]; then
        install_packages "$missing"
        look_for_pythons
    fi
    host_python >/dev/null || die "please install Python 3.11 or newer, with its headers and venv"
    need_venv build
    export MESON="$venv/bin/meson" NINJA="$venv/bin/ninja" PYTHON="$venv/bin/python"
}

# Asked once: it starts every interpreter that might do.
look_for_pythons() { here=$(tools/pythons --here); }

# The interpreters of this machine, separated by $1.
pythons_here() { printf '%s\n' "$here" | cut -d ' ' -f 2 | paste -sd "$1" -; }

# The Python that runs the tools: one we support, able to make a virtual environment.
host_python() {
    for python in $(printf '%s\n' "$here" | grep -v 't ' | cut -d ' ' -f 2); do
        if "$python" -I -c 'import ensurepip, venv' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

# $1: Debian's names of packages, a space before each.
install_packages() {
    as_root=
    if [ "$(id -u)" != 0 ]; then
        as_root=sudo
    fi
    if ! have apt-get || { [ -n "$as_root" ] && ! have sudo; }; then
        die "please install (Debian's names):$1"
    fi
    say "installing:$1"
    mkdir -p "$ASSAY_CACHE"
    # shellcheck disable=SC2086 # lists of words
    { $as_root apt-get update -q && $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qy --no-install-recommends $1; } >"$ASSAY_CACHE/install.log" 2>&1 || {
        tail -n 20 "$ASSAY_CACHE/install.log" >&2
        die "could not install; please install (Debian's names):$1"
    }
}

# need_venv KIND [PYTHON]: sets $venv, an environment with tools/requirements-KIND.txt, made once per Python and list.
need_venv() {
    list=tools/requirements-$1.txt
    python=${2:-$(host_python)}
    key=$("$python" -I -c 'import sys; print(sys.version.split()[0] + getattr(sys, "abiflags", ""))')-$(cksum <"$list" | cut -d ' ' -f 1)
    venv=$ASSAY_CACHE/venv-$1-$key
    if [ -f "$venv/.ready" ]; then
        return
    fi
    mkdir -p "$ASSAY_CACHE"
    (
        # Two checkouts may do this at once.
        ! have flock || flock 9
        [ ! -f "$venv/.ready" ] || exit 0
        say "making a virtual environment in $venv"
        rm -rf "$venv"
        "$python" -m venv "$venv" && "$venv/bin/pip" install -q -r "$list" >&2 && touch "$venv/.ready"
    ) 9>"$ASSAY_CACHE/lock" || die "could not install $list with pip: is the network there?"
}
