// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compiled filters, kept in files. A file holds the complete key it was made from beside the
 * program, and the key is compared byte for byte: the hash in the file's name only finds it, so a
 * collision costs a compilation and nothing else. The key has whatever the program depends on, each
 * part with its length or of fixed size; the filter's flags and its listener are applied at
 * installation and stay out.
 *
 * The directory is trusted only when it belongs to the caller and is closed to everybody else, a
 * file only when it is a regular one of the caller's that nobody else can write. Anything that does
 * not fit (short, damaged, another's) counts as not there and is replaced. Files appear by rename;
 * the oldest go when there are too many, and one that is used gets a new date once a day.
 */
#include "namespaces/seccomp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"

#define CACHE_MAGIC     "hullbpf1"
#define CACHE_MAX_FILES 64
#define CACHE_MAX_BYTES (4u << 20)
#define CACHE_NAME_LEN  32
#define TOUCH_AFTER_S   (24 * 60 * 60)

/* In front of the key, which the program follows. Host byte order: the file stays on this machine.
 */
struct cache_header {
	char magic[8];
	uint32_t key_len;
	uint32_t n_insns;
	uint64_t checksum; /* of the program: a file may lose its tail with the power */
};

/* FNV-1a. */
static uint64_t hash(const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	while (len--)
		h = (h ^ *p++) * UINT64_C(0x100000001b3);
	return h;
}

static void key_u32(struct buf *key, uint32_t v)
{
	buf_add(key, &v, sizeof(v));
}

static void key_u64(struct buf *key, uint64_t v)
{
	buf_add(key, &v, sizeof(v));
}

static void key_string(struct buf *key, const char *s)
{
	size_t len = strlen(s);

	key_u64(key, len);
	buf_add(key, s, len);
}

static void key_rule(struct buf *key, const struct ns_seccomp_rule *rule)
{
	uint64_t n_names = 0;

	while (rule->names[n_names])
		n_names++;
	key_u32(key, rule->action);
	key_u64(key, n_names);
	for (uint64_t i = 0; i < n_names; i++)
		key_string(key, rule->names[i]);
	key_u64(key, rule->n_args);
	for (size_t i = 0; i < rule->n_args; i++) {
		key_u32(key, rule->args[i].index);
		key_u64(key, rule->args[i].value);
		key_u64(key, rule->args[i].value_two);
		key_u32(key, (uint32_t)rule->args[i].op);
	}
}

void ns_seccomp_cache_key(const struct ns_seccomp *s, struct buf *key)
{
	struct utsname host;

	key_string(key, HULL_VERSION);
	/* Linked in statically: the header's version is the library's. */
	key_u32(key, SCMP_VER_MAJOR << 16 | SCMP_VER_MINOR << 8 | SCMP_VER_MICRO);
	/* libseccomp asks the kernel which actions it has. */
	key_string(key, uname(&host) == 0 ? host.release : "");
	key_u32(key, s->default_action);
	key_u64(key, s->n_archs);
	for (size_t i = 0; i < s->n_archs; i++)
		key_u32(key, s->archs[i]);
	key_u64(key, s->n_rules);
	for (size_t i = 0; i < s->n_rules; i++)
		key_rule(key, &s->rules[i]);
}

int ns_seccomp_cache_open(int dirfd, const char *name, struct err *err)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(dirfd, name, 0700) < 0 && errno != EEXIST)
			return err_sys(err, "create directory '%s'", name);
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	return fd < 0 ? err_sys(err, "open directory '%s'", name) : fd;
}

static bool trusted_dir(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       (st.st_mode & 077) == 0;
}

static bool trusted_file(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_uid == geteuid() && (st->st_mode & 022) == 0;
}

static void cache_name(const struct buf *key, char name[static CACHE_NAME_LEN])
{
	snprintf(name, CACHE_NAME_LEN, "%016" PRIx64 ".bpf", hash(key->data, key->len));
}

/* Keeps a file that is in use from being the oldest. */
static void touch(int fd, const struct stat *st)
{
	if (time(NULL) - st->st_mtime > TOUCH_AFTER_S)
		(void)futimens(fd, NULL);
}

