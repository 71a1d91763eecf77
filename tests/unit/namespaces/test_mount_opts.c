/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of mount options: every word of runtime-spec config.md, order, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/sys.h"
#include "namespaces/namespaces.h"

#define MAX_WORDS 8

static struct arena arena;

static int parse(struct ns_mount *m, struct err *err, const char *const *words)
{
	size_t n = 0;

	while (words[n])
		n++;
	/* What was there before must not shine through. */
	memset(m, 0xff, sizeof(*m));
	return ns_mount_options(words, n, m, &arena, err);
}

#define PARSE(m, err, ...) parse(m, err, (const char *const[]){__VA_ARGS__, NULL})

static int arena_teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static void plain_flags(void **state)
{
	static const struct {
		const char *word;
		unsigned long set, clear;
	} cases[] = {
		{"ro", MS_RDONLY, 0},
		{"rw", 0, MS_RDONLY},
		{"nosuid", MS_NOSUID, 0},
		{"suid", 0, MS_NOSUID},
		{"nodev", MS_NODEV, 0},
		{"dev", 0, MS_NODEV},
		{"noexec", MS_NOEXEC, 0},
		{"exec", 0, MS_NOEXEC},
		{"sync", MS_SYNCHRONOUS, 0},
		{"async", 0, MS_SYNCHRONOUS},
		{"dirsync", MS_DIRSYNC, 0},
		{"mand", MS_MANDLOCK, 0},
		{"nomand", 0, MS_MANDLOCK},
		{"noatime", MS_NOATIME, 0},
		{"atime", 0, MS_NOATIME},
		{"nodiratime", MS_NODIRATIME, 0},
		{"diratime", 0, MS_NODIRATIME},
		{"relatime", MS_RELATIME, 0},
		{"norelatime", 0, MS_RELATIME},
		{"strictatime", MS_STRICTATIME, 0},
		{"nostrictatime", 0, MS_STRICTATIME},
		{"lazytime", MS_LAZYTIME, 0},
		{"nolazytime", 0, MS_LAZYTIME},
		{"iversion", MS_I_VERSION, 0},
		{"noiversion", 0, MS_I_VERSION},
		{"silent", MS_SILENT, 0},
		{"loud", 0, MS_SILENT},
		{"nosymfollow", MS_NOSYMFOLLOW, 0},
		{"symfollow", 0, MS_NOSYMFOLLOW},
		{"remount", MS_REMOUNT, 0},
		{"bind", MS_BIND, 0},
		{"rbind", MS_BIND | MS_REC, 0},
		{"defaults", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ns_mount m;
		struct err e = ERR_INIT;

		assert_int_equal(PARSE(&m, &e, cases[i].word), 0);
		assert_int_equal(m.flags, cases[i].set);
		assert_int_equal(m.clear_flags, cases[i].clear);
		assert_int_equal(m.rec_set | m.rec_clear, 0);
		assert_int_equal(m.n_propagation, 0);
		assert_null(m.data);
		assert_int_equal(m.bind, (cases[i].set & MS_BIND) != 0);
	}
}

static void recursive_attributes(void **state)
{
	static const struct {
		const char *word;
		uint64_t set, clear;
	} cases[] = {
		{"rro", MOUNT_ATTR_RDONLY, 0},
		{"rrw", 0, MOUNT_ATTR_RDONLY},
		{"rnosuid", MOUNT_ATTR_NOSUID, 0},
		{"rsuid", 0, MOUNT_ATTR_NOSUID},
		{"rnodev", MOUNT_ATTR_NODEV, 0},
		{"rdev", 0, MOUNT_ATTR_NODEV},
		{"rnoexec", MOUNT_ATTR_NOEXEC, 0},
		{"rexec", 0, MOUNT_ATTR_NOEXEC},
		{"rnodiratime", MOUNT_ATTR_NODIRATIME, 0},
		{"rdiratime", 0, MOUNT_ATTR_NODIRATIME},
		{"rnosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
		{"rsymfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
		{"rrelatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
		{"rnorelatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
		{"rnoatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
		{"ratime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
		{"rstrictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
		{"rnostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ns_mount m;
		struct err e = ERR_INIT;

		assert_int_equal(PARSE(&m, &e, cases[i].word), 0);
		assert_int_equal(m.rec_set, cases[i].set);
		assert_int_equal(m.rec_clear, cases[i].clear);
		assert_int_equal(m.flags | m.clear_flags, 0);
	}
}

static void propagation_keeps_its_order(void **state)
{
	struct ns_mount m;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(PARSE(&m, &e, "rslave", "ro", "shared", "private", "runbindable"), 0);
	assert_int_equal(m.n_propagation, 4);
	assert_int_equal(m.propagation[0], MS_SLAVE | MS_REC);
	assert_int_equal(m.propagation[1], MS_SHARED);
	assert_int_equal(m.propagation[2], MS_PRIVATE);
	assert_int_equal(m.propagation[3], MS_UNBINDABLE | MS_REC);
	assert_int_equal(PARSE(&m, &e, "slave", "rshared", "rprivate", "unbindable"), 0);
	assert_int_equal(m.propagation[0], MS_SLAVE);
	assert_int_equal(m.propagation[1], MS_SHARED | MS_REC);
	assert_int_equal(m.propagation[2], MS_PRIVATE | MS_REC);
	assert_int_equal(m.propagation[3], MS_UNBINDABLE);
}

static void last_word_wins(void **state)
{
	struct ns_mount m;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(PARSE(&m, &e, "ro", "rw"), 0);
	assert_int_equal(m.flags, 0);
	assert_int_equal(m.clear_flags, MS_RDONLY);
	assert_int_equal(PARSE(&m, &e, "rw", "ro"), 0);
	assert_int_equal(m.flags, MS_RDONLY);
	assert_int_equal(m.clear_flags, 0);
	assert_int_equal(PARSE(&m, &e, "noatime", "strictatime", "relatime"), 0);
	assert_int_equal(m.flags, MS_RELATIME);
	assert_int_equal(PARSE(&m, &e, "rnoatime", "rstrictatime"), 0);
	assert_int_equal(m.rec_set, MOUNT_ATTR_STRICTATIME);
	assert_int_equal(m.rec_clear, MOUNT_ATTR__ATIME);
	assert_int_equal(PARSE(&m, &e, "rro", "rrw"), 0);
	assert_int_equal(m.rec_set, 0);
	assert_int_equal(m.rec_clear, MOUNT_ATTR_RDONLY);
}

static void own_switches(void **state)
{
	struct ns_mount m;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(PARSE(&m, &e, "tmpcopyup"), 0);
	assert_true(m.tmpcopyup);
	assert_int_equal(PARSE(&m, &e, "copy-symlink"), 0);
	assert_true(m.copy_symlink);
	assert_false(m.tmpcopyup);
	assert_int_equal(PARSE(&m, &e, "idmap"), 0);
	assert_true(m.idmap);
	assert_false(m.idmap_recursive);
	assert_int_equal(PARSE(&m, &e, "ridmap"), 0);
	assert_true(m.idmap);
	assert_true(m.idmap_recursive);
}

static void unknown_words_are_data(void **state)
{
	struct ns_mount m;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(PARSE(&m, &e, "nosuid", "mode=755", "", "size=1k", "acl"), 0);
	assert_string_equal(m.data, "mode=755,size=1k,acl");
	assert_int_equal(m.flags, MS_NOSUID);
	assert_int_equal(PARSE(&m, &e, "RO", "ro ", "r"), 0);
	assert_string_equal(m.data, "RO,ro ,r");
	assert_int_equal(ns_mount_options(NULL, 0, &m, &arena, &e), 0);
	assert_null(m.data);
	assert_int_equal(m.n_propagation, 0);
}

static void a_bind_takes_no_data(void **state)
{
	struct ns_mount m;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(PARSE(&m, &e, "size=1k", "uid=5", "rbind"), -EINVAL);
	assert_non_null(strstr(e.msg, "'size=1k'"));
	assert_int_equal(PARSE(&m, &e, "rbind", "nosuid", "nodev", "defaults", "rprivate"), 0);
}

/* The search by halves finds each name only when the table is sorted. */
static void every_name_is_found(void **state)
{
	const char *const *names = ns_mount_option_names();
	size_t n = 0;

	(void)state;
	for (; names[n]; n++) {
		struct ns_mount m;
		struct err e = ERR_INIT;

		assert_int_equal(PARSE(&m, &e, names[n]), 0);
		assert_null(m.data);
		if (n)
			assert_true(strcmp(names[n - 1], names[n]) < 0);
	}
	assert_int_equal(n, 63);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_flags),
		cmocka_unit_test(recursive_attributes),
		cmocka_unit_test(propagation_keeps_its_order),
		cmocka_unit_test(last_word_wins),
		cmocka_unit_test(own_switches),
		cmocka_unit_test(unknown_words_are_data),
		cmocka_unit_test(a_bind_takes_no_data),
		cmocka_unit_test(every_name_is_found),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, arena_teardown);
}
