/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state directory. state.json is written when the container is set up (and once before, when
 * hooks run that may ask for it) and never changes afterwards: what state reports is derived. A
 * container is
 *   creating  while state.json is missing or not "ready" and its process, or its creator's lock, lives
 *   created   while its process holds exec.fifo open for reading
 *   paused    while its cgroup is frozen
 *   stopped   once no process has the recorded pid and start time (a zombie counts as gone)
 *   running   else
 * so a crash of hull at any point cannot leave a status behind that is not true.
 */
#include "runtime/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/proc.h"

#define STATE_FILE  "state.json"
#define STATE_NEXT  "state.json.next"
#define OCI_VERSION "1.3.0"

static struct container *container_new(struct runtime *rt, const char *id)
{
	struct container *c = mem_xalloc(sizeof(*c));

	c->rt = rt;
	c->id = mem_xstrdup(id);
	c->dir_fd = c->pidfd = -1;
	return c;
}

void container_close(struct container *c)
{
	if (!c)
		return;
	fd_close(c->pidfd);
	fd_close(c->dir_fd);
	cgroup_free(c->cgroup);
	for (size_t i = 0; i < c->n_annotations; i++) {
		free((char *)c->annotations[i].key);
		free((char *)c->annotations[i].value);
	}
	free(c->annotations);
	free(c->bundle);
	free(c->rootfs);
	free(c->created);
	free(c->owner);
	free(c->cgroup_path);
	free(c->sandbox);
	free(c->guest_id);
	free(c->id);
	free(c);
}

int state_create(struct runtime *rt, const char *id, struct container **ret, struct err *err)
{
	if (mkdirat(rt->root_fd, id, 0700) < 0) {
		if (errno == EEXIST)
			return err_set(err, EEXIST, "container '%s' already exists", id);
		return err_sys(err, "make state directory '%s/%s'", rt->root, id);
	}

	struct container *c = container_new(rt, id);
	int rc = 0;

	c->dir_fd = openat(rt->root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->dir_fd < 0)
		rc = err_sys(err, "open state directory '%s/%s'", rt->root, id);
	else if (flock(c->dir_fd, LOCK_EX) < 0)
		rc = err_sys(err, "lock state directory '%s/%s'", rt->root, id);
	if (rc < 0) {
		(void)unlinkat(rt->root_fd, id, AT_REMOVEDIR);
		container_close(c);
		return rc;
	}
	*ret = c;
	return 0;
}

/* ready: the container is set up. */
static void write_state(const struct container *c, bool ready, struct buf *text)
{
	struct json_writer *w = json_w_new(false);

	json_w_object(w, NULL);
	json_w_string(w, "id", c->id);
	json_w_bool(w, "ready", ready);
	json_w_i64(w, "pid", c->pid);
	json_w_u64(w, "startTime", c->start_time);
	json_w_string(w, "bundle", c->bundle);
	json_w_string(w, "rootfs", c->rootfs);
	json_w_string(w, "created", c->created);
	json_w_string(w, "owner", c->owner);
	json_w_string(w, "cgroupPath", c->cgroup_path);
	json_w_bool(w, "cgroupsDisabled", c->cgroup_manager == CGROUP_MANAGER_DISABLED);
	json_w_bool(w, "virtualMachine", c->is_vm);
	if (c->sandbox)
		json_w_string(w, "sandbox", c->sandbox);
	if (c->guest_id)
		json_w_string(w, "guestId", c->guest_id);
	json_w_bool(w, "ownPidNamespace", c->own_pid_ns);
	json_w_bool(w, "hasProcess", c->has_process);
	json_w_object(w, "annotations");
	for (size_t i = 0; i < c->n_annotations; i++)
		json_w_string(w, c->annotations[i].key, c->annotations[i].value);
	json_w_end(w);
	json_w_end(w);
	json_w_finish(w, text);
}

int state_save_creating(struct container *c, struct err *err)
{
	BUF text = BUF_INIT;

	write_state(c, false, &text);
	return io_replace_file(c->dir_fd, STATE_FILE, 0600, text.data, text.len, err);
}

int state_stage(struct container *c, struct err *err)
{
	BUF text = BUF_INIT;
	CLOSE_FD int fd =
		openat(c->dir_fd, STATE_NEXT, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, "create '%s' in the state directory", STATE_NEXT);
	write_state(c, true, &text);

	int rc = io_write(fd, text.data, text.len);

	/* Network and quota file systems report a full disk only here. */
	if (close(fd_take(&fd)) < 0 && rc == 0)
		rc = -errno;
	return rc < 0 ? err_code(err, -rc, "write '%s' in the state directory", STATE_NEXT) : 0;
}

int state_publish(struct container *c, struct err *err)
{
	if (renameat(c->dir_fd, STATE_NEXT, c->dir_fd, STATE_FILE) < 0)
		return err_sys(err, "rename '%s' in the state directory", STATE_NEXT);
	return 0;
}

