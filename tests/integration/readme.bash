# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# README.md's blocks of commands, for the tests that run them.

# The nth block of commands.
block() { # N
	awk -v n="$1" '/^```sh$/ { i++; inside = (i == n); next } /^```$/ { inside = 0 } inside' "$TOP/README.md"
}

# A copy of the tree whose build/ is what is tested.
make_tree() {
	mkdir "$T/tree"
	ln -s "$TOP"/* "$T/tree"
	rm -f "$T/tree/build"
	ln -s "$O" "$T/tree/build"
}

# In the tree, at a terminal.
run_block() { # N [INPUT]
	block "$1" >"$T/block"
	[[ -s $T/block ]]
	expect 0 timeout 600 "$PEER" pty 24x80 sh -c \
		'cd "$1" && stty -echo && . "$2"' sh "$T/tree" "$T/block" <<<"${2-}"
}
