#!/bin/bash
# Runs a command line as the user "me" in a system that root.sh made. What it mounts is gone
# when the command ends.
# usage: packaging/test/enter.sh FOLDER COMMAND-LINE
set -eu
exec unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" su -l me -c "$1"' "$1" "$2"