static bool valid(const struct buf *file, const struct buf *key)
{
	struct cache_header h;
	size_t program_len;

	if (file->len < sizeof(h))
		return false;
	memcpy(&h, file->data, sizeof(h));
	program_len = h.n_insns * sizeof(struct sock_filter);
	return memcmp(h.magic, CACHE_MAGIC, sizeof(h.magic)) == 0 && h.key_len == key->len &&
	       h.n_insns > 0 && h.n_insns <= BPF_MAXINSNS &&
	       file->len == sizeof(h) + key->len + program_len &&
	       memcmp(file->data + sizeof(h), key->data, key->len) == 0 &&
	       hash(file->data + sizeof(h) + key->len, program_len) == h.checksum;
}

int ns_seccomp_cache_load(int cache_fd, const struct buf *key, struct buf *out)
{
	CLOSE_FD int fd = -1;
	BUF file = BUF_INIT;
	char name[CACHE_NAME_LEN];
	struct stat st;
	size_t skip = sizeof(struct cache_header) + key->len;

	if (!trusted_dir(cache_fd))
		return 0;
	cache_name(key, name);
	/* O_NONBLOCK: a FIFO in a file's place is found out below. */
	fd = openat(cache_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0 || !trusted_file(&st) || (uint64_t)st.st_size > CACHE_MAX_BYTES)
		return 0;
	if (io_read_all(fd, name, CACHE_MAX_BYTES, &file, NULL) < 0 || !valid(&file, key)) {
		log_debug("linux.seccomp: cached filter '%s' does not fit, ignoring it", name);
		return 0;
	}
	touch(fd, &st);
	buf_add(out, file.data + skip, file.len - skip);
	return 1;
}

struct cache_file {
	char name[NAME_MAX + 1];
	struct timespec mtime;
};

static int older_first(const void *pa, const void *pb)
{
	const struct timespec *a = &((const struct cache_file *)pa)->mtime;
	const struct timespec *b = &((const struct cache_file *)pb)->mtime;

	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return a->tv_nsec < b->tv_nsec ? -1 : a->tv_nsec > b->tv_nsec;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Removes the oldest files beyond CACHE_MAX_FILES, left-over temporary ones among them. */
static void evict(int cache_fd)
{
	__attribute__((cleanup(close_dir))) DIR *dir = NULL;
	FREE struct cache_file *files = NULL;
	size_t n = 0, cap = 0;
	struct dirent *entry;
	struct stat st;
	int fd = openat(cache_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		fd_close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (fstatat(cache_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    S_ISDIR(st.st_mode))
			continue;
		if (n == cap) {
			cap = cap ? 2 * cap : 2 * CACHE_MAX_FILES;
			files = mem_xrealloc(files, cap, sizeof(*files));
		}
		snprintf(files[n].name, sizeof(files[n].name), "%s", entry->d_name);
		files[n++].mtime = st.st_mtim;
	}
	if (n <= CACHE_MAX_FILES)
		return;
	qsort(files, n, sizeof(*files), older_first);
	for (size_t i = 0; i < n - CACHE_MAX_FILES; i++)
		(void)unlinkat(cache_fd, files[i].name, 0);
}

void ns_seccomp_cache_store(int cache_fd, const struct buf *key, const struct buf *program)
{
	BUF file = BUF_INIT;
	struct err e = ERR_INIT;
	char name[CACHE_NAME_LEN];
	struct cache_header h = {
		.magic = CACHE_MAGIC,
		.key_len = (uint32_t)key->len,
		.n_insns = (uint32_t)(program->len / sizeof(struct sock_filter)),
		.checksum = hash(program->data, program->len),
	};

	if (!trusted_dir(cache_fd) || sizeof(h) + key->len + program->len > CACHE_MAX_BYTES)
		return;
	buf_add(&file, &h, sizeof(h));
	buf_add(&file, key->data, key->len);
	buf_add(&file, program->data, program->len);
	cache_name(key, name);
	if (io_replace_file(cache_fd, name, 0600, file.data, file.len, &e) < 0) {
		log_debug("linux.seccomp: keep the compiled filter: %s, ignoring", e.msg);
		return;
	}
	evict(cache_fd);
}
