/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a process that has everything of the container but its credentials to execve.
 *
 * The host's procfs is needed up to the labels. Then every descriptor of hull's own is closed, the
 * state directory (whose lock the parent holds through the same open file) and the host's procfs
 * among them, before the working directory and the program are looked up: no path of the config can
 * lead through one (CVE-2024-21626).
 */
#include "runtime/launch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "runtime/sync.h"

/*
 * sd_listen_fds(3): what is for another process is not for us, nor for those we start. podman says
 * 1, the container's process; without LISTEN_PID the caller has not heard of the rule.
 */
static void forget_foreign_listen_fds(void)
{
	const char *value = getenv("LISTEN_PID");
	uint32_t pid;

	if (!value || (parse_u32(value, &pid) == 0 && (pid == 1 || pid == (uint32_t)getpid())))
		return;
	unsetenv("LISTEN_FDS");
}

int launch_preserved(unsigned int n, unsigned int *ret, struct err *err)
{
	const char *listen_fds;
	uint32_t listen = 0;

	forget_foreign_listen_fds();
	listen_fds = getenv("LISTEN_FDS");
	if (listen_fds && parse_u32(listen_fds, &listen) < 0)
		return err_set(err, EINVAL, "environment variable LISTEN_FDS '%s' is not a number",
			       listen_fds);
	if (n > 1024 || listen > 1024)
		return err_set(err, EINVAL, "more than 1024 file descriptors to preserve");
	for (unsigned int i = 0; i < n + listen; i++) {
		/* What the caller left to us came through execve; all of our own are close-on-exec. */
		int flags = fcntl((int)(3 + i), F_GETFD);

		if (flags < 0 || (flags & FD_CLOEXEC))
			return err_set(err, EBADF, "fd %u to preserve is not open", 3 + i);
	}
	*ret = n + listen;
	return 0;
}

/* Takes "NAME=value" (owned, NULL: nothing) in place of a variable of that name or as a new one. */
static void set_env(char **env, size_t *n, char *variable)
{
	size_t name;

	if (!variable)
		return;
	name = strcspn(variable, "=") + 1;
	for (size_t i = 0; i < *n; i++) {
		if (strncmp(env[i], variable, name) == 0) {
			env[i] = variable;
			return;
		}
	}
	env[(*n)++] = variable;
}

/* process.env plus HOME, and systemd's socket activation variables (man 3 sd_listen_fds). */
static void make_env(struct launch *l)
{
	const char *const *given = l->process->env;
	char *home = ns_process_home(l->process);
	size_t n = 0;

	while (given && given[n])
		n++;
	l->env = mem_xcalloc(n + 5, sizeof(*l->env));
	for (size_t i = 0; i < n; i++)
		l->env[i] = (char *)given[i];
	set_env(l->env, &n, home);
	if (getenv("LISTEN_FDS")) {
		const char *names = getenv("LISTEN_FDNAMES");

		set_env(l->env, &n, mem_xprintf("LISTEN_FDS=%s", getenv("LISTEN_FDS")));
		set_env(l->env, &n, mem_xprintf("LISTEN_PID=%d", (int)getpid()));
		set_env(l->env, &n, names ? mem_xprintf("LISTEN_FDNAMES=%s", names) : NULL);
	}
}

static void sort_fds(int *fds, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		for (size_t k = i; k > 0 && fds[k - 1] > fds[k]; k--) {
			int fd = fds[k];

			fds[k] = fds[k - 1];
			fds[k - 1] = fd;
		}
	}
}

/* A kernel before 5.9, or an outer container's filter: those that are open, one by one. */
static int close_listed(int proc_fd, unsigned int first, unsigned int last, struct err *err)
{
	int fd = openat(proc_fd, "self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (!dir) {
		int rc = err_sys(err, "list the open file descriptors");

		fd_close(fd);
		return rc;
	}
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		uint32_t n;

		if (parse_u32(e->d_name, &n) == 0 && n >= first && n <= last &&
		    (int)n != dirfd(dir) && (int)n != proc_fd)
			(void)close((int)n);
	}
	closedir(dir);
	return 0;
}

static int close_between(int proc_fd, unsigned int first, unsigned int last, struct err *err)
{
	if (first > last)
		return 0;
	if (!secure_getenv("HULL_NO_CLOSE_RANGE") && close_range(first, last, 0) == 0)
		return 0;
	return close_listed(proc_fd, first, last, err);
}

int launch_close_descriptors(unsigned int preserve_fds, const int keep_fds[static 3], int proc_fd,
			     struct err *err)
{
	int keep[] = {keep_fds[0], keep_fds[1], keep_fds[2], log_fd()};
	unsigned int from = 3 + preserve_fds;
	int rc;

	sort_fds(keep, ARRAY_SIZE(keep));
	for (size_t i = 0; i < ARRAY_SIZE(keep); i++) {
		if (keep[i] < (int)from)
			continue;
		rc = close_between(proc_fd, from, (unsigned int)keep[i] - 1, err);
		if (rc < 0)
			return rc;
		from = (unsigned int)keep[i] + 1;
	}
	rc = close_between(proc_fd, from, ~0U, err);
	if (rc == 0 && proc_fd >= (int)(3 + preserve_fds))
		(void)close(proc_fd);
	return rc;
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
	const int keep[] = {l->sync, l->fifo_fd, -1};
	int rc;

	make_env(l);
	if ((rc = ns_process_scheduling(l->process, err)) < 0 ||
	    (rc = ns_process_labels(l->proc_fd, l->process, err)) < 0 ||
	    (rc = launch_close_descriptors(l->preserve_fds, keep, l->proc_fd, err)) < 0)
		return rc;
	/* A relative args[0] counts from there; that it may be entered is for the credentials to say. */
	(void)!chdir(l->process->cwd);
	rc = ns_process_find(l->process, &l->path, err);
	if (rc < 0 && rc != -EACCES)
		return rc;
	if (l->process->affinity_final &&
	    (rc = ns_affinity_set(0, l->process->affinity_final, err)) < 0)
		return rc;
	/* Limits last: a low one must not break the set-up itself. */
	if ((rc = set_limits(l, err)) < 0 ||
	    (l->ready_early && (rc = sync_tell(l->sync, SYNC_READY, err)) < 0) ||
	    (rc = drop_privileges(l, err)) < 0)
		return rc;
	/*
	 * Once more as the container's user: some places only that user can look into, and root
	 * could execute more. Under a filter the first answer has to do if there was one.
	 */
	if (!l->path || !l->filter) {
		free(ptr_take(&l->path));
		rc = ns_process_find(l->process, &l->path, err);
		if (rc < 0)
			return rc;
	}
	/* The parent may go now; if it went before saying so, reading GO finds out. */
	if (prctl(PR_SET_PDEATHSIG, 0) < 0)
		return err_sys(err, "clear the parent death signal");
	rc = l->ready_early ? 0 : sync_tell(l->sync, SYNC_READY, err);
	return rc < 0 ? rc : sync_expect(l->sync, SYNC_GO, NULL, err);
}

int launch_exec(const struct launch *l, struct err *err)
{
	execve(l->path, (char *const *)l->process->args, l->env);

	/* In the words that docker and podman look for to exit with 126 and 127. */
	if (errno == EACCES)
		return err_set(err, EACCES, "exec '%s': permission denied", l->path);
	if (errno == ENOENT)
		return err_set(err, ENOENT, "exec '%s': no such file or directory", l->path);
	return err_sys(err, "exec '%s'", l->path);
}
