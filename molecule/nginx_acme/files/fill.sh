#!/bin/sh
# fill.sh DIRECTORY SIZE: a file system of that size over the directory, with what is in it, and
# no room left.
set -eu
kept=$(mktemp -d)
mkdir -p "$1"
cp -a "$1/." "$kept"
mount -t tmpfs -o "size=$2,mode=0700" tmpfs "$1"
cp -a "$kept/." "$1"
rm -r "$kept"
if dd if=/dev/zero of="$1/.filler" bs=1k 2> /dev/null; then
    echo "$1 is not full" >&2
    exit 1
fi
