#!/bin/sh
# Compiles a Python for Debian 11, whose own is 3.9, from Debian 13's sources: the root that it runs in has no compiler, and another one has.
# It takes some minutes, and is kept in .venv/roots/python until what stands here changes.
set -eu
. "$(dirname "$0")/unpack.sh"
version=3.13
root=$roots/python.root
! fresh "$roots/python" "$here/python.sh" || exit 0

echo "Compiling Python $version for Debian 11" >&2
unpack bullseye amd64 "$root" "bash,coreutils,diffutils,findutils,gawk,gcc,grep,libbz2-dev,libc6-dev,libffi-dev,liblzma-dev,libsqlite3-dev,\
libssl-dev,make,pkg-config,sed,zlib1g-dev"
ln -sf bash "$root/bin/sh" # Debian 11 makes it when dash is set up
mkdir -p "$root/source/lists"
cd "$root/source"
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >sources.list
for step in update "source --download-only python$version"; do
    # shellcheck disable=SC2086  # words
    apt-get -qq -o APT::Sandbox::User=root -o Dir::Etc::SourceList="$PWD/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$PWD/lists" $step >&2
done
tar -xf python*.orig.tar.xz --strip-components=1
"$here/enter.sh" "$root" bash -euc 'cd /source
    { AWK=gawk ./configure CC=gcc --prefix=/opt/python --disable-test-modules && make -j2 && make install; } >/tmp/log 2>&1 || {
        tail -n 20 /tmp/log
        exit 1
    }
    rm -r /opt/python/lib/libpython*.a /opt/python/lib/python*/config-*' >&2
keep "$root/opt/python" "$roots/python" "$here/python.sh"
rm -rf "$root"
