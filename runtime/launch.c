/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a process that has everything of the container but its credentials to execve.
 *
 * The host's procfs is needed up to the labels and closed before the working directory and the
 * program are looked up, so that no path of the config can lead through it (CVE-2024-21626).
 */
#include "runtime/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/parse.h"
#include "runtime/sync.h"

int launch_preserved(unsigned int n, unsigned int *ret, struct err *err)
{
	const char *listen_fds = getenv("LISTEN_FDS");
	uint32_t listen = 0;

	if (listen_fds && parse_u32(listen_fds, &listen) < 0)
		return err_set(err, EINVAL, "environment variable LISTEN_FDS '%s' is not a number",
			       listen_fds);
	if (n > 1024 || listen > 1024)
		return err_set(err, EINVAL, "more than 1024 file descriptors to preserve");
	for (unsigned int i = 0; i < n + listen; i++) {
		if (fcntl((int)(3 + i), F_GETFD) < 0)
			return err_set(err, EBADF, "file descriptor %u to preserve is not open",
				       3 + i);
	}
	*ret = n + listen;
	return 0;
}

/* process.env plus HOME, and systemd's socket activation variables (man 3 sd_listen_fds). */
static int make_env(struct launch *l, struct err *err)
{
	const char *const *given = l->process->env;
	char *home = NULL;
	size_t n = 0;
	int rc = ns_process_home(l->process, &home, err);

	if (rc < 0)
		return rc;
	while (given && given[n])
		n++;
	l->env = mem_xcalloc(n + 6, sizeof(*l->env));
	for (size_t i = 0; i < n; i++)
		l->env[i] = (char *)given[i];
	if (home)
		l->env[n++] = home;
	if (getenv("LISTEN_FDS")) {
		const char *names = getenv("LISTEN_FDNAMES");

		l->env[n++] = mem_xprintf("LISTEN_FDS=%s", getenv("LISTEN_FDS"));
		l->env[n++] = mem_xprintf("LISTEN_PID=%d", (int)getpid());
		if (names)
			l->env[n++] = mem_xprintf("LISTEN_FDNAMES=%s", names);
	}
	return 0;
}

static int set_limits(struct launch *l, struct err *err)
{
	int rc;

	if (l->process->n_rlimits == 0)
		return 0;
	if (!l->in_userns)
		return ns_process_limits_parent(0, l->process, err);
	rc = sync_tell(l->sync, SYNC_LIMITS, err);
	return rc < 0 ? rc : sync_expect(l->sync, SYNC_GO, NULL, err);
}

static int drop_privileges(struct launch *l, struct err *err)
{
	int listener = -1;
	int rc;

	if (l->notify) {
		rc = sync_tell(l->sync, SYNC_NOTIFY, err);
		if (rc < 0)
			return rc;
	}
	rc = ns_process_credentials(l->process, l->filter, &listener, err);
	if (rc < 0)
		return rc;
	if (listener >= 0 && l->notify)
		notify_publish(l->notify, listener);
	return 0;
}

int launch_prepare(struct launch *l, struct err *err)
{
	int rc;

	if ((rc = make_env(l, err)) < 0 || (rc = ns_process_scheduling(l->process, err)) < 0 ||
	    (rc = ns_process_labels(l->proc_fd, l->process, err)) < 0 ||
	    (rc = fd_cloexec_from(3 + l->preserve_fds, l->proc_fd, err)) < 0)
		return rc;
	fd_replace(&l->proc_fd, -1);
	rc = ns_process_find(l->process, &l->path, err);
	if (rc < 0 && rc != -EACCES)
		return rc;
	if (l->process->affinity_final &&
	    (rc = ns_affinity_set(0, l->process->affinity_final, err)) < 0)
		return rc;
	/* Limits last: a low one must not break the set-up itself. */
	if ((rc = set_limits(l, err)) < 0 || (rc = drop_privileges(l, err)) < 0)
		return rc;
	/* Some places only the container's own user can look into. */
	if (!l->path && (rc = ns_process_find(l->process, &l->path, err)) < 0)
		return rc;
	/* The parent may go now; if it went before saying so, reading GO finds out. */
	if (prctl(PR_SET_PDEATHSIG, 0) < 0)
		return err_sys(err, "clear the parent death signal");
	rc = sync_tell(l->sync, SYNC_READY, err);
	return rc < 0 ? rc : sync_expect(l->sync, SYNC_GO, NULL, err);
}

int launch_exec(const struct launch *l, struct err *err)
{
	execve(l->path, (char *const *)l->process->args, l->env);
	return err_sys(err, "exec '%s'", l->path);
}
