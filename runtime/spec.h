/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.json as plain structs. spec_load reads and checks the whole file before anything is done;
 * the lower modules get their own structs out of it and never see JSON. A property that hull cannot
 * honour is an error that names it; an unknown one is ignored (runtime-spec, config.md).
 */
#ifndef HULL_RUNTIME_SPEC_H
#define HULL_RUNTIME_SPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "cgroups/cgroups.h"
#include "namespaces/namespaces.h"

#define SPEC_OCI_VERSION "1.3.0" /* of the runtime specification that hull follows */

struct spec_hook {
	const char *path;
	const char *const *args; /* NULL-terminated; NULL: just the path */
	const char *const *env;  /* NULL-terminated; NULL: empty */
	int timeout_s;           /* 0: none */
};

enum spec_hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_KIND_MAX,
};

struct spec_hooks {
	const struct spec_hook *list[HOOK_KIND_MAX];
	size_t n[HOOK_KIND_MAX];
};

struct spec_annotation {
	const char *key, *value;
};

struct spec_net_device {
	const char *host_name, *name; /* name: in the container */
};

struct spec_rdt { /* linux.intelRdt */
	const char *clos_id, *l3_cache_schema, *mem_bw_schema;
	const char *const *schemata; /* NULL-terminated or NULL */
	bool enable_monitoring;
};

struct spec_vm { /* the vm object; what is not given is NULL or 0 */
	const char *hypervisor, *kernel, *initrd; /* absolute paths */
	const char *const *kernel_parameters;     /* NULL-terminated or NULL */
	uint32_t vcpus;
	uint64_t memory;    /* bytes */
	const char *no_use; /* a property that hull's VMM cannot honour */
};

/* Everything config.json says. All memory is the arena's or the document's. */
struct spec {
	struct arena arena;
	struct json *doc;
	const char *bundle; /* absolute path of the bundle directory */

	const char *oci_version;
	const char *hostname, *domainname; /* NULL: not given */
	const struct spec_annotation *annotations;
	size_t n_annotations;
	struct spec_hooks hooks;

	bool has_process;
	struct ns_process process;
	struct ns_spaces spaces;
	struct ns_rootfs rootfs; /* .cgroups and .userns_maps are the runtime's to fill */
	const struct ns_sysctl *sysctls;
	size_t n_sysctls;
	const struct ns_seccomp *seccomp; /* NULL: none */
	const char *cgroups_path;         /* NULL: not given */
	bool has_resources;
	struct cgroup_limits limits;
	const struct spec_net_device *net_devices;
	size_t n_net_devices;
	const struct spec_rdt *rdt; /* NULL: not given */
	bool has_vm;                /* a "vm" object is present */
	struct spec_vm vm;
};

/*
 * Loads bundle/file (file: "config.json") and appends its text to text, which may be NULL. Caller
 * frees with spec_free.
 */
int spec_load(const char *bundle, const char *file, struct buf *text, struct spec **ret,
	      struct err *err) MUST_CHECK;
/* The same from a text in memory. name is used in messages, bundle must be absolute. */
int spec_parse(const char *bundle, const char *name, const char *text, size_t len,
	       struct spec **ret, struct err *err) MUST_CHECK;
/*
 * The same from the copy that create saved: it was found right then, so warnings are not given again,
 * and namespaces named by path, which may be gone by now, are not looked at.
 */
int spec_parse_saved(const char *bundle, const char *name, const char *text, size_t len,
		     struct spec **ret, struct err *err) MUST_CHECK;
void spec_free(struct spec *spec);

/*
 * Reads a process object (exec --process) into p. Memory from a, strings borrowed from the document
 * of node. Same checks as for config.json's process.
 */
int spec_parse_process(const struct json_node *node, struct arena *a, struct ns_process *p,
		       struct err *err) MUST_CHECK;

/* Reads a linux.resources object (update --resources) into l. */
int spec_parse_resources(const struct json_node *node, struct arena *a, struct cgroup_limits *l,
			 struct err *err) MUST_CHECK;

const char *spec_hook_kind_name(enum spec_hook_kind kind);             /* "createRuntime" */
const char *spec_annotation(const struct spec *spec, const char *key); /* NULL when absent */
/*
 * True when a mount of the container's, or what masks a path, lies on path, clean and below "/", or on
 * the way to it. Links of the root are not followed.
 */
bool spec_mounts_over(const struct spec *spec, const char *path);

/* What hull supports, as runtime-spec features.md describes; appended to out as JSON. */
void features_write(struct buf *out);

/* A default config.json ("spec" command), appended to out, pretty. */
void spec_write_default(struct buf *out);

#endif
