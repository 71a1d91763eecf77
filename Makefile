# SPDX-License-Identifier: GPL-2.0-or-later
# One non-recursive Makefile: a static archive a module, programs linked from the archives they need.
# `make help` lists the targets.

O ?= build
V ?= 0
DEV ?= 0
SAN ?=
PREFIX ?= /usr
DESTDIR ?=

CC ?= gcc
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
else
HARDEN += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
LINK := -fsanitize=$(SAN)
endif
ALL_CFLAGS = -std=gnu17 $(WARN) $(HARDEN) -fPIE -ffunction-sections -fdata-sections -D_GNU_SOURCE \
	-DHULL_VERSION='"$(VERSION)"' -I. $(CFLAGS)

ifeq ($(V),0)
Q := @
say = @printf '  %-7s %s\n' $(1) $(2);
else
say :=
endif

# Modules in link order: a module may use those behind it (see `make layers`).
MODULES := runtime namespaces cgroups base
SRCS := $(foreach m,$(MODULES),$(wildcard $(m)/*.c))
OCI_SRCS := $(wildcard runtime/oci/*.c)
lib = $(O)/lib$(1).a
LIBS := $(foreach m,$(MODULES),$(call lib,$(m)))
obj = $(patsubst %.c,$(O)/%.o,$(1))

PROGRAMS := $(O)/hull-oci

EXT_LIBS := -lseccomp -lcap -lyajl
ifeq ($(SAN),)
EXT_LIBS := -lseccomp -lcap -lyajl_s
endif

.DEFAULT_GOAL := all
.PHONY: all
all: $(PROGRAMS)

define module_rule
$(call lib,$(1)): $(call obj,$(wildcard $(1)/*.c))
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@; ar rcsD $$@ $$^
endef
$(foreach m,$(MODULES),$(eval $(call module_rule,$(m))))

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/hull-oci: $(call obj,$(OCI_SRCS)) $(LIBS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LINK) -o $@ $^ $(EXT_LIBS)

-include $(shell find $(O) -name '*.d' 2>/dev/null)

.PHONY: clean
clean: ## remove what was built
	rm -rf $(O)
