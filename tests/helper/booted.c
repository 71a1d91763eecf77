/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first process of a guest that has nothing but a kernel: says that it runs on the console that
 * the kernel opened for it, shows the files of its arguments, and restarts the machine, which ends
 * it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <termios.h>
#include <unistd.h>

static void show(const char *path)
{
	char text[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && (n = read(fd, text, sizeof(text))) > 0)
		printf("%s: %.*s\n", path, (int)n, text);
}

int main(int argc, char **argv)
{
	(void)setvbuf(stdout, NULL, _IONBF, 0);
	printf("booted as process %d\n", (int)getpid());
	if (mount("proc", "/proc", "proc", 0, NULL) || mount("sysfs", "/sys", "sysfs", 0, NULL))
		perror("mount");
	for (int i = 1; i < argc; i++)
		show(argv[i]);
	(void)tcdrain(STDOUT_FILENO);
	(void)reboot(RB_AUTOBOOT);
	return 1;
}
