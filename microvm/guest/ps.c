/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes of a container, as ids and as a table for people. Nobody's ps(1) is there to ask, so
 * the columns are few. In a job: to read a command line may wait for the process (its mmap lock).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/proc.h"
#include "microvm/guest/ops.h"

#define TABLE_MAX   (512u << 10) /* fits in a frame with the ids */
#define COMMAND_MAX 4096
#define STAT_MAX    4096

/* utime and stime (man 5 proc: fields 14 and 15; the second is in parentheses and may hold anything). */
static uint64_t cpu_ticks(int proc_fd, pid_t pid)
{
	FREE char *path = mem_xprintf("%d/stat", (int)pid);
	BUF text = BUF_INIT;
	uint64_t sum = 0, n;
	char *rest, *word;
	int field = 3;

	if (io_read_file(proc_fd, path, STAT_MAX, &text, NULL) < 0)
		return 0;
	buf_addc(&text, '\0');
	rest = strrchr(text.data, ')');
	rest = rest ? rest + 1 : text.data;
	while ((word = strsep(&rest, " \n"))) {
		if (!*word)
			continue;
		if ((field == 14 || field == 15) && parse_u64(word, &n) == 0)
			sum += n;
		field++;
	}
	return sum;
}

static void add_printable(struct buf *b, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf_addc(b, (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i]);
}

/* Its arguments, or its name in brackets. */
static void add_command(struct buf *b, int proc_fd, pid_t pid)
{
	FREE char *path = mem_xprintf("%d/cmdline", (int)pid);
	FREE char *name = mem_xprintf("%d/comm", (int)pid);
	CLOSE_FD int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	char command[COMMAND_MAX];
	BUF comm = BUF_INIT;
	ssize_t n = fd < 0 ? -1 : io_read(fd, command, sizeof(command));

	if (n > 0 && command[n - 1] == '\0')
		n--;
	if (n > 0) {
		add_printable(b, command, (size_t)n);
		return;
	}
	(void)!io_read_file(proc_fd, name, COMMAND_MAX, &comm, NULL);
	buf_addc(b, '[');
	add_printable(b, buf_str(&comm), strcspn(buf_str(&comm), "\n"));
	buf_addc(b, ']');
}

static void add_line(struct buf *b, int proc_fd, pid_t pid)
{
	FREE char *path = mem_xprintf("%d", (int)pid);
	struct proc_stat stat;
	struct stat st;
	uint64_t seconds;

	if (fstatat(proc_fd, path, &st, 0) < 0 || proc_stat_read(proc_fd, pid, &stat, NULL) < 0)
		return; /* it has ended */
	seconds = cpu_ticks(proc_fd, pid) / (uint64_t)sysconf(_SC_CLK_TCK);
	buf_addf(b, "%-8u %7d %7d %02u:%02u:%02u ", st.st_uid, (int)pid, (int)stat.ppid,
		 (unsigned int)(seconds / 3600), (unsigned int)(seconds / 60 % 60),
		 (unsigned int)(seconds % 60));
	add_command(b, proc_fd, pid);
	buf_addc(b, '\n');
}

static int compare(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

static void describe(struct buf *out, int proc_fd, const pid_t *pids, size_t n)
{
	uint32_t count = (uint32_t)n;
	size_t begin;

	buf_add(out, &count, sizeof(count));
	buf_add(out, pids, n * sizeof(*pids));
	begin = out->len;
	buf_addf(out, "%-8s %7s %7s %8s %s\n", "UID", "PID", "PPID", "TIME", "CMD");
	for (size_t i = 0; i < n && out->len - begin < TABLE_MAX; i++)
		add_line(out, proc_fd, pids[i]);
}

int op_ps(struct runtime *rt, const struct guest *g, const struct request *q, const void *arg,
	  int fd, struct err *err)
{
	struct container *c = NULL;
	struct cgroup *cg = NULL;
	FREE pid_t *pids = NULL;
	BUF out = BUF_INIT;
	size_t n = 0;
	int rc = container_open(rt, q->container, CONTAINER_LOCK_NONE, &c, err);

	(void)g;
	(void)arg;
	if (rc < 0)
		return rc;
	rc = container_cgroup(c, &cg, err);
	if (rc == 0)
		rc = cgroup_pids(cg, &pids, &n, err);
	container_close(c);
	if (rc < 0)
		return rc;
	if (n > 0)
		qsort(pids, n, sizeof(*pids), compare);
	describe(&out, rt->proc_fd, pids, n);
	rc = io_write(fd, out.data, out.len);
	return rc < 0 ? err_code(err, -rc, "write a result") : 0;
}
