#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bats file_tags=machine,vm
#
# One bundle, two isolations: what processes see is the same in namespaces and in a virtual machine.
# isolation_cases.bash has what is compared.

load lib
load vm
load isolation_cases
load isolation

@test "the process: arguments, environment, user, names, streams" {
	compare process
}

@test "capabilities" {
	compare capabilities
}

@test "no capabilities" {
	compare 'no capabilities'
}

@test "attributes: limits, scheduler, priorities, personality" {
	compare attributes
}

@test "seccomp" {
	compare seccomp
}

@test "a user namespace" {
	compare 'a user namespace'
}

@test "cgroup namespace and limits" {
	compare 'cgroup namespace and limits'
}

@test "limits of processors, disks, huge pages" {
	compare "limits of the host's things"
}

@test "a writable cgroup" {
	compare 'a writable cgroup'
}

@test "time, sysctl, network" {
	compare 'time, sysctl, network'
}
