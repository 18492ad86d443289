#!/bin/sh
# Every path below /etc/nginx with its kind, mode, owner and target, and every content.
set -eu
cd /etc/nginx
find . -printf '%p %y %m %u %g %l\n' | sort
find . -type f -exec sha256sum {} + | sort
