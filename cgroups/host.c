// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which cgroup hierarchies the host has, and which controller lives in which. A host with cgroup2
 * alone costs one statfs(2). Any other one is read off /proc/self/mountinfo: the super options of a
 * v1 mount name its controllers, and the cgroup2 mount may be anywhere. Nothing of the layout below
 * /sys/fs/cgroup is taken for granted, so co-mounted controllers and hybrid hosts, with some
 * controllers here and some there, need no special case.
 *
 * See proc(5) on mountinfo, cgroups(7), mount options in the kernel's cgroup1.c
 * (cgroup1_show_options).
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/sys.h"

#define MOUNTINFO_MAX (16u << 20)

/* Names on v1 and on v2; NULL: no such controller there. */
static const char *const ctrl_names[CTRL_MAX][2] = {
	[CTRL_CPU] = {"cpu", "cpu"},
	[CTRL_CPUACCT] = {"cpuacct", NULL},
	[CTRL_CPUSET] = {"cpuset", "cpuset"},
	[CTRL_MEMORY] = {"memory", "memory"},
	[CTRL_IO] = {"blkio", "io"},
	[CTRL_PIDS] = {"pids", "pids"},
	[CTRL_HUGETLB] = {"hugetlb", "hugetlb"},
	[CTRL_RDMA] = {"rdma", "rdma"},
	[CTRL_DEVICES] = {"devices", NULL},
	[CTRL_FREEZER] = {"freezer", NULL},
	[CTRL_NET_CLS] = {"net_cls", NULL},
	[CTRL_NET_PRIO] = {"net_prio", NULL},
};

/* Super options of a v1 mount that name no controller. */
static const char *const v1_flags[] = {
	"rw",           "ro",       "xattr", "noprefix", "clone_children", "cpuset_v2_mode",
	"favordynmods", "seclabel",
};

const char *cgroup_ctrl_name(enum cgroup_ctrl ctrl, bool v2)
{
	const char *name = ctrl_names[ctrl][v2];

	return name ? name : ctrl_names[ctrl][0];
}

int cgroup_ctrl_parse(const char *name, size_t len, bool v2)
{
	for (int i = 0; i < CTRL_MAX; i++) {
		const char *known = ctrl_names[i][v2];

		if (known && strlen(known) == len && memcmp(known, name, len) == 0)
			return i;
	}
	return -1;
}

char *cgroup_word(char **s, const char *delims)
{
	char *word;

	do {
		word = strsep(s, delims);
	} while (word && *word == '\0');
	return word;
}

static bool is_v1_flag(const char *option)
{
	if (strncmp(option, "release_agent=", strlen("release_agent=")) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(v1_flags); i++)
		if (strcmp(option, v1_flags[i]) == 0)
			return true;
	return false;
}

/* mountinfo writes blanks, tabs, newlines and backslashes as octal escapes. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

/* Keeps of a v1 mount's super options what names the hierarchy; fills the mask of controllers. */
static const char *v1_names(struct arena *a, char *options, unsigned int *ret_ctrls)
{
	const char *names = NULL;
	char *option;

	*ret_ctrls = 0;
	while ((option = cgroup_word(&options, ","))) {
		int ctrl;

		if (is_v1_flag(option))
			continue;
		ctrl = cgroup_ctrl_parse(option, strlen(option), false);
		if (ctrl >= 0)
			*ret_ctrls |= 1u << ctrl;
		names = names ? arena_printf(a, "%s,%s", names, option) : arena_strdup(a, option);
	}
	return names ? names : "";
}

static struct cgroup_hier *find_hier(struct cgroup *cg, bool v2, const char *names)
{
	for (size_t i = 0; i < cg->n_hiers; i++)
		if (cg->hiers[i].v2 == v2 && strcmp(cg->hiers[i].names, names) == 0)
			return &cg->hiers[i];
	return NULL;
}

/*
 * Takes a mount in. Of several mounts of one hierarchy the first that shows it from its root wins,
 * else the first; one that shows a part outside the caller's cgroup namespace ("/..") is useless.
 */
static void add_mount(struct cgroup *cg, bool v2, char *root, char *mount, char *options)
{
	unsigned int ctrls = 0;
	const char *names = v2 ? "" : v1_names(&cg->arena, options, &ctrls);
	struct cgroup_hier *h = find_hier(cg, v2, names);

	if (strncmp(root, "/..", 3) == 0)
		return;
	if (h && (strcmp(h->root, "/") == 0 || strcmp(root, "/") != 0))
		return;
	if (!h)
		h = &cg->hiers[cg->n_hiers++];
	unescape(root);
	unescape(mount);
	*h = (struct cgroup_hier){.v2 = v2, .names = names, .ctrls = ctrls, .fd = -1};
	h->root = arena_strdup(&cg->arena, root);
	h->mount = arena_strdup(&cg->arena, mount);
}

/* One line: "ID PARENT MAJ:MIN ROOT MOUNT OPTIONS [TAG…] - TYPE SOURCE SUPER-OPTIONS". */
static void parse_line(struct cgroup *cg, char *line)
{
	char *tail = strstr(line, " - cgroup");
	char *root = NULL, *mount, *type, *options;

	if (!tail)
		return;
	*tail = '\0';
	tail += strlen(" - ");
	for (int i = 0; i < 4; i++)
		root = strsep(&line, " ");
	mount = strsep(&line, " ");
	type = strsep(&tail, " ");
	(void)strsep(&tail, " ");
	options = tail;
	if (!root || !mount || !options)
		return;
	if (strcmp(type, "cgroup") == 0)
		add_mount(cg, false, root, mount, options);
	else if (strcmp(type, "cgroup2") == 0)
		add_mount(cg, true, root, mount, options);
}

static size_t count_lines(const char *text)
{
	size_t n = 1;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

static void finish(struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n_hiers; i++) {
		struct cgroup_hier *h = &cg->hiers[i];

		h->dir = arena_printf(&cg->arena, "%s%s", h->mount, cg->path);
		if (h->v2)
			cg->v2 = h;
		for (int c = 0; c < CTRL_MAX; c++)
			if (h->ctrls & 1u << c)
				cg->at[c] = h;
	}
	cg->detected = true;
}

void cgroup_detect_parse(struct cgroup *cg, char *text)
{
	char *line;

	cg->hiers = arena_alloc(&cg->arena, count_lines(text), sizeof(*cg->hiers));
	while ((line = strsep(&text, "\n")))
		parse_line(cg, line);
	finish(cg);
}

static void detect_unified(struct cgroup *cg)
{
	cg->hiers = arena_alloc(&cg->arena, 1, sizeof(*cg->hiers));
	cg->hiers[0] = (struct cgroup_hier){
		.mount = "/sys/fs/cgroup",
		.root = "/",
		.names = "",
		.v2 = true,
		.fd = -1,
	};
	cg->n_hiers = 1;
	cg->unified = true;
	finish(cg);
}

int cgroup_detect(struct cgroup *cg, struct err *err)
{
	BUF text = BUF_INIT;
	struct statfs st;
	int r;

	if (cg->detected)
		return 0;
	if (statfs("/sys/fs/cgroup", &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC) {
		detect_unified(cg);
		return 0;
	}
	r = io_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, err);
	if (r < 0)
		return r;
	buf_addc(&text, '\0');
	cgroup_detect_parse(cg, text.data);
	if (cg->n_hiers == 0)
		return err_set(err, ENOENT, "no cgroup hierarchy is mounted on this host");
	return 0;
}
