// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stopping and continuing all processes of a group. On cgroup2 the kernel says when they have come
 * to rest (a priority event on cgroup.events); the v1 freezer must be asked again and again, and a
 * process that appears while it works can keep it in FREEZING until it is told to freeze once more.
 * A freeze that fails is always undone: half a frozen container would hang whoever waits for it.
 *
 * See cgroup-v2.rst, cgroup.freeze, and cgroup-v1/freezer-subsystem.rst.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define FREEZE_TIMEOUT_MS 10000
#define THAW_TIMEOUT_MS   500
#define V1_RETRY_EVERY    20

static int v2_set(struct cgroup_hier *h, bool freeze, struct err *err)
{
	const char *want = freeze ? "frozen 1" : "frozen 0";
	int64_t end = cgroup_now_ms() + (freeze ? FREEZE_TIMEOUT_MS : THAW_TIMEOUT_MS);
	int r = cgroup_write(h, "cgroup.freeze", freeze ? "1" : "0", err);
	CLOSE_FD int fd = -1;

	if (r < 0)
		return r;
	fd = openat(h->fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open '%s/cgroup.events'", h->dir);
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLPRI};
		int64_t left = end - cgroup_now_ms();
		char text[128];
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		if (n < 0)
			return err_sys(err, "read '%s/cgroup.events'", h->dir);
		text[n] = '\0';
		if (strstr(text, want))
			return 0;
		/* Not thawed, because a group above ours is frozen: our part is done. */
		if (left <= 0 && !freeze)
			return 0;
		if (left <= 0)
			return err_set(err, ETIMEDOUT,
				       "freeze cgroup '%s': some processes do not stop", h->dir);
		(void)poll(&p, 1, (int)left);
	}
}

static int v1_set(struct cgroup_hier *h, bool freeze, struct err *err)
{
	int64_t end = cgroup_now_ms() + FREEZE_TIMEOUT_MS;

	for (unsigned int try = 0;; try++) {
		char state[32];
		ssize_t n;
		int r = 0;

		if (try % V1_RETRY_EVERY == 0)
			r = cgroup_write(h, "freezer.state", freeze ? "FROZEN" : "THAWED", err);
		if (r < 0 || !freeze)
			return r;
		n = cgroup_read(h, "freezer.state", state, sizeof(state), err);
		if (n < 0)
			return (int)n;
		if (strcmp(state, "FROZEN") == 0)
			return 0;
		if (cgroup_now_ms() >= end)
			return err_set(err, ETIMEDOUT,
				       "freeze cgroup '%s': some processes do not stop", h->dir);
		cgroup_sleep_ms(1);
	}
}

int cgroup_freeze(struct cgroup *cg, bool freeze, struct err *err)
{
	struct cgroup_hier *h;
	int r;

	if (cg->manager == CGROUP_MANAGER_DISABLED)
		return cgroup_disabled(err, freeze ? "freeze the container" : "thaw the container");
	h = cgroup_main_hier(cg);
	if (!h->v2 && !cg->at[CTRL_FREEZER])
		return err_set(err, EOPNOTSUPP, "freeze cgroup '%s': this host has no freezer",
			       cg->path);
	r = h->v2 ? v2_set(h, freeze, err) : v1_set(h, freeze, err);
	if (r < 0 && freeze)
		cgroup_put(h, h->v2 ? "cgroup.freeze" : "freezer.state", h->v2 ? "0" : "THAWED");
	return r;
}

int cgroup_is_frozen(struct cgroup *cg, struct err *err)
{
	struct cgroup_hier *h;
	uint64_t frozen;
	char state[32];
	int r;

	if (cg->manager == CGROUP_MANAGER_DISABLED)
		return 0;
	h = cgroup_main_hier(cg);
	if (!h->v2 && !cg->at[CTRL_FREEZER])
		return 0;
	if (h->v2) {
		r = cgroup_read_key(h, "cgroup.events", "frozen", &frozen, err);
		/* Before Linux 5.2 there was nothing to freeze a cgroup2 group with. */
		if (r == -ENOENT || r == -ENODATA)
			return 0;
		return r < 0 ? r : frozen != 0;
	}
	r = (int)cgroup_read(h, "freezer.state", state, sizeof(state), err);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : strcmp(state, "THAWED") != 0;
}
