// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cache of compiled filters. That a filter comes from the file and not from libseccomp is shown
 * by a file whose program no compilation of the profile gives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "namespaces/namespaces.h"
#include "tests/unit/leaks.h"
#include "tests/unit/namespaces/child.h"

#define DENY            SCMP_ACT_ERRNO(EPERM)
#define MAX_FILE        (256 * 1024)
#define CHECKSUM_OFFSET 16

static const char *const read_write[] = {"read", "write", NULL};
static const struct ns_seccomp_rule simple_rule = {.names = read_write, .action = SCMP_ACT_ALLOW};
static const struct ns_seccomp simple = {
	.default_action = DENY, .rules = &simple_rule, .n_rules = 1};

static char dir[64];

static int cache_setup(void **state)
{
	(void)state;
	return test_dir(dir) ? 0 : -1;
}

static int cache_teardown(void **state)
{
	CLOSE_FD int tmp = open("/tmp", O_PATH | O_CLOEXEC);

	(void)state;
	return path_remove_tree(tmp, strrchr(dir, '/') + 1, NULL);
}

static int open_cache(void)
{
	struct err e = ERR_INIT;
	int fd = ns_seccomp_cache_open(AT_FDCWD, dir, &e);

	assert_true(fd >= 0);
	return fd;
}

static struct ns_seccomp_filter build(const struct ns_seccomp *s, int cache_fd)
{
	struct ns_seccomp_filter f = {0};
	struct err e = ERR_INIT;

	if (ns_seccomp_build(s, cache_fd, &f, &e) < 0)
		fail_msg("%s", e.msg);
	return f;
}

static bool same(const struct ns_seccomp_filter *a, const struct ns_seccomp_filter *b)
{
	return a->n_insns == b->n_insns && a->flags == b->flags &&
	       memcmp(a->insns, b->insns, a->n_insns * sizeof(struct sock_filter)) == 0;
}

/* Number of files in the cache; the name of the last one seen. */
static size_t count_files(char name[static NAME_MAX + 1])
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	size_t n = 0;

	assert_non_null(d);
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		if (name)
			snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
		n++;
	}
	closedir(d);
	return n;
}

static size_t files(void)
{
	char name[NAME_MAX + 1];

	return count_files(name);
}

/* The path of the only file. */
static const char *only_file(void)
{
	static char path[sizeof(dir) + NAME_MAX + 2];
	char name[NAME_MAX + 1] = "";

	assert_int_equal(count_files(name), 1);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static size_t read_file(const char *path, unsigned char data[static MAX_FILE])
{
	CLOSE_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, data, MAX_FILE);

	assert_true(n > 0);
	return (size_t)n;
}

static void write_file(const char *path, const unsigned char *data, size_t len)
{
	CLOSE_FD int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_int_equal(write(fd, data, len), len);
}

/* Makes the cached program one that kills on everything, with a checksum that fits. */
static void plant_program(const char *path, uint32_t answer)
{
	unsigned char data[MAX_FILE];
	size_t len = read_file(path, data), at;
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	struct sock_filter insn = BPF_STMT(BPF_RET | BPF_K, answer);
	uint32_t n_insns;

	memcpy(&n_insns, data + 12, sizeof(n_insns));
	at = len - n_insns * sizeof(insn);
	memcpy(data + at, &insn, sizeof(insn));
	for (size_t i = at; i < len; i++)
		sum = (sum ^ data[i]) * UINT64_C(0x100000001b3);
	memcpy(data + CHECKSUM_OFFSET, &sum, sizeof(sum));
	write_file(path, data, len);
}

static bool first_answers(const struct ns_seccomp_filter *f, uint32_t answer)
{
	const struct sock_filter *insns = f->insns;

	return insns[0].code == (BPF_RET | BPF_K) && insns[0].k == answer;
}

