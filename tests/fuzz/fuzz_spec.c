/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.json: reads the input as a bundle's configuration, as a process (exec --process) and as
 * resources (update --resources). What is taken must keep the promises that spec.h and the lower
 * modules' headers make; what is refused must say so in one printable line.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/log.h"
#include "runtime/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
	if (!cond)
		abort();
}

static void check_refusal(int rc, const struct err *e)
{
	size_t len = strlen(e->msg);

	must(rc == -e->code && e->code > 0 && len > 0);
	must(strncmp(e->msg, "in:", 3) == 0 && e->msg[3] >= '1' && e->msg[3] <= '9');
	for (size_t i = 0; i < len; i++)
		must((unsigned char)e->msg[i] >= 0x20 && e->msg[i] != 0x7f);
}

static void check_strings(const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		must(list[i] != NULL);
	must(n == 0 || !list[n]);
}

static void check_process(const struct ns_process *p)
{
	const uint64_t permitted = p->caps.permitted;
	uint64_t seen = 0;

	must(p->args && p->args[0] && *p->args[0]);
	must(p->cwd && p->cwd[0] == '/');
	must(p->env != NULL);
	for (size_t i = 0; p->env[i]; i++)
		must(strchr(p->env[i], '=') > p->env[i]);
	must(p->uid != UINT32_MAX && p->gid != UINT32_MAX && p->umask <= 0777);
	must(p->n_groups == 0 || p->groups);
	for (size_t i = 0; i < p->n_rlimits; i++) {
		must(p->rlimits[i].soft <= p->rlimits[i].hard);
		must(!(seen >> p->rlimits[i].resource & 1));
		seen |= UINT64_C(1) << p->rlimits[i].resource;
	}
	must(!(p->caps.effective & ~permitted));
	must(!(p->caps.ambient & ~(permitted & p->caps.inheritable)));
	must(p->terminal || !p->has_console_size);
	must(!p->has_oom_score_adj || (p->oom_score_adj >= -1000 && p->oom_score_adj <= 1000));
}

static void check_idmap(const struct idmap *maps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		must(maps[i].count > 0);
		must(maps[i].inside + maps[i].count > maps[i].inside);
		must(maps[i].outside + maps[i].count > maps[i].outside);
	}
}

static void check_mounts(const struct ns_rootfs *r)
{
	for (size_t i = 0; i < r->n_mounts; i++) {
		const struct ns_mount *m = &r->mounts[i];

		must(m->destination[0] == '/');
		must(!m->bind || !m->source || m->source[0] == '/');
		must(m->bind || m->type || (m->flags & MS_REMOUNT));
		must(!m->idmaps || m->bind);
		must(!m->idmaps || (m->idmaps->n_uids > 0 && m->idmaps->n_gids > 0));
		must((!m->idmap && !m->idmap_recursive) || m->idmaps);
		if (m->idmaps) {
			check_idmap(m->idmaps->uids, m->idmaps->n_uids);
			check_idmap(m->idmaps->gids, m->idmaps->n_gids);
		}
	}
}

static void check_rootfs(const struct ns_rootfs *r)
{
	must(r->path[0] == '/');
	must(r->new_mount_ns || (!r->n_mounts && !r->readonly && !r->n_masked_paths));
	check_strings(r->masked_paths, r->n_masked_paths);
	check_strings(r->readonly_paths, r->n_readonly_paths);
	for (size_t i = 0; i < r->n_masked_paths; i++)
		must(r->masked_paths[i][0] == '/');
	for (size_t i = 0; i < r->n_devices; i++) {
		const struct ns_device *d = &r->devices[i];

		must(d->type && strchr("cbp", d->type) && d->path[0] == '/' && d->path[1]);
		must(!strstr(d->path, "/../") && d->mode <= 07777);
	}
	check_mounts(r);
}

static void check_seccomp(const struct ns_seccomp *s)
{
	for (size_t i = 0; s && i < s->n_rules; i++) {
		must(s->rules[i].names && s->rules[i].names[0]);
		for (size_t k = 0; k < s->rules[i].n_args; k++)
			must(s->rules[i].args[k].index <= 5);
	}
	must(!s || !s->listener_metadata || s->listener_path);
}

static void check_spec(const struct spec *spec)
{
	const struct ns_spaces *s = &spec->spaces;

	must(strncmp(spec->oci_version, "1.", 2) == 0);
	must(s->kind[NS_UTS].listed || (!spec->hostname && !spec->domainname));
	must(s->kind[NS_USER].listed || (!s->idmaps.n_uids && !s->idmaps.n_gids));
	must(!s->kind[NS_USER].listed || s->kind[NS_USER].path ||
	     (s->idmaps.n_uids && s->idmaps.n_gids));
	must((!s->monotonic.set && !s->boottime.set) || s->kind[NS_TIME].listed);
	must(!spec->n_net_devices || s->kind[NS_NETWORK].listed);
	check_idmap(s->idmaps.uids, s->idmaps.n_uids);
	check_idmap(s->idmaps.gids, s->idmaps.n_gids);
	for (size_t i = 0; i < spec->n_annotations; i++)
		must(*spec->annotations[i].key && spec->annotations[i].value);
	for (size_t kind = 0; kind < HOOK_KIND_MAX; kind++)
		for (size_t i = 0; i < spec->hooks.n[kind]; i++)
			must(spec->hooks.list[kind][i].path[0] == '/' &&
			     spec->hooks.list[kind][i].timeout_s >= 0);
	if (spec->has_process)
		check_process(&spec->process);
	check_rootfs(&spec->rootfs);
	check_seccomp(spec->seccomp);
}

static void try_config(const char *text, size_t size)
{
	struct spec *spec = NULL, *saved = NULL;
	struct err e = ERR_INIT;
	int rc = spec_parse("/bundle", "in", text, size, &spec, &e);

	if (rc < 0) {
		must(!spec);
		check_refusal(rc, &e);
		return;
	}
	check_spec(spec);
	must(spec_parse_saved("/bundle", "in", text, size, &saved, &e) == 0);
	spec_free(saved);
	spec_free(spec);
}

static void try_parts(const char *text, size_t size)
{
	struct arena a = ARENA_INIT;
	struct ns_process p = {0};
	struct cgroup_limits limits = {0};
	struct err e = ERR_INIT;
	JSON *doc = NULL;
	int rc;

	if (json_parse("in", text, size, &doc, &e) < 0)
		return;
	rc = spec_parse_process(json_root(doc), &a, &p, &e);
	if (rc < 0)
		check_refusal(rc, &e);
	else
		check_process(&p);
	rc = spec_parse_resources(json_root(doc), &a, &limits, &e);
	if (rc < 0)
		check_refusal(rc, &e);
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool quiet;

	if (!quiet) { /* warnings about capabilities would drown everything else */
		quiet = true;
		if (log_open("fuzz_spec", NULL, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR, NULL) < 0)
			abort();
	}
	try_config((const char *)data, size);
	try_parts((const char *)data, size);
	return 0;
}
