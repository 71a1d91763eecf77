# SPDX-License-Identifier: GPL-2.0-or-later
# One non-recursive Makefile: a static archive a module, programs linked from the archives they need.
# Objects, archives, programs and tests all lie below $(O); `make help` lists the targets.

O ?= build
V ?= 0
DEV ?= 0
SAN ?=
PREFIX ?= /usr
DESTDIR ?=
FUZZ_SECONDS ?= 30

ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
VERSION := 0.1.0

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Wimplicit-fallthrough -Wswitch-enum -Wundef \
	-Wcast-align -Wconversion -Wno-sign-conversion
ifeq ($(DEV),1)
WARN += -Werror
endif
HARDEN := -fno-common -fstack-protector-strong
ifeq ($(SAN),)
HARDEN += -D_FORTIFY_SOURCE=2
LINK := -static-pie -Wl,-z,relro,-z,now -Wl,--gc-sections
EXT_LIBS := -lseccomp -lcap -lyajl_s -lz
else
HARDEN += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
LINK := -fsanitize=$(SAN)
EXT_LIBS := -lseccomp -lcap -lyajl -lz
endif
# hull-oci is started once for each command, hull-vmm and the guest's agent for each machine: linked
# with musl they skip what glibc asks the processor at every start, which costs more than the rest of
# it in a virtual machine (docs/performance.md). Sanitizers and coverage know glibc only.
LIBC ?= musl
ifneq ($(SAN),)
override LIBC := glibc
endif
STD := -std=gnu17 -D_GNU_SOURCE -DHULL_VERSION='"$(VERSION)"' -I.
ALL_CFLAGS = $(STD) -include base/banned.h $(WARN) $(HARDEN) -fPIE -ffunction-sections -fdata-sections $(CFLAGS)

ifeq ($(V),0)
Q := @
say = @printf '  %-7s %s\n' $(1) $(2);
else
say :=
endif

