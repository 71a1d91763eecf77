/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of the machine's processors are online: the first ones, as many as the host asks for. The one
 * that booted always is. See Documentation/core-api/cpu_hotplug.rst of the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/parse.h"
#include "microvm/guest/ops.h"

#define CPUS     "/sys/devices/system/cpu/"
#define CPUS_MAX 64 /* of the guest's kernel: CONFIG_NR_CPUS */

/* The processors of a list in sysfs, "0-3". */
static int read_set(const char *path, uint64_t *ret, struct err *err)
{
	uint64_t bits[CPUS_MAX / 64] = {0};
	FREE char *list = NULL;
	BUF text = BUF_INIT;
	int rc = io_read_file(AT_FDCWD, path, 4096, &text, err);

	if (rc < 0)
		return rc;
	list = mem_xprintf("%.*s", (int)strcspn(buf_str(&text), "\n"), buf_str(&text));
	if (parse_cpu_list(list, bits, CPUS_MAX) < 0)
		return err_set(err, EINVAL, "'%s' is no list of processors", path);
	*ret = bits[0];
	return 0;
}

static int set_online(unsigned int cpu, bool online, struct err *err)
{
	FREE char *path = mem_xprintf(CPUS "cpu%u/online", cpu);

	return io_write_value(AT_FDCWD, path, online ? "1" : "0", err);
}

/* Those at the end go first. */
static int set_all(uint64_t present, uint64_t online, uint32_t wanted, struct err *err)
{
	int rc = 0;

	for (unsigned int i = CPUS_MAX; i-- > 1 && rc == 0;) {
		if (i >= wanted && online & present & 1ULL << i)
			rc = set_online(i, false, err);
	}
	for (unsigned int i = 1; i < CPUS_MAX && i < wanted && rc == 0; i++) {
		if (present & ~online & 1ULL << i)
			rc = set_online(i, true, err);
	}
	return rc;
}

int op_cpus(struct runtime *rt, const struct guest *g, const struct request *q, const void *arg,
	    int fd, struct err *err)
{
	uint64_t present = 0, online = 0;
	uint32_t were;
	int rc;

	(void)rt;
	(void)arg;
	if (!g->place.is_machine)
		return err_set(err, ENOTSUP, "the processors are not this agent's");
	if ((rc = read_set(CPUS "present", &present, err)) < 0 ||
	    (rc = read_set(CPUS "online", &online, err)) < 0)
		return rc;
	were = (uint32_t)__builtin_popcountll(online);
	if (!q->cpus || q->cpus > (uint32_t)__builtin_popcountll(present))
		return err_set(err, EINVAL, "%u processors of %d", q->cpus,
			       __builtin_popcountll(present));
	rc = set_all(present, online, q->cpus, err);
	if (rc < 0)
		return rc;
	rc = io_write(fd, &were, sizeof(were));
	return rc < 0 ? err_code(err, -rc, "write a result") : 0;
}
