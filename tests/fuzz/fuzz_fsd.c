/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests of a guest to the FUSE server, on a directory of its own in /tmp: the input is a list of
 * records, each a request with an operation, a node, a body and the way its buffers are cut. Names
 * and numbers that the server gave come up again through small indices. Between them a further tree comes
 * and goes, as "t". Looks for memory errors,
 * answers that break the protocol, and changes outside the directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/fsd/fsd.h"

#define MAX_REQUESTS 64
#define MAX_BODY     512
#define ROOM         8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static char top[] = "/tmp/hull-fuzz-fsd-XXXXXX";
static int top_fd, proc_fd;
static uint64_t known[16]; /* nodes and handles of this run */
static size_t n_known;

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t take(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	return ftw->level ? remove(path) : 0;
}

static void write_file(const char *path, const char *content)
{
	int fd = openat(top_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, content, strlen(content)) < 0)
		abort();
	fd_close(fd);
}

static void make_tree(void)
{
	if (mkdirat(top_fd, "outside", 0755) < 0 || mkdirat(top_fd, "root", 0755) < 0 ||
	    mkdirat(top_fd, "tree", 0755) < 0 || mkdirat(top_fd, "tree/a", 0755) < 0 ||
	    symlinkat("../outside", top_fd, "tree/c") < 0 ||
	    mkdirat(top_fd, "root/a", 0755) < 0 || mkdirat(top_fd, "root/a/b", 0755) < 0 ||
	    symlinkat("../outside", top_fd, "root/c") < 0)
		abort();
	write_file("outside/a", "secret");
	write_file("root/a/a", "content");
	write_file("root/b", "more content");
	write_file("tree/b", "of the tree");
}

/* outside/ holds its one file, as it was, and beside the two nothing was made. */
static void check_outside(void)
{
	char content[16] = "";
	int fd = openat(top_fd, "outside/a", O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || read(fd, content, sizeof(content)) != 6 || strcmp(content, "secret") ||
	    fstat(fd, &st) < 0 || (st.st_mode & 07777) != 0644 || st.st_nlink != 1)
		abort();
	fd_close(fd);
	if (unlinkat(top_fd, "outside/a", 0) < 0 || unlinkat(top_fd, "outside", AT_REMOVEDIR) < 0 ||
	    fstatat(top_fd, ".", &st, 0) < 0 || st.st_nlink != 4)
		abort();
}

static void remember(uint64_t id)
{
	known[n_known++ % ARRAY_SIZE(known)] = id;
}

/* A number for the guest to say: one that it was told, or made up. */
static uint64_t number(struct input *in)
{
	uint8_t b = take(in);

	if (b < 0x80)
		return known[b % ARRAY_SIZE(known)];
	return b < 0xf0 ? b & 0x0f : (uint64_t)take(in) << (b & 0x0f) * 4;
}

/* Places in the bodies of requests where node and handle numbers are. */
static void fill_numbers(struct input *in, uint32_t opcode, uint8_t *body, size_t len)
{
	uint64_t id;

	switch (opcode) {
	case FUSE_RENAME:
	case FUSE_RENAME2:
	case FUSE_LINK:
	case FUSE_READ:
	case FUSE_WRITE:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FSYNC:
	case FUSE_FSYNCDIR:
	case FUSE_FLUSH:
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
	case FUSE_FALLOCATE:
	case FUSE_LSEEK:
	case FUSE_COPY_FILE_RANGE:
		id = number(in);
		if (len >= sizeof(id))
			memcpy(body, &id, sizeof(id));
		break;
	default:
		break;
	}
}

static size_t cut(uint8_t *data, size_t len, size_t step, struct iovec *iov)
{
	size_t n = 0;

	for (size_t at = 0; at < len; n++) {
		size_t part = len - at < step ? len - at : step;

		iov[n] = (struct iovec){data + at, part};
		at += part;
	}
	return n;
}

static void check_answer(const uint8_t *answer, size_t len, uint64_t unique, size_t room,
			 uint32_t opcode)
{
	struct fuse_out_header head;
	struct fuse_entry_out entry;
	struct fuse_open_out open_out;

	if (!len)
		return;
	memcpy(&head, answer, sizeof(head));
	if (len > room || head.len != len || head.unique != unique || head.error > 0 ||
	    head.error < -4095 || (head.error && len != sizeof(head)))
		abort();
	if (len == sizeof(head) + sizeof(entry) ||
	    len == sizeof(head) + sizeof(entry) + sizeof(open_out)) {
		memcpy(&entry, answer + sizeof(head), sizeof(entry));
		remember(entry.nodeid);
	}
	if (len == sizeof(head) + sizeof(entry) + sizeof(open_out))
		memcpy(&open_out, answer + sizeof(head) + sizeof(entry), sizeof(open_out));
	else if (opcode == FUSE_OPEN || opcode == FUSE_OPENDIR)
		memcpy(&open_out, answer + sizeof(head),
		       len >= sizeof(head) + sizeof(open_out) ? sizeof(open_out) : 0);
	else
		return;
	if (!head.error)
		remember(open_out.fh);
}

