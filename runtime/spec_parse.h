/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the spec*.c files and validate.c: what reading a config.json takes beside base/json.h.
 * All spec_get_* functions follow json_get_*: 1 when the member is there, 0 when it is absent or
 * null, -errno with a message that names file, line and property. Memory comes from the arena,
 * strings are borrowed from the document unless a comment says otherwise.
 */
#ifndef HULL_RUNTIME_SPEC_PARSE_H
#define HULL_RUNTIME_SPEC_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/spec.h"

#define SPEC_MAX_ID    4294967294u /* (uid_t)-1 means "no id" to the kernel */
#define SPEC_CPU_BITS  8192        /* the kernel's largest NR_CPUS */
#define SPEC_NODE_BITS 1024        /* MAX_NUMNODES at its largest */

/* What the element readers need beside their node. */
struct spec_ctx {
	struct arena *arena;
	const char *bundle;             /* absolute */
	const struct ns_spaces *spaces; /* already read when mounts are */
	bool saved;                     /* see spec_parse_saved */
};

/* ---- helpers (spec_parse.c) ---- */

/* "required property 'KEY' is missing", at obj. Returns -EINVAL. */
int spec_missing(const struct json_node *obj, const char *key, struct err *err);
/* Puts the place of n in front of a message that a lower module made. Returns -cause->code. */
int spec_because(const struct json_node *n, const struct err *cause, struct err *err);
int spec_check_object(const struct json_node *n, struct err *err) MUST_CHECK;

/* 0, or an error when the member is absent, null, no string or empty. */
int spec_need_string(const struct json_node *obj, const char *key, const char **ret,
		     struct err *err) MUST_CHECK;
/* As json_get_string, but the empty string counts as absent, as Go's omitempty has it. */
int spec_get_text(const struct json_node *obj, const char *key, const char **ret,
		  struct err *err) MUST_CHECK;
/* As spec_get_text for a path that must begin with "/". */
int spec_get_abs_path(const struct json_node *obj, const char *key, const char **ret,
		      struct err *err) MUST_CHECK;
/* A user or group id, 0 to 2^32-2. */
int spec_get_id(const struct json_node *obj, const char *key, uint32_t *ret,
		struct err *err) MUST_CHECK;
int spec_get_ranged(const struct json_node *obj, const char *key, int64_t min, int64_t max,
		    int64_t *ret, struct err *err) MUST_CHECK;
int spec_get_limit(const struct json_node *obj, const char *key, uint64_t max, uint64_t *ret,
		   struct err *err) MUST_CHECK;
/*
 * A list of CPUs or memory nodes, checked for syntax and range (below n_bits), blanks taken out;
 * empty counts as absent.
 */
int spec_get_cpu_list(const struct json_node *obj, const char *key, size_t n_bits, struct arena *a,
		      const char **ret, struct err *err) MUST_CHECK;

/* An array of strings, given back with a closing NULL. ret_n may be NULL. */
int spec_get_strings(const struct json_node *obj, const char *key, struct arena *a,
		     const char *const **ret, size_t *ret_n, struct err *err) MUST_CHECK;

/* Reads one element of an array into element (zeroed before). */
typedef int spec_read_fn(const struct json_node *n, const struct spec_ctx *ctx, void *element,
			 struct err *err);

struct spec_array {
	void *items; /* NULL when empty */
	size_t n;
};

/* Reads an array whose elements become size bytes each. */
int spec_get_array(const struct json_node *obj, const char *key, size_t size, spec_read_fn *read,
		   const struct spec_ctx *ctx, struct spec_array *ret, struct err *err) MUST_CHECK;
/* The same for the members of an object (a map). */
int spec_get_map(const struct json_node *obj, const char *key, size_t size, spec_read_fn *read,
		 const struct spec_ctx *ctx, struct spec_array *ret, struct err *err) MUST_CHECK;

/* uidMappings or gidMappings: sizes, overlaps and the kernel's limit on their number are checked.
 */
int spec_get_idmap(const struct json_node *obj, const char *key, const struct spec_ctx *ctx,
		   const struct idmap **ret, size_t *ret_n, struct err *err) MUST_CHECK;
bool spec_idmap_covers(const struct idmap *maps, size_t n, uint32_t id);

/* path without "//", "." and ".." components; path itself when there are none, else the arena's. */
const char *spec_clean_path(struct arena *a, const char *path);

/* A name and where it stood, for finding duplicates by sorting (never by hashing: no bad case). */
struct spec_name {
	const char *name;
	size_t len;
	size_t index;
};

/* Sorts by name, then by index. */
void spec_sort_names(struct spec_name *names, size_t n);
bool spec_same_name(const struct spec_name *a, const struct spec_name *b);

/* ---- sections ---- */

int spec_read_process(const struct json_node *node, const struct spec_ctx *ctx,
		      struct ns_process *p, struct err *err) MUST_CHECK;
int spec_read_mounts(const struct json_node *root, const struct spec_ctx *ctx, struct ns_rootfs *r,
		     struct err *err) MUST_CHECK;
int spec_read_hooks(const struct json_node *hooks, const struct spec_ctx *ctx,
		    struct spec_hooks *ret, struct err *err) MUST_CHECK;
int spec_read_linux(const struct json_node *linux_node, const struct spec_ctx *ctx,
		    struct spec *spec, struct err *err) MUST_CHECK;
int spec_read_devices(const struct json_node *linux_node, const struct spec_ctx *ctx,
		      struct ns_rootfs *r, struct err *err) MUST_CHECK;
int spec_read_net_devices(const struct json_node *linux_node, const struct spec_ctx *ctx,
			  struct spec *spec, struct err *err) MUST_CHECK;
int spec_read_rdt(const struct json_node *rdt, const struct spec_ctx *ctx,
		  const struct spec_rdt **ret, struct err *err) MUST_CHECK;
int spec_read_mempolicy(const struct json_node *policy, struct arena *a,
			const struct ns_mempolicy **ret, struct err *err) MUST_CHECK;
int spec_read_personality(const struct json_node *personality, struct ns_process *p,
			  struct err *err) MUST_CHECK;
int spec_read_scheduler(const struct json_node *scheduler, struct arena *a,
			const struct ns_scheduler **ret, struct err *err) MUST_CHECK;
int spec_read_ioprio(const struct json_node *ioprio, struct arena *a, const struct ns_ioprio **ret,
		     struct err *err) MUST_CHECK;
int spec_read_block_io(const struct json_node *block, const struct spec_ctx *ctx,
		       struct cgroup_limits *l, struct err *err) MUST_CHECK;
int spec_read_seccomp(const struct json_node *seccomp, const struct spec_ctx *ctx,
		      const struct ns_seccomp **ret, struct err *err) MUST_CHECK;
int spec_read_vm(const struct json_node *vm, const struct spec_ctx *ctx, struct spec_vm *ret,
		 struct err *err) MUST_CHECK;

/* Checks that involve more than one section (validate.c). */
int spec_validate(const struct spec *spec, struct err *err) MUST_CHECK;

#endif
