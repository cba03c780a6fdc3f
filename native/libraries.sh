#!/bin/sh
# What the transport is linked with, built from source as archives that go into its module. A wheel has all of it: it can't ask a
# distribution for libraries. A build on this machine has those that aren't here with their headers, or are too old (CMakeLists.txt).
# Each function has a section of its own, so that what isn't called is left out.
#
# libraries.sh PREFIX ARCHIVES [COMPILER [LIBRARY...]]
#     Sources are fetched to the folder ARCHIVES where they aren't there. COMPILER is a folder as zig.sh makes it; without one, or with
#     an empty word for it, this machine's own compiler is taken. Libraries are zlib, yyjson, llhttp, nghttp2 and openssl; all of them,
#     if none is said. Raise versions and hashes before each release.
set -eu
mkdir -p "$1/lib" "$1/include" "$2"
prefix=$(cd "$1" && pwd)
archives=$(cd "$2" && pwd)
compiler=${3:+$(cd "$3" && pwd)/}
shift "$(($# < 3 ? $# : 3))"
[ $# -gt 0 ] || set -- zlib yyjson llhttp nghttp2 openssl
python=${PYTHON:-python3}
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
export CC="${compiler}cc" AR="${compiler}ar" RANLIB="${compiler}ranlib"
flags="-O2 -g0 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -fstack-protector-strong -D_FORTIFY_SOURCE=2"

holds() { # holds FILE SHA256: the archive is there, and is the right one
    echo "$2  $archives/$1" | sha256sum --check --status 2>/dev/null
}

upstream() { # upstream URL SHA256: unpacks what is there into $source; false where it can't be had
    file=$(basename "$1")
    holds "$file" "$2" || curl --fail --silent --location --connect-timeout 10 --output "$archives/$file" "$1" || return 1
    unpack "$file" "$2"
}

debian() { # debian FOLDER FILE SHA256: likewise of a source package, from the mirror that apt is set up for, or from everybody's
    # shellcheck disable=SC2016 # apt's own word
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m 1 'debian/$' || echo http://deb.debian.org/debian/)
    holds "$2" "$3" || /usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file \
        "${mirror}pool/main/$1/$2" "$archives/$2" "SHA256:$3" >/dev/null
    unpack "$2" "$3"
}

# Where pip builds, its environment hides pip from Python, but for `-I`.
pypi() { # pypi PROJECT VERSION SHA256: likewise of a project's sdist, from the index that pip is set up for
    echo "$1==$2 --hash=sha256:$3" >"$built/requirements.txt"
    holds "$1-$2.tar.gz" "$3" || "$python" -I -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
        --dest "$archives" --requirement "$built/requirements.txt"
    unpack "$1-$2.tar.gz" "$3"
}

unpack() { # unpack FILE SHA256
    holds "$1" "$2" || { echo "$archives/$1 isn't what it should be: sha256 $2" >&2; exit 1; }
    source=$(mktemp -d "$built/XXXXXX")
    case $1 in # Python has what xz does, which isn't everywhere
        *.xz) "$python" -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), sys.stdout.buffer)' "$archives/$1" ;;
        *) gzip -dc "$archives/$1" ;;
    esac | tar -x -C "$source" --strip-components 1
}