static void send_one(struct fsd *f, struct input *in, uint64_t unique)
{
	static uint8_t request[sizeof(struct fuse_in_header) + MAX_BODY];
	static uint8_t answer[ROOM + 64];
	static struct iovec out[1024], reply[1024];
	struct fuse_in_header h = {.unique = unique, .opcode = take(in) % 56};
	size_t len = (size_t)take(in) * 2, room, step = 1 + take(in), n_out, n_in;
	uint8_t how = take(in);

	if (h.opcode == FUSE_SYNCFS) /* of the host's whole /tmp */
		h.opcode = FUSE_STATFS;
	h.nodeid = number(in);
	if (len > in->left)
		len = in->left;
	memcpy(request + sizeof(h), in->at, len);
	in->at += len;
	in->left -= len;
	fill_numbers(in, h.opcode, request + sizeof(h), len);
	h.len = (uint32_t)(sizeof(h) + len) + (how & 1 ? take(in) : 0);
	h.uid = h.gid = how & 2 ? 1000 : 0;
	room = how & 4 ? take(in) : ROOM;
	memcpy(request, &h, sizeof(h));
	n_out = cut(request, sizeof(h) + len, step, out);
	n_in = cut(answer, room, how & 8 ? step + 8 : room + 1, reply);
	memset(answer, 0x5a, sizeof(answer));
	check_answer(answer, fsd_handle(f, out, n_out, reply, n_in), unique, room, h.opcode);
	for (size_t i = room; i < sizeof(answer); i++)
		if (answer[i] != 0x5a)
			abort();
}

/* True when the input says so: the tree is there now, or it is not any more. */
static bool move_tree(struct fsd *f, struct input *in, bool *there)
{
	int rc;

	if (!in->left || *in->at < 0xf0)
		return false;
	(void)take(in);
	rc = *there ? fsd_tree_remove(f, "t")
		    : fsd_tree_add(f, "t", openat(top_fd, "tree", O_PATH | O_DIRECTORY | O_CLOEXEC));
	/* It may have been moved into the shared directory by then, which both are the same mount of. */
	if (rc < 0 && rc != -EEXIST && rc != -ENFILE && rc != -EBADF)
		abort();
	*there = rc == 0 && !*there;
	return true;
}

static void say_hello(struct fsd *f)
{
	struct {
		struct fuse_in_header h;
		struct fuse_init_in in;
	} r = {.h = {.len = sizeof(r), .opcode = FUSE_INIT, .unique = 1},
	       .in = {.major = 7, .minor = 38, .flags = ~0u}};
	uint8_t answer[256];
	const struct iovec out = {&r, sizeof(r)}, in = {answer, sizeof(answer)};

	if (fsd_handle(f, &out, 1, &in, 1) < sizeof(struct fuse_out_header))
		abort();
}

static void remove_top(void)
{
	(void)nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	(void)rmdir(top);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (!mkdtemp(top) || atexit(remove_top) != 0)
		abort();
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return top_fd < 0 || proc_fd < 0 ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct fsd_config config = {.proc_fd = proc_fd};
	struct err err = ERR_INIT;
	struct fsd *f;
	int old_cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint8_t how = take(&in);
	bool there = false;

	make_tree();
	config.dir_fd = openat(top_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	config.readonly = how & 1;
	config.cache = (how >> 1) % 3;
	config.max_fds = how & 8 ? 3 : 0;
	if (fsd_new(&config, &f, &err) < 0)
		abort();
	memset(known, 0, sizeof(known));
	n_known = 0;
	remember(1);
	if (!(how & 16))
		say_hello(f);
	for (uint64_t i = 0; i < MAX_REQUESTS && in.left; i++) {
		if (!move_tree(f, &in, &there))
			send_one(f, &in, i + 2);
	}
	fsd_free(f);
	fd_close(config.dir_fd);
	if (old_cwd >= 0 && fchdir(old_cwd) < 0)
		abort();
	fd_close(old_cwd);
	check_outside();
	if (nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		abort();
	return 0;
}
