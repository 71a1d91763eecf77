/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The runtime's root directory, and the names of the containers below it. */
#include "runtime/runtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/proc.h"

#define DEFAULT_ROOT "/run/hull"
#define ID_MAX       1024

int runtime_open(const char *root, enum cgroup_manager manager, bool make_root, struct runtime *ret,
		 struct err *err)
{
	FREE char *joined = NULL;
	struct runtime rt = {.cgroup_manager = manager, .root_fd = -1, .proc_fd = -1};

	if (!root)
		root = DEFAULT_ROOT;
	if (root[0] != '/') {
		FREE char *cwd = getcwd(NULL, 0);

		if (!cwd)
			return err_sys(err, "getcwd");
		joined = path_join(cwd, root);
		root = joined;
	}

	FREE char *clean = path_clean(root);

	if (strcmp(clean, "/") == 0)
		return err_set(err, EINVAL, "--root must not be '/'");
	rt.root_fd = open(clean, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rt.root_fd < 0 && errno == ENOENT && make_root) {
		int rc = path_mkdirs(clean, 0700, err);

		if (rc < 0)
			return rc;
		rt.root_fd = open(clean, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (rt.root_fd < 0 && errno != ENOENT)
		return err_sys(err, "open root directory '%s'", clean);
	rt.proc_fd = proc_open_root(err);
	if (rt.proc_fd < 0) {
		fd_close(rt.root_fd);
		return rt.proc_fd;
	}
	rt.root = ptr_take(&clean);
	*ret = rt;
	return 0;
}

void runtime_close(struct runtime *rt)
{
	fd_replace(&rt->root_fd, -1);
	fd_replace(&rt->proc_fd, -1);
	free((char *)rt->root);
	rt->root = NULL;
}

int container_check_id(const char *id, struct err *err)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";
	size_t len = strlen(id);

	if (len == 0)
		return err_set(err, EINVAL, "container id must not be empty");
	if (len > ID_MAX || strspn(id, letters) != len || strcmp(id, ".") == 0 ||
	    strcmp(id, "..") == 0)
		return err_set(err, EINVAL,
			       "invalid container id '%.64s': only letters, digits, '_', '+', '-' "
			       "and '.' are allowed",
			       id);
	if (id[0] == '.')
		return err_set(err, EINVAL, "invalid container id '%s': it must not begin with '.'",
			       id);
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int container_ids(struct runtime *rt, char ***ret, struct err *err)
{
	char **ids = mem_xcalloc(1, sizeof(*ids));
	size_t n = 0;

	if (rt->root_fd < 0) {
		*ret = ids;
		return 0;
	}

	int fd = openat(rt->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (!dir) {
		int rc = err_sys(err, "read root directory '%s'", rt->root);

		fd_close(fd);
		free(ids);
		return rc;
	}
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		struct stat st;

		/* Names that cannot be containers (hull's own begin with '.') and plain files. */
		if (container_check_id(e->d_name, NULL) < 0)
			continue;
		if (fstatat(rt->root_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		ids = mem_xrealloc(ids, n + 2, sizeof(*ids));
		ids[n++] = mem_xstrdup(e->d_name);
		ids[n] = NULL;
	}
	closedir(dir);
	qsort(ids, n, sizeof(*ids), compare_ids);
	*ret = ids;
	return 0;
}

const char *container_status_name(enum container_status status)
{
	switch (status) {
	case CONTAINER_CREATING:
		return "creating";
	case CONTAINER_CREATED:
		return "created";
	case CONTAINER_RUNNING:
		return "running";
	case CONTAINER_PAUSED:
		return "paused";
	case CONTAINER_STOPPED:
		return "stopped";
	}
	return "unknown";
}
