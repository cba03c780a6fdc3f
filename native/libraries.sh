#!/bin/sh
# What the transport is linked with, built from source for wheels: a manylinux image's own nghttp2 is too old to bound CONTINUATION
# frames, and its OpenSSL has no upstream any more. cibuildwheel runs this in the image, before everything else.
#
# libraries.sh PREFIX     fetches what isn't in the current folder; raise versions and hashes before each release
set -eu
prefix=$1

source() { # source URL SHA256: fetched once, looked at, and unpacked
    file=${1##*/}
    [ -e "$file" ] || curl --fail --silent --show-error --location --output "$file" "$1"
    echo "$2  $file" | sha256sum --check --quiet
    tar -xf "$file"
}

source https://github.com/openssl/openssl/releases/download/openssl-3.5.4/openssl-3.5.4.tar.gz \
    967311f84955316969bdb1d8d4b983718ef42338639c621ec4c34fddef355e99
(
    cd openssl-3.5.4
    # The system's own configuration and certificates are where its OpenSSL would look for them.
    ./Configure --prefix="$prefix" --libdir=lib --openssldir=/etc/ssl no-apps no-docs no-legacy no-tests >/dev/null
    make --silent -j"$(nproc)" >/dev/null
    make --silent install_sw >/dev/null
)

source https://github.com/nghttp2/nghttp2/releases/download/v1.64.0/nghttp2-1.64.0.tar.gz \
    20e73f3cf9db3f05988996ac8b3a99ed529f4565ca91a49eb0550498e10621e8
cmake -S nghttp2-1.64.0 -B nghttp2 -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
    -DENABLE_LIB_ONLY=ON -DENABLE_DOC=OFF -DBUILD_STATIC_LIBS=OFF -DBUILD_TESTING=OFF >/dev/null
cmake --build nghttp2 --parallel "$(nproc)" --target install >/dev/null
