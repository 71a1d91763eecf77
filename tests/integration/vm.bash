# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What tests of virtual machines begin with.

setup() {
	begin_vm
}

can_boot() {
	grep -qwE 'svm|vmx' /proc/cpuinfo && [[ -r /dev/kvm ]]
}

needs_kvm() {
	grep -qwE 'svm|vmx' /proc/cpuinfo || skip 'a processor with svm or vmx is needed'
	[[ -r /dev/kvm ]] || skip '/dev/kvm is needed'
}

# begin_vm [MIB]: the test's bundle is to be a virtual machine with so much memory.
begin_vm() {
	needs_kvm
	begin
	config '.annotations = {"org.hull.isolation": "vm", "org.hull.vm.memory-mib": $mib}' --arg mib "${1:-64}"
}
