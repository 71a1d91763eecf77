/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/vm_config.h"

#include <string.h>
#include <sys/mount.h>

#include "base/mem.h"
#include "runtime/isolation.h"
#include "runtime/vm_machine.h"
#include "runtime/vm_mounts.h"

static void copy_members(struct json_writer *w, const struct json_node *object,
			 const char *const *except)
{
	json_each (n, object) {
		bool skip = false;

		for (size_t i = 0; except[i]; i++)
			skip |= strcmp(json_key(n), except[i]) == 0;
		if (!skip)
			json_w_node(w, json_key(n), n);
	}
}

/* Words that the share's server stands for: ids are mapped on the host. */
static bool is_hosts(const char *word)
{
	return strcmp(word, "idmap") == 0 || strcmp(word, "ridmap") == 0;
}

static bool is_recursive(const char *word)
{
	struct arena a = ARENA_INIT;
	struct ns_mount m = {0};
	bool is = ns_mount_options(&word, 1, &m, &a, NULL) == 0 && (m.rec_set || m.rec_clear);

	arena_release(&a);
	return is;
}

/*
 * The flags of the host's mount, so that the guest's has them, too; then what the configuration says:
 * all of it for the bind itself, for mounts below what is meant for the whole tree.
 */
static void write_options(struct json_writer *w, const struct json_node *options,
			  const struct vm_mount *m)
{
	static const char *const cleared[] = {"rw",       "suid",      "dev",        "exec",
					      "diratime", "symfollow", "strictatime"};

	json_w_array(w, "options");
	json_w_string(w, NULL, "bind");
	if (m) {
		FREE char *copy = mem_xstrdup(m->options);
		char *rest = copy, *word;

		for (size_t i = 0; i < ARRAY_SIZE(cleared); i++)
			json_w_string(w, NULL, cleared[i]);
		while ((word = strsep(&rest, ",")))
			json_w_string(w, NULL, word);
	}
	json_each (n, options) {
		const char *word;

		if (json_as_string(n, &word, NULL) < 0 || is_hosts(word))
			continue;
		if (!m || !*m->below || is_recursive(word))
			json_w_string(w, NULL, word);
	}
	json_w_end(w);
}

/* Caller frees. */
static char *path_of_source(const struct vm_place *place, size_t i)
{
	return place ? mem_xprintf(VM_TREES_PATH "/%s/%s", place->id, place->mounts[i])
		     : mem_xprintf(VM_SHARE_PATH "/m%zu", i);
}

static void write_bind(struct json_writer *w, const struct json_node *n, const struct ns_mount *of,
		       const char *shared, const struct vm_mount *m)
{
	const char *below = m ? m->below : "";
	FREE char *source = mem_xprintf("%s%s", shared, below);
	FREE char *destination = mem_xprintf("%s%s", of->destination, below);

	json_w_object(w, NULL);
	json_w_string(w, "type", "bind");
	json_w_string(w, "source", source);
	json_w_string(w, "destination", destination);
	write_options(w, json_get(n, "options"), m);
	json_w_end(w);
}

/* What is mounted below the source is shared as part of it, but has flags of its own. */
static int write_binds(struct json_writer *w, const struct json_node *n, const struct ns_mount *of,
		       const char *shared, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct vm_mount *list;
	size_t n_list;
	int rc = vm_mounts_of(of->source, of->flags & MS_REC, &a, &list, &n_list, err);

	if (rc == 0 && (n_list == 0 || of->copy_symlink))
		write_bind(w, n, of, shared, NULL);
	else if (rc == 0)
		for (size_t k = 0; k < n_list; k++)
			write_bind(w, n, of, shared, &list[k]);
	arena_release(&a);
	return rc;
}

static int write_mounts(const struct spec *spec, const struct vm_place *place,
			const struct json_node *mounts, struct json_writer *w, struct err *err)
{
	size_t i = 0;
	int rc = 0;

	json_w_array(w, "mounts");
	json_each (n, mounts) {
		const struct ns_mount *m = &spec->rootfs.mounts[i];

		if (m->bind && m->source && rc == 0) {
			FREE char *shared = path_of_source(place, i);

			rc = write_binds(w, n, m, shared, err);
		} else {
			json_w_node(w, NULL, n);
		}
		i++;
	}
	json_w_end(w);
	return rc < 0 ? err_wrap(err, rc, "mounts") : 0;
}

/* The namespace of another container in the guest. */
static void write_joined(const char *type, const struct vm_place *place, struct json_writer *w)
{
	int kind = ns_kind_parse(type);

	if (kind < 0 || !place->spaces[kind])
		return;

	FREE char *path = mem_xprintf(VM_PROCESSES_PATH "/%s/ns/%s", place->spaces[kind],
				      ns_kind_file((enum ns_kind)kind));

	json_w_string(w, "path", path);
}

static void write_namespaces(const struct json_node *list, const struct vm_place *place,
			     struct json_writer *w)
{
	json_w_array(w, "namespaces");
	json_each (n, list) {
		const char *type = "";

		json_w_object(w, NULL);
		copy_members(w, n, (const char *const[]){"path", NULL});
		if (place && json_get_string(n, "type", &type, NULL) > 0)
			write_joined(type, place, w);
		json_w_end(w);
	}
	json_w_end(w);
}

/*
 * CPUs and block devices have numbers of the host, where these limits hold: see vm_config_on_host. A
 * guest has no swap, so no limit of it is ever exceeded.
 */
