/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files as memory: what is mapped, what is refused, and that nobody writes there. */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_pmem.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/virtio/pmem.h"
#include "tests/unit/leaks.h"
#include "tests/unit/microvm/fake.h"

#define GPA      (1ull << 32)
#define SIZE     (PMEM_ALIGN + 5000)
#define REQUEST  0x200000u
#define RESPONSE 0x201000u

static struct fake f;
static int file = -1, writer = -1;
static struct guest_region region;

/* A file of size bytes, each its position, open for reading in file and for all in writer. */
static void make_file(uint64_t size)
{
	char path[64];

	writer = memfd_create("pmem", MFD_CLOEXEC);
	assert_true(writer >= 0);
	for (uint64_t at = 0; at < size; at += 8)
		assert_int_equal(pwrite(writer, &at, 8, (off_t)at), 8);
	assert_int_equal(ftruncate(writer, (off_t)size), 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", writer);
	file = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(file >= 0);
}

static int set_up(void **state)
{
	(void)state;
	fake_setup(&f);
	region = (struct guest_region){0};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fake_teardown(&f);
	pmem_unmap(&region);
	fd_replace(&file, -1);
	fd_replace(&writer, -1);
	return 0;
}

static void map_file(void)
{
	struct err err = ERR_INIT;

	assert_int_equal(pmem_map(file, GPA, &region, &err), 0);
	f.memory.regions[f.memory.n_regions++] = region;
}

static void test_mapping(void **state)
{
	(void)state;
	make_file(SIZE);
	map_file();
	assert_int_equal(region.gpa, GPA);
	assert_int_equal(region.size, 2 * PMEM_ALIGN);
	assert_int_equal((uintptr_t)region.host % PMEM_ALIGN, 0);
	assert_true(region.readonly);
	for (uint64_t at = 0; at < SIZE; at += 8)
		assert_int_equal(*(uint64_t *)(void *)(region.host + at), at);
	for (uint64_t at = SIZE; at < region.size; at++)
		assert_int_equal(region.host[at], 0);
	/* What the host changes is seen: it is the file, not a copy. */
	assert_int_equal(pwrite(writer, "changed", 7, 100), 7);
	assert_memory_equal(region.host + 100, "changed", 7);
}

static void test_whole_pages(void **state)
{
	(void)state;
	make_file(PMEM_ALIGN);
	map_file();
	assert_int_equal(region.size, PMEM_ALIGN);
}

/* Whoever in this process takes an address of the region for writing gets none, or dies. */
static void test_readonly(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	make_file(SIZE);
	map_file();
	assert_ptr_equal(guest_at(&f.memory, GPA + 8, 8, false), region.host + 8);
	assert_null(guest_at(&f.memory, GPA + 8, 8, true));
	assert_null(guest_at(&f.memory, GPA + region.size - 4, 8, false));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)signal(SIGSEGV, SIG_DFL);
		*(volatile uint8_t *)region.host = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	assert_int_equal(mprotect(region.host, PMEM_ALIGN, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(errno, EACCES);
}

static void test_refused(void **state)
{
	struct virtio_device *d;
	struct err err = ERR_INIT;
	int fds[2];

	(void)state;
	make_file(100);
	assert_int_equal(pmem_map(writer, GPA, &region, &err), -EINVAL);
	assert_int_equal(pmem_map(file, GPA + 4096, &region, &err), -EINVAL);
	assert_int_equal(pmem_map(file, ~(PMEM_ALIGN - 1), &region, &err), -EINVAL);
	assert_int_equal(pmem_map(-1, GPA, &region, &err), -EBADF);
	assert_int_equal(ftruncate(writer, 0), 0);
	assert_int_equal(pmem_map(file, GPA, &region, &err), -EINVAL);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(pmem_map(fds[0], GPA, &region, &err), -EINVAL);
	(void)close(fds[0]);
	(void)close(fds[1]);
	assert_null(region.host);
	assert_int_equal(
		virtio_pmem_new(&f.host,
				&(struct pmem_config){{GPA, PMEM_ALIGN, NULL, false}, file}, &d,
				&err),
		-EINVAL);
}

static void start(int fd)
{
	struct err err = ERR_INIT;
	struct pmem_config c = {.fd = fd};

	make_file(SIZE);
	map_file();
	c.region = region;
	if (fd < 0)
		c.fd = file;
	assert_int_equal(virtio_pmem_new(&f.host, &c, &f.d, &err), 0);
	fake_start(&f, 0);
}

/* The length in the used ring; the answer is in memory. */
static uint32_t request(uint32_t type, uint32_t out, uint32_t in)
{
	const struct fake_buf bufs[] = {{REQUEST, out, false}, {RESPONSE, in, true}};
	uint16_t head = 0;
	uint32_t len = 0;

	memcpy(fake_at(&f, REQUEST), &type, sizeof(type));
	memset(fake_at(&f, RESPONSE), 0xee, 8);
	fake_add(&f, 0, 4, bufs, 2);
	fake_kick(&f, 0);
	assert_true(fake_used(&f, 0, &head, &len));
	assert_int_equal(head, 4);
	return len;
}

static uint32_t response(void)
{
	return *(uint32_t *)(void *)fake_at(&f, RESPONSE);
}

static void test_flush(void **state)
{
	(void)state;
	start(-1);
	assert_int_equal(request(VIRTIO_PMEM_REQ_TYPE_FLUSH, 4, 4), 4);
	assert_int_equal(response(), 0);
	assert_int_equal(f.interrupts, 1);
}

static void test_flush_fails(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	start(fds[0]);
	assert_int_equal(request(VIRTIO_PMEM_REQ_TYPE_FLUSH, 4, 4), 4);
	assert_int_equal(response(), UINT32_MAX);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void test_bad_requests(void **state)
{
	(void)state;
	start(-1);
	assert_int_equal(request(1, 4, 4), 4);
	assert_int_equal(response(), UINT32_MAX);
	assert_int_equal(request(0, 3, 4), 0);
	assert_int_equal(request(0, 4, 3), 0);
	assert_int_equal(request(0, 0, 0), 0);
	assert_int_equal(response(), 0xeeeeeeee);
	assert_int_equal(f.d->faults, 4);
	assert_int_equal(request(0, 4, 8), 4);
	assert_int_equal(response(), 0);
}

/* An answer that is to be written into the file itself is a malformed request. */
static void test_answer_into_region(void **state)
{
	const struct fake_buf bufs[] = {{REQUEST, 4, false}, {GPA, 4, true}};
	uint16_t head = 0;
	uint32_t len = 0;

	(void)state;
	start(-1);
	fake_add(&f, 0, 0, bufs, 2);
	fake_kick(&f, 0);
	assert_true(fake_used(&f, 0, &head, &len));
	assert_int_equal(len, 0);
	assert_int_equal(f.d->queues[0].dropped, 1);
	assert_int_equal(*(uint64_t *)(void *)region.host, 0);
}

static void test_config(void **state)
{
	const uint64_t want[] = {GPA, 2 * PMEM_ALIGN};
	uint64_t got = 1;

	(void)state;
	start(-1);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		virtio_mmio_read(f.d, 0x100 + 8 * i, (uint8_t *)&got, 8);
		assert_int_equal(got, want[i]);
	}
	got = 0;
	virtio_mmio_write(f.d, 0x100, (const uint8_t *)&got, 8);
	virtio_mmio_read(f.d, 0x100, (uint8_t *)&got, 8);
	assert_int_equal(got, GPA);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_mapping),      TEST(test_whole_pages), TEST(test_readonly),
		TEST(test_refused),      TEST(test_flush),       TEST(test_flush_fails),
		TEST(test_bad_requests), TEST(test_config),      TEST(test_answer_into_region),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