static void test_hit(void **state)
{
	CLOSE_FD int cache = open_cache();
	struct ns_seccomp_filter made = build(&simple, -1);
	struct ns_seccomp_filter first = build(&simple, cache), second, planted;
	struct stat st;

	(void)state;
	assert_true(same(&made, &first));
	assert_int_equal(stat(only_file(), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	second = build(&simple, cache);
	assert_true(same(&made, &second));
	assert_int_equal(files(), 1);

	plant_program(only_file(), SECCOMP_RET_TRAP);
	planted = build(&simple, cache);
	assert_true(first_answers(&planted, SECCOMP_RET_TRAP));

	ns_seccomp_release(&made);
	ns_seccomp_release(&first);
	ns_seccomp_release(&second);
	ns_seccomp_release(&planted);
}

/* What is asked for at installation is not part of the program, but of the answer. */
static void test_flags_are_not_cached(void **state)
{
	CLOSE_FD int cache = open_cache();
	struct ns_seccomp s = simple;
	struct ns_seccomp_filter f = build(&s, cache);

	(void)state;
	assert_int_equal(f.flags, SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	assert_true(f.default_flags);
	ns_seccomp_release(&f);
	s.flags_given = true;
	s.flags = SECCOMP_FILTER_FLAG_LOG;
	s.listener_path = "/run/listener";
	f = build(&s, cache);
	assert_int_equal(f.flags, SECCOMP_FILTER_FLAG_LOG);
	assert_false(f.default_flags);
	assert_int_equal(files(), 1);
	ns_seccomp_release(&f);
}

/* Every field that shapes the program has its part in the key. */
static void test_key(void **state)
{
	const char *const ab_c[] = {"ab", "c", NULL}, *const a_bc[] = {"a", "bc", NULL};
	const char *const abc[] = {"abc", NULL}, *const none[] = {NULL};
	const struct ns_seccomp_arg arg = {0, 1, 2, SCMP_CMP_EQ};
	const struct ns_seccomp_arg variants[] = {{1, 1, 2, SCMP_CMP_EQ},
						  {0, UINT64_C(0x100000001), 2, SCMP_CMP_EQ},
						  {0, 1, 3, SCMP_CMP_EQ},
						  {0, 1, 2, SCMP_CMP_MASKED_EQ}};
	const uint32_t archs[] = {SCMP_ARCH_X86, SCMP_ARCH_AARCH64};
	const struct ns_seccomp_rule rules[] = {
		{ab_c, SCMP_ACT_ALLOW, NULL, 0},
		{a_bc, SCMP_ACT_ALLOW, NULL, 0},
		{abc, SCMP_ACT_ALLOW, NULL, 0},
		{none, SCMP_ACT_ALLOW, NULL, 0},
		{read_write, SCMP_ACT_ALLOW, NULL, 0},
		{read_write, SCMP_ACT_ERRNO(1), NULL, 0}, /* the default */
		{read_write, SCMP_ACT_ERRNO(2), NULL, 0},
		{read_write, SCMP_ACT_LOG, NULL, 0},
		{read_write, SCMP_ACT_ALLOW, &arg, 1},
		{read_write, SCMP_ACT_ALLOW, &variants[0], 1},
		{read_write, SCMP_ACT_ALLOW, &variants[1], 1},
		{read_write, SCMP_ACT_ALLOW, &variants[2], 1},
		{read_write, SCMP_ACT_ALLOW, &variants[3], 1},
		{read_write, SCMP_ACT_ALLOW, variants, 2},
	};
	CLOSE_FD int cache = open_cache();
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct ns_seccomp s = {
			.default_action = DENY, .rules = &rules[i], .n_rules = 1};
		struct ns_seccomp_filter f = build(&s, cache);

		ns_seccomp_release(&f);
		assert_int_equal(files(), ++n);
	}
	for (size_t i = 0; i < 5; i++) {
		struct ns_seccomp s = {.default_action = DENY, .rules = rules + 4, .n_rules = 2};
		struct ns_seccomp_filter f;

		if (i == 1)
			s.rules = rules + 3; /* order and number of rules */
		if (i == 2)
			s.default_action = SCMP_ACT_ERRNO(ENOENT);
		if (i >= 3) {
			s.archs = archs;
			s.n_archs = i - 2;
		}
		f = build(&s, cache);
		ns_seccomp_release(&f);
		assert_int_equal(files(), ++n);
	}
}

/* Each byte of the file counts, and so does each byte that is missing or too many. */
static void test_damage(void **state)
{
	unsigned char good[MAX_FILE], bad[MAX_FILE];
	struct ns_seccomp_filter made = build(&simple, -1);
	CLOSE_FD int cache = open_cache();
	struct ns_seccomp_filter f = build(&simple, cache);
	const char *path = only_file();
	size_t len = read_file(path, good);

	(void)state;
	ns_seccomp_release(&f);
	for (size_t i = 0; i < len; i++) {
		memcpy(bad, good, len);
		bad[i] ^= 0x40;
		write_file(path, bad, len);
		f = build(&simple, cache);
		assert_true(same(&made, &f));
		ns_seccomp_release(&f);
		/* And it was made good again. */
		assert_int_equal(read_file(path, bad), len);
		assert_memory_equal(good, bad, len);
	}
	for (size_t cut = 0; cut < len; cut += 7) {
		write_file(path, good, cut);
		f = build(&simple, cache);
		assert_true(same(&made, &f));
		ns_seccomp_release(&f);
	}
	memcpy(bad, good, len);
	bad[len] = 0;
	write_file(path, bad, len + 1);
	f = build(&simple, cache);
	assert_true(same(&made, &f));
	ns_seccomp_release(&f);
	ns_seccomp_release(&made);
}

/* Another profile's file under this one's name, as a collision of the hash would have it. */
static void test_collision(void **state)
{
	const char *const other[] = {"mount", NULL};
	const struct ns_seccomp_rule rule = {other, SCMP_ACT_ALLOW, NULL, 0};
	const struct ns_seccomp s = {.default_action = DENY, .rules = &rule, .n_rules = 1};
	struct ns_seccomp_filter made = build(&simple, -1), f;
	unsigned char theirs[MAX_FILE];
	CLOSE_FD int cache = open_cache();
	size_t len;

	(void)state;
	f = build(&s, cache);
	ns_seccomp_release(&f);
	len = read_file(only_file(), theirs);
	assert_int_equal(unlink(only_file()), 0);
	f = build(&simple, cache);
	ns_seccomp_release(&f);
	write_file(only_file(), theirs, len);
	f = build(&simple, cache);
	assert_true(same(&made, &f));
	ns_seccomp_release(&f);
	ns_seccomp_release(&made);
}

/* A file that somebody else could have written, or that is none, is not believed. */
static void test_foreign_files(void **state)
{
	struct ns_seccomp_filter made = build(&simple, -1), f;
	CLOSE_FD int cache = open_cache();
	char aside[sizeof(dir) + 16], path[sizeof(dir) + NAME_MAX + 2];
	struct stat st;

	(void)state;
	need_root();
	f = build(&simple, cache);
	ns_seccomp_release(&f);
	snprintf(path, sizeof(path), "%s", only_file());
	plant_program(path, SECCOMP_RET_ALLOW);

	assert_int_equal(chown(path, 1000, 0), 0);
	f = build(&simple, cache);
	assert_true(same(&made, &f));
	ns_seccomp_release(&f);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0); /* replaced */

	plant_program(path, SECCOMP_RET_ALLOW);
	assert_int_equal(chmod(path, 0620), 0);
	f = build(&simple, cache);
	assert_true(same(&made, &f));
	ns_seccomp_release(&f);

	plant_program(path, SECCOMP_RET_ALLOW);
	snprintf(aside, sizeof(aside), "%s.aside", dir);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(symlink(aside, path), 0);
	f = build(&simple, cache);
	assert_true(same(&made, &f));
	ns_seccomp_release(&f);
	unlink(aside);

	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	f = build(&simple, cache);
	assert_true(same(&made, &f));
	ns_seccomp_release(&f);

	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	f = build(&simple, cache);
	assert_true(same(&made, &f));
	ns_seccomp_release(&f);
	ns_seccomp_release(&made);
}

/* A directory that others can enter or that is another's is left alone altogether. */
static void test_foreign_directory(void **state)
{
	struct ns_seccomp_filter made = build(&simple, -1), f;
	CLOSE_FD int cache = open_cache();

	(void)state;
	need_root();
	f = build(&simple, cache);
	ns_seccomp_release(&f);
	plant_program(only_file(), SECCOMP_RET_ALLOW);
	assert_int_equal(chmod(dir, 0770), 0);
	f = build(&simple, cache);
	assert_true(same(&made, &f));
	ns_seccomp_release(&f);
	assert_int_equal(chmod(dir, 0700), 0);
	assert_int_equal(chown(dir, 1000, 1000), 0);
	f = build(&simple, cache);
	assert_true(same(&made, &f));
	ns_seccomp_release(&f);
	/* Nothing was stored either: the planted file is still there. */
	assert_int_equal(chown(dir, 0, 0), 0);
	f = build(&simple, cache);
	assert_true(first_answers(&f, SECCOMP_RET_ALLOW));
	ns_seccomp_release(&f);
	ns_seccomp_release(&made);
}

static void test_open(void **state)
{
	CLOSE_FD int parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err e = ERR_INIT;
	struct stat st;
	int fd;

	(void)state;
	umask(0);
	fd = ns_seccomp_cache_open(parent, "cache", &e);
	umask(022);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	fd = ns_seccomp_cache_open(parent, "cache", &e);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(symlinkat("cache", parent, "link"), 0);
	assert_true(ns_seccomp_cache_open(parent, "link", &e) < 0);
	assert_int_equal(ns_seccomp_cache_open(parent, "none/cache", &e), -ENOENT);
	assert_non_null(strstr(e.msg, "'none/cache'"));
}

static struct ns_seccomp_filter build_numbered(uint32_t errnum, int cache)
{
	const struct ns_seccomp_rule rule = {read_write, SCMP_ACT_ERRNO(errnum), NULL, 0};
	const struct ns_seccomp s = {
		.default_action = SCMP_ACT_ALLOW, .rules = &rule, .n_rules = 1};

	return build(&s, cache);
}

static void set_age(const char *path, time_t age)
{
	const struct timespec t[2] = {{time(NULL) - age, 0}, {time(NULL) - age, 0}};

	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

/* At most 64 files; the oldest go first, and one that was used lately is not old. */
static void test_eviction(void **state)
{
	CLOSE_FD int cache = open_cache();
	struct ns_seccomp_filter f = build_numbered(1, cache);
	char used[sizeof(dir) + NAME_MAX + 2], temp[sizeof(dir) + 32];

	(void)state;
	ns_seccomp_release(&f);
	snprintf(used, sizeof(used), "%s", only_file());
	set_age(used, 100 * 24 * 60 * 60);
	f = build_numbered(1, cache); /* gets a new date */
	ns_seccomp_release(&f);
	/* What a process that was killed left behind, older than all others. */
	snprintf(temp, sizeof(temp), "%s/0.bpf.12345678.tmp", dir);
	write_text(temp, "x");
	set_age(temp, 60 * 60);
	for (uint32_t i = 2; i < 100; i++) {
		f = build_numbered(i, cache);
		ns_seccomp_release(&f);
		assert_true(files() <= 64);
		assert_int_equal(access(temp, F_OK), i < 64 ? 0 : -1);
		/* With its first date it would have gone before the temporary one. */
		if (i <= 64)
			assert_int_equal(access(used, F_OK), 0);
	}
	assert_int_equal(files(), 64);
}

/* A full or read-only cache costs time, nothing else. */
static void test_unwritable(void **state)
{
	struct ns_seccomp_filter made = build(&simple, -1), f;
	CLOSE_FD int cache = open_cache();

	(void)state;
	assert_int_equal(rmdir(dir), 0); /* what is made in it now gets ENOENT */
	f = build(&simple, cache);
	assert_true(same(&made, &f));
	assert_int_equal(mkdir(dir, 0700), 0);
	ns_seccomp_release(&f);
	ns_seccomp_release(&made);
}

#define CACHE_TEST(f) cmocka_unit_test_setup_teardown(f, cache_setup, cache_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CACHE_TEST(test_hit),
		CACHE_TEST(test_flags_are_not_cached),
		CACHE_TEST(test_key),
		CACHE_TEST(test_damage),
		CACHE_TEST(test_collision),
		CACHE_TEST(test_foreign_files),
		CACHE_TEST(test_foreign_directory),
		CACHE_TEST(test_open),
		CACHE_TEST(test_eviction),
		CACHE_TEST(test_unwritable),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
