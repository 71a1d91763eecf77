#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# As isolation_vm.bats: devices, mounts and files.

load lib
load vm
load isolation_cases
load isolation

@test "devices" {
	compare devices
}

@test "masked and read-only paths" {
	compare paths
}

@test "a read-only root" {
	compare 'a read-only root'
}

@test "bind mounts" {
	compare 'bind mounts'
}

@test "tmpfs and mqueue" {
	compare tmpfs
}

@test "slave propagation" {
	compare 'slave propagation'
}

@test "files" {
	compare files
}
