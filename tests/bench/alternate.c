/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Measures commands against each other: A B C A B C …, so that whatever else the machine does falls
 * on all of them alike. Time is CLOCK_MONOTONIC around fork and wait4; memory is ru_maxrss, the
 * largest of any process in the command's tree that was waited for. One table on standard output.
 *
 *   alternate ROUNDS [::: NAME COMMAND ARGUMENTS…]…
 *
 * "%N" in an argument becomes a number that no other run has. A command that fails ends the
 * program.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_COMMANDS 16
#define MAX_WORDS    64
#define WARM_UP      2

struct sample {
	double wall_ms, cpu_ms;
	long peak_kib;
};

struct command {
	const char *name;
	char **argv; /* NULL-terminated */
	struct sample *samples;
};

static void die(const char *what)
{
	fprintf(stderr, "alternate: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* word with "%N" replaced; a new string only when there is one. */
static char *expand(char *word, int number)
{
	char *mark = strstr(word, "%N"), *out;

	if (!mark)
		return word;
	if (asprintf(&out, "%.*s%d-%d%s", (int)(mark - word), word, (int)getpid(), number,
		     mark + 2) < 0)
		die("memory");
	return out;
}

static void child(char **argv)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		_exit(126);
	if (null > 2)
		close(null);
	execvp(argv[0], argv);
	_exit(127);
}

static double timeval_ms(const struct timeval *tv)
{
	return (double)tv->tv_sec * 1e3 + (double)tv->tv_usec / 1e3;
}

static struct sample run(const struct command *c)
{
	static int number;
	char *argv[MAX_WORDS + 1] = {0};
	struct rusage usage;
	struct sample s;
	double start;
	int status;
	pid_t pid;

	number++;
	for (int i = 0; i < MAX_WORDS && c->argv[i]; i++)
		argv[i] = expand(c->argv[i], number);
	start = now_ms();
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		child(argv);
	while (wait4(pid, &status, 0, &usage) < 0) {
		if (errno != EINTR)
			die("wait");
	}
	s.wall_ms = now_ms() - start;
	s.cpu_ms = timeval_ms(&usage.ru_utime) + timeval_ms(&usage.ru_stime);
	s.peak_kib = usage.ru_maxrss;
	if (status) {
		fprintf(stderr, "alternate: %s failed with wait status %#x\n", c->name, status);
		exit(1);
	}
	for (int i = 0; argv[i]; i++) {
		if (argv[i] != c->argv[i])
			free(argv[i]);
	}
	return s;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(const struct command *c, int rounds, double *first_median)
{
	double *wall = calloc((size_t)rounds, sizeof(*wall)),
	       *cpu = calloc((size_t)rounds, sizeof(*cpu));
	long peak = 0;

	if (!wall || !cpu)
		die("memory");
	for (int i = 0; i < rounds; i++) {
		wall[i] = c->samples[i].wall_ms;
		cpu[i] = c->samples[i].cpu_ms;
		if (c->samples[i].peak_kib > peak)
			peak = c->samples[i].peak_kib;
	}
	qsort(wall, (size_t)rounds, sizeof(*wall), compare_doubles);
	qsort(cpu, (size_t)rounds, sizeof(*cpu), compare_doubles);
	if (*first_median == 0)
		*first_median = wall[rounds / 2];
	printf("  %-24s %8.2f %8.2f %8.2f %9ld %8.2f\n", c->name, wall[rounds / 2], wall[0],
	       cpu[rounds / 2], peak, wall[rounds / 2] / *first_median);
	free(wall);
	free(cpu);
}

/* Cuts argv at ":::" into commands. */
static int read_commands(char **argv, struct command *commands, int rounds)
{
	int n = 0;

	while (*argv) {
		struct command *c = &commands[n++];

		*argv++ = NULL; /* ":::", the end of the command before */
		if (n == MAX_COMMANDS || !argv[0] || !argv[1])
			return -1;
		c->name = argv[0];
		c->argv = ++argv;
		c->samples = calloc((size_t)rounds, sizeof(*c->samples));
		if (!c->samples)
			die("memory");
		while (*argv && strcmp(*argv, ":::"))
			argv++;
		if (argv - c->argv > MAX_WORDS)
			return -1;
	}
	return n;
}

int main(int argc, char **argv)
{
	struct command commands[MAX_COMMANDS];
	int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
	int n = rounds > 0 && argc > 2 && !strcmp(argv[2], ":::")
			? read_commands(argv + 2, commands, rounds)
			: -1;
	double first_median = 0;

	if (n <= 0) {
		fprintf(stderr, "usage: alternate ROUNDS [::: NAME COMMAND ARGUMENTS...]...\n");
		return 2;
	}
	for (int round = -WARM_UP; round < rounds; round++) {
		for (int i = 0; i < n; i++) {
			struct sample s = run(&commands[i]);

			if (round >= 0)
				commands[i].samples[round] = s;
		}
	}
	printf("  %-24s %8s %8s %8s %9s %8s\n", "", "median", "min", "CPU", "peak KiB", "ratio");
	for (int i = 0; i < n; i++) {
		report(&commands[i], rounds, &first_median);
		free(commands[i].samples);
	}
	return 0;
}