archive() { # archive NAME WORD...: what these words to the compiler make, as a library
    name=$1
    shift
    mkdir "$built/$name"
    # shellcheck disable=SC2086 # flags are words
    (cd "$built/$name" && "$CC" $flags -c "$@" && "$AR" rcs "$prefix/lib/lib$name.a" ./*.o)
}

# Where upstream can't be reached, the same library is had from elsewhere, if need be an older release of it: good for trying, not for
# publishing. Debian's archives of nghttp2 and OpenSSL are upstream's own.
zlib() {
    upstream https://github.com/madler/zlib/releases/download/v1.3.2/zlib-1.3.2.tar.gz \
        bb329a0a2cd0274d05519d61c667c062e06990d72e125ee2dfa8de64f0119d16 ||
        debian z/zlib zlib_1.3.dfsg+really1.3.2.orig.tar.gz 7b6903eb019983987b7112eccf90f1703f1c6c0e0cede36564bf611d19ca579d
    cp "$source/zlib.h" "$source/zconf.h" "$prefix/include"
    archive z -DHAVE_UNISTD_H "$source/adler32.c" "$source/crc32.c" "$source/deflate.c" "$source/inffast.c" "$source/inflate.c" \
        "$source/inftrees.c" "$source/trees.c" "$source/zutil.c"
}

yyjson() {
    upstream https://github.com/ibireme/yyjson/archive/refs/tags/0.12.0.tar.gz \
        b16246f617b2a136c78d73e5e2647c6f1de1313e46678062985bdcf1f40bb75d ||
        debian y/yyjson yyjson_0.10.0+ds.orig.tar.xz ae6fde69a193e10afab426ef13f113d6903446405f9db9ee98bfb572bd6c961a
    cp "$source/src/yyjson.h" "$prefix/include"
    archive yyjson "$source/src/yyjson.c"
}

llhttp() {
    upstream https://github.com/nodejs/llhttp/archive/refs/tags/release/v9.4.3.tar.gz \
        1eb813c7437b31a87496a1cd3ed79f00746720f5e7e29c79b42c02cb69f36c39 ||
        pypi aiohttp 3.14.5 5558a7f5a05af9ecf744af91e5baefc436f93c9333e656c27ec253f9a6bbe178 # which brings 9.4.2
    header=$(find "$source" -name llhttp.h)
    cp "$header" "$prefix/include"
    # shellcheck disable=SC2046 # three files, whose names have no spaces
    archive llhttp -I "$(dirname "$header")" $(find "$source" -path "*/src/*.c" -o -name llhttp.c)
}

nghttp2() {
    upstream https://github.com/nghttp2/nghttp2/releases/download/v1.70.0/nghttp2-1.70.0.tar.gz \
        aa317e2cf9dca6afa0aed68f8fad6ff303ec6982e25a78c75c0b65e2b9b3ded5 ||
        debian n/nghttp2 nghttp2_1.70.0.orig.tar.gz aa317e2cf9dca6afa0aed68f8fad6ff303ec6982e25a78c75c0b65e2b9b3ded5
    cp -r "$source/lib/includes/nghttp2" "$prefix/include"
    archive nghttp2 -I "$source/lib/includes" -DHAVE_ARPA_INET_H -DHAVE_NETINET_IN_H -DHAVE_CLOCK_GETTIME -DHAVE_DECL_CLOCK_MONOTONIC=1 \
        "$source"/lib/*.c
}

# OpenSSL as far as a TLS server needs it: 1.2 and 1.3, over TCP. The system's own configuration and certificates are where its OpenSSL
# would look for them. No other module is loaded, and nothing is done when the process ends, since another OpenSSL may be in it.
openssl() {
    upstream https://github.com/openssl/openssl/releases/download/openssl-3.5.9/openssl-3.5.9.tar.gz \
        603f5602e2eef00d77fbd429d34dcd5822bb301757a1bc9cdb24c670f1eb859a ||
        debian o/openssl openssl_3.5.7.orig.tar.gz a8c0d28a529ca480f9f36cf5792e2cd21984552a3c8e4aa11a24aa31aeac98e8
    machine=$("$CC" -dumpmachine 2>/dev/null || true) # zig's says it, and then that it knows no such C library
    without="apps docs tests shared module dso engine atexit makedepend filenames legacy
        ssl3 tls1 tls1_1 dtls quic srtp srp psk nextprotoneg comp ocsp ct cms cmp ts http rfc3779 ui-console
        aria argon2 bf blake2 camellia cast des dsa ec2m gost idea md4 mdc2 ml-dsa ocb rc2 rc4 rmd160 scrypt seed siphash siv slh-dsa sm2 sm3
        sm4 whirlpool"
    mkdir "$built/openssl"
    (
        cd "$built/openssl"
        # shellcheck disable=SC2046,SC2086 # words
        "$source/Configure" "linux-${machine%%-*}" --prefix="$prefix" --libdir=lib --openssldir=/etc/ssl \
            $(for each in $without; do echo "no-$each"; done) $flags >/dev/null
        make --silent -j"$(nproc)" build_libs >log 2>&1 || { cat log; exit 1; }
        make --silent install_dev >log 2>&1 || { cat log; exit 1; }
    )
}

for library; do "$library"; done
