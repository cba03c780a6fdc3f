# What makes root file systems has in common; for other scripts to read.
here=$(cd "$(dirname "$0")" && pwd)
roots=$(cd "$here/../../.." && pwd)/.venv/roots
mirror=${MIRROR-http://deb.debian.org/debian}
mkdir -p "$roots"

unpack() { # unpack SUITE ARCHITECTURE FOLDER PACKAGE,…: these, and what they depend on
    command -v mmdebstrap >/dev/null || { echo "A root file system of Debian needs mmdebstrap: apt-get install mmdebstrap" >&2 && exit 69; }
    rm -rf "$3"
    mmdebstrap --quiet --variant=extract --architectures="$2" --include="$4" "$1" "$3" "$mirror" >&2
}

fresh() { # fresh FOLDER SCRIPT: the folder was made by this script, as it is now
    [ "$(cat "$1/.made-by" 2>/dev/null)" = "$(cat "$2" "$here/unpack.sh" | sha256sum)" ]
}

keep() { # keep FOLDER AS SCRIPT: the folder is whole
    cat "$3" "$here/unpack.sh" | sha256sum >"$1/.made-by"
    rm -rf "$2"
    mv "$1" "$2"
}