static void write_resources(struct json_writer *w, const char *key,
			    const struct json_node *resources)
{
	static const char *const of_cpu[] = {"cpus", "mems", NULL}, *const of_memory[] = {"swap",
											  NULL};
	static const struct {
		const char *key;
		const char *const *except;
	} parts[] = {{"cpu", of_cpu}, {"memory", of_memory}};

	json_w_object(w, key);
	copy_members(w, resources, (const char *const[]){"cpu", "memory", "blockIO", NULL});
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const struct json_node *part = json_get(resources, parts[i].key);

		if (!part)
			continue;
		json_w_object(w, parts[i].key);
		copy_members(w, part, parts[i].except);
		json_w_end(w);
	}
	json_w_end(w);
}

/* Inside, it is a container like any other. */
static void write_annotations(const struct json_node *annotations, struct json_writer *w)
{
	json_w_object(w, "annotations");
	copy_members(w, annotations, (const char *const[]){ISOLATION_ANNOTATION, NULL});
	json_w_string(w, ISOLATION_ANNOTATION, "namespace");
	json_w_end(w);
}

static void write_root(const struct spec *spec, const struct vm_place *place, struct json_writer *w)
{
	const bool image = spec_annotation(spec, VM_ROOT_IMAGE_ANNOTATION);
	FREE char *path = place ? mem_xprintf(VM_TREES_PATH "/%s/%s", place->id, place->root)
				: mem_xstrdup(image ? VM_ROOT_PATH : VM_SHARE_PATH "/root");

	json_w_object(w, "root");
	json_w_string(w, "path", path);
	json_w_bool(w, "readonly", spec->rootfs.readonly);
	json_w_end(w);
}

int vm_config_for_guest(const struct spec *spec, const struct vm_place *place, struct buf *ret,
			struct err *err)
{
	const struct json_node *root = json_root(spec->doc);
	const struct json_node *hooks = json_get(root, "hooks");
	const struct json_node *linux_ = json_get(root, "linux");
	struct json_writer *w = json_w_new(false);
	int rc;

	json_w_object(w, NULL);
	copy_members(w, root,
		     (const char *const[]){"root", "mounts", "hooks", "linux", "vm", "annotations",
					   NULL});
	write_annotations(json_get(root, "annotations"), w);
	write_root(spec, place, w);
	rc = write_mounts(spec, place, json_get(root, "mounts"), w, err);
	if (json_get(hooks, "startContainer")) {
		json_w_object(w, "hooks");
		json_w_node(w, "startContainer", json_get(hooks, "startContainer"));
		json_w_end(w);
	}
	json_w_object(w, "linux");
	copy_members(w, linux_, (const char *const[]){"namespaces", "resources", NULL});
	write_namespaces(json_get(linux_, "namespaces"), place, w);
	if (json_get(linux_, "resources"))
		write_resources(w, "resources", json_get(linux_, "resources"));
	json_w_end(w);
	json_w_end(w);
	json_w_finish(w, ret);
	return rc;
}

void vm_config_limits_for_guest(const struct json_node *resources, struct buf *ret)
{
	struct json_writer *w = json_w_new(false);

	write_resources(w, NULL, resources);
	json_w_finish(w, ret);
}

/* What is beside the container's own memory: its guest's kernel, and hull-vmm. */
static int64_t with_room(int64_t bytes, uint64_t room)
{
	int64_t sum;

	if (bytes <= 0 || room > INT64_MAX || __builtin_add_overflow(bytes, (int64_t)room, &sum))
		return bytes;
	return sum;
}

static void put_memory(const struct cgroup_limits *l, uint64_t memory, struct cgroup_limits *ret)
{
	const uint64_t all = vm_machine_host_memory(memory);
	const uint64_t own = l->memory_limit.value > 0 ? (uint64_t)l->memory_limit.value : memory;

	ret->memory_limit = l->memory_limit;
	if (l->memory_limit.value > 0)
		ret->memory_limit.value = (int64_t)all;
	ret->memory_swap = l->memory_swap;
	ret->memory_swap.value = with_room(l->memory_swap.value, all > own ? all - own : 0);
	ret->memory_reservation = l->memory_reservation;
	ret->memory_reservation.value =
		with_room(l->memory_reservation.value, all > own ? all - own : 0);
}

struct cgroup_limits vm_config_on_host(const struct cgroup_limits *l, uint64_t memory)
{
	struct cgroup_limits host = {
		.cpu_shares = l->cpu_shares,
		.cpu_quota = l->cpu_quota,
		.cpu_period = l->cpu_period,
		.cpu_burst = l->cpu_burst,
		.cpu_idle = l->cpu_idle,
		.cpuset_cpus = l->cpuset_cpus,
		.cpuset_mems = l->cpuset_mems,
		.block_weight = l->block_weight,
		.block_leaf_weight = l->block_leaf_weight,
		.block_weights = l->block_weights,
		.n_block_weights = l->n_block_weights,
		.read_bps = l->read_bps,
		.n_read_bps = l->n_read_bps,
		.write_bps = l->write_bps,
		.n_write_bps = l->n_write_bps,
		.read_iops = l->read_iops,
		.n_read_iops = l->n_read_iops,
		.write_iops = l->write_iops,
		.n_write_iops = l->n_write_iops,
	};

	put_memory(l, memory, &host);
	return host;
}
