# Sourced by ./dev and the scripts in tools/: names and helpers that they share.

SUPPORTED='3.11 3.12 3.13 3.13t 3.14 3.15'

# What can be made again is kept outside the checkout.
if [ -z "${ASSAY_CACHE:-}" ]; then
    if [ -n "${XDG_CACHE_HOME:-}" ]; then
        ASSAY_CACHE=$XDG_CACHE_HOME/assay
    elif [ "$(id -u)" = 0 ]; then
        ASSAY_CACHE=/var/cache/assay
    else
        ASSAY_CACHE=${HOME:-}/.cache/assay
    fi
fi

say() { printf '%s\n' "dev: $*" >&2; }
die() {
    say "$*"
    exit 2
}
have() { command -v "$1" >/dev/null 2>&1; }

# Where this machine gets Debian's packages from.
debian_mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep '/debian/$' | head -n 1
}