# Modules in link order: a module may use those behind it (see `make layers`).
MODULES := runtime namespaces cgroups microvm base
DIRS_microvm := microvm microvm/boot microvm/x86 microvm/virtio microvm/fsd
dirs = $(or $(DIRS_$(1)),$(1))
module_srcs = $(wildcard $(addsuffix /*.c,$(call dirs,$(1))))
SRCS := $(foreach m,$(MODULES),$(call module_srcs,$(m)))
OCI_SRCS := $(wildcard runtime/oci/*.c)
CHECK_SRCS := $(wildcard microvm/check/*.c)
GUEST_SRCS := $(wildcard microvm/guest/*.c)
VMM_SRCS := $(wildcard runtime/vmm/*.c)
NETDEV_SRCS := $(wildcard namespaces/netdev/*.c)
obj = $(patsubst %.c,$(O)/%.o,$(1))
lib = $(O)/lib$(1).a
libs = $(foreach m,$(1),$(call lib,$(m)))
LIBS := $(call libs,$(MODULES))

PROGRAMS := $(O)/hull-oci $(O)/hull-netdev $(O)/hull-vmm $(O)/hull-agent

.DEFAULT_GOAL := all
.PHONY: all
all: $(PROGRAMS) ## build the programs

# --- modules and programs ---

M := $(O)/musl
to_musl = $(patsubst $(O)/%,$(M)/%,$(1))

define archive_rule
$(1): $(2)
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@; ar rcsD $$@ $$^
endef
define module_rule
$(call archive_rule,$(call lib,$(1)),$(call obj,$(2)))
$(call archive_rule,$(call to_musl,$(call lib,$(1))),$(call to_musl,$(call obj,$(2))))
endef
$(foreach m,$(filter-out microvm,$(MODULES)),$(eval $(call module_rule,$(m),$(call module_srcs,$(m)))))
# It has a source that is made here.
FILTERS := $(O)/microvm/filters/made
$(eval $(call archive_rule,$(call lib,microvm),$(call obj,$(call module_srcs,microvm)) $(FILTERS).o))
$(eval $(call archive_rule,$(call to_musl,$(call lib,microvm)),$(call to_musl,$(call obj,$(call module_srcs,microvm))) $(FILTERS).o))
$(eval $(call module_rule,oci,$(filter-out runtime/oci/main.c,$(OCI_SRCS))))
$(eval $(call module_rule,check,$(CHECK_SRCS)))
$(eval $(call module_rule,guest,$(filter-out microvm/guest/main.c,$(GUEST_SRCS))))
$(eval $(call module_rule,netdev,$(filter-out namespaces/netdev/main.c,$(NETDEV_SRCS))))

$(O)/%.o: %.c $(O)/.flags | $(O)/.headers
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The system call filters of a virtual machine's processes, by the program that knows libseccomp.
$(O)/microvm/filters/compile: $(call obj,microvm/filters/compile.c microvm/jail_calls.c microvm/fsd/calls.c)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(if $(SAN),-fsanitize=$(SAN)) -pie -o $@ $^ -lseccomp
$(FILTERS).c: $(O)/microvm/filters/compile
	$(call say,MAKE,$@)
	$(Q)$< >$@.new && mv $@.new $@
$(FILTERS).o: $(FILTERS).c
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# The same for musl, below $(O)/musl. Its headers, the kernel's and those of the libraries are all
# that the compiler gets to see there: a header of glibc would be a mistake that compiles. Three
# warnings are of macros and types of musl's own; the same code has been compiled with them above.
ARCH := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
MULTIARCH := $(ARCH)-linux-gnu
MUSL := $(ARCH)-linux-musl
MUSL_CFLAGS := -nostdinc -isystem /usr/include/$(MUSL) -isystem $(shell $(CC) -print-file-name=include) \
	-isystem $(M)/include -include base/musl.h -Wno-cast-align -Wno-sign-compare -Wno-conversion
MUSL_HEADERS := linux asm-generic video seccomp.h seccomp-syscalls.h sys/capability.h yajl libmnl zlib.h zconf.h
crt = $(shell $(CC) -print-file-name=$(1))
MUSL_LIBC := $(if $(filter musl,$(LIBC)),/usr/lib/$(MUSL)/libc.a)
MUSL_START := /usr/lib/$(MUSL)/rcrt1.o /usr/lib/$(MUSL)/crti.o $(call crt,crtbeginS.o)
MUSL_END := -Wl,--start-group $(MUSL_LIBC) $(shell $(CC) -print-libgcc-file-name) -Wl,--end-group \
	$(call crt,crtendS.o) /usr/lib/$(MUSL)/crtn.o

$(M)/%.o: %.c $(M)/.include | $(O)/.headers
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(MUSL_CFLAGS) -MMD -MP -c -o $@ $<

# <sys/pidfd.h> is glibc's own; base/musl.h has what it declares.
$(M)/.include: Makefile $(O)/.flags
	@mkdir -p $(M)/include/sys
	@for h in $(MUSL_HEADERS); do ln -sfn /usr/include/$$h $(M)/include/$$h; done
	@ln -sfn /usr/include/$(MULTIARCH)/asm $(M)/include/asm
	@ln -sfn /usr/include/$(MULTIARCH)/sys/queue.h $(M)/include/sys/queue.h
	@touch $(M)/include/sys/pidfd.h $@

# A program of one of the two: its objects and archives, then the option that names its entry point.
ifeq ($(LIBC),musl)
starts_often = $(to_musl)
link_often = $(CC) $(ALL_CFLAGS) $(LINK) -nostdlib $(1) -o $@ $(MUSL_START) $^ $(EXT_LIBS) $(MUSL_END)
else
starts_often = $(1)
link_often = $(CC) $(ALL_CFLAGS) $(LINK) $(1) -o $@ $^ $(EXT_LIBS)
endif

# Of microvm/ it links what is said to the guest.
$(O)/hull-oci: $(call starts_often,$(call obj,runtime/oci/main.c microvm/proto.c) $(call libs,oci check runtime namespaces cgroups base))
	$(call say,LINK,$@)
	$(Q)$(call link_often,$(ENTRY))

# The entry point runs before the C library is there: no calls into it, explicit or made up.
$(O)/runtime/oci/entry.o $(M)/runtime/oci/entry.o: ALL_CFLAGS += -fno-builtin -fno-stack-protector
ifeq ($(SAN),)
ifeq ($(ARCH),x86_64)
ENTRY := -Wl,-u,hull_entry -Wl,-e,hull_entry
endif
endif

# Linked dynamically: Debian has no static libmnl. It runs only for containers with netDevices and
# for virtual machines with a network.
$(O)/hull-netdev: $(call obj,namespaces/netdev/main.c) $(call libs,netdev base)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(if $(SAN),-fsanitize=$(SAN)) -pie -Wl,-z,relro,-z,now -o $@ $^ -lmnl

$(O)/hull-vmm: $(call starts_often,$(call obj,$(VMM_SRCS)) $(call libs,check) $(LIBS))
	$(call say,LINK,$@)
	$(Q)$(call link_often)

# The guest's first process: hull's runtime, and of microvm/ the same.
$(O)/hull-agent: $(call starts_often,$(call obj,microvm/guest/main.c microvm/proto.c) $(call libs,guest runtime namespaces cgroups base))
	$(call say,LINK,$@)
	$(Q)$(call link_often)

# The version names the commit; a new one has only main.c built again.
COMMIT := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
OCI_MAIN := $(call starts_often,$(O)/runtime/oci/main.o)
$(OCI_MAIN): private ALL_CFLAGS += -DHULL_COMMIT='"$(COMMIT)"'
$(OCI_MAIN): $(O)/.commit
$(O)/.commit: FORCE
	@mkdir -p $(O)
	@echo '$(COMMIT)' | cmp -s - $@ || echo '$(COMMIT)' >$@

# Changes when the compiler or its flags do, and so has everything built again.
$(O)/.flags: FORCE
	@mkdir -p $(O)
	@echo '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(MUSL_CFLAGS) $(MUSL_HEADERS) $(MULTIARCH) $(LINK) $(LIBC))' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
.PHONY: FORCE
FORCE:

# Once a build directory: one clear line instead of the compiler's about a missing header.
$(O)/.headers:
	@mkdir -p $(O)
	@$(if $(MUSL_LIBC),test -e $(MUSL_LIBC) && )printf '#include <%s>\n' stdio.h linux/mount.h seccomp.h sys/capability.h yajl/yajl_parse.h libmnl/libmnl.h zlib.h | \
		$(CC) -E -x c -o /dev/null - 2>/dev/null || \
		{ echo "hull: a compiler or a library's header is missing: run scripts/deps build (as root)" >&2; exit 1; }
	@touch $@

# --- the guest ---

# The kernels are kept outside the tree by their inputs, Debian's source package among them: the script is always asked,
# and what was built once is copied.
GUEST_FILES := $(O)/guest/vmlinux-fast $(O)/guest/vmlinux-full $(O)/guest/initramfs

$(O)/guest/vmlinux-%: FORCE
	$(Q)microvm/guest/kernel/build $* $@.new
	$(Q)if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# Each byte of it is read into the guest's memory, and copied there once more.
$(O)/guest/initramfs: microvm/guest/initramfs $(O)/hull-agent
	@mkdir -p $(@D)
	$(call say,PACK,$@)
	$(Q)strip -o $@.agent $(O)/hull-agent
	$(Q)$< $@.agent $@
	$(Q)rm $@.agent

.PHONY: guest guest-files
guest: ## install what it needs, build the guest's kernels and initramfs
	$(Q)scripts/deps build guest
	$(Q)$(MAKE) --no-print-directory guest-files
guest-files: $(GUEST_FILES)

# --- tests ---

# A unit test links the archives that its module may use, and nothing above.
TEST_LIBS := -lcmocka -Wl,--as-needed -lm -lseccomp -lcap -lyajl -lmnl -lz
UNIT_SRCS := $(wildcard tests/unit/*/test_*.c)
UNIT_TESTS := $(patsubst %.c,$(O)/%,$(UNIT_SRCS))

define unit_rule
$(O)/tests/unit/$(1)/test_%: $(O)/tests/unit/$(1)/test_%.o $(call libs,$(2))
	$$(call say,LINK,$$@)
	$$(Q)$(CC) $(ALL_CFLAGS) $(if $(SAN),-fsanitize=$(SAN)) -pie -o $$@ $$^ $(TEST_LIBS)
endef
$(eval $(call unit_rule,base,base))
$(eval $(call unit_rule,cgroups,cgroups base))
$(eval $(call unit_rule,namespaces,namespaces base))
$(eval $(call unit_rule,microvm,microvm base))
$(eval $(call unit_rule,runtime,$(MODULES)))
$(eval $(call unit_rule,oci,oci $(MODULES)))
$(eval $(call unit_rule,check,check base))
$(eval $(call unit_rule,netdev,netdev guest $(MODULES)))
# Runs the program.
$(O)/tests/unit/namespaces/test_netdev: | $(O)/hull-netdev
.PRECIOUS: $(O)/%.o

# Programs for use beside and inside containers: static and without a sanitizer, so that any root
# file system will do.
HELPERS := $(patsubst %.c,$(O)/%,$(wildcard tests/helper/*.c))
$(O)/tests/helper/%: tests/helper/%.c $(O)/.flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(STD) $(WARN) -O1 -g -static -o $@ $<

.PHONY: tests unit check check-root check-machine check-vm demo
# A guest of the tests' own, and the program that runs it.
GUEST_TESTS := $(O)/tests/guest/host $(O)/tests/guest/run $(O)/tests/guest/initramfs $(O)/guest/initramfs
$(O)/tests/guest/host $(O)/tests/guest/run: $(O)/tests/guest/%: $(O)/tests/guest/%.o $(call libs,microvm base)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LINK) -o $@ $^ $(EXT_LIBS)
$(O)/tests/guest/guest: tests/guest/guest.c $(O)/.flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(STD) -O1 -g -static -o $@ $<
$(O)/tests/guest/initramfs: microvm/guest/initramfs $(O)/tests/guest/guest
	$(Q)microvm/guest/initramfs $(O)/tests/guest/guest $@

tests: all $(UNIT_TESTS) $(HELPERS) $(GUEST_TESTS) ## build the programs and all tests

unit: $(UNIT_TESTS) ## build and run the unit tests
	$(Q)tests/run --build $(O) unit

check: ## install what tests need, build, run all tests
	$(Q)scripts/deps build test machine guest
	$(Q)$(MAKE) --no-print-directory tests guest-files build-debian
	$(Q)tests/run --build $(O)

check-root: tests ## run the unit and integration tests, as root
	$(Q)tests/run --build $(O) unit integration

check-machine: tests ## run the cgroup v2 tests in the emulated host
	$(Q)tests/run --build $(O) machine

# A Debian for guests, where the emulated host sees it, and find(1) for our dependencies does not.
build-debian: scripts/debian
	$(Q)scripts/debian $@ && touch $@

check-vm: tests guest-files build-debian ## run the tests that boot guests, in the emulated host without svm or vmx
	$(Q)tests/run --build $(O) vm

# The second part wants a kernel for the guest, whose build takes minutes once, and a host that can run it: one with
# svm or vmx, else the emulated one.
demo: ## install what is missing, build, run a container in namespaces and one in a virtual machine
	$(Q)scripts/deps build demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)O=$(O) scripts/demo namespace
	$(Q)scripts/deps guest $(if $(HARDWARE_KVM),,machine)
	$(Q)$(MAKE) --no-print-directory $(O)/guest/vmlinux-fast $(O)/guest/initramfs
	$(Q)O=$(O) scripts/demo $(if $(HARDWARE_KVM),vm,vm-emulated)
HARDWARE_KVM := $(shell grep -qwE 'svm|vmx' /proc/cpuinfo && test -w /dev/kvm && echo yes)

# --- checks of the source ---

ALL_SRCS := $(SRCS) $(OCI_SRCS) $(CHECK_SRCS) $(GUEST_SRCS) $(VMM_SRCS) $(NETDEV_SRCS)
HEADERS := $(filter-out base/musl.h,$(wildcard $(addsuffix /*.h,$(foreach m,$(MODULES),$(call dirs,$(m))) runtime/oci runtime/vmm microvm/check microvm/guest namespaces/netdev)))

.PHONY: lint layers headers analyze format format-check
lint: ## banned functions, close-on-exec, SPDX lines, shellcheck, codespell
	$(Q)scripts/lint

layers: ## check who includes whom
	$(Q)scripts/layers

headers: ## compile each header alone
	$(Q)for h in $(HEADERS); do \
		echo "#include \"$$h\"" | $(CC) $(ALL_CFLAGS) -Werror -fsyntax-only -x c - || exit 1; done

# Slow ones: each source goes through three analyzers, and all are heard before this fails. What is
# turned off cannot be told from inside one file: that a function of another file which returns 0 has
# filled its result, that allocations of chosen sizes do not fail; and cppcheck 2.10 does not know the
# cleanup attribute, so leaks of descriptors are left to the tests (tests/unit/leaks.h). readdir(3) is
# safe with a DIR of one's own.
CLANG_OFF := core.NullDereference core.NonNullParamChecker core.CallAndMessage \
	core.uninitialized.Assign core.uninitialized.Branch core.uninitialized.UndefReturn \
	core.UndefinedBinaryOperatorResult unix.cstring.NullArg
CPPCHECK_OFF := missingInclude resourceLeak memleak ctunullpointer readdirCalled
analyze: ## gcc -fanalyzer, clang --analyze, cppcheck
	$(Q)bad=0; for f in $(ALL_SRCS); do printf '  %-7s %s\n' ANALYZE $$f; \
		gcc $(ALL_CFLAGS) -fanalyzer -Wno-analyzer-null-dereference -Werror -c -o /dev/null $$f || bad=1; \
		clang $(STD) --analyze -Xclang -analyzer-werror -Xclang -analyzer-output=text \
			$(CLANG_OFF:%=-Xclang -analyzer-disable-checker=%) -o /dev/null $$f || bad=1; \
	done; \
	cppcheck --quiet --std=c11 --library=posix --library=gnu -D_GNU_SOURCE -I. --inline-suppr \
		--enable=warning,performance,portability $(CPPCHECK_OFF:%=--suppress=%) \
		--error-exitcode=1 $(ALL_SRCS) || bad=1; exit $$bad

C_FILES = $(shell git ls-files '*.c' '*.h')
format: ## lay out the C code by .clang-format
	$(Q)clang-format -i $(C_FILES)

format-check: ## say where the layout differs
	$(Q)clang-format --dry-run -Werror $(C_FILES)

# --- fuzzing, coverage, benchmark: builds of their own below $(O) ---

FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
.PHONY: fuzz fuzzers cover bench bench-vm
$(O)/tests/fuzz/fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(call libs,oci check guest) $(LIBS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $^ $(EXT_LIBS)
fuzzers: $(FUZZERS:%=$(O)/tests/fuzz/fuzz_%)

fuzz: ## run each fuzzer for FUZZ_SECONDS on its corpus
	$(Q)$(MAKE) --no-print-directory O=$(O)/fuzz CC=clang SAN=fuzzer-no-link,address,undefined fuzzers
	$(Q)set -e; new=$$(mktemp -d); trap 'rm -rf "$$new"' EXIT; for f in $(FUZZERS); do \
		echo "  FUZZ    $$f"; mkdir $$new/$$f; \
		$(O)/fuzz/tests/fuzz/fuzz_$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -verbosity=0 \
			-print_final_stats=1 -artifact_prefix=$(O)/fuzz/$$f- $$new/$$f tests/fuzz/corpus/$$f; done

# Not counted: what a container's process does inside, as it ends in execve where the tree is out of sight. The profiler
# says so on standard error, "profiling: …", and a dozen tests that compare all output fail by that, hence "|| true".
cover: ## lines that the unit and integration tests reach
	$(Q)$(MAKE) --no-print-directory O=$(O)/cover LIBC=glibc CFLAGS='-O0 -g --coverage -fprofile-update=atomic' tests
	$(Q)find $(O)/cover -name '*.gcda' -delete
	$(Q)tests/run --build $(O)/cover unit integration || true
	$(Q)lcov --quiet --capture --directory $(O)/cover --base-directory . --no-external \
		--exclude '*/tests/*' --output-file $(O)/cover/hull.info
	$(Q)lcov --list $(O)/cover/hull.info

BENCH := $(patsubst %.c,$(O)/%,$(wildcard tests/bench/*.c))
$(O)/tests/bench/%: tests/bench/%.c $(O)/.flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(STD) $(WARN) -O2 -static -o $@ $<
# With the C library of hull-oci, or its start would be what is compared.
$(O)/tests/bench/minimal: $(call starts_often,$(O)/tests/bench/minimal.o)
	$(call say,LINK,$@)
	$(Q)$(call link_often)

bench: all $(BENCH) ## compare start-up time and memory with other runtimes
	$(Q)O=$(O) tests/bench/run

# vmm is a machine and links microvm/; load runs inside one.
BENCH_VM := $(addprefix $(O)/tests/bench/vm/,vmm hello peer initramfs) $(O)/tests/guest/host
$(O)/tests/bench/vm/vmm: $(O)/tests/bench/vm/vmm.o $(call libs,microvm base)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LINK) -o $@ $^ $(EXT_LIBS)
$(O)/tests/bench/vm/initramfs: microvm/guest/initramfs $(O)/tests/bench/vm/load
	$(Q)microvm/guest/initramfs $(O)/tests/bench/vm/load $@

bench-vm: all $(BENCH_VM) $(O)/guest/vmlinux-fast $(O)/guest/initramfs ## compare virtual machines with QEMU's
	$(Q)O=$(O) tests/bench/vm/run

# --- documents and installation ---

MAN := $(O)/docs/man/hull-oci.8
$(O)/docs/man/%: docs/man/%.scd
	@mkdir -p $(@D)
	$(call say,MAN,$@)
	$(Q)scdoc <$< >$@.new && mv $@.new $@

.PHONY: man install clean help
man: $(MAN) ## build the manual page, by scdoc

install: all ## install below $(DESTDIR)$(PREFIX)
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(O)/hull-oci
	ln -sf hull-oci $(DESTDIR)$(PREFIX)/bin/hull-oci-vm
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/libexec/hull $(O)/hull-netdev $(O)/hull-vmm
	$(Q)if [ -e $(O)/guest/vmlinux-fast ] && [ -e $(O)/guest/initramfs ]; then \
		install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/hull $(O)/guest/vmlinux-fast $(O)/guest/initramfs; \
	else \
		echo "hull: no guest for virtual machines: run make guest first (as root)" >&2; \
	fi
	$(Q)if ! command -v scdoc >/dev/null; then \
		echo "hull: no manual page: scdoc is missing, run scripts/deps docs (as root)" >&2; \
	else \
		$(MAKE) --no-print-directory man && \
		install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 $(MAN); \
	fi

clean: ## remove what was built
	rm -rf $(O)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | sort | \
		awk -F '\t' '{ printf "  %-14s %s\n", $$1, $$2 }'
	@echo '  Variables: O=DIR build there, V=1 show commands, DEV=1 warnings are errors,'
	@echo '  SAN=address,undefined, CC=clang, FUZZ_SECONDS=30, PREFIX=/usr, DESTDIR='

-include $(shell find $(O) -name '*.d' 2>/dev/null)
