/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hull-oci spec: writes a default config.json into a bundle; never over a file that is there. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "runtime/oci/oci.h"

struct spec_options {
	const char *bundle, *file;
	bool rootless;
};

#define AT(member) offsetof(struct spec_options, member)
static const struct opt opts[] = {
	{"bundle", 'b', OPT_STRING, AT(bundle), "DIR", "directory of the bundle (default: .)"},
	{"file", 'f', OPT_STRING, AT(file), "FILE", "name of the file (default: config.json)"},
	{"rootless", 0, OPT_BOOL, AT(rootless), NULL,
	 "for a user without privileges (not supported yet)"},
};

static const struct opt_grammar grammar = {
	.synopsis = "[OPTIONS]",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
};

static int write_spec(int dir, const char *file, struct err *err)
{
	CLOSE_FD int fd = openat(dir, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	BUF out = BUF_INIT;
	int rc;

	if (fd < 0 && errno == EEXIST)
		return err_set(err, EEXIST, "'%s' exists, remove it first", file);
	if (fd < 0)
		return err_sys(err, "create '%s'", file);
	spec_write_default(&out);
	if (!out.len || out.data[out.len - 1] != '\n')
		buf_addc(&out, '\n');
	rc = io_write(fd, buf_str(&out), out.len);
	if (rc < 0) {
		(void)unlinkat(dir, file, 0);
		return err_code(err, -rc, "write '%s'", file);
	}
	return 0;
}

int cmd_spec(struct cli *cli, struct err *err)
{
	struct spec_options o = {.bundle = ".", .file = "config.json"};
	CLOSE_FD int dir = -1;
	int rc;

	rc = cli_options(cli, &grammar, &o, err);
	if (rc)
		return rc < 0 ? rc : 0;
	if (o.rootless)
		return err_set(err, EOPNOTSUPP, "spec: option '--rootless' is not supported yet");
	dir = open(o.bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, "open bundle '%s'", o.bundle);
	return write_spec(dir, o.file, err);
}
