#!/bin/sh
# Prints the path of a Clang, by one of the names that Debian has; fails where there is none.
for name in clang++ clang++-19 clang++-16 clang++-14; do
    command -v "$name" && exit
done
echo "this needs Clang (Debian: apt install clang libclang-rt-19-dev)" >&2
exit 1