int state_remove(struct container *c, struct err *err)
{
	/* The usual ones; the walk is for all else. */
	(void)unlinkat(c->dir_fd, STATE_FILE, 0);
	(void)unlinkat(c->dir_fd, STATE_CONFIG, 0);
	if (unlinkat(c->rt->root_fd, c->id, AT_REMOVEDIR) == 0)
		return 0;
	return path_remove_tree(c->rt->root_fd, c->id, err);
}

static int take_string(const struct json_node *n, const char *key, char **ret, struct err *err)
{
	const char *s = NULL;
	int rc = json_get_string(n, key, &s, err);

	if (rc == 0)
		rc = json_error(n, err, "'%s' is missing", key);
	if (rc > 0)
		*ret = mem_xstrdup(s);
	return rc;
}

static int take_annotations(struct container *c, const struct json_node *root, struct err *err)
{
	const struct json_node *list = NULL;
	int rc = json_get_object(root, "annotations", &list, err);

	if (rc <= 0)
		return rc;
	c->annotations = mem_xcalloc(json_count(list), sizeof(*c->annotations));
	json_each (n, list) {
		const char *value = NULL;

		rc = json_as_string(n, &value, err);
		if (rc < 0)
			return rc;
		c->annotations[c->n_annotations].key = mem_xstrdup(json_key(n));
		c->annotations[c->n_annotations++].value = mem_xstrdup(value);
	}
	return 0;
}

/* One that need not be there. */
static int take_optional(const struct json_node *n, const char *key, char **ret, struct err *err)
{
	const char *s = NULL;
	int rc = json_get_string(n, key, &s, err);

	if (rc > 0)
		*ret = mem_xstrdup(s);
	return rc;
}

/* Fills c from state.json. *ret_ready: see write_state. */
static int state_load(struct container *c, bool *ret_ready, struct err *err)
{
	JSON *doc = NULL;
	const struct json_node *root;
	bool disabled = false;
	int64_t pid = 0;
	int rc = json_load(c->dir_fd, STATE_FILE, &doc, err);

	if (rc < 0)
		return rc;
	root = json_root(doc);
	if ((rc = take_string(root, "bundle", &c->bundle, err)) < 0 ||
	    (rc = take_string(root, "rootfs", &c->rootfs, err)) < 0 ||
	    (rc = take_string(root, "created", &c->created, err)) < 0 ||
	    (rc = take_string(root, "owner", &c->owner, err)) < 0 ||
	    (rc = take_string(root, "cgroupPath", &c->cgroup_path, err)) < 0 ||
	    (rc = json_get_i64(root, "pid", &pid, err)) < 0 ||
	    (rc = json_get_u64(root, "startTime", &c->start_time, err)) < 0 ||
	    (rc = json_get_bool(root, "ready", ret_ready, err)) < 0 ||
	    (rc = json_get_bool(root, "cgroupsDisabled", &disabled, err)) < 0 ||
	    (rc = json_get_bool(root, "virtualMachine", &c->is_vm, err)) < 0 ||
	    (rc = take_optional(root, "sandbox", &c->sandbox, err)) < 0 ||
	    (rc = take_optional(root, "guestId", &c->guest_id, err)) < 0 ||
	    (rc = json_get_bool(root, "ownPidNamespace", &c->own_pid_ns, err)) < 0 ||
	    (rc = json_get_bool(root, "hasProcess", &c->has_process, err)) < 0 ||
	    (rc = take_annotations(c, root, err)) < 0)
		return rc;
	c->pid = (pid_t)pid;
	c->cgroup_manager = disabled ? CGROUP_MANAGER_DISABLED : CGROUP_MANAGER_CGROUPFS;
	return 0;
}

/* Is c->pid still the process that it was? Opens its pidfd first, so that the answer stays true. */
static int check_alive(struct container *c, bool *ret_alive, struct err *err)
{
	struct proc_stat st = {0};
	int rc;

	*ret_alive = false;
	if (c->pid <= 0)
		return 0;
	c->pidfd = pidfd_open(c->pid, 0); /* born close-on-exec */
	if (c->pidfd < 0 && errno != ESRCH && errno != EINVAL)
		return err_sys(err, "open process %d", (int)c->pid);
	if (c->pidfd < 0)
		return 0;
	rc = proc_stat_read(c->rt->proc_fd, c->pid, &st, err);
	if (rc == -ENOENT || rc == -ESRCH)
		return 0;
	if (rc < 0)
		return rc;
	*ret_alive = st.start_time == c->start_time && st.state != 'Z' && st.state != 'X';
	return 0;
}

