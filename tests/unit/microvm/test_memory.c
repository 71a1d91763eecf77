/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's memory: what can be reached in it, and what cannot. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "microvm/memory.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static struct guest_memory make(uint64_t size, bool shared)
{
	const struct guest_memory_config config = {.size = size, .shared = shared};
	struct err e = ERR_INIT;
	struct guest_memory m;

	if (guest_memory_new(&config, &m, &e) < 0)
		fail_msg("%s", e.msg);
	return m;
}

static void below_the_hole(void **state)
{
	struct guest_memory m = make(MIB, false);

	(void)state;
	assert_int_equal(m.n_regions, 1);
	assert_non_null(guest_at(&m, 0, MIB, true));
	assert_non_null(guest_at(&m, MIB - 1, 1, true));
	assert_non_null(guest_at(&m, 5, 0, true));
	assert_null(guest_at(&m, MIB, 0, false));
	assert_null(guest_at(&m, MIB, 1, false));
	assert_null(guest_at(&m, MIB - 1, 2, false));
	assert_null(guest_at(&m, 0, MIB + 1, false));
	assert_null(guest_at(&m, 1, UINT64_MAX, false));
	assert_null(guest_at(&m, UINT64_MAX, 1, false));
	assert_null(guest_at(&m, UINT64_MAX, UINT64_MAX, false));
	guest_memory_free(&m);
}

static void around_the_hole(void **state)
{
	struct guest_memory m = make(4 * GIB, false);

	(void)state;
	assert_int_equal(m.n_regions, 2);
	assert_non_null(guest_at(&m, 3 * GIB - 1, 1, true));
	assert_null(guest_at(&m, 3 * GIB - 1, 2, true));
	assert_null(guest_at(&m, 3 * GIB, 1, true));
	assert_null(guest_at(&m, 4 * GIB - 1, 1, true));
	assert_null(guest_at(&m, 4 * GIB - 1, 2, true));
	assert_non_null(guest_at(&m, 4 * GIB, GIB, true));
	assert_null(guest_at(&m, 5 * GIB - 1, 2, true));
	/* one mapping without a gap, and both ends of it usable */
	assert_ptr_equal(guest_at(&m, 4 * GIB, 1, true), m.map + 3 * GIB);
	memset(guest_at(&m, 5 * GIB - 4, 4, true), 1, 4);
	memset(guest_at(&m, 0, 4, true), 1, 4);
	guest_memory_free(&m);
}

static void read_only_regions(void **state)
{
	struct guest_memory m = make(MIB, false);

	(void)state;
	m.regions[m.n_regions++] = (struct guest_region){256 * GIB, 4096, m.map, true};
	assert_non_null(guest_at(&m, 256 * GIB, 4096, false));
	assert_null(guest_at(&m, 256 * GIB, 1, true));
	m.n_regions--;
	guest_memory_free(&m);
}

/* The bytes before and behind RAM are nobody's: an access ends the process. */
static void guards(void **state)
{
	struct guest_memory m = make(MIB, false);
	static const int64_t outside[] = {-1, MIB};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int status = 0;
		pid_t pid = fork();

		if (pid == 0) {
			/* the plain signal, whatever a sanitizer would make of it */
			signal(SIGSEGV, SIG_DFL);
			((volatile uint8_t *)m.map)[outside[i]] = 1;
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSEGV);
	}
	guest_memory_free(&m);
}

static void shared_with_another(void **state)
{
	struct guest_memory m = make(MIB, true);
	char *p;

	(void)state;
	assert_true(m.fd >= 0);
	p = mmap(NULL, MIB, PROT_READ, MAP_SHARED, m.fd, 0);
	assert_true(p != MAP_FAILED);
	memcpy(guest_at(&m, 4096, 6, true), "hello", 6);
	assert_string_equal(p + 4096, "hello");
	munmap(p, MIB);
	guest_memory_free(&m);
}

static void wrong_sizes(void **state)
{
	static const uint64_t sizes[] = {0, 1, 4095, 4097, UINT64_MAX, UINT64_MAX & ~4095ull};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const struct guest_memory_config config = {.size = sizes[i]};
		struct err e = ERR_INIT;
		struct guest_memory m;

		assert_int_equal(guest_memory_new(&config, &m, &e), -EINVAL);
		assert_non_null(strstr(e.msg, "pages"));
	}
}

static void huge_pages(void **state)
{
	const struct guest_memory_config config = {
		.size = 4 * MIB, .hugepages = true, .shared = true};
	struct err e = ERR_INIT;
	struct guest_memory m;
	int rc = guest_memory_new(&config, &m, &e);

	(void)state;
	if (rc < 0) { /* a host without: an error that says so, and no SIGBUS later */
		assert_non_null(strstr(e.msg, "memory"));
		printf("# needs two free huge pages: %s\n", e.msg);
		skip();
	}
	memset(guest_at(&m, 0, 4 * MIB, true), 1, 4 * MIB);
	guest_memory_free(&m);
}

/* What smaps (man 5 proc) says of the mapping at p behind key: the first line that begins with it. */
static void look_up(const void *p, const char *key, char *ret, size_t size)
{
	char line[512], start[32];
	bool here = false;
	FILE *f = fopen("/proc/self/smaps", "re");

	assert_non_null(f);
	(void)snprintf(start, sizeof(start), "%lx-", (unsigned long)(uintptr_t)p);
	*ret = '\0';
	while (!*ret && fgets(line, sizeof(line), f)) {
		if (strncmp(line, start, strlen(start)) == 0)
			here = true;
		if (here && strncmp(line, key, strlen(key)) == 0)
			(void)snprintf(ret, size, "%s", line + strlen(key));
	}
	(void)fclose(f);
}

/* Memory that another process maps as well has them without being asked, where the host can. */
static void transparent_huge_pages(void **state)
{
	struct guest_memory m = make(32 * MIB, true);
	char kib[64];

	(void)state;
	if (geteuid() != 0 || access("/sys/kernel/mm/transparent_hugepage", F_OK) < 0) {
		puts("# needs root and a kernel with transparent huge pages");
		guest_memory_free(&m);
		skip();
	}
	memset(m.map, 1, 32 * MIB);
	look_up(m.map, "ShmemPmdMapped:", kib, sizeof(kib));
	assert_non_null(strpbrk(kib, "123456789"));
	guest_memory_free(&m);
}

static void equal_pages(void **state)
{
	struct guest_memory_config config = {.size = MIB, .mergeable = true};
	struct err e = ERR_INIT;
	struct guest_memory m;
	int rc = guest_memory_new(&config, &m, &e);
	char flags[256];

	(void)state;
	if (rc < 0) {
		assert_non_null(strstr(e.msg, "KSM"));
		printf("# needs a kernel with KSM: %s\n", e.msg);
		skip();
	}
	look_up(m.map, "VmFlags:", flags, sizeof(flags));
	assert_non_null(strstr(flags, " mg")); /* the kernel's word for it */
	guest_memory_free(&m);
	config.shared = true;
	assert_int_equal(guest_memory_new(&config, &m, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "KSM"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(below_the_hole),
		cmocka_unit_test(around_the_hole),
		cmocka_unit_test(read_only_regions),
		cmocka_unit_test(guards),
		cmocka_unit_test(shared_with_another),
		cmocka_unit_test(wrong_sizes),
		cmocka_unit_test(huge_pages),
		cmocka_unit_test(equal_pages),
		cmocka_unit_test(transparent_huge_pages),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
