# Sourced by ./dev: find what the build needs, install what is missing.

# Debian's names for what the probes below miss.
need_build() {
    missing=
    have gcc || missing="$missing gcc libc6-dev"
    have pkg-config || missing="$missing pkg-config"
    if [ -z "$missing" ]; then
        for lib in libzstd:libzstd-dev jansson:libjansson-dev cmocka:libcmocka-dev; do
            pkg-config --exists "${lib%%:*}" || missing="$missing ${lib##*:}"
        done
    else
        missing="$missing libzstd-dev libjansson-dev libcmocka-dev"
    fi
    [ -n "$(tools/pythons)" ] || missing="$missing python3-dev"
    host_python >/dev/null || missing="$missing python3 python3-venv"
    [ -z "$missing" ] || install_packages "$missing"
    [ -n "$(tools/pythons)" ] || die "no supported Python ($SUPPORTED) with its headers is here"
}

# The Python that runs the tools: 3.11 or newer, able to make a virtual environment.
host_python() {
    for python in $(tools/pythons | grep -v 't ' | cut -d ' ' -f 2); do
        if "$python" -I -c 'import ensurepip, venv' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

install_packages() {
    sudo=
    if [ "$(id -u)" != 0 ]; then
        sudo=sudo
        have sudo || sudo=none
    fi
    if ! have apt-get || [ "$sudo" = none ]; then
        die "please install (Debian's names):$1"
    fi
    say "installing:$1"
    # shellcheck disable=SC2086 # a list of words
    { $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qy --no-install-recommends $1; } >&2 ||
        die "could not install; please install:$1"
}

# need_venv KIND: sets $venv, an environment with tools/requirements-KIND.txt, made once per Python and list.
need_venv() {
    list=tools/requirements-$1.txt
    python=$(host_python) || die "please install python3-venv"
    key=$("$python" -c 'import sys; print(sys.version.split()[0])')-$(cksum <"$list" | cut -d ' ' -f 1)
    venv=$ASSAY_CACHE/venv-$1-$key
    mkdir -p "$ASSAY_CACHE"
    exec 9>"$ASSAY_CACHE/lock"
    if have flock; then
        flock 9
    fi
    if [ ! -f "$venv/.ready" ]; then
        say "making a virtual environment for $1 in $venv"
        rm -rf "$venv"
        "$python" -m venv "$venv" && "$venv/bin/pip" install -q -r "$list" >&2 ||
            die "could not install $list with pip: is the network there?"
        touch "$venv/.ready"
    fi
    exec 9>&-
}