/* A reader on the fifo is the container's first process waiting for start. */
static bool waits_for_start(const struct container *c)
{
	CLOSE_FD int fd =
		openat(c->dir_fd, STATE_FIFO, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0;
}

static int is_frozen(struct container *c, struct err *err)
{
	struct cgroup *cg;
	int rc;

	if (c->cgroup_manager == CGROUP_MANAGER_DISABLED)
		return 0;
	rc = container_cgroup(c, &cg, err);
	return rc < 0 ? rc : cgroup_is_frozen(cg, err);
}

static int derive_status(struct container *c, bool ready, struct err *err)
{
	bool alive;
	int rc = check_alive(c, &alive, err);

	if (rc < 0)
		return rc;
	if (!alive) {
		fd_replace(&c->pidfd, -1);
		c->pid = 0;
		c->status = CONTAINER_STOPPED;
		return 0;
	}
	if (!ready) {
		c->status = CONTAINER_CREATING;
		return 0;
	}
	/* Before start, too: nothing that needs the process to move may wait for a frozen one. */
	rc = is_frozen(c, err);
	if (rc < 0)
		return rc;
	if (rc == 1)
		c->status = CONTAINER_PAUSED;
	else
		c->status = waits_for_start(c) ? CONTAINER_CREATED : CONTAINER_RUNNING;
	return 0;
}

/* Whoever creates the container holds the lock until it is there. */
static bool creation_runs(const struct container *c)
{
	CLOSE_FD int fd = openat(c->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int state_lock(struct container *c, enum container_lock lock, struct err *err)
{
	struct stat st;
	int rc;

	if (lock == CONTAINER_LOCK_NONE)
		return 0;
	do
		rc = flock(c->dir_fd, lock == CONTAINER_LOCK_SHARED ? LOCK_SH : LOCK_EX);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return err_sys(err, "lock state directory of container '%s'", c->id);
	/* Removed while we waited. */
	if (fstat(c->dir_fd, &st) < 0 || st.st_nlink == 0)
		return err_set(err, ENOENT, "container '%s' does not exist", c->id);
	return 0;
}

void state_unlock(struct container *c)
{
	(void)flock(c->dir_fd, LOCK_UN);
}

int container_open(struct runtime *rt, const char *id, enum container_lock lock,
		   struct container **ret, struct err *err)
{
	int rc = container_check_id(id, err);
	bool ready = false;

	if (rc < 0)
		return rc;

	int dir_fd = rt->root_fd < 0 ? -1
				     : openat(rt->root_fd, id,
					      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir_fd < 0 && (rt->root_fd < 0 || errno == ENOENT))
		return err_set(err, ENOENT, "container '%s' does not exist", id);
	if (dir_fd < 0)
		return err_sys(err, "open state directory '%s/%s'", rt->root, id);

	struct container *c = container_new(rt, id);

	c->dir_fd = dir_fd;
	rc = state_lock(c, lock, err);
	if (rc < 0)
		goto err_close;
	rc = state_load(c, &ready, err);
	if (rc == -ENOENT && lock != CONTAINER_LOCK_EXCLUSIVE && creation_runs(c)) {
		c->status = CONTAINER_CREATING;
		*ret = c;
		return 0;
	}
	if (rc < 0) {
		rc = err_set(err, ENODATA,
			     "container '%s' has no valid state, its creation was cut off; remove "
			     "it with delete --force",
			     id);
		goto err_close;
	}
	rc = derive_status(c, ready, err);
	if (rc < 0)
		goto err_close;
	*ret = c;
	return 0;

err_close:
	container_close(c);
	return rc;
}

int container_cgroup(struct container *c, struct cgroup **ret, struct err *err)
{
	/* Whoever creates it has not said yet which it will be. */
	if (!c->cgroup_path)
		return err_set(err, ESRCH, "container not running: it is being created");
	if (!c->cgroup) {
		int rc = cgroup_open(c->cgroup_manager, c->cgroup_path, &c->cgroup, err);

		if (rc < 0)
			return rc;
	}
	*ret = c->cgroup;
	return 0;
}

int container_config(struct container *c, struct spec **ret, struct err *err)
{
	BUF text = BUF_INIT;
	int rc = io_read_file(c->dir_fd, STATE_CONFIG, JSON_MAX_BYTES, &text, err);

	if (rc < 0)
		return rc;
	return spec_parse_saved(c->bundle ? c->bundle : "/", STATE_CONFIG, buf_str(&text), text.len,
				ret, err);
}

static void write_document(const struct container *c, const char *status, struct json_writer *w)
{
	json_w_string(w, "ociVersion", OCI_VERSION);
	json_w_string(w, "id", c->id);
	json_w_string(w, "status", status);
	json_w_i64(w, "pid", c->pid);
	json_w_string(w, "bundle", c->bundle ? c->bundle : "");
}

static void write_annotations(const struct container *c, struct json_writer *w)
{
	json_w_object(w, "annotations");
	for (size_t i = 0; i < c->n_annotations; i++)
		json_w_string(w, c->annotations[i].key, c->annotations[i].value);
	json_w_end(w);
}

void state_document(const struct container *c, const char *status, struct buf *out)
{
	struct json_writer *w = json_w_new(false);

	json_w_object(w, NULL);
	write_document(c, status, w);
	if (c->n_annotations > 0)
		write_annotations(c, w);
	json_w_end(w);
	json_w_finish(w, out);
}

void container_state_write(const struct container *c, struct json_writer *w)
{
	json_w_object(w, NULL);
	write_document(c, container_status_name(c->status), w);
	json_w_string(w, "rootfs", c->rootfs ? c->rootfs : "");
	json_w_string(w, "created", c->created ? c->created : "");
	write_annotations(c, w);
	json_w_string(w, "owner", c->owner ? c->owner : "");
	json_w_end(w);
}
