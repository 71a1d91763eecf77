#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine
#
# Help, version, features, spec: what needs no container.

load lib

setup() {
	begin
	only_hull
}

@test "--version: own line first, then commit and spec" {
	expect 0 hull --version
	[[ ${lines[0]} == 'hull-oci version '* ]]
	says $'\nspec: 1.'
	equal "$(hull -v)" "$output"
}

@test "help names every command, and every command helps" {
	expect 0 hull --help
	for command in create start run state kill delete exec ps list pause resume update events spec features; do
		says " $command "
		expect 0 hull $command --help
		says "$command"
		expect 0 hull --help
	done
}

@test "features is what the specification asks for, without root" {
	cp "$RUNTIME" "$T/hull-oci" && chmod 755 "$T" "$T/hull-oci"
	open_path "$T"
	expect 0 setpriv --reuid 1000 --regid 1000 --clear-groups "$T/hull-oci" features
	equal "$(jq -r '.ociVersionMin' <<<"$output")" 1.0.0
	jq -e '(.hooks | length == 6) and (.mountOptions | index("rro")) and (.linux.namespaces | length == 8)
		and (.linux.capabilities | index("CAP_SYS_ADMIN")) and .linux.cgroup.v1 and .linux.cgroup.v2
		and (.linux.cgroup.systemd | not) and .linux.seccomp.enabled and .linux.mountExtensions.idmap.enabled' <<<"$output"
}

@test "spec writes a bundle's config.json that runs, and does not overwrite one" {
	rm "$BUNDLE/config.json"
	expect 0 hull spec --bundle "$BUNDLE"
	expect 1 hull spec --bundle "$BUNDLE"
	one_error config.json
	config '.process.terminal = false | .process.args = ["id", "-u"] | .process.env += ["TEST_ID='"$ID"'"]'
	expect 0 run_bundle
	equal "$output" 0
}

@test "--root may be relative and is made" {
	cd "$T"
	args true
	expect 0 "$RUNTIME" --root some/state run --bundle "$BUNDLE" "$ID" 3>&-
}

@test "options may be written in all the ways that callers use" {
	args true
	expect 0 "$RUNTIME" --root="$STATE" run --bundle="$BUNDLE" "$ID" 3>&-
	expect 0 "$RUNTIME" -root "$STATE" run -b "$BUNDLE" "$ID" 3>&-
	expect 0 "$RUNTIME" --debug --rootless=false --log-format text --root "$STATE" run -b "$BUNDLE" --no-subreaper "$ID" 3>&-
}

@test "checkpoint and restore say that they are not supported for namespaces" {
	create
	expect 1 hull checkpoint "$ID"
	one_error 'checkpoint is not supported yet for containers made of namespaces'
	[[ ! -e checkpoint ]]
	expect 1 hull restore --bundle "$BUNDLE" "$ID-2"
	one_error 'restore is not supported yet for containers made of namespaces'
	expect 1 hull checkpoint --lazy-pages "$ID"
	one_error "'--lazy-pages' is not supported"
	expect 1 hull restore --lazy-pages --bundle "$BUNDLE" "$ID-2"
	one_error "'--lazy-pages' is not supported"
}

@test "commands that need root say so" {
	cp "$RUNTIME" "$T/hull-oci" && chmod 755 "$T" "$T/hull-oci"
	open_path "$T"
	expect 1 setpriv --reuid 1000 --regid 1000 --clear-groups "$T/hull-oci" --root "$T/user" run --bundle "$BUNDLE" "$ID"
	one_error root
}
